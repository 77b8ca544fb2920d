"""Customers, metered prices and subscriptions for tests of the simulator, made by the official client over HTTP."""

from datetime import datetime
from typing import Any

from tests.stripe_simulator.makers import make_price, unix


def make_customer(client: Any, **params: Any) -> Any:
    return client.v1.customers.create({"name": "Acme", "email": "acme@example.com", **params})


def make_meter(client: Any, event_name: str = "requests", formula: str = "sum") -> Any:
    return client.v1.billing.meters.create(
        {"display_name": event_name, "event_name": event_name, "default_aggregation": {"formula": formula}}
    )


def make_metered_price(client: Any, meter: Any, **params: Any) -> Any:
    """2 cents for each unit of a meter, unless told otherwise."""
    amount = {} if {"tiers", "unit_amount_decimal"} & set(params) else {"unit_amount": 2}
    recurring = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    return make_price(client, **{"recurring": recurring, **amount, **params})


def use(client: Any, customer: Any, value: Any, at: datetime, event_name: str = "requests") -> None:
    payload = {"stripe_customer_id": customer.id, "value": str(value)}
    client.v1.billing.meter_events.create({"event_name": event_name, "payload": payload, "timestamp": unix(at)})


def subscribe(client: Any, customer: Any, *items: Any, **params: Any) -> Any:
    """A subscription to prices, or to items given whole."""
    given = [item if isinstance(item, dict) else {"price": item.id} for item in items]
    return client.v1.subscriptions.create({"customer": customer.id, "items": given, **params})


def find_invoices(client: Any, subscription: Any) -> list[Any]:
    """The invoices of a subscription, oldest first."""
    return list(client.v1.invoices.list({"subscription": subscription.id}).data)[::-1]


def give_card(client: Any, customer: Any, method: str = "pm_card_visa") -> Any:
    """Attach a test card and make it the one that invoices are charged to."""
    attached = client.v1.payment_methods.attach(method, {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": attached.id}})
    return attached


def pay_by_card(client: Any, customer: Any, invoice: Any) -> Any:
    give_card(client, customer)
    return client.v1.invoices.pay(invoice.id)
