"""Billing in the back-office: what is on offer, who is on it, and what was billed. Documents are read, never edited."""

from billing.admin.budgets import BudgetAdmin
from billing.admin.coupons import CouponAdmin, DiscountAdmin
from billing.admin.credit_notes import CreditNoteAdmin
from billing.admin.credits import CreditGrantAdmin, TopUpAdmin, TopUpRuleAdmin
from billing.admin.invoices import InvoiceAdmin
from billing.admin.items import InvoiceItemAdmin
from billing.admin.late import LateChangeAdmin
from billing.admin.plans import PlanAdmin, PlanVersionAdmin
from billing.admin.prices import PriceAdmin
from billing.admin.profiles import BillingProfileAdmin, TaxRateAdmin
from billing.admin.runs import BillingRunAdmin
from billing.admin.stripe import (
    StripeCallAdmin,
    StripeCustomerAdmin,
    StripeDriftAdmin,
    StripeEventAdmin,
    StripeInvoiceAdmin,
    StripeMeterEventAdmin,
    StripeObjectAdmin,
    StripeSubscriptionAdmin,
)
from billing.admin.subscriptions import SubscriptionAdmin

__all__ = [
    "BillingProfileAdmin",
    "BillingRunAdmin",
    "BudgetAdmin",
    "CouponAdmin",
    "CreditGrantAdmin",
    "CreditNoteAdmin",
    "DiscountAdmin",
    "InvoiceAdmin",
    "InvoiceItemAdmin",
    "LateChangeAdmin",
    "PlanAdmin",
    "PlanVersionAdmin",
    "PriceAdmin",
    "StripeCallAdmin",
    "StripeCustomerAdmin",
    "StripeDriftAdmin",
    "StripeEventAdmin",
    "StripeInvoiceAdmin",
    "StripeMeterEventAdmin",
    "StripeObjectAdmin",
    "StripeSubscriptionAdmin",
    "SubscriptionAdmin",
    "TaxRateAdmin",
    "TopUpAdmin",
    "TopUpRuleAdmin",
]
