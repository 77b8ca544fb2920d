"""What Stripe tells of meter events that turned out wrong: thin events, one for each meter and window of ten seconds.

They carry counts by code and a few samples only, so that a sender must keep a ledger of their own.
"""

from collections import defaultdict
from typing import Any

from stripe_simulator.clock import due
from stripe_simulator.events import format_time
from stripe_simulator.simulator import Simulator

Object = dict[str, Any]
ROW = "_meter_error"
WINDOW = 10
MOST_SAMPLES = 3
DUE = "report_meter_errors"


def report_error(sim: Simulator, meter: Object | None, code: str, message: str, identifier: str) -> None:
    """Remember an event that was not counted; without a meter it is told of as `no_meter_found`."""
    at = sim.now()
    if not sim.store.count(ROW):
        sim.schedule(at + WINDOW, DUE, {"since": at})
    id = sim.new_id("mtrerr")
    row = {
        "id": id,
        "meter": meter["id"] if meter else None,
        "code": code,
        "message": message,
        "identifier": identifier,
    }
    sim.store.put(ROW, id, row)


@due(DUE)
def report_errors(sim: Simulator, at: int, payload: Object) -> None:
    by_meter = defaultdict(list)
    for row in sim.store.find(ROW):
        by_meter[row["meter"]].append(row)
        sim.store.remove(ROW, row["id"])
    for meter, rows in by_meter.items():
        related = sim.store.peek("billing.meter", meter) if meter else None
        name = "v1.billing.meter.no_meter_found" if related is None else "v1.billing.meter.error_report_triggered"
        sim.emit_thin(name, related, summarise(rows, payload["since"], at))


def summarise(rows: list[Object], start: int, end: int) -> Object:
    by_code = defaultdict(list)
    for row in rows:
        by_code[row["code"]].append(row)
    types = [
        {
            "code": code,
            "error_count": len(found),
            "sample_errors": [
                {"error_message": row["message"], "request": {"identifier": row["identifier"]}}
                for row in found[:MOST_SAMPLES]
            ],
        }
        for code, found in by_code.items()
    ]
    said = "There is 1 invalid event" if len(rows) == 1 else f"There are {len(rows)} invalid events"
    return {
        "developer_message_summary": said,
        "reason": {"error_count": len(rows), "error_types": types},
        "validation_end": format_time(end),
        "validation_start": format_time(start),
    }
