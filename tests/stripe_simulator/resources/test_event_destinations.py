"""v2 event destinations and thin events."""

import json

import pytest

from tests.simulators import START


@pytest.fixture
def destination(simulator):
    return simulator.client().v2.core.event_destinations.create(
        {
            "name": "Palier",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": ["v1.test_helpers.test_clock.created"],
            "webhook_endpoint": {"url": "https://palier.test/stripe/thin/"},
            "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
        }
    )


def make_clock(simulator):
    return simulator.client().v1.test_helpers.test_clocks.create({"frozen_time": int(START.timestamp())})


def take_thin(simulator):
    return [(headers, body) for headers, body in simulator.take_webhooks() if b"v2.core.event" in body]


def test_address_and_secret_are_shown_when_asked(simulator, destination):
    assert destination.webhook_endpoint.url == "https://palier.test/stripe/thin/"
    assert destination.webhook_endpoint.signing_secret.startswith("whsec_")
    read = simulator.client().v2.core.event_destinations.retrieve(destination.id)
    assert "webhook_endpoint" not in read.to_dict()


def test_a_notification_is_parsed_by_the_client_and_names_its_object(simulator, destination):
    clock = make_clock(simulator)
    [(headers, body)] = take_thin(simulator)
    client = simulator.client()
    notification = client.parse_event_notification(
        body, headers["Stripe-Signature"], destination.webhook_endpoint.signing_secret
    )
    assert notification.type == "v1.test_helpers.test_clock.created"
    assert notification.related_object.id == clock.id
    assert notification.fetch_event().id == notification.id
    assert notification.fetch_related_object().id == clock.id
    assert "data" not in json.loads(body)


def test_thin_events_are_listed(simulator, destination):
    make_clock(simulator)
    [event] = simulator.client().v2.core.events.list({"types": ["v1.test_helpers.test_clock.created"]}).data
    assert event.livemode is False
    assert simulator.client().v2.core.events.list({"types": ["v1.invoice.created"]}).data == []


def test_a_disabled_destination_is_told_nothing(simulator, destination):
    destinations = simulator.client().v2.core.event_destinations
    assert destinations.disable(destination.id).status_details.disabled.reason == "user"
    make_clock(simulator)
    assert take_thin(simulator) == []
    destinations.enable(destination.id)
    make_clock(simulator)
    assert len(take_thin(simulator)) == 1


def test_a_ping_reaches_its_destination(simulator, destination):
    event = simulator.client().v2.core.event_destinations.ping(destination.id)
    [(_, body)] = take_thin(simulator)
    assert json.loads(body)["id"] == event.id
