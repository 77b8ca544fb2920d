from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction

from metering.events import Fate
from metering.ingest import ingest_events
from metering.invariants import check
from metering.limits import LimitTerms, close_window, hand_over_limits, read_limits
from metering.meters import change_meter, create_meter
from metering.models import Event, Limit, Reservation
from metering.reservations import (
    Hold,
    LimitReached,
    NothingToHold,
    ReservationConflict,
    ReservationFact,
    UnknownReservation,
    expire_reservations,
    find_reservation,
    hold_quantity,
    release_reservation,
)
from metering.settling import NotAQuantity, RefusedUsage, settle_by_events, settle_by_quantity
from metering.tasks import expire_reservations as expire_by_beat
from tests.metering.makers import NOON, make_account, make_event, make_key, make_meter

pytestmark = pytest.mark.django_db

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
LATER = NOON + timedelta(minutes=2)
MUCH_LATER = NOON + timedelta(hours=1)


@pytest.fixture(autouse=True)
def _sound_at_the_end(db: None) -> Any:
    yield
    assert list(check()) == []


def make_limit(quantity: int | None = 10, *, is_hard: bool = True, meter: str = "minutes") -> Limit:
    """Of the account acme, on the sum of `minutes` of the events `job`, in November."""
    account = make_account(aliases=["acme-inc"])
    made = make_meter(meter, event_type="job", value="minutes")
    terms = LimitTerms(made.id, None if quantity is None else Decimal(quantity), is_hard)
    hand_over_limits(account_ids=[account.id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=NOON)
    return Limit.objects.get()


def hold(quantity: Any, *, at: datetime = NOON, **options: Any) -> ReservationFact:
    return ask(quantity, at=at, **options).reservation


def ask(quantity: Any, *, account: str = "acme", meter: str = "minutes", at: datetime = NOON, **options: Any) -> Hold:
    return hold_quantity(account_key=account, meter_key=meter, quantity=Decimal(quantity), at=at, **options)


def state_of(limit: Limit) -> tuple[Decimal, Decimal]:
    limit.refresh_from_db()
    return limit.used, limit.held


def test_a_hold_keeps_its_quantity_until_it_ends():
    limit = make_limit()
    reservation = hold("2.5")
    assert reservation == find_reservation(reservation.id)
    assert reservation == ReservationFact(
        id=reservation.id,
        account_id=limit.account_id,
        account_key="acme",
        meter_id=limit.meter_id,
        meter_key="minutes",
        limit_id=limit.pk,
        quantity=Decimal("2.5"),
        passes_limit=False,
        state="held",
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=5),
        ended_at=None,
        settled_quantity=None,
    )
    assert state_of(limit) == (0, Decimal("2.5"))
    [reading] = read_limits(account_id=limit.account_id, at=NOON)
    assert (reading.used, reading.held, reading.remaining, reading.available) == (0, Decimal("2.5"), 10, Decimal("7.5"))


def test_a_hold_costs_one_statement(django_assert_num_queries):
    make_limit()
    with django_assert_num_queries(3):  # with the savepoint that the test's own transaction needs
        hold(1)


def test_a_hard_limit_is_filled_to_the_last_and_not_beyond():
    limit = make_limit(10)
    ingest_events([make_event("1", type="job", minutes=4)], at=NOON)
    hold(6, account="acme-inc")
    with pytest.raises(LimitReached) as refused:
        hold("0.000000000001", at=LATER)
    error = refused.value
    assert (error.quantity, error.used, error.held, error.remaining) == (10, 4, 6, 0)
    assert error.resets_at == DECEMBER
    assert state_of(limit) == (4, 6)


@pytest.mark.parametrize(("quantity", "is_hard", "passes"), [(10, False, True), (None, True, False)])
def test_a_soft_limit_grants_and_says_so_and_an_unlimited_one_has_nothing_to_say(quantity, is_hard, passes):
    limit = make_limit(quantity, is_hard=is_hard)
    assert hold(10).passes_limit is False
    assert hold(1).passes_limit is passes
    assert state_of(limit) == (0, 11)


def test_a_hold_ends_with_its_window():
    make_limit()
    assert hold(1, at=DECEMBER - timedelta(minutes=1)).expires_at == DECEMBER


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"account": "stranger"}, "account"),
        ({"meter": "nothing"}, "meter"),
        ({"at": DECEMBER}, "limit"),
        ({"only_account_id": 0}, "account"),
    ],
)
def test_where_nothing_limits_there_is_nothing_to_hold(options, what):
    make_limit()
    with pytest.raises(NothingToHold) as refused:
        hold(1, **options)
    assert refused.value.what == what
    assert not Reservation.objects.exists()


def test_the_same_key_of_the_caller_is_answered_by_the_same_reservation():
    limit = make_limit(10)
    key = make_key()
    first = ask(10, api_key_id=key.id, idempotency_key="job-1")
    again = ask(10, api_key_id=key.id, idempotency_key="job-1", account="acme-inc", at=LATER)
    assert first.is_new
    assert again == Hold(first.reservation, is_new=False)
    release_reservation(first.reservation.id, at=LATER)
    assert ask(10, api_key_id=key.id, idempotency_key="job-1").reservation.state == "released"
    assert state_of(limit) == (0, 0)


def test_the_same_key_for_something_else_is_a_conflict():
    make_limit(10)
    hold(1, idempotency_key="job-1")
    with pytest.raises(ReservationConflict):
        hold(2, idempotency_key="job-1")


def test_each_caller_has_its_own_keys():
    limit = make_limit(10)
    for key in (make_key("a"), make_key("b")):
        hold(1, api_key_id=key.id, idempotency_key="job-1")
    assert state_of(limit) == (0, 2)


def test_released_once_or_twice_a_hold_is_given_back_once():
    limit = make_limit()
    reservation = hold(4)
    released = release_reservation(reservation.id, at=LATER)
    assert (released.state, released.ended_at) == ("released", LATER)
    assert release_reservation(reservation.id, at=MUCH_LATER) == released
    assert state_of(limit) == (0, 0)
    with pytest.raises(ReservationConflict):
        settle_by_quantity(reservation.id, quantity=Decimal(1), at=LATER)


@pytest.mark.parametrize("used", ["0", "3.25", "4", "25"])
def test_settled_once_or_twice_what_was_really_used_counts_once(used):
    """Less than was held, or more, also above the limit."""
    limit = make_limit()
    reservation = hold(4)
    settled = settle_by_quantity(reservation.id, quantity=Decimal(used), at=LATER)
    assert (settled.state, settled.ended_at, settled.settled_quantity) == ("settled", LATER, Decimal(used))
    assert settle_by_quantity(reservation.id, quantity=Decimal(9), at=MUCH_LATER) == settled
    assert state_of(limit) == (Decimal(used), 0)
    with pytest.raises(ReservationConflict):
        release_reservation(reservation.id, at=LATER)


def test_a_quantity_is_an_event_that_anybody_can_look_up():
    make_limit()
    reservation = hold(4)
    settle_by_quantity(
        reservation.id, quantity=Decimal("3.5"), at=LATER, time=NOON, data={"region": "eu", "minutes": 9}
    )
    event = Event.objects.get()
    assert (event.source, event.event_id, event.type, event.subject, event.happened_at, event.data) == (
        "urn:palier:reservation",
        str(reservation.id),
        "job",
        "acme",
        NOON,
        {"region": "eu", "minutes": 3.5},
    )


def test_a_count_is_settled_at_one_or_by_its_events():
    account, meter = make_account(), make_meter("jobs", event_type="job")
    terms = LimitTerms(meter.id, Decimal(10), is_hard=True)
    hand_over_limits(account_ids=[account.id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=NOON)
    several = hold(3, meter="jobs")
    with pytest.raises(NotAQuantity):
        settle_by_quantity(several.id, quantity=Decimal(3), at=LATER)
    settle_by_events(several.id, events=[make_event(str(n), type="job") for n in range(3)], at=LATER)
    settle_by_quantity(hold(1, meter="jobs").id, quantity=Decimal(1), at=LATER)
    assert state_of(Limit.objects.get()) == (4, 0)


def make_job_meter(**terms: Any) -> ReservationFact:
    """A meter with a hold of 5 on its limit of 10."""
    account = make_account()
    meter = create_meter(key="jobs", name="Jobs", event_type="job", unit="job", at=NOON, **terms)
    limit = LimitTerms(meter.id, Decimal(10), is_hard=True)
    hand_over_limits(account_ids=[account.id], terms=[limit], start=NOVEMBER, end=DECEMBER, at=NOON)
    return hold(5, meter="jobs")


def test_a_quantity_stands_where_the_meter_reads_it_and_beside_what_else_it_looks_at():
    held = make_job_meter(
        aggregation="sum",
        value='run."gpu-minutes"',
        filter={"property": "region", "op": "=", "value": "eu"},
        dimensions=["model"],
    )
    with pytest.raises(NotAQuantity, match="filter"):
        settle_by_quantity(held.id, quantity=Decimal("1.25"), at=LATER)
    data = {"region": "eu", "model": "large", "run": {"host": "a"}}
    settle_by_quantity(held.id, quantity=Decimal("1.25"), at=LATER, data=data)
    assert Event.objects.get().data == data | {"run": {"host": "a", "gpu-minutes": 1.25}}
    assert state_of(Limit.objects.get()) == (Decimal("1.25"), 0)


@pytest.mark.parametrize(
    ("terms", "data"),
    [
        ({"aggregation": "sum", "value": "ceil(seconds / 60)"}, {}),
        ({"aggregation": "max", "value": "minutes"}, {}),
        ({"aggregation": "unique", "value": "user"}, {}),
        ({"aggregation": "sum", "value": "run.minutes"}, {"run": 5}),
        ({"aggregation": "sum", "value": "minutes", "dimensions": ["model"]}, {"model": "x" * 300}),
    ],
)
def test_where_a_quantity_does_not_say_what_happened_it_is_refused(terms, data):
    held = make_job_meter(**terms)
    with pytest.raises(NotAQuantity):
        settle_by_quantity(held.id, quantity=Decimal(2), at=LATER, data=data)
    assert find_reservation(held.id).state == "held"
    assert not Event.objects.exists()


def test_a_quantity_is_said_by_the_version_of_its_time():
    held = make_job_meter(aggregation="sum", value="minutes")
    change_meter("jobs", event_type="run", value="length", starts_at=NOON + timedelta(hours=1), at=NOON)
    settle_by_quantity(held.id, quantity=Decimal(2), at=MUCH_LATER)
    event = Event.objects.get()
    assert (event.type, event.data) == ("run", {"length": 2})
    assert state_of(Limit.objects.get()) == (2, 0)


def test_events_settle_with_whatever_they_count():
    limit = make_limit()
    reservation = hold(4)
    events = [make_event(str(n), type="job", subject="acme-inc", minutes=n) for n in (1, 2)]
    ingest_events(events[:1], at=NOON)
    settled = settle_by_events(reservation.id, events=events, at=LATER)
    assert (settled.state, settled.settled_quantity) == ("settled", 2)
    assert settle_by_events(reservation.id, events=[make_event("9", type="job", minutes=9)], at=MUCH_LATER) == settled
    assert state_of(limit) == (3, 0)


def test_what_does_not_add_up_is_settled_without_a_quantity():
    held = make_job_meter(aggregation="max", value="minutes")
    settled = settle_by_events(held.id, events=[make_event("1", type="job", minutes=7)], at=LATER)
    assert (settled.state, settled.settled_quantity) == ("settled", None)
    assert state_of(Limit.objects.get()) == (7, 0)


def test_one_refused_event_refuses_them_all_and_the_hold_stays():
    limit = make_limit()
    make_account("other")
    reservation = hold(4)
    good, bad = make_event("1", type="job", minutes=1), make_event("2", type="nothing")
    with pytest.raises(RefusedUsage) as refused:
        settle_by_events(reservation.id, events=[good, bad], at=LATER)
    assert [(position, fate.code) for position, fate in refused.value.refused.items()] == [(1, "unknown_type")]
    with pytest.raises(RefusedUsage) as refused:
        settle_by_events(reservation.id, events=[good, make_event("3", type="job", subject="other")], at=LATER)
    assert {position: fate.field for position, fate in refused.value.refused.items()} == {1: "subject"}
    assert not Event.objects.exists()
    assert state_of(limit) == (0, 4)


def test_a_time_too_old_refuses_a_quantity():
    make_limit()
    reservation = hold(4)
    with pytest.raises(RefusedUsage):
        settle_by_quantity(reservation.id, quantity=Decimal(1), at=LATER, time=NOON - timedelta(days=60))
    assert find_reservation(reservation.id).state == "held"


def test_what_expired_is_given_back_once_and_may_still_be_settled():
    limit = make_limit()
    short, long = hold(4), hold(2, lasts=timedelta(hours=2))
    assert expire_reservations(at=NOON + timedelta(minutes=5) - timedelta(microseconds=1)) == 0
    assert expire_reservations(at=NOON + timedelta(minutes=5)) == 1
    assert expire_reservations(at=NOON + timedelta(minutes=5)) == 0
    assert (find_reservation(short.id).state, find_reservation(long.id).state) == ("expired", "held")
    assert state_of(limit) == (0, 2)
    assert release_reservation(short.id, at=MUCH_LATER).state == "expired"
    assert settle_by_quantity(short.id, quantity=Decimal(4), at=MUCH_LATER).state == "settled"
    assert state_of(limit) == (4, 2)


def test_a_hold_that_would_be_refused_looks_first_for_what_has_expired():
    limit = make_limit()
    old = hold(10)
    fresh = hold(7, at=NOON + timedelta(minutes=5))
    assert (find_reservation(old.id).state, fresh.state) == ("expired", "held")
    assert state_of(limit) == (0, 7)


def test_holds_of_a_window_that_ended_expire(time_machine):
    limit = make_limit()
    hold(4, at=DECEMBER - timedelta(minutes=1))
    time_machine.move_to(DECEMBER)
    expire_by_beat()
    expire_by_beat()
    assert state_of(limit) == (0, 0)
    close_window(account_id=limit.account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    assert ("metering.tasks.expire_reservations", 60) in settings.PERIODIC_TASKS.values()


def test_a_reservation_that_is_not_there():
    for act in (find_reservation, lambda each: release_reservation(each, at=NOON)):
        with pytest.raises(UnknownReservation):
            act(uuid4())
    with pytest.raises(UnknownReservation):
        settle_by_quantity(uuid4(), quantity=Decimal(1), at=NOON)


@pytest.mark.parametrize(
    "change", [{"quantity": 5}, {"state": "held", "ended_at": None}, {"state": "expired"}, {"expires_at": MUCH_LATER}]
)
def test_no_update_changes_what_has_ended(change):
    make_limit()
    release_reservation(hold(4).id, at=LATER)
    with pytest.raises(IntegrityError, match="stands"), transaction.atomic():
        Reservation.objects.update(**change)


def test_no_delete_forgets_what_is_held():
    make_limit()
    hold(4)
    with pytest.raises(IntegrityError, match="stands"), transaction.atomic():
        Reservation.objects.all().delete()


def test_a_raised_limit_has_room_and_a_lowered_one_keeps_its_holds():
    limit = make_limit(10)
    hold(10)
    for quantity in (5, 20):
        terms = LimitTerms(limit.meter_id, Decimal(quantity), is_hard=True)
        hand_over_limits(account_ids=[limit.account_id], terms=[terms], start=NOVEMBER, end=DECEMBER, at=NOON)
    assert hold(10).state == "held"
    with pytest.raises(LimitReached):
        hold(1)


def test_settled_events_have_their_fates(db):
    limit = make_limit()
    settle_by_events(hold(1).id, events=[make_event("1", type="job", minutes=1)], at=LATER)
    [fate] = ingest_events([make_event("1", type="job", minutes=1)], at=MUCH_LATER)
    assert fate.fate is Fate.DUPLICATE
    assert state_of(limit) == (1, 0)
