"""A card first, then the plan; once, whoever tells of it and however often."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from billing import lifecycle, switching
from billing.models import CheckoutState, Plan, PlanVersion, StripeCheckout, StripeCustomer, Subscription
from billing.plans import copy_last_version, publish_version, retire_version
from billing.stripe import checkout as module
from billing.stripe.checkout import CheckoutFact, UnknownCheckout, begin_checkout, read_checkout, settle_checkout
from billing.stripe.customers import read_customer
from billing.stripe.pages import ForeignPage, list_origins, require_page
from billing.stripe.upgrades import UpgradeRefused, find_upgrade, list_upgrades
from billing.subscriptions import SubscriptionFact
from tests.billing.stripe.makers import (
    NOV_10,
    connect,
    enter_card,
    keep_card,
    list_subscriptions,
    make_free,
    mirror_all,
    tell_catalogue,
)
from tests.simulators import SimulatorClient

pytestmark = pytest.mark.django_db
AT = NOV_10 + timedelta(days=2)
TOKEN = UUID("0b0f4a3e-58a5-4a52-9a3e-0d2f5f6c7a11")


@pytest.fixture
def free(simulator: SimulatorClient) -> SubscriptionFact:
    subscription = make_free()
    simulator.set_time(AT)
    return subscription


def click(free: SubscriptionFact, *, token: UUID = TOKEN, version_id: int | None = None) -> CheckoutFact:
    version = PlanVersion.objects.get(plan__slug="team")
    return begin_checkout(
        free.account_id,
        "team",
        version_id or version.pk,
        token,
        by=None,
        success_url="https://palier.test/done/",
        cancel_url="https://palier.test/back/",
        at=AT,
    )


def settle(token: UUID = TOKEN) -> StripeCheckout:
    settle_checkout(StripeCheckout.objects.get(token=token).pk, at=AT)
    return StripeCheckout.objects.get(token=token)


def find_plan(free: SubscriptionFact) -> str:
    return Plan.objects.get(pk=Subscription.objects.get(pk=free.id).plan_id).slug


def test_a_card_is_kept_then_the_plan_changes_and_is_mirrored(
    simulator: SimulatorClient, free: SubscriptionFact
) -> None:
    made = click(free)
    assert (made.state, find_plan(free)) == ("open", "free")
    assert enter_card(made.url) == "https://palier.test/done/"
    assert (settle().state, find_plan(free)) == ("done", "team")
    customer = read_customer(free.account_id)
    assert customer is not None
    assert customer.card is not None
    assert (customer.card.brand, customer.card.last4, customer.card.expires.year) == ("visa", "4242", 2034)
    tell_catalogue(AT)
    mirror_all(AT)
    [mirrored] = list_subscriptions(simulator)
    assert mirrored.collection_method == "charge_automatically"


def test_a_second_click_of_the_same_form_leads_to_the_same_page(
    simulator: SimulatorClient, free: SubscriptionFact
) -> None:
    assert click(free).url == click(free).url
    assert len(simulator.client().v1.checkout.sessions.list().data) == StripeCheckout.objects.count() == 1


def test_settling_twice_changes_the_plan_once(free: SubscriptionFact) -> None:
    enter_card(click(free).url)
    settle()
    again = settle()
    assert again.state == "done"
    moves = list(Subscription.objects.get(pk=free.id).changes.values_list("move", flat=True))
    assert moves == ["created", "plan_changed"]


def test_of_two_tabs_the_first_changes_the_plan_and_the_second_finds_it_changed(free: SubscriptionFact) -> None:
    pages = {token: click(free, token=token) for token in (TOKEN, uuid4())}
    for made in pages.values():
        enter_card(made.url)
    assert [settle(token).state for token in pages] == ["done", "done"]
    assert Subscription.objects.get(pk=free.id).changes.filter(move="plan_changed").count() == 1


def test_nothing_changes_while_no_card_was_entered_or_it_was_declined(free: SubscriptionFact) -> None:
    made = click(free)
    assert settle().state == "open"
    assert enter_card(made.url, "4000000000000002") == ""
    assert (settle().state, find_plan(free)) == ("open", "free")


def test_a_page_that_expired_changes_nothing(simulator: SimulatorClient, free: SubscriptionFact) -> None:
    click(free)
    simulator.client().v1.checkout.sessions.expire(str(StripeCheckout.objects.get().stripe_id))
    assert (settle().state, find_plan(free)) == ("expired", "free")


def test_a_plan_that_was_changed_elsewhere_is_left_alone_and_the_card_is_kept(free: SubscriptionFact) -> None:
    made = click(free)
    enter_card(made.url)
    publish_version(copy_last_version(Plan.objects.get(slug="team").pk), at=AT)
    row = settle()
    assert (row.state, row.reason, find_plan(free)) == ("refused", module.OFFER_CHANGED, "free")
    customer = read_customer(free.account_id)
    assert customer is not None
    assert customer.card is not None


def test_a_plan_that_was_retired_meanwhile_is_an_offer_that_changed(free: SubscriptionFact) -> None:
    enter_card(click(free).url)
    retire_version(PlanVersion.objects.get(plan__slug="team").pk, at=AT)
    row = settle()
    assert (row.state, row.reason, find_plan(free)) == ("refused", module.OFFER_CHANGED, "free")


def test_one_that_ended_meanwhile_says_so(free: SubscriptionFact) -> None:
    enter_card(click(free).url)
    lifecycle.cancel(free.id, at=AT)
    row = settle()
    assert (row.state, row.reason) == ("refused", "The subscription is ended.")


@pytest.mark.parametrize("step", ["look_at_customer", "move"])
def test_a_death_between_two_steps_is_made_good_by_the_next_attempt(
    free: SubscriptionFact, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    enter_card(click(free).url)

    def die(*_args: Any, **_named: Any) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(InterruptedError):
            settle()
    assert find_plan(free) == "free"
    assert (settle().state, find_plan(free)) == ("done", "team")


def test_with_a_card_the_plan_changes_at_once(simulator: SimulatorClient, free: SubscriptionFact) -> None:
    connect(free.account_id, at=AT)
    keep_card(simulator, free.account_id, at=AT)
    assert (click(free).state, find_plan(free)) == ("done", "team")
    assert simulator.client().v1.checkout.sessions.list().data == []


def test_a_version_that_is_not_the_one_on_offer_is_refused(free: SubscriptionFact) -> None:
    with pytest.raises(UpgradeRefused, match="offer has changed"):
        click(free, version_id=free.version_id)
    assert not StripeCheckout.objects.exists()


def test_an_upgrade_is_told_with_what_it_costs(free: SubscriptionFact) -> None:
    offer = find_upgrade(free.account_id, "team", at=AT)
    assert offer.needs_card
    [fee] = [part for part in offer.preview.charges if part.fee.amount_minor]
    assert (fee.fee.amount_minor, 0 < fee.amount_minor < 4900) == (4900, True)


def test_only_a_plan_that_asks_nothing_is_left_like_this(free: SubscriptionFact) -> None:
    assert list_upgrades(free.account_id, at=AT) == ["team"]
    switching.change_plan(free.id, "team", at=AT)
    assert list_upgrades(free.account_id, at=AT) == []
    with pytest.raises(UpgradeRefused):
        click(free)


def test_without_a_key_or_with_a_problem_there_is_no_way(free: SubscriptionFact, settings: Any) -> None:
    StripeCustomer.objects.create(account_id=free.account_id, asked_at=AT, problem="deleted", problem_at=AT)
    assert list_upgrades(free.account_id, at=AT) == []
    StripeCustomer.objects.all().delete()
    settings.STRIPE_SECRET_KEY = ""
    assert (list_upgrades(free.account_id, at=AT), list_origins()) == ([], [])


def test_another_accounts_checkout_is_unknown(free: SubscriptionFact) -> None:
    click(free)
    with pytest.raises(UnknownCheckout):
        read_checkout(free.account_id + 1, TOKEN)
    assert StripeCheckout.objects.get().state == CheckoutState.OPEN


def test_nobody_is_sent_to_a_page_that_is_none_of_stripes(simulator: SimulatorClient, settings: Any) -> None:
    assert require_page(f"{simulator.url}/c/pay/1") == f"{simulator.url}/c/pay/1"
    for url in (
        "https://checkout.stripe.com.evil.example/",
        "javascript:alert(1)",
        "//evil.example",
        f"{simulator.url}@x/",
    ):
        with pytest.raises(ForeignPage):
            require_page(url)
    settings.STRIPE_API_BASE = "https://api.stripe.com"
    settings.STRIPE_PAGE_ORIGINS = ["https://pay.vendor.example"]
    assert require_page("https://checkout.stripe.com/c/1") == "https://checkout.stripe.com/c/1"
    assert require_page("https://pay.vendor.example/c/1") == "https://pay.vendor.example/c/1"
