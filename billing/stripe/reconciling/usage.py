"""What metering counted and the invoice bills ↔ what Stripe's meters were told, by account, meter and period.

Nothing is asked of Stripe. The invoice's line stands for metering: that it bills what was counted is an invariant of
billing. A difference is told in money by what the price makes of both quantities.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from billing.models import (
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    Price,
    StripeInvoice,
    StripeInvoiceRole,
    StripeMeterEvent,
    StripeMode,
    StripeTally,
)
from billing.price_rows import describe_price
from billing.rating import rate
from billing.stripe.reconciling.findings import Finding, Looked, Scope, read_pairs, write_quantity

UNSENT, FAILED = "usage_unsent", "usage_failed"
CHUNK = 500
PATIENCE = timedelta(hours=1)  # what has been on its way for longer is stuck

Key = tuple[int, int]  # period, meter


@dataclass(frozen=True, slots=True)
class Sent:
    """Of one meter in a period: what Stripe accepted, how many events are on their way, how many failed and why."""

    accepted: Decimal = Decimal(0)
    waiting: int = 0
    failed: int = 0
    failed_value: Decimal = Decimal(0)
    why: str = ""


@dataclass(frozen=True, slots=True)
class Billed:
    quantity: Decimal
    currency: str


def look_at_usage(scope: Scope) -> Looked:
    """Periods whose usage is all told, or was to be, and events that Stripe refused at any time."""
    looked = Looked()
    tallies = select_tallies(scope)
    for start in range(0, len(tallies), CHUNK):
        chunk = tallies[start : start + CHUNK]
        sent, billed = read_sent(chunk), read_billed(chunk)
        for tally in chunk:
            key = tally.period_id, tally.meter_id
            looked.check(name_failed(tally), FAILED)
            if key in billed:
                looked.check(name(tally), UNSENT)
            is_over = tally.period.ends_at + PATIENCE < scope.at
            looked.findings += find_difference(tally, sent.get(key, Sent()), billed.get(key), is_over=is_over)
    return looked


def name(tally: StripeTally) -> str:
    return f"{tally.period_id}/{tally.meter_id}"


def name_failed(tally: StripeTally) -> str:
    """As `usage.failures` names it, who finds it first."""
    return f"{tally.period_id} {tally.meter_id}"


def select_tallies(scope: Scope) -> Sequence[StripeTally]:
    """Of periods that ended since then; with failures, or known to differ, at any time."""
    known = read_pairs(scope.list_open(UNSENT, FAILED))
    failed = StripeMeterEvent.objects.filter(state="failed", replacement__isnull=True)
    again = Q(period__in={period for period, _meter in known}) | Q(period__in=failed.values("period"))
    tallies = StripeTally.objects.filter(Q(period__ends_at__gte=scope.since, period__ends_at__lt=scope.at) | again)
    if scope.account_id is not None:
        tallies = tallies.filter(account_id=scope.account_id)
    return list(tallies.select_related("period", "meter").order_by("pk"))


def read_sent(tallies: Sequence[StripeTally]) -> dict[Key, Sent]:
    """Two queries for a chunk of tallies."""
    events = StripeMeterEvent.objects.filter(period__in={tally.period_id for tally in tallies})
    is_lost = Q(state="failed", replacement__isnull=True)
    sums = events.values("period", "meter").annotate(
        accepted=Sum("value", filter=Q(state="accepted"), default=Decimal(0)),
        waiting=Count("pk", filter=Q(state__in=["queued", "sending"])),
        failed=Count("pk", filter=is_lost),
        failed_value=Sum("value", filter=is_lost, default=Decimal(0)),
    )
    codes = dict.fromkeys(events.filter(is_lost).order_by("pk").values_list("period", "meter", "error_code"))
    why: dict[Key, list[str]] = {}
    for period, meter, code in codes:
        why.setdefault((period, meter), []).append(code)
    last = read_last(events.filter(formula="last", state="accepted"))
    return {
        (row["period"], row["meter"]): Sent(
            last.get((row["period"], row["meter"]), row["accepted"]),
            row["waiting"],
            row["failed"],
            row["failed_value"],
            ", ".join(why.get((row["period"], row["meter"]), [])),
        )
        for row in sums
    }


def read_last(events: "QuerySet[StripeMeterEvent]") -> dict[Key, Decimal]:
    """The last value of each, which is what a meter of that formula keeps."""
    latest = events.order_by("period", "meter", "-timestamp", "-revision").distinct("period", "meter")
    return {(period, meter): value for period, meter, value in latest.values_list("period", "meter", "value")}


def read_billed(tallies: Sequence[StripeTally]) -> dict[Key, Billed]:
    """What the periods' issued invoices bill of each meter that Stripe's charge.

    A cut turns them into lines; and what Stripe drew no invoice for is asked by lines on a draft of ours.
    """
    charged = StripeMode.objects.filter(
        period=OuterRef("invoice__period"), mode="meters", price__meter=OuterRef("meter")
    )
    own = StripeInvoice.objects.filter(invoice=OuterRef("invoice"), role=StripeInvoiceRole.OWN)
    lines = InvoiceLine.objects.filter(
        invoice__period__in={tally.period_id for tally in tallies}, invoice__kind=InvoiceKind.PERIOD, kind="price"
    ).exclude(invoice__state__in=[InvoiceState.DRAFT, InvoiceState.VOID])
    found = lines.filter(Exists(charged), ~Exists(own)).values_list(
        "invoice__period", "meter", "quantity", "invoice__currency"
    )
    return {(period, meter): Billed(quantity, currency) for period, meter, quantity, currency in found}


def find_difference(tally: StripeTally, sent: Sent, billed: Billed | None, *, is_over: bool) -> Iterator[Finding]:
    """At most one: what Stripe refused, else what is not there."""
    unit = tally.meter.unit
    if sent.failed:
        yield Finding(
            FAILED,
            name_failed(tally),
            tally.account_id,
            write_quantity(sent.failed_value),
            "0",
            f"Stripe refused {sent.failed} meter events: {sent.why}.",
            *price_difference(tally, sent.accepted + sent.failed_value, sent.accepted, billed),
        )
    elif billed is not None and billed.quantity != sent.accepted and (sent.waiting == 0 or is_over):
        yield Finding(
            UNSENT,
            name(tally),
            tally.account_id,
            f"{write_quantity(billed.quantity)} {unit}",
            f"{write_quantity(sent.accepted)} {unit}",
            explain(sent),
            *price_difference(tally, billed.quantity, sent.accepted, billed),
        )


def explain(sent: Sent) -> str:
    if sent.waiting:
        return f"{sent.waiting} meter events are still on their way."
    return "What Stripe's meters were told is not what the invoice bills."


def price_difference(
    tally: StripeTally, ours: Decimal, theirs: Decimal, billed: Billed | None
) -> tuple[int | None, str]:
    """By what the prices that Stripe's meters charge make of both. Nothing where no currency is known yet."""
    if billed is None:
        return None, ""
    modes = StripeMode.objects.filter(period=tally.period_id, mode="meters").values("price")
    prices = Price.objects.filter(pk__in=modes, meter=tally.meter_id).prefetch_related("tiers", "rows")
    amounts = [
        rate(terms, ours).round(billed.currency).minor - rate(terms, theirs).round(billed.currency).minor
        for terms in map(describe_price, prices)
    ]
    return sum(amounts), billed.currency
