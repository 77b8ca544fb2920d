from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from billing.models import StripeCall, StripeCallState
from billing.stripe.calls import (
    KeyReused,
    claim_call,
    clean_json,
    forget_answers,
    needs_lookup,
    record_done,
    record_refused,
    record_unknown,
    renew_key,
)
from billing.stripe.errors import Refused, TryLater
from tests.billing.threads import run_together

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
PARAMS = {"name": "Gold", "metadata": {"palier_plan": "1"}}


def claim(*, at=AT, params=PARAMS):
    return claim_call("create_product", "plan:1", params, at=at)


@pytest.mark.django_db
def test_a_call_is_stored_with_its_key_before_it_is_sent():
    call = claim()

    assert StripeCall.objects.get() == call
    assert (call.state, call.attempts, call.first_sent_at, call.leased_until) == (
        "sent",
        1,
        AT,
        AT + timedelta(minutes=2),
    )
    assert call.idempotency_key.startswith("create_product-")
    assert (call.params, len(call.fingerprint), call.former_keys) == (PARAMS, 64, [])


@pytest.mark.django_db(transaction=True)
def test_a_call_inside_of_a_transaction_is_refused():
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        claim()
    assert StripeCall.objects.count() == 0


@pytest.mark.django_db
def test_who_comes_while_it_is_being_sent_waits_for_the_lease():
    claim()

    with pytest.raises(TryLater, match="create_product plan:1 is being sent") as wait:
        claim(at=AT + timedelta(seconds=119))
    assert wait.value.until == AT + timedelta(minutes=2)


@pytest.mark.django_db
def test_after_a_lease_that_ran_out_it_is_sent_again_under_the_same_key():
    first = claim()

    again = claim(at=AT + timedelta(minutes=2))

    assert (again.idempotency_key, again.attempts, again.first_sent_at) == (first.idempotency_key, 2, AT)
    assert not needs_lookup(again, at=AT + timedelta(minutes=2))


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_sends():
    results = run_together(*[claim] * 4)

    assert sorted(type(each).__name__ for each in results) == ["StripeCall", "TryLater", "TryLater", "TryLater"]
    assert StripeCall.objects.get().attempts == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_lease_every_worker_sends(monkeypatch):
    """The negative control: all have the same key, which Stripe's own memory then has to tell apart."""
    monkeypatch.setattr("billing.stripe.calls.LEASE", timedelta(0))

    results = run_together(*[claim] * 4)

    assert len({each.idempotency_key for each in results}) == 1
    assert StripeCall.objects.get().attempts == 4


@pytest.mark.django_db
def test_other_parameters_under_the_same_key_do_not_go_out():
    claim()

    with pytest.raises(KeyReused, match="create_product plan:1 was sent with other parameters"):
        claim(at=AT + timedelta(hours=1), params=PARAMS | {"name": "Silver"})
    assert StripeCall.objects.get().params == PARAMS


@pytest.mark.django_db
def test_after_a_refusal_it_may_go_out_otherwise_under_a_new_key_that_leaves_the_former_one_in_sight():
    first = claim()
    refusal = Refused("No such tax code", code="resource_missing", param="tax_code", status=400)
    record_refused(first, refusal, request_id="req_1", at=AT)
    told = StripeCall.objects.get()
    assert (told.state, told.error_code, told.error_param, told.status, told.request_id) == (
        *("refused", "resource_missing", "tax_code", 400, "req_1"),
    )

    again = claim(at=AT + timedelta(minutes=1), params=PARAMS | {"name": "Silver"})

    assert again.idempotency_key != first.idempotency_key
    assert (again.former_keys, again.first_sent_at) == ([first.idempotency_key], AT + timedelta(minutes=1))
    assert (again.params["name"], again.error_message, again.state) == ("Silver", "", "sent")


@pytest.mark.django_db
@pytest.mark.parametrize(("age", "expected"), [(timedelta(hours=23, seconds=-1), False), (timedelta(hours=23), True)])
def test_a_key_that_stripe_may_have_forgotten_is_not_used_again(age: timedelta, expected: bool):
    call = claim()
    record_unknown(call, "no answer")

    assert needs_lookup(claim(at=AT + age), at=AT + age) is expected


@pytest.mark.django_db
def test_a_spent_key_stays_spent_and_a_new_one_begins_anew():
    call = claim()
    record_unknown(call, "500: stored", status=500, is_key_spent=True)
    call = claim(at=AT + timedelta(minutes=1))
    record_unknown(call, "not looked up")
    call = claim(at=AT + timedelta(minutes=2))
    assert needs_lookup(call, at=AT + timedelta(minutes=2))
    keys = [call.idempotency_key]

    renew_key(call, at=AT + timedelta(minutes=2))
    record_unknown(call, "500: stored", status=500, is_key_spent=True)
    call = claim(at=AT + timedelta(minutes=3))
    keys.append(call.idempotency_key)
    renew_key(call, at=AT + timedelta(minutes=3))

    assert StripeCall.objects.get().former_keys == keys
    assert len(set(keys)) == 2
    assert not needs_lookup(call, at=AT + timedelta(minutes=3))


@pytest.mark.django_db
def test_a_slow_answer_counts_unless_its_key_was_given_up():
    slow = claim()
    quick = claim(at=AT + timedelta(minutes=2))
    record_done(slow, {"id": "prod_1"}, request_id="req_1", status=200, at=AT + timedelta(minutes=3))
    record_unknown(quick, "no answer")
    done = StripeCall.objects.get()
    assert (done.state, done.stripe_id, done.answer, done.answered_at) == (
        *("done", "prod_1", {"id": "prod_1"}, AT + timedelta(minutes=3)),
    )

    StripeCall.objects.update(state=StripeCallState.UNKNOWN, answered_at=None)
    late = claim(at=AT + timedelta(days=1))
    renew_key(late, at=AT + timedelta(days=1))
    record_done(slow, {"id": "prod_0"}, request_id="", status=200, at=AT + timedelta(days=1))
    assert StripeCall.objects.get().state == "sent"


@pytest.mark.django_db
def test_what_was_answered_long_ago_is_forgotten_but_not_what_came_of_it():
    call = claim()
    record_done(call, {"id": "prod_1", "name": "Gold"}, request_id="req_1", status=200, at=AT)

    assert forget_answers(AT + timedelta(days=35)) == 0
    assert forget_answers(AT + timedelta(days=35, seconds=1)) == 1
    assert forget_answers(AT + timedelta(days=36)) == 0

    old = claim(at=AT + timedelta(days=36))
    assert (old.state, old.stripe_id, old.answer, old.params) == ("done", "prod_1", None, {})


def test_what_is_stored_holds_no_secret_and_no_float():
    sent = {"amount": 12, "price": Decimal("1E-12"), "items": [{"client_secret": "x", "id": "si_1"}], "off": None}

    assert clean_json(sent) == {"amount": 12, "price": "0.000000000001", "items": [{"id": "si_1"}], "off": None}
    with pytest.raises(TypeError, match="float is not sent to Stripe"):
        clean_json({"amount": 0.5})
