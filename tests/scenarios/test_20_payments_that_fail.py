"""Scenario 20: a payment fails and succeeds later, has to be confirmed, or is too small to be made. One intent each."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing import dunning
from billing.models import Invoice, Payment, StripeInvoice
from billing.rating import flat_fee
from tests.scenarios.worlds import GRACE, HOUR

pytestmark = pytest.mark.django_db
DAYS = timedelta(days=1)


def ask(world, **terms):
    world.sign_up(**terms)
    world.draw()
    invoice = world.issue()
    world.charge()
    return invoice


def read(invoice):
    return Invoice.objects.get(pk=invoice.pk)


def list_intents(world):
    return [intent.id for intent in world.stripe.payment_intents.list().data]


def test_scenario_20_a_payment_that_fails_is_shown_and_tried_again(world):
    invoice = ask(world, card="pm_card_chargeCustomerFail")
    world.collect(GRACE + 2 * HOUR)
    row = StripeInvoice.objects.get()
    assert (read(invoice).state, row.state, row.attempt_count) == ("issued", "open", 1)
    assert (row.error_code, row.next_attempt_at) == ("generic_decline", GRACE + 3 * DAYS)
    assert dunning.read_dunning(read(invoice)) is dunning.DunningState.COLLECTING
    world.give_card("pm_card_visa")
    world.collect(GRACE + 4 * DAYS)
    row.refresh_from_db()
    assert (read(invoice).state, row.state, row.error_code, row.attempt_count) == ("paid", "paid", "", 1)
    assert Payment.objects.get().key in list_intents(world)
    assert len(list_intents(world)) == 1


def test_scenario_20_once_stripe_tries_no_more_palier_reminds(world):
    invoice = ask(world, card="pm_card_chargeCustomerFail")
    world.simulator.settings(after_retries="past_due")
    for day in (3, 8, 15, 16):
        world.collect(GRACE + day * DAYS + HOUR)
    row = StripeInvoice.objects.get()
    assert (row.state, row.next_attempt_at, row.attempt_count) == ("open", None, 4)
    assert dunning.read_dunning(read(invoice)) is dunning.DunningState.WAITING
    assert len(list_intents(world)) == 1


def test_scenario_20_a_payment_that_is_to_be_confirmed_waits_for_the_customer(world):
    invoice = ask(world, card="pm_card_authenticationRequired")
    world.collect()
    row = StripeInvoice.objects.get()
    assert (read(invoice).state, row.state, row.needs_action) == ("issued", "open", True)
    assert row.hosted_invoice_url.startswith("http")
    method = world.give_card("pm_card_visa")
    world.stripe.invoices.pay(row.stripe_id, {"payment_method": method})
    world.tell(GRACE + 3 * HOUR)
    row.refresh_from_db()
    assert (read(invoice).state, row.needs_action, Payment.objects.count()) == ("paid", False, 1)
    assert len(list_intents(world)) == 1


def test_scenario_20_what_is_too_small_to_be_charged_is_carried_to_the_next(world):
    first = ask(world, prices=[flat_fee("Small", Decimal("0.20"))])
    world.collect()
    assert read(first).state == "paid"
    assert (Payment.objects.get().method, Payment.objects.get().amount_minor) == ("stripe balance", 20)
    assert list_intents(world) == []


def test_scenario_20_told_twice_it_is_paid_once(world):
    invoice = ask(world)
    world.go_to(GRACE + 2 * HOUR)
    world.simulator.fault_webhooks("duplicate", types=["invoice.paid"])
    world.tell(GRACE + 2 * HOUR)
    world.tell(GRACE + 3 * HOUR)
    assert (read(invoice).state, Payment.objects.count()) == ("paid", 1)
