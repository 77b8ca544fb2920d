import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.models import Membership, Role, User
from tests.portal import makers

pytestmark = pytest.mark.django_db

NO_MEMBERSHIPS = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


@pytest.fixture
def superuser(db) -> Client:
    [client] = makers.log_in(User.objects.create_superuser("root@example.com", makers.PASSWORD))
    return client


@pytest.fixture
def staff(db) -> Client:
    """Somebody who may change people, and is no superuser."""
    person = makers.make_user("staff@example.com", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="portal"))
    [client] = makers.log_in(person)
    return client


@pytest.mark.usefixtures("no_attempts_counted")
def test_a_person_is_added_with_a_password_and_logs_in(superuser):
    answer = superuser.post(
        "/admin/portal/user/add/",
        {
            "email": "new@example.com",
            "name": "New",
            "usable_password": "true",
            "password1": "a-long-enough-one",
            "password2": "a-long-enough-one",
            **NO_MEMBERSHIPS,
        },
    )
    assert answer.status_code == 302
    logged_in = Client().post("/accounts/login/", {"login": "new@example.com", "password": "a-long-enough-one"})
    assert logged_in["Location"] == "/"


def test_a_person_is_given_an_account_on_the_same_page(superuser):
    user, account = makers.make_user(), makers.make_account("acme")
    answer = superuser.post(
        f"/admin/portal/user/{user.pk}/change/",
        {
            "email": user.email,
            "name": "Olivia",
            "is_active": "on",
            "memberships-TOTAL_FORMS": "1",
            "memberships-INITIAL_FORMS": "0",
            "memberships-0-user": user.pk,
            "memberships-0-account": account.id,
            "memberships-0-role": Role.VIEWER,
        },
    )
    assert answer.status_code == 302
    assert Membership.objects.get(user=user).role == "viewer"


def test_a_new_password_is_set_from_the_back_office(superuser):
    user = makers.make_user()
    superuser.post(
        f"/admin/portal/user/{user.pk}/password/",
        {"usable_password": "true", "password1": "a-new-long-one", "password2": "a-new-long-one"},
    )
    user.refresh_from_db()
    assert user.check_password("a-new-long-one")


def test_staff_change_people_and_hand_out_no_rights_not_even_to_themselves(staff):
    me = User.objects.get(email="staff@example.com")
    answer = staff.post(
        f"/admin/portal/user/{me.pk}/change/",
        {"email": me.email, "name": "Renamed", "is_active": "on", "is_superuser": "on", **NO_MEMBERSHIPS},
    )
    me.refresh_from_db()
    assert (answer.status_code, me.name, me.is_superuser, me.is_staff) == (302, "Renamed", False, True)


@pytest.mark.parametrize("is_superuser", [True, False])
def test_staff_neither_change_nor_delete_others_of_the_staff_nor_set_their_password(staff, is_superuser):
    other = User.objects.create_user("other@example.com", makers.PASSWORD, is_staff=True, is_superuser=is_superuser)
    address = f"/admin/portal/user/{other.pk}"
    answers = [
        staff.post(f"{address}/change/", {"email": "mine@example.com", **NO_MEMBERSHIPS}),
        staff.post(f"{address}/delete/", {"post": "yes"}),
        staff.post(
            f"{address}/password/",
            {"usable_password": "true", "password1": "a-new-long-one", "password2": "a-new-long-one"},
        ),
    ]
    other.refresh_from_db()
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert other.email == "other@example.com"
    assert other.check_password(makers.PASSWORD)


def test_staff_do_not_delete_people_by_the_list(staff):
    boss = User.objects.create_superuser("root@example.com", makers.PASSWORD)
    staff.post("/admin/portal/user/", {"action": "delete_selected", "_selected_action": boss.pk, "post": "yes"})
    assert User.objects.filter(pk=boss.pk).exists()


@pytest.mark.parametrize("number", [1, 30])
def test_the_lists_cost_the_same_with_any_number_of_rows(superuser, number):
    for each in range(number):
        makers.make_member(makers.make_account(f"account-{each}"))
    for address in ("/admin/portal/user/", "/admin/portal/membership/"):
        superuser.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert superuser.get(f"{address}?q=account").status_code == 200
        assert len(queries) <= 12


def test_customers_and_strangers_stay_outside(account, owner):
    assert owner.get("/admin/portal/user/").status_code in {302, 403}
    assert Client().get("/admin/portal/user/")["Location"].startswith("/admin/login/")
