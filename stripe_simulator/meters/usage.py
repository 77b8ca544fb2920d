"""The simulator's meter events: what is taken in, refused now or reported later, and what invoices read of it.

Two settings: `meter_lag` (seconds until an event is visible, 0) and `meter_validation` (`immediate`, or `deferred`: v1
and v2 then take everything but a duplicate, as the stream does, and report what was wrong with it).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from stripe_simulator.meters.ledger import Entry, Ledger
from stripe_simulator.meters.reports import report_error
from stripe_simulator.meters.rules import MAX_IDENTIFIER, Refusal, check_timestamp, read_payload
from stripe_simulator.simulator import Simulator

Object = dict[str, Any]
ROW = "_meter_event"


def get_ledger(sim: Simulator) -> Ledger:
    """The ledger, built again from its rows after a restart."""
    ledger: Ledger | None = sim.memory.get("meter_ledger")
    if ledger is None:
        ledger = sim.memory["meter_ledger"] = Ledger()
        for row in sim.store.scan(ROW):
            meter = sim.store.peek("billing.meter", row["meter"])
            if meter is not None:
                enter(ledger, meter, row)
    return ledger


def enter(ledger: Ledger, meter: Object, row: Object) -> Entry:
    entry = ledger.record(
        meter,
        row["to"],
        Decimal(row["value"]),
        timestamp=row["timestamp"],
        identifier=row["id"],
        at=row["received"],
        lag=row["lag"],
    )
    if row["cancelled"]:
        ledger.cancel(entry.event_name, row["id"], row["received"])
    return entry


def take_event(
    sim: Simulator,
    event_name: str,
    payload: Object,
    *,
    timestamp: int | None,
    identifier: str,
    is_streamed: bool = False,
) -> int:
    """Check an event and record it; answers its timestamp. Raises Refusal unless what is wrong is to be reported later.

    Whether the customer exists is never said at once.
    """
    is_deferred = is_streamed or sim.settings.get("meter_validation", "immediate") == "deferred"
    at = sim.now()
    meter: Object | None = None
    try:
        if not identifier or len(identifier) > MAX_IDENTIFIER:
            raise Refusal(
                "meter_event_invalid_value", f"An identifier has 1 to {MAX_IDENTIFIER} characters.", "identifier"
            )
        meter = find_meter(sim, event_name)
        customer, value = read_payload(meter, payload)
        is_known = sim.store.peek("customer", customer) is not None
        at = sim.now(customer) if is_known else at
        timestamp = at if timestamp is None else timestamp
        get_ledger(sim).check_identifier(identifier, at)
        check_timestamp(timestamp, at)
    except Refusal as refusal:
        is_duplicate = refusal.code == "duplicate_meter_event"
        if not is_deferred or (is_duplicate and not is_streamed):
            raise
        if not is_duplicate:  # no error report knows of duplicates
            report_error(sim, find_meter_of(sim, meter, event_name), refusal.code, refusal.message, identifier)
        return at if timestamp is None else timestamp
    if not is_known:
        message = f"No such customer: '{customer}'"
        report_error(sim, meter, "meter_event_customer_not_found", message, identifier)
        return timestamp
    record_event(sim, meter, customer, value, timestamp=timestamp, identifier=identifier, at=at)
    return timestamp


def find_meter(sim: Simulator, event_name: str) -> Object:
    """The active meter of an event name. Raises Refusal: there is none, or it was deactivated."""
    meter = find_meter_of(sim, None, event_name)
    if meter is None:
        raise Refusal("no_meter", f"No active meter found for event name {event_name}.", "event_name")
    if meter["status"] != "active":
        raise Refusal("archived_meter", f"The meter with the event name {event_name} is inactive.", "event_name")
    return meter


def find_meter_of(sim: Simulator, meter: Object | None, event_name: str) -> Object | None:
    if meter is not None:
        return meter
    found = list(sim.store.scan("billing.meter", event_name=event_name))
    return next((meter for meter in found if meter["status"] == "active"), found[-1] if found else None)


def record_event(
    sim: Simulator, meter: Object, customer: str, value: Decimal, *, timestamp: int, identifier: str, at: int
) -> None:
    row = {
        "id": identifier,
        "meter": meter["id"],
        "to": customer,
        "value": str(value),
        "timestamp": timestamp,
        "received": at,
        "lag": sim.settings.get("meter_lag", 0),
        "cancelled": False,
    }
    ledger = get_ledger(sim)
    sim.store.put(ROW, identifier, row)
    enter(ledger, meter, row)
    for look in ON_USAGE:
        look(sim, meter, customer, at)


ON_USAGE: list[
    Callable[[Simulator, Object, str, int], None]
] = []  # what other modules do when usage came: (sim, meter, customer, at)


def cancel_event(sim: Simulator, event_name: str, identifier: str) -> None:
    """Take an event out, at once. What a finalised invoice says stays."""
    ledger = get_ledger(sim)
    find_meter(sim, event_name)
    entry = ledger.entries.get(identifier)
    ledger.cancel(event_name, identifier, sim.now(entry.customer if entry else None))
    sim.store.get(ROW, identifier)["cancelled"] = True


def aggregate(sim: Simulator, meter: str, customer: str, start: int, end: int) -> Decimal:
    """What a meter says of a customer over [start, end) in unix seconds, of the events that are visible by now.

    Exact; may be negative. Never raises: an unknown meter or customer has no usage.
    """
    return get_ledger(sim).aggregate(meter, customer, start, end, sim.now(customer))


def count_events(sim: Simulator, meter: str, customer: str, start: int, end: int) -> int:
    return get_ledger(sim).count(meter, customer, start, end, sim.now(customer))
