from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.core.management import CommandError, call_command

from billing import invariants, profiles, subscriptions
from metering.accounts import UnknownAccount, find_account
from metering.limits import read_limits
from tests.billing.makers import FEB, MID_JAN, make_account, make_plan, use

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen_clock")]


@pytest.fixture
def frozen_clock():
    with time_machine.travel(MID_JAN, tick=False):
        yield


def test_a_customer_is_created_whole(capsys):
    make_plan("growth")
    call_command(
        "create_account", "acme", "--plan", "growth", "--name", "Acme SA", "--email", "a@acme.example",
        "--time-zone", "Europe/Paris", "--language", "fr", "--alias", "acme-eu", "--alias", "203.0.113.7",
    )  # fmt: skip
    assert capsys.readouterr().out == "acme is on Growth v1. First period: Jan. 15, 2026 – Jan. 31, 2026.\n"
    account = find_account("acme-eu")
    assert account == find_account("203.0.113.7")
    assert (account.key, account.name) == ("acme", "Acme SA")
    profile = profiles.read_profile(account.id)
    assert (profile.legal_name, profile.email, profile.time_zone) == ("Acme SA", "a@acme.example", "Europe/Paris")
    assert profile.language == "fr"
    subscription = subscriptions.read_subscription(account_id=account.id, at=MID_JAN)
    assert (subscription.period_start, subscription.period_end) == (MID_JAN, datetime(2026, 1, 31, 23, tzinfo=UTC))
    assert list(invariants.check()) == []


def test_usage_that_waited_for_the_account_is_counted_in_its_limits():
    make_plan("growth")
    use("acme", sizes=[1, 1], time=MID_JAN)
    call_command("create_account", "acme", "--plan", "growth")
    _, requests = read_limits(account_id=find_account("acme").id, at=MID_JAN)
    assert (requests.used, requests.quantity, requests.resets_at) == (Decimal(2), Decimal(50_000), FEB)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--plan", "gold"], "There is no plan 'gold' on offer. Known plans: growth."),
        (["--plan", "growth", "--time-zone", "Mars/Olympus"], "'Mars/Olympus' is not a time zone"),
        (["--plan", "growth", "--language", "xx"], "No document can be written in 'xx'"),
        (["--plan", "growth", "--email", "nobody"], "'nobody' is not an e-mail address"),
        (["--plan", "growth", "--alias", "taken"], "taken already names an account"),
        (["--plan", "growth", "--alias", "a b"], "'a b' cannot name an account"),
    ],
)
def test_a_refusal_says_why_and_leaves_nothing(arguments, complaint):
    make_plan("growth")
    make_account("taken")
    with pytest.raises(CommandError) as refusal:
        call_command("create_account", "acme", *arguments)
    assert complaint in str(refusal.value)
    with pytest.raises(UnknownAccount):
        find_account("acme")


def test_an_account_is_created_once():
    make_plan("growth")
    call_command("create_account", "acme", "--plan", "growth")
    with pytest.raises(CommandError, match="acme already names an account"):
        call_command("create_account", "acme", "--plan", "growth")
