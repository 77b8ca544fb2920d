"""What became of stored events: which meters count them with what value, in which period, and what was corrected.

Nothing of this is stored beside the event. It is worked out anew by the meters as they are, which gives the same answer
as counting did: a version that has counted never changes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, LiteralString, NamedTuple

import msgspec

from metering.accounts import AccountRef
from metering.catalogue import Catalogue, read_catalogue
from metering.events import Measure, Skip, decode_data, parse_number
from metering.expressions import ValueRefused
from metering.measuring import Gauge
from metering.models import Limit, Meter
from metering.paths import write_path
from metering.rejections import RejectionFact

# The start of every statement that reads stored events; StoredEvent names its columns.
SELECT_EVENTS: LiteralString = """
    SELECT e.source, e.event_id, e.type, e.subject, e.happened_at, e.received_at, e.data::text, e.account_id, a.key,
        a.name, e.api_key_id, k.name, c.kind, c.replacement_source, c.replacement_id, c.reason, c.made_by, c.made_at
    FROM metering_event e
    LEFT JOIN metering_account a ON a.id = e.account_id
    LEFT JOIN metering_apikey k ON k.id = e.api_key_id
    LEFT JOIN metering_correction c ON c.source = e.source AND c.event_id = e.event_id
"""


class StoredEvent(NamedTuple):
    """A row of SELECT_EVENTS. What an event has not (an account, a key, a correction) is null."""

    source: str
    id: str
    type: str
    subject: str
    happened_at: datetime
    received_at: datetime
    data: str
    account_id: int | None
    account_key: str
    account_name: str
    api_key_id: int | None
    key_name: str
    correction: str | None
    replacement_source: str
    replacement_id: str
    reason: str
    made_by: str
    made_at: datetime


class Standing(StrEnum):
    """What an event is worth now. A duplicate has no standing of its own: it is the event that came before it."""

    COUNTED = "counted"
    UNMATCHED = "unmatched"  # waits until its subject names an account
    LATE = "late"  # counted after a period that it lies in was final
    RETRACTED = "retracted"
    REPLACED = "replaced"
    REJECTED = "rejected"  # never stored
    PRUNED = "pruned"  # counted once; the event itself was dropped by its age


@dataclass(frozen=True, slots=True)
class PeriodFact:
    """A limit's window that the event lies in; `closed_at` is when it became final."""

    start: datetime
    end: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class MeterCount:
    """What one event is worth to one meter. `value` is a number, or the JSON text of a value that is counted once.

    `dimensions` names what the meter's quantity is broken down by. `is_late`: it came after the period was final.
    """

    meter_id: int
    meter_key: str
    meter_name: str
    unit: str
    aggregation: str
    value: Decimal | str
    dimensions: dict[str, Any]
    period: PeriodFact | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class CorrectionFact:
    """Why an event counts no more; `replacement` is the (source, id) of the one that counts in its place."""

    kind: str
    replacement: tuple[str, str] | None
    reason: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event and all that became of it. Of one that was never stored or was pruned, most is empty.

    `meters` count it, or would if it had an account and were not corrected; `skipped` are those of its type that do
    not, with the reason. `refusals` were sent under its source and id and are not this event.
    """

    source: str
    id: str
    standing: Standing
    type: str = ""
    subject: str = ""
    account: AccountRef | None = None
    happened_at: datetime | None = None
    received_at: datetime | None = None
    data: str = ""
    api_key_id: int | None = None
    key_name: str = ""
    meters: tuple[MeterCount, ...] = ()
    skipped: tuple[Skip, ...] = ()
    correction: CorrectionFact | None = None
    replaces: tuple[tuple[str, str], ...] = ()
    refusals: tuple[RejectionFact, ...] = ()


def state_outcomes(events: Sequence[StoredEvent]) -> list[EventRecord]:
    """What became of each, in their order. Three statements whatever their number, none where there are none."""
    if not events:
        return []
    catalogue = read_catalogue()
    judged = [judge_event(event, catalogue) for event in events]
    meters = Meter.objects.in_bulk({measure.meter_id for _, measures, _ in judged for _, measure in measures})
    periods = read_periods(events)
    return [
        state_outcome(
            event, [state_count(event, gauge, measure, meters, periods) for gauge, measure in measures], skips
        )
        for event, measures, skips in judged
    ]


def judge_event(
    event: StoredEvent, catalogue: Catalogue
) -> tuple[StoredEvent, list[tuple[Gauge, Measure]], tuple[Skip, ...]]:
    """By each meter of its type: what it is worth, or why the meter passes it over."""
    properties, measures, skips = decode_data(event.data.encode()), [], []
    for gauge in catalogue.measurer.gauges.get(event.type, ()):
        if gauge.is_bounded and not gauge.covers(event.happened_at):
            continue  # another version of the meter was in force
        if gauge.admits is not None and not gauge.admits(properties):
            skips.append(Skip(gauge.meter_key, "filtered", "data", "The meter's filter passes this event over."))
            continue
        try:
            dimensions = gauge.read_dimensions(properties) if gauge.dimensions else ""
            measures.append((gauge, Measure(gauge.meter_id, gauge.read_value(properties), dimensions)))
        except ValueRefused as refused:
            skips.append(Skip(gauge.meter_key, refused.code, refused.field, refused.message))
    return event, measures, tuple(skips)


Periods = dict[tuple[int, int], list[PeriodFact]]  # (account, meter) → its windows


def read_periods(events: Iterable[StoredEvent]) -> Periods:
    """The windows that any of the events may lie in, in one statement."""
    matched = [event for event in events if event.account_id is not None]
    periods: Periods = {}
    if not matched:
        return periods
    limits = Limit.objects.filter(
        account_id__in={event.account_id for event in matched},
        starts_at__lte=max(event.happened_at for event in matched),
        ends_at__gt=min(event.happened_at for event in matched),
    )
    for limit in limits:
        period = PeriodFact(limit.starts_at, limit.ends_at, limit.closed_at)
        periods.setdefault((limit.account_id, limit.meter_id), []).append(period)
    return periods


def state_count(
    event: StoredEvent, gauge: Gauge, measure: Measure, meters: dict[int, Meter], periods: Periods
) -> MeterCount:
    meter = meters[measure.meter_id]
    windows = periods.get((event.account_id or 0, meter.pk), ())
    period = next((each for each in windows if each.start <= event.happened_at < each.end), None)
    closed_at = period.closed_at if period else None
    names = [write_path(path) for path, _ in gauge.dimensions]
    values = decode_values(measure.dimensions.encode()) if measure.dimensions else ()
    return MeterCount(
        meter_id=meter.pk,
        meter_key=meter.key,
        meter_name=meter.name,
        unit=meter.unit,
        aggregation=meter.aggregation,
        value=measure.value if isinstance(measure.value, str) else Decimal(measure.value),
        dimensions=dict(zip(names, values, strict=True)),
        period=period,
        is_late=closed_at is not None and event.received_at >= closed_at,
    )


def state_outcome(event: StoredEvent, counts: Sequence[MeterCount], skips: tuple[Skip, ...]) -> EventRecord:
    return EventRecord(
        source=event.source,
        id=event.id,
        standing=find_standing(event, counts),
        type=event.type,
        subject=event.subject,
        account=None
        if event.account_id is None
        else AccountRef(event.account_id, event.account_key, event.account_name),
        happened_at=event.happened_at,
        received_at=event.received_at,
        data=event.data,
        api_key_id=event.api_key_id,
        key_name=event.key_name or "",
        meters=tuple(counts),
        skipped=skips,
        correction=state_correction(event),
    )


def find_standing(event: StoredEvent, counts: Sequence[MeterCount]) -> Standing:
    if event.correction is not None:
        return Standing.REPLACED if event.correction == "replace" else Standing.RETRACTED
    if event.account_id is None:
        return Standing.UNMATCHED
    return Standing.LATE if any(count.is_late for count in counts) else Standing.COUNTED


def state_correction(event: StoredEvent) -> CorrectionFact | None:
    if event.correction is None:
        return None
    replacement = (event.replacement_source, event.replacement_id) if event.replacement_id else None
    return CorrectionFact(event.correction, replacement, event.reason, event.made_by, event.made_at)


decode_values = msgspec.json.Decoder(list[Any], float_hook=parse_number).decode
