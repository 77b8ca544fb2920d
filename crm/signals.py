"""Which of a lead's signals says best why we call: the latest window's, of those the highest level, then the newest."""

from django.db.models import JSONField, OuterRef, QuerySet, Subquery

from crm.models import Lead, Signal

STRONGEST = ("-alert__ends_at", "-alert__level", "-pk")


def strongest_signal(lead_id: int) -> Signal | None:
    return Signal.objects.filter(lead_id=lead_id).order_by(*STRONGEST).first()


def add_headlines(leads: QuerySet[Lead]) -> QuerySet[Lead]:
    """Give each lead the frozen headline of its strongest signal as `headline`, without the long series beside it."""
    signals = Signal.objects.filter(lead=OuterRef("pk")).order_by(*STRONGEST)
    return leads.annotate(headline=Subquery(signals.values("evidence__headline")[:1], output_field=JSONField()))
