"""Billing credits: granted, applied to the metered lines of final invoices, given back, expired, voided.

What is left of a grant is kept beside it; every change of it is a transaction that stays.
"""

from stripe_simulator.clock import due
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.invoices.adding_up import refresh_invoice
from stripe_simulator.invoices.hooks import hook
from stripe_simulator.payments.credit_order import Line, is_usable, plan_use
from stripe_simulator.routes import Object
from stripe_simulator.simulator import Simulator

GRANT, TRANSACTION = "billing.credit_grant", "billing.credit_balance_transaction"
DUE = "expire_credit_grant"


def move_credit(
    sim: Simulator, grant: Object, amount: int, kind: str, *, at: int, about: Object | None = None
) -> Object:
    """Add to what is left of a grant (or take from it, below zero), and write it down."""
    grant["_left"] += amount
    side = "credit" if amount > 0 else "debit"
    currency = grant["amount"]["monetary"]["currency"]
    details = {"amount": {"monetary": {"currency": currency, "value": abs(amount)}, "type": "monetary"}, "type": kind}
    names = {"credit": ["credits_application_invoice_voided"], "debit": ["credits_applied"]}[side]
    transaction = template(
        TRANSACTION,
        id=sim.new_id("cbtxn"),
        created=at,
        credit_grant=grant["id"],
        effective_at=max(at, grant["effective_at"] or at) if kind == "credits_granted" else at,
        test_clock=grant["test_clock"],
        type=side,
        _customer=grant["customer"],
    )
    transaction[side] = details | {name: about if name == kind else None for name in names}
    sim.store.insert(transaction)
    sim.emit("billing.credit_balance_transaction.created", transaction)
    return transaction


def grant_credit(sim: Simulator, grant: Object, *, at: int) -> None:
    sim.store.insert(grant)
    sim.emit("billing.credit_grant.created", grant)
    move_credit(sim, grant, grant["amount"]["monetary"]["value"], "credits_granted", at=at)
    plan_expiry(sim, grant)


def plan_expiry(sim: Simulator, grant: Object) -> None:
    sim.unschedule(DUE, grant=grant["id"])
    if grant["expires_at"] is not None:
        sim.schedule(grant["expires_at"], DUE, {"grant": grant["id"]}, customer=grant["customer"])


@due(DUE)
def expire_due(sim: Simulator, at: int, payload: Object) -> None:
    grant = sim.store.get(GRANT, payload["grant"])
    if grant["_left"] > 0 and grant["voided_at"] is None:
        move_credit(sim, grant, -grant["_left"], "credits_expired", at=at)


def expire_grant(sim: Simulator, grant: Object, *, at: int) -> None:
    """Now, whatever is left."""
    check_alive(grant, at)
    grant |= {"expires_at": at, "updated": at}
    sim.unschedule(DUE, grant=grant["id"])
    sim.emit("billing.credit_grant.updated", grant)
    if grant["_left"] > 0:
        move_credit(sim, grant, -grant["_left"], "credits_expired", at=at)


def void_grant(sim: Simulator, grant: Object, *, at: int) -> None:
    """As if it had not been; only what no invoice used can be voided."""
    check_alive(grant, at)
    if grant["_left"] != grant["amount"]["monetary"]["value"]:
        raise refuse("A credit grant that was applied to an invoice cannot be voided.")
    grant |= {"voided_at": at, "updated": at}
    sim.unschedule(DUE, grant=grant["id"])
    sim.emit("billing.credit_grant.updated", grant)
    move_credit(sim, grant, -grant["_left"], "credits_voided", at=at)


def check_alive(grant: Object, at: int) -> None:
    if grant["voided_at"] is not None:
        raise refuse("This credit grant is voided.")
    if grant["expires_at"] is not None and grant["expires_at"] <= at:
        raise refuse("This credit grant has expired.")


@hook
def apply_credits(sim: Simulator, invoice: Object, lines: list[Object], at: int) -> dict[str, list[Object]]:
    """Pay metered lines, net of their discounts, in the order of `credit_order`; answers what each line was paid."""
    grants = {
        grant["id"]: grant
        for grant in sim.store.find(GRANT, customer=invoice["customer"])
        if is_usable(grant, invoice["currency"], at) and grant["_left"] > 0
    }
    if not grants:
        return {}
    refresh_invoice(sim, invoice)  # so that discounts are those of the last reading of usage
    asked = [Line(line["id"], line["_metered_price"], find_net(line)) for line in lines]
    given: dict[str, list[Object]] = {}
    for use in plan_use(grants.values(), {id: grant["_left"] for id, grant in grants.items()}, asked):
        about = {"invoice": invoice["id"], "invoice_line_item": use.line}
        transaction = move_credit(sim, grants[use.grant], -use.amount, "credits_applied", at=at, about=about)
        given.setdefault(use.line, []).append({"amount": use.amount, "credit_balance_transaction": transaction["id"]})
    return given


def find_net(line: Object) -> int:
    return int(line["amount"] - sum(discount["amount"] for discount in line["discount_amounts"]))


def give_back(sim: Simulator, invoice: Object, at: int) -> None:
    """An invoice is void: its credits are there again, unless their grant has expired meanwhile."""
    for line in list(sim.store.scan("line_item", invoice=invoice["id"])):
        for credit in line["_credits"]:
            spent = sim.store.get(TRANSACTION, credit["credit_balance_transaction"])
            grant = sim.store.get(GRANT, spent["credit_grant"])
            about = {"invoice": invoice["id"], "invoice_line_item": line["id"]}
            move_credit(sim, grant, credit["amount"], "credits_application_invoice_voided", at=at, about=about)
            if grant["expires_at"] is not None and grant["expires_at"] <= at:
                move_credit(sim, grant, -credit["amount"], "credits_expired", at=at)
