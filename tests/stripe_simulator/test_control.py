"""The control API: from this machine only, and by no web page."""

import http.client
import json

import pytest


def call(simulator, **headers):
    connection = http.client.HTTPConnection(simulator.url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/_sim/webhooks/down", json.dumps({"down": True}), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_program_of_this_machine_may(simulator):
    assert call(simulator) == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.test"}, {"Host": "evil.test:12111"}])
def test_a_web_page_may_not(simulator, headers):
    assert call(simulator, **headers) == 403


def test_an_unknown_call_is_told(simulator):
    with pytest.raises(AssertionError, match="no control call"):
        simulator.control("POST", "nothing")


def test_a_reset_forgets_everything(simulator):
    simulator.client().v1.customers.create({"name": "A"})
    simulator.fault("unavailable")
    simulator.settings(compat=["coupon"])
    simulator.reset()
    assert simulator.client().v1.customers.list().data == []
    assert simulator.control("GET", "webhooks") == []
