from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from metering.importers import Ndjson
from metering.ingest import ingest_events
from tests.metering.importers.samples import DATA, NOW, import_file, read_rejected, read_sums
from tests.metering.makers import make_account, make_event, make_meter

pytestmark = pytest.mark.django_db


def test_an_event_that_came_by_the_api_is_a_duplicate_in_a_file() -> None:
    make_account("acme")
    make_meter("minutes", event_type="call", value="minutes")
    time = datetime(2026, 11, 1, 9, tzinfo=UTC)
    event = make_event("a-1", source="/edge/1", type="call", time=time, minutes=Decimal("2.5"))
    ingest_events([event], at=NOW)
    report = import_file(DATA / "events.ndjson", Ndjson())
    assert (report.accepted, report.duplicates) == (1, 1)
    assert read_sums() == {"minutes": Decimal("3.5")}
    [(number, reason)] = read_rejected()
    assert number == 3
    assert "missing required field `subject`" in reason


def test_unknown_types_can_be_refused_line_by_line(tmp_path: Path) -> None:
    make_meter("minutes", event_type="call", value="minutes")
    path = tmp_path / "events.ndjson"
    path.write_bytes(
        (DATA / "events.ndjson").read_bytes().replace(b'"call", "subject": "globex"', b'"x", "subject": "g"')
    )
    report = import_file(path, Ndjson(), create_meters=False, reject_unknown_types=True)
    assert (report.accepted, report.rejected) == (1, 2)


def test_subjects_that_wait_get_their_accounts_in_a_later_run() -> None:
    waiting = import_file(DATA / "events.ndjson", Ndjson(), create_accounts=False)
    assert (waiting.accepted, waiting.unmatched) == (0, 2)
    again = import_file(DATA / "events.ndjson", Ndjson())
    assert (again.lines, again.accounts) == (0, 2)
    assert read_sums() == {"call": 2, "call-minutes": Decimal("3.5")}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"\x00",
        b"null",
        b"[]",
        b"[" * 60_000,
        b'{"id": "1", "source": "s", "type": "call", "subject": "a", "specversion": "\\u0000\\u001b[2J"}',
        b'{"id": "\\u0000", "source": "s", "type": "call", "subject": "a"}',
        b'{"id": "1", "source": "s", "type": "call", "subject": "\\ud800"}',
        b'{"id": "1", "source": "s", "type": "call", "subject": "a", "data": [1]}',
        b'{"id": "1", "source": "s", "type": "call", "subject": "a", "time": "2026-11-01T09:00:00"}',
    ],
)
def test_no_line_breaks_the_import(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(line + b"\n" + (DATA / "events.ndjson").read_bytes())
    report = import_file(path, Ndjson())
    assert (report.accepted, report.rejected) == (2, 2)
    assert [number for number, _ in read_rejected()] == [1, 4]
    assert all(reason.isprintable() for _, reason in read_rejected())


def test_an_event_as_long_as_the_api_takes_it_is_no_long_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    text = (DATA / "events.ndjson").read_text().splitlines()[0]
    path.write_text(text.replace('"minutes": 2.5', f'"minutes": 2.5, "note": "{"x" * 65_000}"'))
    assert import_file(path, Ndjson()).accepted == 1


def test_meters_are_made_for_properties_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text((DATA / "events.ndjson").read_text().replace('"minutes"', '"talk \\"time\\".minutes"'))
    assert import_file(path, Ndjson()).new_meters == ["call", "call-talk-time-minutes"]
    assert read_sums() == {"call": 2, "call-talk-time-minutes": Decimal("3.5")}
