"""Our door was shut for hours: what Stripe could not tell is asked for, once, and handled."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from billing.models import StripeCursor, StripeEvent, StripeEventOrigin, StripeEventState
from billing.stripe.gateway import count_reads
from billing.stripe.inbox import catching_up, handlers
from billing.stripe.inbox.catching_up import catch_up
from billing.stripe.inbox.storing import HANDLE_EVENT
from jobs import queue
from tests.simulators import START

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def handled(monkeypatch, simulator):
    calls = []
    handler = lambda event, at: calls.append(event.object_id)  # noqa: E731
    handlers.import_hooks()  # once and for all, before what is theirs is put aside
    monkeypatch.setattr(handlers, "HANDLERS", {"customer.created": handler, "customer.deleted": handler})
    return calls


def work(at):
    for event in StripeEvent.objects.order_by("created_at", "pk"):
        queue.do_now(HANDLE_EVENT, event.job_key, clock=lambda: at)


def test_scenario_17_events_of_an_outage_are_listed_kept_once_and_handled(simulator, client, handled):
    stripe = simulator.client()
    told = stripe.v1.customers.create({"name": "Told"}).id
    [(headers, body)] = simulator.take_webhooks()
    post = {"content_type": "application/json", "headers": headers}
    assert client.post("/stripe/webhook/", body, **post).status_code == 200
    simulator.advance(hours=8)  # nothing is heard from here on
    missed = stripe.v1.customers.create({"name": "Missed"}).id
    stripe.v1.customers.update(missed, {"name": "Nobody handles this"})
    stripe.v1.customers.delete(missed)
    at = START + 9 * HOUR
    found = catch_up(at)
    assert (found.listed, found.stored, found.is_complete) == (3, 2, True)
    again = catch_up(at)
    assert (again.stored, StripeEvent.objects.count()) == (0, 3)
    work(timezone.now() + HOUR)
    assert handled == [told, missed, missed]
    origins = set(StripeEvent.objects.values_list("origin", "state"))
    assert origins == {
        (StripeEventOrigin.WEBHOOK, StripeEventState.HANDLED),
        (StripeEventOrigin.CATCH_UP, StripeEventState.HANDLED),
    }


def test_scenario_17_each_slice_is_behind_us_and_the_next_look_begins_a_little_before(simulator, handled, settings):
    at = START + 24 * HOUR
    catch_up(at)
    assert StripeCursor.objects.get(name="snapshots").reached_at == at
    before = count_reads(at)
    catch_up(at + HOUR)
    assert count_reads(at + HOUR) - before == 1  # an hour and the overlap are one slice, of one list
    settings.STRIPE_READS_MAX = 0
    assert not catch_up(at + 2 * HOUR).is_complete
    assert StripeCursor.objects.get(name="snapshots").reached_at == at + HOUR


def test_scenario_17_what_is_older_than_stripes_list_is_not_asked_for(simulator, handled):
    before = count_reads(START)
    catch_up(START, since=START - timedelta(days=90))
    assert count_reads(START) - before == 30 * 4  # slices of six hours


def test_scenario_17_the_command_asks_from_a_moment(simulator, handled, settings):
    simulator.client().v1.customers.create({"name": "Missed"})
    out = StringIO()
    call_command("stripe_catch_up", "--since", f"{START - HOUR:%Y-%m-%dT%H:%M}", stdout=out)
    assert out.getvalue() == "1 events listed, 1 of them were missing.\n"


def test_scenario_17_thin_events_are_listed_too_page_by_page(simulator, monkeypatch):
    handled, kind = [], "v1.billing.meter.no_meter_found"
    monkeypatch.setattr(catching_up, "PAGE", 2)
    handlers.import_hooks()
    monkeypatch.setattr(handlers, "HANDLERS", {kind: lambda event, at: handled.append(event.is_thin)})
    simulator.settings(meter_validation="deferred")
    stripe = simulator.client()
    for number in range(3):
        payload = {"stripe_customer_id": "cus_nobody", "value": "1"}
        stripe.v1.billing.meter_events.create({"event_name": f"nothing_{number}", "payload": payload})
        simulator.advance(minutes=1)
    before = count_reads(START)
    found = catch_up(START + HOUR)
    assert (found.listed, found.stored) == (3, 3)
    assert count_reads(START) - before == 2  # pages
    assert set(StripeEvent.objects.values_list("is_thin", "type")) == {(True, kind)}
