"""Usage worth a threshold is invoiced at once, and not again."""

from datetime import UTC, datetime

import pytest

from tests.stripe_simulator.selling import (
    find_invoices,
    give_card,
    make_customer,
    make_meter,
    make_metered_price,
    subscribe,
    use,
)

START = datetime(2026, 11, 2, tzinfo=UTC)
END = datetime(2026, 12, 2, tzinfo=UTC)


@pytest.fixture
def client(simulator):
    return simulator.client()


def test_a_threshold_invoices_what_was_used_and_the_period_the_rest(simulator, client):
    customer = make_customer(client)
    give_card(client, customer)
    tiers = [{"up_to": 100, "unit_amount": 10}, {"up_to": "inf", "unit_amount": 5}]
    price = make_metered_price(client, make_meter(client), billing_scheme="tiered", tiers_mode="graduated", tiers=tiers)
    made = subscribe(client, customer, price, billing_thresholds={"amount_gte": 1000})
    use(client, customer, 99, START)
    assert find_invoices(client, made) == []
    use(client, customer, 21, START)
    (early,) = find_invoices(client, made)
    assert (early.billing_reason, early.total, early.threshold_reason.amount_gte) == (
        "subscription_threshold",
        1100,
        1000,
    )
    use(client, customer, 30, START)
    simulator.set_time(END)
    last = find_invoices(client, made)[-1]
    assert (last.billing_reason, last.total, last.lines.data[0].quantity) == ("subscription_cycle", 150, 30)


def test_the_threshold_begins_anew_with_each_invoice_and_period(simulator, client):
    customer = make_customer(client)
    give_card(client, customer)
    made = subscribe(
        client, customer, make_metered_price(client, make_meter(client)), billing_thresholds={"amount_gte": 200}
    )
    for _ in range(3):
        use(client, customer, 50, START)
    assert [invoice.total for invoice in find_invoices(client, made)] == [200]
    simulator.set_time(END)
    use(client, customer, 70, END)
    assert [invoice.total for invoice in find_invoices(client, made)] == [200, 100]
