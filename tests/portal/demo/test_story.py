import pytest

from portal.demo.charging import price_weekly_plan
from portal.demo.facts import Fact, show_figure
from portal.demo.people import STAFF, renew_passwords, seed_staff, show_logins
from portal.demo.story import price_business_plan
from portal.models import User


def test_the_business_plan_is_priced_by_hand():
    assert price_business_plan(273, 17_140_354) == 151_82
    assert price_business_plan(200, 0) == 149_00
    assert price_business_plan(0, 100_000) == 149_01


def test_a_fact_holds_when_found_is_what_was_expected():
    assert Fact("counted", "accounts", 1_753, 1_753).holds
    assert not Fact("counted", "accounts", 1_752, 1_753).holds


@pytest.mark.django_db
def test_people_log_in_with_new_passwords_each_time():
    seed_staff()
    first = {login.email: login.password for login in renew_passwords()}
    second = {login.email: login.password for login in renew_passwords()}
    assert set(first) == {*STAFF, "admin@demo.example"}
    assert not set(first.values()) & set(second.values())
    for email, password in second.items():
        assert User.objects.get(email=email).check_password(password)


@pytest.mark.django_db
def test_nobody_outside_the_demo_gets_a_new_password():
    User.objects.create_user("real@customer.example", "kept-as-it-was")
    renew_passwords()
    assert User.objects.get(email="real@customer.example").check_password("kept-as-it-was")


@pytest.mark.django_db
def test_the_log_ins_are_shown_with_where_to_go():
    seed_staff()
    shown = show_logins(renew_passwords())
    assert "/admin/  manager@demo.example" in shown


def test_figures_read_as_people_write_them():
    shown = [show_figure(figure) for figure in (2_747_282_740, True, False, [482, 1_364], "conflict", None)]
    assert shown == ["2,747,282,740", "yes", "no", "482 · 1,364", "conflict", "None"]


@pytest.mark.parametrize(
    ("requests", "size", "cents"), [(0, 0, 9_00), (100, 0, 9_00), (357, 43_920_629, 13_77), (101, 100_000, 9_02)]
)
def test_the_weekly_plan_is_priced_by_whole_numbers(requests: int, size: int, cents: int):
    assert price_weekly_plan(requests, size) == cents
