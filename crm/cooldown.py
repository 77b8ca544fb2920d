"""After a lead was lost: for a while nobody calls again, unless it has become worse."""

from datetime import timedelta
from decimal import Decimal

from django.conf import settings

from crm.models import CLOSED_STAGES, Lead, Severity, Signal, Stage
from crm.priorities import weigh
from metering.alerts import AlertFact, read_alerts

LIGHTEST = (Severity.INFO, Decimal(0))


def find_cooling_lead(alert: AlertFact) -> Lead | None:
    """The account's last lead, if it was lost shortly before the alert, which is no worse than what it was about.

    A lead that was won does not cool: what comes after it is a new sale.
    """
    closed = Lead.objects.filter(account_id=alert.account_id, stage__in=CLOSED_STAGES)
    lead = closed.order_by("-closed_at", "-pk").first()
    if lead is None or lead.stage != Stage.LOST or lead.closed_at is None:
        return None
    cools_until = lead.closed_at + timedelta(days=settings.LEAD_COOLDOWN_DAYS)
    return lead if alert.detected_at < cools_until and not is_worse(alert, lead) else None


def is_worse(alert: AlertFact, lead: Lead) -> bool:
    """Worse than the worst that the lead was about. A forecast weighs as much as the level that it expects."""
    ids = Signal.objects.filter(lead=lead, is_cooled=False).values_list("alert_id", flat=True)
    worst = max((weigh(known) for known in read_alerts(ids).values()), default=LIGHTEST)
    return weigh(alert) > worst
