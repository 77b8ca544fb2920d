"""More seats or fewer: now, billed for what is left of the period, or when the period ends.

A period's invoice bills the seats that there were when it began, each at the whole fee. What changes within it is
billed by items on the same invoice, as a change of plan is: so that more and fewer again costs nothing but the time
between.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from billing.fees import FeePart, shift_fees
from billing.holdings import Held, check_seats
from billing.lifecycle import load_subscriptions, lock_subscription, log, require_running
from billing.models import Period, Price, Subscription, SubscriptionChange, SubscriptionMove
from billing.parts import (
    MoveRefused,
    PeriodFinal,
    describe_cut,
    find_part,
    list_fees,
    lock_periods,
    read_period,
    require_nothing_later,
    write_parts,
)
from billing.subscriptions import RUNNING, find_held
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
    if subscription.quantity != quantity:
        change = log(subscription, SubscriptionMove.QUANTITY_CHANGED, subscription.quantity, quantity, at=at, by=by)
        bill_shift(subscription, Held(quantity), change)
    subscription.quantity, subscription.next_quantity, subscription.quantity_at = quantity, None, None
    subscription.save()
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
        raise MoveRefused("The subscription will end, or has as many seats already.")
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
    parts: list[FeePart] = []
    currency = subscription.version.currency
    if subscription.state in RUNNING:
        period = read_period(subscription, at=at, opens=False)
        parts, currency = list_shifts(subscription, period, Held(quantity), at=at), period.version.currency
    return MovePreview(
        currency,
        tuple(part for part in parts if part.amount_minor < 0),
        tuple(part for part in parts if part.amount_minor > 0),
    )


def bill_shift(subscription: Subscription, after: Held, change: SubscriptionChange) -> None:
    """Bill by items what is held from the change on in place of what was, where a period is under way.

    At the very start of a period its own invoice bills it. Closing waits for us, or we for it. Raises PeriodFinal.
    """
    at = change.at
    if subscription.state not in RUNNING:
        return
    period = read_period(subscription, at=at)
    periods = lock_periods(subscription, at=at)
    if any(each.closed_at is not None for each in periods) or period.pk not in {each.pk for each in periods}:
        raise PeriodFinal(f"The period of {at} is billed already.")
    require_nothing_later(subscription, at=at)
    if period.starts_at < at:
        parts = list_shifts(subscription, period, after, at=at)
        write_parts(subscription, period, parts, _("%(fee)s: changed on %(date)s"), change, date=at)
    elif period.is_prorated:
        raise PeriodFinal(f"The subscription was changed at {at} already.")
    else:
        keep_held(period, after)


def list_shifts(subscription: Subscription, period: Period, after: Held, *, at: datetime) -> list[FeePart]:
    if period.is_free:
        return []
    left = find_part(period.version, describe_cut(subscription, period, at=at), at)
    old, new = (
        list_fees(subscription, period.version, at=period.starts_at, held=held)
        for held in (find_held(subscription, at), after)
    )
    return shift_fees(old, new, left=left)


def refresh_later(subscription: Subscription, *, at: datetime) -> None:
    """Periods that were opened ahead begin with what will be held then."""
    for period in lock_periods(subscription, at=at):
        held = find_held(subscription, period.starts_at)
        if period.starts_at > at and period.held != held:
            keep_held(period, held)


def keep_held(period: Period, held: Held) -> None:
    period.quantity = held.seats
    period.save(update_fields=["quantity"])


def require_seats(subscription: Subscription) -> None:
    """Raises MoveRefused where no price is by seat: more of them would change nothing, and be a mistake."""
    versions = [subscription.version_id, subscription.next_version_id]
    if not Price.objects.filter(version__in=versions, per_seat=True).exists():
        raise MoveRefused(f"{subscription.version} has no price by seat.")
