"""Sales hears of an alert through the lead that it opened or joined: the rep whose it is, by e-mail, nobody else."""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from crm.models import IS_OPEN, Lead, RepProfile
from metering.notices.recipients import Recipient, recipients


@recipients("rep")
def find_reps(account_ids: Collection[int], at: datetime) -> dict[int, list[Recipient]]:
    """The rep of each account's open lead. A lead in the queue is nobody's yet. One query."""
    leads = Lead.objects.filter(IS_OPEN, account__in=account_ids, rep__user__is_active=True).select_related("rep__user")
    return {lead.account_id: [state_rep(lead, lead.rep)] for lead in leads if lead.rep is not None}


def state_rep(lead: Lead, rep: RepProfile) -> Recipient:
    """With the address of the lead page, in the language of the house."""
    path = reverse("admin:crm_lead_change", args=[lead.pk])
    return Recipient(
        address=rep.user.email,
        language=settings.LANGUAGE_CODE,
        page_url=f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else "",
    )
