"""Customers go out once, follow the profile, and are left alone once they are gone."""

from datetime import timedelta
from typing import Any

import pytest

from billing.models import CustomerProblem, StripeCall, StripeCustomer, StripeDrift
from billing.profiles import set_profile
from billing.stripe.customers import connect_account, connect_anew, promise_customers, read_customer, try_again
from billing.stripe.errors import TryLater
from billing.stripe.mirroring import customers as mirroring
from billing.stripe.mirroring.customers import look_at_customer, mirror_customer
from jobs.models import Job
from tests.billing.makers import make_account
from tests.billing.stripe.makers import NOV, connect, keep_card, mirror_all, run_promised
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def list_customers(simulator: SimulatorClient) -> list[Any]:
    return simulator.client().v1.customers.list({"limit": 100}).data


def test_a_connected_account_is_one_customer_however_often_it_is_told(simulator: SimulatorClient) -> None:
    account = make_account()
    connect_account(account.id, at=NOV)
    for _ in range(2):
        mirror_customer(account.id, at=NOV)
    [made] = list_customers(simulator)
    assert (made.name, made.metadata["palier_account"]) == ("acme Ltd", str(account.id))
    customer = read_customer(account.id)
    assert customer is not None
    assert (customer.stripe_id, customer.is_ready) == (made.id, True)


def test_a_customer_that_was_made_and_forgotten_is_found_by_its_metadata(simulator: SimulatorClient) -> None:
    account = make_account()
    stripe_id = connect(account.id, at=NOV)
    StripeCustomer.objects.update(stripe_id=None, told_revision=0)
    StripeCall.objects.all().delete()
    mirror_customer(account.id, at=NOV)
    assert [each.id for each in list_customers(simulator)] == [stripe_id]
    assert StripeCustomer.objects.get().stripe_id == stripe_id


@pytest.mark.parametrize("step", ["tell_details", "tell_tax_number", "note_told"])
def test_a_death_between_two_calls_is_made_good_by_the_next_attempt(
    simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    account = make_account()
    connect_account(account.id, at=NOV)

    def die(*_args: Any, **_named: Any) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(mirroring, step, die)
        with pytest.raises(InterruptedError):
            mirror_customer(account.id, at=NOV)
    mirror_customer(account.id, at=NOV)
    [made] = list_customers(simulator)
    row = StripeCustomer.objects.get()
    assert (made.name, row.told_revision, row.revision) == ("acme Ltd", 1, 1)


def test_a_profile_that_moves_goes_out_and_one_that_moves_back_as_well(simulator: SimulatorClient) -> None:
    account = make_account()
    connect(account.id, at=NOV)
    for name in ("Acme SARL", "acme Ltd", "Acme SARL"):
        set_profile(account_id=account.id, legal_name=name, email="pay@acme.example", country="FR", address="1 rue A")
        mirror_all(NOV)
        [made] = list_customers(simulator)
        assert made.name == name
    assert (made.email, made.address.line1, made.address.country) == ("pay@acme.example", "1 rue A", "FR")


def test_nothing_is_promised_while_no_profile_moved(simulator: SimulatorClient) -> None:
    connect(make_account().id, at=NOV)
    assert promise_customers(NOV + HOUR) == 0


def test_a_customer_that_was_deleted_stops_and_is_shown(simulator: SimulatorClient) -> None:
    account = make_account()
    stripe_id = connect(account.id, at=NOV)
    simulator.client().v1.customers.delete(stripe_id)
    set_profile(account_id=account.id, legal_name="Acme SARL")
    mirror_all(NOV)
    row = StripeCustomer.objects.get()
    assert (row.problem, row.problem_detail, row.stripe_id) == ("deleted", f"{stripe_id} is gone", stripe_id)
    assert StripeDrift.objects.get().kind == "customer"
    jobs = Job.objects.count()
    mirror_all(NOV + HOUR)
    assert (Job.objects.count(), list_customers(simulator)) == (jobs, [])


def test_a_customer_that_was_merged_names_the_other(simulator: SimulatorClient) -> None:
    account = make_account()
    stripe_id = connect(account.id, at=NOV)
    client = simulator.client()
    other = client.v1.customers.create({"metadata": {"palier_account": str(account.id)}})
    client.v1.customers.delete(stripe_id)
    assert not look_at_customer(account.id, at=NOV)
    row = StripeCustomer.objects.get()
    assert row.problem == CustomerProblem.MERGED
    assert other.id in row.problem_detail


def test_connecting_anew_makes_a_second_customer_and_closes_the_drift(simulator: SimulatorClient) -> None:
    account = make_account()
    first = connect(account.id, at=NOV)
    simulator.client().v1.customers.delete(first)
    look_at_customer(account.id, at=NOV)
    connect_anew(account.id, at=NOV + HOUR)
    run_promised(NOV + HOUR)
    [made] = list_customers(simulator)
    row = StripeCustomer.objects.get()
    assert (row.stripe_id, row.former_ids, row.problem) == (made.id, [first], "")
    assert made.name == "acme Ltd"
    assert StripeDrift.objects.get().state == "repaired"


def test_what_stripe_refuses_is_tried_again_when_somebody_says_so(simulator: SimulatorClient) -> None:
    account = make_account()
    connect(account.id, at=NOV)
    StripeCustomer.objects.update(problem="refused", problem_at=NOV)
    set_profile(account_id=account.id, legal_name="Acme SARL")
    mirror_all(NOV)
    assert list_customers(simulator)[0].name == "acme Ltd"
    try_again(account.id, at=NOV)
    run_promised(NOV)
    assert list_customers(simulator)[0].name == "Acme SARL"


def test_a_card_at_stripe_is_known_by_what_may_be_shown(simulator: SimulatorClient) -> None:
    account = make_account()
    connect(account.id, at=NOV)
    method = keep_card(simulator, account.id, at=NOV)
    customer = read_customer(account.id)
    assert customer is not None
    assert customer.card is not None
    assert (customer.payment_method_id, customer.card.brand, customer.card.last4) == (method, "visa", "4242")
    simulator.client().v1.payment_methods.detach(method)
    look_at_customer(account.id, at=NOV)
    customer = read_customer(account.id)
    assert customer is not None
    assert (customer.card, customer.payment_method_id) == (None, "")


def test_without_an_answer_it_is_tried_later(simulator: SimulatorClient, settings: Any) -> None:
    account = make_account()
    connect_account(account.id, at=NOV)
    settings.STRIPE_API_BASE = settings.STRIPE_METER_EVENTS_BASE = "http://127.0.0.1:9"
    with pytest.raises(TryLater):
        mirror_customer(account.id, at=NOV)
