"""All meter events of a simulator, in its own compact shape: tens of thousands in a run, a thousand calls a second."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

from stripe_simulator.meters.readings import Reading, Series
from stripe_simulator.meters.rules import CANCEL_WINDOW, IDENTIFIER_WINDOW, Refusal

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an identifier went. `received_at` is of the customer's clock."""

    meter: str
    customer: str
    event_name: str
    reading: Reading
    received_at: int


class Ledger:
    """Meter events by meter and customer, and by identifier. Knows no clock: the caller passes the customer's."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], Series] = {}
        self.entries: dict[str, Entry] = {}
        self.cancelled: set[str] = set()
        self.numbers = count(1)

    def check_identifier(self, identifier: str, at: int) -> None:
        """An identifier is taken for 24 hours, also after its event was cancelled."""
        entry = self.entries.get(identifier)
        if entry is not None and at - entry.received_at < IDENTIFIER_WINDOW:
            message = f"An event already exists with identifier {identifier}."
            raise Refusal("duplicate_meter_event", message, "identifier")

    def record(
        self, meter: Object, customer: str, value: Decimal, *, timestamp: int, identifier: str, at: int, lag: int
    ) -> Entry:
        """Take an event in that passed every rule. It becomes visible `lag` seconds after it came."""
        reading = Reading(timestamp, next(self.numbers), value, at + lag)
        entry = Entry(meter["id"], customer, meter["event_name"], reading, at)
        self.entries[identifier] = entry
        self.cancelled.discard(identifier)
        self.find_series(meter, customer).add(reading)
        return entry

    def find_series(self, meter: Object, customer: str) -> Series:
        key = meter["id"], customer
        series = self.series.get(key)
        if series is None:
            series = Series(meter["default_aggregation"]["formula"], meter["event_time_window"])
            self.series[key] = series
        return series

    def cancel(self, event_name: str, identifier: str, at: int) -> Entry:
        """Take an event out, within 24 hours of its receipt."""
        entry = self.entries.get(identifier)
        if entry is None or entry.event_name != event_name or identifier in self.cancelled:
            message = f"No meter event {event_name} exists with identifier {identifier}."
            raise Refusal("invalid_cancel_configuration", message, "cancel[identifier]")
        if at - entry.received_at > CANCEL_WINDOW:
            message = "A meter event can be cancelled within 24 hours of its receipt."
            raise Refusal("invalid_cancel_configuration", message, "cancel[identifier]")
        self.series[entry.meter, entry.customer].remove(entry.reading)
        self.cancelled.add(identifier)
        return entry

    def aggregate(self, meter: str, customer: str, start: int, end: int, at: int) -> Decimal:
        """What the meter says over [start, end) as far as it is visible at `at`."""
        series = self.series.get((meter, customer))
        if series is None:
            return Decimal(0)
        series.settle(at)
        return series.aggregate(start, end)

    def count(self, meter: str, customer: str, start: int, end: int, at: int) -> int:
        """How many events lie in [start, end), however the meter reads them."""
        series = self.series.get((meter, customer))
        if series is None:
            return 0
        series.settle(at)
        return series.count(start, end)
