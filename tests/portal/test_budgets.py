"""What an account means to spend, as its people say and see it."""

from decimal import Decimal

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.budgets import list_budget_changes, list_budgets, set_budget
from metering.alerts import list_alerts
from metering.meters import find_meter
from portal import budget_views
from portal.models import Role
from portal.notices import find_members
from tests.metering.notices.makers import do_jobs
from tests.portal import makers
from tests.portal.makers import NOV_10, read, squeeze

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]

PAGE = "/a/acme/budgets/"


@pytest.fixture
def spender(account):
    """49.00 of fees, and 200 requests beyond the included hundred at 0.02."""
    makers.subscribe(account)
    makers.use(account, 300)
    return account


def say(client, **fields):
    return client.post(PAGE, {"meter": "", "amount": "", "levels": ""} | fields)


def test_a_budget_is_kept_and_shown_with_what_was_spent_of_it(spender, owner):
    assert say(owner, amount="66.25", levels="50, 75 %")["Location"] == PAGE
    text = squeeze(read(owner, PAGE))
    assert "Spent so far €53.00" in text
    assert "Everything 80 % · nearly spent €53.00 of €66.25" in text
    assert "Left €13.25" in text
    assert "Also told at 50 %, 75 %" in text
    assert "2026-11-10 12:00:00 Everything €66.25 Owner" in text
    [budget] = list_budgets([spender.id])
    assert (budget.amount_minor, budget.levels) == (6625, (Decimal(50), Decimal(75)))


def test_one_meter_has_a_budget_of_its_own(spender, owner):
    say(owner, amount="8", meter=str(find_meter("requests").id))
    assert "Requests 50 % €4.00 of €8.00" in squeeze(read(owner, PAGE))


def test_what_is_spent_already_is_told_at_once(spender, owner):
    say(owner, amount="40")
    assert [(int(fact.level), fact.cause) for fact in list_alerts([spender.id])] == [(125, "limit_is_new")]
    assert "Your budget: 125 % reached" in squeeze(read(owner, "/a/acme/"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amount": ""}, "This field is required."),
        ({"amount": "much"}, "Enter an amount, such as 250."),
        ({"amount": "NaN"}, "A budget is more than nothing, and no more than can be billed."),
        ({"amount": "-5"}, "A budget is more than nothing, and no more than can be billed."),
        ({"amount": "1e300"}, "A budget is more than nothing, and no more than can be billed."),
        ({"amount": "1.005"}, "EUR has no such small part."),
        ({"amount": "5", "levels": "lots"}, "Enter percentages, such as 50 90."),
        ({"amount": "5", "levels": "2000"}, "A level is above 0 and at most 1000 percent"),
        ({"amount": "5", "levels": "NaN"}, "Enter percentages, such as 50 90."),
        ({"amount": "5", "meter": "999999"}, "Select a valid choice."),
    ],
)
def test_what_cannot_be_kept_is_said_at_its_field_and_changes_nothing(spender, owner, fields, words):
    answer = say(owner, **fields)
    assert (answer.status_code, list_budgets([spender.id])) == (422, [])
    assert words in squeeze(answer.content.decode())


def test_an_amount_is_read_as_the_reader_writes_it(spender, owner):
    answer = owner.post(PAGE, {"amount": "1 234,50", "levels": "62,5"}, headers={"accept-language": "fr"})
    assert answer.status_code == 302
    [budget] = list_budgets([spender.id])
    assert (budget.amount_minor, budget.levels) == (123450, (Decimal("62.5"),))


def test_a_removed_budget_can_be_restored(spender, owner):
    budget = set_budget(account_id=spender.id, amount_minor=6625, currency="EUR", at=NOV_10)
    page = squeeze(owner.post(f"{PAGE}{budget.id}/remove/", follow=True).content.decode())
    assert "Below you can restore it." in page
    assert ("No budget so far" in page, list_budgets([spender.id])) == (True, [])
    page = squeeze(owner.post(f"{PAGE}{budget.id}/restore/", follow=True).content.decode())
    assert ("The budget is watched again." in page, list_budgets([spender.id])) == (True, [budget])
    assert [each.is_active for each in list_budget_changes(spender.id)] == [True, False, True]


def test_the_buttons_move_nothing_by_a_link_and_nothing_of_another_account(spender, owner):
    budget = set_budget(account_id=spender.id, amount_minor=6625, currency="EUR", at=NOV_10)
    assert owner.get(f"{PAGE}{budget.id}/remove/")["Location"] == PAGE
    other = makers.make_account("other")
    [stranger] = makers.log_in(makers.make_member(other))
    assert stranger.post(f"/a/other/budgets/{budget.id}/remove/").status_code == 404
    assert list_budgets([spender.id]) == [budget]


def test_only_owners_and_billing_keep_budgets(spender):
    budget = set_budget(account_id=spender.id, amount_minor=6625, currency="EUR", at=NOV_10)
    statuses = {}
    for role in Role.values:
        [client] = makers.log_in(makers.make_member(spender, role))
        statuses[role] = [client.get(PAGE).status_code, say(client, amount="9").status_code]
        if role in (Role.DEVELOPER, Role.VIEWER):
            assert client.post(f"{PAGE}{budget.id}/remove/").status_code == 403
    assert statuses == {
        "owner": [200, 302], "billing": [200, 302], "developer": [403, 403], "viewer": [403, 403],
    }  # fmt: skip


def test_an_account_without_a_subscription_has_nothing_to_spend(account, owner):
    assert "Nothing to spend yet" in squeeze(read(owner, PAGE))
    assert say(owner, amount="9").status_code == 422


def test_a_person_who_says_too_much_in_a_minute_is_told_so(spender, owner, monkeypatch):
    cache.clear()
    monkeypatch.setattr(budget_views, "PER_MINUTE", 1)
    assert [say(owner, amount=amount).status_code for amount in ("70", "80")] == [302, 422]
    assert [each.amount_minor for each in list_budgets([spender.id])] == [7000]


def test_what_tells_of_money_is_for_those_who_see_costs(spender, mailoutbox):
    """Neither banner nor page nor mail says to a developer what the account spends."""
    owner, developer = (makers.make_member(spender, role) for role in (Role.OWNER, Role.DEVELOPER))
    assert [each.sees_money for each in find_members([spender.id], NOV_10)[spender.id]] == [True, False]
    set_budget(account_id=spender.id, amount_minor=4000, currency="EUR", at=NOV_10)
    [at_owner, at_developer] = makers.log_in(owner, developer)
    for page in ("/a/acme/", "/a/acme/alerts/"):
        assert "Your budget" in read(at_owner, page), page
        assert "Your budget" not in read(at_developer, page), page
    do_jobs("metering.tell")
    do_jobs("metering.deliver")
    assert [message.to for message in mailoutbox] == [[owner.email]]


def test_the_page_costs_the_same_however_many_budgets_there_are(spender, owner):
    counts = []
    for meter_id in (None, find_meter("requests").id):
        set_budget(account_id=spender.id, amount_minor=6625, currency="EUR", meter_id=meter_id, at=NOV_10)
        with CaptureQueriesContext(connection) as queries:
            read(owner, PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 60
