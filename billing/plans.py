"""Plans: what is on offer, in immutable versions that subscribers stay on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Prefetch, QuerySet

from billing.models import LONGEST_TRIAL_DAYS, Plan, PlanLimit, PlanVersion, Price, PriceRow, Tier
from billing.money import find_exponent
from billing.periods import Anchoring, Cycle, Interval
from billing.proration import Proration
from billing.rating import (
    QUANTITY_DIGITS,
    Conversion,
    DimensionPrice,
    InvalidPrice,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    Rounding,
    TierTerms,
    check_digits,
)
from metering import meters


class UnknownPlan(LookupError):
    """No plan of that name can be subscribed to; the message lists those that can."""

    def __init__(self, slug: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no plan {slug!r} on offer. Known plans: {', '.join(known) or 'none yet'}.")


class PlanExists(ValueError):
    """The slug or the rank is taken by another plan."""


class InvalidPlan(ValueError):
    """A version that cannot be published; the message says why, `field` where: `prices[1].tiers[0].up_to`."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class PlanLimitTerms:
    """How much of one meter the plan allows in a period."""

    meter_key: str
    quantity: Decimal
    is_hard: bool = False


@dataclass(frozen=True, slots=True)
class PeriodTerms:
    """How long a plan's periods are, where they begin, what a part of one is cut by, and how many days come free."""

    interval: Interval = Interval.MONTH
    anchoring: Anchoring = Anchoring.CALENDAR
    proration: Proration = Proration.SECOND
    trial_days: int = 0

    def cycle(self, anchor: datetime) -> Cycle:
        """The periods of a subscription with that anchor."""
        return Cycle(self.interval, None if self.anchoring is Anchoring.CALENDAR else anchor)


MONTHLY = PeriodTerms()


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """One version of a plan, whole. `published_at` is None for a draft."""

    slug: str
    name: str
    rank: int
    version_id: int
    version_number: int
    currency: str
    prices: tuple[PriceTerms, ...]
    limits: tuple[PlanLimitTerms, ...]
    periods: PeriodTerms
    published_at: datetime | None


@transaction.atomic
def create_plan(
    *,
    slug: str,
    name: str,
    rank: int,
    currency: str,
    prices: Iterable[PriceTerms],
    limits: Iterable[PlanLimitTerms] = (),
    periods: PeriodTerms = MONTHLY,
    at: datetime,
) -> PlanTerms:
    """Put a new plan on offer: its first version is published at once. `rank` orders the plans, smallest first.

    Raises PlanExists, InvalidPlan, UnknownCurrency and metering's UnknownMeter; nothing remains of a refused plan.
    """
    try:
        with transaction.atomic():
            plan = Plan.objects.create(slug=slug, name=name, rank=rank)
    except IntegrityError as error:
        raise PlanExists(f"A plan with the slug {slug!r} or the rank {rank} is there already.") from error
    version_id = add_version(plan_id=plan.pk, currency=currency, prices=prices, limits=limits, periods=periods)
    return publish_version(version_id, at=at)


@transaction.atomic
def add_version(
    *,
    plan_id: int,
    currency: str,
    prices: Iterable[PriceTerms],
    limits: Iterable[PlanLimitTerms] = (),
    periods: PeriodTerms = MONTHLY,
) -> int:
    """Draft the plan's next version and return its id. Lines of an invoice follow the order of the prices.

    Raises UnknownCurrency, InvalidPlan and metering's UnknownMeter.
    """
    find_exponent(currency)
    if not 0 <= periods.trial_days <= LONGEST_TRIAL_DAYS:
        raise InvalidPlan(f"A trial has at most {LONGEST_TRIAL_DAYS} days, not {periods.trial_days}.")
    Plan.objects.select_for_update().get(pk=plan_id)
    last = PlanVersion.objects.filter(plan_id=plan_id).aggregate(last=Max("number"))["last"] or 0
    version = PlanVersion.objects.create(
        plan_id=plan_id,
        number=last + 1,
        currency=currency,
        interval=periods.interval.value,
        anchoring=periods.anchoring.value,
        proration=periods.proration.value,
        trial_days=periods.trial_days,
    )
    store_prices(version, prices)
    store_limits(version, limits)
    return version.pk


def copy_last_version(plan_id: int) -> int:
    """Draft the plan's next version with the terms of its last one, be it a draft, and return its id."""
    last = load_versions().filter(plan_id=plan_id).latest("number")
    terms = describe_version(last)
    return add_version(
        plan_id=plan_id, currency=terms.currency, prices=terms.prices, limits=terms.limits, periods=terms.periods
    )


@transaction.atomic
def publish_version(version_id: int, *, at: datetime) -> PlanTerms:
    """Offer the version to new subscribers and freeze it for ever. A second call changes nothing.

    Raises InvalidPlan when it has no price or a price that cannot be charged.
    """
    PlanVersion.objects.select_for_update().get(pk=version_id)
    version = load_versions().get(pk=version_id)
    try:
        terms = describe_version(version)
    except InvalidPrice as error:
        raise InvalidPlan(f"{version}: {error}") from error
    if not terms.prices:
        raise InvalidPlan(f"{version} has no price; a free plan has a fee of zero.", "prices")
    for number, price in enumerate(terms.prices):
        check_meter(price, f"prices[{number}]")
    if version.published_at is None:
        version.published_at = at
        version.save(update_fields=["published_at"])
    return describe_version(version)


def find_plan(slug: str) -> PlanTerms:
    """The latest published version of the plan. Raises UnknownPlan."""
    version = load_versions().filter(plan__slug=slug, published_at__isnull=False).order_by("-number").first()
    if version is None:
        raise UnknownPlan(slug, list_slugs())
    return describe_version(version)


def list_plans() -> list[PlanTerms]:
    """The latest published version of every plan, smallest rank first."""
    latest = load_versions().filter(published_at__isnull=False).order_by("plan__rank", "-number").distinct("plan__rank")
    return [describe_version(version) for version in latest]


def next_plan(slug: str) -> PlanTerms | None:
    """The plan on offer that ranks next above this one; None when it is the largest. Raises UnknownPlan."""
    rank = find_plan(slug).rank
    return next((plan for plan in list_plans() if plan.rank > rank), None)


def read_version(version_id: int) -> PlanTerms:
    """One version by id, also one that is no longer on offer. Raises PlanVersion.DoesNotExist."""
    return describe_version(load_versions().get(pk=version_id))


def list_slugs() -> list[str]:
    """The plans that can be subscribed to, smallest first."""
    on_offer = Plan.objects.filter(versions__published_at__isnull=False)
    return list(on_offer.order_by("rank").values_list("slug", flat=True).distinct())


def load_versions() -> QuerySet[PlanVersion]:
    """Versions with all that describe_version reads, in six queries for any number of them."""
    return PlanVersion.objects.select_related("plan").prefetch_related(
        Prefetch("prices", Price.objects.select_related("meter")),
        "prices__tiers",
        "prices__rows",
        Prefetch("limits", PlanLimit.objects.select_related("meter").order_by("meter__key")),
    )


def describe_version(version: PlanVersion) -> PlanTerms:
    return PlanTerms(
        slug=version.plan.slug,
        name=version.plan.name,
        rank=version.plan.rank,
        version_id=version.pk,
        version_number=version.number,
        currency=version.currency,
        prices=tuple(describe_price(price) for price in version.prices.all()),
        limits=tuple(PlanLimitTerms(limit.meter.key, limit.quantity, limit.is_hard) for limit in version.limits.all()),
        periods=describe_periods(version),
        published_at=version.published_at,
    )


def describe_periods(version: PlanVersion) -> PeriodTerms:
    return PeriodTerms(
        interval=Interval(version.interval),
        anchoring=Anchoring(version.anchoring),
        proration=Proration(version.proration),
        trial_days=version.trial_days,
    )


def describe_price(price: Price) -> PriceTerms:
    """Raises InvalidPrice, which a draft may well be."""
    return PriceTerms(
        description=price.description,
        model=PriceModel(price.model),
        meter_key=price.meter.key if price.meter else None,
        unit_amount=price.unit_amount,
        included_units=price.included_units,
        tiers=tuple(describe_tier(tier) for tier in price.tiers.all()),
        conversion=describe_conversion(price),
        package_size=price.package_size,
        package_rounding=Rounding(price.package_rounding),
        percentage=describe_percentage(price),
        dimensions=tuple(price.dimensions),
        table=tuple(DimensionPrice(tuple(row.values), row.unit_amount) for row in price.rows.all()),
        first_tier_flat_at_zero=price.first_tier_flat_at_zero,
        minimum=price.minimum,
        cap=price.cap,
    )


def describe_tier(tier: Tier) -> TierTerms:
    return TierTerms(tier.up_to, tier.unit_amount, tier.flat_amount, tier.rate_percent, tier.package_size)


def describe_conversion(price: Price) -> Conversion | None:
    if price.multiply_by is None or price.divide_by is None:
        return None
    return Conversion(
        multiply_by=price.multiply_by,
        divide_by=price.divide_by,
        rounding=Rounding(price.conversion_rounding),
        places=price.conversion_places,
        unit=price.conversion_unit,
    )


def describe_percentage(price: Price) -> PercentageTerms | None:
    if price.rate_percent is None:
        return None
    return PercentageTerms(
        rate_percent=price.rate_percent,
        fee=price.transaction_fee,
        free_amount=price.free_amount,
        free_transactions=price.free_transactions,
        minimum=price.transaction_minimum,
        maximum=price.transaction_maximum,
    )


def store_prices(version: PlanVersion, prices: Iterable[PriceTerms]) -> None:
    for position, terms in enumerate(prices, start=1):
        price = Price.objects.create(
            version=version,
            position=position,
            description=terms.description,
            model=terms.model.value,
            meter_id=find_meter_id(terms.meter_key, f"prices[{position - 1}].meter") if terms.meter_key else None,
            unit_amount=terms.unit_amount,
            included_units=terms.included_units,
            package_size=terms.package_size,
            package_rounding=terms.package_rounding.value,
            dimensions=list(terms.dimensions),
            first_tier_flat_at_zero=terms.first_tier_flat_at_zero,
            minimum=terms.minimum,
            cap=terms.cap,
            **list_conversion_fields(terms.conversion),
            **list_percentage_fields(terms.percentage),
        )
        Tier.objects.bulk_create(
            Tier(
                price=price,
                position=number,
                up_to=tier.up_to,
                unit_amount=tier.unit_amount,
                flat_amount=tier.flat_amount,
                rate_percent=tier.rate_percent,
                package_size=tier.package_size,
            )
            for number, tier in enumerate(terms.tiers, start=1)
        )
        PriceRow.objects.bulk_create(
            PriceRow(price=price, position=number, values=list(row.values), unit_amount=row.unit_amount)
            for number, row in enumerate(terms.table, start=1)
        )


def find_meter_id(key: str, field: str) -> int:
    """Raises metering's UnknownMeter, with the field that named it."""
    try:
        return meters.find_meter(key).id
    except meters.UnknownMeter as error:
        error.field = field
        raise


def list_conversion_fields(conversion: Conversion | None) -> dict[str, Any]:
    if conversion is None:
        return {}
    return {
        "multiply_by": conversion.multiply_by,
        "divide_by": conversion.divide_by,
        "conversion_rounding": conversion.rounding.value,
        "conversion_places": conversion.places,
        "conversion_unit": conversion.unit,
    }


def list_percentage_fields(terms: PercentageTerms | None) -> dict[str, Any]:
    if terms is None:
        return {}
    return {
        "rate_percent": terms.rate_percent,
        "transaction_fee": terms.fee,
        "free_amount": terms.free_amount,
        "free_transactions": terms.free_transactions,
        "transaction_minimum": terms.minimum,
        "transaction_maximum": terms.maximum,
    }


def store_limits(version: PlanVersion, limits: Iterable[PlanLimitTerms]) -> None:
    rows = [
        PlanLimit(
            version=version,
            meter_id=meters.find_meter(limit.meter_key).id,
            quantity=check_limit(limit).quantity,
            is_hard=limit.is_hard,
        )
        for limit in limits
    ]
    if len({row.meter_id for row in rows}) < len(rows):
        raise InvalidPlan(f"{version} limits a meter twice.")
    PlanLimit.objects.bulk_create(rows)


def check_meter(price: PriceTerms, field: str) -> None:
    """Whether the price's meter tells what the price looks at. Raises InvalidPlan."""
    if not price.dimensions and not price.needs_transactions:
        return
    meter = meters.find_meter(price.meter_key or "")
    for name in price.dimensions:
        if name not in meter.dimensions:
            raise InvalidPlan(
                f"{price.description}: the meter {meter.key} has no dimension {name!r}.", f"{field}.dimensions"
            )
    if price.needs_transactions and meter.aggregation != "sum":
        raise InvalidPlan(
            f"{price.description}: the meter {meter.key} adds no transactions up, as the percentage needs it.",
            f"{field}.meter",
        )


def check_limit(limit: PlanLimitTerms) -> PlanLimitTerms:
    """Raises InvalidPlan."""
    check_digits(limit.quantity, QUANTITY_DIGITS, error=InvalidPlan, name=f"The limit on {limit.meter_key}")
    return limit
