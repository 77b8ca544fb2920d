"""A customer who takes a greater plan has bought: the lead that was about it is won."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q

from crm.facts import lock_lead
from crm.models import CLOSED_STAGES, Lead, Signal, Stage
from crm.transitions import BY_UPGRADE, change_stage
from metering.alerts import list_standing
from metering.limits import LimitChangeFact, list_changes

IS_CUT = Q(alert__limit__ends_at__lt=F("alert__ends_at"))
IS_CLEARED = Q(alert__recovery="limit_changed") | IS_CUT


class Clearing(NamedTuple):
    """A change of its limit cleared an alarm of the meter: at `cut_at` where its window was cut, else by `seen_at`."""

    meter_id: int
    spoke_at: datetime
    seen_at: datetime | None
    cut_at: datetime | None


def close_upgraded(*, at: datetime) -> int:
    """Win every open lead whose alarms an upgrade has cleared. Returns how many; a second call finds none.

    What was cleared by a top-up, by hand or by less usage stays open: nothing was sold. So does the lead of an account
    of which any alarm still stands.
    """
    cleared = Signal.objects.filter(IS_CLEARED, lead__closed_at=None, is_cooled=False)
    lead_ids = list(cleared.order_by("lead__account_id").values_list("lead_id", flat=True).distinct())
    return sum(close_if_upgraded(lead_id, at=at) for lead_id in lead_ids)


@transaction.atomic
def close_if_upgraded(lead_id: int, *, at: datetime) -> bool:
    lead = lock_lead(lead_id)
    if lead.stage in CLOSED_STAGES or list_standing([lead.account_id], at=at):
        return False
    clearings = list(list_clearings(lead))
    changes = list_changes([lead.account_id], since=min((each.spoke_at for each in clearings), default=at))
    if not any(is_by_upgrade(each, changes) for each in clearings):
        return False
    change_stage(lead, to_stage=Stage.WON, actor_id=None, reason=BY_UPGRADE, at=at)
    return True


def list_clearings(lead: Lead) -> Iterator[Clearing]:
    """Within a window a change clears alarms at the next check; another plan cuts the window where it begins."""
    signals = Signal.objects.filter(IS_CLEARED, lead=lead, is_cooled=False, alert__meter__isnull=False)
    columns = ("meter_id", "detected_at", "resolved_at", "ends_at", "limit__ends_at")
    rows = signals.values_list(*(f"alert__{column}" for column in columns))
    for meter_id, spoke_at, seen_at, end, limit_end in rows:
        yield Clearing(meter_id, spoke_at, seen_at, limit_end if limit_end is not None and limit_end < end else None)


def is_by_upgrade(clearing: Clearing, changes: Collection[LimitChangeFact]) -> bool:
    """Whether what cut the window, or the last change before the alarm was seen to be over, is a plan that allows more.

    A window that is cut without a change was given up.
    """
    of_meter = [each for each in changes if each.meter_id == clearing.meter_id]
    if clearing.cut_at is not None:
        return any(each.at == clearing.cut_at and is_upgrade(each) for each in of_meter)
    before = [each for each in of_meter if clearing.seen_at is not None and each.at <= clearing.seen_at]
    return bool(before) and is_upgrade(before[-1])


def is_upgrade(change: LimitChangeFact) -> bool:
    return change.reason == "upgrade" and change.is_raised
