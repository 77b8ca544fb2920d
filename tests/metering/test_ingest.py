import itertools
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from metering.events import EventFate, Fate, UsageEvent
from metering.ingest import ingest_events
from metering.invariants import check
from metering.models import Event, HourlyRollup, Limit
from tests.metering.makers import NOON, make_account, make_event, make_events, make_meter

pytestmark = pytest.mark.django_db


def fates(results: list[EventFate]) -> list[Fate]:
    return [result.fate for result in results]


def test_events_are_stored_and_counted_by_the_hour():
    account, meter = make_account(), make_meter()
    assert fates(make_events(3)) == [Fate.ACCEPTED] * 3
    rollup = HourlyRollup.objects.get()
    assert (rollup.account_id, rollup.meter_id, rollup.hour) == (account.id, meter.id, NOON)
    assert (rollup.event_count, rollup.total) == (3, Decimal(3))
    assert Event.objects.get(event_id="2").account_id == account.id


def test_the_same_events_again_are_duplicates_and_add_nothing():
    make_account(), make_meter()
    make_events(3)
    assert fates(make_events(3)) == [Fate.DUPLICATE] * 3
    assert HourlyRollup.objects.get().total == 3


def test_same_id_with_other_content_is_a_conflict():
    make_account(), make_meter()
    make_events(1)
    [fate] = ingest_events([make_event("1", color="red")], at=NOON)
    assert (fate.fate, fate.code, fate.field) == (Fate.CONFLICT, "conflict", "id")


def test_an_unmatched_event_counts_when_its_account_is_made():
    make_meter()
    assert fates(make_events(2, subject="later")) == [Fate.UNMATCHED] * 2
    assert not HourlyRollup.objects.exists()
    account = make_account("later")
    assert HourlyRollup.objects.get().total == 2
    assert set(Event.objects.values_list("account_id", flat=True)) == {account.id}


def test_limits_move_with_the_events_of_their_window():
    account, meter = make_account(), make_meter()
    limit = Limit.objects.create(
        account_id=account.id,
        meter_id=meter.id,
        starts_at=datetime(2026, 11, 1, tzinfo=UTC),
        ends_at=datetime(2026, 12, 1, tzinfo=UTC),
        quantity=10,
        needs_check=False,
    )
    make_events(4)
    make_events(1, first=50, time=datetime(2026, 10, 31, 23, 59, tzinfo=UTC), at=NOON)
    limit.refresh_from_db()
    assert (limit.used, limit.needs_check) == (Decimal(4), True)
    Limit.objects.update(closed_at=NOON)
    assert fates(make_events(1, first=99, at=NOON + timedelta(hours=1))) == [Fate.LATE]


def test_a_window_that_begins_between_the_events_of_one_hour_takes_its_own():
    account, meter = make_account(), make_meter("bytes", event_type="request", value="bytes")
    bounds = [datetime(2026, 11, 1, tzinfo=UTC), NOON + timedelta(minutes=17), datetime(2026, 12, 1, tzinfo=UTC)]
    for start, end in itertools.pairwise(bounds):
        Limit.objects.create(account_id=account.id, meter_id=meter.id, starts_at=start, ends_at=end, quantity=10**6)
    batch = [
        make_event(str(minute), time=NOON + timedelta(minutes=minute), bytes=10**n)
        for n, minute in enumerate([-70, 3, 16, 17, 18, 70])
    ]
    ingest_events(batch[:5], at=NOON + timedelta(hours=2))
    assert list(Limit.objects.order_by("starts_at").values_list("used", flat=True)) == [111, 11_000]
    ingest_events(batch, at=NOON + timedelta(hours=2))
    assert list(Limit.objects.order_by("starts_at").values_list("used", flat=True)) == [111, 111_000]
    Limit.objects.filter(starts_at=bounds[0]).update(closed_at=NOON)
    again = [make_event(f"late {minute}", time=NOON + timedelta(minutes=minute), bytes=1) for minute in (16, 17)]
    assert fates(ingest_events(again, at=NOON + timedelta(hours=2))) == [Fate.LATE, Fate.ACCEPTED]
    assert list(check()) == []


def test_one_bad_row_is_found_in_a_batch_whatever_its_neighbours_are():
    make_account(), make_meter()
    deep = b'{"a":' * 40 + b"1" + b"}" * 40
    odd = [UsageEvent("test", f"odd {n}", "request", "acme", NOON, data=b"5") for n in range(39)]
    nested = UsageEvent("test", "deep", "request", "acme", NOON, data=deep)
    results = ingest_events([*odd, nested, make_event("good")], at=NOON)
    assert fates(results) == [Fate.REJECTED] * 40 + [Fate.ACCEPTED]
    assert results[39].message == "The data may be nested at most 32 deep."


def test_no_events_are_no_work(django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        assert ingest_events([], at=NOON) == []


@pytest.mark.parametrize(
    ("number", "fate"),
    [
        ("1." + "2" * 690 + "e-307", Fate.ACCEPTED),  # "0." and 997 digits, written out
        ("1." + "2" * 691 + "e-307", Fate.ACCEPTED),
        ("1." + "2" * 692 + "e-307", Fate.REJECTED),
        ("1." + "2" * 900 + "e-300", Fate.REJECTED),
        ("0." + "2" * 998, Fate.ACCEPTED),
        ("0." + "2" * 999, Fate.REJECTED),
        ("1e-308", Fate.ACCEPTED),
        ("-1e308", Fate.ACCEPTED),
    ],
    ids=lambda value: value[-8:],
)
def test_a_number_that_is_accepted_can_be_read_back_as_the_database_writes_it(number, fate):
    make_account(), make_meter(), make_meter("bytes", event_type="request", value="bytes")
    event = UsageEvent("test", "1", "request", "acme", NOON, data=b'{"bytes": 1, "n": %b}' % number.encode())
    assert fates(ingest_events([event], at=NOON)) == [fate]
    assert list(check()) == []


def test_events_may_be_as_old_as_times_go_back():
    make_account(), make_meter()
    first, east = datetime(1, 1, 1, tzinfo=UTC), timezone(timedelta(hours=14))
    times = [first, datetime(1, 1, 1, 15, 0, 0, 1, tzinfo=east), datetime(9999, 12, 31, tzinfo=UTC)]
    events = [make_event(str(number), time=time) for number, time in enumerate(times)]
    results = ingest_events(events, at=NOON, max_age=timedelta.max)
    assert fates(results) == [Fate.ACCEPTED, Fate.ACCEPTED, Fate.REJECTED]
    assert set(HourlyRollup.objects.values_list("hour", "total")) == {(first, 1), (first + timedelta(hours=1), 1)}
    assert list(check()) == []
