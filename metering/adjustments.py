"""Adjustments: what changed in a window after its period was final, for whoever bills the difference."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from metering.models import Adjustment


@dataclass(frozen=True, slots=True)
class AdjustmentFact:
    """By how much the usage of a closed window [start, end) changed, and why: `late`, `correction` or `backfill`."""

    id: int
    account_id: int
    meter_id: int
    meter_key: str
    start: datetime
    end: datetime
    quantity: Decimal
    cause: str
    made_at: datetime


def list_adjustments(
    *, account_id: int | None = None, start: datetime | None = None, end: datetime | None = None, after: int = 0
) -> list[AdjustmentFact]:
    """Of windows that lie within [start, end), in the order they were made; at most a thousand, from those after an id.

    What is given as None bounds nothing.
    """
    rows = Adjustment.objects.filter(pk__gt=after).select_related("meter").order_by("pk")
    if account_id is not None:
        rows = rows.filter(account_id=account_id)
    if start is not None:
        rows = rows.filter(starts_at__gte=start)
    if end is not None:
        rows = rows.filter(ends_at__lte=end)
    return [state_adjustment(row) for row in rows[:1_000]]


def sum_adjustments(account_ids: Collection[int], *, start: datetime, end: datetime) -> dict[tuple[int, int], Decimal]:
    """(account, meter) → the sum of what changed in its window [start, end) after that was closed, where it did."""
    rows = Adjustment.objects.filter(account_id__in=account_ids, starts_at=start, ends_at=end)
    sums = rows.values_list("account_id", "meter_id").order_by().annotate(quantity=Sum("quantity"))
    return {(account_id, meter_id): quantity for account_id, meter_id, quantity in sums}


def state_adjustment(row: Adjustment) -> AdjustmentFact:
    return AdjustmentFact(
        id=row.pk,
        account_id=row.account_id,
        meter_id=row.meter_id,
        meter_key=row.meter.key,
        start=row.starts_at,
        end=row.ends_at,
        quantity=row.quantity,
        cause=row.cause,
        made_at=row.made_at,
    )
