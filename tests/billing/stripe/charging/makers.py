"""Invoices at Stripe for tests, as rows."""

from typing import Any

from billing import invoicing
from billing.models import Invoice, StripeCustomer, StripeInvoice
from billing.stripe.charging.rows import write_told
from billing.stripe.charging.told import read_told
from tests.billing.makers import FEB, JAN, make_subscription
from tests.billing.stripe.charging.bodies import write_invoice


def make_invoice(key: str = "acme") -> Invoice:
    """49.00 for January, of an account that is charged through Stripe."""
    subscription = make_subscription(key)
    StripeCustomer.objects.create(account_id=subscription.account_id, stripe_id=f"cus_{key}", asked_at=JAN)
    return Invoice.objects.get(pk=invoicing.close_period(subscription.period_id, at=FEB).id)


def make_row(of: Invoice, stripe_id: str = "in_1", **fields: Any) -> StripeInvoice:
    """An invoice at Stripe that asks it, a draft unless told."""
    terms = {
        "account_id": of.account_id,
        "role": "own",
        "invoice": of,
        "currency": "EUR",
        "created_at": FEB,
        "read_at": FEB,
    }
    return StripeInvoice.objects.create(stripe_id=stripe_id, **terms | fields)


def hear(row: StripeInvoice, **body: Any) -> StripeInvoice:
    """What Stripe says of it is stored."""
    return write_told(row.pk, read_told(write_invoice(row.stripe_id, **body)), at=FEB)
