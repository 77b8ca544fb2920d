"""The draft at Stripe that is to ask an invoice: that which Stripe drew for its period, or one of our own."""

from datetime import datetime, timedelta
from typing import Any

from billing.models import (
    Invoice,
    InvoiceKind,
    Period,
    StripeInvoice,
    StripeInvoiceRole,
    StripeInvoiceState,
    StripeSubscription,
)
from billing.stripe.charging import asking
from billing.stripe.charging.rows import ALIVE, find_main, find_rest, keep_row, link_cycle
from billing.stripe.charging.told import Told
from billing.stripe.customers import CustomerFact
from billing.stripe.drifts import close_drift, open_drift
from billing.stripe.errors import Refused
from billing.stripe.mirroring.planning import count_payment_days
from billing.stripe.subscriptions import find_mirror
from jobs.queue import Postponed

PATIENCE = timedelta(hours=2)  # for what Stripe is about to show: a cycle's draft, or usage it has accepted
PAUSE = timedelta(minutes=2)
FIRST = "subscription_create"  # the invoice that a subscription begins with: fees come later, so it asks nothing


def hold_created(told: Told, mirror: StripeSubscription, *, at: datetime) -> StripeInvoice | None:
    """Keep Stripe from finalising what it drew as a period ended; None where that bills no period: it is dropped."""
    if told.billing_reason == FIRST or told.period_end is None:
        return None
    period = Period.objects.filter(
        subscription_id=mirror.subscription_id, version_id=mirror.version_id, ends_at=told.period_end, is_free=False
    ).first()
    if period is None or StripeInvoice.objects.filter(ALIVE, period=period, role=StripeInvoiceRole.OWN).exists():
        drop_drawn(told, at=at)
        return None
    known = StripeInvoice.objects.filter(stripe_id=told.stripe_id).first()
    if known is not None:
        return known
    return keep_row(
        hold(told.stripe_id, at=at) if told.is_draft else told,
        account_id=mirror.subscription.account_id,
        role=StripeInvoiceRole.CYCLE,
        period=period,
        mirror=mirror,
        at=at,
    )


def hold(stripe_id: str, *, at: datetime) -> Told:
    try:
        return asking.hold(stripe_id, at=at)
    except Refused:  # finalised meanwhile: what is not on it is asked apart
        return asking.read_invoice(stripe_id, at=at)


def drop_drawn(told: Told, *, at: datetime) -> None:
    """See that nobody pays what Stripe drew for a cycle that Palier has cut, or has asked by a draft of its own.

    That of a subscription cannot be deleted: it is made final, so that no usage comes to it any more, and void. One
    that asks nothing is paid by that; one that was paid before stays, and reconciliation shows it.
    """
    if asking.is_undecided(asking.HOLD, told.stripe_id):
        told = hold(told.stripe_id, at=at)  # begun while it was wanted: left so, nobody would learn what came of it
    if told.is_draft:
        try:
            told = asking.finalise(told.stripe_id, is_collected=False, at=at)
        except Refused:  # Stripe was faster
            told = asking.read_invoice(told.stripe_id, at=at)
    if told.status in (StripeInvoiceState.OPEN, StripeInvoiceState.UNCOLLECTIBLE):
        asking.void(told.stripe_id, at=at)


def find_draft(invoice: Invoice, customer: CustomerFact, *, at: datetime) -> StripeInvoice | None:
    """The one that asks the invoice; None where nothing is due and Stripe drew none. Raises jobs.queue.Postponed."""
    row = find_main(invoice) or take_cycle(invoice, at=at)
    if row is not None or not invoice.due_minor:
        return row
    own = make_own(invoice, customer, role=StripeInvoiceRole.OWN, at=at)
    close_drift("invoice_missing", str(invoice.number), at=at)
    return own


def take_cycle(invoice: Invoice, *, at: datetime) -> StripeInvoice | None:
    """What Stripe drew as the invoice's period ended, held by now; looked for where no event told of it.

    None where Stripe draws none for the period, or it asked another invoice, which became void. Raises Postponed while
    it is still to come.
    """
    if invoice.kind != InvoiceKind.PERIOD or invoice.period is None:
        return None
    row = link_cycle(invoice.period.pk, invoice)
    if row is not None or StripeInvoice.objects.filter(period=invoice.period, role=StripeInvoiceRole.CYCLE).exists():
        return row
    found = find_mirror(invoice.period)
    if found is None or not found.stripe_id or not found.is_cycle:
        return None
    mirror = StripeSubscription.objects.select_related("subscription").get(pk=found.id)
    drawn = asking.list_cycle_invoices(mirror.stripe_id or "", created_from=invoice.period.ends_at, at=at)
    for told in drawn:
        if told.period_end == invoice.period.ends_at and hold_created(told, mirror, at=at):
            close_drift("invoice_missing", str(invoice.number), at=at)
            return link_cycle(invoice.period.pk, invoice)
    if mirror.closed_at is not None:
        return None  # what ends with its cycle is drawn no invoice, unless its meters were used
    raise wait_for_cycle(invoice, at=at)


def wait_for_cycle(invoice: Invoice, *, at: datetime) -> Postponed:
    """What is to be raised: until a little later; after a while for longer, and people are told."""
    why = f"Stripe has drawn no invoice yet for what {invoice.number} bills"
    issued = invoice.issued_at or at
    if at < issued + PATIENCE:
        return Postponed(at + PAUSE, why)
    open_drift(
        "invoice_missing",
        str(invoice.number),
        account_id=invoice.account_id,
        ours=str(invoice.number),
        theirs="-",
        cause="the subscription's cycle has ended, and Stripe has no invoice for it",
        difference_minor=invoice.due_minor,
        currency=invoice.currency,
        at=at,
    )
    return Postponed(at + PATIENCE, why)


def make_own(invoice: Invoice, customer: CustomerFact, *, role: StripeInvoiceRole, at: datetime) -> StripeInvoice:
    """An empty draft that asks nothing yet. One that is gone is followed by another."""
    known = find_rest(invoice) if role == StripeInvoiceRole.REST else find_main(invoice)
    if known is not None:
        return known
    gone = invoice.stripe_invoices.filter(role=role, state=StripeInvoiceState.DELETED).count()
    told = asking.make_draft(
        " ".join(map(str, [invoice.pk, role.value, gone])),
        customer=customer.stripe_id,
        collection=describe_collection(customer),
        currency=invoice.currency,
        invoice_id=invoice.pk,
        number=str(invoice.number),
        created_from=invoice.issued_at or at,
        at=at,
    )
    return keep_row(told, account_id=invoice.account_id, role=role, invoice=invoice, period=invoice.period, at=at)


def describe_collection(customer: CustomerFact) -> dict[str, Any]:
    """From the card, or sent with its page where there is none: as subscriptions are."""
    if customer.payment_method_id:
        return {"collection_method": "charge_automatically"}
    return {"collection_method": "send_invoice", "days_until_due": count_payment_days()}


def forget_draft(row: StripeInvoice, customer: str, *, at: datetime) -> None:
    """A draft that is gone from Stripe: its items go too, before some later invoice takes them up."""
    if row.invoice_id is not None:
        for item in asking.list_pending_items(customer, row.invoice_id, at=at):
            try:
                asking.delete_item(item, at=at)
            except Refused as refusal:
                if not asking.is_missing(refusal):
                    raise
    StripeInvoice.objects.filter(pk=row.pk).exclude(state__in=["open", "paid", "uncollectible", "void"]).update(
        state=StripeInvoiceState.DELETED, step="held", read_at=at
    )
