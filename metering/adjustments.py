"""Adjustments: what changed in a window after its period was final, for whoever bills the difference."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from metering.models import Adjustment, Correction, Limit


@dataclass(frozen=True, slots=True)
class AdjustmentFact:
    """By how much the usage of a closed window [start, end) changed, and why: `late`, `correction` or `backfill`.

    By zero where only its parts by dimension changed, or nothing did.
    """

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


def read_adjusted(*, account_id: int, meter_id: int, start: datetime, end: datetime) -> Decimal | None:
    """By how much the usage of a window changed since it was closed; None when nobody noted what it was then."""
    limits = Limit.objects.filter(account_id=account_id, meter_id=meter_id, starts_at=start, ends_at=end)
    limit = limits.filter(used_at_close__isnull=False).annotate(adjusted=Sum("adjustments__quantity")).first()
    return None if limit is None else limit.adjusted or Decimal(0)


def is_corrected_since(at: datetime) -> bool:
    """Whether any event was retracted or replaced after this moment."""
    return Correction.objects.filter(made_at__gt=at).exists()


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
