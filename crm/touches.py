"""That a person did something about a lead, and so about the alerts behind it."""

from datetime import datetime

from crm.models import Lead, Signal
from metering.alerts import mark_acted_on


def mark_touched(lead: Lead, *, actor_id: int | None, at: datetime) -> None:
    """Say so of every alert of the lead that nobody has touched before. What the rules do is no touch."""
    if actor_id is not None:
        mark_acted_on(list(Signal.objects.filter(lead=lead).values_list("alert_id", flat=True)), at=at)
