from datetime import UTC, datetime, timedelta

import pytest

from metering.adjustments import list_adjustments
from metering.corrections import replace_event, retract_event
from metering.ingest import ingest_events
from metering.invariants import check
from metering.late_events import LatePosition, UnknownAdjustment, list_late_events
from metering.limits import LimitTerms, close_window, hand_over_limits
from metering.meters import create_meter
from tests.metering.makers import NOON, make_account, make_event, make_events, make_meter

pytestmark = pytest.mark.django_db

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
LATER = DECEMBER + timedelta(hours=1)


def make_closed(key, *meter_ids):
    account_id = make_account(key).id
    terms = [LimitTerms(meter_id=meter_id, quantity=None, is_hard=False) for meter_id in meter_ids]
    hand_over_limits(account_ids=[account_id], terms=terms, start=NOVEMBER, end=DECEMBER, at=NOON)
    make_events(3, subject=key, source=key)
    close_window(account_id=account_id, start=NOVEMBER, end=DECEMBER, at=DECEMBER)
    return account_id


def list_names(page):
    return [(late.event.source, late.event.id) for late in page.events]


def test_the_events_that_came_late_are_those_of_the_batch_that_the_meter_counts():
    acme = make_closed("acme", make_meter().id)
    make_closed("other", make_meter().id)
    ingest_events([
        make_event("a", source="late"), make_event("b", source="late"), make_event("c", source="late", type="page"),
        make_event("d", source="late", time=DECEMBER), make_event("e", source="late", subject="other"),
    ], at=LATER)  # fmt: skip
    [adjustment] = list_adjustments(account_id=acme)
    page = list_late_events(adjustment.id)
    assert list_names(page) == [("late", "a"), ("late", "b")]
    assert (page.events[0].count.value, page.events[0].count.is_late, page.next) == (1, True, None)


def test_a_page_says_where_the_next_one_begins():
    make_closed("acme", make_meter().id)
    ingest_events([make_event(str(number), source="late") for number in range(5)], at=LATER)
    [adjustment] = list_adjustments()
    first = list_late_events(adjustment.id, limit=2)
    assert (list_names(first), first.next) == ([("late", "0"), ("late", "1")], LatePosition("late", "1"))
    second = list_late_events(adjustment.id, after=first.next, limit=2)
    last = list_late_events(adjustment.id, after=second.next, limit=2)
    assert (list_names(last), last.next) == ([("late", "4")], None)


def test_of_a_correction_both_the_event_and_what_replaces_it_are_found():
    make_closed("acme", make_meter().id)
    why = {"reason": "a test", "made_by": "ops"}
    replace_event("acme", "1", make_event("1b", source="new"), **why, at=LATER)
    retract_event("acme", "2", **why, at=LATER + timedelta(hours=1))
    replaced, retracted = list_adjustments()
    assert (replaced.quantity, retracted.quantity) == (0, -1)
    page = list_late_events(replaced.id)
    assert list_names(page) == [("acme", "1"), ("new", "1b")]
    assert page.events[0].event.correction.reason == "a test"
    assert list_names(list_late_events(retracted.id)) == [("acme", "2")]
    assert list_late_events(replaced.id, after=LatePosition("acme", "1")).events == ()
    assert list(check()) == []


def test_usage_that_moves_between_dimension_values_is_an_adjustment_by_zero():
    meter = create_meter(
        key="bytes",
        name="Bytes",
        event_type="request",
        aggregation="sum",
        value="size",
        unit="byte",
        dimensions=("host",),
        at=NOON,
    )
    make_closed("acme", meter.id)
    ingest_events(
        [make_event("x", source="late", size=5, host="a"), make_event("y", source="late", size=-5, host="b")], at=LATER
    )
    [adjustment] = list_adjustments()
    assert (adjustment.quantity, adjustment.cause) == (0, "late")
    assert list_names(list_late_events(adjustment.id)) == [("late", "x"), ("late", "y")]
    assert list(check()) == []


def test_of_an_adjustment_that_never_was_nothing_is_told():
    with pytest.raises(UnknownAdjustment):
        list_late_events(404)


def test_six_statements_are_enough(django_assert_max_num_queries):
    make_closed("acme", make_meter().id)
    ingest_events([make_event(str(number), source="late") for number in range(60)], at=LATER)
    [adjustment] = list_adjustments()
    with django_assert_max_num_queries(6):
        assert len(list_late_events(adjustment.id).events) == 50
