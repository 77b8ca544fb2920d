"""The banner, the page of alerts, who hears of them; and that banner and mail say the same."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils.html import escape

from billing.profiles import set_profile
from metering.alerts.facts import read_alerts
from metering.models import Alert, Delivery, Notice
from metering.notices.history import read_banner
from metering.notices.words import word_alert
from portal.models import Membership, Role
from portal.notices import find_members, sign_membership
from tests.metering.notices.makers import DECEMBER, NOVEMBER, do_jobs, make_alert, raise_alert
from tests.portal import makers
from tests.portal.makers import NOV_10, read, squeeze

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]
ALERTS = "/a/acme/alerts/"
HITS = {"hit_low": "2026-11-25T10:00:00Z", "hit_mid": "2026-11-26T20:00:00Z", "hit_high": "2026-11-30T01:00:00Z"}
MONEY = {"meter": None, "subject": "EUR", "details": {"currency": "EUR"}}


def banner() -> list[str]:
    return [
        entry.words.title.replace("\xa0", " ") for entry in read_banner(Alert.objects.all()[0].account_id, at=NOV_10)
    ]


@pytest.fixture
def public(settings) -> Iterator[None]:
    settings.PUBLIC_URL = "https://palier.example"
    return


KINDS = [
    {},
    {"level": "100", "used": "99999"},
    {"used": "333.335", "quantity": "416.6", "time_zone": "Asia/Kolkata"},
    {"kind": "forecast", "level": "100", "p_hit": Decimal("0.86"), "details": HITS},
    {"kind": "spend", "unit": "absolute", "quantity": None, "used": "512.30", **MONEY},
    {"kind": "budget", "used": "81.256", **MONEY},
    {"kind": "credit", "level": "20", "used": "19", "quantity": "100", **MONEY},
    {"kind": "commitment", "level": "70", "used": "65", **MONEY},
    {"kind": "anomaly", "unit": "absolute", "quantity": None, "details": {"actual": "900", "expected": "120"}},
    {"cause": "limit_is_new"},
]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("fields", KINDS, ids=lambda fields: str(fields.get("kind", "usage")))
def test_banner_page_and_mail_state_the_same_percentage_limit_and_reset_date(account, owner, fields, language):
    set_profile(account_id=account.id, legal_name="Acme", language=language)
    alert = make_alert(**fields)
    raise_alert(alert)
    do_jobs("metering.tell")
    delivery = Delivery.objects.get(channel="mail")
    words = word_alert(read_alerts([alert.pk])[alert.pk], language=language)
    dashboard, page = read(owner, language=language), read(owner, ALERTS, language=language)
    for text in (words.title, words.sentence, words.percent, words.limit, words.resets_on, *words.notes):
        assert text in delivery.text
        for html in (delivery.html, dashboard, page):
            assert escape(text) in html


def test_a_higher_level_stands_alone_in_the_banner(account):
    make_alert()
    make_alert(level="100", used="104")
    assert banner() == ["Requests: 100 % of the limit reached"]


def test_what_is_over_of_another_period_snoozed_or_late_is_not_in_the_banner(account):
    make_alert(resolved_at=NOV_10, recovery="fell")
    make_alert(subject="2", starts_at=NOVEMBER - timedelta(days=31), ends_at=NOVEMBER)
    make_alert(subject="3", starts_at=DECEMBER, ends_at=DECEMBER + timedelta(days=31))
    make_alert(subject="4", state="suppressed", silence="snoozed")
    make_alert(subject="5", state="suppressed", silence="late")
    assert banner() == []


def test_what_came_again_a_short_while_after_is_in_the_banner_though_nobody_was_told_again(account):
    make_alert(state="suppressed", silence="flap")
    assert banner() == ["Requests: 80 % of the limit reached"]


def test_a_limit_that_is_reached_says_more_than_that_it_is_likely_to_be(account):
    make_alert(kind="forecast", level="100", p_hit=Decimal("0.9"), severity="warning")
    make_alert(level="100", used="100")
    assert banner() == ["Requests: 100 % of the limit reached"]


def test_the_gravest_is_first(account):
    make_alert(kind="budget", **MONEY)
    make_alert(level="100", used="100")
    assert banner() == ["Requests: 100 % of the limit reached", "Your budget: 80 % reached"]


def test_the_banner_of_an_account_does_not_tell_of_another(account, owner):
    make_alert(account="theirs")
    assert "of the limit reached" not in squeeze(read(owner))
    assert "No alert so far" in read(owner, ALERTS)


def test_the_page_tells_what_became_of_each_alert(account, owner):
    make_alert()
    make_alert(level="100", used="100", resolved_at=NOV_10, recovery="limit_changed")
    make_alert(subject="2", state="suppressed", silence="snoozed")
    make_alert(subject="3", state="superseded")
    text = squeeze(read(owner, ALERTS))
    words = (" goes on ", " over ", " snoozed ", " Over since 10 November 2026, 12:00")
    assert [text.count(word) for word in words] == [1] * 4
    assert "10 November 2026, 12:00" in text


def test_the_page_tells_when_the_members_were_told(account, owner):
    alert = make_alert()
    raise_alert(alert)
    assert "Members will be told 10 November 2026, 12:00" in squeeze(read(owner, ALERTS))
    do_jobs("metering.tell")
    assert "Members told 10 November 2026, 12:00" in squeeze(read(owner, ALERTS))


def test_the_page_goes_on(account, owner):
    for number in range(26):
        make_alert(subject=str(number))
    page = read(owner, ALERTS)
    assert page.count("goes on") == 25
    last = Alert.objects.order_by("-pk")[24].pk
    assert f"?before={last}" in page
    assert read(owner, f"{ALERTS}?before={last}").count("goes on") == 1
    assert read(owner, f"{ALERTS}?before=%C2%B2").count("goes on") == 25


def test_the_page_costs_no_query_per_alert(account, owner, django_assert_max_num_queries):
    for number in range(10):
        raise_alert(make_alert(subject=str(number)))
    read(owner, ALERTS)
    with django_assert_max_num_queries(9):
        read(owner, ALERTS)


@pytest.mark.parametrize(
    ("role", "said", "hears"),
    [
        (Role.OWNER, None, True),
        (Role.BILLING, None, True),
        (Role.DEVELOPER, None, True),
        (Role.VIEWER, None, False),
        (Role.VIEWER, True, True),
        (Role.OWNER, False, False),
    ],
)
def test_members_hear_as_they_said_or_as_their_role_has_it(account, role, said, hears):
    user = makers.make_member(account, role)
    user.memberships.update(alerts_by_mail=said)
    assert bool(find_members([account.id], NOV_10)) is hears


def test_who_may_not_log_in_hears_nothing(account):
    user = makers.make_member(account)
    user.is_active = False
    user.save()
    assert find_members([account.id], NOV_10) == {}


@pytest.mark.usefixtures("public")
def test_a_member_gets_links_in_the_language_of_the_account_and_prices_if_they_may_see_them(account):
    makers.subscribe(account)
    set_profile(account_id=account.id, legal_name="Acme", language="fr")
    makers.make_member(account, Role.OWNER)
    makers.make_member(account, Role.DEVELOPER)
    owner, developer = find_members([account.id], NOV_10)[account.id]
    assert (owner.language, owner.page_url) == ("fr", "https://palier.example/a/acme/alerts/")
    assert (owner.upgrade_url, developer.upgrade_url) == ("https://palier.example/a/acme/plans/", "")
    assert owner.can_upgrade is False  # Growth is the only plan


def test_many_members_of_one_account_cost_what_one_does(account, django_assert_num_queries):
    makers.subscribe(account)
    for role in (Role.OWNER, Role.BILLING, Role.DEVELOPER):
        makers.make_member(account, role)
    find_members([account.id], NOV_10)
    with django_assert_num_queries(11):
        assert len(find_members([account.id], NOV_10)[account.id]) == 3


def press(client: Client, address: str, **values: str) -> str:
    answer = client.post(address, values, follow=True)
    assert answer.redirect_chain == [(ALERTS, 302)]
    return squeeze(answer.content.decode())


def test_each_person_switches_their_own_mails(account, owner):
    other = makers.make_member(account, Role.OWNER, email="other@example.com")
    assert "You hear of this account's alerts at" in squeeze(read(owner, ALERTS)).replace("&#x27;", "'")
    assert "Tell me by e-mail" in press(owner, f"{ALERTS}mail/", by_mail="off")
    assert "Do not tell me by e-mail" in press(owner, f"{ALERTS}mail/", by_mail="on")
    assert owner.post(f"{ALERTS}mail/", {"by_mail": "maybe"}).status_code == 400
    assert other.memberships.get().alerts_by_mail is None


def test_who_comes_to_a_button_by_a_link_is_where_it_is(account, owner):
    for address in (f"{ALERTS}mail/", f"{ALERTS}test/"):
        assert owner.get(address)["Location"] == ALERTS
    assert Notice.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_test_goes_to_who_asks_for_it_alone_and_says_what_it_is(account, owner):
    makers.subscribe(account)
    makers.make_member(account, Role.OWNER, email="other@example.com")
    cache.clear()
    assert "A test is on its way to owner@acme.example.com." in press(owner, f"{ALERTS}test/")
    do_jobs("metering.deliver")
    [sent] = mail.outbox
    assert sent.to == ["owner@acme.example.com"]
    assert sent.subject.startswith("Test: Requests: 80 % of the limit reached – Acme")
    assert "This is a test: nothing has happened." in sent.body
    assert "400 requests used of a limit of 500 requests, 80\xa0%" in sent.body
    assert "Send me a test" in read(owner, ALERTS)
    assert Alert.objects.count() == 0


def test_tests_are_few_in_a_minute(account, owner):
    cache.clear()
    for _ in range(3):
        press(owner, f"{ALERTS}test/")
    assert "tried too often" in press(owner, f"{ALERTS}test/")
    assert Delivery.objects.count() == 3


def test_the_page_of_no_more_mails_ends_them_at_a_click_and_not_at_a_look(account, owner):
    membership = Membership.objects.get()
    address = f"/alerts/no-more/{sign_membership(membership)}/"
    reader = Client(enforce_csrf_checks=True)
    assert "No more mails about alerts?" in reader.get(address).content.decode()
    membership.refresh_from_db()
    assert membership.alerts_by_mail is None

    answer = reader.post(address, {"List-Unsubscribe": "One-Click"})  # as RFC 8058 has it

    assert "hears of the alerts of Acme &amp; Söhne &lt;GmbH&gt; no more" in answer.content.decode()
    membership.refresh_from_db()
    assert membership.alerts_by_mail is False
    assert find_members([account.id], NOV_10) == {}


def test_a_token_of_nobody_ends_nothing(account, owner):
    membership = Membership.objects.get()
    token = sign_membership(membership)
    other = f"{membership.pk + 1}{token[token.index(':') :]}"
    for broken in (other, token[:-1], "1", "%00"):
        assert Client().post(f"/alerts/no-more/{broken}/").status_code == 404
    membership.refresh_from_db()
    assert membership.alerts_by_mail is None
