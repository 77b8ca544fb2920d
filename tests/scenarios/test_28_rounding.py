"""Halves of a cent, many tiny lines, currencies without decimals and with three: both ask the same, or say why not."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.models import CreditNote, Invoice, Period, StripeInvoice
from billing.rating import TierTerms, graduated, per_unit
from billing.stripe.modes import Mode, choose_modes
from billing.stripe.reconciling.running import reconcile
from tests.billing.makers import make_plan, use
from tests.billing.stripe.makers import DEC, NOV, NOV_10, make_mirrored
from tests.scenarios.beat import live_at

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


def bill(simulator, *prices, used, currency="EUR"):
    """A period of that usage of one meter, charged to its end; the lines of Stripe's invoice."""
    make_mirrored(simulator, plan=make_plan(prices=prices, limits=(), currency=currency))
    use("acme", sizes=[used], time=NOV_10 + 2 * HOUR)
    live_at(simulator, DEC + 3 * HOUR)
    asked = StripeInvoice.objects.get(invoice=Invoice.objects.get())
    assert asked.step == "finalised"
    lines = simulator.client().v1.invoices.line_items.list(asked.stripe_id, {"limit": 100}).data
    return [line.amount for line in lines if line.amount]


def price(amount, name="Bandwidth"):
    return per_unit(name, meter_key="bandwidth", unit_amount=Decimal(amount))


def find_totals():
    invoice = Invoice.objects.get()
    return invoice.due_minor, StripeInvoice.objects.get(invoice=invoice).total_minor


def is_metered():
    return set(choose_modes(Period.objects.order_by("starts_at").first()).values()) == {Mode.METERS}


def count_drifts():
    return len(reconcile(DEC + 24 * HOUR, since=NOV).open)


def test_scenario_28_each_of_many_tiny_lines_is_rounded_by_itself_and_a_half_up(simulator):
    """12.1 cents of the smallest price there is, a tie, and ten times 48.4: 556.6 in all."""
    amounts = ["0.000000000001", "0.000000000005", *["0.000000000004"] * 10]
    prices = [price(amount, f"Part {number}") for number, amount in enumerate(amounts)]
    lines = bill(simulator, *prices, used=121_000_000_000)
    assert sorted(lines) == [12, *[48] * 10, 61]
    assert (find_totals(), is_metered(), count_drifts()) == ((553, 553), True, 0)


def test_scenario_28_a_half_is_rounded_up_where_there_are_no_decimals(simulator):
    assert bill(simulator, price("0.5"), used=1_001, currency="JPY") == [501]
    assert (find_totals(), is_metered(), count_drifts()) == ((501, 501), True, 0)


def test_scenario_28_tiers_are_added_before_they_are_rounded(simulator):
    tiers = (TierTerms(Decimal(1_000), Decimal("0.000505")), TierTerms(None, Decimal("0.000505")))
    lines = bill(simulator, graduated("Bandwidth", meter_key="bandwidth", tiers=tiers), used=2_000)
    assert sum(lines) == 101  # 50.5 and 50.5
    assert (find_totals(), is_metered(), count_drifts()) == ((101, 101), True, 0)


def test_scenario_28_what_stripe_cannot_ask_of_three_decimals_is_declared(simulator):
    bill(simulator, price("0.001235"), used=1_000, currency="KWD")
    due, asked = find_totals()
    assert (due, asked, is_metered()) == (1_235, 123_0, False)
    note = CreditNote.objects.get()
    assert (note.total_minor, note.destination) == (5, "due")
    assert count_drifts() == 0
