"""Stripe's own page on which a customer changes how they pay."""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.translation import get_language

from billing.stripe.customers import require_customer
from billing.stripe.gateway import perform
from billing.stripe.pages import require_page

if TYPE_CHECKING:
    from stripe import RequestOptions, StripeClient
    from stripe.billing_portal import Session


def open_payment_page(account_id: int, token: UUID, *, return_url: str, at: datetime) -> str:
    """The address of a page that changes the payment method and nothing else; one for each token.

    Raises CustomerNotReady, Refused, TryLater.
    """
    customer = require_customer(account_id)
    params: dict[str, Any] = {
        "customer": customer.stripe_id,
        "return_url": return_url,
        "locale": get_language() or "auto",
        "flow_data": {
            "type": "payment_method_update",
            "after_completion": {"type": "redirect", "redirect": {"return_url": return_url}},
        },
    }

    def send(client: "StripeClient", options: "RequestOptions") -> "Session":
        return client.v1.billing_portal.sessions.create(params, options)  # type: ignore[arg-type]

    key = f"{account_id} {token}"
    answer = perform("portal.create", key, params, send, find=lambda client: None, at=at)
    return require_page(answer.body["url"])
