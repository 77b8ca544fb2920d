"""/v1/checkout/sessions. The page that a browser sees is in `checkout_pages`."""

from stripe_simulator.checkout.sessions import expire_session, make_session
from stripe_simulator.expanding import includable
from stripe_simulator.lists import answer_list, cut_page
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.unsupported import refuse_unsupported

UNSUPPORTED = (
    "after_expiration", "automatic_tax", "consent_collection", "custom_fields", "custom_text", "customer_account",
    "customer_update", "discounts", "invoice_creation", "optional_items", "permissions", "return_url",
    "shipping_address_collection", "shipping_options",
)  # fmt: skip


@route("POST", "/v1/checkout/sessions")
def create_session(request: Request) -> Object:
    sim, params = request.sim, request.params
    asked = {name: value for name, value in params.items() if value != {"enabled": False}}
    refuse_unsupported(asked, *UNSUPPORTED)
    if params.get("customer"):
        sim.store.get("customer", params["customer"], param="customer", status=400)
    return make_session(sim, params, at=request.at)


@route("GET", "/v1/checkout/sessions")
def list_sessions(request: Request) -> Object:
    names = ("customer", "payment_intent", "status", "subscription")
    given = {key: request.params[key] for key in names if key in request.params}
    return answer_list(request, request.sim.store.scan("checkout.session", **given))


@route("GET", "/v1/checkout/sessions/{id}")
def read_session(request: Request) -> Object:
    return request.sim.store.get("checkout.session", request.id)


@route("POST", "/v1/checkout/sessions/{id}")
def update_session(request: Request) -> Object:
    session = request.sim.store.get("checkout.session", request.id)
    refuse_unsupported(request.params, "collected_information", "line_items", "shipping_options")
    return update(session, request.params, "metadata")


@route("POST", "/v1/checkout/sessions/{id}/expire")
def expire(request: Request) -> Object:
    session = request.sim.store.get("checkout.session", request.id)
    expire_session(request.sim, session)
    return session


@route("GET", "/v1/checkout/sessions/{id}/line_items")
def list_line_items(request: Request) -> Object:
    session = request.sim.store.get("checkout.session", request.id)
    return cut_page(session["_items"], request.params, url=request.path)


@includable("checkout.session", "line_items")
def show_line_items(sim: Simulator, session: Object) -> Object:
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    items = sim.store.get("checkout.session", session["id"])["_items"]
    return {"object": "list", "data": items[:10], "has_more": len(items) > 10, "url": url}
