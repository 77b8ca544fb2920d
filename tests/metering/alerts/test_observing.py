"""What is no limit's usage: budgets, spend, credit, commitments, anomalies."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from metering.alerts import Observation, list_alerts, list_standing, observe
from metering.models import Alert, AlertRule
from tests.metering.alerts.makers import make_rule
from tests.metering.makers import make_account

pytestmark = pytest.mark.django_db

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def account_id(db) -> int:
    return make_account("acme").id


def see(account_id: int, kind: str, value: str, *, base: str | None = "100", at: datetime = NOON, **more: Any) -> None:
    observe(
        [
            Observation(
                account_id=account_id,
                kind=kind,
                value=Decimal(value),
                base=None if base is None else Decimal(base),
                start=NOVEMBER,
                end=DECEMBER,
                **{"unit": "percent", "subject": "it"} | more,
            )
        ],
        at=at,
    )


def spoken(account_id: int) -> list[tuple[str, int]]:
    return [(fact.kind, int(fact.level)) for fact in reversed(list_alerts([account_id]))]


def test_a_budget_speaks_as_it_is_spent_once_for_each_level(account_id):
    for value in ("79.99", "80", "99", "130", "130"):
        see(account_id, "budget", value)
    assert spoken(account_id) == [("budget", 80), ("budget", 125)]
    assert Alert.objects.get(level=100).state == "superseded"


def test_credit_speaks_as_it_runs_out(account_id):
    for value in ("21", "20", "10", "0"):
        see(account_id, "credit", value)
    assert spoken(account_id) == [("credit", 20), ("credit", 0)]


def test_credit_that_was_granted_anew_is_over_it(account_id):
    see(account_id, "credit", "15")
    see(account_id, "credit", "65", base="150", at=NOON + DAY)
    assert list_standing([account_id], at=NOON) == []
    assert Alert.objects.get().recovery == "fell"


def test_a_commitment_speaks_when_its_pace_is_too_slow(account_id):
    see(account_id, "commitment", "0", base="0")
    see(account_id, "commitment", "71")
    assert spoken(account_id) == []
    see(account_id, "commitment", "70")
    assert spoken(account_id) == [("commitment", 70)]


def test_spend_speaks_at_amounts_of_its_own_currency(account_id):
    make_rule("spend", 500, currency="EUR")
    see(account_id, "spend", "600", base=None, unit="absolute", currency="USD")
    assert spoken(account_id) == []
    see(account_id, "spend", "600", base=None, unit="absolute", currency="EUR")
    assert spoken(account_id) == [("spend", 500)]
    assert Alert.objects.get().quantity is None


def test_an_anomaly_speaks_by_the_number_of_its_deviations(account_id):
    terms = {"unit": "absolute", "base": None}
    see(account_id, "anomaly", "4.99", subject="spike", **terms)
    assert spoken(account_id) == []
    see(account_id, "anomaly", "7.5", subject="spike", details={"expected": "12"}, **terms)
    see(account_id, "anomaly", "7.5", subject="drop", **terms)
    assert spoken(account_id) == [("anomaly", 5), ("anomaly", 5)]
    assert list_alerts([account_id])[1].details == {"expected": "12"}


def test_without_a_rule_nothing_speaks(account_id):
    AlertRule.objects.filter(kind="budget").update(is_enabled=False)
    see(account_id, "budget", "130")
    assert spoken(account_id) == []


def test_many_are_seen_in_as_many_statements_as_one(account_id, django_assert_num_queries):
    def look(subjects: int, value: str) -> list[int]:
        return observe(
            [
                Observation(
                    account_id=account_id, kind="budget", unit="percent", value=Decimal(value), base=Decimal(100),
                    start=NOVEMBER, end=DECEMBER, subject=str(subject),
                )
                for subject in range(subjects)
            ],
            at=NOON,
        )  # fmt: skip

    for count in (1, 20):
        with django_assert_num_queries(14):  # six of them promise that somebody is told
            assert len(look(count, "85")) in (count, count - 1)


def test_what_an_observation_of_many_digits_says_is_kept_exactly(account_id):
    value = "12345678901234567890123456.123456789012"
    see(account_id, "budget", value, base="0.000000000007")
    assert (Alert.objects.get(state="told").used, Alert.objects.get(state="told").level) == (Decimal(value), 1000)


def test_levels_of_the_customers_own_speak_besides_those_of_the_rule_and_move_no_step(account_id):
    for value in ("50", "95", "131", "150"):
        see(account_id, "budget", value, own_levels=(Decimal(50), Decimal(130)))
    assert spoken(account_id) == [("budget", 50), ("budget", 80), ("budget", 130), ("budget", 150)]
    severities = dict(Alert.objects.values_list("level", "severity"))
    assert (severities[Decimal(50)], severities[Decimal(130)]) == ("info", "critical")


def test_what_says_that_it_falls_hears_only_of_rules_that_fall(account_id):
    make_rule("commitment", 150, unit="percent", direction="rising", account_id=account_id)
    see(account_id, "commitment", "60", subject="behind", is_falling=True)
    see(account_id, "commitment", "60", subject="ahead", is_falling=False)
    see(account_id, "commitment", "160", subject="ahead", is_falling=False)
    assert spoken(account_id) == [("commitment", 70), ("commitment", 150)]
