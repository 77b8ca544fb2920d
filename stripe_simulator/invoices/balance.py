"""The customer's balance and its transactions. Below zero is the customer's credit, above zero their debt."""

from typing import Any

from stripe_simulator.changes import matches, updating
from stripe_simulator.contract import template
from stripe_simulator.errors import refuse
from stripe_simulator.lists import answer_list
from stripe_simulator.metadata import update
from stripe_simulator.routes import Object, Request, route
from stripe_simulator.simulator import Simulator


def change_balance(
    sim: Simulator, customer_id: str, amount: int, *, at: int, kind: str, currency: str, **given: Any
) -> Object:
    """Add to a customer's balance, with a transaction. `given`: invoice, credit_note, description, metadata."""
    customer = sim.store.get("customer", customer_id)
    if customer.get("currency") and customer["currency"] != currency and customer.get("balance"):
        raise refuse(f"The customer's balance is in {customer['currency']}.", param="currency")
    with updating(sim, "customer.updated", customer):
        customer["balance"] = (customer.get("balance") or 0) + amount
        customer["currency"] = customer.get("currency") or currency
    transaction = template("customer_balance_transaction") | {
        "id": sim.new_id("cbtxn"),
        "amount": amount,
        "created": at,
        "currency": currency,
        "customer": customer_id,
        "ending_balance": customer["balance"],
        "metadata": {},
        "type": kind,
        **given,
    }
    sim.store.insert(transaction)
    return transaction


@route("POST", "/v1/customers/{id}/balance_transactions")
def create_transaction(request: Request) -> Object:
    params = request.params
    if params["amount"] == 0:
        raise refuse("The amount must not be zero.", param="amount")
    return change_balance(
        request.sim,
        request.id,
        params["amount"],
        at=request.at,
        kind="adjustment",
        currency=params["currency"],
        description=params.get("description"),
        metadata=params.get("metadata") or {},
    )


@route("GET", "/v1/customers/{id}/balance_transactions")
def list_transactions(request: Request) -> Object:
    customer = request.sim.store.get("customer", request.id)
    found = request.sim.store.find("customer_balance_transaction", customer=customer["id"])
    return answer_list(request, [each for each in found if matches(request, each, "invoice")])


@route("GET", "/v1/customers/{customerId}/balance_transactions/{id}")
def read_transaction(request: Request) -> Object:
    return request.sim.store.get("customer_balance_transaction", request.id)


@route("POST", "/v1/customers/{customerId}/balance_transactions/{id}")
def update_transaction(request: Request) -> Object:
    transaction = request.sim.store.get("customer_balance_transaction", request.id)
    update(transaction, request.params, "description", "metadata")
    return transaction
