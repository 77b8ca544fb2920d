from datetime import timedelta
from decimal import Decimal

import pytest

from billing import coupons, tax_rates
from billing.models import CreditNote, DriftAct, Invoice, StripeDrift, StripeInvoice
from billing.rating import TierTerms, flat_fee, graduated, per_unit
from billing.stripe.charging import scans
from billing.stripe.charging.drafts import PATIENCE
from billing.stripe.reconciling.repairs import repair
from tests.billing.credits.makers import give
from tests.billing.makers import BASE_FEE, JAN, MID_JAN, REQUEST_TIERS, make_plan, use
from tests.scenarios.worlds import GRACE, HOUR
from tests.scenarios.worlds import world as make_world

pytestmark = pytest.mark.django_db
world = make_world

CALLS = per_unit("Calls", meter_key="requests", unit_amount=Decimal("0.5"))
TIERS = graduated("Bytes", meter_key="bandwidth", tiers=REQUEST_TIERS)


def ask(world, at=GRACE):
    world.draw()
    invoice = world.issue()
    world.charge(at)
    return invoice, StripeInvoice.objects.get()


def test_fees_usage_discounts_taxes_and_credit_come_to_what_is_due(world):
    subscription = world.sign_up(prices=[BASE_FEE, CALLS])
    account = subscription.account_id
    vat = tax_rates.create_tax_rate(name="VAT", percent=Decimal(19))
    tax_rates.set_tax_rates(account_id=account, rate_ids=[vat])
    coupons.create_coupon(code="tenth", name="A tenth", percent=Decimal(10))
    coupons.apply_coupon(code="tenth", account_id=account, at=JAN)
    give(1_000, account_id=account, at=JAN)
    use("acme", sizes=[10] * 7, time=MID_JAN)
    before = world.count_calls()
    invoice, row = ask(world)
    # 49.00 and 3.50 less a tenth, with a fifth of tax but one, less ten
    assert (invoice.total_minor, invoice.due_minor) == (5623, 4623)
    assert (row.step, row.total_minor, row.error_message) == ("finalised", 4623, "")
    assert world.count_calls() - before == 5  # hold, read, add, taxes, finalise
    told = {line.description: line.amount for line in world.stripe.invoices.line_items.list(row.stripe_id).data}
    assert (told["Base fee"], told["Discount: Calls"], told["Paid by credit"]) == (4410, -35, -1000)
    assert 350 in told.values()


def test_usage_that_stripe_does_not_show_yet_is_waited_for(world):
    world.sign_up(prices=[CALLS])
    use("acme", sizes=[10] * 4, time=MID_JAN)
    world.simulator.settings(meter_lag=600)
    _invoice, row = ask(world)
    assert (row.step, row.waiting_since) == ("held", GRACE)
    world.go_to(GRACE + HOUR)
    world.work(GRACE + HOUR, scans.CHARGE)
    row.refresh_from_db()
    assert (row.step, row.total_minor, row.waiting_since) == ("finalised", 200, None)


def test_usage_that_nobody_sent_stops_the_invoice_until_it_is_put_right(world):
    world.sign_up(prices=[CALLS])
    use("acme", sizes=[10] * 4, time=MID_JAN)
    payload = {"stripe_customer_id": world.customer, "value": "1"}
    event = {"event_name": "palier_requests", "payload": payload, "timestamp": int(MID_JAN.timestamp())}
    world.go_to(MID_JAN + HOUR)
    world.stripe.billing.meter_events.create(event)
    _invoice, row = ask(world)
    later = GRACE + PATIENCE
    world.go_to(later)
    world.work(later, scans.CHARGE)
    row.refresh_from_db()
    drift = StripeDrift.objects.get()
    assert (row.step, row.state) == ("stopped", "draft")
    assert (drift.kind, drift.ours, drift.theirs, drift.difference_minor) == (
        "metered_line",
        "2.00 EUR",
        "2.50 EUR",
        -50,
    )


@pytest.mark.parametrize(("lines", "count"), [("one", 1), ("tiers", 2)])
def test_tiers_that_stripe_has_as_lines_are_one_of_ours(world, lines, count):
    world.simulator.settings(graduated_lines=lines)
    world.sign_up(plan=make_plan(prices=[TIERS], limits=()))
    use("acme", sizes=[20_000], time=MID_JAN)
    invoice, row = ask(world)
    assert (invoice.due_minor, row.total_minor, row.step) == (3000, 3000, "finalised")
    assert sum(line.amount > 0 for line in world.stripe.invoices.line_items.list(row.stripe_id).data) == count


def test_tiers_that_are_rounded_singly_are_a_drift_that_a_line_settles(world):
    """50.5 and 50.5 cents: Palier asks 101, and Stripe 51 and 51 if it has a line for each."""
    tiers = (TierTerms(Decimal(1_000), Decimal("0.000505")), TierTerms(None, Decimal("0.000505")))
    world.simulator.settings(graduated_lines="tiers")
    world.sign_up(prices=[graduated("Bytes", meter_key="bandwidth", tiers=tiers)])
    use("acme", sizes=[2_000], time=MID_JAN)
    ask(world)
    later = GRACE + PATIENCE
    world.go_to(later)
    world.work(later, scans.CHARGE)
    row = StripeInvoice.objects.get()
    drift = StripeDrift.objects.get()
    assert (row.step, row.state) == ("stopped", "draft")
    assert (drift.kind, drift.ours, drift.theirs) == ("metered_line", "1.01 EUR", "1.02 EUR")
    assert drift.difference_minor == -1
    for _ in range(2):
        repair(drift.pk, by=None, at=later, act=DriftAct.ADJUSTED)
    row.refresh_from_db()
    drift.refresh_from_db()
    assert (row.step, row.total_minor, drift.state) == ("finalised", 101, "repaired")


def test_where_nothing_is_due_stripes_comes_to_nothing_and_is_paid(world):
    subscription = world.sign_up(prices=[BASE_FEE, CALLS])
    give(10_000, account_id=subscription.account_id, at=JAN)
    use("acme", sizes=[10] * 4, time=MID_JAN)
    invoice, row = ask(world)
    assert (invoice.state, row.state, row.total_minor, row.step) == ("paid", "paid", 0, "finalised")
    world.tell(GRACE)
    assert not Invoice.objects.get().payments.exists()


def test_what_stripe_cannot_ask_is_written_off_and_said(world):
    world.sign_up(plan=make_plan(currency="KWD", prices=[flat_fee("Fee", Decimal("1.234"))], limits=()), card=None)
    invoice, row = ask(world)
    assert (invoice.due_minor, row.total_minor) == (1234, 1230)
    note = CreditNote.objects.get()
    assert (note.destination, note.total_minor, note.key) == ("due", 4, "stripe unasked")
    world.follow()
    assert world.read(row).amount_remaining == 1230


def test_what_is_charged_stays_so_whoever_asks_again(world):
    world.sign_up()
    _invoice, row = ask(world)
    for days in range(3):
        world.charge(GRACE + timedelta(days=days))
    assert StripeInvoice.objects.get() == row
