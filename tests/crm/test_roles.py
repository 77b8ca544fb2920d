import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from crm.roles import FINANCE, ROLES, SALES_MANAGER, SALES_REP
from tests.crm.makers import make_user

pytestmark = pytest.mark.django_db


def read_permissions(name):
    rows = Group.objects.get(name=name).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


@pytest.mark.parametrize("name", ROLES)
def test_migrating_gives_each_group_every_permission_it_names(name):
    assert read_permissions(name) == set(ROLES[name])


def test_migrating_again_changes_nothing_and_takes_nothing_away():
    before = {name: read_permissions(name) for name in ROLES}
    make_user("rosa", group=SALES_REP)

    call_command("migrate", verbosity=0)

    assert {name: read_permissions(name) for name in ROLES} == before
    assert Group.objects.get(name=SALES_REP).user_set.count() == 1


@pytest.mark.parametrize(
    ("group", "may", "may_not"),
    [
        (SALES_REP, "crm.change_lead", "crm.view_all_leads"),
        (SALES_REP, "crm.view_lead", "crm.assign_lead"),
        (SALES_REP, "crm.view_lead", "billing.view_invoice"),
        (SALES_MANAGER, "crm.assign_lead", "billing.change_plan"),
        (FINANCE, "billing.view_invoice", "crm.view_lead"),
        (FINANCE, "billing.change_plan", "billing.change_invoice"),
    ],
)
def test_a_group_may_its_own_work_and_no_more(group, may, may_not):
    person = make_user("una", group=group)

    assert person.has_perm(may)
    assert not person.has_perm(may_not)
