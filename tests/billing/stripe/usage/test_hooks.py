"""What Stripe finds wrong with meter events after it took them."""

from datetime import datetime, timedelta

import pytest

from billing.models import StripeDrift, StripeMeterEvent
from billing.stripe.usage.collecting import collect_usage
from billing.stripe.usage.failures import CannotReplay, replay_events, tell_failures
from billing.stripe.usage.hooks import ReportedError, fail_reported, read_errors
from tests.billing.makers import HOUR, JAN, use
from tests.billing.stripe.usage.makers import MINUTE, SEEN, make_connected, read_stripe, send_all, tell_stripe

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 1, 5, 10, tzinfo=JAN.tzinfo)
NOW = TEN + HOUR + SEEN
GONE = "meter_event_customer_not_found"


@pytest.fixture
def accepted():
    """Two events of one customer, accepted at NOW."""
    make_connected()
    use("acme", sizes=[100, 250], time=TEN + MINUTE)
    collect_usage(NOW)
    StripeMeterEvent.objects.update(state="accepted", accepted_at=NOW)
    return StripeMeterEvent.objects.order_by("pk")


def report(*errors, event_name=""):
    fail_reported(list(errors), event_name, NOW, NOW + timedelta(seconds=10), "evt_1", NOW)


def test_the_samples_of_a_report_failed(accepted):
    first, second = accepted
    report(ReportedError("archived_meter", 1, {first.identifier: "The meter is inactive."}))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.error_code, first.error_message) == (
        "failed",
        "archived_meter",
        "The meter is inactive.",
    )
    assert second.state == "accepted"
    assert StripeDrift.objects.get().key == f"{first.period_id} {first.meter_id}"


def test_all_of_a_customer_that_is_not_there_failed(accepted):
    report(ReportedError(GONE, 2, {accepted[0].identifier: "No such customer"}))
    assert set(accepted.values_list("state", flat=True)) == {"failed"}


def test_where_all_in_the_window_failed_there_is_no_doubt(accepted):
    report(ReportedError("meter_event_invalid_value", 2, {accepted[0].identifier: "bad"}))
    assert set(accepted.values_list("state", flat=True)) == {"failed"}


def test_where_stripe_does_not_say_which_failed_staff_is_told_how_many(accepted):
    report(ReportedError("meter_event_invalid_value", 5, {accepted[0].identifier: "bad"}))
    assert sorted(accepted.values_list("state", flat=True)) == ["accepted", "failed"]
    assert StripeDrift.objects.get(key="evt_1 meter_event_invalid_value").ours == "4 meter events"


def test_a_report_told_twice_changes_nothing(accepted):
    error = ReportedError("archived_meter", 1, {accepted[0].identifier: "inactive"})
    report(error)
    drifts = list(StripeDrift.objects.values())
    report(error)
    assert list(StripeDrift.objects.values()) == drifts


def test_an_event_that_nobody_knows_is_told_as_unknown(accepted):
    report(ReportedError("archived_meter", 1, {"foreign": "inactive"}), event_name="palier_other")
    assert set(accepted.values_list("state", flat=True)) == {"accepted"}
    assert StripeDrift.objects.get().ours == "1 meter events"


def test_errors_are_read_with_their_samples():
    samples = [{"error_message": "bad", "request": {"identifier": name}} for name in ("palier_a", "palier_b-2")]
    types = [{"code": "no_meter", "error_count": 3, "sample_errors": samples}]
    [error] = read_errors({"reason": {"error_types": types}})
    assert error == ReportedError("no_meter", 3, {"palier_a": "bad", "palier_b": "bad"})


def test_what_failed_is_sent_anew_once_in_place_of_the_first(accepted, simulator, settings):
    settings.STRIPE_METER_EVENT_RATE = 1_000
    period = accepted[0].period
    report(ReportedError(GONE, 2, {accepted[0].identifier: "No such customer"}))
    tell_stripe(simulator, period, at=NOW)
    failed = [event.pk for event in accepted]
    assert [replay_events(failed, at=NOW), replay_events(failed, at=NOW)] == [2, 0]
    assert [(event.revision, event.value) for event in StripeMeterEvent.objects.filter(replaces__in=failed)] == [
        (2, event.value) for event in accepted.filter(replaces__isnull=True)
    ]
    send_all(NOW)
    assert read_stripe(simulator, period) == 2
    assert {drift.state for drift in StripeDrift.objects.all()} == {"repaired"}
    assert collect_usage(NOW + HOUR) == 0


def test_what_is_too_old_for_stripe_cannot_be_sent_anew(accepted):
    report(ReportedError(GONE, 2, {accepted[0].identifier: "No such customer"}))
    with pytest.raises(CannotReplay, match="is longer ago than Stripe looks back"):
        replay_events([accepted[0].pk], at=JAN + timedelta(days=100))


def test_failures_that_are_gone_close_their_drift(accepted):
    report(ReportedError("archived_meter", 1, {accepted[0].identifier: "inactive"}))
    StripeMeterEvent.objects.update(state="accepted", error_code="")
    tell_failures([(accepted[0].period_id, accepted[0].meter_id)], at=NOW)
    assert StripeDrift.objects.get().state == "repaired"
