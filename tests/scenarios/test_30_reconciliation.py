"""What was counted, what Stripe's meters were told, what they say they counted, and what Stripe's invoice asks."""

from datetime import timedelta

import pytest

from billing.models import StripeCustomer, StripeDrift, StripeObject, StripeTally
from billing.stripe.gateway import count_reads
from billing.stripe.reconciling.running import reconcile
from tests.billing.makers import FEB, HOUR, JAN, MID_JAN
from tests.billing.stripe.reconciling.makers import AT, ask, make_charged, tell_usage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stripe(simulator):
    simulator.reset(MID_JAN)
    return simulator.client()


@pytest.fixture
def charged(stripe, simulator):
    """Fifty requests of January, told as twenty and thirty; Stripe's invoice asks 1.00 EUR."""
    charged = make_charged(requests=50)
    customer = stripe.v1.customers.create({"name": "Acme"}).id
    meter = stripe.v1.billing.meters.create(
        {"display_name": "Requests", "event_name": "palier_requests", "default_aggregation": {"formula": "sum"}}
    )
    StripeObject.objects.create(
        kind="meter", key=str(charged.meter_id), stripe_id=meter.id, synced_at=JAN, revision=1, told=1
    )
    StripeCustomer.objects.update(stripe_id=customer)
    tell_usage(charged, 20, 30)
    StripeTally.objects.update(customer_id=customer, closed_at=FEB)
    count(stripe, customer, 20)
    simulator.set_time(FEB + HOUR)
    invoice = make_invoice(stripe, customer, 100)
    ask(charged, 100, stripe_id=invoice.id, created_at=FEB + HOUR)
    return charged


def count(stripe, customer, value):
    payload = {"stripe_customer_id": customer, "value": str(value)}
    stripe.v1.billing.meter_events.create(
        {"event_name": "palier_requests", "payload": payload, "timestamp": int(MID_JAN.timestamp())}
    )


def make_invoice(stripe, customer, amount):
    invoice = stripe.v1.invoices.create({"customer": customer, "currency": "eur", "auto_advance": False})
    stripe.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": amount, "description": "Requests"}]})
    return stripe.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": False})


def look(at=AT):
    report = reconcile(at, since=JAN)
    return {(drift.kind, drift.ours, drift.theirs, drift.difference_minor) for drift in report.open}


def test_scenario_30_each_drift_is_found_by_customer_meter_and_period_and_gone_once_they_agree(
    stripe, simulator, charged
):
    customer = StripeCustomer.objects.get().stripe_id
    assert look() == {("meter_summary", "50 request", "20 request", 60)}
    drift = StripeDrift.objects.get()
    assert (drift.account_id, drift.key) == (charged.invoice.account_id, charged.about)
    count(stripe, customer, 30)  # what was missing arrives
    assert look(AT + HOUR) == set()
    drift.refresh_from_db()
    assert drift.state == "repaired"


def test_scenario_30_what_somebody_did_in_stripe_is_found_by_its_lists(stripe, simulator, charged):
    customer = StripeCustomer.objects.get().stripe_id
    count(stripe, customer, 30)
    stripe.v1.invoices.void_invoice(charged.invoice.stripe_invoices.get().stripe_id)
    other = make_invoice(stripe, customer, 500)
    found = look()
    assert ("invoice_stale", "open, 1.00 EUR, 0.00 EUR paid", "void, 1.00 EUR, 0.00 EUR paid", 0) in found
    assert ("invoice_unknown", "no invoice", "open 5.00 EUR", -500) in found
    assert len(found) == 2
    assert StripeDrift.objects.get(kind="invoice_unknown").key == other.id


def test_scenario_30_lists_cost_a_read_for_each_hundred_and_a_sample_one_each(charged, settings):
    before = count_reads(AT)
    look()
    assert count_reads(AT) - before == 3  # invoices, customers, and one meter's summary
    settings.STRIPE_READS_MAX = count_reads(AT)
    reconcile(AT + timedelta(minutes=1), since=JAN)
    assert count_reads(AT) == settings.STRIPE_READS_MAX
