"""Each effect once, whatever becomes of the connection. The client's own retries are off where a test counts calls."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from billing.models import StripeCall, StripeReads
from billing.stripe import client, gateway
from billing.stripe.errors import Refused, TryLater, Unresolved
from billing.stripe.gateway import count_reads, list_all, perform, read
from tests.billing.threads import run_together

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
PRODUCTS = "/v1/products"


@pytest.fixture(autouse=True)
def _one_try(monkeypatch):
    monkeypatch.setattr(client, "NETWORK_RETRIES", 0)
    client.build_client.cache_clear()
    yield
    client.build_client.cache_clear()


@pytest.fixture
def stripe(simulator):
    return simulator.client().v1


def create(name="Gold", *, at=AT, find=None):
    params = {"name": name, "metadata": {"palier_plan": "1"}}
    return perform(
        "create_product",
        "1",
        params,
        lambda stripe, options: stripe.v1.products.create(params, options),
        at=at,
        find=find,
    )


def find_product(stripe):
    found = stripe.v1.products.list({"limit": 100}).data
    return next((each for each in found if each.metadata["palier_plan"] == "1"), None)


def count_products(stripe):
    return len(stripe.products.list().data)


@pytest.mark.django_db
def test_a_second_call_answers_from_the_row(stripe):
    first = create()
    again = create(at=AT + timedelta(days=400))

    assert first == again
    assert first.body["name"] == "Gold"
    call = StripeCall.objects.get()
    assert (call.state, call.attempts, call.stripe_id, call.status) == ("done", 1, first.stripe_id, 200)
    assert call.request_id.startswith("req_")
    assert count_products(stripe) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "wrong_body", "unavailable", "rate_limit", "lock_timeout"]
)
def test_what_was_not_answered_is_sent_again_under_its_key_and_done_once(simulator, stripe, kind):
    simulator.fault(kind, PRODUCTS, method="POST")

    with pytest.raises(TryLater) as wait:
        create()
    call = StripeCall.objects.get()
    assert (call.state, call.is_key_spent) == ("unknown", False)
    assert AT <= wait.value.until <= AT + timedelta(seconds=10)
    answer = create(at=AT + timedelta(minutes=1))

    again = StripeCall.objects.get()
    assert (again.state, again.attempts, again.idempotency_key) == ("done", 2, call.idempotency_key)
    assert [answer.stripe_id] == [product.id for product in stripe.products.list().data]


@pytest.mark.django_db
def test_the_clients_own_retries_have_the_same_key(simulator, stripe, monkeypatch):
    monkeypatch.setattr(client, "NETWORK_RETRIES", 1)
    simulator.fault("drop_after", PRODUCTS, method="POST")

    create()

    assert StripeCall.objects.get().attempts == 1
    assert count_products(stripe) == 1


@pytest.mark.django_db
def test_a_refusal_is_definite_and_says_what_is_wrong(stripe):
    params = {"percent_off": 10, "amount_off": 5}

    with pytest.raises(Refused) as refusal:
        perform("create_coupon", "1", params, lambda stripe, options: stripe.v1.coupons.create(params, options), at=AT)

    call = StripeCall.objects.get()
    assert refusal.value.status == call.status == 400
    assert (call.state, call.error_message, call.answered_at) == ("refused", str(refusal.value), AT)
    assert stripe.coupons.list().data == []


@pytest.mark.django_db
def test_a_wrong_key_of_ours_is_put_right_and_not_a_refusal(stripe, settings):
    settings.STRIPE_SECRET_KEY = "nonsense"

    with pytest.raises(TryLater, match="401"):
        create()
    assert StripeCall.objects.get().state == "unknown"


@pytest.mark.django_db
def test_after_23_hours_it_is_looked_up_and_taken_over(simulator, stripe):
    simulator.fault("drop_after", PRODUCTS, method="POST")
    with pytest.raises(TryLater):
        create()
    simulator.advance(hours=25)

    answer = create(at=AT + timedelta(hours=23), find=find_product)

    assert [answer.stripe_id] == [product.id for product in stripe.products.list().data]
    call = StripeCall.objects.get()
    assert (call.state, call.former_keys) == ("done", [])


@pytest.mark.django_db
def test_without_the_look_it_is_there_twice(simulator, stripe, monkeypatch):
    """The negative control: Stripe has forgotten the key."""
    monkeypatch.setattr("billing.stripe.calls.KEY_LIFE", timedelta(days=365))
    simulator.fault("drop_after", PRODUCTS, method="POST")
    with pytest.raises(TryLater):
        create()
    simulator.advance(hours=25)

    create(at=AT + timedelta(hours=25), find=find_product)

    assert count_products(stripe) == 2


@pytest.mark.django_db
def test_after_23_hours_what_is_not_there_goes_out_under_a_new_key(simulator, stripe):
    simulator.fault("drop_before", PRODUCTS, method="POST")
    with pytest.raises(TryLater):
        create()
    old = StripeCall.objects.get().idempotency_key
    simulator.advance(hours=25)

    create(at=AT + timedelta(hours=23), find=find_product)

    assert StripeCall.objects.get().former_keys == [old]
    assert count_products(stripe) == 1


@pytest.mark.django_db
def test_what_cannot_be_looked_up_is_left_to_a_person(simulator, stripe):
    simulator.fault("drop_after", PRODUCTS, method="POST")
    with pytest.raises(TryLater):
        create()

    with pytest.raises(Unresolved, match="create_product 1 may have been done, and cannot be looked up"):
        create(at=AT + timedelta(days=2))

    assert StripeCall.objects.get().state == "unknown"
    assert count_products(stripe) == 1


@pytest.mark.django_db
def test_a_look_that_finds_nothing_by_its_id_says_that_it_is_not_there(simulator, stripe):
    simulator.fault("drop_before", PRODUCTS, method="POST")
    with pytest.raises(TryLater):
        create()

    create(at=AT + timedelta(days=1), find=lambda stripe: stripe.v1.products.retrieve("prod_404"))

    assert count_products(stripe) == 1


@pytest.mark.django_db
def test_a_look_that_is_refused_decides_nothing(simulator, stripe):
    simulator.fault("drop_before", PRODUCTS, method="POST")
    with pytest.raises(TryLater):
        create()

    with pytest.raises(Unresolved, match="its look was refused"):
        create(at=AT + timedelta(days=1), find=lambda stripe: stripe.v1.products.list({"limit": 1000}))
    assert (StripeCall.objects.get().state, count_products(stripe)) == ("unknown", 0)


@pytest.mark.django_db
def test_a_look_that_is_not_answered_is_tried_later_and_decides_nothing(simulator, stripe):
    simulator.fault("drop_after", PRODUCTS, method="POST")
    with pytest.raises(TryLater):
        create()
    simulator.fault("unavailable", PRODUCTS, method="GET")

    with pytest.raises(TryLater):
        create(at=AT + timedelta(days=1), find=find_product)
    create(at=AT + timedelta(days=1, minutes=5), find=find_product)

    assert count_products(stripe) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_sends(simulator, stripe):
    simulator.fault("hold_inside", PRODUCTS, method="POST", seconds=0.3)

    results = run_together(create, create)

    assert sorted(type(each).__name__ for each in results) == ["Answer", "TryLater"]
    assert StripeCall.objects.get().attempts == 1
    assert count_products(stripe) == 1


@pytest.mark.django_db(transaction=True)
def test_without_the_lease_both_send(simulator, stripe, monkeypatch):
    """The negative control: it is the key, and Stripe's word, that keeps them apart then."""
    monkeypatch.setattr("billing.stripe.calls.LEASE", timedelta(0))
    simulator.fault("hold_inside", PRODUCTS, method="POST", seconds=0.3)

    results = run_together(create, create)

    assert StripeCall.objects.get().attempts == 2
    assert next(each.why for each in results if isinstance(each, TryLater)).startswith("409")
    assert count_products(stripe) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("simulator")
def test_nothing_is_asked_inside_of_a_transaction():
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        create()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        read(find_product, at=AT)


@pytest.mark.django_db
def test_reads_are_counted_by_day(simulator, stripe):
    for days in (0, 0, 29, 30):
        read(find_product, at=AT + timedelta(days=days))

    assert list(StripeReads.objects.order_by("day").values_list("count", flat=True)) == [2, 1, 1]
    assert count_reads(AT + timedelta(days=29)) == 3
    assert count_reads(AT + timedelta(days=30)) == 2


@pytest.mark.django_db
def test_a_read_that_is_refused_or_not_answered_says_so(simulator, stripe):
    with pytest.raises(Refused) as refusal:
        read(lambda stripe: stripe.v1.products.retrieve("prod_404"), at=AT)
    assert (refusal.value.code, refusal.value.status) == ("resource_missing", 404)
    simulator.fault("unavailable", PRODUCTS, method="GET")
    with pytest.raises(TryLater, match="503"):
        read(find_product, at=AT)


@pytest.mark.django_db
def test_a_list_is_read_to_its_end_and_each_page_counted(stripe, monkeypatch):
    monkeypatch.setattr(gateway, "PAGE", 2)
    made = {stripe.products.create({"name": name}).id for name in "abc"}

    found = list_all(lambda stripe, paging: stripe.v1.products.list(paging), at=AT)

    assert {each.id for each in found} == made
    assert count_reads(AT) == 2
