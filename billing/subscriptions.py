"""Subscriptions: which account is on which plan version, and the periods it is billed by.

A period is opened before it begins, together with the limits that metering watches in it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import chain

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, prefetch_related_objects
from django.utils.translation import gettext

from billing import profiles
from billing.add_on_rows import pick_offered
from billing.constraints import find_constraint
from billing.credits.included import grant_included
from billing.holdings import ONE_SEAT, Held, check_seats, hold
from billing.models import (
    LIVE,
    Period,
    PlanLimit,
    PlanVersion,
    Price,
    Subscription,
    SubscriptionChange,
    SubscriptionMove,
    SubscriptionState,
)
from billing.periods import Cycle, find_period, find_zone, next_period
from billing.plans import describe_periods, find_offer
from billing.proration import WHOLE
from metering import limits
from metering.limits import ChangeReason, LimitTerms

BATCH = 100
RUNNING = [SubscriptionState.TRIALING, SubscriptionState.ACTIVE]


class AlreadySubscribed(ValueError):
    """The account has a subscription to this plan that has not ended; it can have only one of each plan."""


class StartsInFuture(ValueError):
    """A subscription begins now or in the past."""


class MeterTaken(ValueError):
    """Another subscription of the account charges or limits the same meter; what is used would be billed twice."""


@dataclass(frozen=True, slots=True)
class SubscriptionFact:
    """A subscription, with the period [period_start, period_end) that it is in; a free one is billed to nobody.

    `held` is what there was when the period began, `seats` how many there are.
    """

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
    state: str = SubscriptionState.ACTIVE.value
    is_free: bool = False
    held: Held = ONE_SEAT
    seats: int = 1


def create_subscription(
    *,
    account_id: int,
    plan_slug: str,
    started_at: datetime,
    at: datetime,
    anchor: datetime | None = None,
    quantity: int = 1,
    by: int | None = None,
) -> SubscriptionFact:
    """Put the account on the plan's version on offer, billed by its periods in the account's own time zone.

    `quantity` is how many seats it has. An account keeps its currency: once it has had a subscription, only offers in
    that currency are for it.

    Where these do not go with the calendar, the day and the time of day of `anchor` recur (when left out, those of
    `started_at`, or of the end of the version's trial). A trial is one free period, and the next begins with its end.
    Opens every period from `started_at` (the first is partial) to the one that holds `at`, and hands the plan's limits
    to metering for the periods that have not ended. An account without a billing profile gets one in its own name.
    Ingestion waits until the caller's transaction ends, so keep that short.
    Raises UnknownPlan, StartsInFuture, AlreadySubscribed, MeterTaken, InvalidSeats, metering's UnknownAccount; then
    nothing changed.
    """
    require_start_in_past(started_at, at=at)
    check_seats(quantity)
    try:
        with transaction.atomic():
            version = find_offer(plan_slug, currency=read_currency(account_id), at=at)
            zone = profiles.read_or_set_profile(account_id).time_zone
            subscription = begin_subscription(account_id, version, started_at, anchor=anchor, zone=zone, at=at)
            subscription.quantity = quantity
            subscription.save(force_insert=True)
            prefetch_related_objects([subscription], "held_add_ons")
            require_free_meters(subscription, version)
            periods = open_periods(list_first_periods(subscription, until=at, zone=zone), at=at)
            log_creations([subscription], at=at, by=by)
    except IntegrityError as error:
        if find_constraint(error) != "subscription_one_active_per_account_and_plan":
            raise
        words = {"account": account_id, "plan": plan_slug}
        raise AlreadySubscribed(gettext("Account %(account)s is subscribed to %(plan)s already.") % words) from error
    return describe_subscription(periods[-1], time_zone=zone)


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
    subscribed = set(
        Subscription.objects.filter(account_id__in=zones, state__in=LIVE).values_list("account_id", flat=True)
    )
    Subscription.objects.bulk_create(
        (
            begin_subscription(pk, version, started_at, anchor=None, zone=zone, at=at)
            for pk, zone in zones.items()
            if pk not in subscribed
        ),
        ignore_conflicts=True,
    )
    # Those of an earlier call have their periods; ours have none yet.
    ours = Subscription.objects.filter(account_id__in=zones, version=version, periods=None)
    new = list(ours.select_related("version__plan").prefetch_related("held_add_ons").order_by("pk"))
    firsts = [list_first_periods(each, until=at, zone=zones[each.account_id]) for each in new]
    open_periods(chain.from_iterable(firsts), at=at)
    log_creations(new, at=at)
    return len(new)


def read_currency(account_id: int) -> str | None:
    """In which currency the account is billed; None until it has had a subscription."""
    subscriptions = Subscription.objects.filter(account_id=account_id).order_by("pk")
    return subscriptions.values_list("version__currency", flat=True).first()


def begin_subscription(
    account_id: int,
    version: PlanVersion,
    started_at: datetime,
    *,
    anchor: datetime | None,
    zone: str,
    at: datetime,
) -> Subscription:
    trial_ends_at = find_trial_end(version, started_at, zone)
    is_on_trial = trial_ends_at is not None and trial_ends_at > at
    return Subscription(
        account_id=account_id,
        version=version,
        plan_id=version.plan_id,
        state=SubscriptionState.TRIALING if is_on_trial else SubscriptionState.ACTIVE,
        started_at=started_at,
        trial_ends_at=trial_ends_at,
        anchor=anchor or trial_ends_at or started_at,
    )


def find_trial_end(version: PlanVersion, started_at: datetime, zone: str) -> datetime | None:
    """So many days later, at the same time of day on the account's clocks."""
    if not version.trial_days:
        return None
    return (started_at.astimezone(find_zone(zone)) + timedelta(days=version.trial_days)).astimezone(UTC)


def log_creations(subscriptions: Iterable[Subscription], *, at: datetime, by: int | None = None) -> None:
    SubscriptionChange.objects.bulk_create(
        SubscriptionChange(
            subscription=each,
            move=SubscriptionMove.CREATED,
            after=f"{each.version}, {each.state}",
            at=at,
            made_by_id=by,
        )
        for each in subscriptions
    )


def read_subscription(*, account_id: int, at: datetime) -> SubscriptionFact | None:
    """The main subscription the account has at that time; None when it has none.

    When the period that holds `at` is not open yet, the one before it stands in.
    """
    running = Q(subscription__ended_at__isnull=True) | Q(subscription__ended_at__gt=at)
    latest = (
        Period.objects.filter(running, subscription__account_id=account_id, starts_at__lte=at)
        .select_related("subscription", "version__plan")
        .order_by("subscription_id", "-starts_at")
        .distinct("subscription_id")
    )
    period = choose_main(latest, at=at)
    if period is None:
        return None
    return describe_subscription(period, time_zone=profiles.read_profile(account_id).time_zone)


def choose_main(periods: Iterable[Period], *, at: datetime) -> Period | None:
    """Of the periods that an account's subscriptions are in: the main one's, the one whose plan has the highest rank.

    What runs comes before what is paused; here alone this is decided.
    """
    return max(periods, key=lambda each: (each.ends_at > at, each.version.plan.rank), default=None)


def open_next_periods(at: datetime) -> int:
    """Open the next period of every running subscription whose last one ends soon (settings.BILLING_OPEN_AHEAD).

    Several may run at once. Returns how many periods were opened; a second call opens none.
    """
    opened = 0
    while (count := extend_batch(until=at + settings.BILLING_OPEN_AHEAD, at=at)) is not None:
        opened += count
    return opened


@transaction.atomic
def extend_batch(*, until: datetime, at: datetime) -> int | None:
    """Open periods of some subscriptions up to the one that holds `until`; returns how many, None when all are there.

    Subscriptions that somebody else is extending or changing are left to them.
    """
    runs_on = Q(closed_at__isnull=True, ends_at__gt=until) | Q(ends_at__gte=OuterRef("cancels_at"))
    covered = Period.objects.filter(runs_on, subscription=OuterRef("pk"))
    # no_key: closing a period points a new invoice at this row, and must not wait for us while we wait for limits.
    free = Subscription.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    batch = (
        free.select_related("version", "next_version")
        .prefetch_related("held_add_ons")
        .filter(~Exists(covered), state__in=RUNNING)
        .order_by("pk")[:BATCH]
    )
    subscriptions = {subscription.pk: subscription for subscription in batch}
    if not subscriptions:
        return None
    zones = read_zones(subscription.account_id for subscription in subscriptions.values())
    # Read under the lock: another run may have gone ahead while we chose.
    latest = (
        Period.objects.filter(subscription__in=subscriptions)
        .order_by("subscription_id", "-ends_at")
        .distinct("subscription_id")
    )
    chains: list[Period] = []
    for last in latest:
        subscription = subscriptions[last.subscription_id]
        chains += follow_period(subscription, last, until=until, zone=zones[subscription.account_id])
    return len(open_periods(chains, at=at))


def list_first_periods(subscription: Subscription, *, until: datetime, zone: str) -> list[Period]:
    """From the subscription's start, the trial first where there is one, to the period that holds `until`."""
    start, trial_end = subscription.started_at.astimezone(UTC), subscription.trial_ends_at
    end = trial_end or find_period(start, find_cycle(subscription), zone)[1]
    first = make_period(subscription, subscription.version, start, end)
    first.is_free = trial_end is not None
    return [first, *follow_period(subscription, first, until=until, zone=zone)]


def follow_period(subscription: Subscription, last: Period, *, until: datetime, zone: str) -> Iterator[Period]:
    """The periods after the last one, up to the one that holds `until`, or to the subscription's end."""
    cancels_at = subscription.cancels_at
    while last.ends_at <= until and (cancels_at is None or last.ends_at < cancels_at):
        version, cycle = find_terms(subscription, last.ends_at)
        if last.is_free or version.pk != last.version_id:
            bounds = last.ends_at, find_period(last.ends_at, cycle, zone)[1]
        else:
            bounds = next_period(last.ends_at, cycle, zone)
        last = make_period(subscription, version, *bounds)
        yield last


def make_period(subscription: Subscription, version: PlanVersion, start: datetime, end: datetime) -> Period:
    held = find_held(subscription, version.pk, start)
    return Period(
        subscription=subscription,
        version=version,
        starts_at=start,
        ends_at=end,
        quantity=held.seats,
        add_ons=dict(held.add_ons),
    )


def find_held(subscription: Subscription, version_id: int, at: datetime) -> Held:
    """What it has at that time, be it planned, and the version bills: what a period that begins then bills."""
    planned, planned_at = subscription.next_quantity, subscription.quantity_at
    seats = subscription.quantity if planned is None or planned_at is None or at < planned_at else planned
    return hold(seats, pick_offered(subscription.held_add_ons.all(), version_id, at))


def find_cycle(subscription: Subscription) -> Cycle:
    return describe_periods(subscription.version).cycle(subscription.anchor)


def find_terms(subscription: Subscription, at: datetime) -> tuple[PlanVersion, Cycle]:
    """The version that bills a period which begins at `at`, and where its periods begin: with a planned change anew."""
    version, changes_at = subscription.next_version, subscription.changes_at
    if version is None or changes_at is None or at < changes_at:
        return subscription.version, find_cycle(subscription)
    return version, describe_periods(version).cycle(move_anchor(subscription, version, changes_at))


def move_anchor(subscription: Subscription, version: PlanVersion, at: datetime) -> datetime:
    """A subscription keeps its anchor, unless periods of another kind begin."""
    old, new = subscription.version, version
    return subscription.anchor if (old.interval, old.anchoring) == (new.interval, new.anchoring) else at


def read_zones(account_ids: Iterable[int]) -> dict[int, str]:
    """account id → time zone."""
    found = profiles.read_or_set_profiles(list(account_ids))
    return {account_id: profile.time_zone for account_id, profile in found.items()}


def open_periods(new: Iterable[Period], *, at: datetime, part: Fraction = WHOLE) -> list[Period]:
    """Store the periods with the credit that comes with them, `part` of it where they ask that part of fees.

    Then hand over the limits of those that go on: last, because it makes ingestion wait.
    """
    periods = Period.objects.bulk_create(new)
    grant_included(periods, at=at, part=part)
    windows: dict[tuple[int, datetime, datetime], list[int]] = {}
    for period in periods:
        if period.ends_at > at:
            window = (period.version_id, period.starts_at, period.ends_at)
            windows.setdefault(window, []).append(period.subscription.account_id)
    owners = profiles.read_profiles({account_id for account_ids in windows.values() for account_id in account_ids})
    zones = {account_id: owner.time_zone for account_id, owner in owners.items()}
    slugs = read_slugs({version_id for version_id, _start, _end in windows})
    for (version_id, start, end), account_ids in windows.items():
        limits.hand_over_limits(
            account_ids=account_ids,
            terms=list_limit_terms(version_id),
            start=start,
            end=end,
            at=at,
            plan=slugs[version_id],
            time_zones=zones,
            reason=ChangeReason.RENEWAL,
        )
    return periods


def read_slugs(version_ids: Collection[int]) -> dict[int, str]:
    """version id → the slug of its plan."""
    return dict(PlanVersion.objects.filter(pk__in=version_ids).values_list("pk", "plan__slug"))


def record_new_terms(subscription: Subscription, before: PlanVersion, *, at: datetime) -> None:
    """The subscription's version took the place of `before` at `at`: metering is told what that makes of its limits."""
    limits.record_new_terms(
        account_id=subscription.account_id,
        before=list_limit_terms(before.pk),
        after=list_limit_terms(subscription.version_id),
        at=at,
        is_other_plan=before.plan_id != subscription.plan_id,
    )


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


def list_meters(version_ids: Iterable[int]) -> set[int]:
    """The meters that these versions charge or limit."""
    ids = list(version_ids)
    charged = Price.objects.filter(version_id__in=ids, meter__isnull=False).values_list("meter_id", flat=True)
    limited = PlanLimit.objects.filter(version_id__in=ids).values_list("meter_id", flat=True)
    return {meter_id for meter_id in charged.union(limited) if meter_id is not None}


def list_meters_of(version_ids: Collection[int]) -> dict[int, set[int]]:
    """The same by version, in one query."""
    charged = Price.objects.filter(version_id__in=version_ids, meter__isnull=False).values_list(
        "version_id", "meter_id"
    )
    limited = PlanLimit.objects.filter(version_id__in=version_ids).values_list("version_id", "meter_id")
    meters: dict[int, set[int]] = {version_id: set() for version_id in version_ids}
    for version_id, meter_id in charged.union(limited):
        if meter_id is not None:
            meters[version_id].add(meter_id)
    return meters


def require_free_meters(subscription: Subscription, version: PlanVersion) -> None:
    """Whether no other subscription of the account bills what this version would. Raises MeterTaken.

    The account's profile is locked first, so that of two subscriptions made at once the second sees the other.
    """
    profiles.lock_profile(subscription.account_id)
    others = Subscription.objects.filter(account_id=subscription.account_id, state__in=LIVE).exclude(pk=subscription.pk)
    versions = {pk for pair in others.values_list("version_id", "next_version_id") for pk in pair if pk is not None}
    if versions and list_meters(versions) & list_meters([version.pk]):
        words = {"account": subscription.account_id, "version": version}
        text = gettext("Account %(account)s has another subscription that bills a meter of %(version)s.")
        raise MeterTaken(text % words)


def require_start_in_past(started_at: datetime, *, at: datetime) -> None:
    if started_at > at:
        words = {"start": started_at, "at": at}
        raise StartsInFuture(gettext("A subscription cannot begin at %(start)s, which is after %(at)s.") % words)


def describe_subscription(period: Period, *, time_zone: str) -> SubscriptionFact:
    subscription, version = period.subscription, period.version
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
        state=str(subscription.state),
        is_free=period.is_free,
        held=period.held,
        seats=subscription.quantity,
    )
