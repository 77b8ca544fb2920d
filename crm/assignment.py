"""Who gets a lead: the least loaded present rep. A manager may decide otherwise, a rep may take from the queue."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from crm.facts import LeadFact, LeadIsTaken, UnknownRep, describe_lead, lock_lead, require_open
from crm.models import IS_OPEN, WORST_FIRST, Activity, ActivityKind, Lead, Priority, RepProfile
from crm.touches import mark_touched

NEVER = datetime.min.replace(tzinfo=UTC)
QUEUE_BATCH = 500


@transaction.atomic
def assign_lead(*, lead_id: int, rep_id: int, actor_id: int | None, at: datetime) -> LeadFact:
    """Give a lead to one rep, present or not. Giving it to who has it already changes nothing.

    Raises UnknownLead, LeadIsClosed, UnknownRep.
    """
    lead = lock_lead(lead_id)
    require_open(lead)
    if lead.rep_id != rep_id:
        give_lead(lead, lock_rep(rep_id), actor_id=actor_id, at=at)
    return describe_lead(lead)


@transaction.atomic
def take_lead(*, lead_id: int, user_id: int, at: datetime) -> LeadFact:
    """A rep takes a lead from the queue. Taking one's own changes nothing.

    Raises UnknownLead, LeadIsClosed, UnknownRep when the user is no rep, LeadIsTaken when a colleague was quicker.
    """
    lead = lock_lead(lead_id)
    require_open(lead)
    rep = RepProfile.objects.filter(user_id=user_id).first()
    if rep is None:
        raise UnknownRep(_("Only a sales rep can take a lead."))
    if lead.rep_id == rep.pk:
        return describe_lead(lead)
    if lead.rep_id is not None:
        raise LeadIsTaken(_("Somebody else has this lead already."))
    give_lead(lead, lock_rep(rep.pk), actor_id=user_id, at=at)
    mark_touched(lead, actor_id=user_id, at=at)
    return describe_lead(lead)


def assign_queue(*, at: datetime) -> int:
    """Give out what waits, worst first, when somebody is present. Returns how many; a second call finds nothing.

    What has a low priority is left there: it costs nobody time until it rises, or somebody takes it.
    """
    given = 0
    while batch := assign_queue_batch(at=at):
        given += batch
    return given


@transaction.atomic
def assign_queue_batch(*, at: datetime) -> int:
    if not present_reps().exists():
        return 0
    queued = Lead.objects.filter(IS_OPEN, rep__isnull=True, priority__gt=Priority.LOW)
    return give_out(queued.order_by(*WORST_FIRST).select_for_update(no_key=True, skip_locked=True)[:QUEUE_BATCH], at=at)


def give_out(leads: Iterable[Lead], *, at: datetime) -> int:
    """Give each lead to the rep with the fewest open ones; among equals who waited longest, then the smallest id.

    The caller holds the leads' rows. The rows of every present rep are locked before they are counted, so that two
    runs do not both see the same rep idle. With nobody present the leads stay in the queue. Returns how many it gave.
    """
    waiting = list(leads)
    reps = list(present_reps().order_by("pk").select_for_update(no_key=True, of=("self",))) if waiting else []
    if not reps:
        return 0
    loads = count_open_leads(reps)
    for lead in waiting:
        rep = min(reps, key=lambda rep: (loads[rep.pk], rep.last_given_at or NEVER, rep.pk))
        lead.rep, rep.last_given_at = rep, at
        loads[rep.pk] += 1
    Lead.objects.bulk_update(waiting, ["rep"])
    RepProfile.objects.bulk_update(reps, ["last_given_at"])
    Activity.objects.bulk_create(describe_gift(lead, actor_id=None, at=at) for lead in waiting)
    return len(waiting)


def present_reps() -> QuerySet[RepProfile]:
    """Reps who are here today and can enter the back-office."""
    return RepProfile.objects.filter(is_present=True, user__is_active=True, user__is_staff=True)


def list_candidates() -> QuerySet[RepProfile]:
    """Reps a manager may choose: whoever can enter the back-office, away or not."""
    return RepProfile.objects.filter(user__is_active=True, user__is_staff=True).select_related("user").order_by("pk")


def count_open_leads(reps: Iterable[RepProfile]) -> dict[int, int]:
    rows = Lead.objects.filter(IS_OPEN, rep__in=reps).values_list("rep").annotate(Count("pk"))
    return {rep.pk: 0 for rep in reps} | dict(rows)


def lock_rep(rep_id: int) -> RepProfile:
    reps = RepProfile.objects.filter(user__is_active=True, user__is_staff=True)
    try:
        return reps.select_for_update(no_key=True, of=("self",)).get(pk=rep_id)
    except RepProfile.DoesNotExist:
        raise UnknownRep(_("There is no such sales rep.")) from None


def give_lead(lead: Lead, rep: RepProfile, *, actor_id: int | None, at: datetime) -> None:
    lead.rep, rep.last_given_at = rep, at
    lead.save(update_fields=["rep"])
    rep.save(update_fields=["last_given_at"])
    describe_gift(lead, actor_id=actor_id, at=at).save()


def describe_gift(lead: Lead, *, actor_id: int | None, at: datetime) -> Activity:
    """The line on the timeline, not yet saved."""
    return Activity(lead=lead, kind=ActivityKind.ASSIGNMENT, actor_id=actor_id, rep=lead.rep, created_at=at)
