"""Progressive invoices: usage is billed ahead once the worth of all that a subscription ever used passes a threshold.

The invoice bills what the period has used since the one before, each price from where that left off. An item for each
of its lines takes the same off the period's own invoice, which bills the whole: so that invoice is right whatever
comes, also where the period is cut, and what was billed ahead in excess comes back to the customer.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext, override

from billing import coupons, plans, profiles
from billing.ahead.thresholds import find_new
from billing.documents import add_up, compose_lines
from billing.drafting import Draft, write_address, write_drafts
from billing.holdings import hold
from billing.issuing import issue_invoices
from billing.items import add_item, withdraw_item
from billing.lines import LineFact
from billing.models import (
    LINE_OF_PRICE,
    Invoice,
    InvoiceItem,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    ItemKind,
    Period,
    PlanVersion,
    Progress,
    ThresholdPassed,
)
from billing.money import EXACT, Money, round_money
from billing.past_usage import PastPeriod, read_past_usage
from billing.plan_costs import UsedPeriod
from billing.plans import PlanTerms
from billing.proration import WHOLE
from billing.rating import PriceTerms, Usage, rate, rate_increment
from billing.rating.definitions import read_usage, write_usage
from billing.sellers import name_seller
from billing.shares import read_share
from billing.tax_rates import read_taxes
from jobs import queue
from metering.usage import Reading

BILL_AHEAD = "billing.bill_ahead"
CHUNK = 250
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a period has used of one metered price, which stands at `position` in its plan."""

    position: int
    price: PriceTerms
    reading: Reading
    usage: Usage


def enqueue_passed(at: datetime) -> int:
    """Promise an invoice to each subscription whose usage passed a new threshold. Returns how many jobs are new.

    The usage of 250 subscriptions is read at once; those whose plan has no thresholds are not looked at.
    """
    versions = PlanVersion.objects.filter(~Q(thresholds_minor=[]) | Q(threshold_step_minor__isnull=False))
    return sum(
        queue.enqueue(BILL_AHEAD, f"{period.subscription_id} {minor} {at:%Y-%m-%d %H}", at=at)
        for version_id in versions.filter(published_at__isnull=False).order_by("pk").values_list("pk", flat=True)
        for period, minor in list_passed(plans.read_version(version_id), at=at)
    )


def list_passed(terms: PlanTerms, *, at: datetime) -> Iterator[tuple[PastPeriod, int]]:
    """The periods under way on a version that passed a new threshold, and which, in smallest units."""
    open_periods = find_open(at).filter(version=terms.version_id).order_by("pk").iterator(chunk_size=CHUNK)
    periods = map(describe_period, open_periods)
    while chunk := list(islice(periods, CHUNK)):
        used = read_past_usage(chunk, [price for _, price in list_metered(terms)])
        before, highest = read_before(chunk, terms.currency), read_highest(chunk)
        for period in chunk:
            found = used[period]
            if found is None:
                continue
            earlier = before.get(period.subscription_id, ZERO)
            worth = EXACT.add(earlier, add_worth(measure(terms, found)))
            known = highest.get(period.subscription_id, earlier)
            reached = find_new(terms.thresholds, worth, highest=known)
            if reached is not None:
                yield period, round_money(reached, terms.currency).minor


def find_open(at: datetime) -> Any:
    """Periods under way that are billed, with their subscriptions."""
    return Period.objects.select_related("subscription").filter(
        starts_at__lte=at, ends_at__gt=at, closed_at=None, is_free=False
    )


def describe_period(period: Period) -> PastPeriod:
    return PastPeriod(
        period.subscription_id,
        period.subscription.account_id,
        period.version_id,
        period.starts_at,
        period.ends_at,
        hold(period.quantity, period.add_ons),
        period.subscription.anchor,
    )


def list_metered(terms: PlanTerms) -> list[tuple[int, PriceTerms]]:
    return [(position, price) for position, price in enumerate(terms.prices, start=1) if price.meter_key]


def measure(terms: PlanTerms, used: UsedPeriod, *, part: Fraction = WHOLE) -> list[Measured]:
    """`part` is that which the period is of a whole one: so much of its cap a price has."""
    by_meter = {reading.meter_key: reading for reading in used.readings}
    return [
        Measured(position, price, reading, replace(used.details.state_usage(price, reading), part=part))
        for position, price in list_metered(terms)
        for reading in [by_meter[price.meter_key or ""]]
    ]


def add_worth(measured: Iterable[Measured]) -> Decimal:
    """What the usage costs by now, exactly. A price's minimum is a matter of the period's end."""
    with localcontext(EXACT):
        return sum((rate(each.price, each.usage, with_minimum=False).amount_exact for each in measured), start=ZERO)


def read_before(periods: Sequence[PastPeriod], currency: str) -> dict[int, Decimal]:
    """subscription id → the worth of what it used in the periods before these. One query, over what was billed of it.

    A period that has just ended counts from its first draft on.
    """
    starts = {period.subscription_id: period.start for period in periods}
    lines = InvoiceLine.objects.filter(
        invoice__subscription__in=starts,
        invoice__kind=InvoiceKind.PERIOD,
        invoice__currency=currency,
        invoice__period_end__lte=max(starts.values()),
        kind=LINE_OF_PRICE,
        meter__isnull=False,
    ).exclude(invoice__state=InvoiceState.VOID)
    sums = lines.order_by().values_list("invoice__subscription").annotate(worth=Sum("amount_exact"))
    return dict(sums)


def read_highest(periods: Iterable[PastPeriod]) -> dict[int, Decimal]:
    ids = [period.subscription_id for period in periods]
    return dict(Progress.objects.filter(subscription__in=ids).values_list("subscription_id", "highest"))


@transaction.atomic
def bill_ahead(subscription_id: int, *, at: datetime) -> Invoice | None:
    """Bill ahead what the period under way has used, if its worth passed a new threshold. A second call does nothing.

    The period's row is held, as closing holds it: of both at once the second sees what the first wrote.
    """
    period = lock_open(subscription_id, at=at)
    if period is None:
        return None
    described, terms = describe_period(period), plans.read_version(period.version_id)
    used = read_past_usage([described], [price for _, price in list_metered(terms)])[described]
    if used is None:
        return None
    zone = profiles.read_profile(described.account_id).time_zone
    measured = measure(terms, used, part=read_share(period, terms, zone=zone))
    before = read_before([described], terms.currency).get(subscription_id, ZERO)
    worth = EXACT.add(before, add_worth(measured))
    state = Progress.objects.filter(subscription_id=subscription_id).first()
    state = state or Progress(subscription_id=subscription_id, highest=before)
    reached = find_new(terms.thresholds, worth, highest=state.highest)
    state.highest = max(state.highest, worth)
    state.save()
    if reached is None:
        return None
    lines = compose_ahead(period, terms, measured, at=at)
    invoice = issue_ahead(period, terms, lines, at=at) if add_up(lines).total_minor > 0 else None
    ThresholdPassed.objects.create(
        subscription_id=subscription_id,
        period=period,
        threshold_minor=round_money(reached, terms.currency).minor,
        worth=worth,
        invoice=invoice,
        usages={str(each.position): write_usage(each.usage) for each in measured},
        passed_at=at,
    )
    return invoice


def lock_open(subscription_id: int, *, at: datetime) -> Period | None:
    period: Period | None = find_open(at).select_for_update(of=("self",)).filter(subscription=subscription_id).first()
    return period


def compose_ahead(
    period: Period, terms: PlanTerms, measured: Sequence[Measured], *, at: datetime
) -> tuple[LineFact, ...]:
    """What was used since the last invoice ahead, with the percentages off and the taxes of the period's own invoice.

    An amount off is taken by that one alone. A price of which nothing was used since has no line.
    """
    account_id = period.subscription.account_id
    billed = read_billed(period)
    given = coupons.read_discounts(account_id=account_id, subscription_id=period.subscription_id, at=period.starts_at)
    lines = [rate_ahead(each, billed.get(each.position), terms.currency) for each in measured]
    return compose_lines(
        [line for line in lines if line.quantity or line.amount_minor],
        taxes=read_taxes([account_id])[account_id],
        discounts=[each.terms for each in given if each.terms.percent is not None],
    )


def read_billed(period: Period) -> dict[int, Usage]:
    """position → the usage up to which invoices ahead, void ones left out, have billed the period."""
    standing = Q(invoice__isnull=False) & ~Q(invoice__state=InvoiceState.VOID)
    last = ThresholdPassed.objects.filter(standing, period=period).order_by("-pk").first()
    return {int(position): read_usage(usage) for position, usage in (last.usages if last else {}).items()}


def rate_ahead(measured: Measured, billed: Usage | None, currency: str) -> LineFact:
    rated = rate_increment(measured.price, billed=billed, total=measured.usage, is_last=False)
    before = (billed.event_count if billed else None) or 0
    return LineFact(
        position=0,
        description=measured.price.description,
        meter_id=measured.reading.meter_id,
        meter_key=measured.reading.meter_key,
        meter_name=measured.reading.meter_name,
        unit=measured.reading.unit,
        quantity=rated.quantity,
        event_count=measured.reading.event_count - before,
        steps=rated.steps,
        amount_exact=rated.amount_exact,
        amount_minor=rated.round(currency).minor,
    )


def issue_ahead(period: Period, terms: PlanTerms, lines: tuple[LineFact, ...], *, at: datetime) -> Invoice:
    """Issue it, and let the period's own invoice credit it line for line."""
    account_id = period.subscription.account_id
    profile = profiles.read_profile(account_id)
    invoice = Invoice(
        kind=InvoiceKind.THRESHOLD,
        account_id=account_id,
        subscription_id=period.subscription_id,
        period=period,
        currency=terms.currency,
        plan_name=terms.name,
        period_start=period.starts_at,
        period_end=period.ends_at,
        **write_address(profile, name_seller()),
    )
    draft = Draft(invoice, lines)
    write_drafts([draft])
    issue_invoices([draft], at=at)
    invoice.refresh_from_db()
    with override(profile.language):
        text = gettext("%(description)s: billed ahead on invoice %(number)s")
    for line in lines:
        words = {"description": line.description, "number": invoice.number}
        write_credit(invoice, line.position, line.discount_minor - line.amount_minor, text % words, at=at)
    return invoice


def write_credit(invoice: Invoice, position: int, amount_minor: int, text: str, *, at: datetime) -> None:
    if not amount_minor:
        return
    add_item(
        account_id=invoice.account_id,
        subscription_id=invoice.subscription_id,
        currency=invoice.currency,
        kind=ItemKind.PREBILLED,
        description=text[:200],
        unit_amount=Money(amount_minor, invoice.currency).amount,
        key=f"{name_credits(invoice)}{position}" + (", taken back" if invoice.state == InvoiceState.VOID else ""),
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        at=at,
    )


def name_credits(invoice: Invoice) -> str:
    """How the keys of the items begin by which it is credited."""
    return f"ahead {invoice.pk}, line "


def take_back_ahead(invoice: Invoice, *, at: datetime) -> None:
    """An invoice ahead becomes void: what would have credited it is withdrawn, and what has is asked again."""
    credits = InvoiceItem.objects.filter(
        account_id=invoice.account_id, kind=ItemKind.PREBILLED, key__startswith=name_credits(invoice), withdrawn_at=None
    )
    with override(profiles.read_profile(invoice.account_id).language):
        text = gettext("Invoice %(number)s, which was billed ahead, is void") % {"number": invoice.number}
    for item in credits.select_for_update(of=("self",)).order_by("pk"):
        if item.invoice_line_id is None:
            withdraw_item(item.pk, at=at)
        else:
            write_credit(invoice, int(item.key.split()[-1]), -item.amount_minor, text, at=at)
