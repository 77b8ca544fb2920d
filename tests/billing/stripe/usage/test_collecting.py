from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing import switching
from billing.invoicing import close_period
from billing.models import Period, StripeMeterEvent, StripeMode
from billing.stripe.modes import Mode, Reason, choose_modes, explain_modes
from billing.stripe.usage import collecting
from billing.stripe.usage.collecting import collect_usage, find_targets, make_plans, queue_plans
from metering import corrections
from metering.models import Event
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN, make_plan, send, use
from tests.billing.stripe.usage.makers import BANDWIDTH, BASE_FEE, MINUTE, SEEN, make_connected, make_level
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 1, 5, 10, tzinfo=JAN.tzinfo)
ELEVEN = TEN + HOUR


def list_queued(meter="palier_requests"):
    rows = StripeMeterEvent.objects.filter(event_name=meter).order_by("starts_at", "revision", "part")
    return [(row.starts_at, row.revision, row.value) for row in rows]


def test_what_an_hour_counted_is_queued_once_it_is_sealed():
    make_connected()
    use("acme", sizes=[100, 250], time=TEN + MINUTE)
    assert collect_usage(ELEVEN + SEEN - MINUTE) == 0
    assert collect_usage(ELEVEN + SEEN) == 2
    event = StripeMeterEvent.objects.get(event_name="palier_requests")
    assert (event.value, event.starts_at, event.ends_at) == (Decimal(2), TEN, ELEVEN)
    assert (event.timestamp, event.formula, event.customer_id) == (TEN + 30 * MINUTE, "sum", "cus_1")
    assert (event.state, event.due_at, event.revision, event.part) == ("queued", ELEVEN + SEEN, 1, 1)
    assert list_queued("palier_bandwidth") == [(TEN, 1, Decimal(350))]


def test_collecting_twice_queues_once():
    make_connected()
    use("acme", sizes=[100], time=TEN + MINUTE)
    assert [collect_usage(ELEVEN + SEEN), collect_usage(ELEVEN + SEEN), collect_usage(FEB - HOUR)] == [2, 0, 0]


def test_each_hour_is_an_event_of_its_own():
    make_connected()
    use("acme", sizes=[1], time=TEN)
    use("acme", sizes=[1, 2], time=ELEVEN)
    collect_usage(ELEVEN + HOUR + SEEN)
    use("acme", sizes=[1, 2, 3], time=ELEVEN + HOUR)
    collect_usage(ELEVEN + 2 * HOUR + SEEN)
    assert list_queued() == [(TEN, 1, Decimal(1)), (ELEVEN, 1, Decimal(2)), (ELEVEN + HOUR, 1, Decimal(3))]


def test_what_comes_late_is_a_revision_with_the_difference():
    make_connected()
    use("acme", sizes=[1], time=TEN)
    collect_usage(ELEVEN + SEEN)
    use("acme", sizes=[1, 1], time=TEN + MINUTE, at=ELEVEN + HOUR)
    use("acme", sizes=[1], time=ELEVEN + MINUTE, at=ELEVEN + HOUR)
    collect_usage(ELEVEN + HOUR + SEEN)
    assert list_queued() == [(TEN, 1, Decimal(1)), (TEN, 2, Decimal(2)), (ELEVEN, 1, Decimal(1))]
    second = StripeMeterEvent.objects.get(event_name="palier_requests", revision=2)
    assert second.timestamp == TEN + 30 * MINUTE + timedelta(seconds=1)


def test_what_is_taken_back_is_a_revision_below_zero():
    make_connected()
    send("acme", "web.request", (TEN, {"bytes": 5}), (TEN, {"bytes": 7}))
    collect_usage(ELEVEN + SEEN)
    retract_first(at=ELEVEN + SEEN)
    collect_usage(ELEVEN + HOUR)
    assert list_queued() == [(TEN, 1, Decimal(2)), (TEN, 2, Decimal(-1))]
    assert list_queued("palier_bandwidth")[1][2] in (Decimal(-5), Decimal(-7))


def retract_first(*, at):
    event = Event.objects.order_by("event_id")[0]
    corrections.retract_event(source=event.source, event_id=event.event_id, reason="wrong", made_by="test", at=at)


def test_all_of_a_period_is_queued_when_it_ends():
    make_connected()
    use("acme", sizes=[1], time=FEB - MINUTE)
    assert collect_usage(FEB - MINUTE) == 0
    assert collect_usage(FEB) == 2
    assert list_queued() == [(FEB - HOUR, 1, Decimal(1))]


def test_usage_of_the_next_period_is_not_told_with_this_one():
    make_connected()
    use("acme", sizes=[1], time=FEB - MINUTE)
    use("acme", sizes=[1, 1], time=FEB, at=FEB + HOUR)
    collect_usage(FEB + 2 * HOUR)
    assert list_queued() == [(FEB - HOUR, 1, Decimal(1))]


def test_after_the_close_nothing_more_goes_out():
    period = make_connected()
    use("acme", sizes=[1], time=TEN)
    collect_usage(FEB)
    close_period(period.pk, at=FEB + HOUR)
    use("acme", sizes=[1], time=TEN, at=FEB + 2 * HOUR)
    assert collect_usage(FEB + 3 * HOUR) == 0


def test_slices_are_cut_by_the_period():
    start = JAN + 30 * MINUTE
    make_connected(time_zone="Asia/Kolkata", started_at=start)
    use("acme", sizes=[1], time=start)
    collect_usage(start + HOUR)
    event = StripeMeterEvent.objects.get(event_name="palier_requests")
    assert (event.starts_at, event.ends_at, event.timestamp) == (start, JAN + HOUR, JAN + 45 * MINUTE)


def test_nothing_is_queued_before_the_subscription_is_in_stripe():
    period = make_connected()
    subscription = period.subscription.stripe_subscriptions.get()
    items = subscription.items
    type(subscription).objects.update(stripe_id=None, status="", items={}, cycle_starts_at=None)
    use("acme", sizes=[1], time=TEN)
    assert collect_usage(ELEVEN + SEEN) == 0
    assert not StripeMode.objects.exists()
    type(subscription).objects.update(stripe_id="sub_1", status="active", items=items, cycle_starts_at=JAN)
    assert collect_usage(ELEVEN + SEEN) == 2


def test_how_prices_are_charged_is_kept_with_the_first_usage():
    period = make_connected()
    use("acme", sizes=[1], time=TEN)
    assert set(choose_modes(period).values()) == {Mode.METERS, Mode.LINES}
    assert not StripeMode.objects.exists()
    collect_usage(ELEVEN + SEEN)
    assert sorted(StripeMode.objects.values_list("mode", flat=True)) == ["meters", "meters"]
    period.subscription.stripe_subscriptions.update(items={})  # moves in the middle change nothing
    assert sorted(choose_modes(period).values()) == [Mode.LINES, Mode.METERS, Mode.METERS]


def test_a_period_that_is_no_cycle_is_charged_by_lines_and_nothing_goes_out():
    period = make_connected()
    period.subscription.stripe_subscriptions.update(cycle_starts_at=MID_JAN)
    use("acme", sizes=[1], time=TEN)
    assert collect_usage(ELEVEN + SEEN) == 0
    reasons = explain_modes(period)
    assert sorted(filter(None, reasons.values())) == [Reason.CYCLE, Reason.CYCLE, Reason.FEE]
    period.subscription.stripe_subscriptions.update(cycle_starts_at=JAN)
    assert explain_modes(period) == reasons  # as it was decided


def test_a_meter_goes_out_for_all_of_its_prices_or_for_none():
    period = make_connected(prices=[BASE_FEE, BANDWIDTH, replace(BANDWIDTH, cap=Decimal(5))])
    assert sorted(filter(None, explain_modes(period).values())) == [Reason.CAP, Reason.FEE, Reason.SHARED]
    use("acme", sizes=[1], time=TEN)
    assert collect_usage(ELEVEN + SEEN) == 0


def test_a_free_period_is_told_to_nobody():
    period = make_connected()
    Period.objects.update(is_free=True)
    use("acme", sizes=[1], time=TEN)
    assert collect_usage(ELEVEN + SEEN) == 0
    period.refresh_from_db()
    assert Reason.FREE in explain_modes(period).values()


def test_a_cut_turns_meters_into_lines_and_stops_what_goes_out():
    period = make_connected()
    make_plan("scale", prices=[BASE_FEE, BANDWIDTH], limits=[])
    use("acme", sizes=[1], time=TEN)
    collect_usage(ELEVEN + SEEN)
    use("acme", sizes=[1], time=MID_JAN - HOUR)
    switching.change_plan(period.subscription_id, "scale", at=MID_JAN)
    period.refresh_from_db()
    assert sorted(filter(None, explain_modes(period).values())) == [Reason.CUT, Reason.CUT, Reason.FEE]
    assert collect_usage(MID_JAN + HOUR) == 0


def test_the_last_value_is_told_as_it_is():
    make_connected(prices=[BASE_FEE, make_level()])
    send("acme", "seats.set", (TEN, {"count": 5}), (TEN + MINUTE, {"count": 3}), (ELEVEN, {"count": 8}))
    collect_usage(ELEVEN + HOUR + SEEN)
    assert list_queued("palier_seats") == [(TEN, 1, Decimal(3)), (ELEVEN, 1, Decimal(8))]
    assert set(StripeMeterEvent.objects.values_list("formula", flat=True)) == {"last"}


def test_a_last_value_that_is_corrected_is_told_with_a_later_time():
    make_connected(prices=[BASE_FEE, make_level()])
    send("acme", "seats.set", (TEN, {"count": 5}))
    collect_usage(ELEVEN + SEEN)
    retract_first(at=ELEVEN + SEEN)
    collect_usage(ELEVEN + HOUR + SEEN)
    first, second = StripeMeterEvent.objects.order_by("pk")
    assert (first.value, second.value) == (Decimal(5), Decimal(0))
    assert second.timestamp > first.timestamp


def test_a_value_of_too_many_digits_goes_out_in_parts():
    make_connected(prices=[BASE_FEE, BANDWIDTH])
    use("acme", sizes=[123456789012345, Decimal("0.5")], time=TEN)
    collect_usage(ELEVEN + SEEN)
    rows = StripeMeterEvent.objects.order_by("part")
    assert [(row.part, row.value) for row in rows] == [(1, Decimal(123456789012345)), (2, Decimal("0.5"))]
    assert len({row.identifier for row in rows}) == 2


@pytest.mark.django_db(transaction=True)
def test_two_collectors_at_once_queue_once():
    make_connected()
    use("acme", sizes=[1], time=TEN)
    counts = run_together(*[lambda: collect_usage(ELEVEN + SEEN)] * 2)
    assert sorted(counts) == [0, 2]
    assert list_queued() == [(TEN, 1, Decimal(1))]


def test_without_the_look_at_the_tally_the_database_refuses_the_second(monkeypatch):
    """Negative control: the same plans, written twice."""
    period = make_connected()
    use("acme", sizes=[1], time=TEN)
    plans = make_plans(find_targets([period], at=ELEVEN + SEEN), at=ELEVEN + SEEN)
    assert queue_plans(plans, at=ELEVEN + SEEN) == 2
    assert queue_plans(plans, at=ELEVEN + SEEN) == 0
    monkeypatch.setattr(collecting, "is_unmoved", lambda row, read: True)
    monkeypatch.setattr(collecting, "read_revisions", lambda plans: {})
    with pytest.raises(IntegrityError, match=r"stripe_meter_event_once|identifier"), transaction.atomic():
        queue_plans(plans, at=ELEVEN + SEEN)


def test_looking_at_what_stands_still_costs_few_statements(django_assert_max_num_queries):
    plan = make_plan(prices=[BASE_FEE, BANDWIDTH], limits=[])
    for key in ("acme", "bolt", "core"):
        make_connected(key, plan=plan)
        use(key, sizes=[1], time=TEN)
    collect_usage(ELEVEN + SEEN)
    with django_assert_max_num_queries(10):
        assert collect_usage(ELEVEN + 2 * HOUR) == 0
