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
    live_at(simulator, NOV_10 + HOUR)
    use("acme", sizes=[used], time=NOV_10 + 2 * HOUR)
    live_at(simulator, NOV_10 + 4 * HOUR, DEC + 3 * HOUR)
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


@pytest.mark.parametrize(
    ("currency", "amount", "used", "asked"),
    [
        ("EUR", "0.0005", 1_010, 51),  # 50.5 cents
        ("EUR", "0.0005", 1_009, 50),  # 50.45
        ("EUR", "0.000000000001", 515_000_000_000, 52),  # 51.5, of the smallest price
        ("JPY", "0.5", 1_001, 501),  # 500.5
    ],
)
def test_scenario_28_a_half_is_rounded_up_once_on_both_sides(simulator, currency, amount, used, asked):
    assert bill(simulator, price(amount), used=used, currency=currency) == [asked]
    assert (find_totals(), is_metered(), count_drifts()) == ((asked, asked), True, 0)


def test_scenario_28_each_of_many_tiny_lines_is_rounded_by_itself(simulator):
    prices = [price("0.0004", f"Part {number}") for number in range(12)]
    assert bill(simulator, *prices, used=1_010) == [40] * 12  # 40.4 each: 484.8 in all
    assert (find_totals(), is_metered(), count_drifts()) == ((480, 480), True, 0)


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
