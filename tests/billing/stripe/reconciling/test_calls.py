import pytest

from billing.models import StripeCall, StripeCustomer, StripeSubscription
from billing.stripe.reconciling.calls import look_at_calls
from billing.stripe.reconciling.findings import Scope
from tests.billing.makers import HOUR, JAN
from tests.billing.stripe.reconciling.makers import AT, DAY, ask, make_charged

pytestmark = pytest.mark.django_db


def lose(operation, key, *, at=AT - DAY):
    return StripeCall.objects.create(
        operation=operation, key=key, idempotency_key=f"key {operation} {key}", state="unknown", attempts=1,
        created_at=at, first_sent_at=at, error_message="500",
    )  # fmt: skip


def look():
    return [found.key for found in look_at_calls(Scope(AT, JAN)).findings]


def test_a_call_of_unknown_outcome_is_told_after_an_hour():
    lose("customer.create", "12 1")
    lose("customer.create", "13 1", at=AT - HOUR / 2)
    assert look() == ["customer.create 12 1"]


@pytest.mark.parametrize(("terms", "count"), [({}, 0), ({"state": "draft", "step": "filled"}, 1)])
def test_who_made_an_invoice_final_need_not_be_known_once_it_is(terms, count):
    row = ask(make_charged(), 10, **terms)
    lose("invoice.finalize", row.stripe_id)
    assert look() == [f"invoice.finalize {row.stripe_id}"] * count


@pytest.mark.parametrize(("told_revision", "count"), [(2, 1), (3, 0), (4, 0)])
def test_how_a_subscription_was_to_be_before_need_not_be_known_once_it_was_told_anew(told_revision, count):
    invoice = make_charged().invoice
    row = StripeSubscription.objects.create(
        subscription_id=invoice.subscription_id, version_id=invoice.period.version_id, customer_id="cus_acme",
        stripe_id="sub_acme", status="active", starts_at=JAN, anchor=JAN, cycle_starts_at=JAN,
        revision=4, told_revision=told_revision,
    )  # fmt: skip
    key = f"{invoice.subscription_id} 2026-01-01T00:00:00Z {row.pk} 3"
    lose("subscription.update", key)
    assert look() == [f"subscription.update {key}"] * count


@pytest.mark.parametrize(("number", "told_revision", "count"), [(1, 1, 1), (1, 2, 0), (2, 2, 1)])
def test_what_a_customer_was_called_before_need_not_be_known_once_it_was_told_anew(number, told_revision, count):
    account_id = make_charged().invoice.account_id
    StripeCustomer.objects.update(number=number, revision=2, told_revision=told_revision)
    key = f"{account_id} 1 2"
    lose("customer.update", key)
    assert look() == [f"customer.update {key}"] * count
