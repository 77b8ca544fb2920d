"""Moving the subscribers of a version to what a plan offers now: first who they are and what changes, then the move."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice

from django.db import transaction
from django.db.models import QuerySet

from billing.models import LIVE, Subscription
from billing.parts import MoveRefused
from billing.plans import PlanTerms, find_plan, read_version
from billing.price_imports import list_differences
from billing.subscriptions import MeterTaken
from billing.switching import change_plan, preview_change, schedule_change
from jobs import queue

MOVE_SUBSCRIBER = "billing.move_subscriber"


class When(StrEnum):
    NOW = "now"  # with what is left of the period prorated
    AT_END = "at_end"  # of each one's period


@dataclass(frozen=True, slots=True)
class SubscriberMove:
    """One subscriber: when the move takes effect, and what it gives back and asks at once; or why it cannot be made.

    `net_minor` is in the smallest unit of the version's currency, and zero at the end of a period.
    """

    subscription_id: int
    account_id: int
    account_name: str
    takes_effect_at: datetime | None
    net_minor: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class MoveReport:
    """What changes of the terms, in words, and for whom."""

    before: PlanTerms
    after: PlanTerms
    differences: tuple[str, ...]
    subscribers: tuple[SubscriberMove, ...]


def count_subscribers(version_id: int) -> int:
    return live_on(version_id).count()


def preview_moves(version_id: int, plan_slug: str, *, when: When, at: datetime, limit: int | None = None) -> MoveReport:
    """What move_subscribers would do, writing nothing; of so many subscribers, the first ones.

    Raises PlanVersion.DoesNotExist, UnknownPlan.
    """
    before, after = find_terms(version_id, plan_slug, at=at)
    asked = islice(list_subscribers(version_id, after), limit)
    moves = (preview_one(each, plan_slug, when=when, at=at) for each in asked)
    return MoveReport(before, after, tuple(list_differences(before, after)), tuple(moves))


def move_subscribers(version_id: int, plan_slug: str, *, when: When, at: datetime, by: int | None = None) -> MoveReport:
    """Put every live subscriber of the version on the plan's version on offer, now or when each one's period ends.

    Each in a transaction of its own: one that is refused is told and stops no other. A second call finds those that
    could not be moved, and changes nothing about those whose move is planned. Raises PlanVersion.DoesNotExist,
    UnknownPlan.
    """
    before, after = find_terms(version_id, plan_slug, at=at)
    moves = tuple(move_one(each, plan_slug, when=when, at=at, by=by) for each in list_subscribers(version_id, after))
    return MoveReport(before, after, tuple(list_differences(before, after)), moves)


@transaction.atomic
def enqueue_moves(version_id: int, plan_slug: str, *, when: When, key: str, at: datetime, by: int | None = None) -> int:
    """Promise a job for each that move_subscribers would move; how many are new. A second call with the key promises
    nothing more for those that it promised. Raises PlanVersion.DoesNotExist, UnknownPlan.
    """
    _before, after = find_terms(version_id, plan_slug, at=at)
    payload = {"version": version_id, "plan": plan_slug, "when": when.value, "by": by}
    return sum(
        queue.enqueue(MOVE_SUBSCRIBER, f"{key}:{each.pk}", payload | {"subscription": each.pk}, at=at)
        for each in list_subscribers(version_id, after)
    )


def move_subscriber(
    subscription_id: int, version_id: int, plan_slug: str, *, when: When, at: datetime, by: int | None = None
) -> SubscriberMove | None:
    """The same for one; None where it is not on that version any more. Raises UnknownPlan."""
    subscription = live_on(version_id).filter(pk=subscription_id).first()
    return move_one(subscription, plan_slug, when=when, at=at, by=by) if subscription else None


def find_terms(version_id: int, plan_slug: str, *, at: datetime) -> tuple[PlanTerms, PlanTerms]:
    before = read_version(version_id)
    return before, find_plan(plan_slug, currency=before.currency, at=at)


def list_subscribers(version_id: int, after: PlanTerms) -> Iterator[Subscription]:
    """Nobody moves to the version that they are on."""
    if version_id == after.version_id:
        return
    yield from live_on(version_id).iterator(chunk_size=500)


def live_on(version_id: int) -> QuerySet[Subscription]:
    subscriptions = Subscription.objects.filter(version_id=version_id, state__in=LIVE)
    return subscriptions.select_related("account").order_by("pk")


def preview_one(subscription: Subscription, plan_slug: str, *, when: When, at: datetime) -> SubscriberMove:
    try:
        preview = preview_change(subscription.pk, plan_slug, at=at)
    except (MoveRefused, MeterTaken) as error:
        return describe_move(subscription, None, refusal=str(error))
    if when is When.NOW:
        return describe_move(subscription, at, net_minor=preview.net_minor)
    return describe_move(subscription, find_period_end(subscription, at=at))


def move_one(subscription: Subscription, plan_slug: str, *, when: When, at: datetime, by: int | None) -> SubscriberMove:
    try:
        if when is When.AT_END:
            return describe_move(subscription, schedule_change(subscription.pk, plan_slug, at=at, by=by))
        net_minor = preview_change(subscription.pk, plan_slug, at=at).net_minor
        change_plan(subscription.pk, plan_slug, at=at, by=by)
    except (MoveRefused, MeterTaken) as error:
        return describe_move(subscription, None, refusal=str(error))
    return describe_move(subscription, at, net_minor=net_minor)


def find_period_end(subscription: Subscription, *, at: datetime) -> datetime | None:
    period = subscription.periods.filter(starts_at__lte=at, ends_at__gt=at).first()
    return period.ends_at if period else None


def describe_move(
    subscription: Subscription, takes_effect_at: datetime | None, *, net_minor: int = 0, refusal: str = ""
) -> SubscriberMove:
    account = subscription.account
    return SubscriberMove(
        subscription_id=subscription.pk,
        account_id=account.pk,
        account_name=account.name or account.key,
        takes_effect_at=takes_effect_at,
        net_minor=net_minor,
        refusal=refusal,
    )
