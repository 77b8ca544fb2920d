"""What tests of the simulator need: a customer, prices, subscriptions, made by the official client over HTTP."""

import json
from datetime import datetime
from typing import Any

import stripe

from tests.simulators import START, SimulatorClient

NOW = int(START.timestamp())


def unix(moment: datetime) -> int:
    return int(moment.timestamp())


def make_price(client: Any, **params: Any) -> Any:
    """A monthly price of 10.00 EUR, unless told otherwise; its product is made with it."""
    amount = {} if {"tiers", "unit_amount_decimal", "unit_amount"} & set(params) else {"unit_amount": 1000}
    given = {
        "currency": "eur",
        "product_data": {"name": "Requests"},
        "recurring": {"interval": "month"},
        **amount,
        **params,
    }
    if "product" in given:
        del given["product_data"]
    return client.v1.prices.create({name: value for name, value in given.items() if value is not None})


def take_events(simulator: Any, prefix: str = "") -> list[dict[str, Any]]:
    """The bodies of the webhooks that wait, of event types that start so."""
    events = [json.loads(body) for _, body in simulator.take_webhooks()]
    return [event for event in events if event["type"].startswith(prefix)]


def take_types(simulator: Any, prefix: str = "") -> list[str]:
    return [event["type"] for event in take_events(simulator, prefix)]


def make_meter(
    simulator: SimulatorClient, name: str = "calls", formula: str = "sum", **more: Any
) -> stripe.billing.Meter:
    return simulator.client().v1.billing.meters.create(
        {"display_name": "Calls", "event_name": name, "default_aggregation": {"formula": formula}, **more}
    )


def make_customer(simulator: SimulatorClient) -> str:
    return simulator.client().v1.customers.create({"name": "Acme"}).id


def send(
    simulator: SimulatorClient, customer: str, value: str, at: int = NOW, **more: Any
) -> stripe.billing.MeterEvent:
    return simulator.client().v1.billing.meter_events.create(
        {
            "event_name": "calls",
            "payload": {"stripe_customer_id": customer, "value": value},
            "timestamp": at,
            **more,
        }
    )
