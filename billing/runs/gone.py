"""Who had an invoice for the time before and has none now: subscriptions that ended or pause, one cycle later."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from billing.models import BillingProfile, Invoice, InvoiceKind, InvoiceState, Period, Subscription, SubscriptionState
from billing.periods import find_period
from billing.subscriptions import find_cycle

LONGEST_TWICE = timedelta(days=2 * 366)  # a period that ended longer ago is followed by none that could be missed now
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Gone:
    """A subscription without the period [starts_at, ends_at) that would have followed its last one."""

    subscription_id: int
    account_id: int
    starts_at: datetime
    ends_at: datetime
    currency: str
    last_invoice_id: int


def find_gone(*, since: datetime, until: datetime) -> Iterator[Gone]:
    """Those whose missing period would have ended after `since` and by `until`, in the order of their ids.

    What was billed last is the invoice of a period; one that is void does not count.
    """
    last_end = Period.objects.filter(subscription=OuterRef("pk")).order_by("-ends_at").values("ends_at")[:1]
    subscriptions = list(
        Subscription.objects.filter(state__in=[SubscriptionState.ENDED, SubscriptionState.PAUSED])
        .annotate(last_end=Subquery(last_end))
        .filter(last_end__gt=since - LONGEST_TWICE, last_end__lt=until)
        .annotate(last_invoice=Subquery(select_invoices(OuterRef("pk"), before=OuterRef("last_end")).values("pk")[:1]))
        .filter(last_invoice__isnull=False)
        .select_related("version")
        .order_by("account_id", "pk")
    )
    zones = dict(
        BillingProfile.objects.filter(account__in={each.account_id for each in subscriptions}).values_list(
            "account_id", "time_zone"
        )
    )
    for each in subscriptions:
        start, end = find_missing(each, each.last_end, zones.get(each.account_id, "UTC"))
        if since < end <= until:
            currency = each.version.currency
            yield Gone(each.pk, each.account_id, start, end, currency, each.last_invoice)


def find_missing(subscription: Subscription, last_end: datetime, zone: str) -> tuple[datetime, datetime]:
    """The whole period after the one that was the last, or of which that was a part."""
    cycle = find_cycle(subscription)
    _, whole_end = find_period(last_end - MICROSECOND, cycle, zone)
    return find_period(whole_end, cycle, zone)


def select_invoices(subscription: Any, *, before: Any) -> QuerySet[Invoice]:
    """The subscription's invoices of periods that were over by then, the last first."""
    return (
        Invoice.objects.filter(
            subscription=subscription, kind=InvoiceKind.PERIOD, number__isnull=False, period_end__lte=before
        )
        .exclude(state=InvoiceState.VOID)
        .order_by("-period_end", "-pk")
    )
