from decimal import Decimal

import pytest

from billing.coupons import create_coupon
from billing.models import Coupon, CouponDuration, TaxRate
from billing.periods import Interval
from billing.plans import PeriodTerms, add_version
from billing.rating import ChargedBy, PriceModel, PriceTerms, flat_fee, per_unit
from billing.stripe.catalogue.wanting import list_wanted
from billing.tax_rates import create_tax_rate
from tests.billing.stripe.catalogue.makers import make_meter, make_version

pytestmark = pytest.mark.django_db


def list_all():
    """As if products and meters had ids that tell what they are."""
    bare = list(list_wanted({}))
    ids = {each.name: f"{each.kind}_{each.key}" for each in bare if each.kind in {"product", "meter"}}
    return {each.name: each for each in list_wanted(ids)}


def test_a_version_is_a_product_a_meter_a_metered_price_and_a_fee():
    version = make_version()
    fee, calls = version.prices.all()
    product, meter = f"product_{version.plan_id}", f"meter_{calls.meter_id}"

    found = {name: (each.label, each.terms) for name, each in list_all().items()}

    assert found == {
        ("product", str(version.plan_id)): ("Gold", {}),
        ("meter", str(calls.meter_id)): ("Calls", {"event_name": "palier_calls", "formula": "sum"}),
        ("price", str(calls.pk)): (
            "Calls",
            {
                "product": product,
                "currency": "eur",
                "billing_scheme": "per_unit",
                "unit_amount_decimal": "1",
                "recurring": {"interval": "month", "interval_count": 1, "usage_type": "metered", "meter": meter},
            },
        ),
        ("fee", str(fee.pk)): (
            "Base",
            {
                "product": product,
                "currency": "eur",
                "billing_scheme": "per_unit",
                "unit_amount_decimal": "900",
                "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
            },
        ),
    }


def test_prices_wait_for_their_product_and_their_meter():
    version = make_version()
    product = {("product", str(version.plan_id)): "prod_1"}

    waiting = [each.kind for each in list_wanted({}) if each.terms is None]
    assert waiting == ["price", "fee"]
    assert [each.kind for each in list_wanted(product) if each.terms is None] == ["price"]


def test_a_version_without_a_fee_has_a_price_of_nothing():
    make_meter()
    version = make_version(per_unit("Calls", meter_key="calls", unit_amount=Decimal("0.01")))

    carrier = list_all()["carrier", str(version.pk)]

    assert carrier.label == "Gold v1"
    assert carrier.terms is not None
    assert carrier.terms["unit_amount_decimal"] == "0"
    assert carrier.terms["recurring"]["usage_type"] == "licensed"


def test_fees_in_a_currency_that_stripe_counts_otherwise_are_not_told():
    version = make_version(flat_fee("Base", Decimal("9.5")), currency="KWD")

    assert list(list_all()) == [("product", str(version.plan_id)), ("carrier", str(version.pk))]


@pytest.mark.parametrize(
    "terms",
    [
        per_unit("Calls", meter_key="calls", unit_amount=Decimal("1234.567890123456")),  # 16 digits
        PriceTerms("Calls", PriceModel.PER_UNIT, meter_key="calls", unit_amount=Decimal(1), minimum=Decimal(5)),
        PriceTerms("Calls", PriceModel.PER_UNIT, meter_key="calls", unit_amount=Decimal(1), charged_by=ChargedBy.LINES),
    ],
)
def test_what_lines_charge_is_not_told_and_neither_is_its_meter(terms):
    make_meter()
    make_version(terms)

    assert {kind for kind, _ in list_all()} == {"product", "carrier"}


def test_tiers_are_told_with_what_a_first_tier_includes():
    make_meter()
    tiny = Decimal("0.000000000001")
    make_version(per_unit("Calls", meter_key="calls", unit_amount=tiny, included_units=Decimal(100)))

    [price] = [each for each in list_all().values() if each.kind == "price"]

    assert price.terms is not None
    assert price.terms["tiers"] == [
        {"up_to": 100, "unit_amount_decimal": "0"},
        {"up_to": "inf", "unit_amount_decimal": "0.0000000001"},
    ]


@pytest.mark.parametrize(
    ("interval", "recurs"),
    [
        (Interval.DAY, ("day", 1)),
        (Interval.WEEK, ("week", 1)),
        (Interval.QUARTER, ("month", 3)),
        (Interval.HALF_YEAR, ("month", 6)),
        (Interval.YEAR, ("year", 1)),
    ],
)
def test_prices_recur_with_the_periods(interval, recurs):
    make_version(flat_fee("Base", Decimal(9)), periods=PeriodTerms(interval))

    [fee] = [each for each in list_all().values() if each.kind == "fee"]

    assert fee.terms is not None
    assert (fee.terms["recurring"]["interval"], fee.terms["recurring"]["interval_count"]) == recurs


def test_drafts_are_not_told_and_a_new_version_is_new_prices():
    version = make_version(flat_fee("Base", Decimal(9)))
    draft = add_version(plan_id=version.plan_id, currency="EUR", prices=[flat_fee("Base", Decimal(12))])
    assert len(list_all()) == 2
    type(version).objects.filter(pk=draft).update(published_at=version.published_at, offered_from=version.offered_from)

    fees = [each.terms for each in list_all().values() if each.kind == "fee"]

    assert [fee and fee["unit_amount_decimal"] for fee in fees] == ["900", "1200"]


def test_coupons_are_told_without_their_limits_and_short_enough():
    create_coupon(code="twelve", name="Twelve and a half percent for a good year", percent=Decimal("12.5"))
    Coupon.objects.create(
        code="five", name="Five", amount_minor=500, currency="EUR", duration=CouponDuration.REPEATING, months=3
    )

    told = {each.label: each.terms for each in list_all().values()}

    assert told == {
        "Twelve and a half percent for a good yea": {"percent_off": "12.5", "duration": "once"},
        "Five": {"amount_off": 500, "currency": "eur", "duration": "repeating", "duration_in_months": 3},
    }


def test_tax_rates_are_told_with_their_country():
    rate = create_tax_rate(name="VAT", percent=Decimal("20.0000"), country="FR")
    assert TaxRate.objects.get().pk == rate

    [told] = list_all().values()

    assert (told.label, told.terms) == ("VAT", {"percentage": "20", "inclusive": False, "country": "FR"})


def test_the_catalogue_is_read_in_as_many_queries_however_long_it_is(django_assert_num_queries):
    make_version()
    make_version(flat_fee("Base", Decimal(9)), slug="silver")

    with django_assert_num_queries(8):
        list(list_wanted({}))
