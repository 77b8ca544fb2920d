"""Who sees which lead: reps their own and the queue; managers and superusers all; nobody else any."""

from typing import Any, Protocol

from django.db.models import Q, QuerySet

from crm.models import Lead


class Person(Protocol):
    """Whoever asks: what a question of permission needs to know of a user."""

    @property
    def pk(self) -> Any: ...

    def has_perm(self, perm: str, obj: Any = ..., /) -> bool: ...


def identify(person: Person) -> int:
    """The user's id. Behind the back-office's door nobody is anonymous."""
    return int(person.pk)


def visible_leads(person: Person) -> QuerySet[Lead]:
    """Every door to a lead starts here, so that a foreign lead is simply not there."""
    if not person.has_perm("crm.view_lead"):
        return Lead.objects.none()
    if person.has_perm("crm.view_all_leads"):
        return Lead.objects.all()
    return Lead.objects.filter(Q(rep__user_id=identify(person)) | Q(rep__isnull=True))
