import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from metering.importers import ImportRefused, MappedCsv, read_mapping
from metering.models import Event, UsageImport
from tests.metering.importers.samples import DATA, import_file, make_calls, read_rejected, read_sums

pytestmark = pytest.mark.django_db


def write_csv(path: Path, *rows: str, **mapping: Any) -> tuple[Path, MappedCsv]:
    path.write_text("".join(f"{row}\n" for row in rows))
    terms = {"type": "call", "subject": "who", "time": {"column": "when"}, "data": {"n": {"column": "n"}}, **mapping}
    mapped = path.with_suffix(".json")
    mapped.write_text(json.dumps(terms))
    return path, MappedCsv(read_mapping(mapped))


def test_a_mapped_row_becomes_an_event_with_exact_numbers_and_utc_times() -> None:
    import_file(DATA / "calls.csv", make_calls())
    first = Event.objects.get(event_id="2")
    assert (first.type, first.subject) == ("call", "acme")
    assert first.happened_at == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert first.data == {"minutes": 1234.5, "note": 'said "yes"\nand hung up', "paid": True}
    assert Event.objects.get(event_id="4").data == {"minutes": 0.25, "paid": False}
    assert read_sums() == {"call": 2, "call-minutes": Decimal("1234.75")}


def test_a_row_that_cannot_be_read_says_why() -> None:
    import_file(DATA / "calls.csv", make_calls())
    assert read_rejected() == [
        (5, "has the time 2026-03-29 02:30:00, which the clocks of Europe/Paris skipped"),
        (6, "has '12,34,5' where a number belongs"),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            'acme,2026-11-01T09:00:00Z,"1,234.50"',
            "has '1,234.50' where a number belongs; a mapping may name other signs",
        ),
        ("acme,2026-11-01T09:00:00Z,NaN", "has 'NaN' where a number belongs"),
        ("acme,2026-11-01T09:00:00Z,1e999", "has a number beyond 1e308"),
        ("acme,2026-11-01T09:00:00,1", "has the time '2026-11-01T09:00:00' without an offset from UTC"),
        ("acme,yesterday,1", "has 'yesterday' where a time belongs"),
        (",2026-11-01T09:00:00Z,1", "has nothing in its column who"),
        ("acme,2026-11-01T09:00:00Z", "has 2 cells; the header has 3"),
        ('"acme"x,2026-11-01T09:00:00Z,1', "is no row of delimited text"),
        ("", "is empty"),
    ],
)
def test_a_bad_row_leaves_the_others(row: str, reason: str, tmp_path: Path) -> None:
    path, format = write_csv(tmp_path / "a.csv", "who,when,n", row, "acme,2026-11-01T09:00:00Z,7")
    report = import_file(path, format)
    assert (report.accepted, report.rejected) == (1, 1)
    [(number, said)] = read_rejected()
    assert number == 2
    assert said.startswith(reason)


def test_a_quote_that_is_never_closed_stops_behind_what_is_sound(tmp_path: Path) -> None:
    good = [f"acme,2026-11-01T09:00:00Z,{n}" for n in range(5)]
    path, format = write_csv(tmp_path / "a.csv", "who,when,n", *good, '"acme,2026-11-01T09:00:00Z,7', *good)
    with pytest.raises(ImportRefused, match="The row in line 7 opens a quote that is never closed"):
        import_file(path, format)
    assert Event.objects.count() == 5
    path.write_text(path.read_text().replace('"acme', "acme"))
    assert import_file(path, format).file_accepted == 11


def test_tables_with_the_same_header_are_different_files(tmp_path: Path) -> None:
    header = "who,when,n," + ",".join(f"column_{n}" for n in range(300))
    rows = [f"acme,2026-11-0{n}T09:00:00Z,{n}" + "," * 300 for n in (1, 2)]
    for name, row in zip("ab", rows, strict=True):
        path, format = write_csv(tmp_path / f"{name}.csv", header, row)
        assert import_file(path, format).accepted == 1
    assert UsageImport.objects.count() == 2


def test_a_header_without_rows_is_nothing_at_all(tmp_path: Path) -> None:
    path, format = write_csv(tmp_path / "a.csv", "who,when,n")
    assert import_file(path, format).lines == 0
    assert not UsageImport.objects.exists()


def test_files_that_overlap_count_once_when_ids_are_for_all_files(tmp_path: Path) -> None:
    options = {"id": "no", "source": "erp"}
    rows = [f"acme,2026-11-01T09:00:00Z,1,{n}" for n in range(6)]
    for name, part in (("a", rows[:4]), ("b", rows[2:])):
        path, format = write_csv(tmp_path / f"{name}.csv", "who,when,n,no", *part, **options)
        report = import_file(path, format)
    assert (report.accepted, report.duplicates) == (2, 2)
    assert read_sums()["call"] == 6


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"subject": "whom"}, "The table has no column whom. It has: who, when, n"),
        ({"kind": "x"}, "unknown field `kind`"),
        ({"type": ""}, "either a type or a type_column"),
        ({"time": {"column": "when", "zone": "Mars/Base"}}, "is no time zone"),
        ({"delimiter": "ab"}, "delimiter"),
        ({"source": "erp"}, "needs an id column"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(change: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    def run() -> None:
        path, format = write_csv(tmp_path / "a.csv", "who,when,n", "acme,2026-11-01T09:00:00Z,7", **change)
        import_file(path, format)

    with pytest.raises(ImportRefused, match=complaint):
        run()
    assert not Event.objects.exists()
