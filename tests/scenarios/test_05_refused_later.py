"""Stripe takes an event and finds out later that it cannot count it: it failed, staff is told, and it is sent anew."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from billing.models import StripeCustomer, StripeDrift, StripeEvent, StripeMeterEvent, StripeSubscription
from billing.stripe.inbox.storing import HANDLE_EVENT
from billing.stripe.usage.failures import replay_events
from jobs import queue
from tests.billing.stripe.usage.makers import MINUTE, read_stripe, send_all
from tests.scenarios.usage import NOW, begin, count_states

pytestmark = pytest.mark.django_db

TYPES = ["v1.billing.meter.error_report_triggered", "v1.billing.meter.no_meter_found"]


def listen(simulator, settings):
    """Where Stripe tells its error reports, with its secret."""
    destination = simulator.client().v2.core.event_destinations.create(
        {
            "name": "Palier",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": TYPES,
            "webhook_endpoint": {"url": "https://palier.test/stripe/webhook/"},
            "include": ["webhook_endpoint.signing_secret"],
        }
    )
    settings.STRIPE_WEBHOOK_SECRETS = [destination.webhook_endpoint.signing_secret]
    settings.STRIPE_WEBHOOK_TOLERANCE = timedelta(days=36_500)  # it signs by real time


def hear(simulator, at):
    """Take what the simulator tells to our door and do the jobs; how many events came."""
    simulator.set_time(at)
    told = [each for each in simulator.take_webhooks() if b"v2.core.event" in each[1]]
    with time_machine.travel(at, tick=False):
        for headers, body in told:
            signature = {"Stripe-Signature": headers["Stripe-Signature"]}
            answer = Client().post("/stripe/webhook/", body, content_type="application/json", headers=signature)
            assert answer.status_code == 200, answer.content
        for event in StripeEvent.objects.all():
            assert queue.do_now(HANDLE_EVENT, f"{event.stripe_id} 0", clock=lambda: at) == "done"
    return StripeEvent.objects.filter(state="handled").count()


def test_scenario_05_an_unknown_customer_is_told_and_its_usage_sent_to_the_one_there_is(simulator, settings):
    period = begin(simulator, settings)
    listen(simulator, settings)
    known = StripeCustomer.objects.get().stripe_id
    simulator.client().v1.customers.delete(known)
    send_all(NOW)
    assert count_states() == {"accepted": 2}

    assert hear(simulator, NOW + MINUTE) == 2
    assert count_states() == {"failed": 2}
    assert set(StripeMeterEvent.objects.values_list("error_code", flat=True)) == {"meter_event_customer_not_found"}
    assert set(StripeDrift.objects.values_list("kind", "state")) == {("usage_failed", "open")}

    another = simulator.client().v1.customers.create({"name": "acme"}).id
    StripeCustomer.objects.update(stripe_id=another)
    StripeSubscription.objects.update(customer_id=another)
    replay_events(StripeMeterEvent.objects.values_list("pk", flat=True), at=NOW + MINUTE)
    send_all(NOW + MINUTE)
    assert count_states() == {"accepted": 2, "failed": 2}
    assert read_stripe(simulator, period) == 2
    assert set(StripeDrift.objects.values_list("kind", "state")) == {("usage_failed", "repaired")}


@pytest.mark.parametrize("api", ["v1", "stream"])
def test_scenario_05_an_archived_meter_is_told_and_its_usage_sent_anew(simulator, settings, api):
    settings.STRIPE_METER_EVENT_API = api
    period = begin(simulator, settings)
    listen(simulator, settings)
    simulator.settings(meter_validation="deferred")
    client = simulator.client().v1.billing.meters
    ids = [meter.id for meter in client.list().data]
    for each in ids:
        client.deactivate(each)
    send_all(NOW)
    hear(simulator, NOW + MINUTE)
    assert count_states() == {"failed": 2}
    assert set(StripeMeterEvent.objects.values_list("error_code", flat=True)) == {"archived_meter"}

    for each in ids:
        client.reactivate(each)
    replay_events(StripeMeterEvent.objects.values_list("pk", flat=True), at=NOW + MINUTE)
    send_all(NOW + MINUTE)
    assert read_stripe(simulator, period) == 2


def test_scenario_05_control_the_answer_alone_says_nothing_of_it(simulator, settings):
    begin(simulator, settings)
    simulator.client().v1.customers.delete(StripeCustomer.objects.get().stripe_id)
    send_all(NOW)
    assert count_states() == {"accepted": 2}
