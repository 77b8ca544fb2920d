"""/v1/subscription_schedules: phases that change a subscription's items at their turns.

Done: phases with items, quantities, length, proration and metadata; start now or later; from a subscription; release
and cancel. Refused with 501: everything else that a phase could hold.
"""

from stripe_simulator.changes import matches, updating
from stripe_simulator.clock import due
from stripe_simulator.contract import template
from stripe_simulator.cycles import add_interval
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import merge_metadata, update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.changing import change_subscription
from stripe_simulator.subscriptions.creating import begin_subscription
from stripe_simulator.subscriptions.ending import cancel_now
from stripe_simulator.subscriptions.items import find_items, find_price
from stripe_simulator.unsupported import refuse_unsupported

EXPIRY_NOTICE = 7 * 86_400
PHASE = ("items", "start_date", "end_date", "duration", "iterations", "proration_behavior", "metadata", "currency")


@route("POST", "/v1/subscription_schedules")
def create_schedule(request: Request) -> Object:
    sim, params, at = request.sim, request.params, request.at
    refuse_unsupported(params, "customer_account", "default_settings", "pause_schedules")
    if "from_subscription" in params:
        return adopt_subscription(sim, params, at)
    customer = sim.store.get("customer", params.get("customer", ""), param="customer", status=400)
    start = at if params.get("start_date", "now") == "now" else params["start_date"]
    phases = build_phases(sim, params.get("phases") or [], start, at)
    schedule = insert_schedule(sim, customer, params, phases, at)
    sim.emit("subscription_schedule.created", schedule)
    sim.schedule(max(start, at), "turn_schedule", {"schedule": schedule["id"]}, customer=customer["id"])
    plan_expiry_notice(sim, schedule, at)
    if start <= at:
        turn(sim, schedule, at)
    return schedule


def plan_expiry_notice(sim: Simulator, schedule: Object, at: int) -> None:
    """A schedule's end is told a week ahead, or at once if it is nearer."""
    moment = max(at, schedule["phases"][-1]["end_date"] - EXPIRY_NOTICE)
    if moment == at:
        sim.emit("subscription_schedule.expiring", schedule)
    else:
        sim.schedule(moment, "tell_expiring", {"schedule": schedule["id"]}, customer=schedule["customer"])


@due("tell_expiring")
def tell_expiring(sim: Simulator, at: int, payload: Object) -> None:
    schedule = sim.store.get("subscription_schedule", payload["schedule"])
    if schedule["status"] == "active":
        sim.emit("subscription_schedule.expiring", schedule)


def adopt_subscription(sim: Simulator, params: Object, at: int) -> Object:
    """A schedule over a running subscription: its one phase is the present period."""
    subscription = sim.store.get("subscription", params["from_subscription"], param="from_subscription", status=400)
    if subscription["schedule"] or subscription["ended_at"]:
        raise refuse("The subscription has a schedule already, or has ended.", param="from_subscription")
    customer = sim.store.get("customer", subscription["customer"])
    items = find_items(sim, subscription)
    start, end = items[0]["current_period_start"], max(item["current_period_end"] for item in items)
    given = [
        {"price": item["price"]["id"]} | ({"quantity": item["quantity"]} if "quantity" in item else {})
        for item in items
    ]
    phases = build_phases(sim, [{"items": given, "end_date": end}], start, at)
    schedule = insert_schedule(sim, customer, params, phases, at)
    schedule |= {"status": "active", "subscription": subscription["id"], "current_phase": show_span(phases[0])}
    subscription["schedule"] = schedule["id"]
    sim.emit("subscription_schedule.created", schedule)
    sim.schedule(end, "turn_schedule", {"schedule": schedule["id"]}, customer=customer["id"])
    return schedule


def insert_schedule(sim: Simulator, customer: Object, params: Object, phases: list[Object], at: int) -> Object:
    schedule = template(
        "subscription_schedule",
        id=sim.new_id("sub_sched"),
        billing_mode={"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        created=at,
        customer=customer["id"],
        default_settings={
            "application_fee_percent": None,
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": None,
            "description": None,
            "invoice_settings": {
                "account_tax_ids": None,
                "custom_fields": None,
                "days_until_due": None,
                "description": None,
                "footer": None,
                "issuer": {"type": "self"},
            },
            "on_behalf_of": None,
            "transfer_data": None,
        },
        end_behavior=params.get("end_behavior", "release"),
        metadata=merge_metadata({}, params.get("metadata")),
        pause_schedules=[],
        phases=phases,
        status="not_started",
        test_clock=customer["test_clock"],
    )
    return sim.store.insert(schedule)


def build_phases(sim: Simulator, given: list[Object], start: int, at: int) -> list[Object]:
    if not given:
        raise refuse("Missing required param: phases.", param="phases", code="parameter_missing")
    phases = []
    for number, params in enumerate(given):
        refuse_unsupported({name: value for name, value in params.items() if name not in PHASE}, *params)
        prices = [find_price(sim, each, at, f"phases[{number}][items]") for each in params["items"]]
        begin = params.get("start_date", start)
        start = read_end(params, prices[0], begin, f"phases[{number}]")
        phases.append(build_phase(sim, params, prices, begin, start))
    return phases


def read_end(params: Object, price: Object, begin: int, place: str) -> int:
    """A phase ends at a moment, after a duration, after some intervals of its price (older versions), or after one."""
    if params.get("end_date") is not None:
        if params["end_date"] <= begin:
            raise refuse("A phase must end after it begins.", param=f"{place}[end_date]")
        return int(params["end_date"])
    if duration := params.get("duration"):
        return add_interval(begin, duration["interval"], int(duration.get("interval_count", 1)))
    recurring = price["recurring"]
    count = int(params.get("iterations", 1)) * recurring["interval_count"]
    return add_interval(begin, recurring["interval"], count)


def build_phase(sim: Simulator, params: Object, prices: list[Object], begin: int, end: int) -> Object:
    items = []
    for each, price in zip(params["items"], prices, strict=True):
        item = {
            "billing_thresholds": None,
            "discounts": [],
            "metadata": dict(each.get("metadata") or {}),
            "plan": price["id"],
            "price": price["id"],
            "tax_rates": [],
        }
        if price["recurring"]["usage_type"] == "licensed":
            item["quantity"] = each.get("quantity", 1)
        items.append(item)
    return {
        "add_invoice_items": [],
        "application_fee_percent": None,
        "billing_cycle_anchor": None,
        "billing_thresholds": None,
        "collection_method": None,
        "currency": prices[0]["currency"],
        "default_payment_method": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "end_date": end,
        "invoice_settings": None,
        "items": items,
        "metadata": dict(params.get("metadata") or {}),
        "on_behalf_of": None,
        "proration_behavior": params.get("proration_behavior", "create_prorations"),
        "start_date": begin,
        "transfer_data": None,
        "trial_end": None,
    }


def show_span(phase: Object) -> Object:
    return {"end_date": phase["end_date"], "start_date": phase["start_date"]}


@due("turn_schedule")
def turn_due(sim: Simulator, at: int, payload: Object) -> None:
    schedule = sim.store.get("subscription_schedule", payload["schedule"])
    if schedule["status"] in ("not_started", "active"):
        turn(sim, schedule, at)


def turn(sim: Simulator, schedule: Object, at: int) -> None:
    """Enter the phase that holds `at`, once; after the last one do what the end behaviour says."""
    phase = next((each for each in schedule["phases"] if each["start_date"] <= at < each["end_date"]), None)
    if phase is None:
        finish(sim, schedule, at)
        return
    if schedule["current_phase"] == show_span(phase):
        return
    with updating(sim, "subscription_schedule.updated", schedule):
        schedule["current_phase"] = show_span(phase)
        schedule["status"] = "active"
        enter_phase(sim, schedule, phase, at)
    sim.schedule(phase["end_date"], "turn_schedule", {"schedule": schedule["id"]}, customer=schedule["customer"])


def enter_phase(sim: Simulator, schedule: Object, phase: Object, at: int) -> None:
    given = [
        {name: item[name] for name in ("price", "quantity", "metadata") if name in item} for item in phase["items"]
    ]
    if schedule["subscription"] is None:
        customer = sim.store.get("customer", schedule["customer"])
        made = begin_subscription(sim, customer, {"items": given, "metadata": phase["metadata"]}, at, at_once=False)
        made["schedule"] = schedule["id"]
        schedule["subscription"] = made["id"]
        return
    subscription = sim.store.get("subscription", schedule["subscription"])
    held = {item["price"]["id"]: item["id"] for item in find_items(sim, subscription)}
    kept = {each["price"] for each in given}
    changes = [each | ({"id": held[each["price"]]} if each["price"] in held else {}) for each in given]
    changes += [{"id": item, "deleted": True} for price, item in held.items() if price not in kept]
    change = {"items": changes, "proration_behavior": phase["proration_behavior"]}
    change_subscription(sim, subscription, change, at=at)


def finish(sim: Simulator, schedule: Object, at: int) -> None:
    schedule |= {"status": "completed", "completed_at": at, "current_phase": None}
    sim.emit("subscription_schedule.completed", schedule)
    if schedule["end_behavior"] == "cancel":
        end_its_subscription(sim, schedule, at, invoices=False, prorates=False)
    else:
        release(sim, schedule, at)


def end_its_subscription(sim: Simulator, schedule: Object, at: int, *, invoices: bool, prorates: bool) -> None:
    subscription = sim.store.peek("subscription", schedule["subscription"] or "")
    if subscription and subscription["ended_at"] is None:
        held = sim.store.get("subscription", subscription["id"])
        cancel_now(sim, held, at=at, invoices=invoices, prorates=prorates)


def release(sim: Simulator, schedule: Object, at: int) -> None:
    """The subscription goes on without its schedule."""
    if schedule["subscription"]:
        sim.store.get("subscription", schedule["subscription"])["schedule"] = None
    schedule |= {
        "status": "released" if schedule["status"] != "completed" else "completed",
        "released_at": at,
        "released_subscription": schedule["subscription"],
        "subscription": None,
        "current_phase": None,
    }
    sim.emit("subscription_schedule.released", schedule)


def find_running(request: Request) -> Object:
    schedule = request.sim.store.get("subscription_schedule", request.id)
    if schedule["status"] not in ("not_started", "active"):
        raise refuse(f"A schedule that is {schedule['status']} cannot be changed.")
    return schedule


@route("GET", "/v1/subscription_schedules/{id}")
def read_schedule(request: Request) -> Object:
    return request.sim.store.get("subscription_schedule", request.id)


@route("POST", "/v1/subscription_schedules/{id}")
def update_schedule(request: Request) -> Object:
    """Metadata, end behaviour, and phases as a whole: past ones stay as they were said again."""
    sim, params, at = request.sim, request.params, request.at
    schedule = find_running(request)
    refuse_unsupported(params, "default_settings", "pause_schedules")
    with updating(sim, "subscription_schedule.updated", schedule):
        update(schedule, params, "metadata", "end_behavior")
        if "phases" in params:
            schedule["phases"] = build_phases(sim, params["phases"], schedule["phases"][0]["start_date"], at)
    if "phases" in params:
        turn(sim, schedule, at)
        sim.schedule(
            schedule["phases"][0]["end_date"],
            "turn_schedule",
            {"schedule": schedule["id"]},
            customer=schedule["customer"],
        )
    return schedule


@route("POST", "/v1/subscription_schedules/{id}/cancel")
def cancel_schedule(request: Request) -> Object:
    """End the schedule and its subscription now."""
    schedule = find_running(request)
    params = request.params
    end_its_subscription(
        request.sim,
        schedule,
        request.at,
        invoices=params.get("invoice_now", True),
        prorates=params.get("prorate", True),
    )
    if schedule["status"] != "canceled":  # there is no subscription yet that would have ended it
        schedule |= {"status": "canceled", "canceled_at": request.at, "current_phase": None}
        request.sim.emit("subscription_schedule.canceled", schedule)
    return schedule


@route("POST", "/v1/subscription_schedules/{id}/release")
def release_schedule(request: Request) -> Object:
    schedule = find_running(request)
    release(request.sim, schedule, request.at)
    return schedule


@route("GET", "/v1/subscription_schedules")
def list_schedules(request: Request) -> Object:
    found = [each for each in request.sim.store.scan("subscription_schedule") if matches(request, each, "customer")]
    return answer_list(request, found)
