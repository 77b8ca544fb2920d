"""Test clocks: time of their customers only, moved by hand. https://docs.stripe.com/billing/testing/test-clocks"""

from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator

DAY = 24 * 3600
KEPT = 30 * DAY
INTERVALS = {"day": DAY, "week": 7 * DAY, "month": 31 * DAY, "year": 366 * DAY}
WITHOUT_SUBSCRIPTION = 2 * 366 * DAY
CUSTOMERS = 3
KIND = "test_helpers.test_clock"


@route("POST", "/v1/test_helpers/test_clocks")
def create_test_clock(request: Request) -> Object:
    sim, params = request.sim, request.params
    clock = template(
        KIND,
        id=sim.new_id("clock"),
        created=sim.clock.read(),
        deletes_after=sim.clock.read() + KEPT,
        frozen_time=params["frozen_time"],
        name=params.get("name"),
        status="ready",
        status_details={},
    )
    sim.store.insert(clock)
    sim.emit("test_helpers.test_clock.created", clock)
    return clock


@route("GET", "/v1/test_helpers/test_clocks")
def list_test_clocks(request: Request) -> Object:
    return answer_list(request, request.sim.store.scan(KIND))


@route("GET", "/v1/test_helpers/test_clocks/{id}")
def read_test_clock(request: Request) -> Object:
    return request.sim.store.get(KIND, request.id)


@route("POST", "/v1/test_helpers/test_clocks/{id}/advance")
def advance_test_clock(request: Request) -> Object:
    """Answers at once with `advancing`; the work is done behind, and `test_helpers.test_clock.ready` tells its end."""
    sim, to = request.sim, request.params["frozen_time"]
    clock = sim.store.get(KIND, request.id)
    if clock["status"] != "ready":
        raise refuse("Test clock advancement underway - cannot perform modifications.", code="test_clock_underway")
    if to <= clock["frozen_time"]:
        raise refuse("The new frozen time must be after the current frozen time.", param="frozen_time")
    if to > (furthest := find_furthest(sim, clock)):
        raise refuse(
            "You cannot advance a test clock by more than two intervals of its shortest subscription (two years "
            f"without one): at most to {furthest}.",
            param="frozen_time",
        )
    clock["status"] = "advancing"
    clock["status_details"] = {"advancing": {"target_frozen_time": to}}
    sim.emit("test_helpers.test_clock.advancing", clock)
    sim.run_behind(lambda: finish_advance(sim, clock["id"], to))
    return clock


def find_furthest(sim: Simulator, clock: Object) -> int:
    shortest = min(
        (
            INTERVALS[recurring["interval"]] * recurring["interval_count"]
            for subscription in sim.store.scan("subscription", test_clock=clock["id"])
            if subscription["status"] not in ("canceled", "incomplete_expired")
            for item in subscription.get("items", {}).get("data", [])
            if isinstance(item.get("price"), dict) and (recurring := item["price"].get("recurring"))
        ),
        default=None,
    )
    frozen: int = clock["frozen_time"]
    return frozen + (WITHOUT_SUBSCRIPTION if shortest is None else 2 * shortest)


def finish_advance(sim: Simulator, id: str, to: int) -> None:
    try:
        sim.run_due(id, to, move=True)
    except LookupError:  # deleted meanwhile
        return
    with sim.work(id):
        if sim.store.peek(KIND, id) is None:
            return
        clock = sim.store.get(KIND, id)
        clock |= {"frozen_time": to, "status": "ready", "status_details": {}}
        sim.emit("test_helpers.test_clock.ready", clock)


def resume_advances(sim: Simulator) -> None:
    """After a restart: a clock that was on its way goes on."""
    for clock in sim.store.scan(KIND, status="advancing"):
        id, to = clock["id"], clock["status_details"]["advancing"]["target_frozen_time"]
        sim.run_behind(lambda id=id, to=to: finish_advance(sim, id, to))  # type: ignore[misc]


@route("DELETE", "/v1/test_helpers/test_clocks/{id}")
def delete_test_clock(request: Request) -> Object:
    """With it go its customers, and what hangs on them."""
    sim = request.sim
    clock = sim.store.get(KIND, request.id)
    for customer in sim.store.find("customer", test_clock=clock["id"]):
        for kind in ("subscription", "invoice", "invoiceitem", "subscription_schedule"):
            for value in sim.store.find(kind, customer=customer["id"]):
                sim.store.delete(value)
        sim.store.delete(customer)
    for row in list(sim.store.scan("_due", clock=clock["id"])):
        sim.store.remove("_due", row["id"])
    sim.emit("test_helpers.test_clock.deleted", clock)
    return sim.store.delete(clock)


def check_room(sim: Simulator, clock: str) -> None:
    """A clock has at most three customers: for who creates one."""
    if len(list(sim.store.scan("customer", test_clock=clock))) >= CUSTOMERS:
        raise refuse(f"A test clock can have at most {CUSTOMERS} customers.", param="test_clock")
