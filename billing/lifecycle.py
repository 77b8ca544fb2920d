"""What may happen to a subscription: its states, and one function for each move.

Each locks the subscription, looks, writes, adds to the history, and is quiet where it is already so. What the clock was
to do before is done first.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from billing.add_on_rows import drop_planned, end_all, is_planned, keep_offered
from billing.models import PlanVersion, Subscription, SubscriptionChange, SubscriptionMove, SubscriptionState
from billing.parts import (
    Cut,
    MoveRefused,
    begin_part,
    cut_period,
    give_back,
    read_period,
    read_zone,
    reopen,
    withdraw_later,
)
from billing.periods import find_period
from billing.subscriptions import RUNNING, find_cycle, move_anchor, record_new_terms

TRIALING, ACTIVE = SubscriptionState.TRIALING, SubscriptionState.ACTIVE
PAUSED, ENDED = SubscriptionState.PAUSED, SubscriptionState.ENDED
MOVES: dict[str, frozenset[SubscriptionState]] = {
    TRIALING: frozenset({ACTIVE, ENDED}),
    ACTIVE: frozenset({PAUSED, ENDED}),
    PAUSED: frozenset({ACTIVE, ENDED}),
    ENDED: frozenset(),
}


class UnknownSubscription(LookupError):
    """There is no subscription with this id."""


@transaction.atomic
def end_trial(subscription_id: int, *, at: datetime, by: int | None = None) -> None:
    """Bill the subscription from `at` on, before its trial was to end. Quiet where it has ended.

    Where its periods do not go with the calendar, they begin with the moment at which the trial ends.
    Raises UnknownSubscription, MoveRefused.
    """
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.state == ACTIVE:
        return
    require_move(subscription, ACTIVE)
    planned = (subscription.cancels_at, subscription.changes_at, subscription.quantity_at)
    if any(moment is not None for moment in planned) or is_planned(subscription, at=at):
        raise MoveRefused(gettext("Something is planned for the end of the trial; undo that first."))
    cut_period(subscription, at=at)
    if subscription.anchor == subscription.trial_ends_at:
        subscription.anchor = at
    subscription.trial_ends_at = at
    reopen(subscription, at=at)
    log(subscription, SubscriptionMove.TRIAL_ENDED, subscription.state, ACTIVE, at=at, by=by)
    subscription.state = ACTIVE
    subscription.save()


@transaction.atomic
def pause(subscription_id: int, *, at: datetime, by: int | None = None) -> None:
    """Bill nothing from `at` until it is resumed; the period ends there, and the unused part of its fees is given back.

    What was planned is undone. Usage is counted but billed to nobody, and nothing limits it.
    Raises UnknownSubscription, MoveRefused, PeriodFinal.
    """
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.state == PAUSED:
        return
    require_move(subscription, PAUSED)
    change = log(subscription, SubscriptionMove.PAUSED, subscription.state, PAUSED, at=at, by=by)
    give_back(subscription, cut_period(subscription, at=at), change)
    subscription.state, subscription.cancels_at = PAUSED, None
    drop_plans(subscription, at=at)
    subscription.save()


@transaction.atomic
def resume(subscription_id: int, *, at: datetime, by: int | None = None) -> None:
    """Bill again from `at`: of the period that the calendar or the anchor makes, the fees of the part that is left.

    Raises UnknownSubscription, MoveRefused.
    """
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.state == ACTIVE:
        return
    if subscription.state == TRIALING:
        raise MoveRefused(gettext("The subscription is on trial; it was not paused."))
    require_move(subscription, ACTIVE)
    change = log(subscription, SubscriptionMove.RESUMED, subscription.state, ACTIVE, at=at, by=by)
    subscription.state = ACTIVE
    zone = read_zone(subscription)
    start, end = find_period(at, find_cycle(subscription), zone)
    begin_part(subscription, Cut(None, at, start, end, zone), change, end=end)
    subscription.save()


@transaction.atomic
def cancel(subscription_id: int, *, at: datetime, by: int | None = None) -> None:
    """End the subscription now: its period is billed with what was used, and the unused part of its fees given back.

    Raises UnknownSubscription, PeriodFinal.
    """
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.state == ENDED:
        return
    require_move(subscription, ENDED)
    change = log(subscription, SubscriptionMove.ENDED, subscription.state, ENDED, at=at, by=by)
    if subscription.state in RUNNING:
        give_back(subscription, cut_period(subscription, at=at), change)
    end(subscription, at=at)


@transaction.atomic
def cancel_at_end(subscription_id: int, *, at: datetime, by: int | None = None) -> datetime:
    """Let the subscription end with its period; returns when. A second call changes nothing; it can be undone.

    Raises UnknownSubscription, MoveRefused.
    """
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.cancels_at is not None:
        return subscription.cancels_at
    require_running(subscription)
    period = read_period(subscription, at=at)
    log(subscription, SubscriptionMove.END_PLANNED, "", f"{period.ends_at:%Y-%m-%d %H:%M}", at=at, by=by)
    subscription.cancels_at = period.ends_at
    drop_plans(subscription, at=at)
    subscription.save()
    withdraw_later(subscription, at=at)
    return period.ends_at


@transaction.atomic
def undo_cancel(subscription_id: int, *, at: datetime, by: int | None = None) -> None:
    """Let the subscription go on after all. Quiet where no end is planned. Raises UnknownSubscription, MoveRefused."""
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.cancels_at is None:
        return
    if subscription.cancels_at <= at:
        raise MoveRefused(gettext("The subscription has come to its end."))
    log(subscription, SubscriptionMove.END_UNDONE, f"{subscription.cancels_at:%Y-%m-%d %H:%M}", "", at=at, by=by)
    subscription.cancels_at = None
    subscription.save()


def settle_due(at: datetime) -> int:
    """What the clock does: ends of subscriptions and trials, planned plans and seats.

    Returns how many; then none is left.
    """
    due = Q(cancels_at__lte=at) | Q(trial_ends_at__lte=at, state=TRIALING) | Q(changes_at__lte=at)
    due |= Q(quantity_at__lte=at)
    ids = Subscription.objects.filter(due).exclude(state=ENDED).order_by("pk").values_list("pk", flat=True)
    return sum(settle_one(pk, at=at) for pk in list(ids))


@transaction.atomic
def settle_one(subscription_id: int, *, at: datetime) -> int:
    """Whoever comes second waits for the lock, and finds nothing to do."""
    return settle_locked(lock_row(subscription_id), at=at)


def settle_locked(subscription: Subscription, *, at: datetime) -> int:
    """What is due by `at`, each at its own time: first its end, else that of its trial, then another plan and seats."""
    count, cancels_at, changes_at = 0, subscription.cancels_at, subscription.changes_at
    if cancels_at is not None and cancels_at <= at:
        log(subscription, SubscriptionMove.ENDED, subscription.state, ENDED, at=cancels_at)
        end(subscription, at=cancels_at)
        return 1
    trial_end = subscription.trial_ends_at
    if subscription.state == TRIALING and trial_end is not None and trial_end <= at:
        log(subscription, SubscriptionMove.TRIAL_ENDED, subscription.state, ACTIVE, at=trial_end)
        subscription.state = ACTIVE
        count += 1
    version = subscription.next_version
    if version is not None and changes_at is not None and changes_at <= at:
        log(subscription, SubscriptionMove.PLAN_CHANGED, subscription.version, version, at=changes_at)
        subscription.anchor = move_anchor(subscription, version, changes_at)
        before = subscription.version
        switch_version(subscription, version)
        record_new_terms(subscription, before, at=changes_at)
        keep_offered(subscription, version, at=changes_at)
        count += 1
    quantity, quantity_at = subscription.next_quantity, subscription.quantity_at
    if quantity is not None and quantity_at is not None and quantity_at <= at:
        log(subscription, SubscriptionMove.QUANTITY_CHANGED, subscription.quantity, quantity, at=quantity_at)
        subscription.quantity, subscription.next_quantity, subscription.quantity_at = quantity, None, None
        count += 1
    if count:
        subscription.save()
    return count


def switch_version(subscription: Subscription, version: PlanVersion) -> None:
    subscription.version, subscription.plan_id = version, version.plan_id
    subscription.next_version, subscription.changes_at = None, None


def end(subscription: Subscription, *, at: datetime) -> None:
    subscription.state, subscription.ended_at, subscription.cancels_at = ENDED, at, None
    drop_plans(subscription, at=at)
    end_all(subscription, at=at)
    subscription.save()


def drop_plans(subscription: Subscription, *, at: datetime) -> None:
    """Whatever was planned for it, but its end."""
    subscription.next_version, subscription.changes_at = None, None
    subscription.next_quantity, subscription.quantity_at = None, None
    drop_planned(subscription, at=at)


def load_subscriptions() -> QuerySet[Subscription]:
    return Subscription.objects.select_related("version__plan", "next_version__plan")


def lock_subscription(subscription_id: int, *, at: datetime) -> Subscription:
    """Keep others from moving it, and do what the clock was to do by `at`. Raises UnknownSubscription."""
    subscription = lock_row(subscription_id)
    settle_locked(subscription, at=at)
    return subscription


def lock_row(subscription_id: int) -> Subscription:
    """no_key: an invoice that is being made may point at it.

    Locked alone and read afterwards: whoever waited for a change of the version would not find the row that it was
    joined with.
    """
    row = Subscription.objects.select_for_update(no_key=True).filter(pk=subscription_id)
    if not row.values_list("pk", flat=True).first():
        raise UnknownSubscription(f"There is no subscription {subscription_id}.")
    return load_subscriptions().get(pk=subscription_id)


def require_move(subscription: Subscription, state: SubscriptionState) -> None:
    if state not in MOVES[subscription.state]:
        words = {"state": subscription.get_state_display(), "other": state.label}
        raise MoveRefused(gettext("A subscription that is %(state)s cannot become %(other)s.") % words)


def require_running(subscription: Subscription) -> None:
    if subscription.state not in RUNNING:
        raise MoveRefused(gettext("The subscription is %(state)s.") % {"state": subscription.get_state_display()})


def log(
    subscription: Subscription,
    move: SubscriptionMove,
    before: object,
    after: object,
    *,
    at: datetime,
    by: int | None = None,
) -> SubscriptionChange:
    return SubscriptionChange.objects.create(
        subscription=subscription, move=move, before=str(before), after=str(after), at=at, made_by_id=by
    )
