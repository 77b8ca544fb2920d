"""Scenario 24: an invoice is made void, refunded, credited or given up, there or here; the other side says the same."""

import pytest

from billing import credit_notes, moves
from billing.models import BillingProfile, CreditNote, Invoice, StripeCreditNote, StripeDrift, StripeInvoice
from tests.billing.test_items import add, bill
from tests.scenarios.worlds import GRACE, HOUR

pytestmark = pytest.mark.django_db
LATER = GRACE + 3 * HOUR


@pytest.fixture
def asked(world):
    """49.00 of January, open at Stripe: there is no card."""
    world.sign_up(card=None)
    world.draw()
    invoice = world.issue()
    world.charge()
    return invoice


@pytest.fixture
def paid(world, asked):
    world.pay()
    return read(asked)


def read(invoice):
    return Invoice.objects.get(pk=invoice.pk)


def row_of(invoice):
    return StripeInvoice.objects.get(invoice=invoice)


def list_notes():
    return list(CreditNote.objects.order_by("pk").values_list("destination", "total_minor"))


# There


def test_scenario_24_void_there_is_void_here(world, asked):
    world.stripe.invoices.void_invoice(row_of(asked).stripe_id)
    world.tell(LATER)
    assert (read(asked).state, row_of(asked).state) == ("void", "void")
    assert not StripeDrift.objects.exists()


def test_scenario_24_void_there_after_a_part_was_paid_here_is_a_drift(world, asked):
    moves.record_payment(asked.pk, amount_minor=900, method="transfer", key="1", at=GRACE)
    world.stripe.invoices.void_invoice(row_of(asked).stripe_id)
    world.tell(LATER)
    assert read(asked).state == "issued"
    assert StripeDrift.objects.get().kind == "invoice_state"


def test_scenario_24_given_up_there_is_given_up_here(world, asked):
    world.stripe.invoices.mark_uncollectible(row_of(asked).stripe_id)
    world.tell(LATER)
    assert read(asked).state == "uncollectible"


def test_scenario_24_refunded_there_is_a_credit_note_here(world, paid):
    intent = paid.payments.get().key
    world.stripe.refunds.create({"payment_intent": intent, "amount": 1000})
    world.tell(LATER)
    world.stripe.refunds.create({"payment_intent": intent, "amount": 500})
    world.tell(LATER)
    assert list_notes() == [("refund", 1000), ("refund", 500)]
    assert row_of(paid).refunded_minor == 1500
    assert not StripeDrift.objects.exists()


def test_scenario_24_a_note_of_a_refund_is_in_the_language_of_the_invoice(world):
    world.sign_up(card=None)
    BillingProfile.objects.update(language="fr")
    world.draw()
    invoice = world.issue()
    world.charge()
    world.pay()
    world.stripe.refunds.create({"payment_intent": invoice.payments.get().key, "amount": 1000})
    world.tell(LATER)
    assert CreditNote.objects.get().reason == "Remboursé dans Stripe."


def test_scenario_24_a_refund_for_which_there_is_no_room_is_a_drift(world, paid):
    credit_notes.issue_credit_note(paid.pk, destination="balance", reason="broken", key="1", at=LATER)
    world.stripe.refunds.create({"payment_intent": paid.payments.get().key, "amount": 1000})
    world.tell(LATER)
    assert list_notes() == [("balance", 4900)]
    assert (StripeDrift.objects.get().kind, StripeDrift.objects.get().difference_minor) == ("credit_note", 1000)


def test_scenario_24_credited_there_is_a_credit_note_here(world, asked):
    world.stripe.credit_notes.create({"invoice": row_of(asked).stripe_id, "amount": 900})
    world.tell(LATER)
    assert list_notes() == [("due", 900)]
    world.pay(LATER)
    assert (read(asked).state, read(asked).payments.get().amount_minor) == ("paid", 4000)


def test_scenario_24_credited_there_after_it_was_paid(world, paid):
    terms = {"invoice": row_of(paid).stripe_id, "amount": 1000, "refund_amount": 600, "credit_amount": 400}
    world.stripe.credit_notes.create(terms)
    world.tell(LATER)
    assert list_notes() == [("refund", 1000)]
    assert not StripeDrift.objects.exists()


def test_scenario_24_paid_there_by_other_means_is_paid_here(world, asked):
    world.stripe.invoices.pay(row_of(asked).stripe_id, {"paid_out_of_band": True})
    world.tell(LATER)
    assert (read(asked).state, read(asked).payments.get().method) == ("paid", "stripe outside")


# Here


def test_scenario_24_void_here_is_void_there_and_billed_again_by_another(world, asked):
    again = moves.void_invoice(asked.pk, reason="wrong", bills_again=True, at=GRACE)
    world.follow()
    world.charge()
    assert row_of(asked).state == "void"
    assert (row_of(again).role, row_of(again).state, row_of(again).total_minor) == ("own", "open", 4900)


def test_scenario_24_void_here_before_it_was_asked(world):
    world.sign_up()
    world.draw()
    invoice = world.issue()
    moves.void_invoice(invoice.pk, reason="wrong", at=GRACE)
    world.charge()
    world.follow()
    assert world.read().status in ("paid", "void")
    assert world.read().total == 0


def test_scenario_24_a_draft_of_our_own_is_deleted_with_its_items(world):
    account = world.sign_up().account_id
    add(account, "30.00")
    invoice = bill(account, at=GRACE)
    world.simulator.fault("drop_before", "/v1/invoices/*/finalize", times=3)
    world.charge()
    moves.void_invoice(invoice.pk, reason="wrong", at=GRACE)
    world.follow()
    assert row_of(invoice).state == "deleted"
    assert world.stripe.invoice_items.list({"pending": True}).data == []


def test_scenario_24_given_up_here_is_given_up_there(world, asked):
    moves.mark_uncollectible(asked.pk, at=GRACE)
    world.follow()
    assert world.read().status == "uncollectible"


@pytest.mark.parametrize(("destination", "parts"), [("refund", (0, 1000, 0)), ("balance", (0, 0, 1000))])
def test_scenario_24_credited_here_is_a_note_there(world, paid, destination, parts):
    credit_notes.issue_credit_note(
        paid.pk, destination=destination, reason="broken", key="1", amount_minor=1000, at=LATER
    )
    for _ in range(2):
        world.follow(LATER)
    note = StripeCreditNote.objects.get()
    assert (note.due_minor, note.refund_minor, note.outside_minor) == parts
    world.tell(LATER)
    assert list_notes() == [(destination, 1000)]
    assert world.stripe.customers.retrieve(world.customer).balance == 0


def test_scenario_24_credited_here_is_no_longer_asked_there(world, asked):
    credit_notes.issue_credit_note(asked.pk, destination="due", reason="late", key="1", amount_minor=900, at=GRACE)
    world.follow()
    world.pay(LATER)
    assert (world.read().amount_paid, read(asked).state) == (4000, "paid")
    assert list_notes() == [("due", 900)]


def test_scenario_24_paid_here_is_not_collected_there(world, asked):
    moves.record_payment(asked.pk, amount_minor=900, method="transfer", key="1", at=GRACE)
    world.follow()
    assert world.read().amount_remaining == 4000
    moves.mark_paid(asked.pk, method="transfer", at=GRACE)
    world.follow()
    world.collect(LATER)
    assert world.read().status == "paid"
    assert world.stripe.charges.list().data == []
    assert [paid.amount_minor for paid in asked.payments.order_by("pk")] == [900, 4000]


def test_scenario_24_disputed_there_is_shown_and_told_until_it_is_won(world):
    world.sign_up(card="pm_card_createDispute")
    world.draw()
    invoice = world.issue()
    world.charge()
    world.collect()
    world.tell(LATER)
    assert (read(invoice).state, row_of(invoice).dispute) == ("paid", "open")
    drift = StripeDrift.objects.get()
    assert (drift.kind, drift.state, drift.difference_minor) == ("dispute", "open", 4900)
    world.simulator.control("POST", "disputes/close", dispute=drift.key, status="won")
    world.tell(LATER)
    drift.refresh_from_db()
    assert (row_of(invoice).dispute, drift.state) == ("won", "repaired")
