"""Keys, routes, headers."""

import http.client
import json

import pytest
import stripe


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
