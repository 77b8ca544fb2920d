"""The events behind a reading, one by one, as they were counted when its window was closed.

What is counted after that is late, and leaves its moment in the window's adjustments: ingestion stores and counts a
batch at one moment, a name's events are adopted at the moment it is given, and a correction is written and counted at
one. So an event was part of the reading unless one of these moments is its own; no clock decides that runs beside
another.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

from django.db import connection

from metering.catalogue import Catalogue, read_catalogue
from metering.events import Measure, decode_data, encode_canonical
from metering.history import HistoryPruned, require_history
from metering.meters import MeterTerms, read_meter_terms
from metering.models import Adjustment, Limit
from metering.seals import seal_content, write_content

__all__ = ["CountedEvent", "Evidence", "HistoryPruned", "open_evidence"]

CHUNK = 2_000
ALWAYS = datetime(1, 1, 1, tzinfo=UTC)

READ_EVENTS: LiteralString = """
    SELECT e.source, e.event_id, e.type, e.subject, e.happened_at, e.data::text,
        greatest(e.received_at, a.named_at), c.made_at
    FROM metering_event e
    LEFT JOIN metering_alias a ON a.name = e.subject
    LEFT JOIN metering_correction c ON c.source = e.source AND c.event_id = e.event_id
    WHERE e.happened_at >= %(start)s AND e.happened_at < %(end)s AND e.account_id = %(account)s
        AND e.type = ANY(%(types)s::text[])
    ORDER BY e.happened_at, e.source, e.event_id
"""


class CountedEvent(NamedTuple):
    """What is sealed, its seal, and what the event is worth to each meter that counted it; `happened_at` is UTC."""

    content: bytes
    seal: int
    happened_at: datetime
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Closing:
    """What changed in a meter's window since it was closed is of these moments.

    Where there is no such window, what was counted or corrected from `closed_at` on is late.
    """

    moments: frozenset[datetime] | None
    closed_at: datetime

    def is_late(self, moment: datetime) -> bool:
        return moment >= self.closed_at if self.moments is None else moment in self.moments


class Evidence:
    """The events of an account that these meters counted within [start, end), by their time; read as often as asked.

    Of a meter that carries over they begin with the first there ever was. `late_count` and `corrected_count` tell, when
    all is read, how many were left out because they were counted later, and how many count that were corrected later.
    """

    def __init__(
        self, account_id: int, meters: Mapping[int, MeterTerms], catalogue: Catalogue, start: datetime, end: datetime
    ) -> None:
        self.account_id, self.meters, self.catalogue = account_id, meters, catalogue
        self.start, self.end = start, end
        self.closings: dict[int, Closing] = {}
        self.late_count = self.corrected_count = 0

    def __iter__(self) -> Iterator[CountedEvent]:
        self.late_count = self.corrected_count = 0
        types = list(self.catalogue.measurer.gauges)
        carries_over = any(meter.carries_over for meter in self.meters.values())
        start = ALWAYS if carries_over else self.start
        values: dict[str, Any] = {"start": start, "end": self.end, "account": self.account_id, "types": types}
        with connection.chunked_cursor() as cursor:
            cursor.execute(READ_EVENTS, values)
            while rows := cursor.fetchmany(CHUNK):
                for row in rows:
                    if event := self.judge(*row):
                        yield event

    def judge(
        self,
        source: str,
        event_id: str,
        type_: str,
        subject: str,
        happened_at: datetime,
        data: str,
        counted_at: datetime,
        corrected_at: datetime | None,
    ) -> CountedEvent | None:
        """None where no meter counted it when the window was closed."""
        happened_at, properties = happened_at.astimezone(UTC), decode_data(data)
        measures, _ = self.catalogue.measurer.measure(type_, properties, happened_at)
        mine = [each for each in measures if happened_at >= self.start or self.meters[each.meter_id].carries_over]
        timely = [each for each in mine if not self.closings[each.meter_id].is_late(counted_at)]
        counted = timely
        if corrected_at is not None:
            counted = [each for each in timely if self.closings[each.meter_id].is_late(corrected_at)]
            self.corrected_count += bool(counted)
        elif mine:
            self.late_count += not timely
        if not counted:
            return None
        content = write_content(source, event_id, happened_at, type_, subject, encode_canonical(properties))
        return CountedEvent(content, seal_content(content), happened_at, tuple(counted))


def open_evidence(
    account_id: int, meter_ids: Collection[int], *, start: datetime, end: datetime, closed_at: datetime
) -> Evidence:
    """What these meters counted of an account in a window that was closed; reads no events yet.

    Raises HistoryPruned where events that are needed may have been dropped.
    """
    meters = read_meter_terms(meter_ids)
    for meter in meters.values():
        require_history(ALWAYS if meter.carries_over else start)
    catalogue = read_catalogue().narrow(meters)
    evidence = Evidence(account_id, meters, catalogue, start, end)
    limits = dict(
        Limit.objects.filter(
            account_id=account_id, meter_id__in=meters, starts_at=start, ends_at=end, closed_at__isnull=False
        ).values_list("meter_id", "pk")
    )
    moments: dict[int, set[datetime]] = {pk: set() for pk in limits.values()}
    for limit_id, made_at in Adjustment.objects.filter(limit_id__in=moments).values_list("limit_id", "made_at"):
        moments[limit_id].add(made_at)
    for meter_id in meters:
        found = moments[limits[meter_id]] if meter_id in limits else None
        evidence.closings[meter_id] = Closing(None if found is None else frozenset(found), closed_at)
    return evidence
