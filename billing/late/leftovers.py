"""What waits for the next invoice of a subscription that has none: it ended, and each of its periods is billed."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Min, OuterRef

from billing.drafting import NothingToBill, draft_items
from billing.issuing import issue_one_off
from billing.models import Invoice, InvoiceItem, Period, SubscriptionState
from jobs import queue

BILL_LEFTOVERS = "billing.bill_leftovers"


def enqueue_leftovers(at: datetime) -> int:
    """Promise a one-off invoice to each ended subscription with items that wait. Returns how many are new.

    It runs settings.BILLING_LATE_DELAY after the oldest was written, so that those that follow share the invoice.
    """
    unbilled = Period.objects.filter(subscription=OuterRef("subscription"), closed_at=None)
    waiting = (
        InvoiceItem.objects.filter(
            ~Exists(unbilled), invoice_line=None, withdrawn_at=None, subscription__state=SubscriptionState.ENDED
        )
        .order_by()
        .values("subscription_id")
        .annotate(first=Min("made_at"), oldest=Min("pk"))
    )
    return sum(
        queue.enqueue(
            BILL_LEFTOVERS,
            f"{each['subscription_id']} {each['oldest']}",
            at=at,
            run_at=max(at, each["first"] + settings.BILLING_LATE_DELAY),
        )
        for each in waiting.iterator()
    )


@transaction.atomic
def bill_leftovers(subscription_id: int, *, at: datetime) -> Invoice | None:
    """Bill what waits of a subscription by an invoice of its own. None when nothing does, as in a second call."""
    items = InvoiceItem.objects.filter(subscription_id=subscription_id, invoice_line=None, withdrawn_at=None)
    waiting = items.order_by("pk").first()
    if waiting is None:
        return None
    try:
        draft = draft_items(
            account_id=waiting.account_id, currency=waiting.currency, subscription_id=subscription_id, at=at
        )
    except NothingToBill:  # another took it meanwhile
        return None
    return issue_one_off(draft.pk, at=at)
