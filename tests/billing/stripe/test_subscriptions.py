from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing.models import Period, StripeSubscription
from billing.stripe.subscriptions import find_mirror
from billing.subscriptions import open_next_periods
from tests.billing.makers import FEB, JAN, MAR, MID_JAN, make_subscription

pytestmark = pytest.mark.django_db


def mirror(starts_at: datetime = JAN, anchor: datetime = FEB, **fields: Any) -> StripeSubscription:
    period = Period.objects.order_by("pk")[0]
    number = StripeSubscription.objects.count() + 1
    known = {"stripe_id": f"sub_{number}", "status": "active", "cycle_starts_at": starts_at, "customer_id": "cus_1"}
    return StripeSubscription.objects.create(
        subscription_id=period.subscription_id,
        version_id=period.version_id,
        starts_at=starts_at,
        anchor=anchor,
        **(known | fields),
    )


def test_a_period_is_found_in_the_subscription_that_it_is_a_cycle_of() -> None:
    make_subscription()
    open_next_periods(FEB)
    mirror(items={"7": "si_7", "fee": "si_8"})
    for period in Period.objects.all():
        found = find_mirror(period)
        assert found is not None
        assert (found.stripe_id, found.items, found.is_cycle, found.reason) == ("sub_1", {7: "si_7"}, True, "")


def test_a_period_is_nowhere_before_it_is_mirrored() -> None:
    make_subscription()
    assert find_mirror(Period.objects.get()) is None


def test_a_cut_period_is_no_cycle() -> None:
    make_subscription()
    mirror()
    Period.objects.update(ends_at=MID_JAN)
    found = find_mirror(Period.objects.get())
    assert found is not None
    assert (found.is_cycle, found.reason) == (False, "the cycle in Stripe is 2026-01-01 00:00:00 – 2026-02-01 00:00:00")


def test_a_period_that_began_before_its_subscription_in_stripe_is_no_cycle() -> None:
    make_subscription()
    mirror(cycle_starts_at=MID_JAN)
    found = find_mirror(Period.objects.get())
    assert found is not None
    assert not found.is_cycle


def test_a_period_longer_than_its_subscription_in_stripe_is_no_cycle() -> None:
    make_subscription()
    mirror(ends_at=MID_JAN)
    found = find_mirror(Period.objects.get())
    assert found is not None
    assert not found.is_cycle


def test_a_subscription_has_one_live_stretch() -> None:
    make_subscription()
    mirror(ends_at=FEB)
    with pytest.raises(IntegrityError, match="stripe_subscription_one_live"), transaction.atomic():
        mirror(FEB, MAR)


def test_stretches_do_not_overlap() -> None:
    make_subscription()
    mirror(ends_at=FEB, closed_at=FEB)
    with pytest.raises(IntegrityError, match="stripe_subscriptions_do_not_overlap"), transaction.atomic():
        mirror(MID_JAN, FEB)


def test_a_stretch_does_not_end_before_it_starts() -> None:
    make_subscription()
    with pytest.raises(IntegrityError, match="stripe_subscription_ends_after_its_start"), transaction.atomic():
        mirror(FEB, MAR, ends_at=JAN)
