"""Disputes: opened by a test card or by the control API, closed by the control API."""

from typing import Any

from stripe_simulator.contract import template
from stripe_simulator.control import command
from stripe_simulator.payments.test_cards import BY_NUMBER
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

SEVEN_DAYS = 7 * 86_400
EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def open_dispute(sim: Simulator, charge: Object, *, reason: str, amount: int | None = None) -> Object:
    """A bank takes the money of a charge back until it is decided."""
    at = sim.clock.read()
    brand = charge["payment_method_details"]["card"]["brand"]
    dispute = template(
        "dispute",
        id=sim.new_id("dp"),
        amount=charge["amount"] if amount is None else amount,
        charge=charge["id"],
        created=at,
        currency=charge["currency"],
        evidence={**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        evidence_details={
            "due_by": at + SEVEN_DAYS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        is_charge_refundable=False,
        metadata={},
        payment_intent=charge["payment_intent"],
        payment_method_details={
            "type": "card",
            "card": {"brand": brand, "case_type": "chargeback", "network": brand, "network_reason_code": "10.4"},
        },
        reason=reason,
        status="needs_response",
    )
    charge["disputed"] = True
    sim.store.insert(dispute)
    sim.emit("charge.dispute.created", dispute)
    sim.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close_dispute(sim: Simulator, dispute: Object, status: str) -> None:
    """`won` gives the money back, `lost` keeps it taken."""
    dispute["status"] = status
    sim.emit("charge.dispute.closed", dispute)
    if status == "won":
        sim.emit("charge.dispute.funds_reinstated", dispute)


@command("POST", "disputes")
def create_dispute(sim: Simulator, params: dict[str, Any]) -> Object:
    """`charge` or `payment_intent`, `reason` (fraudulent), `amount` (all of it)."""
    with sim.work():
        charge = params.get("charge") or sim.store.get("payment_intent", params["payment_intent"])["latest_charge"]
        found = sim.store.get("charge", charge)
        return open_dispute(sim, found, reason=params.get("reason", "fraudulent"), amount=params.get("amount"))


@command("POST", "disputes/close")
def end_dispute(sim: Simulator, params: dict[str, Any]) -> Object:
    """`dispute`, `status` (won or lost)."""
    with sim.work():
        dispute = sim.store.get("dispute", params["dispute"])
        close_dispute(sim, dispute, params["status"])
        return dispute


@command("POST", "cards")
def swap_card(sim: Simulator, params: dict[str, Any]) -> Object:
    """Make a saved payment method act like another test card: `payment_method`, `number`."""
    with sim.work():
        method = sim.store.get("payment_method", params["payment_method"])
        method["_number"] = BY_NUMBER[params["number"]].number
        return {}
