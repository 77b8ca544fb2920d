"""Which of a lead's signals says best why we call.

That of the latest window, of those the gravest, of those the furthest along its limit, then the newest. What cooled is
no reason to call.
"""

from django.db.models import Case, F, IntegerField, JSONField, OuterRef, QuerySet, Subquery, Value, When

from crm.models import Lead, Severity, Signal

GRAVITY = Case(
    When(alert__severity="critical", then=Value(Severity.CRITICAL)),
    When(alert__severity="warning", then=Value(Severity.WARNING)),
    default=Value(Severity.INFO),
    output_field=IntegerField(),
)
PERCENT = Case(When(alert__unit="percent", then=F("alert__level")), default=None)
STRONGEST = ("-alert__ends_at", GRAVITY.desc(), PERCENT.desc(nulls_last=True), "-pk")


def strongest_signal(lead_id: int) -> Signal | None:
    return Signal.objects.filter(lead_id=lead_id, is_cooled=False).order_by(*STRONGEST).first()


def add_headlines(leads: QuerySet[Lead]) -> QuerySet[Lead]:
    """Give each lead the frozen headline of its strongest signal as `headline`, without the long series beside it."""
    signals = Signal.objects.filter(lead=OuterRef("pk"), is_cooled=False).order_by(*STRONGEST)
    return leads.annotate(headline=Subquery(signals.values("evidence__headline")[:1], output_field=JSONField()))
