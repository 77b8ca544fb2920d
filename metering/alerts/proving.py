"""What a check would still find of totals that have not moved since the last one: nothing, or a promise is broken."""

from collections.abc import Iterator

from django.utils import timezone

from metering.alerts.detection import see_limit
from metering.alerts.observing import decide_all, watch
from metering.models import Limit

PAGE = 1000


def find_undecided() -> Iterator[tuple[str, str]]:
    """Each level that was reached and is not on record, or was left and still stands. Reads limits in pages."""
    at, last = timezone.now(), 0
    while True:
        limits = list(Limit.objects.filter(closed_at=None, needs_check=False, pk__gt=last).order_by("pk")[:PAGE])
        if not limits:
            return
        watched = watch([seen for limit in limits for seen in see_limit(limit)])
        decide_all(watched, at=at)
        for each in watched:
            seen, decision = each.seen, each.decision
            of = f"{seen.kind} of {seen.value:f}" + ("" if seen.base is None else f" of {seen.base:f}")
            for new in decision.alerts:
                yield f"limit {seen.limit_id}", f"{of}, nothing on record of level {new.level:f}"
            for alert_id, why in decision.resolved:
                yield f"limit {seen.limit_id}", f"{of}, alert {alert_id} stands, though {why}"
        last = limits[-1].pk
