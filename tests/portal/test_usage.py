from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.events import UsageEvent
from metering.forecast import Expectation, record_forecast
from metering.ingest import ingest_events
from metering.meters import create_meter
from metering.models import Limit
from portal.calendar import Month, UnknownMonth, find_month
from portal.models import User
from tests.portal import makers
from tests.portal.makers import read, squeeze

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]


def test_the_present_month_is_told_day_by_day_up_to_today(account, owner):
    makers.subscribe(account)
    makers.use(account, 20, time=datetime(2026, 11, 3, 9, tzinfo=UTC))
    makers.use(account, 5)
    page = read(owner, "/a/acme/usage/requests/")
    text = squeeze(page)
    assert "Tue 3 Nov 20 20 4 %" in text
    assert "Tue 10 Nov 5 25 5 %" in text
    assert "Wed 11 Nov" not in text
    assert "25 events counted" in text
    assert 'href="?month=2026-10"' in page
    assert "<span>Next month</span>" in page


def test_an_earlier_month_is_shown_with_the_limit_it_had(account, owner):
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.use(account, 30, time=datetime(2026, 9, 30, 23, 59, tzinfo=UTC))
    text = squeeze(read(owner, "/a/acme/usage/requests/?month=2026-09"))
    assert "30 of 500 requests" in text
    assert "Ended on 1 October 2026, 00:00" in text
    assert "Wed 30 Sep 30 30 6 %" in text


def test_the_forecast_stands_with_the_window_that_it_is_of_and_goes_with_its_end(account, owner, time_machine):
    makers.subscribe(account)
    makers.use(account, 20)
    [limit] = Limit.objects.all()
    record_forecast(limit.pk, Expectation(p_hit=Decimal("0.86"), days_of_data=Decimal(30)), at=makers.NOV_10)
    assert "Reaches 500 requests by 1 Dec, 86 %" in squeeze(read(owner, "/a/acme/usage/requests/?month=2026-11"))
    assert "86 %" not in squeeze(read(owner, "/a/acme/usage/requests/?month=2026-10"))
    time_machine.move_to(datetime(2026, 12, 2, tzinfo=UTC), tick=False)
    [later] = makers.log_in(User.objects.get())  # the session has run out meanwhile
    assert "86 %" not in squeeze(read(later, "/a/acme/usage/requests/?month=2026-11"))


def test_a_month_without_a_limit_is_shown_all_the_same(account, owner):
    makers.make_meters()
    makers.use(account, 2, time=datetime(2026, 10, 31, 12, tzinfo=UTC))
    text = squeeze(read(owner, "/a/acme/usage/requests/?month=2026-10"))
    assert "Sat 31 Oct 2 2" in text
    assert "No limit" in text


def test_the_first_partial_month_of_a_subscription_keeps_its_limit(account, owner):
    makers.subscribe(account, started_at=datetime(2026, 11, 6, tzinfo=UTC))
    makers.use(account, 5)
    text = squeeze(read(owner, "/a/acme/usage/requests/"))
    assert "6 November 2026 to 30 November 2026" in text
    assert "5 of 500 requests" in text


@pytest.mark.parametrize(
    "month", ["2026-12", "1999-12", "2026-13", "2026-1", "2026-11-01", "../..", "%00", "２０２６-11"]
)
def test_a_month_that_is_none_or_to_come_is_not_found(owner, month):
    makers.make_meters()
    assert owner.get(f"/a/acme/usage/requests/?month={month}").status_code == 404


def test_an_unknown_meter_is_not_found(owner):
    assert owner.get("/a/acme/usage/nothing/").status_code == 404


@pytest.mark.parametrize("meters", [1, 5])
def test_the_page_costs_the_same_with_any_number_of_meters(account, owner, meters):
    makers.make_plan(meters=meters)
    makers.subscribe(account)
    makers.use(account, 3)
    owner.get("/a/acme/usage/requests/")
    with CaptureQueriesContext(connection) as queries:
        owner.get("/a/acme/usage/requests/")
    assert len(queries) <= 10


def test_a_month_knows_its_bounds_and_neighbours_on_the_accounts_clocks():
    at = datetime(2026, 11, 30, 15, 30, tzinfo=UTC)  # the first of December in Tokyo
    assert find_month("", at=at, time_zone="Asia/Tokyo") == Month(
        slug="2026-12",
        start=datetime(2026, 11, 30, 15, tzinfo=UTC),
        end=datetime(2026, 12, 31, 15, tzinfo=UTC),
        previous_slug="2026-11",
        next_slug=None,
    )
    assert find_month("2026-01", at=at, time_zone="UTC").previous_slug == "2025-12"
    assert find_month("2026-01", at=at, time_zone="UTC").next_slug == "2026-02"
    assert find_month("2000-01", at=at, time_zone="UTC").previous_slug is None


def test_the_month_to_come_is_unknown_until_it_begins_there():
    at = datetime(2026, 11, 30, 15, 30, tzinfo=UTC)
    with pytest.raises(UnknownMonth):
        find_month("2026-12", at=at, time_zone="UTC")


def test_a_level_is_shown_day_by_day_and_not_added_up(account, owner):
    create_meter(
        key="disk",
        name="Disk",
        unit="byte",
        event_type="disk",
        aggregation="latest",
        value="size",
        carries_over=True,
        at=datetime(2026, 10, 1, tzinfo=UTC),
    )
    sizes = {datetime(2026, 10, 20, tzinfo=UTC): 70, datetime(2026, 11, 8, tzinfo=UTC): 40}
    events = [
        UsageEvent("test", f"disk {time}", "disk", account.key, time, {"size": size}) for time, size in sizes.items()
    ]
    ingest_events(events, at=datetime(2026, 11, 9, tzinfo=UTC))
    text = squeeze(read(owner, "/a/acme/usage/disk/"))
    assert "Sat 7 Nov 70 bytes Sun 8 Nov 40 bytes Mon 9 Nov 40 bytes Tue 10 Nov 40 bytes" in text
    assert "Wed 11 Nov" not in text
    assert "So far" not in text
