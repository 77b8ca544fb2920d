"""From one stage to the next. One table says what is allowed; one function does it."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from crm.facts import LeadFact, MoveNotAllowed, ReasonMissing, describe_lead, lock_lead
from crm.models import CLOSED_STAGES, Lead, Stage, Transition
from crm.touches import mark_touched

MOVES: dict[str, tuple[Stage, ...]] = {
    Stage.NEW: (Stage.CONTACTED, Stage.QUALIFIED, Stage.PROPOSAL, Stage.WON, Stage.LOST),
    Stage.CONTACTED: (Stage.QUALIFIED, Stage.PROPOSAL, Stage.WON, Stage.LOST),
    Stage.QUALIFIED: (Stage.CONTACTED, Stage.PROPOSAL, Stage.WON, Stage.LOST),
    Stage.PROPOSAL: (Stage.CONTACTED, Stage.QUALIFIED, Stage.WON, Stage.LOST),
    Stage.WON: (),
    Stage.LOST: (),
}


BY_UPGRADE = "upgrade"  # the reason in the history of a lead that no person won


@transaction.atomic
def move_lead(*, lead_id: int, to_stage: str, actor_id: int | None, at: datetime, reason: str = "") -> LeadFact:
    """Move a lead to another stage and write it into its history; a loss needs a reason.

    Moving it where it already is changes nothing. Raises UnknownLead, MoveNotAllowed, ReasonMissing.
    """
    lead = lock_lead(lead_id)
    if lead.stage == to_stage:
        return describe_lead(lead)
    if to_stage not in MOVES[lead.stage]:
        raise MoveNotAllowed(explain_refusal(lead, to_stage))
    reason = reason.strip()
    if to_stage == Stage.LOST and not reason:
        raise ReasonMissing(_("Say why the lead is lost."))
    change_stage(lead, to_stage=to_stage, actor_id=actor_id, reason=reason, at=at)
    mark_touched(lead, actor_id=actor_id, at=at)
    return describe_lead(lead)


def change_stage(lead: Lead, *, to_stage: str, actor_id: int | None, reason: str, at: datetime) -> None:
    """The move itself. The caller holds the lead's row, and has asked the table of moves."""
    log_transition(lead, to_stage=to_stage, actor_id=actor_id, reason=reason, at=at)
    lead.stage = to_stage
    lead.lost_reason = reason if to_stage == Stage.LOST else ""
    lead.closed_at = at if to_stage in CLOSED_STAGES else None
    lead.save(update_fields=["stage", "lost_reason", "closed_at"])


def log_transition(lead: Lead, *, to_stage: str, actor_id: int | None, at: datetime, reason: str = "") -> None:
    """Write one line of history. A lead that has just been opened comes from nowhere."""
    from_stage = lead.stage if to_stage != Stage.NEW else ""
    Transition.objects.create(
        lead=lead, from_stage=from_stage, to_stage=to_stage, actor_id=actor_id, reason=reason, moved_at=at
    )


def explain_refusal(lead: Lead, to_stage: str) -> str:
    if lead.stage in CLOSED_STAGES:
        return _("This lead is closed. What comes next opens a new one.")
    if to_stage not in Stage.values:
        return _("There is no such stage.")
    return _("A lead that is %(from)s does not become %(to)s.") % {
        "from": Stage(lead.stage).label,
        "to": Stage(to_stage).label,
    }
