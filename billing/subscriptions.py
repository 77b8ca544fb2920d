"""Subscriptions: which account is on which plan version, and the monthly periods it is billed by.

A period is opened before it begins, together with the limits that metering watches in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from billing import profiles
from billing.constraints import find_constraint
from billing.models import Period, PlanLimit, PlanVersion, Price, Subscription, SubscriptionState
from billing.periods import list_periods, next_period
from billing.plans import UnknownPlan, list_slugs
from metering import limits
from metering.limits import LimitTerms


class AlreadySubscribed(ValueError):
    """The account has an active subscription; it can have only one."""


class StartsInFuture(ValueError):
    """A subscription begins now or in the past."""


@dataclass(frozen=True, slots=True)
class SubscriptionFact:
    """A subscription, with the period [period_start, period_end) that it is in."""

    id: int
    account_id: int
    plan_slug: str
    plan_name: str
    version_id: int
    version_number: int
    currency: str
    time_zone: str
    started_at: datetime
    period_id: int
    period_start: datetime
    period_end: datetime


@transaction.atomic
def create_subscription(*, account_id: int, plan_slug: str, started_at: datetime, at: datetime) -> SubscriptionFact:
    """Put the account on the plan's latest published version, billed by calendar month in its own time zone.

    Opens every period from `started_at` (the first is partial) to the one that holds `at`, and hands the plan's limits
    to metering for the periods that have not ended. An account without a billing profile gets one in its own name.
    Ingestion waits until the caller's transaction ends, so keep that short.
    Raises UnknownPlan, StartsInFuture, AlreadySubscribed.
    """
    if started_at > at:
        raise StartsInFuture(f"A subscription cannot begin at {started_at}, which is after {at}.")
    version = find_offer(plan_slug)
    profile = profiles.read_or_set_profile(account_id)
    subscription = store_subscription(account_id=account_id, version=version, started_at=started_at)
    bounds = list_periods(started_at, until=at, time_zone=profile.time_zone)
    periods = open_periods(subscription, bounds, at=at)
    return describe_subscription(periods[-1], time_zone=profile.time_zone)


def read_subscription(*, account_id: int, at: datetime) -> SubscriptionFact | None:
    """The subscription the account has at that time; None when it has none.

    When the period that holds `at` is not open yet, the one before it stands in.
    """
    running = Q(subscription__ended_at__isnull=True) | Q(subscription__ended_at__gt=at)
    period = (
        Period.objects.filter(running, subscription__account_id=account_id, starts_at__lte=at)
        .select_related("subscription__version__plan")
        .order_by("-starts_at")
        .first()
    )
    if period is None:
        return None
    return describe_subscription(period, time_zone=profiles.read_profile(account_id).time_zone)


def open_next_periods(at: datetime) -> int:
    """Open the next period of every active subscription whose last one ends soon (settings.BILLING_OPEN_AHEAD).

    Several may run at once. Returns how many periods were opened; a second call opens none.
    """
    horizon = at + settings.BILLING_OPEN_AHEAD
    covered = Period.objects.filter(subscription=OuterRef("pk"), closed_at__isnull=True, ends_at__gt=horizon)
    ending = Subscription.objects.filter(~Exists(covered), state=SubscriptionState.ACTIVE).order_by("pk")
    return sum(extend_subscription(pk, until=horizon, at=at) for pk in ending.values_list("pk", flat=True))


@transaction.atomic
def extend_subscription(subscription_id: int, *, until: datetime, at: datetime) -> int:
    """Open periods up to the one that holds `until`; returns how many. Whoever holds the subscription does it alone."""
    # no_key: closing a period points a new invoice at this row, and must not wait for us while we wait for limits.
    free = Subscription.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    subscription = free.filter(pk=subscription_id, state=SubscriptionState.ACTIVE).select_related("version").first()
    if subscription is None:
        return 0
    time_zone = profiles.read_profile(subscription.account_id).time_zone
    end = subscription.periods.latest("ends_at").ends_at
    bounds = []
    while end <= until:
        start, end = next_period(end, time_zone)
        bounds.append((start, end))
    return len(open_periods(subscription, bounds, at=at))


def open_periods(
    subscription: Subscription, bounds: Iterable[tuple[datetime, datetime]], *, at: datetime
) -> list[Period]:
    """Store the periods, then hand over the limits of those that go on: last, because it makes ingestion wait."""
    periods = Period.objects.bulk_create(
        Period(subscription=subscription, starts_at=start, ends_at=end) for start, end in bounds
    )
    terms = list_limit_terms(subscription.version_id)
    for period in periods:
        if terms and period.ends_at > at:
            limits.hand_over_limits(
                account_id=subscription.account_id,
                terms=terms,
                start=period.starts_at,
                end=period.ends_at,
                at=at,
            )
    return periods


def list_limit_terms(version_id: int) -> Sequence[LimitTerms]:
    """What the plan allows, and an unlimited window for each other meter it charges, so that its late usage is told."""
    limited = [
        LimitTerms(meter_id=limit.meter_id, quantity=limit.quantity, is_hard=limit.is_hard)
        for limit in PlanLimit.objects.filter(version_id=version_id).order_by("meter_id")
    ]
    charged = Price.objects.filter(version_id=version_id, meter__isnull=False).exclude(
        meter_id__in=[item.meter_id for item in limited]
    )
    unlimited = charged.order_by("meter_id").values_list("meter_id", flat=True).distinct()
    return [*limited, *(LimitTerms(meter_id=meter_id, quantity=None, is_hard=False) for meter_id in unlimited)]


def find_offer(plan_slug: str) -> PlanVersion:
    offers = PlanVersion.objects.filter(plan__slug=plan_slug, published_at__isnull=False)
    version = offers.select_related("plan").order_by("-number").first()
    if version is None:
        raise UnknownPlan(plan_slug, list_slugs())
    return version


def store_subscription(*, account_id: int, version: PlanVersion, started_at: datetime) -> Subscription:
    try:
        with transaction.atomic():
            return Subscription.objects.create(account_id=account_id, version=version, started_at=started_at)
    except IntegrityError as error:
        if find_constraint(error) != "subscription_one_active_per_account":
            raise
        raise AlreadySubscribed(f"Account {account_id} has an active subscription already.") from error


def describe_subscription(period: Period, *, time_zone: str) -> SubscriptionFact:
    subscription = period.subscription
    version = subscription.version
    return SubscriptionFact(
        id=subscription.pk,
        account_id=subscription.account_id,
        plan_slug=version.plan.slug,
        plan_name=version.plan.name,
        version_id=version.pk,
        version_number=version.number,
        currency=version.currency,
        time_zone=time_zone,
        started_at=subscription.started_at,
        period_id=period.pk,
        period_start=period.starts_at,
        period_end=period.ends_at,
    )
