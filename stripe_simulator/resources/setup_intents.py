"""/v1/setup_intents."""

from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import merge_metadata, update
from stripe_simulator.payments.setups import cancel_setup, make_setup, raise_if_declined, refuse_state, try_setup
from stripe_simulator.resources.payment_intents import read_method
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.unsupported import refuse_unsupported

UNSUPPORTED = ("attach_to_self", "confirmation_token", "customer_account", "on_behalf_of", "single_use")
FINISHED = ("succeeded", "canceled")


@route("POST", "/v1/setup_intents")
def create_setup_intent(request: Request) -> Object:
    sim, params = request.sim, request.params
    refuse_unsupported(params, *UNSUPPORTED)
    if params.get("customer"):
        sim.store.get("customer", params["customer"], param="customer", status=400)
    method = read_method(request)
    setup = make_setup(
        sim,
        customer=params.get("customer"),
        automatic_payment_methods=params.get("automatic_payment_methods"),
        description=params.get("description"),
        metadata=merge_metadata({}, params.get("metadata")),
        usage=params.get("usage", "off_session"),
        payment_method=method["id"] if method else None,
        status="requires_confirmation" if method else "requires_payment_method",
    )
    if params.get("confirm"):
        confirm(request, setup)
    return setup


def confirm(request: Request, setup: Object) -> None:
    """Save the card. Raises the card's error; what was tried stays."""
    if setup["status"] in FINISHED:
        raise refuse_state(setup, "confirmed")
    if not setup["payment_method"]:
        message = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise refuse(message, code="setup_intent_unexpected_state")
    method = request.sim.store.get("payment_method", setup["payment_method"])
    try_setup(request.sim, setup, method, return_url=request.params.get("return_url"))
    raise_if_declined(request.sim, setup)


@route("GET", "/v1/setup_intents")
def list_setup_intents(request: Request) -> Object:
    given = {key: request.params[key] for key in ("customer", "payment_method") if key in request.params}
    return answer_list(request, request.sim.store.scan("setup_intent", **given))


@route("GET", "/v1/setup_intents/{id}")
def read_setup_intent(request: Request) -> Object:
    return request.sim.store.get("setup_intent", request.id)


@route("POST", "/v1/setup_intents/{id}")
def update_setup_intent(request: Request) -> Object:
    refuse_unsupported(request.params, *UNSUPPORTED)
    setup = request.sim.store.get("setup_intent", request.id)
    update(setup, request.params, "customer", "description", "metadata")
    if (method := read_method(request)) is not None:
        setup |= {"payment_method": method["id"], "status": "requires_confirmation"}
    return setup


@route("POST", "/v1/setup_intents/{id}/confirm")
def confirm_setup_intent(request: Request) -> Object:
    refuse_unsupported(request.params, *UNSUPPORTED)
    setup = request.sim.store.get("setup_intent", request.id)
    if (method := read_method(request)) is not None:
        setup["payment_method"] = method["id"]
    confirm(request, setup)
    return setup


@route("POST", "/v1/setup_intents/{id}/cancel")
def cancel_setup_intent(request: Request) -> Object:
    setup = request.sim.store.get("setup_intent", request.id)
    cancel_setup(request.sim, setup, request.params.get("cancellation_reason"))
    return setup
