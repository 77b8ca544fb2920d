"""Alarms of the forecast: raised and cleared by several forecasts in a row that agree."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, LiteralString

from django.db import transaction

from metering.alerts.detection import observe_limit
from metering.alerts.observing import Watched, decide_all, list_drafts, look, watch, write
from metering.alerts.states import Chance, judge_chances
from metering.alerts.terms import FORECAST
from metering.locks import hold_accounts, hold_limits_for_change
from metering.models import AlertCause, Forecast, Limit
from metering.statements import bigint_array, run_statement

READ_LAST: LiteralString = """
    SELECT f.id FROM unnest(%s::bigint[], %s::bigint[]) AS l (id, epoch)
    CROSS JOIN LATERAL (
        SELECT id FROM metering_forecast WHERE limit_id = l.id AND epoch = l.epoch ORDER BY made_at DESC LIMIT %s
    ) AS f
"""


@transaction.atomic
def observe_forecasts(limit_ids: Collection[int], *, at: datetime) -> list[int]:
    """Raise or clear the alarm of each limit by its last forecasts. The ids of what is told; a second call tells none.

    A limit that is reached already raises none any more. A fixed number of statements.
    """
    if not limit_ids:
        return []
    hold_limits_for_change()
    asked = Limit.objects.filter(pk__in=limit_ids)
    hold_accounts(set(asked.values_list("account_id", flat=True)))
    limits = list(asked.filter(closed_at=None).select_for_update(of=("self",)).order_by("pk"))
    watched = watch([replace(observe_limit(limit), kind=FORECAST) for limit in limits])
    forecasts = read_last(limits, count=max((each.rule.confirmations for each in watched if each.rule), default=0))
    for each in watched:
        judge(each, forecasts[each.seen.limit_id or 0])
    decide_all(watched, at=at)
    return write(watched, list_drafts(watched, at=at, cause=AlertCause.USAGE), at=at)


def read_last(limits: Sequence[Limit], *, count: int) -> Mapping[int, list[Forecast]]:
    """The last forecasts of each limit as it is now, the latest first."""
    last: defaultdict[int, list[Forecast]] = defaultdict(list)
    if limits and count:
        ids, epochs = zip(*[(limit.pk, limit.epoch) for limit in limits], strict=True)
        rows = run_statement(READ_LAST, [bigint_array(ids), bigint_array(epochs), count])
        for forecast in Forecast.objects.filter(pk__in=[pk for (pk,) in rows]).order_by("-made_at"):
            last[forecast.limit_id].append(forecast)
    return last


def judge(watched: Watched, forecasts: Sequence[Forecast]) -> None:
    """Look at the limit again, now with what its forecasts say."""
    seen = watched.seen
    if watched.rule is None or not forecasts:
        return
    verdict = judge_chances([Chance(each.p_hit, each.days_of_data) for each in forecasts], watched.rule)
    is_reached = seen.base is not None and seen.value > 0 and seen.value >= seen.base
    watched.seen = replace(
        seen, verdict="" if is_reached else verdict, p_hit=forecasts[0].p_hit, details=state_details(forecasts[0])
    )
    watched.look = look(watched.seen, watched.rule, watched.past)


def state_details(forecast: Forecast) -> dict[str, Any]:
    """What is told of it: when the limit is reached, with the range of 80 of 100 cases, as ISO 8601 text; and why."""
    dates = {name: getattr(forecast, name) for name in ("hit_low", "hit_mid", "hit_high")}
    return {
        "forecast": forecast.pk,
        **{name: None if moment is None else moment.isoformat() for name, moment in dates.items()},
        "reason": forecast.reason,
        "reason_params": forecast.reason_params,
    }
