"""Salespeople: who they are and whether they are here."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from crm.assignment import assign_queue
from crm.facts import UnknownRep
from crm.models import RepProfile


@dataclass(frozen=True, slots=True)
class RepFact:
    id: int
    user_id: int
    is_present: bool


def create_rep(*, user_id: int, is_present: bool = True) -> RepFact:
    """Make a user a sales rep. A second call returns the rep as it is."""
    rep, _created = RepProfile.objects.get_or_create(user_id=user_id, defaults={"is_present": is_present})
    return describe_rep(rep)


def set_presence(*, rep_id: int, is_present: bool, at: datetime) -> RepFact:
    """Say whether a rep is here today. Who comes in is given what waits in the queue. Raises UnknownRep."""
    with transaction.atomic():
        rep = RepProfile.objects.select_for_update(no_key=True).filter(pk=rep_id).first()
        if rep is None:
            raise UnknownRep(_("There is no such sales rep."))
        rep.is_present = is_present
        rep.save(update_fields=["is_present"])
    if is_present:
        assign_queue(at=at)
    return describe_rep(rep)


def describe_rep(rep: RepProfile) -> RepFact:
    return RepFact(id=rep.pk, user_id=rep.user_id, is_present=rep.is_present)
