"""Add-ons of a subscription: had from now on, billed for what is left of the period, or from the next period on.

They are fees of the plan like its flat prices: one line each on a period's invoice for what there was when it began,
with discounts and taxes, and towards a commitment. What changes within it is billed by items, as seats are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext

from billing.add_on_rows import drop_planned, is_planned, list_rows, set_quantity
from billing.holdings import LARGEST_QUANTITY, hold
from billing.lifecycle import load_subscriptions, lock_subscription, log, require_running
from billing.models import AddOn, Subscription, SubscriptionAddOn, SubscriptionMove, SubscriptionState
from billing.parts import MoveRefused, read_period
from billing.shifts import bill_shift, hold_period, preview_shift, refresh_later
from billing.subscriptions import find_held
from billing.switching import MovePreview


class UnknownAddOn(MoveRefused):
    """The subscription's version offers no add-on with this key."""


@dataclass(frozen=True, slots=True)
class AddOnFact:
    """An add-on that a subscription may have: what a unit costs a period, how many it has, and what is planned.

    Where nothing is planned, `planned_at` is None and `planned_quantity` what it has.
    """

    key: str
    description: str
    currency: str
    unit_amount: Decimal
    max_quantity: int | None
    quantity: int
    planned_quantity: int
    planned_at: datetime | None


def list_add_ons(subscription_id: int, *, at: datetime) -> list[AddOnFact]:
    """What its version offers, in the version's order, be it had or not."""
    subscription = load_subscriptions().get(pk=subscription_id)
    rows = list_rows(subscription, after=at)
    return [
        describe_add_on(each, [row for row in rows if row.key == each.key], subscription.version.currency, at=at)
        for each in subscription.version.add_ons.all()
    ]


def name_held(subscription_id: int, *, at: datetime) -> list[tuple[int, str]]:
    """How many it has of what, as its version describes it, in the version's order. One query."""
    held = "version__subscriptions__held_add_ons"
    goes_on = Q(**{f"{held}__ends_at__isnull": True}) | Q(**{f"{held}__ends_at__gt": at})
    found = AddOn.objects.filter(
        goes_on,
        version__subscriptions=subscription_id,
        **{f"{held}__key": F("key"), f"{held}__starts_at__lte": at},
    )
    return list(found.order_by("position").values_list(f"{held}__quantity", "description"))


@transaction.atomic
def add_add_on(subscription_id: int, key: str, *, at: datetime, quantity: int = 1, by: int | None = None) -> None:
    """Let the subscription have so many of it from `at` on, in all. Quiet where it has as many and nothing is planned.

    What is left of the period is charged for those that come, and given back for those that go. What was planned for
    it is dropped. While the subscription is paused nothing is billed.
    Raises UnknownSubscription, UnknownAddOn, MoveRefused, PeriodFinal.
    """
    subscription = lock_subscription(subscription_id, at=at)
    check_quantity(find_add_on(subscription, key), quantity)
    change_now(subscription, key, quantity, at=at, by=by)


@transaction.atomic
def remove_add_on(subscription_id: int, key: str, *, at: datetime, by: int | None = None) -> None:
    """Let the subscription have it no more from `at` on; what is left of the period is given back. Quiet without it.

    Raises UnknownSubscription, MoveRefused, PeriodFinal.
    """
    change_now(lock_subscription(subscription_id, at=at), key, 0, at=at, by=by)


@transaction.atomic
def schedule_add_on(subscription_id: int, key: str, *, quantity: int, at: datetime, by: int | None = None) -> datetime:
    """Let it have so many of it, or none, from the next period on; returns when that begins. It can be undone.

    A second call changes nothing; another number takes the place of the one that was planned.
    Raises UnknownSubscription, UnknownAddOn, MoveRefused.
    """
    subscription = lock_subscription(subscription_id, at=at)
    if quantity:
        check_quantity(find_add_on(subscription, key), quantity)
    require_running(subscription)
    period = read_period(subscription, at=at)
    now, then = (count_held(subscription, key, at=moment) for moment in (at, period.ends_at))
    if then == quantity and now != quantity:
        return period.ends_at
    if subscription.cancels_at is not None or now == quantity:
        raise MoveRefused(gettext("The subscription will end, or has as many of it already."))
    log(subscription, SubscriptionMove.ADD_ON_PLANNED, name(key, now), name(key, quantity), at=at, by=by)
    set_quantity(subscription, key, quantity, at=period.ends_at)
    refresh_later(subscription, at=at)
    return period.ends_at


@transaction.atomic
def undo_add_on(subscription_id: int, key: str, *, at: datetime, by: int | None = None) -> None:
    """Keep what there is of it after all. Quiet where nothing is planned. Raises UnknownSubscription."""
    subscription = lock_subscription(subscription_id, at=at)
    if not is_planned(subscription, at=at, key=key):
        return
    planned = count_planned(list_rows(subscription, after=at, key=key))
    drop_planned(subscription, at=at, key=key)
    now = count_held(subscription, key, at=at)
    log(subscription, SubscriptionMove.ADD_ON_UNDONE, name(key, planned), name(key, now), at=at, by=by)
    refresh_later(subscription, at=at)


def preview_add_on(subscription_id: int, key: str, quantity: int, *, at: datetime) -> MovePreview:
    """What having so many of it, or none, from now on would give back and ask, writing nothing.

    Raises what add_add_on raises, but for races.
    """
    subscription = load_subscriptions().get(pk=subscription_id)
    if quantity:
        check_quantity(find_add_on(subscription, key), quantity)
    require_live(subscription)
    now = find_held(subscription, subscription.version_id, at)
    others = {each: count for each, count in now.add_ons if each != key}
    return preview_shift(subscription, hold(now.seats, others | ({key: quantity} if quantity else {})), at=at)


def change_now(subscription: Subscription, key: str, quantity: int, *, at: datetime, by: int | None) -> None:
    old = count_held(subscription, key, at=at)
    if old == quantity and not is_planned(subscription, at=at, key=key):
        return
    require_live(subscription)
    period = hold_period(subscription, at=at)
    before = find_held(subscription, subscription.version_id, at)
    set_quantity(subscription, key, quantity, at=at)
    change = log(subscription, SubscriptionMove.ADD_ON_CHANGED, name(key, old), name(key, quantity), at=at, by=by)
    if period is not None:
        bill_shift(subscription, period, change, before=before)
    refresh_later(subscription, at=at)


def find_add_on(subscription: Subscription, key: str) -> AddOn:
    found = AddOn.objects.filter(version=subscription.version_id, key=key).first()
    if found is None:
        raise UnknownAddOn(f"{subscription.version} offers no add-on {key!r}.")
    return found


def check_quantity(add_on: AddOn, quantity: int) -> None:
    """Raises MoveRefused."""
    most = add_on.max_quantity or LARGEST_QUANTITY
    if isinstance(quantity, bool) or not isinstance(quantity, int) or not 1 <= quantity <= most:
        words = {"add_on": add_on, "most": most, "quantity": quantity}
        raise MoveRefused(gettext("Of %(add_on)s 1 to %(most)s can be had, not %(quantity)s.") % words)


def require_live(subscription: Subscription) -> None:
    if subscription.state == SubscriptionState.ENDED:
        raise MoveRefused(gettext("The subscription is ended."))


def count_held(subscription: Subscription, key: str, *, at: datetime) -> int:
    """How many of it there are at that time, be it planned."""
    return count_at(list_rows(subscription, after=at, key=key), at=at)


def count_at(rows: Sequence[SubscriptionAddOn], *, at: datetime) -> int:
    return next((row.quantity for row in rows if row.starts_at <= at), 0)


def count_planned(rows: Sequence[SubscriptionAddOn]) -> int:
    """How many there will be once all that is planned has come."""
    return next((row.quantity for row in reversed(rows) if row.ends_at is None), 0)


def describe_add_on(add_on: AddOn, rows: Sequence[SubscriptionAddOn], currency: str, *, at: datetime) -> AddOnFact:
    turns = [row.ends_at if row.starts_at <= at else row.starts_at for row in rows]
    return AddOnFact(
        key=add_on.key,
        description=add_on.description,
        currency=currency,
        unit_amount=add_on.unit_amount,
        max_quantity=add_on.max_quantity,
        quantity=count_at(rows, at=at),
        planned_quantity=count_planned(rows),
        planned_at=min((turn for turn in turns if turn is not None), default=None),
    )


def name(key: str, quantity: int) -> str:
    """As the history tells it."""
    return f"{quantity} × {key}"
