"""Plans: what is on offer, in immutable versions that subscribers stay on."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Min, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.utils import timezone

from billing.ahead.thresholds import NO_THRESHOLDS, Thresholds
from billing.late.policy import LatePolicy, LateUsage
from billing.models import LONGEST_GRACE_HOURS, LONGEST_TRIAL_DAYS, AddOn, Plan, PlanLimit, PlanVersion, Price
from billing.money import Money, find_exponent, round_money
from billing.periods import Anchoring, Cycle, Interval
from billing.price_rows import describe_price, find_meter_id, store_prices
from billing.proration import Proration
from billing.rating import (
    QUANTITY_DIGITS,
    UNIT_PRICE_DIGITS,
    InvalidPrice,
    PriceTerms,
    RatedLine,
    check_digits,
    flat_fee,
    rate,
)
from metering import meters


class UnknownPlan(LookupError):
    """No plan of that name can be subscribed to, or not in that currency; the message lists those that can."""

    def __init__(self, slug: str, known: Iterable[str], currency: str | None = None) -> None:
        asked = f"{slug!r} on offer in {currency}" if currency else f"{slug!r} on offer"
        super().__init__(f"There is no plan {asked}. Known plans: {', '.join(known) or 'none yet'}.")


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
    """How long a plan's periods are, where they begin, what a part of one is cut by, and how many days come free.

    `grace_hours` is how long after its end a period is billed; None is settings.BILLING_CLOSE_DELAY.
    """

    interval: Interval = Interval.MONTH
    anchoring: Anchoring = Anchoring.CALENDAR
    proration: Proration = Proration.SECOND
    trial_days: int = 0
    grace_hours: int | None = None

    def cycle(self, anchor: datetime) -> Cycle:
        """The periods of a subscription with that anchor."""
        return Cycle(self.interval, None if self.anchoring is Anchoring.CALENDAR else anchor)


MONTHLY = PeriodTerms()


@dataclass(frozen=True, slots=True)
class AddOnTerms:
    """What a subscriber may have beside the plan: so much for each unit and period, at most `max_quantity` of them."""

    key: str
    description: str
    unit_amount: Decimal
    max_quantity: int | None = None

    def rate(self, quantity: int) -> RatedLine:
        """What so many come to in a period: as a flat fee by seat. Raises AmountTooLarge."""
        return rate(flat_fee(self.description, self.unit_amount, per_seat=True), Decimal(quantity))


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """One version of a plan, whole. `published_at` is None for a draft; on offer in [offered_from, retired_at).

    A period comes to the commitment at least, and brings the included credit: both in smallest units. `late` says what
    is done about late usage, None that it is as the installation says; `thresholds` when usage is billed ahead.
    """

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
    commitment_minor: int = 0
    included_credit_minor: int = 0
    add_ons: tuple[AddOnTerms, ...] = ()
    late: LatePolicy | None = None
    thresholds: Thresholds = NO_THRESHOLDS
    offered_from: datetime | None = None
    retired_at: datetime | None = None


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
    commitment_minor: int = 0,
    included_credit_minor: int = 0,
    add_ons: Iterable[AddOnTerms] = (),
    late: LatePolicy | None = None,
    thresholds: Thresholds = NO_THRESHOLDS,
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
    version_id = add_version(
        plan_id=plan.pk,
        currency=currency,
        prices=prices,
        limits=limits,
        periods=periods,
        commitment_minor=commitment_minor,
        included_credit_minor=included_credit_minor,
        add_ons=add_ons,
        late=late,
        thresholds=thresholds,
    )
    return publish_version(version_id, at=at)


@transaction.atomic
def add_version(
    *,
    plan_id: int,
    currency: str,
    prices: Iterable[PriceTerms],
    limits: Iterable[PlanLimitTerms] = (),
    periods: PeriodTerms = MONTHLY,
    commitment_minor: int = 0,
    included_credit_minor: int = 0,
    add_ons: Iterable[AddOnTerms] = (),
    late: LatePolicy | None = None,
    thresholds: Thresholds = NO_THRESHOLDS,
) -> int:
    """Draft the plan's next version and return its id. Lines of an invoice follow the order of the prices.

    Raises UnknownCurrency, InvalidPlan and metering's UnknownMeter.
    """
    find_exponent(currency)
    if not 0 <= periods.trial_days <= LONGEST_TRIAL_DAYS:
        raise InvalidPlan(f"A trial has at most {LONGEST_TRIAL_DAYS} days, not {periods.trial_days}.", "trial_days")
    if not 0 <= (periods.grace_hours or 0) <= LONGEST_GRACE_HOURS:
        raise InvalidPlan(f"A grace has at most {LONGEST_GRACE_HOURS} hours, not {periods.grace_hours}.", "grace_hours")
    for field, amount in (("commitment", commitment_minor), ("included_credit", included_credit_minor)):
        if amount < 0:
            raise InvalidPlan(f"The {field.replace('_', ' ')} may not be negative: {amount}.", field)
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
        grace_hours=periods.grace_hours,
        commitment_minor=commitment_minor,
        included_credit_minor=included_credit_minor,
        **write_late_policy(late),
        **write_thresholds(thresholds, currency),
    )
    store_prices(version, prices)
    store_limits(version, limits)
    store_add_ons(version, add_ons)
    return version.pk


def copy_last_version(plan_id: int) -> int:
    """Draft the plan's next version with the terms of its last one, be it a draft, and return its id."""
    last = load_versions().filter(plan_id=plan_id).latest("number")
    terms = describe_version(last)
    return add_version(
        plan_id=plan_id,
        currency=terms.currency,
        prices=terms.prices,
        limits=terms.limits,
        periods=terms.periods,
        commitment_minor=terms.commitment_minor,
        included_credit_minor=terms.included_credit_minor,
        add_ons=terms.add_ons,
        late=terms.late,
        thresholds=terms.thresholds,
    )


def publish_version(version_id: int, *, at: datetime) -> PlanTerms:
    """Offer the version to new subscribers and freeze it for ever. A second call changes nothing.

    Raises InvalidPlan when it has no price or a price that cannot be charged.
    """
    return schedule_version(version_id, offered_from=at, at=at)


@transaction.atomic
def schedule_version(version_id: int, *, offered_from: datetime, at: datetime) -> PlanTerms:
    """Freeze the version for ever, and offer it to those who subscribe from a moment on. A second call changes nothing.

    Raises InvalidPlan when it has no price, a price that cannot be charged, or would have been on offer before.
    """
    PlanVersion.objects.select_for_update().get(pk=version_id)
    version = load_versions().get(pk=version_id)
    check_version(version)
    if version.published_at is None:
        if offered_from < at:
            raise InvalidPlan(f"{version} cannot be offered before it is published.", "offered_from")
        version.published_at, version.offered_from = at, offered_from
        version.save(update_fields=["published_at", "offered_from"])
    return describe_version(version)


@transaction.atomic
def retire_version(version_id: int, *, at: datetime) -> PlanTerms:
    """Offer the version to nobody from `at` on; who has it keeps it. A second call changes nothing.

    The version that it replaced does not come back: with its last version the plan is off offer in that currency,
    unless that one was still to come. Raises InvalidPlan for a draft.
    """
    PlanVersion.objects.select_for_update().get(pk=version_id)
    version = load_versions().get(pk=version_id)
    if version.published_at is None:
        raise InvalidPlan(f"{version} is a draft and not on offer.", "published_at")
    if version.retired_at is None:
        version.retired_at = max(at, version.published_at)
        version.save(update_fields=["retired_at"])
    return describe_version(version)


def check_version(version: PlanVersion) -> None:
    """Raises InvalidPlan with the field."""
    prices = list(version.prices.all())
    if not prices:
        raise InvalidPlan(f"{version} has no price; a free plan has a fee of zero.", "prices")
    for number, price in enumerate(prices):
        try:
            terms = describe_price(price)
        except InvalidPrice as error:
            raise InvalidPlan(f"{version}: {error}", f"prices[{number}].{error.field}") from error
        check_meter(terms, f"prices[{number}]")


def find_plan(slug: str, *, currency: str | None = None, at: datetime | None = None) -> PlanTerms:
    """The version of the plan that is on offer (now, unless told) in that currency, or in the plan's first one.

    Raises UnknownPlan.
    """
    return read_version(find_offer(slug, currency=currency, at=at).pk)


def find_offer(slug: str, *, currency: str | None = None, at: datetime | None = None) -> PlanVersion:
    """The same as a row. A time before the plan had any version finds its first one: so the past can be entered."""
    versions = PlanVersion.objects.select_related("plan").filter(plan__slug=slug)
    offers = list_offers(versions, currency=currency, at=at)
    if not offers and at is not None:
        begun = versions.aggregate(published=Min("published_at"), offered=Min("offered_from"))
        if begun["published"] is not None and at < begun["published"]:
            offers = list_offers(versions, currency=currency, at=begun["offered"])
    if not offers:
        raise UnknownPlan(slug, list_slugs(at=at), currency)
    return offers[0]


def list_plans(*, currency: str | None = None, at: datetime | None = None) -> list[PlanTerms]:
    """Of every plan on offer the version that find_plan finds, smallest rank first."""
    return [describe_version(version) for version in list_offers(load_versions(), currency=currency, at=at)]


def next_plan(slug: str, *, currency: str | None = None, at: datetime | None = None) -> PlanTerms | None:
    """The plan on offer that ranks next above this one, which may be off offer; None when there is none.

    Raises UnknownPlan where there has never been this one.
    """
    rank = Plan.objects.filter(slug=slug).values_list("rank", flat=True).first()
    if rank is None:
        raise UnknownPlan(slug, list_slugs(at=at))
    return next((plan for plan in list_plans(currency=currency, at=at) if plan.rank > rank), None)


def read_version(version_id: int) -> PlanTerms:
    """One version by id, also one that is no longer on offer. Raises PlanVersion.DoesNotExist."""
    return describe_version(load_versions().get(pk=version_id))


def read_versions(version_ids: Collection[int]) -> dict[int, PlanTerms]:
    """The same for many, by id. Eight queries for any number of them."""
    return {version.pk: describe_version(version) for version in load_versions().filter(pk__in=version_ids)}


def list_slugs(*, at: datetime | None = None) -> list[str]:
    """The plans that can be subscribed to, smallest first."""
    on_offer = select_offers(at or timezone.now())
    return list(Plan.objects.filter(versions__in=on_offer).order_by("rank").values_list("slug", flat=True).distinct())


def list_offers(versions: QuerySet[PlanVersion], *, currency: str | None, at: datetime | None) -> list[PlanVersion]:
    """Of each plan the one of these versions that was last put on offer in the currency, unless it was retired since.

    Without a currency it is that of the plan's first version, or, where that is off offer, one that is not.
    """
    offers = versions.filter(pk__in=select_offers(at or timezone.now()))
    if currency is not None:
        offers = offers.filter(currency=currency)
    first = PlanVersion.objects.filter(plan=OuterRef("plan"), published_at__isnull=False).order_by("number")
    # Of several currencies the first one's version comes first, because False sorts before True.
    ordered = offers.annotate(is_foreign=~Q(currency=Subquery(first.values("currency")[:1])))
    by_plan: dict[int, PlanVersion] = {}
    for version in ordered.order_by("plan__rank", "is_foreign", "currency"):
        by_plan.setdefault(version.plan_id, version)
    return list(by_plan.values())


def select_offers(at: datetime) -> QuerySet[PlanVersion]:
    """The versions on offer: of each plan and currency the last one that came, unless it went."""
    # One that was retired before it came has never been on offer.
    came = Q(offered_from__lte=at) & (Q(retired_at__isnull=True) | Q(retired_at__gt=F("offered_from")))
    last = PlanVersion.objects.filter(came, plan=OuterRef("plan"), currency=OuterRef("currency"))
    latest = last.order_by("-offered_from", "-number").values("pk")[:1]
    stays = Q(retired_at__isnull=True) | Q(retired_at__gt=at)
    return PlanVersion.objects.filter(stays, pk=Subquery(latest))


def load_versions() -> QuerySet[PlanVersion]:
    """Versions with all that describe_version reads, in seven queries for any number of them."""
    return PlanVersion.objects.select_related("plan").prefetch_related(
        Prefetch("prices", Price.objects.select_related("meter")),
        "prices__tiers",
        "prices__rows",
        "add_ons",
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
        commitment_minor=version.commitment_minor,
        included_credit_minor=version.included_credit_minor,
        add_ons=tuple(
            AddOnTerms(each.key, each.description, each.unit_amount, each.max_quantity)
            for each in version.add_ons.all()
        ),
        late=describe_late_policy(version),
        thresholds=describe_thresholds(version),
        offered_from=version.offered_from,
        retired_at=version.retired_at,
    )


def describe_late_policy(version: PlanVersion) -> LatePolicy | None:
    if version.late_usage == LateUsage.SETTINGS:
        return None
    return LatePolicy(
        bills=version.late_usage == LateUsage.SETTLE,
        credits=version.late_usage != LateUsage.WAIVE,
        waive_under_minor=version.late_waive_under_minor,
    )


def write_late_policy(policy: LatePolicy | None) -> dict[str, Any]:
    """The columns that describe_late_policy reads. Raises InvalidPlan."""
    if policy is None:
        return {"late_usage": LateUsage.SETTINGS, "late_waive_under_minor": 0}
    if policy.bills and not policy.credits:
        raise InvalidPlan("Who bills late usage credits what is taken back.", "late_usage")
    if policy.waive_under_minor < 0:
        raise InvalidPlan("The amount under which late usage is waived may not be negative.", "late_waive_under")
    late_usage = LateUsage.SETTLE if policy.bills else LateUsage.CREDIT if policy.credits else LateUsage.WAIVE
    return {"late_usage": late_usage, "late_waive_under_minor": policy.waive_under_minor}


def describe_thresholds(version: PlanVersion) -> Thresholds:
    amounts = tuple(Money(minor, version.currency).amount for minor in version.thresholds_minor)
    step = version.threshold_step_minor
    return Thresholds(amounts, None if step is None else Money(step, version.currency).amount)


def write_thresholds(thresholds: Thresholds, currency: str) -> dict[str, Any]:
    """The columns that describe_thresholds reads. Raises InvalidPlan."""
    step = None if thresholds.step is None else to_minor(thresholds.step, currency, "threshold_step")
    return {
        "thresholds_minor": [to_minor(amount, currency, "thresholds") for amount in thresholds.single],
        "threshold_step_minor": step,
    }


def to_minor(amount: Decimal, currency: str, field: str) -> int:
    minor = round_money(amount, currency)
    if minor.amount != amount:
        raise InvalidPlan(f"{amount} is no amount that {currency} has.", field)
    return minor.minor


def find_late_policy(terms: PlanTerms) -> LatePolicy:
    """The version's own, or that of settings.BILLING_LATE_POLICY, whose amount is in whole units of any currency."""
    if terms.late is not None:
        return terms.late
    stated = LateUsage(settings.BILLING_LATE_POLICY["late_usage"])
    under = round_money(Decimal(settings.BILLING_LATE_POLICY["waive_under"]), terms.currency).minor
    return LatePolicy(bills=stated == LateUsage.SETTLE, credits=stated != LateUsage.WAIVE, waive_under_minor=under)


def describe_periods(version: PlanVersion) -> PeriodTerms:
    return PeriodTerms(
        interval=Interval(version.interval),
        anchoring=Anchoring(version.anchoring),
        proration=Proration(version.proration),
        trial_days=version.trial_days,
        grace_hours=version.grace_hours,
    )


def store_limits(version: PlanVersion, limits: Iterable[PlanLimitTerms]) -> None:
    rows: dict[int, PlanLimit] = {}
    for number, limit in enumerate(limits):
        meter_id = find_meter_id(limit.meter_key, f"limits[{number}].meter")
        if meter_id in rows:
            raise InvalidPlan(f"{version} limits the meter {limit.meter_key} twice.", f"limits[{number}].meter")
        quantity = check_limit(limit, f"limits[{number}]").quantity
        rows[meter_id] = PlanLimit(version=version, meter_id=meter_id, quantity=quantity, is_hard=limit.is_hard)
    PlanLimit.objects.bulk_create(rows.values())


def store_add_ons(version: PlanVersion, add_ons: Iterable[AddOnTerms]) -> None:
    rows = [
        AddOn(
            version=version,
            position=position,
            key=terms.key,
            description=terms.description,
            unit_amount=check_add_on(terms, f"add_ons[{position - 1}]").unit_amount,
            max_quantity=terms.max_quantity,
        )
        for position, terms in enumerate(add_ons, start=1)
    ]
    keys = [row.key for row in rows]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise InvalidPlan(f"{version} has the add-on {key!r} twice.", f"add_ons[{number}].key")
    AddOn.objects.bulk_create(rows)


def check_add_on(terms: AddOnTerms, field: str) -> AddOnTerms:
    """Raises InvalidPlan."""
    try:
        check_digits(terms.unit_amount, UNIT_PRICE_DIGITS, error=InvalidPlan, name=f"The add-on {terms.key}")
    except InvalidPlan as error:
        error.field = f"{field}.unit_amount"
        raise
    if terms.max_quantity is not None and terms.max_quantity < 1:
        raise InvalidPlan(f"At least one of the add-on {terms.key} can be had.", f"{field}.max_quantity")
    return terms


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


def check_limit(limit: PlanLimitTerms, field: str) -> PlanLimitTerms:
    """Raises InvalidPlan."""
    try:
        check_digits(limit.quantity, QUANTITY_DIGITS, error=InvalidPlan, name=f"The limit on {limit.meter_key}")
    except InvalidPlan as error:
        error.field = f"{field}.quantity"
        raise
    return limit
