"""What stands and what is expected of the accounts behind leads, and the priorities that follow from it."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from crm.models import IS_OPEN, Lead, Signal
from crm.priorities import find_priority
from metering.alerts import AlertFact, list_standing
from metering.forecast import ForecastFact, read_latest_forecasts

LEAD_BATCH = 500
OF_LIMITS = ("usage", "forecast")


def refresh_priorities(*, at: datetime) -> int:
    """Look at every open lead again: a newer forecast, or an alarm that was cleared, may say otherwise.

    A transaction per batch; a lead that somebody holds is left to the next run. Returns how many priorities changed; a
    second call changes none.
    """
    changed, last = 0, 0
    while True:
        with transaction.atomic():
            waiting = Lead.objects.filter(IS_OPEN, account_id__gt=last).order_by("account_id")
            leads = list(waiting.select_for_update(no_key=True, skip_locked=True)[:LEAD_BATCH])
            changed += rank_leads(leads, at=at)
        if len(leads) < LEAD_BATCH:
            return changed
        last = leads[-1].account_id


def rank_leads(leads: Collection[Lead], *, at: datetime) -> int:
    """Give each lead the priority it has now, in four statements at most. The caller holds their rows.

    Returns how many changed.
    """
    standing = group_standing([lead.account_id for lead in leads], at=at)
    limits = find_limits_of(leads, at=at)
    forecasts = read_latest_forecasts({limit_id for ids in limits.values() for limit_id in ids})
    changed = []
    for lead in leads:
        chances = [find_chance(forecasts.get(limit_id)) for limit_id in limits[lead.pk]]
        priority = find_priority(standing[lead.account_id], chances)
        if lead.priority != priority:
            lead.priority = priority
            changed.append(lead)
    Lead.objects.bulk_update(changed, ["priority"])
    return len(changed)


def group_standing(account_ids: Collection[int], *, at: datetime) -> defaultdict[int, list[AlertFact]]:
    grouped: defaultdict[int, list[AlertFact]] = defaultdict(list)
    for alert in list_standing(account_ids, at=at):
        grouped[alert.account_id].append(alert)
    return grouped


def find_limits_of(leads: Collection[Lead], *, at: datetime) -> defaultdict[int, list[int]]:
    """lead id → the limits its signals are about whose windows run."""
    rows = Signal.objects.filter(
        lead__in=leads, is_cooled=False, alert__kind__in=OF_LIMITS, alert__limit__ends_at__gt=at
    )
    found: defaultdict[int, list[int]] = defaultdict(list)
    for lead_id, limit_id in rows.values_list("lead_id", "alert__limit_id").distinct():
        found[lead_id].append(limit_id)
    return found


def find_chance(forecast: ForecastFact | None) -> Decimal | None:
    return None if forecast is None or forecast.is_learning else forecast.p_hit
