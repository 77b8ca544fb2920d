"""What billing's tests are made of: small, real, and through the doors."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from billing import plans, profiles, subscriptions
from billing.ahead.thresholds import NO_THRESHOLDS, Thresholds
from billing.late.policy import LatePolicy
from billing.plans import MONTHLY, PeriodTerms, PlanLimitTerms, PlanTerms
from billing.rating import (
    DimensionPrice,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    TierTerms,
    flat_fee,
    graduated,
    per_unit,
)
from billing.subscriptions import SubscriptionFact
from metering import accounts, ingest, meters
from metering.accounts import AccountRef
from metering.ingest import Fate, UsageEvent

JAN = datetime(2026, 1, 1, tzinfo=UTC)
FEB = datetime(2026, 2, 1, tzinfo=UTC)
MAR = datetime(2026, 3, 1, tzinfo=UTC)
MID_JAN = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

numbers = count(1)

REQUEST_TIERS = (
    TierTerms(Decimal(10_000), Decimal("0.002")),
    TierTerms(Decimal(100_000), Decimal("0.001")),
    TierTerms(None, Decimal("0.0005")),
)
BASE_FEE = flat_fee("Base fee", Decimal("49.00"))
REQUESTS = graduated("Requests", meter_key="requests", tiers=REQUEST_TIERS, included_units=Decimal(10_000))
BANDWIDTH = per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal("0.00000000009"))


CARDS = PriceTerms(
    "Card payments",
    PriceModel.PERCENTAGE,
    "payments",
    percentage=PercentageTerms(
        Decimal("1.3"),
        fee=Decimal("0.25"),
        free_amount=Decimal(100),
        free_transactions=2,
        minimum=Decimal(1),
        maximum=Decimal(12),
    ),
)
BY_HOST = PriceTerms(
    "Traffic",
    PriceModel.DIMENSION,
    "traffic",
    unit_amount=Decimal("0.01"),
    dimensions=("host",),
    table=(DimensionPrice(("a",), Decimal("0.02")), DimensionPrice(("b",), Decimal("0.03"))),
)


def make_detailed_meters(at: datetime = JAN) -> None:
    """`traffic` sums the bytes of requests by host, `payments` the amounts that were paid by card."""
    meters.create_meter(
        key="traffic",
        name="Traffic",
        event_type="web.request",
        aggregation="sum",
        value="bytes",
        unit="byte",
        dimensions=("host", "path"),
        at=at,
    )
    meters.create_meter(
        key="payments", name="Payments", event_type="card.paid", aggregation="sum", value="amount", unit="euro", at=at
    )


def make_meters(at: datetime = JAN) -> None:
    """`requests` counts web requests and `bandwidth` sums their bytes. A second call changes nothing."""
    meters.create_meter(key="requests", name="Requests", event_type="web.request", unit="request", at=at)
    meters.create_meter(
        key="bandwidth",
        name="Bandwidth",
        event_type="web.request",
        aggregation="sum",
        value="bytes",
        unit="byte",
        at=at,
    )


def make_account(key: str = "acme", *, time_zone: str = "UTC", at: datetime = JAN) -> AccountRef:
    account = accounts.create_account(key=key, name=f"{key} Ltd", at=at)
    profiles.set_profile(account_id=account.id, legal_name=f"{key} Ltd", time_zone=time_zone)
    return account


def make_plan(
    slug: str = "growth",
    *,
    rank: int | None = None,
    currency: str = "EUR",
    prices: Iterable[PriceTerms] = (BASE_FEE, REQUESTS, BANDWIDTH),
    limits: Iterable[PlanLimitTerms] = (PlanLimitTerms("requests", Decimal(50_000)),),
    periods: PeriodTerms = MONTHLY,
    commitment_minor: int = 0,
    included_credit_minor: int = 0,
    late: LatePolicy | None = None,
    thresholds: Thresholds = NO_THRESHOLDS,
    at: datetime = JAN,
) -> PlanTerms:
    make_meters()
    return plans.create_plan(
        slug=slug,
        name=slug.title(),
        rank=rank or next(numbers),
        currency=currency,
        prices=prices,
        limits=limits,
        periods=periods,
        commitment_minor=commitment_minor,
        included_credit_minor=included_credit_minor,
        late=late,
        thresholds=thresholds,
        at=at,
    )


def make_subscription(
    key: str = "acme",
    *,
    plan: PlanTerms | None = None,
    time_zone: str = "UTC",
    started_at: datetime = JAN,
    at: datetime | None = None,
) -> SubscriptionFact:
    plan = plan or make_plan()
    account = make_account(key, time_zone=time_zone)
    return subscriptions.create_subscription(
        account_id=account.id, plan_slug=plan.slug, started_at=started_at, at=at or started_at
    )


def send(key: str, type: str, *rows: tuple[datetime, dict[str, Any]]) -> list[Fate]:
    """One event for each (time, data), received as it happens."""
    fates = []
    for time, data in rows:
        event = UsageEvent(source="test", id=f"event-{next(numbers)}", type=type, subject=key, time=time, data=data)
        fates += [fate.fate for fate in ingest.ingest_events([event], at=time)]
    return fates


def use(key: str, *, sizes: Iterable[int], time: datetime, at: datetime | None = None) -> list[Fate]:
    """One web request per size in bytes, all at `time`, received at `at`."""
    events = [
        UsageEvent(
            source="test",
            id=f"event-{next(numbers)}",
            type="web.request",
            subject=key,
            time=time,
            data={"bytes": size},
        )
        for size in sizes
    ]
    fates = []
    for start in range(0, len(events), 1_000):
        fates += ingest.ingest_events(events[start : start + 1_000], at=at or time)
    return [fate.fate for fate in fates]
