import pytest
from django.db.models import Q

from jobs.models import Job
from jobs.queue import do_now
from metering.alerts import check_limits
from metering.alerts.rules import APPLY, Scope, apply_change, mark_limits, read_rules
from metering.models import AlertRule, Limit, RuleSet
from tests.metering.alerts.makers import make_rule
from tests.metering.alerts.story import DECEMBER, NOON, Story, day, make_limits

pytestmark = pytest.mark.django_db


def test_a_new_installation_has_rules_of_every_kind_but_spend():
    rules = read_rules(["usage", "forecast", "spend", "budget", "credit", "commitment", "anomaly"])
    assert {rule.kind for rule in rules} == {"usage", "forecast", "budget", "credit", "commitment", "anomaly"}
    [usage] = [rule for rule in rules if rule.kind == "usage"]
    assert (usage.ladder.levels, usage.ladder.step, usage.ladder.bound) == ((80, 100), 25, 1000)
    assert (usage.find_severity(80), usage.find_severity(100), usage.find_severity(125)) == (
        "warning", "critical", "critical",
    )  # fmt: skip


def test_rules_that_are_off_or_of_a_set_that_is_not_live_do_not_hold():
    waiting = RuleSet.objects.create(name="To be tried")
    AlertRule.objects.create(rule_set=waiting, name="Early", kind="usage")
    AlertRule.objects.filter(rule_set__is_live=True).update(is_enabled=False)
    assert read_rules(["usage"]) == []
    assert [rule.kind for rule in read_rules(["usage"], rule_set_id=waiting.pk)] == ["usage"]


@pytest.mark.parametrize(
    ("scope", "marked"), [({}, 3), ({"plan": "small"}, 1), ({"account": 0}, 1), ({"account": 0, "plan": "large"}, 0)]
)
def test_a_changed_rule_has_the_limits_it_is_for_looked_at_again(scope, marked):
    accounts = make_limits(3)
    Limit.objects.filter(account=accounts[0]).update(plan="small")
    Limit.objects.update(needs_check=False)
    account_id = accounts[scope["account"]] if "account" in scope else None
    assert mark_limits(Scope(account_id, scope.get("plan", "")), at=NOON) == marked
    assert Limit.objects.filter(needs_check=True).count() == marked


def test_windows_that_ended_are_left_alone():
    make_limits(1)
    assert mark_limits(Scope(), at=DECEMBER) == 0


@pytest.mark.django_db(transaction=True)
def test_a_change_is_promised_and_holds_from_the_next_check_on():
    story = Story()
    story.limit(day(1, 0), "100")
    story.use(day(6), "70")
    rule = make_rule("usage", 60, unit="percent", account_id=story.account_id)
    apply_change([Scope(account_id=story.account_id)] * 2, at=day(7))
    [job] = Job.objects.filter(Q(kind=APPLY))
    assert do_now(APPLY, job.key, clock=lambda: day(7)) == "done"
    check_limits(at=day(7))
    assert story.spoken() == [(day(7), 60)]
    rule.is_enabled = False
    rule.save()
    Limit.objects.update(needs_check=True)
    check_limits(at=day(8))
    story.use(day(9), "81")
    assert story.spoken() == [(day(7), 60), (day(9), 80)]
