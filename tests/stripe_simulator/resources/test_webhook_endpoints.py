"""The simplest resource, and with it the frame: the official client over HTTP."""

import pytest
import stripe

URL = "https://example.test/hook"


def test_the_secret_is_shown_once(simulator):
    client = simulator.client()
    made = client.v1.webhook_endpoints.create({"url": URL, "enabled_events": ["invoice.created"]})
    assert made.id.startswith("we_")
    assert made.secret.startswith("whsec_")
    assert "secret" not in client.v1.webhook_endpoints.retrieve(made.id).to_dict()


def test_an_update_merges_metadata_and_an_empty_string_unsets(simulator):
    client = simulator.client()
    made = client.v1.webhook_endpoints.create(
        {"url": URL, "enabled_events": ["*"], "description": "first", "metadata": {"a": "1", "b": "2"}}
    )
    changed = client.v1.webhook_endpoints.update(made.id, {"description": "", "metadata": {"b": "", "c": "3"}})
    assert changed.description is None
    assert changed.metadata.to_dict() == {"a": "1", "c": "3"}


def test_a_deleted_endpoint_answers_its_stub_and_is_gone(simulator):
    client = simulator.client()
    made = client.v1.webhook_endpoints.create({"url": URL, "enabled_events": ["*"]})
    assert client.v1.webhook_endpoints.delete(made.id).to_dict() == {
        "id": made.id,
        "object": "webhook_endpoint",
        "deleted": True,
    }
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.webhook_endpoints.retrieve(made.id)
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")


def test_an_invented_parameter_is_refused(simulator):
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.client().v1.webhook_endpoints.create({"url": URL, "enabled_events": ["*"], "colour": "red"})
    assert (refusal.value.code, refusal.value.param) == ("parameter_unknown", "colour")


def test_a_missing_parameter_is_named(simulator):
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        simulator.client().v1.webhook_endpoints.create({"enabled_events": ["*"]})
    assert (refusal.value.code, refusal.value.param) == ("parameter_missing", "url")
