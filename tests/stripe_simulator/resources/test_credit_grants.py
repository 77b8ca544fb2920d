"""Billing credits over HTTP: granted, applied to metered lines of final invoices, given back, expired, voided."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from tests.simulators import START, SimulatorClient
from tests.stripe_simulator.makers import make_price, take_types, unix
from tests.stripe_simulator.selling import find_invoices, make_customer, make_meter, make_metered_price, subscribe, use

END = datetime(2026, 12, 2, tzinfo=UTC)
METERED = {"scope": {"price_type": "metered"}}


def grant(simulator: SimulatorClient, customer: Any, value: int, **more: Any) -> stripe.billing.CreditGrant:
    params = {
        "amount": {"type": "monetary", "monetary": {"currency": "eur", "value": value}},
        "applicability_config": METERED,
        "customer": customer.id,
        **more,
    }
    return simulator.client().v1.billing.credit_grants.create(params)  # type: ignore[arg-type]


def read_balance(simulator: SimulatorClient, customer: Any) -> list[int]:
    wanted = {"type": "applicability_scope", "applicability_scope": {"price_type": "metered"}}
    summary = simulator.client().v1.billing.credit_balance_summary.retrieve({"customer": customer.id, "filter": wanted})  # type: ignore[typeddict-item]
    return [
        balance.available_balance.monetary.value for balance in summary.balances if balance.available_balance.monetary
    ]


def list_moves(simulator: SimulatorClient, customer: Any) -> list[tuple[str, int]]:
    """What each transaction is of, oldest first."""
    found = simulator.client().v1.billing.credit_balance_transactions.list({"customer": customer.id, "limit": 100}).data
    sides = [transaction.credit or transaction.debit for transaction in reversed(found)]
    return [(side.type, side.amount.monetary.value) for side in sides if side and side.amount.monetary]


def test_grants_pay_the_metered_lines_of_a_cycle_in_their_order_and_nothing_else(simulator: SimulatorClient):
    client = simulator.client()
    customer = make_customer(client)
    price = make_metered_price(client, make_meter(client))
    licence = {"price": make_price(client).id, "quantity": 1}
    sent = {"collection_method": "send_invoice", "days_until_due": 30}
    subscription = subscribe(client, customer, price, licence, **sent)
    grant(simulator, customer, 1000)
    sooner = grant(simulator, customer, 150, expires_at=unix(END + timedelta(days=9)))
    use(client, customer, 100, START)  # 200 minor units
    simulator.set_time(END)
    simulator.take_webhooks()
    draft = find_invoices(client, subscription)[-1]
    assert (draft.status, draft.total) == ("draft", 1200)
    simulator.set_time(END + timedelta(hours=1))
    invoice = find_invoices(client, subscription)[-1]
    assert (invoice.status, invoice.subtotal, invoice.total) == ("open", 1200, 1000)
    [line] = [line for line in invoice.lines.data if line.pretax_credit_amounts]
    assert [credit.amount for credit in line.pretax_credit_amounts] == [150, 50]
    moves = [("credits_granted", 1000), ("credits_granted", 150), ("credits_applied", 150), ("credits_applied", 50)]
    assert list_moves(simulator, customer) == moves
    assert read_balance(simulator, customer) == [950]
    applied = client.v1.billing.credit_balance_transactions.list({"credit_grant": sooner.id}).data[0]
    assert applied.debit is not None
    assert applied.debit.credits_applied is not None
    assert applied.debit.credits_applied.invoice == invoice.id
    client.v1.invoices.void_invoice(invoice.id)
    assert read_balance(simulator, customer) == [1150]


def test_what_is_left_expires_by_the_clock_or_at_once(simulator: SimulatorClient):
    client = simulator.client()
    customer = make_customer(client)
    grant(simulator, customer, 100, expires_at=unix(START + timedelta(days=1)))
    now = grant(simulator, customer, 30)
    simulator.advance(days=1)
    assert read_balance(simulator, customer) == [30]
    assert client.v1.billing.credit_grants.expire(now.id).expires_at == unix(START + timedelta(days=1))
    assert read_balance(simulator, customer) == [0]
    assert list_moves(simulator, customer)[2:] == [("credits_expired", 100), ("credits_expired", 30)]
    with pytest.raises(stripe.InvalidRequestError, match="has expired"):
        client.v1.billing.credit_grants.void_grant(now.id)


def test_an_unused_grant_is_voided_once(simulator: SimulatorClient):
    client = simulator.client()
    customer = make_customer(client)
    made = grant(simulator, customer, 100, category="promotional", priority=10)
    assert client.v1.billing.credit_grants.void_grant(made.id).voided_at == unix(START)
    assert read_balance(simulator, customer) == [0]
    with pytest.raises(stripe.InvalidRequestError, match="is voided"):
        client.v1.billing.credit_grants.void_grant(made.id)
    assert take_types(simulator, "billing.credit") == [
        "billing.credit_grant.created",
        "billing.credit_balance_transaction.created",
        "billing.credit_grant.updated",
        "billing.credit_balance_transaction.created",
    ]


def test_a_grant_that_waits_for_its_day_is_no_balance_yet(simulator: SimulatorClient):
    customer = make_customer(simulator.client())
    grant(simulator, customer, 100, effective_at=unix(START + timedelta(days=1)))
    assert read_balance(simulator, customer) == [0]
    simulator.advance(days=1)
    assert read_balance(simulator, customer) == [100]


def test_credit_is_for_metered_prices_only(simulator: SimulatorClient):
    client = simulator.client()
    scope = {"scope": {"prices": [{"id": make_price(client).id}]}}
    with pytest.raises(stripe.InvalidRequestError, match="metered prices only"):
        grant(simulator, make_customer(client), 100, applicability_config=scope)


def test_a_scope_is_all_metered_prices_or_some_by_name(simulator: SimulatorClient):
    scope = {"scope": {"price_type": "metered", "prices": [{"id": "price_1"}]}}
    with pytest.raises(stripe.InvalidRequestError, match="either price_type or prices"):
        grant(simulator, make_customer(simulator.client()), 100, applicability_config=scope)
