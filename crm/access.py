"""Who sees which lead: reps their own and the queue; managers and superusers all; nobody else any."""

from typing import Protocol

from django.db.models import Q, QuerySet

from crm.models import Lead


class Person(Protocol):
    """What a permission question needs to know of the person who asks."""

    pk: int

    def has_perm(self, perm: str) -> bool: ...


def visible_leads(person: Person) -> QuerySet[Lead]:
    """Every door to a lead starts here, so that a foreign lead is simply not there."""
    if not person.has_perm("crm.view_lead"):
        return Lead.objects.none()
    if person.has_perm("crm.view_all_leads"):
        return Lead.objects.all()
    return Lead.objects.filter(Q(rep__user_id=person.pk) | Q(rep__isnull=True))
