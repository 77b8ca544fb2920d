"""Meter events over HTTP, by every way in: what is counted once, refused at once, or reported later."""

import pytest
import stripe

from tests.simulators import SimulatorClient
from tests.stripe_simulator.makers import NOW, make_customer, make_meter, send

DAY = 86_400


def read_total(simulator: SimulatorClient, meter: stripe.billing.Meter, customer: str) -> float:
    now = int(simulator.now().timestamp())
    now += -now % 60
    [summary] = simulator.client().v1.billing.meters.event_summaries.list(
        meter.id, {"customer": customer, "start_time": NOW - 40 * DAY, "end_time": now + 600}
    )
    return summary.aggregated_value


def test_an_identifier_is_taken_once_in_24_hours_and_says_not_to_retry(simulator: SimulatorClient):
    meter, customer = make_meter(simulator), make_customer(simulator)
    send(simulator, customer, "5", identifier="a")
    with pytest.raises(stripe.InvalidRequestError) as raised:
        send(simulator, customer, "5", identifier="a")
    assert raised.value.http_status == 400
    assert "An event already exists with identifier a." in str(raised.value)
    assert raised.value.headers["Stripe-Should-Retry"] == "false"
    simulator.advance(hours=24)
    send(simulator, customer, "7", identifier="a")
    assert read_total(simulator, meter, customer) == 12


def test_an_event_needs_a_meter_a_customer_and_a_plain_number_of_15_digits(simulator: SimulatorClient):
    make_meter(simulator)
    customer = make_customer(simulator)
    for value in ("1E-12", "1234567890.123456", "many"):
        with pytest.raises(stripe.InvalidRequestError) as raised:
            send(simulator, customer, value)
        assert raised.value.param == "payload[value]"
    with pytest.raises(stripe.InvalidRequestError, match="No active meter found for event name none"):
        send(simulator, customer, "1", event_name="none")
    with pytest.raises(stripe.InvalidRequestError, match="must name the customer"):
        send(simulator, "", "1")


def test_the_timestamp_is_judged_by_the_clock(simulator: SimulatorClient):
    meter, customer = make_meter(simulator), make_customer(simulator)
    send(simulator, customer, "1", NOW - 35 * DAY)
    send(simulator, customer, "2", NOW + 300)
    for at in (NOW - 35 * DAY - 1, NOW + 301):
        with pytest.raises(stripe.InvalidRequestError) as raised:
            send(simulator, customer, "4", at)
        assert raised.value.param == "timestamp"
    simulator.advance(seconds=1)
    send(simulator, customer, "8", NOW + 301)
    assert read_total(simulator, meter, customer) == 11


def test_a_cancelled_event_no_longer_counts_and_keeps_its_identifier(simulator: SimulatorClient):
    client = simulator.client()
    meter, customer = make_meter(simulator), make_customer(simulator)
    send(simulator, customer, "5", identifier="a")
    send(simulator, customer, "7", identifier="b")
    made = client.v1.billing.meter_event_adjustments.create(
        {"event_name": "calls", "type": "cancel", "cancel": {"identifier": "a"}}
    )
    assert made.status == "pending"
    assert read_total(simulator, meter, customer) == 7
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        send(simulator, customer, "5", identifier="a")


def test_an_event_is_cancelled_within_24_hours_of_its_receipt(simulator: SimulatorClient):
    client = simulator.client()
    make_meter(simulator)
    send(simulator, make_customer(simulator), "5", identifier="a")
    simulator.advance(hours=24, seconds=1)
    for identifier in ("a", "unknown"):
        with pytest.raises(stripe.InvalidRequestError) as raised:
            client.v2.billing.meter_event_adjustments.create(
                {"event_name": "calls", "type": "cancel", "cancel": {"identifier": identifier}}
            )
        assert raised.value.code == "invalid_cancel_configuration"


def test_v2_says_the_code_of_what_is_wrong(simulator: SimulatorClient):
    client = simulator.client()
    meter, customer = make_meter(simulator), make_customer(simulator)

    def send_v2(**payload: str) -> stripe.v2.billing.MeterEvent:
        return client.v2.billing.meter_events.create({"event_name": "calls", "payload": payload, "identifier": "a"})

    made = send_v2(stripe_customer_id=customer, value="2")
    assert made.timestamp == "2026-11-02T00:00:00.000Z"
    assert read_total(simulator, meter, customer) == 2
    for payload, code in (
        ({"stripe_customer_id": customer, "value": "2"}, "duplicate_meter_event"),
        ({"value": "2"}, "payload_no_customer_defined"),
        ({"stripe_customer_id": customer}, "payload_no_value_defined"),
        ({"stripe_customer_id": customer, "value": "x"}, "payload_invalid_value"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as raised:
            send_v2(**payload)
        assert raised.value.code == code
    client.v1.billing.meters.deactivate(meter.id)
    with pytest.raises(stripe.InvalidRequestError) as raised:
        send_v2(stripe_customer_id=customer, value="2")
    assert raised.value.code == "archived_meter"


def test_the_stream_takes_a_hundred_events_with_a_token_of_a_quarter_of_an_hour(simulator: SimulatorClient):
    client = simulator.client()
    meter, customer = make_meter(simulator), make_customer(simulator)
    session = client.v2.billing.meter_event_session.create()
    streaming = stripe.StripeClient(session.authentication_token, base_addresses={"meter_events": simulator.url})
    event = {"event_name": "calls", "payload": {"stripe_customer_id": customer, "value": "2"}}

    def stream(count: int) -> None:
        events = [event | {"identifier": f"{count} {place}"} for place in range(count)]
        streaming.v2.billing.meter_event_stream.create({"events": events})  # type: ignore[typeddict-item]

    stream(100)
    stream(100)  # all duplicates: nothing is said, nothing is counted
    assert read_total(simulator, meter, customer) == 200
    with pytest.raises(stripe.InvalidRequestError, match="1 to 100"):
        stream(101)
    simulator.advance(minutes=15)
    with pytest.raises(stripe.TemporarySessionExpiredError):
        stream(1)


def test_of_an_unknown_customer_nothing_is_said_at_once(simulator: SimulatorClient):
    meter = make_meter(simulator)
    assert send(simulator, "cus_nobody", "1", identifier="a").identifier == "a"
    assert read_total(simulator, meter, "cus_nobody") == 0


def test_where_checks_are_deferred_everything_is_taken_but_a_duplicate(simulator: SimulatorClient):
    simulator.settings(meter_validation="deferred")
    meter, customer = make_meter(simulator), make_customer(simulator)
    for value in ("1E-12", "3"):
        send(simulator, customer, value, identifier="a")
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        send(simulator, customer, "3", identifier="a")
    assert read_total(simulator, meter, customer) == 3
