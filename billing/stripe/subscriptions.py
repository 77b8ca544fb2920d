"""What Stripe knows of Palier's subscriptions: each stretch of one is a subscription there."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from billing.models import Period, StripeSubscription
from billing.periods import Interval
from billing.stripe.cycles import Anchor, Hanging, find_cycle

DRIFT = "subscription"
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
    """Where the period is in Stripe; None where it is in no subscription there. One query."""
    return find_mirrors([period])[period.pk]


def find_mirrors(periods: Collection[Period]) -> dict[int, Mirror | None]:
    """period id → the same. One query for any number of them."""
    rows: dict[int, list[StripeSubscription]] = {}
    wanted = StripeSubscription.objects.filter(subscription__in={period.subscription_id for period in periods})
    for row in wanted.select_related("version").order_by("-starts_at"):
        rows.setdefault(row.subscription_id, []).append(row)
    return {period.pk: pick_mirror(period, rows.get(period.subscription_id, [])) for period in periods}


def pick_mirror(period: Period, rows: Collection[StripeSubscription]) -> Mirror | None:
    """Of a subscription's stretches, the last one first."""
    start = period.starts_at
    holding = [row for row in rows if row.starts_at <= start and (row.ends_at is None or row.ends_at > start)]
    row = next(iter(holding), None)
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


def name_drift(row: StripeSubscription) -> str:
    return f"{row.subscription_id} {row.stripe_id}"


def describe_hanging(row: StripeSubscription) -> Hanging:
    return Hanging(
        row.cycle_starts_at or row.starts_at,
        row.trial_ends_at,
        Interval(row.version.interval),
        Anchor(row.anchor, row.anchor_day),
    )
