"""Leaving an account in peace for a while: its alerts stay silent until a moment, or until a level is reached."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from crm.facts import SnoozeRefused, lock_lead, require_open
from crm.models import Lead, Signal
from crm.signals import strongest_signal
from crm.touches import mark_touched
from metering.alerts import SnoozeFact, SnoozeWithoutEnd, list_snoozes, snooze


@transaction.atomic
def snooze_lead(
    *,
    lead_id: int,
    made_by: str,
    actor_id: int | None,
    at: datetime,
    until: datetime | None = None,
    until_level: Decimal | None = None,
    reason: str = "",
) -> SnoozeFact:
    """Keep silent what the lead is about: its meter, or all of its account where it is about none.

    The lead stays as it is. It takes the place of a snooze that runs. Raises UnknownLead, LeadIsClosed, SnoozeRefused.
    """
    lead = lock_lead(lead_id)
    require_open(lead)
    try:
        made = snooze(
            account_id=lead.account_id,
            meter_id=find_meter_id(lead),
            until=until,
            until_level=until_level,
            reason=reason,
            made_by=made_by,
            at=at,
        )
    except SnoozeWithoutEnd:
        raise SnoozeRefused(_("Say until when, later than now, or until which level.")) from None
    mark_touched(lead, actor_id=actor_id, at=at)
    return made


def find_meter_id(lead: Lead) -> int | None:
    signal = strongest_signal(lead.pk)
    return None if signal is None else Signal.objects.values_list("alert__meter_id", flat=True).get(pk=signal.pk)


def find_snooze(lead: Lead, *, at: datetime) -> SnoozeFact | None:
    """The one that keeps silent what the lead is about."""
    meter_id = find_meter_id(lead)
    running = list_snoozes([lead.account_id], at=at)
    return next((each for each in running if each.meter_id in (None, meter_id)), None)
