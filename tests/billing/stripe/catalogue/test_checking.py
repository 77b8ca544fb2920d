"""What somebody changed in Stripe itself: shown, and put back."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.coupons import create_coupon
from billing.models import StripeDrift, StripeObject
from billing.rating import flat_fee
from billing.stripe.catalogue.checking import check_catalogue
from billing.stripe.catalogue.syncing import sync_catalogue
from billing.stripe.gateway import count_reads
from billing.tax_rates import create_tax_rate
from tests.billing.stripe.catalogue.makers import AT, make_version, run_jobs

pytestmark = pytest.mark.django_db
LATER = AT + timedelta(days=1)


@pytest.fixture
def stripe(simulator):
    """Stripe with one thing of each kind."""
    make_version()
    make_version(flat_fee("Base", Decimal(5)), slug="silver")
    create_coupon(code="half", name="Half", percent=Decimal(50))
    create_tax_rate(name="VAT", percent=Decimal(20))
    sync_catalogue(AT)
    run_jobs(AT)
    return simulator.client().v1


def find(kind):
    return StripeObject.objects.filter(kind=kind).earliest("pk")


def test_nothing_differs_and_that_costs_one_list_of_each_kind(stripe):
    before = count_reads(LATER)

    assert check_catalogue(LATER) == 0

    assert count_reads(LATER) - before == 5
    assert run_jobs(LATER) == []
    assert not StripeDrift.objects.exists()


def test_a_name_changed_there_is_put_back(stripe):
    product = find("product")
    stripe.products.update(product.stripe_id, {"name": "Renamed"})

    assert check_catalogue(LATER) == 1
    drift = StripeDrift.objects.get()
    assert (drift.key, drift.state) == (f"product:{product.key}", "open")
    assert (drift.ours, drift.theirs) == (f"Gold ({product.stripe_id})", "named 'Renamed'")
    run_jobs(LATER)

    drift.refresh_from_db()
    assert stripe.products.retrieve(product.stripe_id).name == "Gold"
    assert drift.state == "repaired"
    assert check_catalogue(LATER) == 0


def test_what_was_put_away_there_is_taken_up_again(stripe):
    price, meter, rate = find("price"), find("meter"), find("tax_rate")
    stripe.prices.update(price.stripe_id, {"active": False})
    stripe.billing.meters.deactivate(meter.stripe_id)
    stripe.tax_rates.update(rate.stripe_id, {"active": False, "display_name": "Old"})

    assert check_catalogue(LATER) == 3
    run_jobs(LATER)

    assert stripe.prices.retrieve(price.stripe_id).active
    assert stripe.billing.meters.retrieve(meter.stripe_id).status == "active"
    found = stripe.tax_rates.retrieve(rate.stripe_id)
    assert (found.active, found.display_name) == (True, "VAT")
    assert set(StripeDrift.objects.values_list("state", flat=True)) == {"repaired"}


def test_a_lookup_key_taken_away_comes_back(stripe):
    fee = find("fee")
    other = StripeObject.objects.filter(kind="fee").latest("pk")
    key = f"palier_fee_{fee.key}"
    stripe.prices.update(other.stripe_id, {"lookup_key": key, "transfer_lookup_key": True})

    assert check_catalogue(LATER) == 2
    run_jobs(LATER)

    assert stripe.prices.retrieve(fee.stripe_id).lookup_key == key
    assert stripe.prices.retrieve(other.stripe_id).lookup_key == f"palier_fee_{other.key}"


def test_what_was_deleted_there_is_made_anew(stripe):
    coupon = find("coupon")
    stripe.coupons.delete(coupon.stripe_id)

    assert check_catalogue(LATER) == 1
    run_jobs(LATER)

    again = find("coupon")
    assert again.former_ids == [coupon.stripe_id]
    assert stripe.coupons.retrieve(again.stripe_id).percent_off == 50
    assert [drift.theirs for drift in StripeDrift.objects.all()] == ["not there"]


def test_what_a_list_leaves_out_but_is_there_is_not_made_anew(stripe, monkeypatch):
    monkeypatch.setattr("billing.stripe.catalogue.checking.list_all", lambda *_args, **_kwargs: [])

    assert check_catalogue(LATER) == 0
    assert run_jobs(LATER) == []


def test_what_was_deleted_while_another_name_is_told_is_made_anew(stripe):
    coupon = find("coupon")
    stripe.coupons.delete(coupon.stripe_id)
    StripeObject.objects.filter(pk=coupon.pk).update(label="Was")

    sync_catalogue(LATER)
    run_jobs(LATER)

    assert stripe.coupons.retrieve(find("coupon").stripe_id).name == "Half"


def test_what_is_under_way_and_what_is_another_business_is_left_alone(stripe):
    stripe.products.create({"name": "Another business"})
    product = find("product")
    stripe.products.update(product.stripe_id, {"name": "Renamed"})
    StripeObject.objects.filter(pk=product.pk).update(revision=product.revision + 1)

    assert check_catalogue(LATER) == 0


def test_a_name_put_back_by_hand_closes_its_drift(stripe):
    product = find("product")
    stripe.products.update(product.stripe_id, {"name": "Renamed"})
    check_catalogue(LATER)
    StripeObject.objects.update(label="Gold", revision=1, told=1)
    StripeObject.objects.exclude(kind="product").update(problem="not looked at here")
    stripe.products.update(product.stripe_id, {"name": "Gold"})
    StripeObject.objects.filter(kind="product").exclude(pk=product.pk).update(label="Silver")

    assert check_catalogue(LATER) == 0

    assert StripeDrift.objects.get().state == "repaired"


def test_the_command_tells_and_puts_back_all(stripe):
    product = find("product")
    stripe.products.update(product.stripe_id, {"name": "Renamed"})
    out = StringIO()

    call_command("sync_stripe_catalogue", "--check", stdout=out)

    assert out.getvalue().splitlines() == ["1 changed in Stripe itself", "1 told, 0 refused, 0 still to come"]
    assert stripe.products.retrieve(product.stripe_id).name == "Gold"


def test_the_command_says_what_was_refused(simulator):
    stripe = simulator.client().v1
    stripe.billing.meters.create(
        {"display_name": "Theirs", "event_name": "palier_calls", "default_aggregation": {"formula": "last"}}
    )
    make_version()
    out, err = StringIO(), StringIO()

    call_command("sync_stripe_catalogue", stdout=out, stderr=err)

    assert "meter" in err.getvalue()
    assert out.getvalue() == "3 told, 1 refused, 0 still to come\n"


def test_the_command_needs_a_key(settings):
    settings.STRIPE_SECRET_KEY = ""

    with pytest.raises(CommandError, match="STRIPE_SECRET_KEY is not set"):
        call_command("sync_stripe_catalogue")
