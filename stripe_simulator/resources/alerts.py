"""Usage alerts: told once for each customer whose usage of a meter since the alert was made comes to its threshold."""

from stripe_simulator.clock import due
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.meters.usage import ON_USAGE, aggregate
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator

KIND, TOLD = "billing.alert", "_alert_told"
END_OF_TIME = 2**40
DUE = "look_at_usage"


@route("POST", "/v1/billing/alerts")
def create_alert(request: Request) -> Object:
    sim, params = request.sim, request.params
    threshold = params.get("usage_threshold")
    if not threshold:
        raise refuse("Missing required param: usage_threshold.", param="usage_threshold", code="parameter_missing")
    check_threshold(sim, threshold)
    alert = template(
        KIND,
        id=sim.new_id("alrt"),
        alert_type=params["alert_type"],
        status="active",
        title=params["title"],
        usage_threshold={
            "filters": [
                {"customer": each.get("customer"), "type": "customer"} for each in threshold.get("filters", [])
            ],
            "gte": threshold["gte"],
            "meter": threshold["meter"],
            "recurrence": "one_time",
        },
        _since=request.at,
    )
    sim.store.insert(alert)
    return alert


def check_threshold(sim: Simulator, threshold: Object) -> None:
    """One meter, at most one customer, and more than nothing."""
    sim.store.get("billing.meter", threshold["meter"], param="usage_threshold[meter]", status=400)
    if threshold["gte"] < 1:
        raise refuse("The threshold must be at least 1.", param="usage_threshold[gte]")
    filters = threshold.get("filters", [])
    if len(filters) > 1:
        raise refuse("An alert has at most one filter.", param="usage_threshold[filters]")
    for each in filters:
        name = "usage_threshold[filters][0][customer]"
        sim.store.get("customer", each.get("customer") or "", param=name, status=400)


@route("GET", "/v1/billing/alerts")
def list_alerts(request: Request) -> Object:
    wanted = request.params.get("meter")
    found = request.sim.store.scan(KIND)
    return answer_list(request, (alert for alert in found if wanted in (None, alert["usage_threshold"]["meter"])))


@route("GET", "/v1/billing/alerts/{id}")
def read_alert(request: Request) -> Object:
    return request.sim.store.get(KIND, request.id)


def change_status(request: Request, status: str) -> Object:
    """An archived alert stays archived."""
    alert = request.sim.store.get(KIND, request.id)
    if alert["status"] == "archived" or alert["status"] == status:
        raise refuse(f"This alert is already {alert['status']}.")
    alert["status"] = status
    return alert


@route("POST", "/v1/billing/alerts/{id}/activate")
def activate_alert(request: Request) -> Object:
    return change_status(request, "active")


@route("POST", "/v1/billing/alerts/{id}/deactivate")
def deactivate_alert(request: Request) -> Object:
    return change_status(request, "inactive")


@route("POST", "/v1/billing/alerts/{id}/archive")
def archive_alert(request: Request) -> Object:
    return change_status(request, "archived")


def look_soon(sim: Simulator, meter: Object, customer: str, at: int) -> None:
    """Usage came: look once it is visible."""
    if not any(alert["usage_threshold"]["meter"] == meter["id"] for alert in sim.store.scan(KIND, status="active")):
        return
    payload = {"meter": meter["id"], "to": customer}
    if lag := sim.settings.get("meter_lag", 0):
        sim.schedule(at + lag, DUE, payload, customer=customer)
    else:
        look_at_usage(sim, at, payload)


@due(DUE)
def look_at_usage(sim: Simulator, at: int, payload: Object) -> None:
    meter, customer = payload["meter"], payload["to"]
    for alert in list(sim.store.scan(KIND, status="active")):
        threshold = alert["usage_threshold"]
        wanted = [each["customer"] for each in threshold["filters"]]
        key = f"{alert['id']} {customer}"
        if threshold["meter"] != meter or (wanted and customer not in wanted) or sim.store.peek(TOLD, key):
            continue
        used = aggregate(sim, meter, customer, alert["_since"], END_OF_TIME)
        if used >= threshold["gte"]:
            sim.store.put(TOLD, key, {"id": key})
            told = template("billing.alert_triggered", created=at, customer=customer, value=int(used))
            sim.emit("billing.alert.triggered", told | {"alert": sim.show(alert)})


ON_USAGE.append(look_soon)
