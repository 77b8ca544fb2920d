import json
from decimal import Decimal

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.models import Plan
from billing.plans import add_version
from billing.rating import flat_fee, per_unit
from tests.billing.makers import FEB, HOUR, MID_JAN, make_account, make_plan, make_subscription, use

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(FEB + HOUR, tick=False):
        yield


@pytest.fixture
def customers():
    """On a plan with a draft: `big` would pay less, `small` more; `dollar` cannot be compared."""
    plan = make_plan(prices=[per_unit("R", meter_key="requests", unit_amount=Decimal("0.10"))], limits=())
    add_version(plan_id=Plan.objects.get().pk, currency="EUR", prices=[flat_fee("Fee", Decimal(2))])
    for key, count in [("small", 5), ("big", 90)]:
        make_subscription(key, plan=plan, at=FEB)
        use(key, sizes=[1] * count, time=MID_JAN)
    make_subscription("dollar", plan=make_plan("dollar", currency="USD", limits=()), at=FEB)


def run(capsys, *arguments):
    call_command("what_if", "--plan", "growth", *arguments)
    return capsys.readouterr().out


def test_a_draft_is_told_in_sentences(customers, capsys):
    assert run(capsys, "--version", "2").splitlines() == [
        "Growth v2: 2 compared, 1 would have paid more, 1 less, 0 the same.",
        "Revenue: €9.50 as it is, €4.00 then, a change of −€5.50.",
        "Left out: 1 (another currency).",
        "  small: €0.50 → €2.00 (€1.50)",
        "  big: €9.00 → €2.00 (−€7.00)",
    ]


def test_without_a_number_the_version_on_offer_is_asked_about(customers, capsys):
    assert "Growth v1: 2 compared, 0 would have paid more, 0 less, 2 the same." in run(capsys)


def test_json_has_a_line_for_each_subscription_and_the_summary_last(customers, capsys):
    rows = [json.loads(line) for line in run(capsys, "--version", "2", "--json").splitlines()]
    assert [(row["account"], row["change"], row["left_out"]) for row in rows[:-1]] == [
        ("small", "1.50", None),
        ("big", "-7.00", None),
        ("dollar", "0.00", "other_currency"),
    ]
    assert rows[0]["periods"] == [
        {
            "start": "2026-01-01T00:00:00+00:00",
            "end": "2026-02-01T00:00:00+00:00",
            "current": "0.50",
            "proposed": "2.00",
        }
    ]
    assert rows[-1] == {
        "summary": {
            "currency": "EUR",
            "compared": 2,
            "winners": 1,
            "losers": 1,
            "unchanged": 0,
            "current": "9.50",
            "proposed": "4.00",
            "change": "-5.50",
            "left_out": {"other_currency": 1},
        }
    }


def test_one_account_or_the_subscribers_of_a_plan_are_asked_about(customers, capsys):
    assert "1 compared, 0 would have paid more, 1 less" in run(capsys, "--version", "2", "--account", "big")
    assert "0 compared" in run(capsys, "--version", "2", "--subscribers-of", "dollar")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--version", "7"], "There is no version 7 of a plan 'growth'."),
        (["--account", "nobody"], "nobody"),
        (["--periods", "0"], "Between 1 and 36 periods"),
    ],
)
def test_what_cannot_be_asked_is_refused(customers, arguments, problem):
    with pytest.raises(CommandError, match=problem):
        call_command("what_if", "--plan", "growth", *arguments)


def test_a_version_that_cannot_be_charged_is_refused(capsys):
    make_account()
    make_plan()
    add_version(plan_id=Plan.objects.get().pk, currency="EUR", prices=[])
    with pytest.raises(CommandError, match="has no price"):
        run(capsys, "--version", "2")
