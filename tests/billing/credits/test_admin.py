import re

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from billing.credits import top_ups
from billing.models import CreditGrant, TopUp, TopUpRule
from billing.moves import mark_paid
from tests.billing.credits.makers import NOON, burn, give, list_entries, read_settled
from tests.billing.makers import make_account
from tests.billing.test_admin import make_person, run_action, show

pytestmark = pytest.mark.django_db

ADD = "admin:billing_creditgrant_add"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def chief(client):
    client.force_login(make_person("chief@vendor.example", is_superuser=True))
    return client


def read_wallet_page(client, account_id):
    return client.get(reverse("admin:billing_wallet", args=[account_id]))


def make_terms(client, **terms):
    once = re.search(r'name="once" value="([^"]+)"', client.get(reverse(ADD)).content.decode())[1]
    wanted = {"account": "acme", "currency": "EUR", "amount": "12.50", "source": "promotion", "priority": "3"}
    return wanted | {"once": once} | terms


def list_log():
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


def test_a_wallet_shows_balances_grants_and_movements(chief):
    grant = give(1_250)
    burn(grant.account_id, 250)
    page = read_wallet_page(chief, grant.account_id).content.decode()
    for text in ["Credit of acme Ltd", "€12.50", "€10.00", "−€2.50", "used for an invoice", "by hand"]:
        assert text in page
    assert reverse("admin:billing_creditgrant_change", args=[grant.id]) in page


def test_a_wallet_without_credit_says_so(chief):
    page = read_wallet_page(chief, make_account().id)
    assert "This account was never granted credit." in page.content.decode()
    assert read_wallet_page(chief, 10**9).status_code == 404


def test_granting_asks_first_and_is_in_the_history(chief):
    account = make_account()
    terms = make_terms(chief, scope="requests, Base fee", note="Sorry")
    asked = chief.post(reverse(ADD), terms).content.decode()
    for text in ["€12.50 of credit is granted to acme Ltd:", "<dd>promotion</dd>", "<dd>requests, Base fee</dd>"]:
        assert text in asked
    assert CreditGrant.objects.count() == 0
    done = chief.post(reverse(ADD), terms | {"confirmed": "yes"})
    assert done.url == reverse("admin:billing_wallet", args=[account.id])
    grant = CreditGrant.objects.get()
    assert (grant.amount_minor, grant.source, grant.priority, grant.effective_at) == (1_250, "promotion", 3, NOON)
    assert (grant.scope, grant.note, grant.made_by.email) == (["Base fee", "requests"], "Sorry", "chief@vendor.example")
    assert list_log() == ["Granted €12.50."]


def test_a_second_click_grants_nothing_more(chief):
    account = make_account()
    terms = make_terms(chief, confirmed="yes")
    for _ in range(2):
        chief.post(reverse(ADD), terms)
    assert read_settled(account.id) == 1_250


def test_the_terms_can_be_changed_before_it_is_granted(chief):
    make_account()
    page = chief.post(reverse(ADD), make_terms(chief, change="yes", confirmed="yes")).content.decode()
    assert 'name="amount" value="12.50"' in page
    assert CreditGrant.objects.count() == 0


def test_credit_that_comes_back_is_granted_in_the_admin(chief):
    make_account()
    terms = make_terms(
        chief, interval="month", rollover_least="2", rollover="5", recurs_until="2026-12-31T00:00", confirmed="yes"
    )
    chief.post(reverse(ADD), terms)
    grant = CreditGrant.objects.get()
    assert (grant.interval, grant.rollover_min_minor, grant.rollover_max_minor, f"{grant.expires_at:%m-%d}") == (
        "month",
        200,
        500,
        "02-10",
    )


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"account": "nobody"}, "No account goes by this name."),
        ({"amount": "1.005"}, "EUR has no unit as small as that."),
        ({"amount": "0"}, "Credit is more than nothing."),
        ({"currency": "EUX"}, "is not a currency code"),
        ({"expires_at": "2026-01-01T00:00"}, "Credit expires after it takes effect."),
        ({"rollover": "5"}, "Only credit that comes back can roll over"),
        ({"rollover_least": "5"}, "Only credit that comes back can roll over"),
        ({"source": "top_up"}, "top_up is not one of the available choices"),
    ],
)
def test_terms_that_make_no_sense_are_told(chief, terms, says):
    make_account()
    assert says in chief.post(reverse(ADD), make_terms(chief, confirmed="yes", **terms)).content.decode()
    assert CreditGrant.objects.count() == 0


def test_voiding_asks_first_and_is_in_the_history(chief):
    grant = give(1_000)
    asked = run_action(chief, "creditgrant", "void", [grant.id]).content.decode()
    assert "What is left of 1 grant is taken back" in asked
    assert read_settled(grant.account_id) == 1_000
    run_action(chief, "creditgrant", "void", [grant.id], confirmed="yes")
    assert list_entries() == [("granted", 1_000), ("voided", -1_000)]
    assert list_log() == ["Voided."]
    again = run_action(chief, "creditgrant", "void", [grant.id], confirmed="yes").content.decode()
    assert "All the selected credit was voided before." in again


def test_a_grants_page_is_read_and_shows_its_entries(chief):
    grant = give(1_000)
    burn(grant.account_id, 300)
    page = show(chief, "creditgrant", grant.id)
    assert "−€3.00" in page
    assert 'name="_save"' not in page
    assert chief.post(reverse("admin:billing_creditgrant_delete", args=[grant.id]), {"post": "yes"}).status_code == 403
    assert (
        chief.post(reverse("admin:billing_creditgrant_change", args=[grant.id]), {"priority": "9"}).status_code == 403
    )


def make_top_up():
    account_id = make_account().id
    rule_id = top_ups.set_rule(account_id=account_id, currency="EUR", threshold_minor=500, amount_minor=2_000)
    return top_ups.ask_top_up(rule_id, 1, at=NOON)


def test_a_top_up_shows_its_invoice_and_what_became_of_it(chief):
    asked = make_top_up()
    page = show(chief, "topup", asked.id)
    assert "waits for payment" in page
    assert reverse("admin:billing_invoice_change", args=[asked.invoice_id]) in page
    mark_paid(asked.invoice_id, method="card", at=NOON)
    assert "waits for payment" not in show(chief, "topup", asked.id)
    assert read_settled(asked.account_id) == 2_000


def test_a_rule_is_written_in_whole_units(chief):
    account = make_account()
    terms = {"account": account.id, "currency": "EUR", "threshold": "5", "amount": "20.5", "is_active": "on"}
    refused = chief.post(reverse("admin:billing_topuprule_add"), terms | {"amount": "0.001"})
    assert "EUR has no unit as small as that." in refused.content.decode()
    chief.post(reverse("admin:billing_topuprule_add"), terms)
    rule = TopUpRule.objects.get()
    assert (rule.threshold_minor, rule.amount_minor, rule.is_active) == (500, 2_050, True)
    page = show(chief, "topuprule", rule.pk)
    assert 'name="amount" value="20.50"' in page
    chief.post(reverse("admin:billing_topuprule_change", args=[rule.pk]), {"threshold": "6", "amount": "7"})
    rule.refresh_from_db()
    assert (rule.threshold_minor, rule.amount_minor, rule.is_active) == (600, 700, False)
    assert "€7.00" in show(chief, "topuprule")


def test_reading_does_not_give_the_right_to_grant_or_to_void(client):
    grant = give(1_000)
    client.force_login(make_person("reader@vendor.example", permissions=["view_creditgrant"]))
    assert "Grant credit" not in read_wallet_page(client, grant.account_id).content.decode()
    assert client.get(reverse(ADD)).status_code == 403
    run_action(client, "creditgrant", "void", [grant.id], confirmed="yes")
    assert list_entries() == [("granted", 1_000)]


def test_settling_a_top_up_needs_the_right_to_change_it(client):
    asked = make_top_up()
    client.force_login(make_person("reader@vendor.example", permissions=["view_topup"]))
    run_action(client, "topup", "settle", [asked.id], confirmed="yes")
    assert read_settled(asked.account_id) == 0


def test_a_wallet_is_closed_to_those_who_may_not_see_credit(client):
    grant = give()
    client.force_login(make_person("other@vendor.example", permissions=["view_invoice"]))
    assert read_wallet_page(client, grant.account_id).status_code == 403


@pytest.mark.parametrize("model", ["creditgrant", "topup", "topuprule"])
def test_lists_cost_the_same_for_one_row_and_for_many(chief, model, django_assert_max_num_queries):
    def add(key):
        account_id = make_account(key).id
        give(account_id=account_id)
        rule_id = top_ups.set_rule(account_id=account_id, currency="EUR", threshold_minor=5, amount_minor=5)
        top_ups.ask_top_up(rule_id, 1, at=NOON)

    add("acme")
    show(chief, model)  # fills the cache of content types
    with django_assert_max_num_queries(50) as few:
        show(chief, model)
    for number in range(4):
        add(f"customer-{number}")
    with django_assert_max_num_queries(len(few.captured_queries)):
        show(chief, model)


def test_a_wallet_tells_the_balance_after_each_movement(chief):
    grant = give(1_250)
    burn(grant.account_id, 250)
    burn(grant.account_id, 100, key="bill 2")
    [wallet] = read_wallet_page(chief, grant.account_id).context["wallets"]
    assert [(amount, held) for _entry, _kind, amount, held in wallet["entries"]] == [
        ("−€1.00", "€9.00"),
        ("−€2.50", "€10.00"),
        ("€12.50", "€12.50"),
    ]


def test_a_wallet_tells_its_rule_of_top_ups_and_what_waits(chief):
    account = make_account()
    assert "No rule asks for top-ups of this account." in read_wallet_page(chief, account.id).content.decode()
    rule = TopUpRule.objects.create(account_id=account.id, currency="EUR", threshold_minor=500, amount_minor=2_000)
    TopUp.objects.create(rule=rule, number=1, amount_minor=2_000, asked_at=NOON)
    page = read_wallet_page(chief, account.id).content.decode()
    assert "Below €5.00 of ongoing balance, €20.00 is asked for." in page
    assert "waits for payment" in page
