"""The control API under `/_sim/`, for tests and demos: from loopback only."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from stripe_simulator.clock import MAIN
from stripe_simulator.contract import template
from stripe_simulator.faults import Fault, make_plan
from stripe_simulator.limits import Limits
from stripe_simulator.store import new_id
from stripe_simulator.webhooks import KINDS as WEBHOOK_KINDS
from stripe_simulator.webhooks import WebhookFault

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
    """A webhook endpoint as by the API; `url`, and if wanted `enabled_events`, `secret`, `api_version`.

    With `is_only` those that there were are forgotten.
    """
    endpoint = template(
        "webhook_endpoint",
        id=new_id("we"),
        created=sim.clock.read(),
        status="enabled",
        url=params["url"],
        description=params.get("description"),
        api_version=params.get("api_version"),
        enabled_events=params.get("enabled_events", ["*"]),
        _secret=params.get("secret") or new_id("whsec"),
    )
    with sim.work():
        if params.get("is_only"):
            for known in list(sim.store.scan("webhook_endpoint")):
                sim.store.remove("webhook_endpoint", known["id"])
        sim.store.insert(endpoint)
    return {"id": endpoint["id"], "secret": endpoint["_secret"]}


@command("POST", "clock")
def move_clock(sim: "Simulator", params: Params) -> Any:
    """`now`: a moment; `advance`: seconds. What is due on the way is done in order.

    A real clock goes on from there. Back is possible, and does nothing."""
    to = params["now"] if "now" in params else sim.clock.read() + params["advance"]
    sim.events.webhooks.settle()
    count = sim.run_due(MAIN, to, move=True)
    with sim.work():
        sim.set_clock(MAIN, to)
    return {"now": sim.clock.read(), "done": count}


@command("GET", "violations")
def list_violations(sim: "Simulator", params: Params) -> Any:
    return sim.violations


@command("POST", "fault")
def add_fault(sim: "Simulator", params: Params) -> Any:
    """One rule of `faults.Fault`."""
    sim.faults.add(Fault(**params))
    return {}


@command("POST", "chaos")
def start_chaos(sim: "Simulator", params: Params) -> Any:
    """`seed`, `rates` of faults, `longest` delay, `paths`; `webhooks`: rates of theirs. Without rates it ends."""
    webhooks = params.pop("webhooks", {})
    plan = make_plan(params)
    plan.rules, plan.struck = sim.faults.rules, sim.faults.struck
    sim.faults = plan
    check_kinds(webhooks)
    sim.events.webhooks.throw_dice(plan.seed, webhooks)
    return {}


@command("GET", "faults")
def count_faults(sim: "Simulator", params: Params) -> Any:
    """How many of each kind there were."""
    return sim.faults.struck


@command("GET", "limits")
def read_limits(sim: "Simulator", params: Params) -> Any:
    limits = sim.limits
    return {
        "mode": limits.mode,
        "rates": limits.rates,
        "violations": {name: count for name, count in limits.violations.items() if count},
        "calls": limits.calls,
    }


@command("POST", "limits")
def set_limits(sim: "Simulator", params: Params) -> Any:
    """`mode` off, count or on, `rates` a second; counts begin anew."""
    sim.limits = Limits(params.get("mode", sim.limits.mode), params.get("rates"))
    return {}


@command("POST", "webhooks/take")
def take_webhooks(sim: "Simulator", params: Params) -> Any:
    with sim.lock:
        return sim.events.webhooks.take(**params)


@command("POST", "webhooks/fault")
def add_webhook_fault(sim: "Simulator", params: Params) -> Any:
    """One rule of `webhooks.WebhookFault`."""
    check_kinds([params["kind"]])
    sim.events.webhooks.faults.append(WebhookFault(**params))
    return {}


@command("POST", "webhooks/release")
def release_webhooks(sim: "Simulator", params: Params) -> Any:
    """Let go what a `hold` keeps."""
    with sim.work():
        return {"released": sim.events.webhooks.release(None, "held") + sim.events.webhooks.release(None, "behind")}


@command("POST", "webhooks/down")
def set_down(sim: "Simulator", params: Params) -> Any:
    """`down`: every attempt fails, by the clock, until it is false again."""
    sim.events.webhooks.is_down = params["down"]
    return {}


@command("POST", "webhooks/settle")
def settle_webhooks(sim: "Simulator", params: Params) -> Any:
    """Do what is due by now, and come back when nothing is under way: advances of test clocks, webhooks to loopback."""
    sim.settle()
    return {}


@command("GET", "webhooks")
def list_webhooks(sim: "Simulator", params: Params) -> Any:
    """All deliveries; their state is pending, waiting, held, behind, delivered, exhausted or dropped."""
    with sim.lock:
        return list(sim.store.scan("_delivery"))


@command("POST", "endpoint/roll")
def roll_secret(sim: "Simulator", params: Params) -> Any:
    """A new secret for endpoint `id`; the old one signs too for `seconds`."""
    with sim.work():
        endpoint = sim.store.get("webhook_endpoint", params["id"])
        endpoint["_old_secret"] = endpoint["_secret"]
        endpoint["_old_until"] = sim.clock.read() + params.get("seconds", 24 * 3600)
        endpoint["_secret"] = params.get("secret") or new_id("whsec")
        return {"secret": endpoint["_secret"]}


@command("POST", "settings")
def change_settings(sim: "Simulator", params: Params) -> Any:
    """`compat` and `delivery` are the frame's; others are a resource module's: `sim.settings.get(name, default)`."""
    for name, value in params.items():
        if name in ("compat", "delivery"):
            setattr(sim.settings, name, value)
        else:
            sim.settings.extra[name] = value
    return {}


def check_kinds(names: Iterable[str]) -> None:
    if unknown := set(names) - set(WEBHOOK_KINDS):
        raise ValueError(f"unknown faults of webhooks: {unknown}")
