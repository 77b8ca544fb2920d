from decimal import Decimal

import pytest
from django.utils import translation

from billing.lines import LineFact
from billing.rating import Step, StepKind, TierTerms, flat_fee, graduated, per_unit, rate
from billing.wording import display_amount, display_money, explain_line, explain_price


def make_line(price, quantity, *, unit="request", currency="EUR"):
    rated = rate(price, Decimal(quantity))
    return LineFact(
        position=1,
        description=price.description,
        meter_id=None,
        meter_key=price.meter_key,
        meter_name="",
        unit=unit,
        quantity=rated.quantity,
        event_count=None,
        steps=rated.steps,
        amount_exact=rated.amount_exact,
        amount_minor=rated.round(currency).minor,
    )


REQUESTS = graduated(
    "Requests",
    meter_key="requests",
    tiers=[TierTerms(Decimal(10_000), Decimal("0.002")), TierTerms(None, Decimal("0.0005"), Decimal(3))],
    included_units=Decimal(1_000),
)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (4900, "EUR", "€49.00"),
        (123450, "EUR", "€1,234.50"),
        (0, "EUR", "€0.00"),
        (-500, "EUR", "−€5.00"),
        (525, "JPY", "¥525"),
        (1500, "KWD", "KWD\u00a01.500"),
        (123456789012345678, "USD", "$1,234,567,890,123,456.78"),
    ],
)
def test_money_shows_the_decimals_of_its_currency(minor, currency, text):
    assert display_money(minor, currency) == text


def test_an_exact_amount_shows_every_digit_that_counts():
    assert display_amount(Decimal("0.000000000090"), "EUR") == "€0.00000000009"
    assert display_amount(Decimal("20.000000"), "EUR") == "€20.00"
    assert display_amount(Decimal("10.50"), "JPY") == "¥10.5"
    assert display_amount(Decimal("-10000.000000000200000000000001"), "EUR") == "−€10,000.000000000200000000000001"


def test_a_line_explains_each_step():
    assert explain_line(make_line(REQUESTS, 16_000), "EUR") == [
        "1,000 requests included",
        "first 10,000 requests at €0.002 = €20.00",
        "next 5,000 requests at €0.0005 = €2.50",
        "fee for reaching step 2 = €3.00",
    ]


def test_a_line_says_when_its_amount_was_rounded():
    price = per_unit("Bandwidth", meter_key="bandwidth", unit_amount=Decimal("0.00000000009"))
    assert explain_line(make_line(price, 2_747_282_740, unit="byte"), "EUR") == [
        "2,747,282,740 bytes at €0.00000000009 = €0.2472554466",
        "€0.2472554466 rounded to €0.25",
    ]


def test_a_line_of_nothing_says_so():
    assert explain_line(make_line(REQUESTS, 0), "EUR") == ["nothing was used"]


def test_a_flat_fee_explains_itself():
    assert explain_line(make_line(flat_fee("Base fee", Decimal(49)), 1), "EUR") == ["flat fee of €49.00"]


def test_a_price_says_what_it_asks():
    assert explain_price(REQUESTS, "request", "EUR") == [
        "1,000 requests included",
        "€0.002 for 1 request up to 10,000 requests",
        "€0.0005 for 1 request above, and €3.00 once",
    ]
    assert explain_price(flat_fee("Base fee", Decimal(49)), "", "EUR") == ["€49.00 per period"]


def test_numbers_follow_the_readers_language():
    with translation.override("fr"):
        text = display_money(123450, "EUR")
    assert "234,50" in text


def test_a_currency_without_a_sign_stands_behind_the_number_in_french():
    with translation.override("fr"):
        assert display_money(1500, "KWD") == "1,500\u00a0KWD"


def test_a_step_of_one_unit_is_in_the_singular():
    line = make_line(REQUESTS, 1_001)
    assert line.steps[1] == Step(StepKind.TIER, Decimal(1), Decimal("0.002"), Decimal("0.002"), tier=1)
    assert explain_line(line, "EUR")[1] == "first 1 request at €0.002 = €0.002"
