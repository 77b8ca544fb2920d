from decimal import Decimal

import pytest
from django.utils import translation

from billing.lines import LineFact
from billing.rating import (
    Conversion,
    DimensionPrice,
    Rounding,
    Step,
    StepKind,
    TierTerms,
    Usage,
    flat_fee,
    graduated,
    per_unit,
    rate,
    rate_increment,
    stack_blocks,
)
from billing.wording import display_amount, display_money, explain_line, explain_price, explain_steps
from tests.billing.rating.shapes import BY_REGION, make_percentage, make_price, make_tiers, spend


def make_line(price, quantity, *, unit="request", currency="EUR"):
    rated = rate(price, quantity if isinstance(quantity, Usage) else Decimal(quantity))
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


def test_a_fee_by_seat_says_how_many_there_are():
    seat = flat_fee("Seats", Decimal(10), per_seat=True)
    assert explain_line(make_line(seat, 3), "EUR") == ["3 × €10.00 = €30.00"]
    assert explain_price(seat, "", "EUR") == ["€10.00 per seat and period"]


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


def explain(price, quantity, unit="request"):
    return explain_line(make_line(price, quantity, unit=unit), "EUR")


def test_a_volume_price_explains_itself():
    price = make_price("volume", tiers=make_tiers(("10", "2", "0"), (None, "1", "5")))
    assert explain(price, 12) == ["all 12 requests at €1.00 = €12.00", "fee for reaching step 2 = €5.00"]
    assert explain_price(price, "request", "EUR") == [
        "all at the price of the step that is reached",
        "€2.00 for 1 request up to 10 requests",
        "€1.00 for 1 request above, and €5.00 once",
    ]


@pytest.mark.parametrize(
    ("rounding", "asks"),
    [
        (Rounding.UP, "€3.00 for each 10 requests begun"),
        (Rounding.HALF, "€3.00 for each 10 requests, from half of it on"),
        (Rounding.DOWN, "€3.00 for each complete 10 requests"),
    ],
)
def test_a_package_price_explains_itself(rounding, asks):
    price = make_price("package", unit_amount=Decimal(3), package_size=Decimal(10), package_rounding=rounding)
    assert explain_price(price, "request", "EUR") == [asks]
    assert explain(price, 18)[0] in ("2 × 10 requests at €3.00 = €6.00", "1 × 10 requests at €3.00 = €3.00")


def test_blocks_explain_themselves():
    price = make_price(
        "graduated", tiers=stack_blocks([(Decimal(100), 10, Decimal(1)), (Decimal(1000), None, Decimal(2))])
    )
    assert explain(price, 1001) == [
        "first 10 × 100 requests at €1.00 = €10.00",
        "next 1 × 1,000 requests at €2.00 = €2.00",
    ]
    assert explain_price(price, "request", "EUR") == [
        "€1.00 for 100 requests up to 1,000 requests",
        "€2.00 for 1,000 requests above",
    ]


def test_a_percentage_explains_itself():
    price = make_percentage("2.5", fee="0.20", free_amount="50", free_transactions=3, minimum="1", maximum="10")
    assert explain_price(price, "", "EUR") == [
        "first €50.00 free of charge",
        "transactions free of charge: 3",
        "2.5% of the value",
        "€0.20 for each transaction",
        "at least €1.00 for each transaction",
        "at most €10.00 for each transaction",
    ]
    assert explain(price, spend("50", "100", "1", "1000"), unit="") == [
        "€50.00 free of charge",
        "2.5% of €100.00 = €2.50",
        "€0.20 for each transaction: 1 = €0.20",
        "at least €1.00 for each transaction: 1 = €1.00",
        "at most €10.00 for each transaction: 1 = €10.00",
    ]


def test_a_graduated_percentage_explains_itself():
    rows = (TierTerms(Decimal(1000), rate_percent=Decimal(3)), TierTerms(None, rate_percent=Decimal("1.25")))
    price = make_price("graduated_percentage", tiers=rows)
    assert explain(price, 1500, unit="") == ["3% of the first €1,000.00 = €30.00", "1.25% of the next €500.00 = €6.25"]
    assert explain_price(price, "", "EUR") == ["3% of the value up to €1,000.00", "1.25% of the value above"]


def test_a_table_explains_itself():
    usage = Usage.of_parts([({"region": "eu", "size": "big"}, Decimal(2)), ({}, Decimal(1))])
    assert explain(BY_REGION, usage) == ["eu, big: 2 requests at €3.50 = €7.00", "1 request at €1.00 = €1.00"]
    assert explain_price(BY_REGION, "request", "EUR") == [
        "eu, big: €3.50 for 1 request",
        "us, big: €2.00 for 1 request",
        "otherwise €1.00 for 1 request",
    ]


def test_a_conversion_says_what_became_of_the_metered_quantity():
    terms = {"divide_by": Decimal(3600), "rounding": Rounding.UP, "places": 0, "unit": "hour"}
    price = make_price("per_unit", unit_amount=Decimal(2), conversion=Conversion(**terms), included_units=Decimal(1))
    assert explain(price, 7201, unit="second") == [
        "7,201 seconds charged as 3 hours",
        "1 hour included",
        "2 hours at €2.00 = €4.00",
    ]
    assert explain_price(price, "second", "EUR") == [
        "3,600 metered are charged as 1 hour, rounded up",
        "1 hour included",
        "€2.00 for 1 hour",
    ]


def test_bounds_say_what_they_add_or_take_off():
    price = make_price("per_unit", unit_amount=Decimal(1), minimum=Decimal(5), cap=Decimal(20))
    assert explain(price, 2)[1] == "€3.00 more to reach the minimum"
    assert explain(price, 25)[1] == "−€5.00 to stay within the cap"
    assert explain_price(price, "request", "EUR")[1:] == ["at least €5.00 per period", "at most €20.00 per period"]


def test_what_was_billed_before_is_said_to_be_taken_back():
    price = make_price("volume", tiers=make_tiers(("15", "10", "0"), (None, "5", "0")))
    line = rate_increment(price, billed=Decimal(15), total=Decimal(16))
    assert explain_steps(line.steps, "request", "EUR") == [
        "taken back: all 15 requests at €10.00 = €150.00",
        "all 16 requests at €5.00 = €80.00",
    ]


def test_a_table_with_one_dimension_names_its_value():
    price = make_price(
        "dimension", unit_amount=Decimal(1), dimensions=("region",), table=(DimensionPrice(("eu",), Decimal(2)),)
    )
    assert explain_price(price, "byte", "EUR")[0] == "eu: €2.00 for 1 byte"
