"""Leads: opened by what metering has to say, joined by what it says next. The door of this app."""

from datetime import datetime
from functools import cache

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from billing.plans import next_plan
from crm.access import Person, visible_leads
from crm.assignment import assign_lead, assign_queue, give_out, take_lead
from crm.evidence import gather_evidence
from crm.facts import (
    CRMError,
    EmptyNote,
    LeadFact,
    LeadIsClosed,
    LeadIsTaken,
    MoveNotAllowed,
    NoteTooLong,
    ReasonMissing,
    UnknownLead,
    UnknownRep,
    describe_lead,
)
from crm.frozen import freeze_evidence
from crm.models import IS_OPEN, Lead, Signal, Stage
from crm.notes import add_note
from crm.transitions import log_transition, move_lead
from metering.alerts import AlertFact, claim_alerts

__all__ = [
    "CRMError",
    "EmptyNote",
    "LeadFact",
    "LeadIsClosed",
    "LeadIsTaken",
    "MoveNotAllowed",
    "NoteTooLong",
    "ReasonMissing",
    "UnknownLead",
    "UnknownRep",
    "add_note",
    "assign_lead",
    "assign_queue",
    "list_leads",
    "list_open_leads",
    "move_lead",
    "open_leads",
    "read_lead",
    "take_lead",
]

ALERT_BATCH = 100
OPENING_ATTEMPTS = 3


def open_leads(*, at: datetime) -> int:
    """Turn every waiting alert into a signal on its account's open lead, opening one where there is none.

    A transaction per batch: an alert is claimed exactly when its signal is there. New leads go to the least loaded
    present rep; those that wait in the queue are given out too. Returns how many alerts became signals; a second call
    finds none. Any number of these may run at once.
    """
    taken = 0
    while batch := open_batch(at=at):
        taken += batch
    assign_queue(at=at)
    return taken


@transaction.atomic
def open_batch(*, at: datetime) -> int:
    """One batch of alerts. Leads are locked in the order of their accounts, before any rep: runs never cross."""
    alerts = claim_alerts(at=at, limit=ALERT_BATCH)
    find_next = cache(next_plan)
    gathered = [(alert, gather_evidence(alert, at=at, find_next=find_next)) for alert in alerts]
    opened: list[Lead] = []
    signals: list[Signal] = []
    for alert, evidence in sorted(gathered, key=lambda pair: (pair[0].account_id, pair[0].id)):
        lead, is_new = open_or_join(alert, at=at)
        signals.append(Signal(lead=lead, alert_id=alert.id, evidence=freeze_evidence(evidence), created_at=at))
        if is_new:
            opened.append(lead)
    Signal.objects.bulk_create(signals)
    give_out(opened, at=at)
    return len(alerts)


def open_or_join(alert: AlertFact, *, at: datetime) -> tuple[Lead, bool]:
    """The account's open lead, locked, and whether it is new. The unique constraint decides who opens it."""
    cause: IntegrityError | None = None
    for _attempt in range(OPENING_ATTEMPTS):
        lead = find_open_lead(alert.account_id)
        if lead is not None:
            raise_severity(lead, alert)
            return lead, False
        try:
            with transaction.atomic():
                return open_lead(alert, at=at), True
        except IntegrityError as error:  # somebody else opened it meanwhile; it is there now, or closed again already
            cause = error
    raise LeadNotOpened(f"account {alert.account_id}: no lead after {OPENING_ATTEMPTS} attempts") from cause


class LeadNotOpened(CRMError):
    """Others kept opening and closing the account's lead. No alert was claimed; the next run tries again."""


def find_open_lead(account_id: int) -> Lead | None:
    return Lead.objects.filter(IS_OPEN, account_id=account_id).select_for_update(no_key=True).first()


def raise_severity(lead: Lead, alert: AlertFact) -> None:
    if alert.level > lead.severity:
        lead.severity = alert.level
        lead.save(update_fields=["severity"])


def open_lead(alert: AlertFact, *, at: datetime) -> Lead:
    lead = Lead.objects.create(account_id=alert.account_id, severity=alert.level, opened_at=at)
    log_transition(lead, to_stage=Stage.NEW, actor_id=None, at=at)
    return lead


def read_lead(lead_id: int) -> LeadFact:
    """Whoever asks. Raises UnknownLead."""
    lead = Lead.objects.filter(pk=lead_id).first()
    if lead is None:
        raise UnknownLead(f"There is no lead {lead_id}.")
    return describe_lead(lead)


def list_leads(*, person: Person) -> list[LeadFact]:
    """The leads this person may see, worst first, closed ones included."""
    return describe_leads(visible_leads(person).order_by("-severity", "opened_at", "pk"))


def list_open_leads() -> list[LeadFact]:
    """Every open lead, whoever asks, worst first."""
    return describe_leads(Lead.objects.filter(IS_OPEN).order_by("-severity", "opened_at", "pk"))


def describe_leads(leads: QuerySet[Lead]) -> list[LeadFact]:
    return [describe_lead(lead) for lead in leads]
