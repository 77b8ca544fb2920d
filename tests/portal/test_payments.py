"""Moving to a plan by a card, and changing it: who may, what is said, and where one is sent."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.cache import cache

from billing.models import StripeCheckout, StripeCustomer, Subscription
from billing.plans import create_plan
from billing.rating import flat_fee
from billing.subscriptions import create_subscription
from portal.models import Role
from tests.billing.stripe.makers import connect, enter_card, keep_card
from tests.portal import makers
from tests.portal.makers import read, squeeze

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]
PAGE = "/a/acme/plans/scale/upgrade/"


@pytest.fixture
def free(account, simulator):
    """The account is on a plan that asks nothing; Scale at 60.00 is on offer."""
    cache.clear()
    makers.make_meters()
    for rank, (slug, fee) in enumerate([("free", "0"), ("scale", "60")], start=1):
        create_plan(
            slug=slug,
            name=slug.title(),
            rank=rank,
            currency="EUR",
            prices=[flat_fee("Base fee", Decimal(fee))],
            at=makers.SEPTEMBER,
        )
    makers.set_profile(account_id=account.id, legal_name="Acme")
    simulator.set_time(makers.NOV_10)
    return create_subscription(account_id=account.id, plan_slug="free", started_at=makers.NOVEMBER, at=makers.NOV_10)


def click(client, *, token=None, page=PAGE, version=None):
    form = client.get(page).context
    version = version or form["offer"].terms.version_id
    return client.post(page, {"token": str(token or form["token"]), "version": version})


def test_the_way_there_is_on_the_plans_page(free, owner):
    assert f'href="{PAGE}"' in read(owner, "/a/acme/plans/")


def test_what_it_costs_is_told_before_the_click(free, owner):
    text = squeeze(read(owner, PAGE))
    assert "Charged today €0.00" in text
    # 20.5 of 30 days of 60.00
    assert "Base fee, for the rest of this period €41.00" in text
    assert "Continue to the card" in text


def test_a_click_leads_to_stripes_page_and_back_to_the_plan(free, owner):
    answer = click(owner)
    assert answer.status_code == 302
    back = enter_card(answer["Location"])
    assert back.startswith("http://testserver/a/acme/checkout/")
    assert "You are on Scale now" in read(owner, back.removeprefix("http://testserver"))
    assert Subscription.objects.get().version.plan.slug == "scale"
    assert "Invoices are collected from Visa ending in 4242" in squeeze(read(owner, "/a/acme/invoices/"))


def test_back_before_stripe_confirmed_it_says_so_and_changes_nothing(free, owner):
    click(owner)
    token = StripeCheckout.objects.get().token
    assert "Waiting for confirmation" in read(owner, f"/a/acme/checkout/{token}/")
    assert "Nothing has changed" in read(owner, f"/a/acme/checkout/{token}/cancelled/")
    assert Subscription.objects.get().version.plan.slug == "free"


def test_a_double_click_is_one_page(free, owner):
    token = uuid4()
    assert click(owner, token=token)["Location"] == click(owner, token=token)["Location"]
    assert StripeCheckout.objects.count() == 1


def test_the_form_may_lead_to_stripes_pages_and_nowhere_else(free, owner, simulator):
    policy = owner.get(PAGE)["Content-Security-Policy"]
    assert f"form-action 'self' {simulator.url};" in f"{policy};"
    assert simulator.url not in owner.get("/a/acme/")["Content-Security-Policy"]


@pytest.mark.parametrize(("role", "status"), [(Role.BILLING, 403), (Role.DEVELOPER, 403), (Role.VIEWER, 403)])
def test_only_the_owner_moves_to_another_plan(free, account, role, status):
    [member] = makers.log_in(makers.make_member(account, role))
    assert member.get(PAGE).status_code == status
    assert member.post(PAGE, {"token": str(uuid4()), "version": 1}).status_code == status
    assert member.get(f"/a/acme/checkout/{uuid4()}/").status_code == status
    assert not StripeCheckout.objects.exists()


def test_another_accounts_checkout_is_not_found(free, owner, account):
    click(owner)
    other = makers.make_account("other")
    [stranger] = makers.log_in(makers.make_member(other))
    token = StripeCheckout.objects.get().token
    assert stranger.get(f"/a/other/checkout/{token}/").status_code == 404
    assert stranger.get(f"/a/acme/checkout/{token}/").status_code == 404


@pytest.mark.parametrize("form", [{}, {"token": "x", "version": "1"}, {"token": str(uuid4()), "version": "1; DROP"}])
def test_a_form_that_is_none_of_ours_is_refused(free, owner, form):
    assert owner.post(PAGE, form).status_code == 400
    assert not StripeCheckout.objects.exists()


def test_who_clicks_too_often_waits(free, owner):
    offers = owner.get(PAGE).context["offer"].terms.version_id
    answers = [owner.post(PAGE, {"token": str(uuid4()), "version": offers}) for _ in range(11)]
    assert [answer["Location"] == PAGE for answer in answers] == [False] * 10 + [True]
    assert StripeCheckout.objects.count() == 10


def test_while_stripe_does_not_answer_nothing_changes(free, owner, settings):
    settings.STRIPE_API_BASE = settings.STRIPE_METER_EVENTS_BASE = "http://127.0.0.1:9"
    answer = click(owner)
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert "The payment service does not answer" in read(owner, PAGE)
    assert Subscription.objects.get().version.plan.slug == "free"


def test_the_payment_method_is_changed_on_stripes_page(free, owner, account, simulator):
    connect(account.id, at=makers.NOV_10)
    assert "No card is kept" in read(owner, "/a/acme/invoices/")
    answer = owner.post("/a/acme/payment-method/", {"token": str(uuid4())})
    assert answer["Location"].startswith(f"{simulator.url}/p/session/")
    keep_card(simulator, account.id, at=makers.NOV_10)
    StripeCustomer.objects.update(payment_method_id="", card_brand="", card_last4="", card_expires=None)
    assert owner.get("/a/acme/payment-method/returned/")["Location"] == "/a/acme/invoices/"
    assert "Visa ending in 4242" in squeeze(read(owner, "/a/acme/invoices/"))


def test_without_a_key_there_are_no_buttons(free, owner, account, settings):
    connect(account.id, at=makers.NOV_10)
    settings.STRIPE_SECRET_KEY = ""
    assert "How you pay" not in read(owner, "/a/acme/invoices/")
    assert "upgrade" not in read(owner, "/a/acme/plans/")
    assert owner.get(PAGE)["Location"] == "/a/acme/plans/"
