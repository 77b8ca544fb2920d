import pytest

from billing.models import StripeCall
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
