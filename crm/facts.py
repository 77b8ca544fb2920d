"""A lead as others see it, and what can go wrong when they ask for something."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from crm.models import CLOSED_STAGES, Lead, Priority, Severity


@dataclass(frozen=True, slots=True)
class LeadFact:
    id: int
    account_id: int
    stage: str
    rep_id: int | None  # nobody yet: the lead is in the queue
    priority: str  # low, normal or high: by what stands now
    severity: str  # info, warning or critical: that of the worst alert that joined
    level: Decimal | None  # the highest level of a limit that was reached, in percent
    lost_reason: str
    opened_at: datetime
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class CooledFact:
    """An alert that came too soon after a lead was lost, and was no worse: it opened none."""

    alert_id: int
    lead_id: int
    account_id: int
    at: datetime


class CRMError(Exception):
    """Refused; the message says why in words for the person who asked. Nothing was changed."""


class UnknownLead(CRMError):
    pass


class UnknownRep(CRMError):
    pass


class LeadIsClosed(CRMError):
    pass


class LeadIsTaken(CRMError):
    pass


class MoveNotAllowed(CRMError):
    pass


class ReasonMissing(CRMError):
    pass


class SnoozeRefused(CRMError):
    pass


class EmptyNote(CRMError):
    pass


class NoteTooLong(CRMError):
    pass


def describe_lead(lead: Lead) -> LeadFact:
    return LeadFact(
        id=lead.pk,
        account_id=lead.account_id,
        stage=lead.stage,
        rep_id=lead.rep_id,
        priority=Priority(lead.priority).name.lower(),
        severity=Severity(lead.severity).name.lower(),
        level=lead.level,
        lost_reason=lead.lost_reason,
        opened_at=lead.opened_at,
        closed_at=lead.closed_at,
    )


def lock_lead(lead_id: int) -> Lead:
    """Hold the lead's row until the transaction ends. Leads are locked before reps. Raises UnknownLead."""
    try:
        return Lead.objects.select_for_update(no_key=True).get(pk=lead_id)
    except Lead.DoesNotExist:
        raise UnknownLead(_("There is no such lead.")) from None


def require_open(lead: Lead) -> None:
    if lead.stage in CLOSED_STAGES:
        raise LeadIsClosed(_("This lead is closed. What comes next opens a new one."))
