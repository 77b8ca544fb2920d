"""Invoice items: they wait for the next invoice, or lie on a draft; never on what is final."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_types
from tests.stripe_simulator.selling import find_invoices, make_customer, make_meter, make_metered_price, subscribe

END = datetime(2026, 12, 2, tzinfo=UTC)


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


@pytest.fixture
def subscription(client, customer):
    return subscribe(client, customer, make_metered_price(client, make_meter(client)))


def put(client, customer, amount, **params):
    return client.v1.invoice_items.create({"customer": customer.id, "amount": amount, "currency": "eur", **params})


def refuse(call, *given):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*given)
    return caught.value


def test_a_pending_item_is_swept_into_the_next_invoice_of_a_cycle(simulator, client, customer, subscription):
    item = put(client, customer, 700, description="Overage")
    simulator.set_time(END)
    invoice = find_invoices(client, subscription)[-1]
    assert [line.amount for line in invoice.lines.data] == [700, 0]
    assert invoice.lines.data[0].parent.invoice_item_details.invoice_item == item.id
    assert client.v1.invoice_items.retrieve(item.id).invoice == invoice.id


def test_an_item_of_a_subscription_waits_for_that_one(simulator, client, customer, subscription):
    other = subscribe(client, customer, make_metered_price(client, make_meter(client, "other")))
    put(client, customer, 700, subscription=other.id)
    simulator.set_time(END)
    assert find_invoices(client, subscription)[-1].total == 0
    assert find_invoices(client, other)[-1].total == 700


def test_an_item_on_a_draft_is_a_line_of_it_and_goes_with_it(simulator, client, customer):
    draft = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    item = put(client, customer, 700, invoice=draft.id)
    assert client.v1.invoices.retrieve(draft.id).total == 700
    client.v1.invoice_items.update(item.id, {"amount": 900})
    assert client.v1.invoices.retrieve(draft.id).lines.data[0].amount == 900
    assert client.v1.invoice_items.delete(item.id).deleted
    assert client.v1.invoices.retrieve(draft.id).lines.data == []
    assert take_types(simulator, "invoiceitem") == ["invoiceitem.created", "invoiceitem.deleted"]


def test_nothing_is_put_on_or_taken_off_what_is_final(client, customer):
    draft = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    item = put(client, customer, 700, invoice=draft.id)
    client.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False})
    given = {"customer": customer.id, "amount": 5, "currency": "eur", "invoice": draft.id}
    assert refuse(client.v1.invoice_items.create, given).code == "invoice_not_editable"
    assert refuse(client.v1.invoice_items.update, item.id, {"amount": 5}).code == "invoice_not_editable"
    assert refuse(client.v1.invoice_items.delete, item.id).code == "invoice_not_editable"


def test_a_draft_that_is_paid_is_finalised_first(client, customer):
    draft = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    put(client, customer, 700, invoice=draft.id)
    paid = client.v1.invoices.pay(draft.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid, paid.number is not None) == ("paid", 700, True)


def test_a_quantity_may_have_decimals_and_its_integer_drops_them(client, customer):
    price = make_price(client, unit_amount=3, recurring=None)
    given = {"customer": customer.id, "pricing": {"price": price.id}, "quantity_decimal": "2.5"}
    item = client.v1.invoice_items.create(given)
    assert (item.amount, item.quantity, item.quantity_decimal) == (8, 2, Decimal("2.5"))


@pytest.mark.parametrize(
    "given",
    [{}, {"amount": 5, "unit_amount_decimal": "5"}, {"amount": 5, "quantity": 2}, {"amount": 5, "period": "back"}],
)
def test_an_item_says_what_it_charges_in_one_way(client, customer, given):
    if "period" in given:
        given = {**given, "period": {"start": 20, "end": 10}}
    call = client.v1.invoice_items.create
    assert refuse(call, {"customer": customer.id, "currency": "eur", **given}).http_status == 400


def test_a_customer_on_a_test_clock_is_billed_by_that_clock(client):
    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000})
    customer = make_customer(client, test_clock=clock.id)
    made = subscribe(client, customer, {"price": make_price(client).id, "quantity": 0})
    assert made["items"].data[0].current_period_start == 1_800_000_000
    assert find_invoices(client, made)[0].test_clock == clock.id
