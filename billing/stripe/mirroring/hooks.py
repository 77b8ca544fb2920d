"""Events of customers and subscriptions. What they say is read again: they may be late, and out of order."""

import json
from datetime import datetime
from decimal import Decimal

from billing.models import StripeEvent
from billing.stripe.inbox import NotOurs, handles
from billing.stripe.mirroring.watching import check_customer, check_subscription


@handles("customer.updated", "customer.deleted")
def see_customer(event: StripeEvent, at: datetime) -> None:
    check_customer(event.object_id, at=at)


@handles(
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
)
def see_payment_method(event: StripeEvent, at: datetime) -> None:
    """One that was detached no longer says whose it was; the event does, of before or of after."""
    data = json.loads(event.payload, parse_float=Decimal)["data"]
    customer = data["object"].get("customer") or data.get("previous_attributes", {}).get("customer")
    if not isinstance(customer, str):
        raise NotOurs("a payment method of nobody")
    check_customer(customer, at=at)


@handles(
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
)
def see_subscription(event: StripeEvent, at: datetime) -> None:
    check_subscription(event.object_id, at=at)
