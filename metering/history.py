"""How far back raw events reach: what was pruned can be read from rollups, but no more by its events."""

from datetime import datetime

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
