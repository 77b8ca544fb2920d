"""/v1/tax_rates, and the archived rates that hand-made tax amounts stand for."""

from decimal import Decimal
from typing import Any

from stripe_simulator.changes import matches, updating
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator

PLAIN = ("active", "country", "description", "display_name", "jurisdiction", "metadata", "state", "tax_type")


@route("POST", "/v1/tax_rates")
def create_tax_rate(request: Request) -> Object:
    return make_tax_rate(request.sim, request.params, request.at)


def make_tax_rate(sim: Simulator, params: Object, at: int) -> Object:
    if not 0 <= Decimal(str(params["percentage"])) <= 100:
        raise refuse("The percentage must be between 0 and 100.", param="percentage")
    rate = template("tax_rate") | {
        "id": sim.new_id("txr"),
        "active": True,
        "created": at,
        "inclusive": params["inclusive"],
        "jurisdiction_level": params.get("jurisdiction_level"),
        "metadata": {},
        "percentage": params["percentage"],
        "rate_type": "percentage",
    }
    update(rate, params, *PLAIN)
    sim.store.insert(rate)
    sim.emit("tax_rate.created", rate)
    return rate


def find_rates(sim: Simulator, ids: Any, param: str) -> list[Object]:
    """The rates that a parameter names; an empty string names none."""
    return [sim.store.get("tax_rate", each, param=param, status=400) for each in ids or []]


def find_or_make_archived_rate(sim: Simulator, data: Object, at: int) -> Object:
    """The archived rate of equal `tax_rate_data`, made on first use."""
    names = ("display_name", "inclusive", "percentage", "country", "description", "jurisdiction", "state", "tax_type")
    wanted = {name: data.get(name) for name in names}
    for rate in sim.store.find("tax_rate", active=False):
        if all(rate[name] == value for name, value in wanted.items()):
            return rate
    return make_tax_rate(sim, {**data, "active": False}, at)


@route("GET", "/v1/tax_rates/{id}")
def read_tax_rate(request: Request) -> Object:
    return request.sim.store.get("tax_rate", request.id)


@route("POST", "/v1/tax_rates/{id}")
def update_tax_rate(request: Request) -> Object:
    """The percentage and whether it is inclusive never change: the contract has no parameter for them."""
    rate = request.sim.store.get("tax_rate", request.id)
    with updating(request.sim, "tax_rate.updated", rate):
        update(rate, request.params, *PLAIN)
    return rate


@route("GET", "/v1/tax_rates")
def list_tax_rates(request: Request) -> Object:
    rates = [rate for rate in request.sim.store.find("tax_rate") if matches(request, rate, "active", "inclusive")]
    return answer_list(request, rates)
