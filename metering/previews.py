"""What terms that are not stored yet would count of the last events of their type."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from metering.events import decode_data
from metering.measuring import Measurer, VersionTerms
from metering.statements import run_statement

EVENTS = 200
SHOWN = 10
DATA_SHOWN = 200  # characters
SPANS = (timedelta(hours=1), timedelta(days=1), timedelta(days=40))  # tried in turn, until there are enough events

READ_LAST: LiteralString = """
    SELECT happened_at, subject, data::text FROM metering_event
    WHERE type = %s AND received_at > %s ORDER BY received_at DESC, happened_at DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One event. `value` and `dimensions` are as they would be counted; without a value `reason` says why not."""

    happened_at: datetime
    subject: str
    data: str
    value: str
    dimensions: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Of so many events, how many would be counted, passed over by the filter, or unusable. Rows: the latest ten."""

    event_count: int
    counted: int
    passed_over: int
    unusable: int
    rows: tuple[PreviewRow, ...]


def preview_terms(
    *, aggregation: str, event_type: str, value: str, filter: Any, dimensions: tuple[str, ...], at: datetime
) -> Preview:
    """Of at most 200 events of the last 40 days. Terms must be valid. Stores nothing; up to three queries."""
    measurer = Measurer([VersionTerms(0, "", aggregation, event_type, value, filter, dimensions)])
    rows = [measure_row(measurer, event_type, *row) for row in read_last(event_type, at=at)]
    return Preview(
        event_count=len(rows),
        counted=sum(bool(row.value) for row in rows),
        passed_over=sum(not row.value and not row.reason for row in rows),
        unusable=sum(bool(row.reason) for row in rows),
        rows=tuple(rows[:SHOWN]),
    )


def read_last(event_type: str, *, at: datetime) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for span in SPANS:
        rows = run_statement(READ_LAST, [event_type, at - span, EVENTS])
        if len(rows) == EVENTS:
            break
    return rows


def measure_row(measurer: Measurer, event_type: str, happened_at: datetime, subject: str, data: str) -> PreviewRow:
    measures, skipped = measurer.measure(event_type, decode_data(data), happened_at)
    shown = data if len(data) <= DATA_SHOWN else f"{data[:DATA_SHOWN]}…"
    return PreviewRow(
        happened_at=happened_at,
        subject=subject,
        data=shown,
        value=str(measures[0].value) if measures else "",
        dimensions=measures[0].dimensions if measures else "",
        reason=skipped[0].message if skipped else "",
    )
