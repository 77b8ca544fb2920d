"""How an account pays, as its screens show it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse

from billing.stripe.client import is_on
from billing.stripe.customers import CustomerFact, read_customer
from billing.stripe.pages import list_origins
from billing.stripe.payment_pages import PaymentPage, list_payment_pages
from portal.access import may_see_money
from portal.models import Membership


def read_payment(account_id: int) -> CustomerFact | None:
    """None where Stripe does not charge the account, or cannot be told about it now."""
    customer = read_customer(account_id) if is_on() else None
    return customer if customer is not None and customer.is_ready else None


def list_confirmations(membership: Membership) -> list[PaymentPage]:
    """Payments that the customer's bank wants confirmed, for who may see money."""
    if not may_see_money(membership):
        return []
    return [page for page in list_payment_pages(membership.account_id) if page.needs_action]


def leads_to_stripe(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page with a form that leads on to Stripe's pages: the policy lets forms go there, and nowhere else."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        allowed = csp_update({"form-action": list_origins()})(view)
        return cast(HttpResponse, allowed(request, *args, **kwargs))

    return answer
