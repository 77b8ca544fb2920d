"""Subscriptions: which account is on which plan version, and the periods it is billed by.

A period is opened before it begins, together with the limits that metering watches in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, Q

from billing import profiles
from billing.constraints import find_constraint
from billing.models import Period, PlanLimit, PlanVersion, Price, Subscription, SubscriptionState
from billing.periods import Cycle, follow_periods, list_periods
from billing.plans import describe_periods, find_offer
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


def create_subscription(
    *, account_id: int, plan_slug: str, started_at: datetime, at: datetime, anchor: datetime | None = None
) -> SubscriptionFact:
    """Put the account on the plan's version on offer, billed by its periods in the account's own time zone.

    An account keeps its currency: once it has had a subscription, only offers in that currency are for it.

    Where these do not go with the calendar, the day and the time of day of `anchor` recur (`started_at` when left out).
    Opens every period from `started_at` (the first is partial) to the one that holds `at`, and hands the plan's limits
    to metering for the periods that have not ended. An account without a billing profile gets one in its own name.
    Ingestion waits until the caller's transaction ends, so keep that short.
    Raises UnknownPlan, StartsInFuture, AlreadySubscribed, metering's UnknownAccount; then nothing changed.
    """
    require_start_in_past(started_at, at=at)
    try:
        with transaction.atomic():
            version = find_offer(plan_slug, currency=read_currency(account_id), at=at)
            profile = profiles.read_or_set_profile(account_id)
            subscription = Subscription(
                account_id=account_id, version=version, started_at=started_at, anchor=anchor or started_at
            )
            subscription.save(force_insert=True)
            bounds = list_periods(started_at, find_cycle(subscription), until=at, time_zone=profile.time_zone)
            periods = open_periods([(subscription, bounds)], at=at)
    except IntegrityError as error:
        if find_constraint(error) != "subscription_one_active_per_account":
            raise
        raise AlreadySubscribed(f"Account {account_id} has an active subscription already.") from error
    return describe_subscription(periods[-1], time_zone=profile.time_zone)


def create_subscriptions(*, account_ids: Iterable[int], plan_slug: str, started_at: datetime, at: datetime) -> int:
    """create_subscription for many accounts, a hundred per transaction. Returns how many were made.

    Accounts that have a subscription or another currency, and ids that no account has, are left alone: a second call
    makes none.
    Raises UnknownPlan, StartsInFuture.
    """
    require_start_in_past(started_at, at=at)
    version = find_offer(plan_slug, at=at)
    ids = list(dict.fromkeys(account_ids))
    return sum(
        subscribe_batch(ids[start : start + BATCH], version=version, started_at=started_at, at=at)
        for start in range(0, len(ids), BATCH)
    )


@transaction.atomic
def subscribe_batch(account_ids: list[int], *, version: PlanVersion, started_at: datetime, at: datetime) -> int:
    foreign = Subscription.objects.filter(account_id__in=account_ids).exclude(version__currency=version.currency)
    others = set(foreign.values_list("account_id", flat=True))
    zones = read_zones([pk for pk in account_ids if pk not in others])
    Subscription.objects.bulk_create(
        (Subscription(account_id=pk, version=version, started_at=started_at, anchor=started_at) for pk in zones),
        ignore_conflicts=True,
    )
    # Those of an earlier call have their periods; ours have none yet.
    ours = Subscription.objects.filter(account_id__in=zones, version=version, periods=None)
    new = list(ours.select_related("version").order_by("pk"))
    chains = [
        (each, list_periods(started_at, find_cycle(each), until=at, time_zone=zones[each.account_id])) for each in new
    ]
    open_periods(chains, at=at)
    return len(new)


def read_currency(account_id: int) -> str | None:
    """In which currency the account is billed; None until it has had a subscription."""
    subscriptions = Subscription.objects.filter(account_id=account_id).order_by("pk")
    return subscriptions.values_list("version__currency", flat=True).first()


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
    opened = 0
    while (count := extend_batch(until=at + settings.BILLING_OPEN_AHEAD, at=at)) is not None:
        opened += count
    return opened


@transaction.atomic
def extend_batch(*, until: datetime, at: datetime) -> int | None:
    """Open periods of some subscriptions up to the one that holds `until`; returns how many, None when all are there.

    Subscriptions that somebody else is extending are left to them.
    """
    covered = Period.objects.filter(subscription=OuterRef("pk"), closed_at__isnull=True, ends_at__gt=until)
    # no_key: closing a period points a new invoice at this row, and must not wait for us while we wait for limits.
    free = Subscription.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    batch = (
        free.select_related("version").filter(~Exists(covered), state=SubscriptionState.ACTIVE).order_by("pk")[:BATCH]
    )
    subscriptions = {subscription.pk: subscription for subscription in batch}
    if not subscriptions:
        return None
    zones = read_zones(subscription.account_id for subscription in subscriptions.values())
    # Read under the lock: another run may have gone ahead while we chose.
    ends = Period.objects.filter(subscription__in=subscriptions).values_list("subscription").annotate(Max("ends_at"))
    chains = []
    for pk, end in ends:
        subscription = subscriptions[pk]
        zone = zones[subscription.account_id]
        chains.append((subscription, follow_periods(end, find_cycle(subscription), until=until, time_zone=zone)))
    return len(open_periods(chains, at=at))


def find_cycle(subscription: Subscription) -> Cycle:
    return describe_periods(subscription.version).cycle(subscription.anchor)


def read_zones(account_ids: Iterable[int]) -> dict[int, str]:
    """account id → time zone."""
    found = profiles.read_or_set_profiles(list(account_ids))
    return {account_id: profile.time_zone for account_id, profile in found.items()}


def open_periods(
    chains: Iterable[tuple[Subscription, Iterable[tuple[datetime, datetime]]]], *, at: datetime
) -> list[Period]:
    """Store the periods, then hand over the limits of those that go on: last, because it makes ingestion wait."""
    periods = Period.objects.bulk_create(
        Period(subscription=subscription, starts_at=start, ends_at=end)
        for subscription, bounds in chains
        for start, end in bounds
    )
    windows: dict[tuple[int, datetime, datetime], list[int]] = {}
    for period in periods:
        if period.ends_at > at:
            window = (period.subscription.version_id, period.starts_at, period.ends_at)
            windows.setdefault(window, []).append(period.subscription.account_id)
    for (version_id, start, end), account_ids in windows.items():
        limits.hand_over_limits(
            account_ids=account_ids, terms=list_limit_terms(version_id), start=start, end=end, at=at
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
