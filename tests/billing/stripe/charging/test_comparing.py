from decimal import Decimal

from billing.stripe.charging.comparing import Difference, compare_metered, place_taxes
from billing.stripe.charging.composing import MeteredLine, OurTax
from billing.stripe.charging.told import read_line
from tests.billing.stripe.charging.bodies import write_line

ITEMS = {1: "si_1", 2: "si_2"}
TAX = (OurTax("VAT", Decimal(19), False, 19, 100),)
LINES = [
    read_line(write_line("il_1", 60, item="si_1")),
    read_line(write_line("il_2", 40, item="si_1")),
    read_line(write_line("il_3", 7, key="7:1")),
]


def test_the_tiers_of_a_line_are_one_amount():
    assert compare_metered([MeteredLine(1, 100, ())], ITEMS, LINES) == []


def test_a_line_that_stripe_charges_otherwise_is_told():
    assert compare_metered([MeteredLine(1, 101, ()), MeteredLine(2, 5, ())], ITEMS, LINES) == [
        Difference(1, 101, 100),
        Difference(2, 5, 0),
    ]


def test_taxes_are_said_once_on_the_largest_of_its_lines():
    metered = [MeteredLine(1, 100, TAX), MeteredLine(2, 0, TAX)]
    assert place_taxes(metered, ITEMS, LINES) == {"il_1": TAX}
