from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import round_money
from billing.rating import Conversion, Rounding, TierTerms, rate
from billing.stripe.expressing import Expressed, Inexpressible, MeterFacts, Reason, express_price
from tests.billing.rating.shapes import UNIT_AMOUNTS, D, make_percentage, make_price, make_tiers

SUM = MeterFacts("sum")
COUNT = MeterFacts("count")


def ask_stripe(params, quantity):
    """What Stripe's documentation makes of a price's parameters, in fractions: the amount of a line, rounded once."""
    quantity = max(Fraction(quantity), Fraction(0))
    if "transform_quantity" in params:
        transform = params["transform_quantity"]
        packages, rest = divmod(quantity, transform["divide_by"])
        quantity = packages + (1 if rest and transform["round"] == "up" else 0)
    if params["billing_scheme"] == "per_unit":
        exact = quantity * Fraction(params["unit_amount_decimal"])
    elif params["tiers_mode"] == "volume":
        tier = next(tier for tier in params["tiers"] if tier["up_to"] == "inf" or quantity <= tier["up_to"])
        exact = quantity * Fraction(tier["unit_amount_decimal"]) + Fraction(tier.get("flat_amount_decimal", "0"))
    else:
        exact, floor = Fraction(0), Fraction(0)
        for number, tier in enumerate(params["tiers"]):
            if number and quantity <= floor:
                break
            end = quantity if tier["up_to"] == "inf" else min(quantity, Fraction(tier["up_to"]))
            exact += (end - floor) * Fraction(tier["unit_amount_decimal"])
            exact += Fraction(tier.get("flat_amount_decimal", "0"))
            floor = end
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


CENTS = st.integers(0, 400).map(lambda number: Decimal(number).scaleb(-3))  # many a half cent among them
AMOUNTS = UNIT_AMOUNTS | CENTS
ENDS = st.sets(st.integers(1, 60), max_size=3)
INCLUDED = st.just(D(0)) | st.integers(1, 30).map(Decimal)
QUANTITIES = st.integers(-3, 120).map(Decimal) | st.decimals(-1, 120, places=1) | st.decimals(0, 10**6, places=12)


@st.composite
def expressible_prices(draw):
    """Prices that Stripe has words for, and some that it lacks them for by a hair."""
    model = draw(st.sampled_from(["per_unit", "graduated", "volume", "package"]))
    terms = {"included_units": draw(INCLUDED) if model in ("per_unit", "graduated") else D(0)}
    if model in ("graduated", "volume"):
        ends = [*map(Decimal, sorted(draw(ENDS))), None]
        fees = st.just(D(0)) | AMOUNTS
        terms["tiers"] = tuple(TierTerms(end, draw(AMOUNTS), draw(fees)) for end in ends)
        terms["first_tier_flat_at_zero"] = draw(st.booleans())
    else:
        terms["unit_amount"] = draw(AMOUNTS)
    if model == "package":
        terms["package_size"] = draw(st.integers(1, 30).map(Decimal))
        terms["package_rounding"] = draw(st.sampled_from([Rounding.UP, Rounding.DOWN]))
    return make_price(model, **terms)


@given(expressible_prices(), st.lists(QUANTITIES, min_size=1, max_size=4), st.sampled_from(["EUR", "JPY"]))
def test_whatever_is_expressed_costs_the_same_there(price, quantities, currency):
    expressed = express_price(price, SUM, currency)
    if isinstance(expressed, Inexpressible):
        assert expressed.reason is Reason.FEE_ABOVE_ZERO
        return
    ends = [Decimal(tier["up_to"]) for tier in expressed.params.get("tiers", []) if tier["up_to"] != "inf"]
    for quantity in [D(0), *ends, *(end + D("0.5") for end in ends), *quantities]:
        ours = round_money(rate(price, quantity).amount_exact, currency).minor
        assert ask_stripe(expressed.params, quantity) == ours, quantity


@given(expressible_prices(), st.sampled_from(["EUR", "JPY"]))
def test_amounts_are_plain_decimals_with_at_most_twelve_places(price, currency):
    expressed = express_price(price, SUM, currency)
    if isinstance(expressed, Inexpressible):
        return
    rows = [expressed.params, *expressed.params.get("tiers", [])]
    for amount in (value for row in rows for name, value in row.items() if name.endswith("_decimal")):
        assert "E" not in amount
        assert -int(Decimal(amount).as_tuple().exponent) <= 12
        assert Decimal(amount) == Decimal(amount).quantize(D("1e-12"), ROUND_HALF_UP)


def test_a_unit_price_is_said_in_the_smallest_unit():
    price = make_price("per_unit", unit_amount=D("0.00000000009"))
    assert express_price(price, COUNT, "EUR") == Expressed(
        {"currency": "eur", "billing_scheme": "per_unit", "unit_amount_decimal": "0.000000009"}, "sum"
    )
    smallest = express_price(make_price("per_unit", unit_amount=D("1E-12")), COUNT, "JPY")
    assert smallest.params["unit_amount_decimal"] == "0.000000000001"


def test_included_units_are_a_first_tier_that_costs_nothing():
    price = make_price("per_unit", unit_amount=D("0.02"), included_units=D(1000))
    assert express_price(price, SUM, "EUR").params == {
        "currency": "eur",
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers": [
            {"up_to": 1000, "unit_amount_decimal": "0"},
            {"up_to": "inf", "unit_amount_decimal": "2"},
        ],
    }


def test_tiers_move_up_by_the_included_units():
    tiers = make_tiers(("10000", "0.002", "0"), (None, "0.001", "5"))
    price = make_price("graduated", tiers=tiers, included_units=D(500))
    assert express_price(price, SUM, "EUR").params["tiers"] == [
        {"up_to": 500, "unit_amount_decimal": "0"},
        {"up_to": 10500, "unit_amount_decimal": "0.2"},
        {"up_to": "inf", "unit_amount_decimal": "0.1", "flat_amount_decimal": "500"},
    ]


def test_the_first_fee_is_that_of_the_included_units_where_it_is_asked_of_no_usage():
    tiers = make_tiers(("10", "1", "3"), (None, "2", "0"))
    at_zero = make_price("graduated", tiers=tiers, included_units=D(5), first_tier_flat_at_zero=True)
    above = make_price("graduated", tiers=tiers, included_units=D(5))
    fees = [
        [tier.get("flat_amount_decimal") for tier in express_price(price, SUM, "EUR").params["tiers"]]
        for price in (at_zero, above)
    ]
    assert fees == [["300", None, None], [None, "300", None]]


def test_packages_are_a_divided_quantity():
    price = make_price("package", unit_amount=D("4.5"), package_size=D(100))
    assert express_price(price, SUM, "JPY").params == {
        "currency": "jpy",
        "billing_scheme": "per_unit",
        "unit_amount_decimal": "4.5",
        "transform_quantity": {"divide_by": 100, "round": "up"},
    }


def test_the_latest_value_is_that_of_a_meter_of_the_last_one():
    price = make_price("per_unit", unit_amount=D(1))
    assert express_price(price, MeterFacts("latest"), "EUR").formula == "last"


PER_UNIT = make_price("per_unit", unit_amount=D(1))
TIERS = make_tiers(("10", "1", "0"), (None, "2", "0"))


@pytest.mark.parametrize(
    ("price", "meter", "currency", "reason"),
    [
        (make_percentage(), SUM, "EUR", Reason.MODEL),
        (PER_UNIT, None, "EUR", Reason.FEE),
        (PER_UNIT, MeterFacts("max"), "EUR", Reason.AGGREGATION),
        (PER_UNIT, MeterFacts("sum", carries_over=True), "EUR", Reason.CARRIED),
        (PER_UNIT, MeterFacts("sum", rounding="ceil"), "EUR", Reason.METER_ROUNDING),
        (PER_UNIT, SUM, "KWD", Reason.CURRENCY),
        (PER_UNIT, SUM, "ISK", Reason.CURRENCY),
        (make_price("per_unit", unit_amount=D(1), minimum=D(5)), SUM, "EUR", Reason.MINIMUM),
        (make_price("per_unit", unit_amount=D(1), cap=D(5)), SUM, "EUR", Reason.CAP),
        (make_price("per_unit", unit_amount=D(1), conversion=Conversion(D(1), D(60))), SUM, "EUR", Reason.CONVERSION),
        (make_price("per_unit", unit_amount=D(1), included_units=D("0.5")), SUM, "EUR", Reason.INCLUDED_FRACTION),
        (make_price("volume", tiers=TIERS, included_units=D(5)), SUM, "EUR", Reason.INCLUDED_UNITS),
        (make_price("graduated", tiers=make_tiers(("0.5", "1", "0"), (None, "2", "0"))), SUM, "EUR", Reason.TIER_END),
        (make_price("graduated", tiers=make_tiers((2**53, "1", "0"), (None, "2", "0"))), SUM, "EUR", Reason.TIER_END),
        (
            make_price("graduated", tiers=(TierTerms(D(10), D(1), package_size=D(5)), TierTerms(None, D(1)))),
            SUM,
            "EUR",
            Reason.TIER_PACKAGE,
        ),
        (make_price("volume", tiers=make_tiers((None, "1", "3"))), SUM, "EUR", Reason.FEE_ABOVE_ZERO),
        (make_price("package", unit_amount=D(1), package_size=D("0.5")), SUM, "EUR", Reason.PACKAGE_SIZE),
        (
            make_price("package", unit_amount=D(1), package_size=D(5), package_rounding=Rounding.HALF),
            SUM,
            "EUR",
            Reason.PACKAGE_ROUNDING,
        ),
    ],
)
def test_what_stripe_has_no_words_for_is_refused_with_the_reason(price, meter, currency, reason):
    assert express_price(price, meter, currency) == Inexpressible(reason)
