"""Meter events: v1, v2, the stream with its sessions, and adjustments. What they are checked for is in `meters`."""

import secrets
from datetime import UTC, datetime

from stripe_simulator.contract import template
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.events import format_time
from stripe_simulator.meters.rules import Refusal
from stripe_simulator.meters.usage import aggregate, cancel_event, take_event
from stripe_simulator.routes import Object, Request, route

__all__ = ["aggregate"]

SESSION = "_meter_session"
SESSION_SECONDS = 15 * 60
MOST_IN_A_BATCH = 100
V2_CODES = {
    "meter_event_invalid_value": "payload_invalid_value",
    "meter_event_value_too_many_digits": "payload_invalid_value",
    "meter_event_no_customer_defined": "payload_no_customer_defined",
}


def say_v1(refusal: Refusal) -> StripeError:
    """Never worth a retry: nothing changes by asking again."""
    return refuse(refusal.message, param=refusal.param, headers={"Stripe-Should-Retry": "false"})


def say_v2(refusal: Refusal) -> StripeError:
    code = V2_CODES.get(refusal.code, refusal.code)
    if "must hold a value" in refusal.message:
        code = "payload_no_value_defined"
    return refuse(refusal.message, code=code, headers={"Stripe-Should-Retry": "false"})


def make_identifier() -> str:
    return secrets.token_hex(16)


@route("POST", "/v1/billing/meter_events")
def create_meter_event(request: Request) -> Object:
    sim, params = request.sim, request.params
    identifier = params.get("identifier", None) or make_identifier()
    try:
        timestamp = take_event(
            sim, params["event_name"], params["payload"], timestamp=params.get("timestamp"), identifier=identifier
        )
    except Refusal as refusal:
        raise say_v1(refusal) from None
    return {
        "object": "billing.meter_event",
        "created": sim.now(),
        "event_name": params["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": params["payload"],
        "timestamp": timestamp,
    }


@route("POST", "/v2/billing/meter_events")
def create_meter_event_v2(request: Request) -> Object:
    sim, params = request.sim, request.params
    identifier = params.get("identifier") or make_identifier()
    try:
        timestamp = take_event(
            sim, params["event_name"], params["payload"], timestamp=read_time(params), identifier=identifier
        )
    except Refusal as refusal:
        raise say_v2(refusal) from None
    return {
        "object": "v2.billing.meter_event",
        "created": format_time(sim.now()),
        "event_name": params["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": params["payload"],
        "timestamp": format_time(timestamp),
    }


def read_time(params: Object) -> int | None:
    """RFC 3339, to the second."""
    if "timestamp" not in params:
        return None
    try:
        moment = datetime.fromisoformat(params["timestamp"])
    except ValueError:
        raise refuse(f"Invalid timestamp: {params['timestamp']}", code="invalid_timestamp") from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


@route("POST", "/v2/billing/meter_event_session")
def create_session(request: Request) -> Object:
    """A token that the stream takes for a quarter of an hour."""
    sim, at = request.sim, request.sim.now()
    session = template(
        "v2.billing.meter_event_session",
        id=sim.new_id("mes"),
        authentication_token=f"mestok_test_{secrets.token_urlsafe(24)}",
        created=format_time(at),
        expires_at=format_time(at + SESSION_SECONDS),
    )
    sim.store.put(SESSION, session["authentication_token"], session | {"until": at + SESSION_SECONDS})
    return session


@route("POST", "/v2/billing/meter_event_stream")
def stream_meter_events(request: Request) -> Object:
    """Up to 100 events, of which nothing is said at once."""
    sim = request.sim
    check_session(request)
    events = request.params["events"]
    if not 1 <= len(events) <= MOST_IN_A_BATCH:
        raise refuse(f"A request carries 1 to {MOST_IN_A_BATCH} events, got {len(events)}.", code="invalid_batch_size")
    for event in events:
        take_event(
            sim,
            event["event_name"],
            event["payload"],
            timestamp=read_time(event),
            identifier=event.get("identifier") or make_identifier(),
            is_streamed=True,
        )
    return {}


def check_session(request: Request) -> None:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    session = request.sim.store.peek(SESSION, token)
    if session is None:
        raise StripeError(401, "invalid_request_error", "unauthenticated", "Invalid meter event stream token.")
    if request.sim.now() >= session["until"]:
        message = "The temporary session token has expired: create a new one."
        raise StripeError(400, "temporary_session_expired", "billing_meter_event_session_expired", message)


@route("POST", "/v1/billing/meter_event_adjustments")
def create_adjustment(request: Request) -> Object:
    params = request.params
    identifier = (params.get("cancel") or {}).get("identifier")
    if not identifier:
        raise refuse(
            "Missing required param: cancel[identifier].", param="cancel[identifier]", code="parameter_missing"
        )
    try:
        cancel_event(request.sim, params["event_name"], identifier)
    except Refusal as refusal:
        raise say_v1(refusal) from None
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": params["event_name"],
        "livemode": False,
        "status": "pending",
        "type": "cancel",
    }


@route("POST", "/v2/billing/meter_event_adjustments")
def create_adjustment_v2(request: Request) -> Object:
    sim, params = request.sim, request.params
    try:
        cancel_event(sim, params["event_name"], params["cancel"]["identifier"])
    except Refusal as refusal:
        raise say_v2(refusal) from None
    return template(
        "v2.billing.meter_event_adjustment",
        id=sim.new_id("mtradj"),
        cancel=params["cancel"],
        created=format_time(sim.now()),
        event_name=params["event_name"],
        status="pending",
        type="cancel",
    )
