"""Billing meters: what is counted. Only the name that people see can change."""

from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.meters.rules import Refusal, check_summary_window
from stripe_simulator.meters.usage import aggregate, count_events
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator

STEPS = {"hour": 3600, "day": 86_400}


@route("POST", "/v1/billing/meters")
def create_meter(request: Request) -> Object:
    sim, params = request.sim, request.params
    check_event_name(sim, params["event_name"])
    meter = template(
        "billing.meter",
        id=sim.new_id("mtr"),
        created=request.at,
        customer_mapping=params.get("customer_mapping", {"event_payload_key": "stripe_customer_id", "type": "by_id"}),
        default_aggregation=params["default_aggregation"],
        display_name=params["display_name"],
        event_name=params["event_name"],
        event_time_window=params.get("event_time_window"),
        status="active",
        status_transitions={"deactivated_at": None},
        updated=request.at,
        value_settings=params.get("value_settings", {"event_payload_key": "value"}),
    )
    sim.store.insert(meter)
    sim.emit("billing.meter.created", meter)
    return meter


def check_event_name(sim: Simulator, name: str) -> None:
    """One active meter for an event name; those that were deactivated do not count."""
    if any(meter["status"] == "active" for meter in sim.store.scan("billing.meter", event_name=name)):
        raise refuse(f"A meter with the event name {name} already exists and is active.", param="event_name")


@route("GET", "/v1/billing/meters")
def list_meters(request: Request) -> Object:
    status = request.params.get("status")
    found = (meter for meter in request.sim.store.scan("billing.meter") if status in (None, meter["status"]))
    return answer_list(request, found)


@route("GET", "/v1/billing/meters/{id}")
def read_meter(request: Request) -> Object:
    return request.sim.store.get("billing.meter", request.id)


@route("POST", "/v1/billing/meters/{id}")
def update_meter(request: Request) -> Object:
    """The contract lets nothing through but `display_name`."""
    meter = request.sim.store.get("billing.meter", request.id)
    if "display_name" in request.params:
        meter |= {"display_name": request.params["display_name"], "updated": request.at}
        request.sim.emit("billing.meter.updated", meter)
    return meter


@route("POST", "/v1/billing/meters/{id}/deactivate")
def deactivate_meter(request: Request) -> Object:
    meter = request.sim.store.get("billing.meter", request.id)
    if meter["status"] == "inactive":
        raise refuse("This meter is already inactive.")
    meter |= {"status": "inactive", "status_transitions": {"deactivated_at": request.at}, "updated": request.at}
    request.sim.emit("billing.meter.deactivated", meter)
    return meter


@route("POST", "/v1/billing/meters/{id}/reactivate")
def reactivate_meter(request: Request) -> Object:
    meter = request.sim.store.get("billing.meter", request.id)
    if meter["status"] == "active":
        raise refuse("This meter is already active.")
    check_event_name(request.sim, meter["event_name"])
    meter |= {"status": "active", "status_transitions": {"deactivated_at": None}, "updated": request.at}
    request.sim.emit("billing.meter.reactivated", meter)
    return meter


@route("GET", "/v1/billing/meters/{id}/event_summaries")
def list_summaries(request: Request) -> Object:
    """One summary of the window, or one for each hour or UTC day of it that has events, newest first.

    Eventually consistent: events show once their lag has passed. `aggregated_value` is a float, as Stripe's is.
    """
    sim, params = request.sim, request.params
    meter = sim.store.get("billing.meter", request.id)
    start, end, grouping = params["start_time"], params["end_time"], params.get("value_grouping_window")
    try:
        check_summary_window(start, end, grouping)
    except Refusal as refusal:
        raise refuse(refusal.message, param=refusal.param) from None
    step = STEPS.get(grouping or "", end - start)
    summaries = []
    for begin in range(start, end, step):
        window = (meter["id"], params["customer"], begin, begin + step)
        if not grouping or count_events(sim, *window):
            summaries.append(make_summary(*window, float(aggregate(sim, *window))))
    return answer_list(request, summaries)


def make_summary(meter: str, customer: str, start: int, end: int, value: float) -> Object:
    """Its id says what it is of: the same question gets the same id."""
    return template(
        "billing.meter_event_summary",
        id=f"mtrusg_test_{meter[4:]}{customer[4:]}{start:x}{end:x}",
        aggregated_value=value,
        end_time=end,
        meter=meter,
        start_time=start,
    )
