"""/v1/billing/credit_grants, and the balance that they make."""

from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import merge_metadata, update
from stripe_simulator.payments.credit_order import covers
from stripe_simulator.payments.credits import (
    GRANT,
    TRANSACTION,
    check_alive,
    expire_grant,
    grant_credit,
    plan_expiry,
    void_grant,
)
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.unsupported import refuse_unsupported

MOST_PRICES = 20
DEFAULT_PRIORITY, LEAST_URGENT = 50, 100


@route("POST", "/v1/billing/credit_grants")
def create_grant(request: Request) -> Object:
    sim, params, at = request.sim, request.params, request.at
    customer = find_customer(request)
    check_amount(params["amount"])
    scope = params["applicability_config"]["scope"]
    check_scope(sim, scope)
    priority = params.get("priority", DEFAULT_PRIORITY)
    if not 0 <= priority <= LEAST_URGENT:
        raise refuse(f"priority must be between 0 and {LEAST_URGENT}.", param="priority")
    effective_at, expires_at = params.get("effective_at", at), params.get("expires_at")
    check_expiry(expires_at, max(at, effective_at))
    amount = params["amount"]["monetary"]
    grant = template(
        GRANT,
        id=sim.new_id("credgr"),
        amount={"type": "monetary", "monetary": amount | {"currency": amount["currency"].lower()}},
        applicability_config={"scope": scope},
        category=params.get("category", "paid"),
        created=at,
        customer=customer["id"],
        effective_at=effective_at,
        expires_at=expires_at,
        metadata=merge_metadata({}, params.get("metadata")),
        name=params.get("name"),
        priority=priority,
        test_clock=customer["test_clock"],
        updated=at,
        _left=0,
    )
    grant_credit(sim, grant, at=at)
    return grant


def find_customer(request: Request) -> Object:
    refuse_unsupported(request.params, "customer_account")
    named = request.params.get("customer")
    if not named:
        raise refuse("Missing required param: customer.", param="customer", code="parameter_missing")
    return request.sim.store.get("customer", named, param="customer", status=400)


def check_amount(amount: Object) -> None:
    """Money only, and more than nothing."""
    if "monetary" not in amount:
        raise refuse("Missing required param: amount[monetary].", param="amount[monetary]", code="parameter_missing")
    if amount["monetary"]["value"] < 1:
        raise refuse("The value of a credit grant must be positive.", param="amount[monetary][value]")


def check_scope(sim: Simulator, scope: Object) -> None:
    """All metered prices, or up to twenty of them by name."""
    param = "applicability_config[scope]"
    if ("price_type" in scope) == ("prices" in scope):
        raise refuse("A scope has either price_type or prices.", param=param)
    prices = scope.get("prices", [])
    if len(prices) > MOST_PRICES:
        raise refuse(f"A scope names at most {MOST_PRICES} prices.", param=f"{param}[prices]")
    for place, named in enumerate(prices):
        price = sim.store.get("price", named["id"], param=f"{param}[prices][{place}][id]", status=400)
        if (price["recurring"] or {}).get("usage_type") != "metered":
            raise refuse("Credit grants apply to metered prices only.", param=f"{param}[prices][{place}][id]")


def check_expiry(expires_at: int | None, after: int) -> None:
    if expires_at is not None and expires_at <= after:
        raise refuse("expires_at must lie ahead, and after effective_at.", param="expires_at")


@route("GET", "/v1/billing/credit_grants")
def list_grants(request: Request) -> Object:
    given = {"customer": request.params["customer"]} if "customer" in request.params else {}
    return answer_list(request, request.sim.store.scan(GRANT, **given))


@route("GET", "/v1/billing/credit_grants/{id}")
def read_grant(request: Request) -> Object:
    return request.sim.store.get(GRANT, request.id)


@route("POST", "/v1/billing/credit_grants/{id}")
def update_grant(request: Request) -> Object:
    """Its metadata and when it expires; the amount never."""
    sim, params = request.sim, request.params
    grant = sim.store.get(GRANT, request.id)
    at = sim.now(grant["customer"])
    update(grant, params, "metadata")
    if "expires_at" in params:
        check_alive(grant, at)
        check_expiry(params["expires_at"] or None, at)
        update(grant, params, "expires_at")
        plan_expiry(sim, grant)
    grant["updated"] = at
    sim.emit("billing.credit_grant.updated", grant)
    return grant


@route("POST", "/v1/billing/credit_grants/{id}/expire")
def expire(request: Request) -> Object:
    grant = request.sim.store.get(GRANT, request.id)
    expire_grant(request.sim, grant, at=request.sim.now(grant["customer"]))
    return grant


@route("POST", "/v1/billing/credit_grants/{id}/void")
def void(request: Request) -> Object:
    grant = request.sim.store.get(GRANT, request.id)
    void_grant(request.sim, grant, at=request.sim.now(grant["customer"]))
    return grant


@route("GET", "/v1/billing/credit_balance_summary")
def read_summary(request: Request) -> Object:
    """What is left by currency, of one grant or of all that pay what is asked for."""
    sim = request.sim
    customer = find_customer(request)
    at = sim.now(customer["id"])
    left: dict[str, int] = {}
    for grant in sim.store.scan(GRANT, customer=customer["id"]):
        if matches(grant, request.params["filter"]):
            currency = grant["amount"]["monetary"]["currency"]
            left[currency] = left.get(currency, 0) + (grant["_left"] if (grant["effective_at"] or 0) <= at else 0)
    balances = [{"available_balance": show_money(*each), "ledger_balance": show_money(*each)} for each in left.items()]
    return template("billing.credit_balance_summary", balances=balances, customer=customer["id"])


def matches(grant: Object, wanted: Object) -> bool:
    if wanted["type"] == "credit_grant":
        return bool(grant["id"] == wanted.get("credit_grant"))
    prices = (wanted.get("applicability_scope") or {}).get("prices")
    if prices:
        return all(covers(grant, price["id"]) for price in prices)
    return "price_type" in grant["applicability_config"]["scope"]


def show_money(currency: str, value: int) -> Object:
    return {"monetary": {"currency": currency, "value": value}, "type": "monetary"}


@route("GET", "/v1/billing/credit_balance_transactions")
def list_transactions(request: Request) -> Object:
    given = {"credit_grant": request.params["credit_grant"]} if "credit_grant" in request.params else {}
    found = request.sim.store.scan(TRANSACTION, **given)
    wanted = request.params.get("customer")
    return answer_list(request, (row for row in found if wanted in (None, row["_customer"])))


@route("GET", "/v1/billing/credit_balance_transactions/{id}")
def read_transaction(request: Request) -> Object:
    return request.sim.store.get(TRANSACTION, request.id)
