from decimal import Decimal

import pytest

from metering.models import AlertLevel, AlertRule, RuleSet
from metering.trials import BrokenRules, UnknownRuleSet, parse_rules, read_live_set, read_rule_set
from tests.metering.makers import make_account, make_meter

pytestmark = pytest.mark.django_db


def test_the_live_set_says_what_is_not_replayed():
    found = read_live_set()
    assert found.name == "Standard"
    assert {each.name for each in found.rules} == {"Usage of a limit", "Forecast of reaching a limit"}
    assert found.left_out == ("anomaly", "budget", "commitment", "credit")


def test_a_set_that_is_not_live_is_read_by_its_name():
    rule_set = RuleSet.objects.create(name="Bold")
    rule = AlertRule.objects.create(rule_set=rule_set, name="Early", kind="usage", tells_rep=False)
    AlertLevel.objects.create(rule=rule, level=50, severity="info")
    AlertRule.objects.create(rule_set=rule_set, name="Off", kind="usage", is_enabled=False)
    [each] = read_rule_set("Bold").rules
    assert (each.name, each.rule.ladder.levels, each.tells_rep) == ("Early", (Decimal(50),), False)


def test_a_set_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(UnknownRuleSet, match=r"No rule set is called 'Bald'\. There are: Standard\."):
        read_rule_set("Bald")
    RuleSet.objects.update(is_live=False)
    with pytest.raises(UnknownRuleSet, match="No rule set is live"):
        read_live_set()


def test_a_file_describes_rules_by_what_differs_from_a_new_one():
    account, meter = make_account(), make_meter()
    [tried] = parse_rules(
        "file",
        [
            {
                "name": "Own", "kind": "usage", "levels": {"70": "info", "90": "critical"}, "repeat_every": 10,
                "rearm_points": 2, "renotify_hours": 6, "account": "acme", "meter": "requests", "tells_sales": False,
            }
        ],
    ).rules  # fmt: skip
    rule = tried.rule
    assert (rule.account_id, rule.meter_id, tried.tells_rep) == (account.id, meter.id, False)
    assert (rule.ladder.levels, rule.ladder.step) == ((Decimal(70), Decimal(90)), Decimal(10))
    assert (rule.find_severity(Decimal(70)), rule.find_severity(Decimal(100))) == ("info", "critical")
    [forecast] = parse_rules("file", [{"name": "F", "kind": "forecast", "alarm_from": 0.74}]).rules
    assert (forecast.rule.p_on, forecast.rule.confirmations, forecast.rule.ladder.levels) == (
        Decimal("0.74"), 2, (Decimal(100),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({}, "Rules are a list"),
        ([], "Rules are a list"),
        (["x"], "Rule 1 is no object"),
        ([{"name": "x", "kind": "usage", "levels": [80], "levles": 1}], "Rule 1 has 'levles', which no rule has"),
        ([{"kind": "usage", "levels": [80]}], "Rule 1 cannot be read: 'name'"),
        ([{"name": "x", "kind": "anomaly"}], "its kind is 'anomaly', and not one of usage, forecast"),
        ([{"name": "x", "kind": "usage"}], "it has no levels"),
        ([{"name": "x", "kind": "usage", "levels": ["many"]}], "Rule 1 cannot be read"),
        ([{"name": "x", "kind": "usage", "levels": [-1]}], "-1 is no number from zero on"),
        ([{"name": "x", "kind": "usage", "levels": {"80": "loud"}}], "its severity is 'loud'"),
        ([{"name": "x", "kind": "forecast", "alarm_from": "0.4"}], "its chances are not in order"),
        ([{"name": "x", "kind": "forecast", "alarm_from": "NaN"}], "is no number"),
        ([{"name": "x", "kind": "usage", "levels": [80], "account": "nobody"}], "there is no account 'nobody'"),
    ],
)
def test_what_is_no_rules_is_refused_in_words(described, words):
    with pytest.raises(BrokenRules, match=words):
        parse_rules("file", described)
