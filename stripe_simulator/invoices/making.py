"""Makes draft invoices."""

from typing import Any

from stripe_simulator.contract import template
from stripe_simulator.invoices.adding_up import show_lines
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator


def make_invoice(sim: Simulator, customer: Object, *, at: int, reason: str, currency: str, **given: Any) -> Object:
    """Store an empty draft. `given` are fields of the invoice; the caller adds lines, then announces it."""
    invoice = template("invoice") | {
        "id": sim.new_id("in"),
        "account_country": "US",
        "account_name": "Simulator",
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None,
        },
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": at,
        "currency": currency,
        "customer": customer["id"],
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "metadata": {},
        "payment_settings": {
            "default_mandate": None, "payment_method_options": None, "payment_method_types": None,
        },
        "period_end": at,
        "period_start": at,
        "status": "draft",
        "test_clock": customer.get("test_clock"),
    }  # fmt: skip
    invoice |= copy_customer(customer) | given
    show_lines(invoice, [])
    sim.store.insert(invoice)
    return invoice


def copy_customer(customer: Object) -> Object:
    """What an invoice keeps of its customer; a draft follows the customer, a final invoice does not."""
    return {
        "customer_address": customer.get("address"),
        "customer_email": customer.get("email"),
        "customer_name": customer.get("name"),
        "customer_phone": customer.get("phone"),
        "customer_shipping": customer.get("shipping"),
        "customer_tax_exempt": customer.get("tax_exempt") or "none",
        "customer_tax_ids": [],
    }
