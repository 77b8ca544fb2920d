"""Events about invoices, and what is done about them."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.models import StripeEvent, StripeInvoice, StripeInvoiceState, StripeSubscription
from billing.stripe.charging import asking, payments
from billing.stripe.charging.drafts import forget_draft, hold_created
from billing.stripe.charging.told import Told, read_id, read_told
from billing.stripe.inbox import NotOurs, NotYet, handles

FOREIGN = "Of no invoice of ours."


@handles("invoice.created")
def hold_draft(event: StripeEvent, at: datetime) -> None:
    """What Stripe drew as a period ended waits for Palier's invoice. Holding it tells what is on it: one call."""
    told = read_snapshot(event, at=at)
    if told.invoice_id is not None:
        return  # ours, made for an invoice
    mirror = StripeSubscription.objects.filter(stripe_id=told.subscription or None).select_related("subscription")
    found = mirror.first()
    if found is None:
        raise NotOurs("Of no subscription of ours.")
    hold_created(told, found, at=at)


def read_snapshot(event: StripeEvent, *, at: datetime) -> Told:
    """The event's own, for what never changes; read where it has none, or is of a version that spells it otherwise."""
    body = read_object(event)
    return read_told(body) if "parent" in body else asking.read_invoice(event.object_id, at=at)


def read_object(event: StripeEvent) -> dict[str, Any]:
    found = {} if event.is_thin else json.loads(event.payload, parse_float=Decimal)["data"]["object"]
    return found if isinstance(found, dict) else {}


@handles(
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "invoice.finalization_failed",
    "invoice.overdue",
)
def follow_invoice(event: StripeEvent, at: datetime) -> None:
    payments.sync_invoice(find_invoice(event), at=at)


@handles("invoice.finalized")
def follow_finalised(event: StripeEvent, at: datetime) -> None:
    """By us, which is stored already, or by somebody at Stripe."""
    row = find_invoice(event)
    if row.state == StripeInvoiceState.DRAFT:
        payments.sync_invoice(row, at=at)


@handles("invoice.deleted")
def follow_deleted(event: StripeEvent, at: datetime) -> None:
    row = find_invoice(event)
    forget_draft(row, read_id(read_object(event).get("customer")) or payments.find_customer(row), at=at)


def find_invoice(event: StripeEvent) -> StripeInvoice:
    """Raises NotOurs, and NotYet for one that we made and have not stored."""
    row = payments.find_row(event.object_id)
    if row is not None:
        return row
    if read_object(event).get("metadata", {}).get("palier_invoice"):
        raise NotYet(f"{event.object_id} is not stored yet")
    raise NotOurs(FOREIGN)


@handles("credit_note.created", "credit_note.updated", "credit_note.voided")
def follow_credit_note(event: StripeEvent, at: datetime) -> None:
    if payments.sync_credit_note(event.object_id, at=at) is None:
        raise NotOurs(FOREIGN)


@handles("refund.created", "refund.updated", "refund.failed")
def follow_refund(event: StripeEvent, at: datetime) -> None:
    refund = asking.read_refund(event.object_id, at=at)
    intent = read_id(refund.get("payment_intent"))
    rows = payments.find_rows_paid_by(intent, at=at) if intent else []
    if not rows:
        raise NotOurs(FOREIGN)
    for row in rows:
        payments.sync_refunds(row, intent, at=at)


@handles("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed")
def follow_dispute(event: StripeEvent, at: datetime) -> None:
    body = read_object(event)
    if not body.get("payment_intent") or not payments.follow_dispute(body, at=at):
        raise NotOurs(FOREIGN)
