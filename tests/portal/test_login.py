"""One log-in for staff and customers."""

import re

import pytest
from django.core import mail
from django.test import Client

from portal.models import User
from tests.portal import makers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_attempts_counted")]


def log_in(client: Client, *, email: str = "olivia@example.com", password: str = makers.PASSWORD, **extra):
    return client.post("/accounts/login/", {"login": email, "password": password, **extra})


def test_a_customer_logs_in_by_e_mail_whatever_its_case_and_lands_on_the_account():
    makers.make_member(makers.make_account("acme"), email="olivia@example.com")
    client = Client()
    assert log_in(client, email="Olivia@Example.com")["Location"] == "/"
    assert client.get("/")["Location"] == "/a/acme/"
    assert mail.outbox == []


def test_the_page_one_came_for_opens_after_log_in():
    makers.make_user()
    assert log_in(Client(), next="/a/acme/invoices/")["Location"] == "/a/acme/invoices/"


def test_log_in_leads_to_no_other_site():
    makers.make_user()
    assert log_in(Client(), next="https://evil.example/")["Location"] == "/"


def test_a_wrong_password_is_said_beside_the_form_and_does_not_say_who_exists():
    makers.make_user()
    known, unknown = Client(), Client()
    pages = [
        log_in(known, password="wrong").content.decode(),
        log_in(unknown, email="nobody@example.com", password="wrong").content.decode(),
    ]
    for page in pages:
        assert "The email address and/or password you specified are not correct." in page
        assert 'class="errorlist nonfield"' in page


def test_many_wrong_passwords_are_refused_even_with_the_right_one_after():
    makers.make_user()
    client = Client()
    for _ in range(10):
        log_in(client, password="wrong")
    page = log_in(client).content.decode()
    assert "Too many failed login attempts" in page
    assert client.get("/").status_code == 302


def test_someone_inactive_does_not_get_in():
    user = makers.make_user()
    user.is_active = False
    user.save()
    client = Client()
    log_in(client)
    assert client.get("/")["Location"] == "/accounts/login/?next=/"


def test_sign_up_is_closed_and_says_how_to_get_in():
    answer = Client().get("/accounts/signup/")
    assert answer.status_code == 200
    assert "Sign-up is by invitation" in answer.content.decode()
    Client().post("/accounts/signup/", {"email": "new@example.com", "password1": "x" * 20, "password2": "x" * 20})
    assert not User.objects.filter(email="new@example.com").exists()


def test_a_forgotten_password_is_replaced_by_the_link_in_the_mail():
    makers.make_user()
    client = Client()
    client.post("/accounts/password/reset/", {"email": "olivia@example.com"})
    [message] = mail.outbox
    assert message.subject.endswith("Choose a new password for Palier")
    [link] = re.findall(r"http://testserver(/accounts/password/reset/key/\S+)", message.body)
    form = client.get(link)["Location"]
    page = client.get(form).content.decode()
    assert "Choose a new password" in page
    client.post(form, {"password1": "another-horse-battery", "password2": "another-horse-battery"})
    assert log_in(Client(), password="another-horse-battery")["Location"] == "/"
    assert "This link does not work any more" in Client().get(link).content.decode()


def test_asking_for_a_link_does_not_say_who_exists():
    makers.make_user()
    answers = [
        Client().post("/accounts/password/reset/", {"email": email})
        for email in ("olivia@example.com", "no@example.com")
    ]
    assert {answer["Location"] for answer in answers} == {"/accounts/password/reset/done/"}
    assert [message.to for message in mail.outbox] == [["olivia@example.com"]]


def test_a_short_password_is_refused_with_the_reason():
    user = makers.make_user()
    [client] = makers.log_in(user)
    page = client.post(
        "/accounts/password/change/", {"oldpassword": makers.PASSWORD, "password1": "short", "password2": "short"}
    ).content.decode()
    assert "at least 12 characters" in page
    user.refresh_from_db()
    assert user.check_password(makers.PASSWORD)


def test_log_out_asks_first_and_then_forgets():
    [client] = makers.log_in(makers.make_user())
    assert "Log out?" in client.get("/accounts/logout/").content.decode()
    assert client.get("/").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/")["Location"] == "/accounts/login/?next=/"


@pytest.mark.parametrize(
    "address",
    ["login/", "signup/", "password/reset/", "password/reset/done/", "password/reset/key/done/", "inactive/"],
)
def test_pages_before_log_in_have_our_frame_in_the_readers_language(address):
    page = Client().get(f"/accounts/{address}", headers={"accept-language": "fr"}).content.decode()
    assert '<html lang="fr">' in page
    assert 'class="skip-link"' in page
    assert "palier/palier.css" in page


@pytest.mark.parametrize("address", ["email/", "password/change/", "logout/", "reauthenticate/"])
def test_pages_after_log_in_have_our_frame(address):
    [client] = makers.log_in(makers.make_user())
    page = client.get(f"/accounts/{address}").content.decode()
    assert 'class="skip-link"' in page
    assert "<h1>" in page
