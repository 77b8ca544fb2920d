"""A bad price is refused at every door with the field named: as JSON, in a file, in the back-office; and as a row."""

import json
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from billing import plans
from billing.catalogue_files import InvalidCatalogue
from billing.models import Plan, PlanLimit, PlanVersion, Price, PriceRow, Tier
from billing.plans import InvalidPlan, PlanLimitTerms
from billing.price_imports import import_catalogue
from billing.quotes import quote
from billing.rating import InvalidPrice, PriceModel, PriceTerms, flat_fee, per_unit
from billing.rating.definitions import read_price
from metering.meters import UnknownMeter, find_meter
from tests.billing.makers import HOUR, JAN, MID_JAN, make_meters, make_plan

pytestmark = pytest.mark.django_db

UNITS = {"description": "Requests", "model": "per_unit", "meter": "requests", "unit_amount": "1"}
TIERS = {"description": "Requests", "model": "graduated", "meter": "requests"}
LOW, OPEN = {"from": "0", "up_to": "10", "unit_amount": "2"}, {"from": "10", "up_to": None, "unit_amount": "1"}
LAST = {"up_to": None, "unit_amount": "1"}  # begins wherever the one before ends
PACKAGE = UNITS | {"model": "package", "package_size": "10"}
PERCENT = {"description": "Sales", "model": "percentage", "meter": "requests"}
REGIONS = UNITS | {"model": "dimension", "dimensions": ["region"]}
ROW = {"values": ["eu"], "unit_amount": "1"}
NEGATIVE, THIRTEEN, HUGE = "-0.01", "0.0000000000001", "1000000000000"

# A price as JSON, and the field of it that is at fault.
BAD = {
    "a gap": (TIERS | {"tiers": [LOW, OPEN | {"from": "11"}]}, "tiers[1].from"),
    "an overlap": (TIERS | {"tiers": [LOW, OPEN | {"from": "9"}]}, "tiers[1].from"),
    "a start above nothing": (TIERS | {"tiers": [LOW | {"from": "1"}, OPEN]}, "tiers[0].from"),
    "tiers that descend": (
        TIERS | {"tiers": [LOW, LAST | {"up_to": "5"}, LAST]},
        "tiers[1].up_to",
    ),
    "no open tier": (TIERS | {"tiers": [LOW, OPEN | {"up_to": "20"}]}, "tiers[1].up_to"),
    "two open tiers": (TIERS | {"tiers": [LOW | {"up_to": None}, LAST]}, "tiers[0].up_to"),
    "no tiers": (TIERS, "tiers"),
    "13 decimals": (UNITS | {"unit_amount": THIRTEEN}, "unit_amount"),
    "13 digits": (UNITS | {"unit_amount": HUGE}, "unit_amount"),
    "13 decimals in a tier": (TIERS | {"tiers": [LOW, OPEN | {"unit_amount": THIRTEEN}]}, "tiers[1].unit_amount"),
    "13 decimals of an end": (TIERS | {"tiers": [LOW | {"up_to": THIRTEEN}, LAST]}, "tiers[0].up_to"),
    "13 decimals in a row": (REGIONS | {"table": [ROW | {"unit_amount": THIRTEEN}]}, "table[0].unit_amount"),
    "a negative price": (UNITS | {"unit_amount": NEGATIVE}, "unit_amount"),
    "a negative allowance": (UNITS | {"included_units": "-1"}, "included_units"),
    "a negative minimum": (UNITS | {"minimum": NEGATIVE}, "minimum"),
    "a negative cap": (UNITS | {"cap": NEGATIVE}, "cap"),
    "a cap below the minimum": (UNITS | {"minimum": "2", "cap": "1"}, "cap"),
    "a negative price of a tier": (TIERS | {"tiers": [LOW, OPEN | {"unit_amount": "-1"}]}, "tiers[1].unit_amount"),
    "a negative fee of a tier": (TIERS | {"tiers": [LOW, OPEN | {"flat_amount": "-1"}]}, "tiers[1].flat_amount"),
    "a tier that ends at nothing": (TIERS | {"tiers": [LOW | {"up_to": "0"}, LAST]}, "tiers[0].up_to"),
    "a tier that ends below nothing": (TIERS | {"tiers": [LOW | {"up_to": "-5"}, LAST]}, "tiers[0].up_to"),
    "a negative package": (PACKAGE | {"package_size": "-10"}, "package_size"),
    "an empty package": (PACKAGE | {"package_size": "0"}, "package_size"),
    "a package of a unit": (UNITS | {"package_size": "10"}, "package_size"),
    "a negative rate": (PERCENT | {"percentage": {"rate_percent": "-1"}}, "percentage.rate_percent"),
    "a negative fee": (PERCENT | {"percentage": {"rate_percent": "1", "fee": "-1"}}, "percentage.fee"),
    "a negative free amount": (
        PERCENT | {"percentage": {"rate_percent": "1", "free_amount": "-1"}},
        "percentage.free_amount",
    ),
    "a maximum below its minimum": (
        PERCENT | {"percentage": {"rate_percent": "1", "minimum": "2", "maximum": "1"}},
        "percentage.maximum",
    ),
    "a negative row": (REGIONS | {"table": [ROW | {"unit_amount": "-1"}]}, "table[0].unit_amount"),
    "a row of another shape": (REGIONS | {"table": [ROW | {"values": ["eu", "big"]}]}, "table[0].values"),
    "a row twice": (REGIONS | {"table": [ROW, ROW]}, "table[1].values"),
    "division by nothing": (UNITS | {"conversion": {"divide_by": "0"}}, "conversion.divide_by"),
    "division by less than nothing": (UNITS | {"conversion": {"divide_by": "-1"}}, "conversion.divide_by"),
    "no meter": (UNITS | {"meter": None}, "meter"),
    "a meter of a fee": ({"description": "Fee", "model": "flat", "meter": "requests", "unit_amount": "1"}, "meter"),
    "no amount": (UNITS | {"unit_amount": None}, "unit_amount"),
    "what is no number": (UNITS | {"unit_amount": "NaN"}, "unit_amount"),
    "a model that nobody knows": (UNITS | {"model": "stairs"}, "model"),
    "no description": (UNITS | {"description": " "}, "description"),
}


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(MID_JAN + HOUR, tick=False):
        yield


def write_file(price, **version):
    versions = [{"currency": "EUR", "prices": [{"description": "Fee", "model": "flat", "unit_amount": "1"}, price]}]
    plan = {"slug": "bad", "name": "Bad", "rank": 5, "versions": [versions[0] | version]}
    return json.dumps({"plans": [plan]})


def list_faults(text):
    with pytest.raises(InvalidCatalogue) as refusal:
        import_catalogue(text, at=JAN)
    assert not Plan.objects.filter(slug="bad").exists()
    return [fault.place for fault in refusal.value.faults]


@pytest.mark.parametrize(("price", "field"), BAD.values(), ids=BAD)
def test_as_json(price, field):
    with pytest.raises(InvalidPrice) as refusal:
        read_price(price)
    assert refusal.value.field == field


@pytest.mark.parametrize(("price", "field"), BAD.values(), ids=BAD)
def test_in_a_file(price, field):
    make_meters()
    assert list_faults(write_file(price)) == [f"plans[0].versions[0].prices[1].{field}"]


def test_a_meter_that_nobody_knows():
    make_meters()
    unknown = UNITS | {"meter": "calls"}
    assert list_faults(write_file(unknown)) == ["plans[0].versions[0].prices[1].meter"]
    made = per_unit("Calls", meter_key="calls", unit_amount=Decimal(1))
    with pytest.raises(UnknownMeter) as refusal:
        plans.create_plan(slug="bad", name="Bad", rank=5, currency="EUR", prices=[made], at=JAN)
    assert refusal.value.field == "prices[0].meter"
    limits = [PlanLimitTerms("requests", Decimal(1)), PlanLimitTerms("calls", Decimal(1))]
    with pytest.raises(UnknownMeter) as refusal:
        make_plan("bad", limits=limits)
    assert refusal.value.field == "limits[1].meter"


def test_a_second_currency():
    make_meters()
    assert list_faults(write_file(UNITS | {"currency": "USD"})) == ["plans[0].versions[0].prices[1].currency"]
    with pytest.raises(InvalidPrice, match="USD") as refusal:
        quote({"currency": "EUR", "prices": [UNITS, UNITS | {"currency": "USD"}]})
    assert refusal.value.field == "prices[1].currency"


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ([("requests", "-1")], "limits[0].quantity"),
        ([("requests", "1"), ("bandwidth", THIRTEEN)], "limits[1].quantity"),
        ([("requests", "1"), ("requests", "2")], "limits[1].meter"),
    ],
)
def test_a_bad_limit(limits, field):
    with pytest.raises(InvalidPlan) as refusal:
        make_plan("bad", limits=[PlanLimitTerms(key, Decimal(quantity)) for key, quantity in limits])
    assert refusal.value.field == field
    rows = [{"meter": key, "quantity": quantity} for key, quantity in limits]
    assert list_faults(write_file(UNITS, limits=rows)) == [f"plans[0].versions[0].{field}"]


def make_draft():
    make_plan("growth")
    plans.find_plan("growth")
    return PlanVersion.objects.get(pk=plans.copy_last_version(Plan.objects.get().pk))


def make_price(version, **fields):
    fields = {"model": "per_unit", "meter_id": find_meter("requests").id, "unit_amount": 1} | fields
    return Price.objects.create(version=version, position=99, description="Requests", **fields)


def test_publishing_names_the_price_and_the_field():
    draft = make_draft()
    price = make_price(draft, model="graduated", unit_amount=None)
    position = list(draft.prices.all()).index(price)
    Tier.objects.create(price=price, position=1, up_to=10)
    with pytest.raises(InvalidPlan) as refusal:
        plans.publish_version(draft.pk, at=MID_JAN + HOUR)
    assert refusal.value.field == f"prices[{position}].tiers[0].up_to"


# What the page of a price is sent, of a price per unit unless told, and the field that it names.
FORMS = {
    "13 decimals": ({"unit_amount": THIRTEEN}, "unit_amount"),
    "13 digits": ({"unit_amount": HUGE}, "unit_amount"),
    "a negative price": ({"unit_amount": NEGATIVE}, "unit_amount"),
    "a negative allowance": ({"included_units": "-1"}, "included_units"),
    "a negative minimum": ({"minimum": NEGATIVE}, "minimum"),
    "a negative cap": ({"cap": NEGATIVE}, "cap"),
    "a cap below the minimum": ({"minimum": "2", "cap": "1"}, "cap"),
    "no amount": ({"unit_amount": ""}, "unit_amount"),
    "an amount beside tiers": ({"model": "graduated"}, "unit_amount"),
    "what is no number": ({"unit_amount": "NaN"}, "unit_amount"),
    "no meter": ({"meter": ""}, "meter"),
    "a meter that nobody knows": ({"meter": "999999"}, "meter"),
    "a meter of a fee": ({"model": "flat"}, "meter"),
    "a model that nobody knows": ({"model": "stairs"}, "model"),
    "no description": ({"description": " "}, "description"),
    "no package": ({"model": "package"}, "package_size"),
    "an empty package": ({"model": "package", "package_size": "0"}, "package_size"),
    "a negative package": ({"model": "package", "package_size": "-1"}, "package_size"),
    "a package of a unit": ({"package_size": "10"}, "package_size"),
    "no rate": ({"model": "percentage", "unit_amount": ""}, "rate_percent"),
    "a rate of units": ({"rate_percent": "1"}, "rate_percent"),
    "a negative rate": ({"model": "percentage", "unit_amount": "", "rate_percent": "-1"}, "rate_percent"),
    "a negative fee": (
        {"model": "percentage", "unit_amount": "", "rate_percent": "1", "transaction_fee": "-1"},
        "transaction_fee",
    ),
    "a maximum below its minimum": (
        {"model": "percentage", "unit_amount": "", "rate_percent": "1", "transaction_minimum": "2"}
        | {"transaction_maximum": "1"},
        "transaction_maximum",
    ),
    "division by nothing": ({"multiply_by": "1", "divide_by": "0"}, "divide_by"),
    "13 places": ({"multiply_by": "1", "divide_by": "1", "conversion_places": "13"}, "conversion_places"),
    "no dimension": ({"model": "dimension"}, "dimensions"),
}


@pytest.fixture
def chief(client):
    client.force_login(get_user_model().objects.create(email="chief@vendor.example", is_staff=True, is_superuser=True))
    return client


def fill_form(price, *, tiers=(), rows=(), **fields):
    data = {
        "position": price.position, "description": "Requests", "model": price.model, "meter": price.meter_id,
        "unit_amount": "1" if price.model == "per_unit" else "", "included_units": 0, "minimum": 0,
        "conversion_rounding": "half", "conversion_places": 12, "package_rounding": "up", "transaction_fee": 0,
        "free_amount": 0, "free_transactions": 0, "charged_by": "automatic",
    }  # fmt: skip
    for prefix, parts in (("tiers", tiers), ("rows", rows)):
        data |= {f"{prefix}-TOTAL_FORMS": len(parts), f"{prefix}-INITIAL_FORMS": 0}
        for number, part in enumerate(parts):
            part = {"position": number + 1, "price": price.pk} | part
            data |= {f"{prefix}-{number}-{name}": value for name, value in part.items()}
    return data | fields


def post_price(client, price, **fields):
    return client.post(reverse("admin:billing_price_change", args=[price.pk]), fill_form(price, **fields))


@pytest.mark.parametrize(("fields", "field"), FORMS.values(), ids=FORMS)
def test_in_the_back_office(chief, fields, field):
    price = make_price(make_draft())
    response = post_price(chief, price, **fields)
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == [field]


def test_a_good_price_is_saved_in_the_back_office(chief):
    price = make_price(make_draft())
    assert post_price(chief, price, unit_amount="0.000000000001", cap="5").status_code == 302
    price.refresh_from_db()
    assert (price.unit_amount, price.cap) == (Decimal("0.000000000001"), 5)


TIER = {"up_to": "", "unit_amount": "1", "flat_amount": "0"}


@pytest.mark.parametrize(
    ("model", "part", "field"),
    [
        ("graduated", {"unit_amount": "-1"}, "unit_amount"),
        ("graduated", {"unit_amount": THIRTEEN}, "unit_amount"),
        ("volume", {"flat_amount": "-1"}, "flat_amount"),
        ("volume", {"package_size": "0"}, "package_size"),
        ("graduated", {"rate_percent": "1"}, "rate_percent"),
        ("graduated_percentage", {"unit_amount": "0"}, "rate_percent"),
        ("graduated_percentage", {"unit_amount": "0", "rate_percent": "-1"}, "rate_percent"),
        ("graduated_percentage", {"rate_percent": "1"}, "unit_amount"),
        ("graduated", {"up_to": "10"}, "up_to"),
    ],
)
def test_a_bad_tier_in_the_back_office(chief, model, part, field):
    price = make_price(make_draft(), model=model, unit_amount=None)
    response = post_price(chief, price, tiers=[TIER | part])
    [tiers, _rows] = response.context["inline_admin_formsets"]
    assert [list(errors) for errors in tiers.formset.errors] == [[field]]
    assert not price.tiers.exists()


def test_tiers_of_a_price_that_has_none_in_the_back_office(chief):
    price = make_price(make_draft())
    response = post_price(chief, price, tiers=[TIER])
    [tiers, _rows] = response.context["inline_admin_formsets"]
    assert tiers.formset.non_form_errors() == ["Only graduated and volume prices have tiers."]


@pytest.mark.parametrize(
    ("rows", "errors"),
    [
        ([{"unit_amount": "-1"}], [["unit_amount"]]),
        ([{"values": "eu,big"}], [["values"]]),
        ([{}, {}], [[], ["values"]]),
    ],
)
def test_a_bad_row_in_the_back_office(chief, rows, errors):
    price = make_price(make_draft(), model="dimension", dimensions=["region"])
    rows = [{"values": "eu", "unit_amount": "1"} | row for row in rows]
    response = post_price(chief, price, rows=rows, unit_amount="1", dimensions="region")
    [_tiers, shown] = response.context["inline_admin_formsets"]
    assert [list(each) for each in shown.formset.errors] == errors


# Rows that no door wrote, and the constraint that refuses each.
ROWS = {
    "a negative price": ({"unit_amount": -1}, "price_amount_not_negative"),
    "a negative allowance": ({"included_units": -1}, "price_included_units_not_negative"),
    "a negative minimum": ({"minimum": -1}, "price_bounds_are_in_order"),
    "a cap below the minimum": ({"minimum": 2, "cap": 1}, "price_bounds_are_in_order"),
    "a model that nobody knows": ({"model": "stairs"}, "price_has_the_fields_of_its_model"),
    "no meter": ({"meter_id": None}, "price_has_the_fields_of_its_model"),
    "a meter that nobody knows": ({"meter_id": 999_999}, "billing_price_meter_id"),
    "no amount": ({"unit_amount": None}, "price_has_the_fields_of_its_model"),
    "an empty package": ({"model": "package", "package_size": 0}, "price_has_a_package_exactly_when_by_package"),
    "a rate of units": ({"rate_percent": 1}, "price_has_a_rate_exactly_when_percentage"),
    "division by nothing": ({"multiply_by": 1, "divide_by": 0}, "price_conversion_is_whole"),
    "no dimension": ({"model": "dimension"}, "price_has_dimensions_exactly_when_by_dimension"),
    "a negative rate": (
        {"model": "percentage", "unit_amount": None, "rate_percent": -1},
        "price_terms_of_transactions_not_negative",
    ),
}


@pytest.mark.parametrize(("fields", "constraint"), ROWS.values(), ids=ROWS)
def test_as_a_row(fields, constraint):
    draft = make_draft()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        write_price(draft, fields)


def write_price(draft, fields):
    make_price(draft, **fields)
    connection.check_constraints()  # foreign keys, which else are looked at when the transaction ends


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"unit_amount": -1}, "tier_amounts_not_negative"),
        ({"flat_amount": -1}, "tier_amounts_not_negative"),
        ({"up_to": 0}, "tier_ends_above_zero"),
        ({"up_to": -1}, "tier_ends_above_zero"),
        ({"rate_percent": 1, "unit_amount": 1}, "tier_has_a_rate_or_a_price"),
        ({"package_size": 0}, "tier_package_above_zero"),
    ],
)
def test_a_bad_tier_as_a_row(fields, constraint):
    price = make_price(make_draft(), model="graduated", unit_amount=None)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Tier.objects.create(price=price, position=1, **fields)


@pytest.mark.parametrize("ends", [[10, 20], [20, 10, None], [None, 10]])
def test_tiers_that_do_not_climb_are_not_published_by_anybody(ends):
    draft = make_draft()
    price = make_price(draft, model="graduated", unit_amount=None)
    Tier.objects.bulk_create(Tier(price=price, position=place, up_to=end) for place, end in enumerate(ends))
    with pytest.raises(IntegrityError, match="ascend and end with an open one"), transaction.atomic():
        PlanVersion.objects.filter(pk=draft.pk).update(published_at=JAN, offered_from=JAN)


def test_a_negative_row_and_a_negative_limit_as_rows():
    draft = make_draft()
    price = make_price(draft, model="dimension", dimensions=["region"])
    with pytest.raises(IntegrityError, match="price_row_amount_not_negative"), transaction.atomic():
        PriceRow.objects.create(price=price, position=1, values=["eu"], unit_amount=-1)
    with pytest.raises(IntegrityError, match="plan_limit_not_negative"), transaction.atomic():
        PlanLimit.objects.create(version=draft, meter_id=find_meter("bandwidth").id, quantity=-1)


def test_terms_made_in_code():
    with pytest.raises(InvalidPrice) as refusal:
        flat_fee("Fee", Decimal(THIRTEEN))
    assert refusal.value.field == "unit_amount"
    with pytest.raises(InvalidPrice) as refusal:
        PriceTerms("Fee", PriceModel.PER_UNIT, None, Decimal(1))
    assert refusal.value.field == "meter"
