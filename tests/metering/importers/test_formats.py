"""Each format, from a file shaped like the real one to events, rollups and a report."""

import gzip
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum

from metering.importers import (
    Focus,
    Format,
    ImportRefused,
    ImportReport,
    MappedCsv,
    Ndjson,
    SnowflakeQueries,
    SnowflakeWarehouses,
    import_usage,
    importing,
    read_mapping,
)
from metering.importers.subjects import clean_subject
from metering.ingest import ingest_events
from metering.invariants import check
from metering.models import Account, Event, HourlyRollup, Meter, RejectedLine, UsageImport
from tests.metering.makers import make_account, make_event, make_meter

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATA = Path(__file__).parent / "data"

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Sample:
    """A file of a format, and how many of its lines are accepted, rejected and unused with all accounts made."""

    file: str
    make: Callable[[], Format]
    fates: tuple[int, int, int]


SAMPLES = [
    Sample("calls.csv", lambda: MappedCsv(read_mapping(DATA / "calls.json")), (2, 2, 0)),
    Sample("events.ndjson", Ndjson, (2, 1, 0)),
    Sample("focus_aws.csv", Focus, (4, 0, 3)),
    Sample("query_history.csv", SnowflakeQueries, (2, 0, 1)),
    Sample("warehouse_metering_history.csv", SnowflakeWarehouses, (3, 0, 0)),
]
each_format = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)


def import_file(path: Path, format: Format, **options: Any) -> ImportReport:
    wanted = {"create_accounts": True, "create_meters": True, "complete": True}
    return import_usage(path, format=format, at=NOW, **{**wanted, **options})


def read_sums() -> dict[str, Decimal]:
    return dict(HourlyRollup.objects.values_list("meter__key").annotate(total=Sum("total")))


def read_rejected() -> list[tuple[int, str]]:
    return list(RejectedLine.objects.order_by("line_number").values_list("line_number", "reason"))


# What holds for every format


@each_format
def test_a_file_comes_out_exact_and_a_second_import_adds_nothing(sample: Sample) -> None:
    first = import_file(DATA / sample.file, sample.make())
    sums = read_sums()
    assert (first.accepted, first.rejected, sum(first.unused.values())) == sample.fates
    assert first.lines == sum(sample.fates)
    assert sums
    second = import_file(DATA / sample.file, sample.make())
    assert (second.lines, second.new_meters, second.accounts) == (0, [], 0)
    assert (second.file_accepted, second.file_rejected, second.file_unused) == sample.fates
    assert read_sums() == sums
    assert list(check()) == []


@each_format
def test_a_compressed_file_is_the_same_file(sample: Sample, tmp_path: Path) -> None:
    plain = import_file(DATA / sample.file, sample.make())
    packed = tmp_path / "export.gz"
    packed.write_bytes(gzip.compress((DATA / sample.file).read_bytes()))
    assert import_file(packed, sample.make()).lines == 0
    assert UsageImport.objects.get().source == plain.source


@each_format
def test_after_its_record_is_gone_a_file_is_all_duplicates(sample: Sample) -> None:
    import_file(DATA / sample.file, sample.make())
    sums = read_sums()
    UsageImport.objects.all().delete()
    again = import_file(DATA / sample.file, sample.make())
    assert (again.accepted, again.duplicates) == (0, sample.fates[0])
    assert read_sums() == sums


@each_format
def test_stopped_after_any_batch_a_file_goes_on_where_it_was(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    original = importing.ImportRun.store
    calls = itertools.count(1)

    def stop_at_every_other(run: importing.ImportRun, *arguments: Any) -> None:
        original(run, *arguments)
        if next(calls) % 2 == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(importing.ImportRun, "store", stop_at_every_other)
    for _ in range(20):
        try:
            report = import_file(DATA / sample.file, sample.make(), batch=1)
            break
        except KeyboardInterrupt:
            continue
    assert next(calls) > 2
    assert (report.file_accepted, report.file_rejected, report.file_unused) == sample.fates
    assert Event.objects.count() == sample.fates[0]


@each_format
def test_a_file_cut_anywhere_and_grown_again_is_read_once(sample: Sample, tmp_path: Path) -> None:
    whole = (DATA / sample.file).read_bytes()
    path = tmp_path / sample.file
    step = max(len(whole) // 12, 1)
    for end in [*range(1, len(whole), step), len(whole)]:
        path.write_bytes(whole[:end])
        report = import_file(path, sample.make(), complete=False)
    assert (report.file_accepted, report.file_rejected, report.file_unused) == sample.fates
    assert UsageImport.objects.count() == 1
    assert Event.objects.count() == sample.fates[0]


@each_format
def test_types_that_no_meter_counts_stop_it_before_the_first_line(sample: Sample) -> None:
    with pytest.raises(ImportRefused, match=r"No meter counts the type .* --create-meters"):
        import_file(DATA / sample.file, sample.make(), create_meters=False)
    assert not Event.objects.exists()
    assert UsageImport.objects.get().offset == 0
    assert import_file(DATA / sample.file, sample.make()).accepted == sample.fates[0]


# Delimited text


def write_csv(path: Path, *rows: str, **mapping: Any) -> tuple[Path, MappedCsv]:
    path.write_text("".join(f"{row}\n" for row in rows))
    terms = {"type": "call", "subject": "who", "time": {"column": "when"}, "data": {"n": {"column": "n"}}, **mapping}
    mapped = path.with_suffix(".json")
    mapped.write_text(json.dumps(terms))
    return path, MappedCsv(read_mapping(mapped))


def test_a_mapped_row_becomes_an_event_with_exact_numbers_and_utc_times() -> None:
    import_file(DATA / "calls.csv", SAMPLES[0].make())
    first = Event.objects.get(event_id="1")
    assert (first.type, first.subject) == ("call", "acme")
    assert first.happened_at == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert first.data == {"minutes": 1234.5, "note": 'said "yes"\nand hung up', "paid": True}
    assert Event.objects.get(event_id="2").data == {"minutes": 0.25, "paid": False}
    assert read_sums() == {"call": 2, "call-minutes": Decimal("1234.75")}


def test_a_row_that_cannot_be_read_says_why() -> None:
    import_file(DATA / "calls.csv", SAMPLES[0].make())
    assert read_rejected() == [
        (3, "has the time 2026-03-29 02:30:00, which the clocks of Europe/Paris skipped"),
        (4, "has '12,34,5' where a number belongs"),
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
    assert number == 1
    assert said.startswith(reason)


def test_a_quote_that_is_never_closed_stops_behind_what_is_sound(tmp_path: Path) -> None:
    good = [f"acme,2026-11-01T09:00:00Z,{n}" for n in range(5)]
    path, format = write_csv(tmp_path / "a.csv", "who,when,n", *good, '"acme,2026-11-01T09:00:00Z,7', *good)
    with pytest.raises(ImportRefused, match="Row 6 opens a quote that is never closed"):
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


# Subjects


def test_subjects_that_cannot_be_keys_become_different_keys() -> None:
    assert clean_subject("acme:eu@1") == "acme:eu@1"
    cleaned = {clean_subject(text) for text in ("a/b", "a b", "/a/b", "é", "x" * 200, "x" * 201)}
    assert len(cleaned) == 6
    assert clean_subject("/subscriptions/8d2f") == "subscriptions-8d2f-47aba2f76c18"
    assert all(len(each) <= 120 for each in cleaned)


def test_unknown_subjects_are_named_and_wait_for_their_account() -> None:
    report = import_file(DATA / "focus_aws.csv", Focus(), create_accounts=False)
    assert (report.unmatched, report.unmatched_subjects) == (4, ["444455556666", "777788889999"])
    make_account("444455556666")
    assert import_file(DATA / "focus_aws.csv", Focus(), create_accounts=False).file_unmatched == 1


# CloudEvents


def test_an_event_that_came_by_the_api_is_a_duplicate_in_a_file() -> None:
    make_account("acme")
    make_meter("minutes", event_type="call", value_property="minutes")
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
    make_meter("minutes", event_type="call", value_property="minutes")
    path = tmp_path / "events.ndjson"
    path.write_bytes(
        (DATA / "events.ndjson").read_bytes().replace(b'"call", "subject": "globex"', b'"x", "subject": "g"')
    )
    report = import_file(path, Ndjson(), create_meters=False, reject_unknown_types=True)
    assert (report.accepted, report.rejected) == (1, 2)


# FOCUS


def test_a_charge_becomes_what_was_consumed() -> None:
    report = import_file(DATA / "focus_aws.csv", Focus())
    assert report.unused == {"ChargeCategory Tax": 1, "ChargeCategory Credit": 1, "the unused part of a commitment": 1}
    assert read_sums() == {
        "focus-amazon-elastic-compute-cloud-hours-quantity": 1,
        "focus-amazon-simple-storage-service-gb-mo-quantity": Decimal("0.9880000002"),
    }
    event = Event.objects.get(type="focus.amazon-elastic-compute-cloud.hours")
    assert (event.subject, event.happened_at) == ("444455556666", datetime(2026, 11, 1, tzinfo=UTC))
    assert event.data["sku"] == "ABCD"
    assert Meter.objects.get(key="focus-amazon-elastic-compute-cloud-hours-quantity").unit == "Hours"


def test_rows_that_are_equal_in_all_are_separate_charges() -> None:
    import_file(DATA / "focus_aws.csv", Focus())
    storage = Event.objects.filter(type="focus.amazon-simple-storage-service.gb-mo", subject="444455556666")
    assert storage.count() == 2


def test_the_report_tells_which_columns_were_used_and_what_stood_in() -> None:
    columns = import_file(DATA / "focus_azure.csv", Focus()).columns
    assert list(columns.used)[:4] == ["SubAccountId", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit"]
    assert columns.ignored == ["billedcost", "x_skumetername"]
    assert columns.absent["ServiceCategory"] == "nothing"
    assert "ServiceName" not in columns.absent


def test_a_charge_without_a_sub_account_is_a_bad_line_that_says_what_to_do() -> None:
    report = import_file(DATA / "focus_azure.csv", Focus())
    assert (report.accepted, report.unused) == (1, {"ChargeCategory Purchase": 1})
    assert read_rejected() == [(3, "names no SubAccountId; --subject-column takes another one")]
    subject = "/subscriptions/8d2f0001-aaaa-bbbb-cccc-000000000001"
    assert Account.objects.get().key == clean_subject(subject)


def test_columns_that_a_cloud_leaves_out_are_stood_in_for() -> None:
    report = import_file(DATA / "focus_oracle.csv", Focus())
    assert report.accepted == 1
    assert report.columns.absent["ConsumedQuantity"] == "PricingQuantity with PricingUnit"
    assert report.columns.absent["SubAccountId"] == "BillingAccountId"
    assert report.columns.absent["ChargeCategory"] == "every row that has a quantity is usage"
    event = Event.objects.get()
    assert (event.type, event.subject) == ("focus.compute.ocpu-hours", "ocid1.tenancy.oc1..aaaa")
    assert event.data["quantity"] == 12.5


def test_the_customer_may_be_a_tag() -> None:
    report = import_file(DATA / "focus_aws.csv", Focus("tag:customer"))
    assert (report.accepted, report.rejected) == (3, 1)
    assert set(Account.objects.values_list("key", flat=True)) == {"acme"}


def test_a_table_that_is_not_focus_is_refused() -> None:
    with pytest.raises(ImportRefused, match="no column BillingAccountId, ChargePeriodStart, PricingQuantity"):
        import_file(DATA / "warehouse_metering_history.csv", Focus())


# Snowflake


def test_a_query_becomes_an_event_and_one_without_a_warehouse_is_not_used() -> None:
    report = import_file(DATA / "query_history.csv", SnowflakeQueries())
    assert report.unused == {"no WAREHOUSE_NAME": 1}
    assert report.columns.ignored == ["QUERY_TEXT"]
    event = Event.objects.get(event_id="01b0-0001")
    assert (event.source, event.type, event.subject) == ("snowflake-queries", "snowflake.query", "REPORTING_WH")
    assert event.happened_at == datetime(2026, 11, 1, 16, 0, 0, 123_000, tzinfo=UTC)
    assert event.data["bytes_scanned"] == 1_048_576
    assert event.data["status"] == "SUCCESS"


def test_the_customer_of_a_query_may_be_its_user() -> None:
    assert import_file(DATA / "query_history.csv", SnowflakeQueries(subject_column="USER_NAME")).unused == {}
    assert set(Account.objects.values_list("key", flat=True)) == {"JANE", "LOADER"}


def test_warehouse_hours_sum_to_the_credits_they_tell() -> None:
    import_file(DATA / "warehouse_metering_history.csv", SnowflakeWarehouses())
    assert read_sums() == {
        "snowflake-warehouses-credits": Decimal("1.753472222"),
        "snowflake-warehouses-compute-credits": Decimal("1.75"),
        "snowflake-warehouses-cloud-services-credits": Decimal("0.003472222"),
    }
    assert Event.objects.filter(event_id="17@2026-11-01T00:00Z").exists()


def test_exports_that_overlap_count_what_they_share_once(tmp_path: Path) -> None:
    lines = (DATA / "warehouse_metering_history.csv").read_text().splitlines(keepends=True)
    path = tmp_path / "later.csv"
    path.write_text(lines[0] + lines[2] + lines[3])
    import_file(DATA / "warehouse_metering_history.csv", SnowflakeWarehouses())
    report = import_file(path, SnowflakeWarehouses())
    assert (report.accepted, report.duplicates) == (0, 2)


def test_times_without_an_offset_need_a_zone(tmp_path: Path) -> None:
    path = tmp_path / "local.csv"
    path.write_text("start_time,warehouse_name,credits_used\n2026-11-01 01:00:00,WH,2\n")
    report = import_file(path, SnowflakeWarehouses(zone="Europe/Paris"))
    assert (report.accepted, report.columns.absent["WAREHOUSE_ID"]) == (1, "WAREHOUSE_NAME")
    assert Event.objects.get().happened_at == datetime(2026, 11, 1, tzinfo=UTC)
    other = tmp_path / "other.csv"
    other.write_text(path.read_text() + "2026-11-01 02:00:00,WH,2\n")
    import_file(other, SnowflakeWarehouses())
    assert read_rejected()[-1][1].startswith("has the time '2026-11-01 02:00:00' without an offset")


def test_times_are_shifted_in_every_format() -> None:
    import_file(DATA / "warehouse_metering_history.csv", SnowflakeWarehouses(), shift=timedelta(hours=1))
    assert min(Event.objects.values_list("happened_at", flat=True)) == datetime(2026, 11, 1, 1, tzinfo=UTC)
