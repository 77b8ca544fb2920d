"""Customers: made, changed, deleted, found. Their balance and tax ids are in modules of their own."""

from stripe_simulator.contract import template
from stripe_simulator.errors import refuse_missing
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.payments.methods import attach_method, resolve_method
from stripe_simulator.payments.sources import add_source
from stripe_simulator.resources.test_clocks import check_room
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.searching import answer_search
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.ending import cancel_now
from stripe_simulator.taxes.tax_ids import make_tax_id
from stripe_simulator.unsupported import refuse_unsupported

FIELDS = (
    "address",
    "business_name",
    "description",
    "email",
    "individual_name",
    "invoice_prefix",
    "metadata",
    "name",
    "next_invoice_sequence",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
)
UNSUPPORTED = ("cash_balance", "tax")
ADDRESS = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}
SETTINGS = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}


@route("POST", "/v1/customers")
def create_customer(request: Request) -> Object:
    sim, params = request.sim, request.params
    refuse_unsupported(params, *UNSUPPORTED)
    clock = params.get("test_clock")
    if clock:
        sim.store.get("test_helpers.test_clock", clock, param="test_clock", status=400)
        check_room(sim, clock)
    customer = make_customer(sim, request.at, params)
    emit_created(sim, customer, params)
    for given in params.get("tax_id_data") or []:
        make_tax_id(sim, customer["id"], given, request.at)
    return customer


def make_customer(sim: Simulator, at: int, params: Object) -> Object:
    """Store a customer with its fields; what belongs to other objects (cards, tax ids) comes after the event."""
    customer = template(
        "customer",
        id=sim.new_id("cus"),
        balance=0,
        created=at,
        currency=None,
        default_source=None,
        delinquent=False,
        discount=None,
        invoice_settings=dict(SETTINGS),
        metadata={},
        name=None,
        next_invoice_sequence=1,
        phone=None,
        preferred_locales=[],
        tax_exempt="none",
        test_clock=params.get("test_clock"),
    )
    customer["invoice_prefix"] = customer["id"][-8:].upper()
    sim.store.insert(customer)
    change_customer(customer, params)
    if params.get("balance"):
        customer["balance"] = params["balance"]
    return customer


def emit_created(sim: Simulator, customer: Object, params: Object) -> None:
    """Tell of a customer with the cards that they come with, whose own events follow."""
    at = sim.now(customer["id"])
    default = (params.get("invoice_settings") or {}).get("default_payment_method")
    methods = {token: resolve_method(sim, token, at=at) for token in (default, params.get("payment_method")) if token}
    if default:
        customer["invoice_settings"]["default_payment_method"] = methods[default]["id"]
    if params.get("source"):
        add_source(sim, customer, params["source"], at=at, is_told=False)
    sim.emit("customer.created", customer)
    for method in methods.values():
        attach_method(sim, method, customer["id"])


def change_customer(customer: Object, params: Object) -> None:
    update(customer, params, *FIELDS)
    for name in ("address", "shipping"):
        if params.get(name):
            place = params[name] if name == "address" else params[name]["address"]
            full = ADDRESS | {key: value or None for key, value in place.items()}
            customer[name] = full if name == "address" else {"phone": None, **params[name], "address": full}
    if customer["tax_exempt"] is None:
        customer["tax_exempt"] = "none"
    if "preferred_locales" in params:
        customer["preferred_locales"] = params["preferred_locales"] or []
    settings = dict(params.get("invoice_settings") or {})
    settings.pop("default_payment_method", None)
    if settings.get("rendering_options"):
        settings["rendering_options"] = {"amount_tax_display": None, "template": None} | settings["rendering_options"]
    customer["invoice_settings"] |= {key: value or None for key, value in settings.items()}


@route("GET", "/v1/customers/{id}")
def read_customer(request: Request) -> Object:
    return request.sim.store.get_deleted("customer", request.id) or request.sim.store.get("customer", request.id)


@route("POST", "/v1/customers/{id}")
def update_customer(request: Request) -> Object:
    sim, params = request.sim, request.params
    refuse_unsupported(params, *UNSUPPORTED)
    customer = sim.store.get("customer", request.id)
    change_customer(customer, params)
    settings = params.get("invoice_settings") or {}
    if "default_payment_method" in settings:
        customer["invoice_settings"]["default_payment_method"] = check_default(
            sim, customer, settings["default_payment_method"]
        )
    if "balance" in params:
        customer["balance"] = params["balance"]
    if params.get("source"):
        add_source(sim, customer, params["source"], at=request.at, is_default=True)
    if params.get("default_source"):
        sim.store.get("card", params["default_source"], param="default_source", status=400)
        customer["default_source"] = params["default_source"]
    sim.emit("customer.updated", customer)
    return customer


def check_default(sim: Simulator, customer: Object, method: str) -> str | None:
    """The default is a payment method that is attached to this very customer; '' unsets it."""
    if not method:
        return None
    found = sim.store.peek("payment_method", method)
    if found is None or found["customer"] != customer["id"]:
        raise refuse_missing("payment_method", method, param="invoice_settings[default_payment_method]", status=400)
    return method


@route("DELETE", "/v1/customers/{id}")
def delete_customer(request: Request) -> Object:
    """For good: cards are let go, subscriptions end at once, the stub stays."""
    sim = request.sim
    customer = sim.store.get("customer", request.id)
    for method in sim.store.find("payment_method", customer=customer["id"]):
        method["customer"] = None
    for subscription in sim.store.find("subscription", customer=customer["id"], ended_at=None):
        cancel_now(sim, subscription, at=request.at, invoices=False, prorates=False)
    stub = sim.store.delete(customer)
    sim.emit("customer.deleted", customer)
    return stub


@route("GET", "/v1/customers")
def list_customers(request: Request) -> Object:
    email = request.params.get("email")
    found = (customer for customer in request.sim.store.scan("customer") if email in (None, customer["email"]))
    return answer_list(request, found)


@route("GET", "/v1/customers/search")
def search_customers(request: Request) -> Object:
    return answer_search(request, request.sim.store.scan("customer"))
