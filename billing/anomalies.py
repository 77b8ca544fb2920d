"""Unusual usage with what it costs: metering finds it, the account's own prices say what is gained or lost by it.

Each full hour is looked at when it has been over for a while, so that what comes a little late is in it, by one job
that is named after it. Hours that nobody looked at, after an outage, are passed over: the newest says what matters now.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from billing.impacts import estimate_extra_cost
from billing.money import find_exponent
from jobs.queue import JobContext, enqueue
from metering.alerts import Observation, list_standing, observe
from metering.anomalies import Anomaly, Pair, Terms, find_anomalies, find_pairs, find_terms, find_week
from metering.usage import HOUR, floor_hour

KIND = "billing.find_anomalies"
SETTLED_AFTER = timedelta(minutes=10)
CHUNK = 500
LEAST_SCORE = Decimal(3)  # what is nearer to the usual is of no rule's interest
SPIKE, DROP = "spike", "drop"
ZERO = Decimal(0)


def promise_look(*, at: datetime) -> bool:
    """Promise to look at the last full hour. True when that is new."""
    hour = floor_hour(at - SETTLED_AFTER) - HOUR
    return enqueue(KIND, hour.isoformat(), at=at)


def look_at_hour(job: JobContext) -> None:
    """Alert by whatever was unusual in the hour that the job's key names. Done twice, it says nothing new."""
    hour = datetime.fromisoformat(job.key)
    pairs = find_pairs(hour)
    for start in range(0, len(pairs), CHUNK):
        look_at_pairs(pairs[start : start + CHUNK], hour, at=job.at)
        job.report_progress(done=min(start + CHUNK, len(pairs)), total=len(pairs))


@transaction.atomic
def look_at_pairs(pairs: Sequence[Pair], hour: datetime, *, at: datetime) -> list[int]:
    """The ids of the alerts that are told. What alarms stand is looked at again, so that recovery is seen."""
    odd = {(each.pair, name_direction(each)): each for each in find_anomalies(pairs, hour)}
    standing = find_standing(pairs, hour, at=at)
    wanted = standing | {key for key, each in odd.items() if abs(each.deviation.score) >= LEAST_SCORE}
    terms = find_terms({pair for pair, _ in wanted})
    return observe([state_look(key, odd.get(key), terms[key[0]], hour, at=at) for key in sorted(wanted)], at=at)


def state_look(
    key: tuple[Pair, str], anomaly: Anomaly | None, terms: Terms, hour: datetime, *, at: datetime
) -> Observation:
    """How far off it is; without an anomaly there is nothing off any more."""
    pair, direction = key
    start, end = find_week(hour)
    return Observation(
        account_id=pair.account_id,
        kind="anomaly",
        unit="absolute",
        meter_id=pair.meter_id,
        subject=direction,
        plan=terms.plan,
        time_zone=terms.time_zone,
        start=start,
        end=end,
        value=abs(anomaly.deviation.score) if anomaly else ZERO,
        details=dict(state_details(anomaly, terms.meter_key, at=at)) if anomaly else {},
    )


def find_standing(pairs: Sequence[Pair], hour: datetime, *, at: datetime) -> set[tuple[Pair, str]]:
    """What of this week's anomalies is not over yet."""
    start, _ = find_week(hour)
    return {
        (Pair(alert.account_id, alert.meter_id), alert.subject)
        for alert in list_standing({pair.account_id for pair in pairs}, at=at)
        if alert.kind == "anomaly" and alert.start == start and alert.meter_id is not None
    } & {(pair, direction) for pair in pairs for direction in (SPIKE, DROP)}


def name_direction(anomaly: Anomaly) -> str:
    return SPIKE if anomaly.deviation.score > 0 else DROP


def state_details(anomaly: Anomaly, meter_key: str, *, at: datetime) -> Iterator[tuple[str, str]]:
    """What an alert says of it: quantities and times as text, and what the difference costs, where that can be said."""
    deviation = anomaly.deviation
    yield "from", anomaly.start.isoformat()
    yield "until", anomaly.end.isoformat()
    yield "actual", f"{deviation.actual:f}"
    yield "expected", f"{deviation.expected:f}"
    cost = estimate_extra_cost(anomaly.pair.account_id, meter_key, deviation.extra, at=at)
    if cost is not None:
        yield "cost", f"{Decimal(cost.minor).scaleb(-find_exponent(cost.currency)):f}"
        yield "currency", cost.currency
