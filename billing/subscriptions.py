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

BATCH = 100


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


def create_subscription(*, account_id: int, plan_slug: str, started_at: datetime, at: datetime) -> SubscriptionFact:
    """Put the account on the plan's latest published version, billed by calendar month in its own time zone.

    Opens every period from `started_at` (the first is partial) to the one that holds `at`, and hands the plan's limits
    to metering for the periods that have not ended. An account without a billing profile gets one in its own name.
    Ingestion waits until the caller's transaction ends, so keep that short.
    Raises UnknownPlan, StartsInFuture, AlreadySubscribed, metering's UnknownAccount; then nothing changed.
    """
    require_start_in_past(started_at, at=at)
    try:
        with transaction.atomic():
            version = find_offer(plan_slug)
            profile = profiles.read_or_set_profile(account_id)
            subscription = Subscription(account_id=account_id, version=version, started_at=started_at)
            subscription.save(force_insert=True)
            bounds = list_periods(started_at, until=at, time_zone=profile.time_zone)
            periods = open_periods(subscription, bounds, terms=list_limit_terms(version.pk), at=at)
    except IntegrityError as error:
        if find_constraint(error) != "subscription_one_active_per_account":
            raise
        raise AlreadySubscribed(f"Account {account_id} has an active subscription already.") from error
    return describe_subscription(periods[-1], time_zone=profile.time_zone)


def create_subscriptions(*, account_ids: Iterable[int], plan_slug: str, started_at: datetime, at: datetime) -> int:
    """create_subscription for many accounts, a hundred per transaction. Returns how many were made.

    Accounts that have a subscription, and ids that no account has, are left alone: a second call makes none.
    Raises UnknownPlan, StartsInFuture.
    """
    require_start_in_past(started_at, at=at)
    version = find_offer(plan_slug)
    terms = list_limit_terms(version.pk)
    ids = list(dict.fromkeys(account_ids))
    return sum(
        subscribe_batch(ids[start : start + BATCH], version=version, terms=terms, started_at=started_at, at=at)
        for start in range(0, len(ids), BATCH)
    )


@transaction.atomic
def subscribe_batch(
    account_ids: list[int], *, version: PlanVersion, terms: Sequence[LimitTerms], started_at: datetime, at: datetime
) -> int:
    zones = {pk: profile.time_zone for pk, profile in profiles.read_or_set_profiles(account_ids).items()}
    Subscription.objects.bulk_create(
        (Subscription(account_id=pk, version=version, started_at=started_at) for pk in zones), ignore_conflicts=True
    )
    # Those of an earlier call have their periods; ours have none yet.
    new = Subscription.objects.filter(account_id__in=zones, version=version, periods=None).order_by("pk")
    for subscription in new:
        bounds = list_periods(started_at, until=at, time_zone=zones[subscription.account_id])
        open_periods(subscription, bounds, terms=terms, at=at)
    return len(new)


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
    return len(open_periods(subscription, bounds, terms=list_limit_terms(subscription.version_id), at=at))


def open_periods(
    subscription: Subscription,
    bounds: Iterable[tuple[datetime, datetime]],
    *,
    terms: Sequence[LimitTerms],
    at: datetime,
) -> list[Period]:
    """Store the periods, then hand over the limits of those that go on: last, because it makes ingestion wait."""
    periods = Period.objects.bulk_create(
        Period(subscription=subscription, starts_at=start, ends_at=end) for start, end in bounds
    )
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


def require_start_in_past(started_at: datetime, *, at: datetime) -> None:
    if started_at > at:
        raise StartsInFuture(f"A subscription cannot begin at {started_at}, which is after {at}.")


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
