"""What people write down about a lead."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from crm.facts import EmptyNote, NoteTooLong, lock_lead
from crm.models import Activity, ActivityKind
from crm.touches import mark_touched

NOTE_LENGTH = 5000


@transaction.atomic
def add_note(*, lead_id: int, text: str, actor_id: int | None, at: datetime) -> None:
    """Put a note on the lead's timeline, closed leads included. Each call writes one.

    Raises UnknownLead, EmptyNote, NoteTooLong.
    """
    text = text.strip()
    if not text:
        raise EmptyNote(_("Write something first."))
    if len(text) > NOTE_LENGTH:
        raise NoteTooLong(_("A note has at most %(length)s characters.") % {"length": NOTE_LENGTH})
    lead = lock_lead(lead_id)
    Activity.objects.create(lead=lead, kind=ActivityKind.NOTE, actor_id=actor_id, text=text, created_at=at)
    mark_touched(lead, actor_id=actor_id, at=at)
