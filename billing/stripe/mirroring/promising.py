"""When a subscription is looked at: each time something of it moved, one errand is promised.

Nothing in core billing calls here. A look compares what was looked at with the append-only history, so that whatever
moved is found, also by a worker that was away; where nothing did, it is a query.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from billing.models import LIVE, StripeCustomer, StripeMirroring, Subscription, SubscriptionChange
from jobs.queue import enqueue

MIRROR_SUBSCRIPTION = "stripe: mirror a subscription"
BATCH = 500


@transaction.atomic
def promise_moved(at: datetime) -> int:
    """Promise an errand for each subscription that moved, or is to be looked at again by now. Returns how many."""
    ready = StripeCustomer.objects.filter(stripe_id__isnull=False, problem="").values("pk")
    add_missing(Subscription.objects.filter(account__in=ready), at=at)
    newer = SubscriptionChange.objects.filter(subscription=OuterRef("pk"), pk__gt=OuterRef("change_id"))
    known = StripeMirroring.objects.filter(subscription__account__in=ready, problem="")
    moved = known.filter(Q(due_at__lte=at) | Exists(newer)).select_for_update(skip_locked=True, of=("self",))
    return promise(moved.order_by("pk")[:BATCH], at=at)


@transaction.atomic
def promise_account(account_id: int, *, at: datetime) -> int:
    """Have all subscriptions of an account looked at anew, whatever stopped them before. Returns how many."""
    add_missing(Subscription.objects.filter(account=account_id), at=at)
    StripeMirroring.objects.filter(subscription__account=account_id).update(problem="")
    known = StripeMirroring.objects.filter(subscription__account=account_id).select_for_update(of=("self",))
    return promise(known.order_by("pk"), at=at)


def add_missing(subscriptions: QuerySet[Subscription], *, at: datetime) -> None:
    new = subscriptions.filter(state__in=LIVE).exclude(pk__in=StripeMirroring.objects.values("pk"))
    StripeMirroring.objects.bulk_create(
        [StripeMirroring(subscription_id=pk, due_at=at) for pk in new.values_list("pk", flat=True)[:BATCH]],
        ignore_conflicts=True,
    )


def promise(rows: Iterable[StripeMirroring], *, at: datetime) -> int:
    """An errand for each; what happens to a subscription from now on is for the next one."""
    mirrorings = list(rows)
    changes = SubscriptionChange.objects.filter(subscription__in=[each.pk for each in mirrorings])
    last = dict(changes.order_by().values_list("subscription").annotate(Max("pk")))
    for each in mirrorings:
        each.number, each.change_id, each.due_at = each.number + 1, last.get(each.pk, 0), None
        enqueue(MIRROR_SUBSCRIPTION, f"{each.pk} {each.number}", {"subscription": each.pk}, at=at)
    StripeMirroring.objects.bulk_update(mirrorings, ["number", "change_id", "due_at"])
    return len(mirrorings)
