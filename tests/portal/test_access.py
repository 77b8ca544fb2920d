"""Nobody sees another account's rows: every address of the portal and of the API, walked by four people."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from billing.credit_notes import issue_credit_note
from billing.invoicing import list_invoices
from portal.access import get_membership_or_404
from portal.models import Role
from tests.portal import makers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]

METHODS = ("get", "post", "put", "patch", "delete")
REFUSED_METHOD = 405
TO_STRIPE = ("/upgrade/", "/checkout/", "/payment-method/")
BUTTONS = ("/alerts/mail/", "/alerts/test/", "/remove/", "/restore/")


@pytest.fixture
def theirs():
    """The account of others, with usage and one invoice."""
    account = makers.make_account("theirs")
    makers.subscribe(account, started_at=makers.SEPTEMBER, at=makers.SEPTEMBER)
    makers.use(account, 7)
    [invoice] = makers.issue_invoices(account)
    issue_credit_note(invoice.id, destination="due", reason="gift", key="1", amount_minor=100, at=makers.NOV_10)
    return account


def walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, route)
        else:
            yield route, entry


def list_addresses(prefix: str, *, account_key: str, invoice_number: str) -> list[str]:
    """Every address below the prefix, filled with another account's keys; a new kind of argument must be added here."""
    values = {
        "<name:account_key>": account_key,
        "<slug:meter_key>": "requests",
        "<slug:plan_slug>": "growth",
        "<uuid:token>": "0b0f4a3e-58a5-4a52-9a3e-0d2f5f6c7a11",
        "<name:number>": invoice_number,
        "<name:note_number>": "CN-2026-000001",
        "<str:account_key>": account_key,
        "<uuid:reservation_id>": "0b0f4a3e-58a5-4a52-9a3e-0d2f5f6c7a11",
        "<int:budget_id>": "1",
        "<path:source>": "test",
        "<path:id>": "1",
    }
    addresses = []
    for route, _pattern in walk(get_resolver().url_patterns):
        if not route.startswith(prefix):
            continue
        for argument, value in values.items():
            route = route.replace(argument, value)
        assert "<" not in route, f"{route} has an argument that this test does not know"
        addresses.append(f"/{route}")
    return addresses


def account_addresses(account) -> list[str]:
    [first, *_] = list_invoices(account_id=account.id)
    return list_addresses("a/", account_key=account.key, invoice_number=first.number)


def list_screens(account) -> list[str]:
    """Those that only show; what leads to Stripe's pages and back is tried in test_payments, buttons in test_alerts."""
    return [each for each in account_addresses(account) if not any(part in each for part in TO_STRIPE + BUTTONS)]


def count_rows() -> dict[str, int]:
    """Of every table but the sessions and the buckets, which a request may well touch."""
    return {
        model._meta.label: model._base_manager.count()
        for model in apps.get_models()
        if model.__name__ not in {"Session", "TokenBucket"}
    }


def test_the_walk_finds_the_screens(theirs):
    assert account_addresses(theirs) == [
        "/a/theirs/",
        "/a/theirs/usage/requests/",
        "/a/theirs/plans/",
        "/a/theirs/plans/growth/upgrade/",
        "/a/theirs/checkout/0b0f4a3e-58a5-4a52-9a3e-0d2f5f6c7a11/",
        "/a/theirs/checkout/0b0f4a3e-58a5-4a52-9a3e-0d2f5f6c7a11/cancelled/",
        "/a/theirs/payment-method/",
        "/a/theirs/payment-method/returned/",
        "/a/theirs/invoices/",
        "/a/theirs/invoices/2026-000001/",
        "/a/theirs/invoices/2026-000001/page/",
        "/a/theirs/invoices/2026-000001/pdf/",
        "/a/theirs/invoices/2026-000001/evidence/",
        "/a/theirs/credit-notes/CN-2026-000001/",
        "/a/theirs/credit-notes/CN-2026-000001/pdf/",
        "/a/theirs/statement/",
        "/a/theirs/statement/pdf/",
        "/a/theirs/budgets/",
        "/a/theirs/budgets/1/remove/",
        "/a/theirs/budgets/1/restore/",
        "/a/theirs/alerts/",
        "/a/theirs/alerts/mail/",
        "/a/theirs/alerts/test/",
        "/a/theirs/events/",
        "/a/theirs/events/event/",
        "/a/theirs/sending/",
    ]


@pytest.mark.parametrize("method", METHODS)
def test_a_stranger_gets_404_for_every_address_of_the_account_and_nothing_changes(theirs, method):
    own = makers.make_account("own")
    [stranger] = makers.log_in(makers.make_member(own, Role.OWNER))
    before = count_rows()
    for address in account_addresses(theirs):
        assert getattr(stranger, method)(address).status_code in {404, REFUSED_METHOD}, address
        if method == "get":
            assert stranger.get(address).status_code == 404, address
    assert count_rows() == before


def test_a_stranger_reads_the_same_page_for_anothers_account_as_for_none(theirs):
    [stranger] = makers.log_in(makers.make_member(makers.make_account("own"), Role.OWNER))
    answers = [stranger.get(f"/a/{key}/") for key in ("theirs", "nobodys")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert all("theirs" not in answer.content.decode() for answer in answers)


def test_another_accounts_invoice_is_not_found_below_ones_own_account(theirs):
    own = makers.make_account("own")
    [owner] = makers.log_in(makers.make_member(own, Role.OWNER))
    assert owner.get("/a/own/invoices/2026-000001/").status_code == 404


def test_staff_without_a_membership_get_404_in_the_portal(theirs):
    [staff] = makers.log_in(makers.make_user("staff@example.com", is_staff=True))
    assert {staff.get(address).status_code for address in account_addresses(theirs)} == {404}


def test_anonymous_people_are_sent_to_log_in_and_back(theirs):
    for address in account_addresses(theirs):
        answer = Client().get(address)
        assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={address}")


def test_owners_open_every_screen(theirs):
    [owner] = makers.log_in(makers.make_member(theirs, Role.OWNER))
    assert {owner.get(address).status_code for address in list_screens(theirs)} == {200}


def test_billing_opens_what_money_is_on(theirs):
    [member] = makers.log_in(makers.make_member(theirs, Role.BILLING))
    answers = {address: member.get(address).status_code for address in list_screens(theirs)}
    assert answers == {
        "/a/theirs/": 200,
        "/a/theirs/usage/requests/": 200,
        "/a/theirs/plans/": 200,
        "/a/theirs/invoices/": 200,
        "/a/theirs/invoices/2026-000001/": 200,
        "/a/theirs/invoices/2026-000001/page/": 200,
        "/a/theirs/invoices/2026-000001/pdf/": 200,
        "/a/theirs/invoices/2026-000001/evidence/": 200,
        "/a/theirs/credit-notes/CN-2026-000001/": 200,
        "/a/theirs/credit-notes/CN-2026-000001/pdf/": 200,
        "/a/theirs/statement/": 200,
        "/a/theirs/statement/pdf/": 200,
        "/a/theirs/budgets/": 200,
        "/a/theirs/alerts/": 200,
        "/a/theirs/events/": 403,
        "/a/theirs/events/event/": 403,
        "/a/theirs/sending/": 403,
    }


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
def test_other_roles_see_usage_and_are_told_that_invoices_are_not_theirs(theirs, role):
    [member] = makers.log_in(makers.make_member(theirs, role))
    answers = {address: member.get(address) for address in list_screens(theirs)}
    assert {address: answer.status_code for address, answer in answers.items()} == {
        "/a/theirs/": 200,
        "/a/theirs/usage/requests/": 200,
        "/a/theirs/plans/": 403,
        "/a/theirs/invoices/": 403,
        "/a/theirs/invoices/2026-000001/": 403,
        "/a/theirs/invoices/2026-000001/page/": 403,
        "/a/theirs/invoices/2026-000001/pdf/": 403,
        "/a/theirs/invoices/2026-000001/evidence/": 403,
        "/a/theirs/credit-notes/CN-2026-000001/": 403,
        "/a/theirs/credit-notes/CN-2026-000001/pdf/": 403,
        "/a/theirs/statement/": 200,
        "/a/theirs/statement/pdf/": 200,
        "/a/theirs/budgets/": 403,
        "/a/theirs/alerts/": 200,
        "/a/theirs/events/": 200,
        "/a/theirs/events/event/": 200,
        "/a/theirs/sending/": 200 if role == Role.DEVELOPER else 403,
    }
    assert "Your role does not open this page" in answers["/a/theirs/invoices/"].content.decode()
    pages = [answer for answer in answers.values() if answer["Content-Type"].startswith("text/html")]
    assert len(pages) == len(answers) - 1
    assert "€" not in "".join(page.content.decode() for page in pages)


@pytest.mark.parametrize("key", ["%00", "th%00eirs", "..", "%F0%9F%92%A5", "x" * 121, "theirs%2F", "THEIRS"])
def test_a_key_that_none_can_have_is_not_found(theirs, key):
    [owner] = makers.log_in(makers.make_member(theirs))
    assert owner.get(f"/a/{key}/").status_code == 404


def test_a_member_who_left_is_a_stranger(theirs):
    user = makers.make_member(theirs)
    [client] = makers.log_in(user)
    user.memberships.all().delete()
    assert client.get("/a/theirs/").status_code == 404


def test_someone_who_was_deactivated_is_anonymous(theirs):
    user = makers.make_member(theirs)
    [client] = makers.log_in(user)
    user.is_active = False
    user.save()
    assert client.get("/a/theirs/").status_code == 302


def test_the_screens_only_read(theirs):
    [owner] = makers.log_in(makers.make_member(theirs))
    before = count_rows()
    for address in list_screens(theirs):
        owner.get(address)
        if not address.endswith("/budgets/"):
            assert owner.post(address).status_code == REFUSED_METHOD
    assert count_rows() == before


def test_no_screen_is_kept_by_a_shared_cache(theirs):
    [owner] = makers.log_in(makers.make_member(theirs))
    for address in list_screens(theirs):
        assert "private" in owner.get(address)["Cache-Control"]


@pytest.mark.parametrize("method", METHODS)
def test_the_api_answers_nobody_without_a_key_not_even_an_owner_who_is_logged_in(theirs, method):
    [owner] = makers.log_in(makers.make_member(theirs))
    before = count_rows()
    addresses = list_addresses("api/v1/", account_key="theirs", invoice_number="2026-000001")
    assert "/api/v1/events" in addresses
    for address in addresses:
        for client in (Client(), owner):
            assert getattr(client, method)(address).status_code in {401, REFUSED_METHOD}, address
    assert Client().post("/api/v1/events", [], content_type="application/json").status_code == 401
    assert count_rows() == before


def test_the_one_helper_finds_a_membership_in_one_query(theirs, django_assert_num_queries):
    user = makers.make_member(theirs, Role.VIEWER)
    with django_assert_num_queries(1):
        membership = get_membership_or_404(user, "theirs")
        assert (membership.account.key, membership.role) == ("theirs", "viewer")
