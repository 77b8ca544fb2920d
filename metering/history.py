"""How far back raw events reach: what was pruned can be read from rollups, but no more by its events."""

from datetime import datetime

from metering.calendars import HOUR
from metering.events import floor_hour
from metering.models import Pruning


class HistoryPruned(ValueError):
    """The raw events of these hours were dropped: what they came to can be read, but not be counted again."""


def require_history(start: datetime) -> None:
    """Raises HistoryPruned when events at or after `start` may have been dropped."""
    pruned = Pruning.objects.filter(kept_after__gte=start).order_by("-kept_after").first()
    if pruned is not None and pruned.kept_after is not None:
        refuse_pruned(pruned.kept_after)


def refuse_pruned(kept_after: datetime) -> None:
    raise HistoryPruned(f"Raw events up to {kept_after:%Y-%m-%d %H:%M} UTC were pruned; the hours up to then stay.")


def find_kept_from() -> datetime | None:
    """The first hour whose raw events are all there; None when nothing was ever pruned."""
    pruned = Pruning.objects.filter(kept_after__isnull=False).order_by("-kept_after").first()
    return None if pruned is None or pruned.kept_after is None else floor_hour(pruned.kept_after) + HOUR


def is_readable(start: datetime, end: datetime) -> bool:
    """Whether the usage of [start, end) can be told exactly: a bound within an hour needs the events of that hour."""
    split = [floor_hour(bound) for bound in (start, end) if floor_hour(bound) != bound]
    kept_from = find_kept_from() if split else None
    return kept_from is None or min(split) >= kept_from
