"""A plan version's pages: when it is on offer, how it differs from others, and moving who is on it."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from billing import plans
from billing.models import PlanVersion, Price, Subscription, Tier
from billing.rating import flat_fee
from jobs.models import Job
from jobs.runner import run_job
from tests.billing.makers import BASE_FEE, REQUESTS, make_plan, make_subscription
from tests.billing.test_admin import make_person, show

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 11, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def chief(client):
    client.force_login(make_person("chief@vendor.example", is_superuser=True))
    return client


@pytest.fixture
def plan():
    return make_plan(prices=[flat_fee("Base fee", Decimal(31))], limits=[])


def add_draft(plan, amount=62):
    """The next version of the same plan, at another fee."""
    owner = PlanVersion.objects.get(pk=plan.version_id).plan_id
    prices = [flat_fee("Base fee", Decimal(amount)), flat_fee("Support", Decimal(5))]
    return plans.add_version(plan_id=owner, currency="EUR", prices=prices)


def open_page(client, name, version_id, **fields):
    address = reverse(f"admin:billing_version_{name}", args=[version_id])
    return client.post(address, fields, follow=True) if fields else client.get(address)


def test_a_draft_is_scheduled_after_a_question(chief, plan):
    draft = add_draft(plan)
    page = open_page(chief, "offer", draft, offered_from="2026-03-01T00:00").content.decode()
    assert "It can never be changed after that." in page
    assert "March 1, 2026" in page
    assert "€62.00 per period" in page
    assert PlanVersion.objects.get(pk=draft).published_at is None
    open_page(chief, "offer", draft, offered_from="2026-03-01T00:00", confirmed="yes")
    version = PlanVersion.objects.get(pk=draft)
    assert (version.published_at, version.offered_from) == (NOW, datetime(2026, 3, 1, tzinfo=UTC))
    assert LogEntry.objects.filter(object_id=str(draft)).exists()


def test_a_draft_that_cannot_be_published_says_why(chief, plan):
    owner = PlanVersion.objects.get(pk=plan.version_id).plan_id
    empty = plans.add_version(plan_id=owner, currency="EUR", prices=[])
    page = open_page(chief, "offer", empty, offered_from="", confirmed="yes").content.decode()
    assert "has no price" in page
    past = add_draft(plan)
    page = open_page(chief, "offer", past, offered_from="2026-01-01T00:00", confirmed="yes").content.decode()
    assert "cannot be offered before it is published" in page


def test_a_version_is_retired_after_a_question_that_counts_its_subscribers(chief, plan):
    make_subscription(plan=plan)
    assert "1 subscriber stays on it." in open_page(chief, "retire", plan.version_id).content.decode()
    assert PlanVersion.objects.get().retired_at is None
    open_page(chief, "retire", plan.version_id, confirmed="yes")
    assert PlanVersion.objects.get().retired_at == NOW


def test_versions_stand_side_by_side_and_what_changed_is_marked(chief, plan):
    draft = add_draft(plan)
    response = open_page(chief, "history", draft)
    rows = {name: [(cell.text, cell.change) for cell in cells] for name, cells in response.context["rows"]}
    assert rows["Base fee"] == [("€31.00 per period", ""), ("€62.00 per period", "changed")]
    assert rows["Support"] == [("", ""), ("€5.00 per period", "new")]
    assert rows["period"] == [("month", ""), ("month", "")]
    assert "changed" in response.content.decode()


def test_subscribers_are_moved_after_a_dry_run_each_by_a_job(chief, plan):
    subscriptions = [make_subscription(key, plan=plan).id for key in ("acme", "beta")]
    new = plans.publish_version(add_draft(plan), at=NOW).version_id
    terms = {"plan": "growth", "when": "now", "once": str(uuid4())}
    page = open_page(chief, "move", plan.version_id, **terms).content.decode()
    assert "2 subscribers go from Growth v1 to Growth v2:" in page
    assert "€31.00 per period → €62.00 per period" in page
    assert page.count("€24.39") == 2  # 42.00 and 3.39 for the 21 of 31 days that are left, less 21.00 of the old fee
    assert set(Subscription.objects.values_list("version_id", flat=True)) == {plan.version_id}
    for _ in range(2):
        open_page(chief, "move", plan.version_id, **terms, confirmed="yes")
    assert Job.objects.filter(kind="billing.move_subscriber").count() == 2
    for job in Job.objects.filter(kind="billing.move_subscriber"):
        run_job(job.pk, clock=lambda: NOW)
    moved = Subscription.objects.filter(pk__in=subscriptions, version_id=new)
    assert moved.count() == 2
    assert moved.first().changes.get(move="plan_changed").made_by.email == "chief@vendor.example"


def test_who_cannot_be_moved_is_shown_with_the_reason(chief, plan):
    subscription = make_subscription(plan=plan)
    plans.publish_version(add_draft(plan), at=NOW)
    Subscription.objects.filter(pk=subscription.id).update(state="paused")
    page = open_page(chief, "move", plan.version_id, plan="growth", when="now", once=str(uuid4())).content.decode()
    assert "cannot be moved" in page
    assert "The subscription is paused." in page


@pytest.mark.parametrize("name", ["offer", "retire", "move"])
def test_who_may_only_look_reaches_no_page_that_acts(client, plan, name):
    make_subscription(plan=plan)
    client.force_login(make_person("reader@vendor.example", permissions=["view_planversion"]))
    assert open_page(client, name, plan.version_id).status_code == 403
    assert open_page(client, name, plan.version_id, confirmed="yes").status_code == 403
    page = show(client, "planversion", plan.version_id)
    assert "Compare versions" in page
    assert not [each for each in ("Retire<", "Move its subscribers") if each in page]


def edit_tiers(client, price, rows):
    data = {"rows-TOTAL_FORMS": 0, "rows-INITIAL_FORMS": 0, "tiers-TOTAL_FORMS": len(rows)}
    data["tiers-INITIAL_FORMS"] = sum(1 for tier, *_rest in rows if tier)
    for number, (tier, position, end) in enumerate(rows):
        row = {"id": tier.pk if tier else "", "price": price.pk, "position": position, "up_to": end}
        row |= {"unit_amount": "1", "flat_amount": "0"}
        data |= {f"tiers-{number}-{name}": value for name, value in row.items()}
    form = client.get(reverse("admin:billing_price_change", args=[price.pk])).context["adminform"].form
    for field in form:
        value = field.value()
        data[field.html_name] = "" if value is None else ",".join(value) if isinstance(value, list) else value
    return client.post(reverse("admin:billing_price_change", args=[price.pk]), data)


@pytest.fixture
def tiered(plan):
    owner = PlanVersion.objects.get(pk=plan.version_id).plan_id
    draft = plans.add_version(plan_id=owner, currency="EUR", prices=[BASE_FEE, REQUESTS])
    return Price.objects.get(version_id=draft, description="Requests")


def read_ends(price):
    return [tier.up_to for tier in Tier.objects.filter(price=price).order_by("position")]


def test_an_end_may_become_that_of_the_next_tier_which_moves_on(chief, tiered):
    first, second, last = tiered.tiers.order_by("position")
    answer = edit_tiers(chief, tiered, [(first, 1, "100000"), (second, 2, "200000"), (last, 3, "")])
    assert answer.status_code == 302, answer.context["inline_admin_formsets"][0].formset.errors
    assert read_ends(tiered) == [100_000, 200_000, None]


def test_a_tier_is_put_before_the_others(chief, tiered):
    first, second, last = tiered.tiers.order_by("position")
    rows = [(first, 2, "10000"), (second, 3, "100000"), (last, 4, ""), (None, 1, "500")]
    answer = edit_tiers(chief, tiered, rows)
    assert answer.status_code == 302, answer.context["inline_admin_formsets"][0].formset.errors
    assert read_ends(tiered) == [500, 10_000, 100_000, None]


def test_two_tiers_at_one_position_are_told_at_the_row(chief, tiered):
    first, second, last = tiered.tiers.order_by("position")
    answer = edit_tiers(chief, tiered, [(first, 1, "10000"), (second, 1, "100000"), (last, 3, "")])
    assert answer.context["inline_admin_formsets"][0].formset.errors[1] == {
        "position": ["Another tier has this position."]
    }
    assert read_ends(tiered) == [10_000, 100_000, None]
