"""Drafts of one's own: made, filled with lines, changed, finalised, deleted."""

import pytest
import stripe

from tests.stripe_simulator.makers import make_price, take_events, take_types
from tests.stripe_simulator.selling import make_customer, make_meter, make_metered_price, subscribe

VAT = {"display_name": "VAT", "percentage": 20, "inclusive": False}


@pytest.fixture
def client(simulator):
    return simulator.client()


@pytest.fixture
def customer(client):
    return make_customer(client)


@pytest.fixture
def draft(client, customer):
    return client.v1.invoices.create({"customer": customer.id, "currency": "eur", "auto_advance": False})


def add(client, draft, *lines):
    return client.v1.invoices.add_lines(draft.id, {"lines": list(lines)})


def refuse(call, *given):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*given)
    return caught.value


def test_a_draft_does_not_advance_unless_it_is_asked_to(simulator, client, draft):
    assert (draft.status, draft.auto_advance, draft.automatically_finalizes_at) == ("draft", False, None)
    assert (draft.number, draft.total, draft.billing_reason) == (None, 0, "manual")
    simulator.advance(days=3)
    assert client.v1.invoices.retrieve(draft.id).status == "draft"


def test_lines_are_added_in_one_call_each_with_its_metadata(client, draft):
    filled = add(
        client,
        draft,
        {"amount": 1250, "description": "Storage", "metadata": {"palier_line": "7"}},
        {"amount": -250, "description": "Credit", "metadata": {"palier_line": "8"}},
    )
    assert [(line.amount, line.description, line.metadata["palier_line"]) for line in filled.lines.data] == [
        (1250, "Storage", "7"),
        (-250, "Credit", "8"),
    ]
    assert [line.discountable for line in filled.lines.data] == [True, False]
    assert (filled.subtotal, filled.total, filled.amount_due) == (1000, 1000, 1000)


def test_a_bad_line_adds_none(client, draft):
    error = refuse(add, client, draft, {"amount": 5, "description": "Fine"}, {"description": "No amount"})
    assert error.http_status == 400
    assert client.v1.invoices.retrieve(draft.id).total == 0
    assert client.v1.invoice_items.list({"customer": draft.customer}).data == []


def test_an_invoice_shows_ten_lines_and_lists_the_rest(client, draft):
    filled = add(client, draft, *({"amount": number, "description": str(number)} for number in range(1, 13)))
    assert (len(filled.lines.data), filled.lines.has_more, filled.lines.total_count) == (10, True, 12)
    page = client.v1.invoices.line_items.list(draft.id, {"limit": 100})
    assert [line.amount for line in page.data] == list(range(1, 13))


def test_an_invoice_has_250_lines_at_most(client, draft):
    add(client, draft, *({"amount": 1} for _ in range(250)))
    assert "250" in str(refuse(add, client, draft, {"amount": 1}))


def test_exact_tax_amounts_are_taken_as_they_are(client, draft):
    rate = {"display_name": "VAT", "percentage": 20, "inclusive": False, "country": "FR"}
    amounts = [{"amount": 201, "taxable_amount": 1001, "tax_rate_data": rate}]
    filled = add(client, draft, {"amount": 1001, "tax_amounts": amounts}, {"amount": 1001, "tax_amounts": amounts})
    assert (filled.total, filled.total_excluding_tax) == (2404, 2002)
    (tax,) = filled.total_taxes
    assert (tax.amount, tax.taxable_amount, tax.tax_behavior) == (402, 2002, "exclusive")
    made = client.v1.tax_rates.retrieve(tax.tax_rate_details.tax_rate)
    assert (made.active, made.percentage) == (False, 20)


def test_tax_amounts_and_tax_rates_exclude_each_other(client, draft):
    rate = client.v1.tax_rates.create(VAT)
    amounts = [{"amount": 20, "taxable_amount": 100, "tax_rate_data": VAT}]
    assert (
        refuse(add, client, draft, {"amount": 100, "tax_amounts": amounts, "tax_rates": [rate.id]}).http_status == 400
    )
    add(client, draft, {"amount": 100, "tax_amounts": amounts})
    error = refuse(client.v1.invoices.update, draft.id, {"default_tax_rates": [rate.id]})
    assert error.param == "default_tax_rates"


def test_tax_rates_of_the_invoice_tax_lines_without_their_own(client, draft):
    vat, reduced = client.v1.tax_rates.create(VAT), client.v1.tax_rates.create({**VAT, "percentage": 5.5})
    client.v1.invoices.update(draft.id, {"default_tax_rates": [vat.id]})
    filled = add(client, draft, {"amount": 1000}, {"amount": 1000, "tax_rates": [reduced.id]})
    assert [line.taxes[0].amount for line in filled.lines.data] == [200, 55]
    assert filled.total == 2255


def test_lines_are_changed_and_taken_off(client, draft):
    first, second, third = add(client, draft, {"amount": 100}, {"amount": 200}, {"amount": 300}).lines.data
    client.v1.invoices.update_lines(
        draft.id, {"lines": [{"id": first.id, "amount": 150, "metadata": {"key": "value"}}]}
    )
    left = client.v1.invoices.remove_lines(
        draft.id,
        {"lines": [{"id": second.id, "behavior": "delete"}, {"id": third.id, "behavior": "unassign"}]},
    )
    assert [(line.amount, line.metadata["key"]) for line in left.lines.data] == [(150, "value")]
    assert [item.amount for item in client.v1.invoice_items.list({"pending": True}).data] == [300]


def test_a_line_may_be_a_quantity_of_a_price(client, draft):
    price = make_price(client, unit_amount_decimal="0.5", recurring=None)
    filled = add(client, draft, {"pricing": {"price": price.id}, "quantity": 3})
    (line,) = filled.lines.data
    assert (line.amount, line.quantity, line.pricing.price_details.price) == (2, 3, price.id)


def test_a_recurring_price_is_no_line(client, draft):
    error = refuse(add, client, draft, {"pricing": {"price": make_price(client).id}})
    assert error.param == "pricing[price]"


def test_currencies_do_not_mix(client, draft):
    price = make_price(client, currency="usd", recurring=None)
    assert refuse(add, client, draft, {"pricing": {"price": price.id}}).http_status == 400
    given = {"customer": draft.customer, "invoice": draft.id, "amount": 5, "currency": "usd"}
    assert refuse(client.v1.invoice_items.create, given).param == "currency"


def test_a_subscription_and_the_treatment_of_pending_items_exclude_each_other(client, customer):
    subscription = subscribe(client, customer, make_metered_price(client, make_meter(client)))
    given = {"subscription": subscription.id, "pending_invoice_items_behavior": "exclude"}
    assert refuse(client.v1.invoices.create, given).param == "pending_invoice_items_behavior"


def test_pending_items_are_left_out_unless_they_are_asked_for(client, customer):
    client.v1.invoice_items.create({"customer": customer.id, "amount": 700, "currency": "eur"})
    without = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    given = {"customer": customer.id, "currency": "eur", "pending_invoice_items_behavior": "include"}
    assert (without.total, client.v1.invoices.create(given).total) == (0, 700)


def test_a_deleted_draft_gives_its_items_back(client, draft):
    add(client, draft, {"amount": 900})
    assert client.v1.invoices.delete(draft.id).deleted
    (item,) = client.v1.invoice_items.list({"pending": True}).data
    assert (item.amount, item.invoice) == (900, None)
    assert refuse(client.v1.invoices.retrieve, draft.id).code == "resource_missing"


def test_only_a_draft_of_ones_own_can_be_deleted(simulator, client, customer, draft):
    client.v1.invoices.finalize_invoice(draft.id)
    assert refuse(client.v1.invoices.delete, draft.id).code == "invoice_not_editable"
    subscription = subscribe(client, customer, make_metered_price(client, make_meter(client)))
    simulator.advance(days=31)
    cycle = client.v1.invoices.list({"subscription": subscription.id}).data[0]
    assert cycle.status == "draft"
    assert "subscriptions" in str(refuse(client.v1.invoices.delete, cycle.id))


def test_finalisation_freezes(client, draft):
    (line,) = add(client, draft, {"amount": 900}).lines.data
    invoice = client.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False})
    assert (invoice.status, invoice.amount_due, invoice.number[-5:]) == ("open", 900, "-0001")
    for call, params in (
        (client.v1.invoices.add_lines, {"lines": [{"amount": 1}]}),
        (client.v1.invoices.update_lines, {"lines": [{"id": line.id, "amount": 1}]}),
        (client.v1.invoices.remove_lines, {"lines": [{"id": line.id, "behavior": "delete"}]}),
        (client.v1.invoices.finalize_invoice, {}),
        (client.v1.invoices.update, {"description": "Too late"}),
    ):
        assert refuse(call, draft.id, params).code == "invoice_not_editable"
    assert client.v1.invoices.update(draft.id, {"metadata": {"seen": "yes"}}).metadata["seen"] == "yes"


def test_numbers_follow_each_other_for_each_customer(client, customer):
    numbers = []
    for _ in range(2):
        made = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
        numbers.append(client.v1.invoices.finalize_invoice(made.id).number)
    assert [number[-5:] for number in numbers] == ["-0001", "-0002"]


def test_a_draft_is_told_of_and_changes_say_what_was_before(simulator, client, customer):
    draft = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    assert take_types(simulator, "invoice") == ["invoice.created"]
    add(client, draft, {"amount": 500})
    created, updated = take_events(simulator, "invoice")
    assert created["type"] == "invoiceitem.created"
    assert updated["data"]["previous_attributes"]["total"] == 0
    client.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False})
    events = take_events(simulator, "invoice.")
    assert [event["type"] for event in events][:2] == ["invoice.updated", "invoice.finalized"]
    assert events[0]["data"]["previous_attributes"]["status"] == "draft"


def test_a_draft_set_to_advance_is_finalised_after_an_hour_from_then(simulator, client, draft):
    add(client, draft, {"amount": 500})
    simulator.advance(hours=5)
    simulator.take_webhooks()
    held = client.v1.invoices.update(draft.id, {"auto_advance": True})
    assert held.automatically_finalizes_at == int(simulator.now().timestamp()) + 3600
    simulator.advance(hours=1)
    assert client.v1.invoices.retrieve(draft.id).status != "draft"


def test_invoices_are_found_by_their_metadata(client, customer):
    made = client.v1.invoices.create({"customer": customer.id, "currency": "eur", "metadata": {"palier_invoice": "42"}})
    client.v1.invoices.create({"customer": customer.id, "currency": "eur", "metadata": {"palier_invoice": "43"}})
    found = client.v1.invoices.search({"query": "metadata['palier_invoice']:'42'"})
    assert [invoice.id for invoice in found.data] == [made.id]


def test_a_coupon_of_the_invoice_takes_its_share_of_each_line(client, draft):
    coupon = client.v1.coupons.create({"percent_off": 10, "duration": "once"})
    client.v1.invoices.update(draft.id, {"discounts": [{"coupon": coupon.id}]})
    filled = add(client, draft, {"amount": 1000}, {"amount": 500, "discountable": False})
    assert (filled.subtotal, filled.total) == (1500, 1400)
    assert filled.total_discount_amounts[0].amount == 100
    assert client.v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_invoices_of_a_deleted_customer_stay_on_lists_and_its_drafts_are_drafts(client, customer, draft):
    add(client, draft, {"amount": 1250, "description": "Storage"})
    client.v1.customers.delete(customer.id)
    [listed] = client.v1.invoices.list().data
    assert (listed.id, listed.status, listed.total) == (draft.id, "draft", 1250)
    assert refuse(client.v1.invoices.finalize_invoice, draft.id).code == "resource_missing"
    assert client.v1.invoices.retrieve(draft.id).status == "draft"
