"""Keys, routes, headers."""

import http.client
import json

import pytest
import stripe

from stripe_simulator.api import Call, answer_call
from stripe_simulator.errors import StripeError
from stripe_simulator.simulator import Simulator


def call(simulator, method, path, headers):
    connection = http.client.HTTPConnection(simulator.url.removeprefix("http://"), timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer, body


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk_live_1234567890abcdef"}])
def test_without_a_test_key_the_answer_is_401(simulator, headers):
    answer, body = call(simulator, "GET", "/v1/customers", headers)
    assert answer.status == 401
    assert body["error"]["type"] == "invalid_request_error"
    assert "1234567890" not in body["error"]["message"]


def test_an_unknown_route_is_404(simulator):
    answer, body = call(simulator, "GET", "/v1/usage_records", {"Authorization": "Bearer sk_test_1"})
    assert answer.status == 404
    assert body["error"]["message"].startswith("Unrecognized request URL (GET: /v1/usage_records)")


def test_a_route_of_the_contract_without_a_handler_is_501(simulator):
    answer, body = call(simulator, "GET", "/v1/tax/locations", {"Authorization": "Bearer sk_test_1"})
    assert (answer.status, body["error"]["code"]) == (501, "not_implemented")


def test_every_answer_carries_its_request_and_the_version(simulator):
    answer, _ = call(simulator, "GET", "/v1/webhook_endpoints", {"Authorization": "Bearer sk_test_1"})
    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == stripe.api_version


def test_a_version_that_cannot_be_one_is_refused(simulator):
    headers = {"Authorization": "Bearer sk_test_1", "Stripe-Version": "latest"}
    answer, body = call(simulator, "GET", "/v1/webhook_endpoints", headers)
    assert (answer.status, body["error"]["message"]) == (400, "Invalid Stripe API version: latest")


def test_a_body_that_is_no_json_is_refused(simulator):
    connection = http.client.HTTPConnection(simulator.url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/v2/billing/meter_events", b"{", {"Authorization": "Bearer sk_test_1"})
    answer = connection.getresponse()
    assert answer.status == 400
    assert json.loads(answer.read())["error"]["message"] == "Could not parse the request body as JSON."
    connection.close()


def test_one_connection_serves_many_calls(simulator):
    connection = http.client.HTTPConnection(simulator.url.removeprefix("http://"), timeout=10)
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/v1/webhook_endpoints", headers={"Authorization": "Bearer sk_test_1"})
        assert json.loads(connection.getresponse().read())["object"] == "list"
        sockets.add(connection.sock)
    connection.close()
    assert len(sockets) == 1


def test_a_breach_of_the_contract_is_a_500_and_recorded():
    sim = Simulator(frozen=0)
    bad = {"id": "we_1", "object": "webhook_endpoint", "invented": True, "created": 0, "url": "https://a.test/"}
    with sim.work():
        sim.store.insert(bad)
    request = Call("GET", "/v1/webhook_endpoints/we_1", "", {"authorization": "Bearer sk_test_1"}, b"")
    assert answer_call(sim, request).status == 500
    assert sim.violations[0]["where"] == "answer to GET /v1/webhook_endpoints/we_1"


def test_a_breach_in_an_event_is_a_500_and_nothing_stays():
    sim = Simulator(frozen=0)
    with pytest.raises(StripeError) as failure, sim.work():
        sim.emit("customer.created", sim.store.insert({"id": "cus_1", "object": "customer", "invented": True}))
    assert failure.value.status == 500
    assert sim.violations[0]["where"] == "event customer.created"
    assert sim.store.peek("customer", "cus_1") is None
