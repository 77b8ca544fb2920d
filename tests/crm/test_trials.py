import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.utils import InternalError

from crm.models import Lead, Stage
from crm.reps import create_rep
from crm.trials import RepWeek, Workload, find_lead_life, find_reps, try_on_history
from metering.models import AlertLevel, AlertRule, RuleSet
from metering.trials import AccountName, Said, read_live_set, read_rule_set
from metering.trials.replaying import Spoken
from portal.models import User
from tests.metering.grading.makers import AFTER, DECEMBER, NOVEMBER, day, make_window, use

NAMES = {"from": "2026-11-01", "to": "2026-12-01"}


def make_rep(email: str = "rita@palier.test") -> int:
    user = User.objects.create_user(email=email, password="x", is_staff=True)
    return create_rep(user_id=user.pk).id


def make_lead(account_id: int, rep_id: int | None, *, opened_at: datetime = NOVEMBER, days: int | None = None) -> Lead:
    closed = {"stage": Stage.WON, "closed_at": opened_at + timedelta(days=days)} if days is not None else {}
    return Lead.objects.create(account_id=account_id, rep_id=rep_id, severity=2, opened_at=opened_at, **closed)


def make_bold_set() -> None:
    """Speaks at half of the limit, of usage alone."""
    rule = AlertRule.objects.create(rule_set=RuleSet.objects.create(name="Bold"), name="Half", kind="usage")
    AlertLevel.objects.create(rule=rule, level=50)


def say(account_id: int, at: datetime, *, tells_rep: bool = True, name: str = "tried") -> Said:
    spoken = Spoken(at, "Half", "usage", Decimal(50), "warning", Decimal(50), Decimal(100), tells_rep)
    return Said(name, AccountName(account_id, "acme", "Acme"), 1, spoken, None, False)


# Leads


def test_what_an_account_is_told_while_its_lead_is_open_joins_it():
    work = Workload(timedelta(days=14))
    work.add([say(1, day(2)), say(1, day(9)), say(1, day(20)), say(2, day(9))], {1: "Rita"})
    assert work.by_week(["tried"]) == {
        RepWeek("Rita", date(2026, 11, 2)): ((1, 1),),
        RepWeek("Rita", date(2026, 11, 9)): ((1, 0),),
        RepWeek("Rita", date(2026, 11, 16)): ((1, 1),),
        RepWeek(None, date(2026, 11, 9)): ((1, 1),),
    }


def test_sets_have_leads_of_their_own_and_what_tells_nobody_makes_none():
    work = Workload(timedelta(days=14))
    work.add([say(1, day(2)), say(1, day(3), name="live"), say(1, day(3), tells_rep=False)], {})
    assert list(work.by_week(["tried", "live"]).values()) == [((1, 1), (1, 1))]


@pytest.mark.django_db
def test_a_lead_lives_as_long_as_half_of_those_that_are_closed():
    assert find_lead_life() == timedelta(days=14)
    limit = make_window()
    for days in (3, 5, 40):
        make_lead(limit.account_id, None, days=days)
    assert find_lead_life() == timedelta(days=5)


@pytest.mark.django_db
def test_an_account_is_that_of_the_rep_who_had_its_latest_lead():
    limit, other = make_window("acme"), make_window("beta")
    first, second = make_rep(), make_rep("otto@palier.test")
    make_lead(limit.account_id, first, days=3)
    make_lead(limit.account_id, second, opened_at=day(9))
    make_lead(other.account_id, None)
    assert find_reps([limit.account_id, other.account_id]) == {limit.account_id: "otto@palier.test"}


# The whole


def make_november() -> None:
    """One account reaches its limit over the month, one comes to 60 %, one reaches it within an hour."""
    slow, half, sudden = (make_window(name) for name in ("slow", "half", "sudden"))
    use(slow, 55, at=day(3))
    use(slow, 30, at=day(10))
    use(slow, 20, at=day(18))
    use(half, 60, at=day(12))
    use(sudden, 130, at=day(25))


@pytest.mark.django_db
def test_a_bold_set_is_compared_with_the_live_one():
    make_november()
    make_bold_set()
    sets = [read_rule_set("Bold"), read_live_set()]
    report = try_on_history(sets, start=NOVEMBER, end=DECEMBER, at=AFTER, with_forecasts=False)
    bold, live = report.sets
    assert [(each.told, each.early, each.wrong, each.at_limit) for each in (bold, live)] == [(3, 1, 1, 1), (3, 1, 0, 2)]
    assert [(each.reached, each.missed_count) for each in (bold, live)] == [(2, 1), (2, 1)]
    assert (bold.missed[0].account.key, bold.missed[0].reached_at) == ("sudden", day(25, 11))
    assert (bold.lead_days.median, live.lead_days.median) == (15.0, 8.0)
    assert report.leads == (3, 2)
    assert {week.monday: counts for week, counts in report.weeks.items()} == {
        date(2026, 11, 2): ((1, 1), (0, 0)),
        date(2026, 11, 9): ((1, 1), (1, 1)),
        date(2026, 11, 16): ((0, 0), (1, 0)),
        date(2026, 11, 23): ((1, 1), (1, 1)),
    }


def run(*options: str) -> str:
    """After November, so that what it came to is known."""
    out = StringIO()
    with time_machine.travel(AFTER, tick=False):
        call_command("backtest_rules", "--from", NAMES["from"], "--to", NAMES["to"], *options, stdout=out)
    return out.getvalue()


def count_rows() -> dict[str, int]:
    return {model._meta.label: model.objects.count() for model in apps.get_models() if model._meta.managed}


@pytest.mark.django_db(transaction=True)
def test_the_command_shows_sets_side_by_side_and_writes_nothing(capsys):
    make_november()
    make_bold_set()
    before = count_rows()
    told = run("--rule-set", "Bold", "--without-forecast").splitlines()
    assert count_rows() == before
    lines = [" ".join(line.split()) for line in told]
    assert (
        "Of Standard is not replayed: anomaly, budget of the customer's own, pace of the commitment, credit balance."
        in lines
    )
    for line in ("Bold Standard", "alerts told 3 3", "Half 3 0", "leads 3 2", "right 1 1", "wrong 1 0", "missed 1 1"):
        assert line in lines
    assert "precision 50 % 100 %" in lines
    assert "queue 2026-11-02 1 / 1 0 / 0" in lines
    assert "Bold would have missed 1 limit:" in lines
    assert "Sudden requests 2026-11-01 100 2026-11-25 11:00" in lines
    assert "3 of 3 accounts" in capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_forecasts_are_replayed_unless_they_are_left_out():
    make_november()
    [with_them], [without] = (json.loads(run("--json", *more))["sets"] for more in ([], ["--without-forecast"]))
    rule = "Forecast of reaching a limit"
    assert (with_them["by_rule"].get(rule), without["by_rule"].get(rule)) == (1, None)


@pytest.mark.django_db(transaction=True)
def test_json_says_the_same():
    make_november()
    report = json.loads(run("--without-forecast", "--json"))
    [live] = report["sets"]
    assert (live["name"], live["told"], live["leads"], live["precision"]["share"]) == ("Standard", 3, 2, 1.0)
    assert live["missed"][0]["account"]["key"] == "sudden"
    assert report["weeks"][0]["sets"] == {"Standard": {"alerts": 1, "leads": 1}}


@pytest.mark.django_db(transaction=True)
def test_a_file_of_rules_can_be_tried(tmp_path):
    make_november()
    path = tmp_path / "rules.json"
    path.write_text(json.dumps([{"name": "Quarter", "kind": "usage", "levels": [25]}]))
    report = json.loads(run("--rules-file", str(path), "--without-forecast", "--json"))
    assert [(each["name"], each["told"]) for each in report["sets"]] == [("rules.json", 3), ("Standard", 3)]


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_whatever_a_trial_would_write(monkeypatch):
    make_november()
    monkeypatch.setattr("crm.trials.find_lead_life", lambda: RuleSet.objects.create(name="written"))
    with pytest.raises(InternalError, match="read-only transaction"):
        run()
    assert not RuleSet.objects.filter(name="written").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "2026-12-01"], "--from 2026-12-01 must be before --to 2026-12-01"),
        (["--rule-set", "Bald"], "No rule set is called 'Bald'. There are: Standard."),
        (["--rules-file", "/nowhere.json"], "/nowhere.json cannot be read: No such file or directory"),
        ([], "No limit ran between 2026-11-01 and 2026-12-01."),
    ],
)
def test_a_trial_that_makes_no_sense_is_refused_in_words(options, words):
    with pytest.raises(CommandError) as refused:
        run(*options)
    assert str(refused.value) == words or words in str(refused.value)


@pytest.mark.django_db(transaction=True)
def test_a_broken_file_says_where(tmp_path):
    path = tmp_path / "rules.json"
    for text, words in (("[{", "Expecting property name"), ('[{"kind": "usage"}]', "Rule 1 cannot be read")):
        path.write_text(text)
        with pytest.raises(CommandError, match=words):
            run("--rules-file", str(path))
