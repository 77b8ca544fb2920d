"""Invoices as Stripe writes them, as far as we read them."""

from typing import Any

JANUARY_ENDS = 1_769_904_000  # 2026-02-01


def write_line(stripe_id: str, amount: int, *, item: str | None = None, key: str | None = None) -> dict[str, Any]:
    parent = {"subscription_item_details": {"subscription_item": item}} if item else {"subscription_item_details": None}
    return {
        "id": stripe_id,
        "amount": amount,
        "parent": parent,
        "metadata": {"palier_line": key} if key else {},
        "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}},
        "description": "Requests",
    }


def write_payment(amount: int, *, status: str = "paid", key: str = "pi_1", **intent: Any) -> dict[str, Any]:
    return {
        "status": status,
        "amount_paid": amount,
        "status_transitions": {"paid_at": JANUARY_ENDS + 7_200},
        "payment": {"type": "payment_intent", "payment_intent": {"id": key, **intent}},
    }


def write_invoice(stripe_id: str = "in_1", status: str = "draft", total: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "id": stripe_id,
        "status": status,
        "currency": "eur",
        "total": total,
        "created": JANUARY_ENDS,
        "period_end": JANUARY_ENDS,
        "metadata": {},
        "parent": {"subscription_details": {"subscription": "sub_1"}},
        "lines": {"data": [], "has_more": False},
        "status_transitions": {},
        **fields,
    }
