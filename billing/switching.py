"""Another plan for a subscription: now, with what is left of the period prorated, or when the period ends."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from billing.add_on_rows import keep_offered, move_planned
from billing.fees import FeePart, add_parts, charge_fees
from billing.lifecycle import TRIALING, load_subscriptions, lock_subscription, log, require_running, switch_version
from billing.models import PlanVersion, Subscription, SubscriptionMove
from billing.parts import (
    MoveRefused,
    begin_part,
    cut_period,
    describe_cut,
    find_left,
    give_back,
    list_credits,
    list_fees,
    read_period,
    withdraw_later,
)
from billing.plans import describe_periods, find_offer
from billing.subscriptions import RUNNING, find_held, move_anchor, record_new_terms, require_free_meters


@dataclass(frozen=True, slots=True)
class MovePreview:
    """What a move gives back of fees (amounts below zero) and asks of others, in the currency's smallest unit."""

    currency: str
    credits: tuple[FeePart, ...]
    charges: tuple[FeePart, ...]

    @property
    def net_minor(self) -> int:
        return add_parts(self.credits) + add_parts(self.charges)


@transaction.atomic
def change_plan(subscription_id: int, plan_slug: str, *, at: datetime, by: int | None = None) -> None:
    """Put the subscription on the plan's version on offer now. Quiet where it is on that already.

    The period is cut at `at`: what was used before is billed by the old version, with its fees less the part of the
    whole period that is left; what follows by the new one, with that part of its fees. Limits begin anew. Where the
    periods are of another kind, they begin with `at`. What was planned before for the plan is undone; seats stay, and
    so do add-ons as far as the new version offers them; what is planned for them waits for the end of the new period.
    Raises UnknownSubscription, MoveRefused, PeriodFinal, MeterTaken, plans' UnknownPlan.
    """
    subscription = lock_subscription(subscription_id, at=at)
    version = find_version(subscription, plan_slug, at=at)
    if version.pk == subscription.version_id:
        return
    require_running(subscription)
    require_free_meters(subscription, version)
    change = log(subscription, SubscriptionMove.PLAN_CHANGED, subscription.version, version, at=at, by=by)
    before = subscription.version
    cut = cut_period(subscription, at=at)
    give_back(subscription, cut, change)
    keeps_end = keeps_periods(subscription, version)
    if subscription.cancels_at is not None and not keeps_end:
        raise MoveRefused(gettext("The subscription will end; its periods cannot become others before."))
    subscription.anchor = find_anchor(subscription, version, at=at)
    switch_version(subscription, version)
    keep_offered(subscription, version, at=at)
    period = begin_part(subscription, cut, change, end=cut.whole_end if keeps_end else None)
    record_new_terms(subscription, before, at=at)
    if subscription.quantity_at is not None:
        subscription.quantity_at = period.ends_at
    move_planned(subscription, at=at, to=period.ends_at)
    subscription.save()


@transaction.atomic
def schedule_change(subscription_id: int, plan_slug: str, *, at: datetime, by: int | None = None) -> datetime:
    """Let the plan's version on offer take over when the period ends; returns when. Until then it can be undone.

    A second call changes nothing; another plan takes the place of the one that was planned.
    Raises UnknownSubscription, MoveRefused, MeterTaken, plans' UnknownPlan.
    """
    subscription = lock_subscription(subscription_id, at=at)
    version = find_version(subscription, plan_slug, at=at)
    if subscription.next_version_id == version.pk and subscription.changes_at is not None:
        return subscription.changes_at
    require_running(subscription)
    if subscription.cancels_at is not None or version.pk == subscription.version_id:
        raise MoveRefused(gettext("The subscription will end, or is on that version already."))
    require_free_meters(subscription, version)
    period = read_period(subscription, at=at)
    log(subscription, SubscriptionMove.CHANGE_PLANNED, subscription.version, version, at=at, by=by)
    subscription.next_version, subscription.changes_at = version, period.ends_at
    subscription.save()
    withdraw_later(subscription, at=at)
    return period.ends_at


@transaction.atomic
def undo_change(subscription_id: int, *, at: datetime, by: int | None = None) -> None:
    """Stay on the plan after all. Quiet where no change is planned. Raises UnknownSubscription, MoveRefused."""
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.changes_at is None:
        return
    if subscription.changes_at <= at:
        raise MoveRefused(gettext("The change has taken effect."))
    log(subscription, SubscriptionMove.CHANGE_UNDONE, subscription.next_version, subscription.version, at=at, by=by)
    subscription.next_version, subscription.changes_at = None, None
    subscription.save()
    withdraw_later(subscription, at=at)


def preview_change(subscription_id: int, plan_slug: str, *, at: datetime) -> MovePreview:
    """What change_plan would give back and ask, writing nothing. Raises what that raises, but for races."""
    subscription = load_subscriptions().get(pk=subscription_id)
    version = find_version(subscription, plan_slug, at=at)
    require_running(subscription)
    period = read_period(subscription, at=at, opens=False)
    cut = describe_cut(subscription, period, at=at)
    if period.is_free:
        return MovePreview(version.currency, (), ())
    cycle = describe_periods(version).cycle(find_anchor(subscription, version, at=at))
    left = find_left(version, cycle, cut, end=cut.whole_end if keeps_periods(subscription, version) else None)
    fees = list_fees(subscription, version, at=at, held=find_held(subscription, version.pk, at))
    return MovePreview(
        version.currency, tuple(list_credits(subscription, period, cut)), tuple(charge_fees(fees, left=left))
    )


def preview_cancel(subscription_id: int, *, at: datetime) -> MovePreview:
    """What cancel, or pause, would give back of fees; what was used is billed besides. Raises MoveRefused."""
    subscription = load_subscriptions().get(pk=subscription_id)
    if subscription.state not in RUNNING:
        return MovePreview(subscription.version.currency, (), ())
    period = read_period(subscription, at=at, opens=False)
    credits = list_credits(subscription, period, describe_cut(subscription, period, at=at))
    return MovePreview(period.version.currency, tuple(credits), ())


def find_version(subscription: Subscription, plan_slug: str, *, at: datetime) -> PlanVersion:
    return find_offer(plan_slug, currency=subscription.version.currency, at=at)


def keeps_periods(subscription: Subscription, version: PlanVersion) -> bool:
    """Whether the period under way ends when it was to end: a trial does, and a period of the same kind."""
    old = subscription.version
    is_same_kind = (old.interval, old.anchoring) == (version.interval, version.anchoring)
    return is_same_kind or subscription.state == TRIALING


def find_anchor(subscription: Subscription, version: PlanVersion, *, at: datetime) -> datetime:
    """Periods of another kind begin now, or when the trial ends."""
    trial_end = subscription.trial_ends_at if subscription.state == TRIALING else None
    return move_anchor(subscription, version, trial_end or at)
