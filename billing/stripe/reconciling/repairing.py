"""What repairs which kind of drift: each room's own way to do it again."""

from datetime import datetime

from billing.models import StripeDrift, StripeInvoice, StripeInvoiceStep, StripeSubscription
from billing.stripe import customers
from billing.stripe.catalogue import syncing
from billing.stripe.charging import outcomes, payments, scans
from billing.stripe.mirroring.promising import promise_account
from billing.stripe.mirroring.subscriptions import mirror_subscription
from billing.stripe.mirroring.watching import check_subscription, mirror_anew, tell_again
from billing.stripe.reconciling.adjusting import adjust_draft
from billing.stripe.reconciling.findings import read_pairs
from billing.stripe.subscriptions import ENDED
from billing.stripe.usage.failures import replay_events, select_failed
from billing.stripe.usage.flushing import flush_period


def find_rows(drift: StripeDrift) -> list[StripeInvoice]:
    """Stripe's invoices that a drift is about: by their id, or by the number of Palier's and maybe a line of it."""
    by_id = StripeInvoice.objects.filter(stripe_id=drift.key)
    rows = by_id if by_id else StripeInvoice.objects.filter(invoice__number=drift.key.partition(" ")[0])
    return list(rows.exclude(state="deleted").order_by("pk"))


def charge_again(drift: StripeDrift, at: datetime) -> None:
    """What stopped is compared and asked once more; what was never asked is promised."""
    for row in find_rows(drift):
        if row.step == StripeInvoiceStep.STOPPED:
            scans.try_again(row.pk, at=at)
    scans.promise_charges(at)


def adjust(drift: StripeDrift, at: datetime) -> None:
    """One line more makes the draft ask what is due."""
    for row in find_rows(drift):
        if row.step == StripeInvoiceStep.STOPPED:
            adjust_draft(row.pk, at=at)


def send_failed_again(drift: StripeDrift, at: datetime) -> None:
    """Each as a new event in place of the one that failed. Raises CannotReplay where Stripe looks back no longer."""
    for period_id, meter_id in read_pairs([drift.key]):
        failed = select_failed([period_id]).get((period_id, meter_id), [])
        replay_events([event.pk for event in failed], at=at)
        flush_period(period_id, at)


def send_rest(drift: StripeDrift, at: datetime) -> None:
    """Bring Stripe's meters to what the invoice bills."""
    for period_id, _meter in read_pairs([drift.key]):
        flush_period(period_id, at)


def read_again(drift: StripeDrift, at: datetime) -> None:
    """Let Palier follow what Stripe says now, then tell Stripe what Palier says."""
    for row in find_rows(drift):
        payments.sync_invoice(row, at=at)
        if row.invoice_id is not None:
            outcomes.follow_invoice(row.invoice_id, at=at)


def mirror_again(drift: StripeDrift, at: datetime) -> None:
    """A subscription that ended in Stripe is made anew with its next period; any other is told once more.

    It is read first: who found it on a list noted nothing of it.
    """
    _subscription, _space, stripe_id = drift.key.partition(" ")
    row = StripeSubscription.objects.filter(stripe_id=stripe_id, closed_at__isnull=True).first() if stripe_id else None
    if row is None:
        if drift.account_id is not None:
            promise_account(drift.account_id, at=at)
        return
    check_subscription(stripe_id, at=at)
    row.refresh_from_db()
    if row.status in ENDED:
        mirror_anew(row.pk, at=at)
    else:
        tell_again(row.pk)
        mirror_subscription(row.subscription_id, at=at)


def try_customer_again(drift: StripeDrift, at: datetime) -> None:
    """A deleted one is made anew; of any other problem Stripe is told once more."""
    if drift.account_id is None:
        return
    customer = customers.read_customer(drift.account_id)
    if customer is None or not customer.problem:
        return
    if customer.problem == "deleted":
        customers.connect_anew(drift.account_id, at=at)
    else:
        customers.try_again(drift.account_id, at=at)


def tell_catalogue(drift: StripeDrift, at: datetime) -> None:
    syncing.sync_catalogue(at)
