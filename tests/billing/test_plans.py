from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from billing import plans
from billing.models import Plan, PlanLimit, PlanVersion, Price, PriceRow, Tier
from billing.periods import Anchoring, Interval
from billing.plans import InvalidPlan, PeriodTerms, PlanExists, PlanLimitTerms, UnknownPlan
from billing.proration import Proration
from billing.rating import (
    ChargedBy,
    Conversion,
    PercentageTerms,
    PriceModel,
    PriceTerms,
    Rounding,
    TierTerms,
    flat_fee,
    per_unit,
    stack_blocks,
)
from metering.meters import UnknownMeter, find_meter
from tests.billing.makers import (
    BANDWIDTH,
    BASE_FEE,
    BY_HOST,
    CARDS,
    FEB,
    JAN,
    REQUESTS,
    make_detailed_meters,
    make_meters,
    make_plan,
)

pytestmark = pytest.mark.django_db


def make_draft(*prices):
    plan = make_plan()
    return PlanVersion.objects.get(
        pk=plans.add_version(plan_id=PlanVersion.objects.get(pk=plan.version_id).plan_id, currency="EUR", prices=prices)
    )


def assert_refused(constraint, write):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        write()
    assert refusal.value.__cause__.diag.constraint_name == constraint


def test_a_plan_is_created_and_published_in_one_call():
    created = make_plan("growth", rank=20)
    assert created == plans.find_plan("growth")
    assert (created.name, created.rank, created.version_number, created.currency) == ("Growth", 20, 1, "EUR")
    assert created.published_at == JAN
    assert [price.description for price in created.prices] == ["Base fee", "Requests", "Bandwidth"]
    assert created.prices == (BASE_FEE, REQUESTS, BANDWIDTH)
    assert created.limits == (PlanLimitTerms("requests", Decimal(50_000)),)


def test_a_refused_plan_leaves_nothing():
    make_meters()
    with pytest.raises(InvalidPlan, match="has no price; a free plan has a fee of zero"):
        make_plan("empty", prices=())
    with pytest.raises(UnknownMeter) as refusal:
        make_plan("odd", prices=[BASE_FEE, per_unit("Seats", meter_key="seats", unit_amount=Decimal(1))])
    assert refusal.value.field == "prices[1].meter"
    with pytest.raises(InvalidPlan, match="limits the meter requests twice"):
        make_plan("twice", limits=[PlanLimitTerms("requests", Decimal(1)), PlanLimitTerms("requests", Decimal(2))])
    with pytest.raises(InvalidPlan, match="The limit on requests may not be negative"):
        make_plan("negative", limits=[PlanLimitTerms("requests", Decimal(-1))])
    assert not Plan.objects.exists()


def test_a_slug_and_a_rank_name_one_plan():
    make_plan("growth", rank=1)
    with pytest.raises(PlanExists, match="'growth' or the rank 2"):
        make_plan("growth", rank=2)
    with pytest.raises(PlanExists):
        make_plan("scale", rank=1)


def test_an_unknown_plan_is_answered_with_those_on_offer():
    with pytest.raises(UnknownPlan, match="There is no plan 'gold' on offer"):
        plans.find_plan("gold")
    make_plan("scale", rank=2)
    make_plan("growth", rank=1)
    with pytest.raises(UnknownPlan, match="Known plans: growth, scale"):
        plans.find_plan("gold")


def test_plans_are_listed_by_rank_in_their_latest_published_version(django_assert_num_queries):
    make_plan("scale", rank=30)
    growth = make_plan("growth", rank=20)
    plan_id = Plan.objects.get(slug="growth").pk
    newer = plans.publish_version(
        plans.add_version(plan_id=plan_id, currency="EUR", prices=[flat_fee("Base fee", Decimal(59))]), at=FEB
    )
    plans.copy_last_version(plan_id)  # a draft, not on offer
    with django_assert_num_queries(6):
        offers = plans.list_plans()
    assert [(plan.slug, plan.version_number) for plan in offers] == [("growth", 2), ("scale", 1)]
    assert plans.find_plan("growth") == newer
    assert plans.read_version(growth.version_id) == growth


def test_the_next_plan_is_the_one_that_ranks_above():
    make_plan("scale", rank=30)
    make_plan("free", rank=1)
    make_plan("growth", rank=20)
    assert plans.next_plan("free").slug == "growth"
    assert plans.next_plan("growth").slug == "scale"
    assert plans.next_plan("scale") is None
    with pytest.raises(UnknownPlan):
        plans.next_plan("gold")


def test_publishing_twice_keeps_the_first_date():
    draft = make_draft(BASE_FEE)
    first = plans.publish_version(draft.pk, at=JAN)
    assert plans.publish_version(draft.pk, at=FEB) == first
    assert first.published_at == JAN


def test_a_copy_has_the_terms_of_the_last_version_and_the_next_number():
    published = make_plan(periods=PeriodTerms(Interval.QUARTER, Anchoring.ANNIVERSARY, Proration.DAY, trial_days=30))
    copy = plans.read_version(plans.copy_last_version(PlanVersion.objects.get(pk=published.version_id).plan_id))
    assert (copy.version_number, copy.published_at) == (2, None)
    assert (copy.prices, copy.limits, copy.currency) == (published.prices, published.limits, "EUR")
    assert copy.periods == published.periods


def test_a_plan_is_billed_by_calendar_month_and_prorated_by_second_unless_told_otherwise():
    assert make_plan().periods == PeriodTerms(Interval.MONTH, Anchoring.CALENDAR, Proration.SECOND, trial_days=0)


def test_a_trial_that_is_too_long_is_refused():
    with pytest.raises(InvalidPlan, match="at most 730 days"):
        make_plan(periods=PeriodTerms(trial_days=731))
    assert not Plan.objects.exists()


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        ({"interval": "fortnight"}, "plan_version_interval_is_known"),
        ({"anchoring": "moon"}, "plan_version_anchoring_is_known"),
        ({"proration": "hour"}, "plan_version_proration_is_known"),
        ({"trial_days": 731}, "plan_version_trial_is_not_too_long"),
    ],
)
def test_the_database_knows_no_other_periods(terms, rule):
    draft = make_draft(BASE_FEE)
    assert_refused(rule, lambda: PlanVersion.objects.filter(pk=draft.pk).update(**terms))


def test_a_draft_with_tiers_that_fall_is_not_published():
    draft = make_draft(REQUESTS)
    Tier.objects.filter(price__version=draft, position=2).update(up_to=Decimal(5_000))
    with pytest.raises(InvalidPlan, match="each tier must end above the one before"):
        plans.publish_version(draft.pk, at=JAN)
    draft.refresh_from_db()
    assert draft.published_at is None


def remove_last_tier(price):
    price.tiers.filter(up_to=None).delete()


def open_first_tier(price):
    price.tiers.filter(up_to=None).update(up_to=Decimal(200_000))
    price.tiers.filter(position=1).update(up_to=None)


def remove_tiers(price):
    price.tiers.all().delete()


def lower_second_tier(price):
    price.tiers.filter(position=2).update(up_to=Decimal(9_999))


@pytest.mark.parametrize("damage", [remove_last_tier, open_first_tier, remove_tiers, lower_second_tier])
def test_the_database_itself_publishes_no_tiers_that_make_no_sense(damage):
    draft = make_draft(REQUESTS)
    damage(draft.prices.get())
    publish = lambda: PlanVersion.objects.filter(pk=draft.pk).update(published_at=JAN)  # noqa: E731
    assert_refused("plan_version_tiers_ascend_to_an_open_end", publish)


def test_the_database_itself_publishes_no_version_without_a_price():
    draft = make_draft()
    publish = lambda: PlanVersion.objects.filter(pk=draft.pk).update(published_at=JAN)  # noqa: E731
    assert_refused("plan_version_has_a_price", publish)


def test_a_version_begins_as_a_draft():
    plan = Plan.objects.create(slug="growth", name="Growth", rank=1)
    assert_refused(
        "plan_version_begins_as_draft",
        lambda: PlanVersion.objects.create(plan=plan, number=1, currency="EUR", published_at=JAN),
    )


FROZEN_WRITES = {
    "change the version": lambda v: PlanVersion.objects.filter(pk=v).update(currency="USD"),
    "change its periods": lambda v: PlanVersion.objects.filter(pk=v).update(interval="year"),
    "change its proration": lambda v: PlanVersion.objects.filter(pk=v).update(proration="day"),
    "withdraw the version": lambda v: PlanVersion.objects.filter(pk=v).update(published_at=None),
    "remove the version": lambda v: delete_row("billing_planversion", v),
    "change a price": lambda v: Price.objects.filter(version=v, model="flat").update(unit_amount=Decimal(1)),
    "remove a price": lambda v: delete_row("billing_price", Price.objects.filter(version=v, model="flat").get().pk),
    "add a price": lambda v: Price.objects.create(
        version_id=v, position=9, description="Setup", model="flat", unit_amount=Decimal(1)
    ),
    "change a tier": lambda v: Tier.objects.filter(price__version=v).update(unit_amount=Decimal(1)),
    "remove a tier": lambda v: Tier.objects.filter(price__version=v).delete(),
    "add a tier": lambda v: Tier.objects.create(
        price=Price.objects.get(version=v, model="graduated"), position=9, up_to=Decimal(5), unit_amount=Decimal(1)
    ),
    "change a limit": lambda v: PlanLimit.objects.filter(version=v).update(quantity=Decimal(1)),
    "remove a limit": lambda v: PlanLimit.objects.filter(version=v).delete(),
    "add a limit": lambda v: PlanLimit.objects.create(
        version_id=v, meter_id=find_meter("bandwidth").id, quantity=Decimal(1)
    ),
    "change a row": lambda v: PriceRow.objects.filter(price__version=v).update(unit_amount=Decimal(1)),
    "remove a row": lambda v: PriceRow.objects.filter(price__version=v).delete(),
    "add a row": lambda v: PriceRow.objects.create(
        price=Price.objects.get(version=v, model="dimension"), position=9, values=["us", "s"], unit_amount=Decimal(1)
    ),
    "move a price in": lambda v: Price.objects.filter(version__published_at=None).update(version=v, position=9),
}


def delete_row(table, pk):
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [pk])  # noqa: S608 - a table of ours


@pytest.mark.parametrize("name", FROZEN_WRITES)
def test_a_published_version_cannot_change(name):
    make_detailed_meters()
    plan = make_plan(prices=[BASE_FEE, REQUESTS, BY_HOST])
    plans.add_version(plan_id=Plan.objects.get().pk, currency="EUR", prices=[flat_fee("Base fee", Decimal(59))])
    assert_refused("plan_version_frozen_once_published", lambda: FROZEN_WRITES[name](plan.version_id))
    assert plans.read_version(plan.version_id) == plan


def test_a_draft_can_change_and_be_removed():
    draft = make_draft(REQUESTS, BASE_FEE)
    draft.prices.filter(model="flat").update(unit_amount=Decimal(1))
    draft.delete()
    assert PlanVersion.objects.count() == 1


OF_REQUESTS = {"meter_key": "requests"}
SHAPES = {
    "volume": replace(
        REQUESTS, model=PriceModel.VOLUME, first_tier_flat_at_zero=True, minimum=Decimal(5), cap=Decimal(9)
    ),
    "blocks": replace(
        REQUESTS, tiers=stack_blocks([(Decimal(100), 10, Decimal(1)), (Decimal(1000), None, Decimal(2))])
    ),
    "package": PriceTerms(
        "Packs",
        PriceModel.PACKAGE,
        **OF_REQUESTS,
        unit_amount=Decimal("0.5"),
        package_size=Decimal(10),
        package_rounding=Rounding.DOWN,
        included_units=Decimal(3),
    ),
    "by lines": replace(REQUESTS, charged_by=ChargedBy.LINES),
    "percentage": CARDS,
    "graduated percentage": PriceTerms(
        "Share",
        PriceModel.GRADUATED_PERCENTAGE,
        **OF_REQUESTS,
        tiers=(
            TierTerms(Decimal(10), rate_percent=Decimal("1.5")),
            TierTerms(None, rate_percent=Decimal("0.0000000001")),
        ),
    ),
    "dimension": BY_HOST,
    "conversion": replace(
        BANDWIDTH,
        conversion=Conversion(Decimal(2), Decimal(3), Rounding.UP, 4, "megabyte"),
        included_units=Decimal("1.5"),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_price_of_every_shape_is_kept_as_it_was_made(name):
    make_detailed_meters()
    price = SHAPES[name]
    plan = make_plan(prices=[price, BASE_FEE])
    assert plan.prices == (price, BASE_FEE)
    copy = plans.read_version(plans.copy_last_version(Plan.objects.get().pk))
    assert copy.prices == plan.prices


@pytest.mark.parametrize(
    ("price", "field", "says"),
    [
        (replace(BY_HOST, dimensions=("planet",)), "prices[1].dimensions", "has no dimension 'planet'"),
        (replace(BY_HOST, meter_key="requests"), "prices[1].dimensions", "has no dimension 'host'"),
        (replace(CARDS, meter_key="requests"), "prices[1].meter", "adds no transactions up"),
    ],
)
def test_a_price_that_its_meter_cannot_serve_is_not_published(price, field, says):
    make_detailed_meters()
    with pytest.raises(InvalidPlan, match=says) as refusal:
        make_plan(prices=[BASE_FEE, price])
    assert refusal.value.field == field
    assert not Plan.objects.exists()


def test_a_percentage_without_single_transactions_goes_with_any_meter():
    price = replace(CARDS, meter_key="requests", percentage=PercentageTerms(Decimal(1), fee=Decimal(1)))
    assert make_plan(prices=[price]).prices == (price,)


TIERED = replace(REQUESTS, model=PriceModel.VOLUME)

STORED_NONSENSE = {
    "price_has_the_fields_of_its_model": [
        (CARDS, {"included_units": 1}),
        (TIERED, {"unit_amount": 1}),
        (BANDWIDTH, {"model": "odd"}),
    ],
    "price_has_a_package_exactly_when_by_package": [
        (BANDWIDTH, {"package_size": 1}),
        (BANDWIDTH, {"model": "package"}),
    ],
    "price_has_a_rate_exactly_when_percentage": [
        (CARDS, {"rate_percent": None}),
        (BANDWIDTH, {"rate_percent": 1}),
        (BANDWIDTH, {"transaction_fee": 1}),
        (BANDWIDTH, {"free_amount": 1}),
        (BANDWIDTH, {"free_transactions": 1}),
        (BANDWIDTH, {"transaction_minimum": 1}),
        (BANDWIDTH, {"transaction_maximum": 1}),
    ],
    "price_has_dimensions_exactly_when_by_dimension": [
        (BANDWIDTH, {"dimensions": ["host"]}),
        (BANDWIDTH, {"model": "dimension"}),
    ],
    "price_conversion_is_whole": [
        (BANDWIDTH, {"multiply_by": 1}),
        (BANDWIDTH, {"divide_by": 1}),
        (BANDWIDTH, {"multiply_by": 1, "divide_by": 0}),
        (BANDWIDTH, {"multiply_by": 0, "divide_by": 1}),
        (BANDWIDTH, {"conversion_unit": "hour"}),
        (BANDWIDTH, {"multiply_by": 1, "divide_by": 1, "conversion_places": 13}),
        (CARDS, {"multiply_by": 1, "divide_by": 1}),
        (BASE_FEE, {"multiply_by": 1, "divide_by": 1}),
    ],
    "price_bounds_are_in_order": [
        (BANDWIDTH, {"minimum": -1}),
        (BANDWIDTH, {"cap": -1}),
        (BANDWIDTH, {"minimum": 2, "cap": 1}),
        (BASE_FEE, {"minimum": 1}),
        (BASE_FEE, {"cap": 1}),
    ],
    "price_charged_by_is_known": [(BANDWIDTH, {"charged_by": "hand"})],
    "price_first_tier_is_one_of_tiers": [(BANDWIDTH, {"first_tier_flat_at_zero": True})],
    "price_terms_of_transactions_not_negative": [
        (CARDS, {"rate_percent": -1}),
        (CARDS, {"transaction_fee": -1}),
        (CARDS, {"free_amount": -1}),
        (CARDS, {"transaction_minimum": -1}),
        (CARDS, {"transaction_maximum": -1, "transaction_minimum": None}),
        (CARDS, {"transaction_minimum": 3, "transaction_maximum": 2}),
    ],
}


@pytest.mark.parametrize(
    ("constraint", "price", "change"),
    [
        pytest.param(constraint, price, change, id=f"{constraint}-{number}")
        for constraint, rows in STORED_NONSENSE.items()
        for number, (price, change) in enumerate(rows)
    ],
)
def test_the_database_itself_keeps_no_price_whose_parts_do_not_fit(constraint, price, change):
    make_detailed_meters()
    draft = make_draft(price)
    assert_refused(constraint, lambda: Price.objects.filter(version=draft).update(**change))


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("tier_has_a_rate_or_a_price", {"rate_percent": 1}),
        ("tier_has_a_rate_or_a_price", {"rate_percent": -1, "unit_amount": 0}),
        ("tier_has_a_rate_or_a_price", {"rate_percent": 1, "unit_amount": 0, "package_size": 1}),
        ("tier_package_above_zero", {"package_size": 0}),
    ],
)
def test_the_database_itself_keeps_no_tier_whose_parts_do_not_fit(constraint, change):
    draft = make_draft(TIERED)
    assert_refused(constraint, lambda: Tier.objects.filter(price__version=draft).update(**change))


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("price_row_amount_not_negative", {"unit_amount": -1}),
        ("price_row_position_once", {"position": 2}),
        ("price_row_values_once", {"values": ["b"]}),
    ],
)
def test_the_database_itself_keeps_no_row_twice_or_below_zero(constraint, change):
    make_detailed_meters()
    draft = make_draft(BY_HOST)
    assert_refused(constraint, lambda: PriceRow.objects.filter(price__version=draft, position=1).update(**change))


def add_row(price, *values):
    PriceRow.objects.create(price=price, position=9, values=list(values), unit_amount=Decimal(1))


@pytest.mark.parametrize(
    ("price", "damage", "constraint"),
    [
        (TIERED, remove_last_tier, "plan_version_tiers_ascend_to_an_open_end"),
        (TIERED, remove_tiers, "plan_version_tiers_ascend_to_an_open_end"),
        (
            TIERED,
            lambda price: price.tiers.update(rate_percent=1, unit_amount=0),
            "plan_version_tiers_fit_their_model",
        ),
        (BY_HOST, lambda price: price.rows.all().delete(), "plan_version_rows_fit_their_dimensions"),
        (BY_HOST, lambda price: add_row(price, "a", "b"), "plan_version_rows_fit_their_dimensions"),
        (BANDWIDTH, lambda price: add_row(price, "a"), "plan_version_rows_fit_their_dimensions"),
    ],
)
def test_the_database_itself_publishes_no_price_whose_rows_do_not_fit(price, damage, constraint):
    make_detailed_meters()
    draft = make_draft(price)
    damage(draft.prices.get())
    publish = lambda: PlanVersion.objects.filter(pk=draft.pk).update(published_at=JAN)  # noqa: E731
    assert_refused(constraint, publish)
