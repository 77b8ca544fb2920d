"""Prices of every shape, and random ones."""

from decimal import Decimal

from hypothesis import strategies as st

from billing.rating import (
    Conversion,
    DimensionPrice,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    Rounding,
    TierTerms,
    Usage,
)

METER = "usage"
D = Decimal


def make_tiers(*rows):
    """(up_to, unit price, fee) as text; None is open-ended."""
    return tuple(TierTerms(None if end is None else D(end), D(unit), D(fee)) for end, unit, fee in rows)


def make_price(model, **terms):
    return PriceTerms("Usage", PriceModel(model), METER, **terms)


def make_percentage(rate="1.3", **terms):
    numbers = {name: D(value) if isinstance(value, str) else value for name, value in terms.items()}
    return make_price("percentage", percentage=PercentageTerms(D(rate), **numbers))


def spend(*values):
    return Usage.of_transactions(D(value) for value in values)


UNIT_AMOUNTS = st.decimals(0, 1000, places=12)
SIZES = st.decimals(D("0.000000000001"), 10**6, places=12)
QUANTITIES = st.decimals(0, 10**9, places=12)
NOTHING = st.just(D(0))


@st.composite
def tiers(draw, *, fees=UNIT_AMOUNTS, packages=True):
    ends = sorted(draw(st.sets(SIZES, max_size=4)))
    sizes = st.one_of(st.none(), st.decimals(D("0.01"), 10**6, places=2)) if packages else st.none()
    return tuple(TierTerms(end, draw(UNIT_AMOUNTS), draw(fees), package_size=draw(sizes)) for end in [*ends, None])


conversions = st.builds(
    Conversion,
    multiply_by=SIZES,
    divide_by=st.decimals(D("0.001"), 10**6, places=3),
    rounding=st.sampled_from(Rounding),
    places=st.integers(0, 12),
)


@st.composite
def metered_prices(draw, *, models=("per_unit", "graduated", "volume", "package", "graduated_percentage")):
    """Any price that needs a quantity and nothing else, with whatever may go with it."""
    model = draw(st.sampled_from(models))
    terms = {"included_units": draw(st.one_of(NOTHING, SIZES)), "conversion": draw(st.none() | conversions)}
    if model in ("graduated", "volume"):
        terms["tiers"] = draw(tiers())
        terms["first_tier_flat_at_zero"] = draw(st.booleans())
    elif model == "graduated_percentage":
        rates = st.decimals(0, 100, places=10)
        terms["tiers"] = tuple(
            TierTerms(tier.up_to, flat_amount=tier.flat_amount, rate_percent=draw(rates)) for tier in draw(tiers())
        )
    else:
        terms["unit_amount"] = draw(UNIT_AMOUNTS)
    if model == "package":
        terms["package_size"] = draw(st.decimals(D("0.01"), 10**6, places=2))
        terms["package_rounding"] = draw(st.sampled_from(Rounding))
    terms["minimum"] = draw(st.one_of(NOTHING, UNIT_AMOUNTS))
    terms["cap"] = draw(st.none() | UNIT_AMOUNTS.map(lambda amount: amount + terms["minimum"]))
    return make_price(model, **terms)


@st.composite
def percentage_prices(draw):
    least = draw(st.none() | st.decimals(0, 100, places=12))
    most = draw(st.none() | st.decimals(100, 1000, places=12))
    return make_price(
        "percentage",
        percentage=PercentageTerms(
            draw(st.decimals(0, 100, places=10)),
            fee=draw(st.one_of(NOTHING, st.decimals(0, 100, places=12))),
            free_amount=draw(st.one_of(NOTHING, SIZES)),
            free_transactions=draw(st.integers(0, 4)),
            minimum=least,
            maximum=most,
        ),
    )


BY_REGION = make_price(
    "dimension",
    unit_amount=D(1),
    dimensions=("region", "size"),
    table=(DimensionPrice(("eu", "big"), D("3.5")), DimensionPrice(("us", "big"), D(2))),
)
