"""What is on offer, told to a Stripe: once each, whatever dies on the way."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.coupons import create_coupon
from billing.models import Plan, StripeDrift, StripeObject
from billing.plans import copy_last_version, publish_version
from billing.rating import PriceModel, PriceTerms, TierTerms, flat_fee, graduated
from billing.stripe.catalogue import syncing
from billing.stripe.catalogue.lookup import find_version_prices
from billing.stripe.catalogue.syncing import sync_catalogue
from billing.tax_rates import create_tax_rate
from jobs.models import Job
from jobs.runner import run_job
from tests.billing.stripe.catalogue.makers import AT, make_meter, make_version, run_jobs
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db


@pytest.fixture
def stripe(simulator):
    return simulator.client().v1


def list_ids(service):
    return [each.id for each in service.list({"limit": 100}).data]


def sync(at=AT):
    sync_catalogue(at)
    return run_jobs(at)


def test_a_version_is_told_once(stripe):
    version = make_version()
    fee, calls = version.prices.all()

    assert set(sync()) == {"stripe.tell_object", "stripe.promise_catalogue"}
    assert sync() == []

    [product], [meter] = stripe.products.list().data, stripe.billing.meters.list().data
    prices = {price.nickname: price for price in stripe.prices.list().data}
    assert (product.name, product.metadata["palier_key"]) == ("Gold", f"product:{version.plan_id}")
    assert (meter.event_name, meter.default_aggregation.formula) == ("palier_calls", "sum")
    assert (prices["Calls"].unit_amount_decimal, prices["Calls"].recurring.meter) == (Decimal(1), meter.id)
    assert (prices["Base"].unit_amount, prices["Base"].recurring.usage_type) == (900, "licensed")
    assert {price.product for price in prices.values()} == {product.id}
    assert prices["Calls"].lookup_key == f"palier_price_{calls.pk}"
    found = find_version_prices(version.pk)
    assert found.metered == {calls.pk: prices["Calls"].id}
    assert found.fees == {fee.pk: prices["Base"].id}
    assert not StripeObject.objects.exclude(problem="").exists()


def test_tiers_and_packages_go_out_as_they_are_and_the_smallest_amount_too(stripe):
    make_meter()
    tiers = [TierTerms(Decimal(10), Decimal("0.05")), TierTerms(None, Decimal("0.000000000001"), Decimal(3))]
    package = PriceTerms("Thousands", PriceModel.PACKAGE, "calls", Decimal(2), package_size=Decimal(1000))
    make_version(graduated("Tiered", meter_key="calls", tiers=tiers), package)

    sync()

    prices = {price.nickname: price for price in stripe.prices.list({"expand": ["data.tiers"]}).data}
    first, last = prices["Tiered"].tiers
    assert (prices["Tiered"].tiers_mode, first.up_to, first.unit_amount_decimal) == ("graduated", 10, Decimal(5))
    assert (last.up_to, last.unit_amount_decimal, last.flat_amount) == (None, Decimal("0.0000000001"), 300)
    packed = prices["Thousands"].transform_quantity
    assert (packed.divide_by, packed.round, prices["Thousands"].unit_amount) == (1000, "up", 200)


def test_coupons_and_tax_rates_are_told(stripe):
    create_coupon(code="half", name="Half", percent=Decimal("12.5"))
    create_coupon(code="five", name="Five", amount_minor=500, currency="EUR")
    create_tax_rate(name="VAT", percent=Decimal("20"), country="FR", is_inclusive=True)

    sync()

    coupons = {each.name: each for each in stripe.coupons.list().data}
    assert (coupons["Half"].percent_off, coupons["Half"].duration) == (12.5, "once")
    assert (coupons["Five"].amount_off, coupons["Five"].currency) == (500, "eur")
    [rate] = stripe.tax_rates.list().data
    assert (rate.display_name, rate.percentage, rate.inclusive, rate.country) == ("VAT", 20.0, True, "FR")


def test_a_worker_that_dies_between_a_call_and_its_record_makes_nothing_twice(stripe, monkeypatch):
    make_version(flat_fee("Base", Decimal(9)))
    real = syncing.record_told

    def die(*_args, **_kwargs):
        raise SystemExit

    monkeypatch.setattr(syncing, "record_told", die)
    with pytest.raises(SystemExit):
        sync()
    assert len(list_ids(stripe.products)) == 1
    assert StripeObject.objects.get(kind="product").stripe_id == ""
    monkeypatch.setattr(syncing, "record_told", real)

    Job.objects.filter(state="running").update(lease_until=AT)
    run_job(Job.objects.get(state="running").pk, clock=lambda: AT)
    sync()

    assert len(list_ids(stripe.products)) == 1
    assert len(list_ids(stripe.prices)) == 1
    assert StripeObject.objects.filter(stripe_id="").count() == 0


def test_what_is_done_twice_changes_nothing(stripe):
    make_version(flat_fee("Base", Decimal(9)))
    sync()
    before = [*list_ids(stripe.products), *list_ids(stripe.prices)]

    Job.objects.filter(kind="stripe.tell_object").update(state="queued", attempts=0, finished_at=None)
    run_jobs()

    assert [*list_ids(stripe.products), *list_ids(stripe.prices)] == before


def test_another_name_is_told_to_the_same_object(stripe):
    make_version(flat_fee("Base", Decimal(9)))
    sync()
    [product] = list_ids(stripe.products)

    Plan.objects.update(name="Gold Plus")
    assert sync() == ["stripe.tell_object"]
    Plan.objects.update(name="Gold")
    assert sync() == ["stripe.tell_object"]

    [found] = stripe.products.list().data
    assert (found.id, found.name) == (product, "Gold")


def test_a_new_version_is_new_prices_of_the_same_product(stripe):
    version = make_version()
    sync()
    before = set(list_ids(stripe.prices))

    publish_version(copy_last_version(version.plan_id), at=AT)
    sync()

    after = stripe.prices.list().data
    assert len(after) == 4
    assert before < {price.id for price in after}
    assert len({price.product for price in after}) == 1
    assert all(price.active for price in after)


def test_what_cannot_be_changed_is_another_object_with_the_same_lookup_key(stripe):
    make_version(flat_fee("Base", Decimal(9)))
    sync()
    row = StripeObject.objects.get(kind="fee")
    StripeObject.objects.filter(pk=row.pk).update(fingerprint="of other terms")

    sync()

    former = stripe.prices.retrieve(row.stripe_id)
    again = StripeObject.objects.get(kind="fee")
    new = stripe.prices.retrieve(again.stripe_id)
    assert (former.active, former.lookup_key) == (False, None)
    assert (new.active, new.lookup_key) == (True, f"palier_fee_{row.key}")
    assert again.former_ids == [row.stripe_id]


def test_a_meter_of_ours_from_another_life_is_taken_over(stripe):
    theirs = stripe.billing.meters.create(
        {"display_name": "Old", "event_name": "palier_calls", "default_aggregation": {"formula": "sum"}}
    )
    make_version()

    sync()

    assert StripeObject.objects.get(kind="meter").stripe_id == theirs.id
    assert len(list_ids(stripe.billing.meters)) == 1


def test_what_stripe_refuses_is_shown_and_asked_again_only_when_told_to(stripe):
    theirs = stripe.billing.meters.create(
        {"display_name": "Theirs", "event_name": "palier_calls", "default_aggregation": {"formula": "last"}}
    )
    make_version()
    sync()
    row = StripeObject.objects.get(kind="meter")
    drift = StripeDrift.objects.get()
    assert row.problem
    assert (drift.key, drift.state, drift.cause) == (f"meter:{row.key}", "open", row.problem)
    assert sync() == []

    stripe.billing.meters.deactivate(theirs.id)
    sync_catalogue(AT + timedelta(hours=1), again=True)
    run_jobs(AT + timedelta(hours=1))

    drift.refresh_from_db()
    assert StripeObject.objects.filter(stripe_id="").count() == 0
    assert drift.state == "repaired"


def test_without_a_key_nothing_is_promised(settings):
    settings.STRIPE_SECRET_KEY = ""
    make_version()

    assert sync_catalogue(AT) == 0
    assert not StripeObject.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_promised_by_many_at_once_each_object_has_one_job(settings):
    settings.STRIPE_SECRET_KEY = "sk_test_race"
    make_version(flat_fee("Base", Decimal(9)))

    counts = run_together(*[lambda: sync_catalogue(AT)] * 4)

    assert sorted(counts) == [0, 0, 0, 1]
    assert list(Job.objects.values_list("kind", flat=True)) == ["stripe.tell_object"]
    assert StripeObject.objects.count() == 2
