"""Credit notes take issued invoices back, to the unit, and never more than there is."""

import pytest
import stripe

from tests.stripe_simulator.makers import take_types
from tests.stripe_simulator.selling import make_customer, pay_by_card

VAT = {"display_name": "VAT", "percentage": 20, "inclusive": False}


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


@pytest.fixture
def invoice(client, customer):
    """10.00 and 5.00 with 20 % of tax: 18.00, open."""
    rate = client.v1.tax_rates.create(VAT)
    draft = client.v1.invoices.create({"customer": customer.id, "currency": "eur", "default_tax_rates": [rate.id]})
    client.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 1000}, {"amount": 500}]})
    return client.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False})


def credit(client, invoice, **params):
    return client.v1.credit_notes.create({"invoice": invoice.id, **params})


def test_a_note_on_an_open_invoice_makes_less_due(client, invoice):
    note = credit(client, invoice, amount=600, metadata={"palier": "cn-1"})
    assert (note.total, note.type, note.pre_payment_amount, note.status) == (600, "pre_payment", 600, "issued")
    assert note.number == f"{invoice.number}-CN-01"
    left = client.v1.invoices.retrieve(invoice.id)
    assert (left.amount_due, left.amount_remaining, left.pre_payment_credit_notes_amount) == (1200, 1200, 600)


def test_a_share_of_a_line_takes_its_share_of_tax(client, invoice):
    line = invoice.lines.data[0]
    note = credit(client, invoice, lines=[{"type": "invoice_line_item", "invoice_line_item": line.id, "amount": 250}])
    assert (note.subtotal, note.total, note.total_taxes[0].amount) == (250, 300, 50)
    (listed,) = client.v1.credit_notes.line_items.list(note.id).data
    assert (listed.invoice_line_item, listed.amount) == (line.id, 250)


def test_a_whole_note_pays_what_is_open(simulator, client, invoice):
    simulator.take_webhooks()
    credit(client, invoice, amount=1800)
    assert client.v1.invoices.retrieve(invoice.id).status == "paid"
    assert "credit_note.created" in take_types(simulator)


def test_notes_never_take_back_more_than_the_total(client, invoice):
    credit(client, invoice, amount=1000)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        credit(client, invoice, amount=801)
    assert caught.value.param == "amount"


def test_paid_money_goes_where_the_note_says(client, customer, invoice):
    client.v1.invoices.pay(invoice.id, {"paid_out_of_band": True})
    with pytest.raises(stripe.InvalidRequestError, match="must equal"):
        credit(client, invoice, amount=600)
    note = credit(client, invoice, amount=600, credit_amount=500, out_of_band_amount=100)
    assert (note.type, note.post_payment_amount) == ("post_payment", 600)
    assert client.v1.customers.retrieve(customer.id).balance == -500
    (transaction,) = client.v1.customers.balance_transactions.list(customer.id).data
    assert (transaction.type, transaction.amount, transaction.credit_note) == ("credit_note", -500, note.id)


def test_a_refund_goes_to_the_card(client, customer, invoice):
    pay_by_card(client, customer, invoice)
    note = credit(client, invoice, amount=600, refund_amount=600)
    assert client.v1.refunds.retrieve(note.refunds[0].refund).amount == 600


def test_a_void_note_asks_for_its_amount_again(simulator, client, invoice):
    note = credit(client, invoice, amount=600)
    assert client.v1.credit_notes.void_credit_note(note.id).status == "void"
    assert client.v1.invoices.retrieve(invoice.id).amount_due == 1800
    assert take_types(simulator, "credit_note") == ["credit_note.created", "credit_note.voided"]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.credit_notes.void_credit_note(note.id)


def test_a_preview_issues_nothing(client, invoice):
    assert client.v1.credit_notes.preview({"invoice": invoice.id, "amount": 600}).total == 600
    assert client.v1.credit_notes.list({"invoice": invoice.id}).data == []
    assert client.v1.invoices.retrieve(invoice.id).amount_due == 1800


def test_a_draft_needs_no_note(client, customer):
    draft = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        credit(client, draft, amount=1)
    assert caught.value.param == "invoice"
