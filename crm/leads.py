"""Leads: opened by what metering has to say, joined by what it says next. The door of this app."""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from billing.plans import next_plan
from crm.access import Person, visible_leads
from crm.assignment import assign_lead, assign_queue, give_out, take_lead
from crm.cooldown import find_cooling_lead
from crm.evidence import gather_evidence
from crm.facts import (
    CooledFact,
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
from crm.models import IS_OPEN, WORST_FIRST, Lead, Priority, Signal, Stage
from crm.notes import add_note
from crm.outlooks import rank_leads, refresh_priorities
from crm.priorities import find_level, find_rank
from crm.transitions import log_transition, move_lead
from crm.upgrades import close_upgraded
from metering.alerts import AlertFact, claim_alerts

__all__ = [
    "CRMError",
    "CooledFact",
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
    "list_cooled",
    "list_leads",
    "list_open_leads",
    "move_lead",
    "open_leads",
    "read_lead",
    "take_lead",
    "take_up_alerts",
]

TAKE_UP = "crm.open_leads"  # the kind of job that begins when an alert speaks
ALERT_BATCH = 100
OPENING_ATTEMPTS = 3


class Place(NamedTuple):
    """Where a signal belongs: on an open lead, new or not, or on the lost one that still cools."""

    lead: Lead
    is_new: bool = False
    is_cooled: bool = False


def open_leads(*, at: datetime) -> int:
    """Bring leads up to date with what metering has to say. Returns how many alerts became signals.

    Those whose alarms an upgrade cleared are won; priorities follow what stands and the latest forecasts; then alerts
    that wait are taken up as `take_up_alerts` says. A second call changes nothing. Any number of these may run at once.
    """
    close_upgraded(at=at)
    refresh_priorities(at=at)
    return take_up_alerts(at=at)


def take_up_alerts(*, at: datetime) -> int:
    """Turn every waiting alert into a signal on its account's open lead, opening one where there is none.

    A transaction per batch: an alert is claimed exactly when its signal is there. New leads go to the least loaded
    present rep, those of low priority wait; what waits in the queue is given out too. Returns how many alerts became
    signals; a second call finds none. Any number of these may run at once.
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
    places: list[Place] = []
    signals: list[Signal] = []
    for alert, evidence in sorted(gathered, key=lambda pair: (pair[0].account_id, pair[0].id)):
        place = find_place(alert, at=at)
        places.append(place)
        signals.append(
            Signal(
                lead=place.lead,
                alert_id=alert.id,
                evidence=freeze_evidence(evidence),
                is_cooled=place.is_cooled,
                created_at=at,
            )
        )
    Signal.objects.bulk_create(signals)
    rank_leads({place.lead.pk: place.lead for place in places if not place.is_cooled}.values(), at=at)
    give_out([place.lead for place in places if place.is_new and place.lead.priority > Priority.LOW], at=at)
    return len(alerts)


def find_place(alert: AlertFact, *, at: datetime) -> Place:
    """The account's open lead, locked; of a lost one that cools, that one; else a new one.

    The unique constraint decides who opens it.
    """
    cause: IntegrityError | None = None
    for _attempt in range(OPENING_ATTEMPTS):
        lead = find_open_lead(alert.account_id)
        if lead is not None:
            join_lead(lead, alert)
            return Place(lead)
        cooling = find_cooling_lead(alert)
        if cooling is not None:
            return Place(cooling, is_cooled=True)
        try:
            with transaction.atomic():
                return Place(open_lead(alert, at=at), is_new=True)
        except IntegrityError as error:  # somebody else opened it meanwhile; it is there now, or closed again already
            cause = error
    raise LeadNotOpened(f"account {alert.account_id}: no lead after {OPENING_ATTEMPTS} attempts") from cause


class LeadNotOpened(CRMError):
    """Others kept opening and closing the account's lead. No alert was claimed; the next run tries again."""


def find_open_lead(account_id: int) -> Lead | None:
    return Lead.objects.filter(IS_OPEN, account_id=account_id).select_for_update(no_key=True).first()


def join_lead(lead: Lead, alert: AlertFact) -> None:
    """The lead is as severe as the worst that joined it, and has come as far as the furthest."""
    known = [level for level in (lead.level, find_level(alert)) if level is not None]
    severity, level = max(lead.severity, find_rank(alert)), max(known, default=None)
    if (severity, level) != (lead.severity, lead.level):
        lead.severity, lead.level = severity, level
        lead.save(update_fields=["severity", "level"])


def open_lead(alert: AlertFact, *, at: datetime) -> Lead:
    lead = Lead.objects.create(
        account_id=alert.account_id, severity=find_rank(alert), level=find_level(alert), opened_at=at
    )
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
    return describe_leads(visible_leads(person).order_by(*WORST_FIRST))


def list_open_leads() -> list[LeadFact]:
    """Every open lead, whoever asks, worst first."""
    return describe_leads(Lead.objects.filter(IS_OPEN).order_by(*WORST_FIRST))


def list_cooled(account_ids: Collection[int]) -> list[CooledFact]:
    """The alerts of these accounts that came too soon after a loss to open a lead, the first comes first."""
    signals = Signal.objects.filter(is_cooled=True, lead__account_id__in=account_ids).select_related("lead")
    return [
        CooledFact(signal.alert_id, signal.lead_id, signal.lead.account_id, signal.created_at)
        for signal in signals.order_by("pk")
    ]


def describe_leads(leads: QuerySet[Lead]) -> list[LeadFact]:
    return [describe_lead(lead) for lead in leads]
