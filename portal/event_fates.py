"""One event with all that became of it, down to the line that bills it."""

from dataclasses import dataclass
from datetime import datetime

from billing.lines import LineRef, find_lines
from metering.lookup import find_event
from metering.outcomes import EventRecord, MeterCount


@dataclass(frozen=True, slots=True)
class BilledCount:
    """What an event is worth to a meter, and the line that bills that time of that meter.

    `is_billed`: the event is part of the line. It is not when it came, or was corrected, before the invoice was issued
    in such a way that it did not count.
    """

    count: MeterCount
    line: LineRef | None
    is_billed: bool


@dataclass(frozen=True, slots=True)
class EventFateFact:
    record: EventRecord
    meters: tuple[BilledCount, ...]


def read_fate(source: str, event_id: str, *, account_id: int | None) -> EventFateFact:
    """An event of the account, of any with None. Raises metering.lookup.UnknownEvent."""
    record = find_event(source, event_id, account_id=account_id)
    lines = {}
    if record.account is not None and record.happened_at is not None:
        lines = find_lines(account_id=record.account.id, moment=record.happened_at)
    return EventFateFact(record, tuple(bill_count(record, count, lines.get(count.meter_id)) for count in record.meters))


def bill_count(record: EventRecord, count: MeterCount, line: LineRef | None) -> BilledCount:
    return BilledCount(count, line, is_billed=line is not None and counted_at(record, line.issued_at))


def counted_at(record: EventRecord, moment: datetime) -> bool:
    """Whether the event had come by then and was not corrected yet."""
    came = record.received_at is not None and record.received_at < moment
    return came and (record.correction is None or record.correction.made_at >= moment)
