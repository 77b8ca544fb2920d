"""What metering adjusted after a period was billed: copied once, with the invoice that did not know of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce

from billing.models import InvoiceKind, InvoiceLine, InvoiceState, LateBatch, LateChange
from jobs import queue
from metering import adjustments
from metering.adjustments import AdjustmentFact

SETTLE_LATE = "billing.settle_late"

# Ids are given before they are committed: so many, and all that were found so lately, are looked at again, so that none
# is passed over that was committed after later ones. A batch of late usage may bring thousands at once.
OVERLAP = 500
AGAIN = timedelta(hours=1)

Window = tuple[int, int, datetime, datetime]  # account, meter, start, end


def collect_changes(at: datetime) -> int:
    """Copy every adjustment that is not here yet. Returns how many; a second call, also at the same time, adds none."""
    after, found = find_start(at), 0
    while facts := adjustments.list_adjustments(after=after):
        found += store_changes(facts, at=at)
        after = facts[-1].id
    return found


def find_start(at: datetime) -> int:
    """The adjustment up to which all are here, as far as anybody can tell who looks at that time."""
    known = LateChange.objects.order_by("-adjustment_id").values_list("adjustment_id", flat=True)
    last, settled = known.first() or 0, known.filter(found_at__lte=at - AGAIN).first() or 0
    return max(0, min(last - OVERLAP, settled))


def store_changes(facts: Iterable[AdjustmentFact], *, at: datetime) -> int:
    ids = [fact.id for fact in facts]
    known = set(LateChange.objects.filter(adjustment_id__in=ids).values_list("adjustment_id", flat=True))
    new = [fact for fact in facts if fact.id not in known]
    invoices = find_invoices(new)
    LateChange.objects.bulk_create(
        (
            LateChange(
                adjustment_id=fact.id,
                account_id=fact.account_id,
                meter_id=fact.meter_id,
                period_start=fact.start,
                period_end=fact.end,
                cause=fact.cause,
                quantity=fact.quantity,
                counted_at=fact.made_at,
                found_at=at,
                invoice_id=invoices.get((fact.account_id, fact.meter_id, fact.start, fact.end)),
            )
            for fact in new
        ),
        ignore_conflicts=True,
    )
    return len(new)


def find_invoices(facts: Iterable[AdjustmentFact]) -> dict[Window, int]:
    """The invoice that bills each window: issued, not void, with a line of the meter. One query."""
    listed = list(facts)
    lines = InvoiceLine.objects.filter(
        invoice__kind=InvoiceKind.PERIOD,
        invoice__account_id__in={fact.account_id for fact in listed},
        invoice__period_start__in={fact.start for fact in listed},
        invoice__period_end__in={fact.end for fact in listed},
        meter_id__in={fact.meter_id for fact in listed},
    ).exclude(invoice__state__in=[InvoiceState.DRAFT, InvoiceState.VOID])
    names = ("invoice__account_id", "meter_id", "invoice__period_start", "invoice__period_end", "invoice_id")
    return {(account, meter, start, end): invoice for account, meter, start, end, invoice in lines.values_list(*names)}


def enqueue_settlements(at: datetime) -> int:
    """Promise a job for each invoice with changes that wait. Returns how many are new.

    It runs settings.BILLING_LATE_DELAY after the first of them was found, so that what trickles in shares a line.
    """
    settled = LateBatch.objects.filter(invoice=OuterRef("invoice")).order_by().values("invoice")
    waiting = (
        LateChange.objects.filter(batch=None, invoice__isnull=False)
        .order_by()
        .values("invoice_id")
        .annotate(first=Min("found_at"), count=Coalesce(Subquery(settled.annotate(n=Count("pk")).values("n")), 0))
    )
    return sum(
        queue.enqueue(
            SETTLE_LATE,
            f"{each['invoice_id']} {each['count'] + 1}",
            at=at,
            run_at=max(at, each["first"] + settings.BILLING_LATE_DELAY),
        )
        for each in waiting.iterator()
    )
