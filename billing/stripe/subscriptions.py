"""What Stripe knows of Palier's subscriptions: each stretch of one is a subscription there."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from billing.models import Period, StripeSubscription
from billing.periods import Interval
from billing.stripe.cycles import Anchor, Hanging, find_cycle

ENDED = ("canceled", "incomplete_expired")  # statuses after which nothing follows


@dataclass(frozen=True, slots=True)
class Mirror:
    """The subscription in Stripe that a period lies in; `stripe_id` is empty until it is made there.

    `items` maps the ids of prices to those of its items; a price without one cannot be charged by a meter. Where
    the period is not exactly one of its cycles (`is_cycle`), `reason` says why, and no meter can charge the period.
    """

    id: int
    stripe_id: str
    customer_id: str
    items: dict[int, str]
    is_cycle: bool
    reason: str


def find_mirror(period: Period) -> Mirror | None:
    """Where the period is in Stripe; None where it is in no subscription there. One query, two for its version."""
    holds = Q(ends_at__isnull=True) | Q(ends_at__gt=period.starts_at)
    rows = StripeSubscription.objects.filter(holds, subscription_id=period.subscription_id)
    row = rows.filter(starts_at__lte=period.starts_at).select_related("version").order_by("-starts_at").first()
    if row is None or row.version_id != period.version_id:
        return None
    reason = explain_difference(row, period.starts_at, period.ends_at)
    items = {int(key): item for key, item in row.items.items() if key.isdecimal() and item not in row.lost_items}
    return Mirror(row.pk, row.stripe_id or "", row.customer_id, items, not reason, reason)


def explain_difference(row: StripeSubscription, start: datetime, end: datetime) -> str:
    """Why [start, end) is not a cycle of that subscription; empty where it is. For staff, in English."""
    if row.status in ENDED and row.closed_at is None:
        return "the subscription was ended in Stripe"
    if row.ends_at is not None and row.ends_at < end:
        return f"the subscription in Stripe ends at {row.ends_at:%Y-%m-%d %H:%M:%S}, before the period does"
    if row.cycle_starts_at is not None and start < row.cycle_starts_at:
        return f"its first cycle in Stripe starts at {row.cycle_starts_at:%Y-%m-%d %H:%M:%S}, after the period does"
    cycle = find_cycle(describe_hanging(row), start)
    if cycle != (start, end):
        return f"the cycle in Stripe is {cycle[0]:%Y-%m-%d %H:%M:%S} – {cycle[1]:%Y-%m-%d %H:%M:%S}"
    return ""


def describe_hanging(row: StripeSubscription) -> Hanging:
    return Hanging(
        row.cycle_starts_at or row.starts_at,
        row.trial_ends_at,
        Interval(row.version.interval),
        Anchor(row.anchor, row.anchor_day),
    )
