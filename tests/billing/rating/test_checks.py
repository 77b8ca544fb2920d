import pytest

from billing.rating import Conversion, DimensionPrice, InvalidPrice, PercentageTerms, PriceModel, PriceTerms, TierTerms
from tests.billing.rating.shapes import D, make_price, make_tiers

OPEN = make_tiers((None, "1", "0"))
RATES = (TierTerms(None, rate_percent=D(1)),)
ONE = {"unit_amount": D(1)}
PERCENT = PercentageTerms(D(1))
TABLE = {"unit_amount": D(1), "dimensions": ("region",), "table": (DimensionPrice(("eu",), D(1)),)}

REFUSED = {
    "13 decimals": ("per_unit", {"unit_amount": D("0.0000000000001")}, "unit_amount"),
    "a negative price": ("per_unit", {"unit_amount": D(-1)}, "unit_amount"),
    "no price": ("per_unit", {}, "unit_amount"),
    "a price beside tiers": ("graduated", {"tiers": OPEN, **ONE}, "unit_amount"),
    "no tiers": ("volume", {}, "tiers"),
    "tiers that nothing climbs": ("per_unit", {"tiers": OPEN, **ONE}, "tiers"),
    "no open tier": ("volume", {"tiers": make_tiers(("5", "1", "0"), ("10", "1", "0"))}, "tiers[1].up_to"),
    "an open tier too early": ("graduated", {"tiers": [*OPEN, *OPEN]}, "tiers[0].up_to"),
    "tiers that overlap": (
        "graduated",
        {"tiers": make_tiers(("10", "1", "0"), ("5", "1", "0"), (None, "1", "0"))},
        "tiers[1].up_to",
    ),
    "a tier of nothing": ("graduated", {"tiers": [*make_tiers(("0", "1", "0")), *OPEN]}, "tiers[0].up_to"),
    "13 decimals in a tier": ("graduated", {"tiers": make_tiers((None, "1e-13", "0"))}, "tiers[0].unit_amount"),
    "a tier's negative fee": ("graduated", {"tiers": make_tiers((None, "1", "-1"))}, "tiers[0].flat_amount"),
    "a rate in a tier of units": ("graduated", {"tiers": RATES}, "tiers[0].rate_percent"),
    "a tier of a percentage without a rate": ("graduated_percentage", {"tiers": OPEN}, "tiers[0].rate_percent"),
    "a rate and a price": (
        "graduated_percentage",
        {"tiers": (TierTerms(None, D(1), rate_percent=D(1)),)},
        "tiers[0].unit_amount",
    ),
    "a rate by package": (
        "graduated_percentage",
        {"tiers": (TierTerms(None, rate_percent=D(1), package_size=D(1)),)},
        "tiers[0].package_size",
    ),
    "a tier of empty packages": (
        "graduated",
        {"tiers": (TierTerms(None, D(1), package_size=D(0)),)},
        "tiers[0].package_size",
    ),
    "no package": ("package", ONE, "package_size"),
    "an empty package": ("package", {"package_size": D(0), **ONE}, "package_size"),
    "a package of a unit price": ("per_unit", {"package_size": D(1), **ONE}, "package_size"),
    "no percentage": ("percentage", {}, "percentage"),
    "a percentage of units": ("per_unit", {"percentage": PERCENT, **ONE}, "percentage"),
    "included units of value": ("percentage", {"percentage": PERCENT, "included_units": D(1)}, "included_units"),
    "a rate of 1000 %": ("percentage", {"percentage": PercentageTerms(D(1000))}, "percentage.rate_percent"),
    "a rate of 11 decimals": ("percentage", {"percentage": PercentageTerms(D("1e-11"))}, "percentage.rate_percent"),
    "a negative rate": ("percentage", {"percentage": PercentageTerms(D(-1))}, "percentage.rate_percent"),
    "a negative fee": ("percentage", {"percentage": PercentageTerms(D(1), fee=D(-1))}, "percentage.fee"),
    "a negative free amount": (
        "percentage",
        {"percentage": PercentageTerms(D(1), free_amount=D(-1))},
        "percentage.free_amount",
    ),
    "half a free transaction": (
        "percentage",
        {"percentage": PercentageTerms(D(1), free_transactions=D("0.5"))},
        "percentage.free_transactions",
    ),
    "less than no free transaction": (
        "percentage",
        {"percentage": PercentageTerms(D(1), free_transactions=-1)},
        "percentage.free_transactions",
    ),
    "a maximum below the minimum": (
        "percentage",
        {"percentage": PercentageTerms(D(1), minimum=D(2), maximum=D(1))},
        "percentage.maximum",
    ),
    "a conversion of value": ("percentage", {"percentage": PERCENT, "conversion": Conversion()}, "conversion"),
    "division by zero": ("per_unit", {"conversion": Conversion(divide_by=D(0)), **ONE}, "conversion.divide_by"),
    "a conversion to nothing": ("per_unit", {"conversion": Conversion(D(0)), **ONE}, "conversion.multiply_by"),
    "13 places": ("per_unit", {"conversion": Conversion(places=13), **ONE}, "conversion.places"),
    "a cap below the minimum": ("per_unit", {"minimum": D(2), "cap": D(1), **ONE}, "cap"),
    "a negative cap": ("per_unit", {"cap": D(-1), **ONE}, "cap"),
    "a negative minimum": ("per_unit", {"minimum": D(-1), **ONE}, "minimum"),
    "negative included units": ("per_unit", {"included_units": D(-1), **ONE}, "included_units"),
    "a first tier of none": ("per_unit", {"first_tier_flat_at_zero": True, **ONE}, "first_tier_flat_at_zero"),
    "a table without a default": ("dimension", {**TABLE, "unit_amount": None}, "unit_amount"),
    "a table without dimensions": ("dimension", {**TABLE, "dimensions": ()}, "dimensions"),
    "a dimension twice": ("dimension", {**TABLE, "dimensions": ("region", "region")}, "dimensions"),
    "an empty table": ("dimension", {**TABLE, "table": ()}, "table"),
    "a row of other dimensions": (
        "dimension",
        {**TABLE, "table": (DimensionPrice(("eu", "big"), D(1)),)},
        "table[0].values",
    ),
    "a row twice": ("dimension", {**TABLE, "table": TABLE["table"] * 2}, "table[1].values"),
    "a negative price in the table": (
        "dimension",
        {**TABLE, "table": (DimensionPrice(("eu",), D(-1)),)},
        "table[0].unit_amount",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_price_whose_parts_do_not_fit_is_refused_with_the_field(name):
    model, terms, field = REFUSED[name]
    terms = {key: tuple(value) if isinstance(value, list) else value for key, value in terms.items()}
    with pytest.raises(InvalidPrice) as refusal:
        make_price(model, **terms)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"description": " "}, "description"),
        ({"meter_key": "usage"}, "meter"),
        ({"included_units": D(1)}, "included_units"),
        ({"minimum": D(1)}, "minimum"),
        ({"cap": D(1)}, "cap"),
        ({"conversion": Conversion()}, "conversion"),
        ({"tiers": OPEN}, "tiers"),
    ],
)
def test_a_flat_fee_is_an_amount_and_nothing_else(terms, field):
    with pytest.raises(InvalidPrice) as refusal:
        PriceTerms(**{"description": "Fee", "model": PriceModel.FLAT, "unit_amount": D(1), **terms})
    assert refusal.value.field == field


def test_a_price_for_usage_needs_a_meter():
    with pytest.raises(InvalidPrice) as refusal:
        PriceTerms("Usage", PriceModel.PER_UNIT, unit_amount=D(1))
    assert refusal.value.field == "meter"
