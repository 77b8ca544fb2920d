import pytest
from django.test import Client

from portal.models import Membership, Role
from tests.portal import makers

pytestmark = pytest.mark.django_db


def test_the_only_account_opens_at_once():
    [owner] = makers.log_in(makers.make_member(makers.make_account("acme")))
    assert owner.get("/")["Location"] == "/a/acme/"


def test_several_accounts_are_listed_by_name_with_ones_role():
    first, second = makers.make_account("zeta", name="Alpha"), makers.make_account("beta", name="")
    user = makers.make_member(first, Role.BILLING)
    Membership.objects.create(user=user, account_id=second.id, role=Role.VIEWER)
    [client] = makers.log_in(user)
    page = client.get("/").content.decode()
    assert page.index('href="/a/zeta/"') < page.index('href="/a/beta/"')
    assert "Billing" in page
    assert "Viewer" in page


def test_who_has_no_account_is_told_what_to_do():
    [client] = makers.log_in(makers.make_user("new@example.com"))
    page = client.get("/").content.decode()
    assert "No account yet" in page
    assert "<strong>new@example.com</strong>" in page


def test_staff_without_an_account_go_to_the_back_office():
    [client] = makers.log_in(makers.make_user("staff@example.com", is_staff=True))
    assert client.get("/")["Location"] == "/admin/"


def test_staff_with_an_account_go_to_it():
    user = makers.make_user("staff@example.com", is_staff=True)
    Membership.objects.create(user=user, account_id=makers.make_account("acme").id, role=Role.OWNER)
    [client] = makers.log_in(user)
    assert client.get("/")["Location"] == "/a/acme/"


def test_anonymous_people_log_in_first():
    assert Client().get("/")["Location"] == "/accounts/login/?next=/"


def test_the_language_follows_the_browser_and_then_the_switch():
    [client] = makers.log_in(makers.make_user())
    assert '<html lang="fr">' in client.get("/", headers={"accept-language": "fr"}).content.decode()
    answer = client.post("/language/", {"language": "en", "next": "/"}, headers={"accept-language": "fr"})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert '<html lang="en">' in client.get("/", headers={"accept-language": "fr"}).content.decode()


def test_the_language_switch_leads_to_no_other_site():
    answer = Client().post("/language/", {"language": "fr", "next": "https://evil.example/"})
    assert answer["Location"] == "/"
