"""Stripe promises no order: what happened last may be told first. The object as it is now decides."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Invoice, StripeEvent, StripeEventState, StripeInvoice
from billing.stripe.inbox.storing import HANDLE_EVENT
from jobs import queue
from tests.billing.stripe.charging.makers import make_invoice, make_row

pytestmark = pytest.mark.django_db(transaction=True)
HEARD = {"invoice.finalized", "invoice.paid"}


@pytest.fixture
def asked(simulator):
    """49.00 EUR, which a customer's card pays as soon as Stripe asks for them."""
    stripe = simulator.client()
    customer = stripe.v1.customers.create({"payment_method": "pm_card_visa"}).id
    method = stripe.v1.payment_methods.list({"customer": customer}).data[0].id
    stripe.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method}})
    ours = make_invoice()
    theirs = stripe.v1.invoices.create(
        {"customer": customer, "currency": "eur", "auto_advance": False, "metadata": {"palier_invoice": str(ours.pk)}}
    )
    stripe.v1.invoices.add_lines(theirs.id, {"lines": [{"amount": ours.due_minor, "description": "January"}]})
    make_row(ours, theirs.id)
    simulator.take_webhooks()
    stripe.v1.invoices.finalize_invoice(theirs.id, {"auto_advance": False})
    stripe.v1.invoices.pay(theirs.id)
    return ours


def tell(headers, body):
    assert Client().post("/stripe/webhook/", body, content_type="application/json", headers=headers).status_code == 200
    event = StripeEvent.objects.order_by("-pk").first()
    at = timezone.now() + timedelta(minutes=1)
    assert queue.do_now(HANDLE_EVENT, event.job_key, clock=lambda: at) == "done"
    assert StripeEvent.objects.get(pk=event.pk).state == StripeEventState.HANDLED


@pytest.mark.parametrize("first", ["invoice.finalized", "invoice.paid"])
def test_scenario_14_paid_before_finalised_or_after_it_is_paid_and_stays_so(simulator, asked, first):
    told = {name_type(body): (headers, body) for headers, body in simulator.take_webhooks()}
    order = [first, *sorted(HEARD - {first})]
    for kind in order:
        tell(*told[kind])
        row = StripeInvoice.objects.get()
        assert (row.state, row.paid_minor) == ("paid", asked.due_minor)
        assert Invoice.objects.get(pk=asked.pk).state == "paid"
    assert [payment.amount_minor for payment in asked.payments.all()] == [asked.due_minor]


def name_type(body):
    return json.loads(body)["type"]
