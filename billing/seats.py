"""More seats or fewer: now, billed for what is left of the period, or when the period ends.

A period's invoice bills the seats that there were when it began, each at the whole fee. What changes within it is
billed by items on the same invoice, as a change of plan is: so that more and fewer again costs nothing but the time
between.
"""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from billing.holdings import check_seats
from billing.lifecycle import load_subscriptions, lock_subscription, log, require_running
from billing.models import Price, Subscription, SubscriptionMove
from billing.parts import MoveRefused, read_period
from billing.shifts import bill_shift, hold_period, preview_shift, refresh_later
from billing.subscriptions import find_held
from billing.switching import MovePreview


@transaction.atomic
def change_quantity(subscription_id: int, quantity: int, *, at: datetime, by: int | None = None) -> None:
    """Let the subscription have so many seats from `at` on. Quiet where it has as many already.

    What is left of the period is charged for those that come, and given back for those that go. What was planned
    before for its seats is undone. While it is paused nothing is billed.
    Raises UnknownSubscription, InvalidSeats, MoveRefused, PeriodFinal.
    """
    check_seats(quantity)
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.quantity == quantity and subscription.quantity_at is None:
        return
    require_seats(subscription)
    period, old = hold_period(subscription, at=at), subscription.quantity
    before = find_held(subscription, subscription.version_id, at)
    subscription.quantity, subscription.next_quantity, subscription.quantity_at = quantity, None, None
    subscription.save()
    if old != quantity:
        change = log(subscription, SubscriptionMove.QUANTITY_CHANGED, old, quantity, at=at, by=by)
        if period is not None:
            bill_shift(subscription, period, change, before=before)
    refresh_later(subscription, at=at)


@transaction.atomic
def schedule_quantity(subscription_id: int, quantity: int, *, at: datetime, by: int | None = None) -> datetime:
    """Let it have so many seats from the next period on; returns when that begins. Until then it can be undone.

    A second call changes nothing; another number takes the place of the one that was planned.
    Raises UnknownSubscription, InvalidSeats, MoveRefused.
    """
    check_seats(quantity)
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.next_quantity == quantity and subscription.quantity_at is not None:
        return subscription.quantity_at
    require_running(subscription)
    require_seats(subscription)
    if subscription.cancels_at is not None or subscription.quantity == quantity:
        raise MoveRefused(gettext("The subscription will end, or has as many seats already."))
    period = read_period(subscription, at=at)
    log(subscription, SubscriptionMove.QUANTITY_PLANNED, subscription.quantity, quantity, at=at, by=by)
    subscription.next_quantity, subscription.quantity_at = quantity, period.ends_at
    subscription.save()
    refresh_later(subscription, at=at)
    return period.ends_at


@transaction.atomic
def undo_quantity(subscription_id: int, *, at: datetime, by: int | None = None) -> None:
    """Keep the seats after all. Quiet where none are planned. Raises UnknownSubscription."""
    subscription = lock_subscription(subscription_id, at=at)
    if subscription.quantity_at is None:
        return
    planned = subscription.next_quantity
    log(subscription, SubscriptionMove.QUANTITY_UNDONE, planned, subscription.quantity, at=at, by=by)
    subscription.next_quantity, subscription.quantity_at = None, None
    subscription.save()
    refresh_later(subscription, at=at)


def preview_quantity(subscription_id: int, quantity: int, *, at: datetime) -> MovePreview:
    """What change_quantity would give back and ask, writing nothing. Raises what that raises, but for races."""
    check_seats(quantity)
    subscription = load_subscriptions().get(pk=subscription_id)
    require_seats(subscription)
    now = find_held(subscription, subscription.version_id, at)
    return preview_shift(subscription, replace(now, seats=quantity), at=at)


def require_seats(subscription: Subscription) -> None:
    """Raises MoveRefused where no price is by seat: more of them would change nothing, and be a mistake."""
    versions = [subscription.version_id, subscription.next_version_id]
    if not Price.objects.filter(version__in=versions, per_seat=True).exists():
        raise MoveRefused(gettext("%(version)s has no price by seat.") % {"version": subscription.version})
