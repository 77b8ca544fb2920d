"""From a call to its answer: key, route, contract, rules, contract again."""

import base64
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from stripe_simulator import API_VERSION, compat, control
from stripe_simulator.contract import Operation
from stripe_simulator.errors import StripeError, refuse
from stripe_simulator.expanding import expand, strip
from stripe_simulator.faults import Fault, strike_before
from stripe_simulator.lists import PAGE
from stripe_simulator.pages.layout import HEADERS
from stripe_simulator.routes import ROUTES, Page, Request, find_page
from stripe_simulator.simulator import Simulator
from stripe_simulator.store import new_id

VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
JSON = {"Content-Type": "application/json"}
STREAM = "/v2/billing/meter_event_stream"


@dataclass(slots=True)
class Call:
    """What came over the wire. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str = "127.0.0.1"


@dataclass(slots=True)
class Answer:
    """What goes out; `is_dropped` closes the connection instead."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False


def answer_call(sim: Simulator, call: Call) -> Answer:
    if call.path.startswith("/_sim/"):
        return answer_control(sim, call)
    if not call.path.startswith(("/v1/", "/v2/")):
        return answer_page(sim, call)
    request_id = new_id("req")
    try:
        answer = answer_api(sim, call, request_id)
    except StripeError as error:
        answer = answer_error(error, request_id)
    except Exception:
        sim.record_crash(f"{call.method} {call.path}")
        crash = StripeError(500, "api_error", None, "The simulator itself failed: see /_sim/violations.")
        answer = answer_error(crash, request_id)
    answer.headers.setdefault("Request-Id", request_id)
    answer.headers.setdefault("Stripe-Version", call.headers.get("stripe-version", API_VERSION))
    return answer


def answer_api(sim: Simulator, call: Call, request_id: str) -> Answer:
    if call.path != STREAM:  # which has tokens of its own
        check_key(call)
    check_version(call)
    operation, ids = find_operation(sim, call)
    fault = sim.faults.pick(call.method, operation.path, call.path)
    if strike_before(fault):
        return Answer(0, b"", is_dropped=True)
    sim.limits.check_rate(call.method, operation.path)
    base = sim.memory["base_url"] = f"http://{call.headers.get('host', '127.0.0.1')}"
    request = Request(
        sim,
        call.method,
        call.path,
        read_params(sim, call, operation),
        ids,
        call.headers,
        request_id,
        call.headers.get("idempotency-key"),
        base,
        read_page(call),
    )
    with sim.limits.hold_meter(operation.path, request.params), sim.idempotency.hold(request) as kept:
        if kept is not None:
            return answer_again(kept)
        if fault and fault.kind == "hold_inside":  # while its key and its meter are held
            time.sleep(fault.seconds)
        answer = run_handler(sim, operation, request, fault)
    return strike_after(fault, answer)


def answer_again(kept: dict[str, Any]) -> Answer:
    headers = JSON | {"Idempotent-Replayed": "true", "Original-Request": kept["request"]}
    return Answer(kept["status"], kept["body"].encode(), headers)


def run_handler(sim: Simulator, operation: Operation, request: Request, fault: Fault | None) -> Answer:
    """Do it, all or nothing, and keep the answer for the request's key in the same unit of work."""
    handler = ROUTES[operation.method, operation.path]
    broken = StripeError(500, "api_error", None, "An unknown error occurred.")
    try:
        with sim.work():
            sim.request = request
            try:
                if fault and fault.kind == "error":
                    raise broken
                result = strip(handler(request))
                if sim.settings.compat:
                    compat.follow(request, result)
                if paths := request.params.get("expand"):
                    expand(sim, result, paths)
                check_answer(sim, operation, request, result)
            finally:
                sim.request = None
            answer = Answer(200, msgspec.json.encode(result), dict(JSON))
            if fault and fault.kind == "error_after":
                answer = answer_error(broken, request.request_id)
            sim.idempotency.keep(request, answer.status, answer.body)
    except StripeError as error:
        answer = answer_error(error, request.request_id)
        if error.status not in (409, 429):
            with sim.work():
                sim.idempotency.keep(request, answer.status, answer.body)
    return answer


def check_answer(sim: Simulator, operation: Operation, request: Request, result: Any) -> None:
    if problems := sim.contract.check_answer(operation, result):
        sim.break_off(f"answer to {request.method} {request.path}", problems, result)


def strike_after(fault: Fault | None, answer: Answer) -> Answer:
    """What happens once all is done."""
    if fault is None:
        return answer
    if fault.kind == "drop_after":
        answer.is_dropped = True
    elif fault.kind == "delay_after":
        time.sleep(fault.seconds)
    elif fault.kind == "wrong_body":
        return Answer(fault.status, fault.body.encode(), {"Content-Type": "text/html"})
    return answer


def check_key(call: Call) -> None:
    kind, _, key = call.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        key = base64.b64decode(key).decode(errors="replace").partition(":")[0]
    if not key:
        raise StripeError(
            401,
            "invalid_request_error",
            None,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    if not key.startswith(("sk_test_", "rk_test_")):
        shown = f"{key[:8]}{'*' * 12}{key[-4:]}" if len(key) > 12 else "*" * len(key)
        raise StripeError(401, "invalid_request_error", None, f"Invalid API Key provided: {shown}")


def check_version(call: Call) -> None:
    """Any version that could be one is taken, and answered in ours."""
    version = call.headers.get("stripe-version", API_VERSION)
    if not VERSION.fullmatch(version):
        raise refuse(f"Invalid Stripe API version: {version}")


def find_operation(sim: Simulator, call: Call) -> tuple[Operation, dict[str, str]]:
    found = sim.contract.find(call.method, call.path)
    if found is None:
        raise StripeError(
            404, "invalid_request_error", None, f"Unrecognized request URL ({call.method}: {call.path}). Please see "
            "https://stripe.com/docs or we can help at https://support.stripe.com/."
        )  # fmt: skip
    operation, ids = found
    if (operation.method, operation.path) not in ROUTES:
        raise StripeError(
            501, "api_error", "not_implemented", f"{call.method} {operation.path} is in the contract, but this "
            "simulator does not implement it."
        )  # fmt: skip
    return operation, ids


def read_params(sim: Simulator, call: Call, operation: Operation) -> Any:
    if operation.is_json:
        try:
            params = json.loads(call.body or b"{}")
        except ValueError:
            raise refuse("Could not parse the request body as JSON.") from None
    else:
        text = call.body.decode(errors="replace")
        pairs = parse_qsl(text, keep_blank_values=True) if text else []
        if call.query:
            pairs = read_query(call) + pairs
        params = sim.contract.read_params(operation, pairs)
    if sim.settings.compat and isinstance(params, dict):
        params = compat.translate(sim, operation.path, params)
    sim.contract.check_request(operation, params, allowed=frozenset(sim.settings.compat))
    return params


def read_query(call: Call) -> list[tuple[str, str]]:
    """Without the page of a v2 list, which is in addresses of ours and in no contract."""
    pairs = parse_qsl(call.query, keep_blank_values=True)
    return [pair for pair in pairs if pair[0] != PAGE] if call.path.startswith("/v2/") else pairs


def read_page(call: Call) -> str | None:
    return dict(parse_qsl(call.query)).get(PAGE) if call.path.startswith("/v2/") else None


def answer_error(error: StripeError, request_id: str) -> Answer:
    body = json.dumps(error.to_body(request_id), indent=2).encode()
    return Answer(error.status, body, JSON | error.headers)


def answer_page(sim: Simulator, call: Call) -> Answer:
    found = find_page(call.method, call.path)
    if found is None:
        return Answer(404, b"Not here.", {"Content-Type": "text/plain"})
    handler, ids = found
    params = dict(parse_qsl(call.query, keep_blank_values=True) + parse_qsl(call.body.decode(), keep_blank_values=True))
    base = sim.memory["base_url"] = f"http://{call.headers.get('host', '127.0.0.1')}"
    request = Request(sim, call.method, call.path, params, ids, call.headers, new_id("req"), None, base)
    try:
        with sim.work():
            page: Page = handler(request)
    except StripeError as error:
        return Answer(error.status, error.message.encode(), {"Content-Type": "text/plain"})
    except Exception:
        sim.record_crash(f"{call.method} {call.path}")
        return Answer(500, b"The simulator itself failed.", {"Content-Type": "text/plain"})
    headers = dict(HEADERS)
    if page.location:
        return Answer(303, b"", headers | {"Location": page.location})
    return Answer(page.status, page.html.encode(), headers)


def is_local(call: Call) -> bool:
    """From this machine, under its own name (a foreign name may have been pointed here), and by no web page."""
    host = call.headers.get("host", "").rpartition(":")[0] or call.headers.get("host", "")
    return call.peer in LOOPBACK and host.strip("[]") in LOOPBACK and "origin" not in call.headers


def answer_control(sim: Simulator, call: Call) -> Answer:
    if not is_local(call):
        return Answer(403, b'{"error": "only from loopback, and from no web page"}', dict(JSON))
    try:
        params = json.loads(call.body or b"{}")
        result = control.answer(sim, call.method, call.path.removeprefix("/_sim/"), params)
    except control.Unknown as error:
        return Answer(404, json.dumps({"error": str(error)}).encode(), dict(JSON))
    except (KeyError, TypeError, ValueError, LookupError) as error:
        return Answer(400, json.dumps({"error": repr(error)}).encode(), dict(JSON))
    return Answer(200, msgspec.json.encode(result), dict(JSON))
