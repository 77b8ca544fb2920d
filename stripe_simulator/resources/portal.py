"""The customer portal: its configurations and sessions. Its pages are in `portal_pages`."""

from stripe_simulator.addresses import check_url, make_address
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import merge_metadata, update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator
from stripe_simulator.unsupported import refuse_unsupported

FEATURES: Object = {
    "customer_update": {"allowed_updates": [], "enabled": False},
    "invoice_history": {"enabled": True},
    "payment_method_update": {"enabled": True, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "feedback_options": None, "options": []},
        "enabled": False,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": False},
    "subscription_update": {
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "enabled": False,
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}
FLOWS = ("customer_update", "subscription_cancel", "subscription_pause", "subscription_update")


def make_configuration(sim: Simulator, params: Object, *, at: int, is_default: bool = False) -> Object:
    configuration = template(
        "billing_portal.configuration",
        id=sim.new_id("bpc"),
        active=True,
        business_profile=read_profile(params),
        created=at,
        default_return_url=params.get("default_return_url") or None,
        features=merge_features(FEATURES, params.get("features") or {}),
        is_default=is_default,
        login_page={"enabled": False, "url": None},
        metadata=merge_metadata({}, params.get("metadata")),
        name=params.get("name") or None,
        updated=at,
    )
    sim.store.insert(configuration)
    sim.emit("billing_portal.configuration.created", configuration)
    return configuration


def merge_features(held: Object, given: Object) -> Object:
    merged = {name: held[name] | (given.get(name) or {}) for name in held}
    for name in ("subscription_cancel", "subscription_pause"):
        for key, value in held[name].items():
            if isinstance(value, dict):
                merged[name][key] = value | ((given.get(name) or {}).get(key) or {})
    if merged["customer_update"]["allowed_updates"] == "":
        merged["customer_update"]["allowed_updates"] = []
    return merged


def read_profile(params: Object) -> Object:
    empty = {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None}
    return empty | (params.get("business_profile") or {})


@route("POST", "/v1/billing_portal/configurations")
def create_configuration(request: Request) -> Object:
    return make_configuration(request.sim, request.params, at=request.at)


@route("GET", "/v1/billing_portal/configurations")
def list_configurations(request: Request) -> Object:
    given = {key: request.params[key] for key in ("active", "is_default") if key in request.params}
    return answer_list(request, request.sim.store.scan("billing_portal.configuration", **given))


@route("GET", "/v1/billing_portal/configurations/{id}")
def read_configuration(request: Request) -> Object:
    return request.sim.store.get("billing_portal.configuration", request.id)


@route("POST", "/v1/billing_portal/configurations/{id}")
def update_configuration(request: Request) -> Object:
    sim, params = request.sim, request.params
    configuration = sim.store.get("billing_portal.configuration", request.id)
    if configuration["is_default"] and params.get("active") is False:
        raise refuse("The default configuration cannot be deactivated.", param="active")
    update(configuration, params, "active", "default_return_url", "metadata", "name")
    configuration["business_profile"] |= params.get("business_profile") or {}
    configuration["features"] = merge_features(configuration["features"], params.get("features") or {})
    configuration["updated"] = request.at
    sim.emit("billing_portal.configuration.updated", configuration)
    return configuration


@route("POST", "/v1/billing_portal/sessions")
def create_session(request: Request) -> Object:
    """A link for one customer; without a configuration the default one goes, which is made when it is first needed."""
    sim, params = request.sim, request.params
    refuse_unsupported(params, "customer_account", "on_behalf_of", "after_expiration")
    if not params.get("customer"):
        raise refuse("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = sim.store.get("customer", params["customer"], param="customer", status=400)
    check_url(params.get("return_url"), "return_url")
    configuration = find_configuration(request)
    id = sim.new_id("bps")
    session = template(
        "billing_portal.session",
        id=id,
        configuration=configuration["id"],
        created=request.at,
        customer=customer["id"],
        flow=read_flow(params.get("flow_data")),
        locale=params.get("locale"),
        return_url=params.get("return_url") or configuration["default_return_url"],
        url=make_address(sim, f"/p/session/{id}"),
    )
    sim.store.insert(session)
    sim.emit("billing_portal.session.created", session)
    return session


def find_configuration(request: Request) -> Object:
    sim, named = request.sim, request.params.get("configuration")
    if named:
        return sim.store.get("billing_portal.configuration", named, param="configuration", status=400)
    found = sim.store.find("billing_portal.configuration", is_default=True)
    return found[0] if found else make_configuration(sim, {}, at=request.at, is_default=True)


def read_flow(given: Object | None) -> Object | None:
    """Where the link leads: to changing the card. Other flows are for subscriptions, which this portal only shows."""
    if not given:
        return None
    refuse_unsupported(given, *FLOWS, "subscription_update_confirm")
    if given["type"] != "payment_method_update":
        refuse_unsupported({f"flow_data[type]={given['type']}": True}, f"flow_data[type]={given['type']}")
    after = given.get("after_completion") or {"type": "portal_homepage"}
    check_url((after.get("redirect") or {}).get("return_url"), "flow_data[after_completion][redirect][return_url]")
    confirmation = after.get("hosted_confirmation")
    return {
        "after_completion": {
            "hosted_confirmation": {"custom_message": None} | confirmation if confirmation else None,
            "redirect": after.get("redirect"),
            "type": after["type"],
        },
        **dict.fromkeys([*FLOWS, "subscription_update_confirm"]),
        "type": given["type"],
    }
