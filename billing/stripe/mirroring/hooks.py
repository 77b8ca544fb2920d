"""Events of customers and subscriptions. What they say is read again: they may be late, and out of order."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.models import StripeCheckout, StripeEvent
from billing.stripe.checkout import settle_checkout
from billing.stripe.inbox import NotOurs, NotYet, handles
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


def read_object(event: StripeEvent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.payload, parse_float=Decimal)["data"]["object"]
    return found


@handles(
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
)
def see_subscription(event: StripeEvent, at: datetime) -> None:
    check_subscription(event.object_id, at=at)


@handles("checkout.session.completed", "checkout.session.expired", "setup_intent.succeeded")
def see_checkout(event: StripeEvent, at: datetime) -> None:
    """Both the page and the card that was entered on it name the click that they are of."""
    try:
        token = UUID(read_object(event)["metadata"]["palier_checkout"])
    except (KeyError, ValueError):
        raise NotOurs("no page of ours") from None
    row = StripeCheckout.objects.filter(token=token).first()
    if row is None or row.stripe_id is None:
        raise NotYet(f"the page of {token} is not noted yet")
    settle_checkout(row.pk, at=at)
