"""The control API under `/_sim/`, for tests and demos: from loopback only."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stripe_simulator.clock import MAIN
from stripe_simulator.contract import template
from stripe_simulator.store import new_id

if TYPE_CHECKING:
    from stripe_simulator.simulator import Simulator

Params = dict[str, Any]
Command = Callable[["Simulator", Params], Any]
COMMANDS: dict[tuple[str, str], Command] = {}


class Unknown(LookupError):
    """No such command."""


def command(method: str, name: str) -> Callable[[Command], Command]:
    """Register a control call; resource modules may have their own (`meters/lag`, …)."""

    def register(function: Command) -> Command:
        COMMANDS[method, name] = function
        return function

    return register


def answer(sim: "Simulator", method: str, name: str, params: Params) -> Any:
    function = COMMANDS.get((method, name))
    if function is None:
        raise Unknown(f"no control call {method} /_sim/{name}")
    return function(sim, params)


@command("GET", "health")
def check_health(sim: "Simulator", params: Params) -> Any:
    return {"status": "ok", "version": sim.contract.version, "now": sim.clock.read()}


@command("POST", "reset")
def reset(sim: "Simulator", params: Params) -> Any:
    """Forget everything; `now` freezes the clock there, without it the clock is real."""
    sim.reset(params.get("now"))
    return {}


@command("POST", "endpoint")
def add_endpoint(sim: "Simulator", params: Params) -> Any:
    """A webhook endpoint as by the API; `url`, and if wanted `enabled_events`, `secret`, `api_version`."""
    endpoint = template(
        "webhook_endpoint",
        id=new_id("we"),
        created=sim.clock.read(),
        status="enabled",
        url=params["url"],
        api_version=params.get("api_version"),
        enabled_events=params.get("enabled_events", ["*"]),
        _secret=params.get("secret") or new_id("whsec"),
    )
    with sim.work():
        sim.store.insert(endpoint)
    return {"id": endpoint["id"], "secret": endpoint["_secret"]}


@command("POST", "clock")
def move_clock(sim: "Simulator", params: Params) -> Any:
    """`now`: a moment; `advance`: seconds. What is due on the way is done in order. Back does nothing else."""
    to = params["now"] if "now" in params else sim.clock.read() + params["advance"]
    count = sim.run_due(MAIN, to, move=True)
    with sim.work():
        sim.set_clock(MAIN, to)
    return {"now": sim.clock.read(), "done": count}


@command("GET", "violations")
def list_violations(sim: "Simulator", params: Params) -> Any:
    return sim.violations


@command("POST", "webhooks/take")
def take_webhooks(sim: "Simulator", params: Params) -> Any:
    return sim.events.webhooks.take()


@command("POST", "settings")
def change_settings(sim: "Simulator", params: Params) -> Any:
    """`compat` and `delivery` are the frame's; others are a resource module's: `sim.settings.get(name, default)`."""
    for name, value in params.items():
        if name in ("compat", "delivery"):
            setattr(sim.settings, name, value)
        else:
            sim.settings.extra[name] = value
    return {}
