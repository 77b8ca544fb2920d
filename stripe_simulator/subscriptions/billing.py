"""The invoices of a subscription: which lines go on them, and how they start their way.

Licensed items are charged in advance, metered ones in arrears. The first invoice of a subscription that is charged
automatically, and those that a change asks for, are finalised at once; those of a cycle wait for their grace.
"""

from decimal import Decimal
from fractions import Fraction

from stripe_simulator.catalogue.discounts import drop_used, find_active
from stripe_simulator.cycles import find_cycle
from stripe_simulator.invoices.advancing import HOUR, announce_draft
from stripe_simulator.invoices.drafts import show_parent
from stripe_simulator.invoices.finalising import DAY, finalise_invoice
from stripe_simulator.invoices.hooks import call
from stripe_simulator.invoices.items import assign_item, find_pending_items
from stripe_simulator.invoices.line_store import PENDING, SUBSCRIPTION, find_lines, put_line, subscription_parent
from stripe_simulator.invoices.making import make_invoice
from stripe_simulator.invoices.metering import describe_price
from stripe_simulator.invoices.settling import record_payment
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator
from stripe_simulator.subscriptions.items import find_item_cycle
from stripe_simulator.tiers import rate_quantity, round_amount


def open_invoice(sim: Simulator, subscription: Object, *, at: int, reason: str, start: int | None = None) -> Object:
    """An empty draft of a subscription; `start` is where the period of its arrears begins."""
    customer = sim.store.get("customer", subscription["customer"])
    days = subscription["days_until_due"]
    tax = subscription["automatic_tax"]
    invoice = make_invoice(
        sim,
        customer,
        at=at,
        reason=reason,
        currency=subscription["currency"],
        auto_advance=True,
        collection_method=subscription["collection_method"],
        default_payment_method=subscription["default_payment_method"],
        default_tax_rates=list(subscription["default_tax_rates"] or []),
        discounts=find_active(sim, subscription["discounts"], at),
        due_date=at + days * DAY if days is not None else None,
        parent=show_parent(subscription),
        period_start=at if start is None else start,
        period_end=at,
    )
    invoice["automatic_tax"] |= {"enabled": tax["enabled"], "liability": tax["liability"]}
    return invoice


def take_pending(sim: Simulator, subscription: Object, invoice: Object) -> None:
    """A scheduled invoice takes what waits for this subscription, and what waits for no subscription."""
    for item in find_pending_items(sim, invoice["customer"], invoice["currency"], subscription=subscription["id"]):
        assign_item(sim, item, invoice, group=PENDING)


def put_licensed_line(
    sim: Simulator,
    subscription: Object,
    invoice: Object,
    item: Object,
    period: tuple[int, int],
    *,
    share: Fraction = Fraction(1),
) -> None:
    """Charge an item's quantity for a period in advance, or the `share` of it that a short period is."""
    quantity, price = Decimal(item["quantity"]), item["price"]
    put_line(
        sim,
        invoice,
        amount=round_amount(rate_quantity(price, quantity) * share),
        parent=subscription_parent(item),
        period=period,
        description=f"{quantity} × {describe_price(sim, price)}",
        quantity=quantity,
        price=price,
        metadata=item["metadata"] or subscription["metadata"],
        discounts=find_active(sim, item["discounts"], invoice["created"]),
        group=SUBSCRIPTION,
        tax_rates=[rate["id"] for rate in item["tax_rates"] or []],
    )


def put_trial_line(sim: Simulator, invoice: Object, item: Object) -> None:
    name = sim.store.get("product", item["price"]["product"])["name"]
    put_line(
        sim,
        invoice,
        amount=0,
        parent=subscription_parent(item),
        period=(item["current_period_start"], item["current_period_end"]),
        description=f"Trial period for {name}",
        quantity=Decimal(item.get("quantity", 0)),
        price=item["price"],
        group=SUBSCRIPTION,
    )


def put_usage_placeholder(sim: Simulator, subscription: Object, invoice: Object, item: Object) -> None:
    """Classic subscriptions show a metered item on their first invoice, with nothing used; flexible ones do not."""
    if subscription["billing_mode"]["type"] == "classic":
        put_line(
            sim,
            invoice,
            amount=0,
            parent=subscription_parent(item),
            period=(item["current_period_start"], item["current_period_end"]),
            description=f"0 × {describe_price(sim, item['price'])}",
            quantity=Decimal(0),
            price=item["price"],
            group=SUBSCRIPTION,
        )


def find_share(subscription: Object, item: Object, period: tuple[int, int]) -> Fraction:
    """How much of its cycle a period is, by the second."""
    start, end = find_cycle(find_item_cycle(subscription, item["price"]), period[0])
    return Fraction(period[1] - period[0], end - start)


def start_invoice(sim: Simulator, subscription: Object, invoice: Object, *, at: int, at_once: bool) -> Object | None:
    """Set an invoice on its way: at once, or as a draft with its grace. One without lines is not made at all."""
    if not find_lines(sim, invoice):
        sim.store.delete(invoice)
        return None
    subscription["latest_invoice"] = invoice["id"]
    subscription["discounts"] = drop_used(sim, subscription["discounts"]) if subscription["discounts"] else []
    pause = subscription["pause_collection"]
    if subscription["status"] == "unpaid" or (pause and pause["behavior"] == "keep_as_draft"):
        invoice["auto_advance"] = False
    announce_draft(sim, invoice, at=at, finalizes_at=at + sim.settings.get("grace", HOUR))
    if pause and pause["behavior"] != "keep_as_draft":
        close_paused(sim, invoice, pause["behavior"], at)
    elif at_once and invoice["collection_method"] == "charge_automatically":
        finalise_invoice(sim, invoice, at=at)
        if invoice["amount_due"] == 0:
            record_payment(sim, invoice, 0, at=at)
    return invoice


def collect_now(sim: Simulator, subscription: Object, invoice: Object, *, at: int) -> Object | None:
    """An invoice that a change asks for: finalised and charged at once where collection is automatic."""
    made = start_invoice(sim, subscription, invoice, at=at, at_once=True)
    if made is not None and made["status"] == "open" and made["collection_method"] == "charge_automatically":
        call("collect_invoice", sim, made, at)
    return made


def close_paused(sim: Simulator, invoice: Object, behavior: str, at: int) -> None:
    """While collection is paused, invoices are written off or voided as soon as they are made."""
    from stripe_simulator.invoices.moves import void_invoice, write_off

    invoice["auto_advance"] = False
    finalise_invoice(sim, invoice, at=at)
    if behavior == "void":
        void_invoice(sim, invoice, at=at)
    else:
        write_off(sim, invoice, at=at, reason="subscription_paused")
