from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from metering.importers import SnowflakeQueries, SnowflakeWarehouses
from metering.models import Account, Event
from tests.metering.importers.samples import DATA, import_file, read_rejected, read_sums

pytestmark = pytest.mark.django_db


def test_a_query_becomes_an_event_and_one_without_a_warehouse_is_not_used() -> None:
    report = import_file(DATA / "query_history.csv", SnowflakeQueries())
    assert report.unused == {"no WAREHOUSE_NAME": 1}
    assert report.columns.ignored == ["QUERY_TEXT"]
    event = Event.objects.get(event_id="01b0-0001")
    assert (event.source, event.type, event.subject) == ("snowflake-queries", "snowflake.query", "REPORTING_WH")
    assert event.happened_at == datetime(2026, 11, 1, 16, 0, 0, 123_000, tzinfo=UTC)
    assert event.data["bytes_scanned"] == 1_048_576
    assert event.data["status"] == "SUCCESS"


def test_a_query_whose_credits_are_not_told_counts_by_all_other_meters(tmp_path: Path) -> None:
    path = tmp_path / "queries.csv"
    path.write_text((DATA / "query_history.csv").read_text().replace('"0.5"', '""'))
    report = import_file(path, SnowflakeQueries())
    assert (report.accepted, report.rejected) == (2, 0)
    assert report.skipped == {"snowflake-queries-cloud-services-credits": 1}
    assert read_sums()["snowflake-queries"] == 2
    assert read_sums()["snowflake-queries-cloud-services-credits"] == Decimal("0.0000125")


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
