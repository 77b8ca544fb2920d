"""Stripe in the back-office: what was asked of it, what it told, what it has, and where the two differ."""

from billing.admin.stripe.calls import StripeCallAdmin
from billing.admin.stripe.drifts import StripeDriftAdmin
from billing.admin.stripe.events import StripeEventAdmin
from billing.admin.stripe.invoices import StripeInvoiceAdmin
from billing.admin.stripe.mirrors import StripeCustomerAdmin, StripeObjectAdmin, StripeSubscriptionAdmin
from billing.admin.stripe.usage import StripeMeterEventAdmin

__all__ = [
    "StripeCallAdmin",
    "StripeCustomerAdmin",
    "StripeDriftAdmin",
    "StripeEventAdmin",
    "StripeInvoiceAdmin",
    "StripeMeterEventAdmin",
    "StripeObjectAdmin",
    "StripeSubscriptionAdmin",
]
