"""Rules of alerts and snoozes in the back-office."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.models import Job
from metering.alerts.rules import APPLY
from metering.models import AlertRule, RuleSet, Snooze
from tests.metering.alerts.makers import make_rule
from tests.metering.makers import make_account, make_meter

pytestmark = pytest.mark.django_db

ADD_RULE = "/admin/metering/alertrule/add/"
ADD_SNOOZE = "/admin/metering/snooze/add/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser(email="ops@palier.test", password="correct horse"))
    return client


def make_person(*permissions: str) -> Client:
    user = get_user_model().objects.create_user("rep@palier.test", "correct horse", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def fill_rule(*levels: str, **changes: Any) -> dict[str, Any]:
    live = RuleSet.objects.get(is_live=True)
    form: dict[str, Any] = {
        "rule_set": live.pk, "name": "Early", "is_enabled": "on", "kind": "usage", "unit": "percent",
        "direction": "rising", "account": "", "plan": "", "meter": "", "currency": "", "repeat_step": "",
        "rearm_points": "5", "renotify_hours": "24", "p_on": "0.8", "p_off": "0.5", "confirmations": "2",
        "min_days": "7", "digest": "none", "quiet_from": "", "quiet_until": "",
        "levels-TOTAL_FORMS": len(levels), "levels-INITIAL_FORMS": 0,
    }  # fmt: skip
    for number, level in enumerate(levels):
        form |= {f"levels-{number}-level": level, f"levels-{number}-severity": "warning"}
    return form | changes


def test_a_rule_made_here_holds_from_the_next_check_on(staff):
    response = staff.post(ADD_RULE, fill_rule("60", "90", plan="small"))
    assert response.status_code == 302, response.context["errors"]
    rule = AlertRule.objects.get(name="Early")
    assert [level.level for level in rule.levels.all()] == [60, 90]
    assert Job.objects.get(kind=APPLY).payload == {"account_id": None, "plan": "small", "meter_id": None}


def test_a_rule_that_moves_to_another_plan_is_applied_to_both(staff):
    staff.post(ADD_RULE, fill_rule("60", plan="small"))
    rule = AlertRule.objects.get(name="Early")
    level = rule.levels.get()
    form = fill_rule("60", plan="large") | {
        "levels-INITIAL_FORMS": 1, "levels-0-id": level.pk, "levels-0-rule": rule.pk,
    }  # fmt: skip
    response = staff.post(reverse("admin:metering_alertrule_change", args=[rule.pk]), form)
    assert response.status_code == 302, response.context["errors"]
    assert sorted(job.payload["plan"] for job in Job.objects.filter(kind=APPLY)) == ["large", "small", "small"]


@pytest.mark.parametrize(
    ("levels", "changes", "says"),
    [
        ([], {}, "A rule needs a level at which it speaks."),
        (["0"], {}, "A level that rises is above zero."),
        (["80"], {"kind": "forecast"}, "A forecast knows one level: 100, the limit itself."),
        (["80"], {"direction": "falling"}, "Only credit falls; a commitment falls behind or runs ahead."),
        (["80"], {"kind": "credit"}, "Only credit falls; a commitment falls behind or runs ahead."),
        (["80"], {"kind": "budget", "unit": "absolute"}, "A rule of this kind cannot count so."),
        (["80"], {"unit": "absolute"}, "A quantity needs the meter that it is of."),
        (["80"], {"kind": "spend", "unit": "absolute"}, "An amount needs its currency."),
        (["80"], {"currency": "EUR"}, "Only amounts have a currency."),
        (["80"], {"quiet_from": "22:00"}, "Quiet hours have a beginning and an end."),
        (["80"], {"p_off": "0.9"}, "An alarm is cleared at a lower chance than it is raised from."),
    ],
)
def test_what_a_rule_cannot_be_is_told(staff, levels, changes, says):
    response = staff.post(ADD_RULE, fill_rule(*levels, **changes))
    assert response.status_code == 200
    assert says in response.content.decode()
    assert not AlertRule.objects.filter(name="Early").exists()


def test_a_rule_is_for_an_account_or_a_plan(staff):
    response = staff.post(ADD_RULE, fill_rule("80", plan="small", account=make_account().id))
    assert "A rule is for an account or for a plan, not for both." in response.content.decode()


def test_another_set_is_switched_on_in_the_place_of_the_live_one(staff):
    waiting = RuleSet.objects.create(name="Careful")
    make_rule("usage", 50, unit="percent")
    url = reverse("admin:metering_ruleset_changelist")
    staff.post(url, {"action": "switch_on", "_selected_action": [waiting.pk]})
    assert RuleSet.objects.get(is_live=True) == waiting
    assert Job.objects.filter(kind=APPLY).count() == 1


def fill_snooze(**changes: Any) -> dict[str, Any]:
    until: datetime = timezone.localtime(timezone.now() + timedelta(days=7))
    return {
        "account": make_account().id, "meter": "", "until_0": f"{until:%Y-%m-%d}", "until_1": "12:00",
        "until_level": "", "reason": "on holiday",
    } | changes  # fmt: skip


def test_a_snooze_is_made_and_ended_here(staff):
    response = staff.post(ADD_SNOOZE, fill_snooze(meter=make_meter().id))
    assert response.status_code == 302, response.context["errors"]
    made = Snooze.objects.get()
    assert (made.made_by, made.reason, made.ended_at) == ("ops@palier.test", "on holiday", None)
    url = reverse("admin:metering_snooze_changelist")
    staff.post(url, {"action": "end_now", "_selected_action": [made.pk]})
    assert Snooze.objects.get().ended_at is not None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"until_0": "", "until_1": ""}, "A snooze ends at a moment, at a level, or at both."),
        ({"until_0": "2026-01-01"}, "This moment has passed."),
        ({"until_level": "0"}, "The level is above zero."),
    ],
)
def test_a_snooze_that_would_not_end_is_refused(staff, changes, says):
    response = staff.post(ADD_SNOOZE, fill_snooze(**changes))
    assert says in response.content.decode()
    assert not Snooze.objects.exists()


def test_the_page_of_snoozes_is_for_those_who_may_see_every_account():
    rep = make_person("view_snooze", "add_snooze", "change_snooze")
    assert rep.get(ADD_SNOOZE).status_code == 403
    assert rep.get(reverse("admin:metering_snooze_changelist")).status_code == 403


def test_who_may_see_accounts_but_not_snooze_makes_none():
    viewer = make_person("view_account", "view_snooze")
    assert viewer.post(ADD_SNOOZE, fill_snooze()).status_code == 403
    assert not Snooze.objects.exists()
