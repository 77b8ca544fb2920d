"""Which add-ons a subscription has when: one row for each time with one quantity, kept whole under the caller's lock.

A row that begins and ends at one moment was planned and never came; it stays as a trace.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from billing.models import AddOn, PlanVersion, Subscription, SubscriptionAddOn


def list_rows(subscription: Subscription, *, after: datetime, key: str | None = None) -> list[SubscriptionAddOn]:
    """Those in effect at some time after that moment, or at it, the earliest first."""
    rows = SubscriptionAddOn.objects.filter(subscription=subscription).order_by("starts_at", "pk")
    if key is not None:
        rows = rows.filter(key=key)
    return [row for row in rows if row.ends_at is None or (row.ends_at > after and row.ends_at > row.starts_at)]


def set_quantity(subscription: Subscription, key: str, quantity: int, *, at: datetime) -> None:
    """So many of it from `at` on; none where that is nothing. What was planned for it after `at` is dropped."""
    for row in list_rows(subscription, after=at, key=key):
        end_row(row, at=max(at, row.starts_at))
    if quantity:
        SubscriptionAddOn.objects.create(subscription=subscription, key=key, quantity=quantity, starts_at=at)


def drop_planned(subscription: Subscription, *, at: datetime, key: str | None = None) -> int:
    """Let what is in effect at `at` go on, and nothing else begin. Returns how many rows changed."""
    changed = 0
    for row in list_rows(subscription, after=at, key=key):
        if row.starts_at > at:
            end_row(row, at=row.starts_at)
            changed += 1
    for row in list_rows(subscription, after=at, key=key):
        if row.ends_at is not None:
            row.ends_at = None
            row.save(update_fields=["ends_at"])
            changed += 1
    return changed


def move_planned(subscription: Subscription, *, at: datetime, to: datetime) -> None:
    """What was planned after `at` takes effect at another time: the period that it waits for ends there."""
    planned = {row.key: 0 for row in list_rows(subscription, after=at) if row.ends_at is not None}
    planned |= {row.key: row.quantity for row in list_rows(subscription, after=at) if row.starts_at > at}
    for key, quantity in planned.items():
        drop_planned(subscription, at=at, key=key)
        set_quantity(subscription, key, quantity, at=to)


def is_planned(subscription: Subscription, *, at: datetime, key: str | None = None) -> bool:
    """Whether something of it begins or ends after `at`."""
    return any(row.starts_at > at or row.ends_at is not None for row in list_rows(subscription, after=at, key=key))


def keep_offered(subscription: Subscription, version: PlanVersion, *, at: datetime) -> None:
    """From `at` on, when a version takes over: what it does not offer ends, and of the rest no more than it allows."""
    rows = list_rows(subscription, after=at)
    limits = read_limits(version.pk) if rows else {}
    for row in rows:
        most = limits.get(row.key, 0)
        if most is not None and most < row.quantity:
            set_quantity(subscription, row.key, most, at=max(at, row.starts_at))


def end_all(subscription: Subscription, *, at: datetime) -> None:
    for row in list_rows(subscription, after=at):
        end_row(row, at=max(at, row.starts_at))


def end_row(row: SubscriptionAddOn, *, at: datetime) -> None:
    row.ends_at = at
    row.save(update_fields=["ends_at"])


def pick_offered(rows: Iterable[SubscriptionAddOn], version_id: int, at: datetime) -> dict[str, int]:
    """key → how many of it there are at that time of those that the version offers, and no more than it allows."""
    held = {row.key: row.quantity for row in rows if row.starts_at <= at and (row.ends_at is None or row.ends_at > at)}
    if not held:
        return {}
    limits = read_limits(version_id)
    return {key: allow(quantity, limits[key]) for key, quantity in held.items() if key in limits}


def allow(quantity: int, most: int | None) -> int:
    return quantity if most is None else min(quantity, most)


def read_limits(version_id: int) -> Mapping[str, int | None]:
    """key → the most of it that a subscriber may have; None for any."""
    return dict(AddOn.objects.filter(version_id=version_id).values_list("key", "max_quantity"))
