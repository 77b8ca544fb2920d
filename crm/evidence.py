"""Why a lead is there, frozen: what the figures, the plan and the cost were when the alert was taken up.

Kept as JSON with decimals and times as text, so that a conversation months later still has its facts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.lines import TOO_MUCH
from billing.plan_costs import PlanBill, bill_plan, read_open_usage
from billing.plans import PlanTerms, next_plan, read_version
from billing.rating import PriceTerms
from billing.subscriptions import SubscriptionFact, read_subscription
from crm.expected import Expected, find_expected
from metering.alerts import AlertFact
from metering.events import floor_hour
from metering.limits import find_percent
from metering.usage import HOUR, Point, read_series, split_hours

FindNext = Callable[..., PlanTerms | None]  # as next_plan is called: slug, currency=

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Headline:
    """The one sentence's worth of it: one thing watched, one level, one window [start, end).

    Mostly a meter and its limit. What is about money has no meter but a `subject`; an absolute level has no quantity.
    """

    meter_key: str
    meter_name: str
    unit: str
    level: Decimal  # the level that was reached, or is expected to be; in percent, or as `level_unit` says
    used: Decimal
    quantity: Decimal | None  # the limit, or another base
    percent: Decimal | None  # used of the quantity, two decimals, rounded down
    start: datetime
    end: datetime
    crossed_at: datetime
    detected_at: datetime
    kind: str = "usage"
    level_unit: str = "percent"
    subject: str = ""
    severity: str = "warning"
    cause: str = "usage"
    time_zone: str = "UTC"
    p_hit: Decimal | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CostLine:
    description: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What the period had cost when it was looked at."""

    currency: str
    total_minor: int
    lines: tuple[CostLine, ...]


@dataclass(frozen=True, slots=True)
class PlanFacts:
    slug: str
    name: str
    version: int
    currency: str
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, slots=True)
class Fee:
    """A flat price of a plan, whole units of its currency."""

    description: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Offer:
    """The next plan by rank: what it allows of the meter, and what the usage so far would have cost on it."""

    slug: str
    name: str
    currency: str
    limit: Decimal | None  # None: no limit on this meter
    fees: tuple[Fee, ...]
    cost_minor: int | None  # None: more than an invoice can hold


@dataclass(frozen=True, slots=True)
class Evidence:
    """Without a subscription there is neither plan nor cost nor offer; on the largest plan there is no offer.

    Without a meter there are neither hours nor days, and without a limit that moved no forecast.
    """

    headline: Headline
    time_zone: str
    hours: tuple[Point, ...]
    days: tuple[Point, ...]
    plan: PlanFacts | None
    cost: Cost | None
    offer: Offer | None
    frozen_at: datetime
    forecast: Expected | None = None


def gather_evidence(alert: AlertFact, *, at: datetime, find_next: FindNext = next_plan) -> Evidence:
    """Look at everything a rep will want to know. Reads only; raises what the doors it asks raise.

    `find_next` lets a batch look each plan's successor up once.
    """
    subscription = read_subscription(account_id=alert.account_id, at=at)
    until = find_reading_end(alert.start, alert.end, at=at)
    time_zone = subscription.time_zone if subscription else alert.time_zone
    return Evidence(
        headline=state_headline(alert),
        time_zone=time_zone,
        hours=tuple(read_points(alert, until=until, bucket="hour", time_zone="UTC")),
        days=tuple(read_points(alert, until=until, bucket="day", time_zone=time_zone)),
        plan=state_plan(subscription) if subscription else None,
        cost=find_cost(subscription) if subscription else None,
        offer=find_offer(subscription, meter_key=alert.meter_key, at=at, find_next=find_next) if subscription else None,
        frozen_at=at,
        forecast=find_expected(alert.limit_id),
    )


def find_reading_end(start: datetime, end: datetime, *, at: datetime) -> datetime:
    """Where usage of the window [start, end) is read to: the end of the running hour, which rollups answer whole."""
    return min(floor_hour(max(at, start)) + HOUR, end)


def read_points(alert: AlertFact, *, until: datetime, bucket: Any, time_zone: str) -> Sequence[Point]:
    if not alert.meter_key or alert.start >= until:
        return ()
    return read_series(
        account_id=alert.account_id,
        meter_key=alert.meter_key,
        start=alert.start,
        end=until,
        bucket=bucket,
        time_zone=time_zone,
    )


def state_headline(alert: AlertFact) -> Headline:
    return Headline(
        meter_key=alert.meter_key,
        meter_name=alert.meter_name,
        unit=alert.unit,
        level=alert.level,
        used=alert.used,
        quantity=alert.quantity,
        percent=None if alert.quantity is None else find_percent(alert.used, alert.quantity),
        start=alert.start,
        end=alert.end,
        crossed_at=alert.crossed_at,
        detected_at=alert.detected_at,
        kind=alert.kind,
        level_unit=alert.level_unit,
        subject=alert.subject,
        severity=alert.severity,
        cause=alert.cause,
        time_zone=alert.time_zone,
        p_hit=alert.p_hit,
        details=dict(alert.details),
    )


def restore_alert(headline: Headline) -> AlertFact:
    """The alert as it was told, for whoever has words for alerts."""
    return AlertFact(
        id=0,
        account_id=0,
        meter_id=None,
        meter_key=headline.meter_key,
        meter_name=headline.meter_name,
        unit=headline.unit,
        level=headline.level,
        used=headline.used,
        quantity=headline.quantity,
        start=headline.start,
        end=headline.end,
        crossed_at=headline.crossed_at,
        detected_at=headline.detected_at,
        kind=headline.kind,
        level_unit=headline.level_unit,
        subject=headline.subject,
        time_zone=headline.time_zone,
        severity=headline.severity,
        p_hit=headline.p_hit,
        cause=headline.cause,
        details=dict(headline.details),
    )


def state_plan(subscription: SubscriptionFact) -> PlanFacts:
    return PlanFacts(
        slug=subscription.plan_slug,
        name=subscription.plan_name,
        version=subscription.version_number,
        currency=subscription.currency,
        period_start=subscription.period_start,
        period_end=subscription.period_end,
    )


def find_cost(subscription: SubscriptionFact) -> Cost | None:
    """What its own plan asks; None where that has grown past what an invoice can hold."""
    if subscription.is_free:
        return Cost(subscription.currency, 0, ())
    bill = bill_usage(read_version(subscription.version_id), subscription)
    if bill is None:
        return None
    lines = tuple(CostLine(line.description, line.amount_minor) for line in bill.lines)
    return Cost(bill.currency, bill.charged_minor, lines)


def find_offer(
    subscription: SubscriptionFact, *, meter_key: str, at: datetime, find_next: FindNext = next_plan
) -> Offer | None:
    """What the rep can propose; None on the largest plan."""
    plan = find_next(subscription.plan_slug, currency=subscription.currency)
    if plan is None:
        return None
    bill = bill_usage(plan, subscription)
    return Offer(
        slug=plan.slug,
        name=plan.name,
        currency=plan.currency,
        limit=next((limit.quantity for limit in plan.limits if limit.meter_key == meter_key), None),
        fees=tuple(Fee(price.description, price.unit_amount or ZERO) for price in plan.prices if is_flat(price)),
        cost_minor=bill.charged_minor if bill else None,
    )


def is_flat(price: PriceTerms) -> bool:
    return price.meter_key is None


def bill_usage(plan: PlanTerms, subscription: SubscriptionFact) -> PlanBill | None:
    """What the period used so far asks on a plan, rounded as an invoice is; None where it is too much for one."""
    try:
        return bill_plan(plan, read_open_usage(subscription, [plan]))
    except TOO_MUCH:  # absurd usage must not keep its account, or others, from a lead
        return None


def fill_hours(used: dict[datetime, Point], *, start: datetime, end: datetime) -> tuple[Point, ...]:
    """Every hour of [start, end), those in which nothing was used too."""
    is_level = any(point.is_level for point in used.values())
    return tuple(used.get(hour) or Point(hour, ZERO, is_level) for hour in split_hours(start, end))
