"""Billing thresholds: usage worth `amount_gte` is invoiced before its period ends.

The invoice asks for what was used so far and not asked for yet; the period goes on, and its end asks for the rest.
"""

from decimal import Decimal

from stripe_simulator.clock import due
from stripe_simulator.invoices.line_store import SUBSCRIPTION, put_line, subscription_parent
from stripe_simulator.invoices.metering import describe_price
from stripe_simulator.meters.usage import ON_USAGE, aggregate
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.billing import open_invoice, start_invoice
from stripe_simulator.subscriptions.items import find_items, is_metered, show_items
from stripe_simulator.tiers import rate_quantity, round_amount


def watch_usage(sim: Simulator, meter: Object, customer: str, at: int) -> None:
    """Usage came: look at the thresholds that it may pass, once it is visible."""
    for subscription in list(sim.store.scan("subscription", customer=customer)):
        if subscription["billing_thresholds"] is None or subscription["status"] not in ("active", "past_due"):
            continue
        payload = {"subscription": subscription["id"]}
        if lag := sim.settings.get("meter_lag", 0):
            sim.schedule(at + lag, "check_threshold", payload, customer=customer)
        else:
            check_threshold(sim, at, payload)


ON_USAGE.append(watch_usage)


@due("check_threshold")
def check_threshold(sim: Simulator, at: int, payload: Object) -> None:
    subscription = sim.store.get("subscription", payload["subscription"])
    threshold = (subscription["billing_thresholds"] or {}).get("amount_gte")
    if threshold is None or subscription["status"] not in ("active", "past_due"):
        return
    open_usage = [
        (item, *find_open_usage(sim, subscription, item)) for item in find_items(sim, subscription) if is_metered(item)
    ]
    if sum(amount for _, _, amount in open_usage) >= threshold:
        invoice_threshold(sim, subscription, open_usage, threshold, at)


def find_open_usage(sim: Simulator, subscription: Object, item: Object) -> tuple[Decimal, int]:
    """Quantity and amount of an item's present period that no invoice asks for yet."""
    start, end = item["current_period_start"], item["current_period_end"]
    used = aggregate(sim, item["price"]["recurring"]["meter"], subscription["customer"], start, end)
    amount = round_amount(rate_quantity(item["price"], used))
    asked = item.get("_asked") or {"quantity": "0", "amount": 0}
    return used - Decimal(asked["quantity"]), amount - asked["amount"]


def invoice_threshold(
    sim: Simulator, subscription: Object, usage: list[tuple[Object, Decimal, int]], threshold: int, at: int
) -> None:
    start = min(item["current_period_start"] for item, _, _ in usage)
    invoice = open_invoice(sim, subscription, at=at, reason="subscription_threshold", start=start)
    invoice["threshold_reason"] = {"amount_gte": threshold, "item_reasons": []}
    for item, quantity, amount in usage:
        put_line(
            sim,
            invoice,
            amount=amount,
            parent=subscription_parent(item),
            period=(item["current_period_start"], at),
            description=f"{quantity:f} × {describe_price(sim, item['price'])}",
            quantity=quantity,
            price=item["price"],
            metadata=item["metadata"],
            group=SUBSCRIPTION,
            tax_rates=[rate["id"] for rate in item["tax_rates"] or []],
        )
        asked = item.get("_asked") or {"quantity": "0", "amount": 0}
        item["_asked"] = {
            "quantity": str(Decimal(asked["quantity"]) + quantity),
            "amount": asked["amount"] + amount,
        }
    show_items(sim, subscription)
    start_invoice(sim, subscription, invoice, at=at, at_once=False)
