import pytest

from billing.credits import top_ups
from billing.credits.grants import InvalidCredit
from billing.credits.top_ups import TopUpDropped, UnknownTopUp
from billing.models import TopUp
from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.billing.credits.makers import DAY, NOON, burn, give, read_settled
from tests.billing.makers import MID_JAN, make_account, make_subscription, use

pytestmark = pytest.mark.django_db


def set_rule(account_id, **terms):
    wanted = {"currency": "EUR", "threshold_minor": 500, "amount_minor": 2_000} | terms
    return top_ups.set_rule(account_id=account_id, **wanted)


def ask(rule_id, number=1):
    return top_ups.ask_top_up(rule_id, number, at=NOON)


def test_a_wallet_below_its_threshold_is_promised_one_top_up():
    grant = give(1_000)
    rule_id = set_rule(grant.account_id)
    burn(grant.account_id, 500)
    assert top_ups.promise_top_ups(NOON) == 0  # at the threshold
    burn(grant.account_id, 1, key="bill 2")
    assert [top_ups.promise_top_ups(NOON) for _ in range(2)] == [1, 0]
    job = Job.objects.get()
    assert (job.kind, job.key) == ("billing.ask_top_up", f"{rule_id}:1")
    assert run_job(job.pk, clock=lambda: NOON + DAY) == JobState.DONE
    asked = TopUp.objects.get()
    assert (asked.rule_id, asked.number, asked.amount_minor, asked.asked_at) == (rule_id, 1, 2_000, NOON + DAY)
    assert top_ups.promise_top_ups(NOON + DAY) == 0


def test_usage_that_is_not_billed_yet_counts():
    subscription = make_subscription(started_at=MID_JAN)
    give(505, account_id=subscription.account_id, at=MID_JAN)
    set_rule(subscription.account_id)
    assert top_ups.promise_top_ups(MID_JAN) == 0
    use("acme", sizes=[1_200_000_000], time=MID_JAN)
    assert top_ups.promise_top_ups(MID_JAN) == 1


def test_a_rule_that_is_off_asks_for_nothing():
    set_rule(make_account().id, is_active=False)
    assert top_ups.promise_top_ups(NOON) == 0


def test_the_promised_job_asks_once():
    rule_id = set_rule(make_account().id)
    assert ask(rule_id) == ask(rule_id)
    assert TopUp.objects.count() == 1


def test_a_paid_top_up_is_granted_once_and_the_next_may_be_asked_for():
    account_id = make_account().id
    asked = ask(set_rule(account_id))
    granted = top_ups.settle_top_up(asked.id, at=NOON)
    assert top_ups.settle_top_up(asked.id, at=NOON + DAY) == granted
    assert (granted.source, granted.amount_minor, read_settled(account_id)) == ("top_up", 2_000, 2_000)
    burn(account_id, 1_900)
    assert top_ups.promise_top_ups(NOON) == 1
    assert Job.objects.get().key.endswith(":2")


def test_a_top_up_that_was_given_up_is_not_granted():
    account_id = make_account().id
    asked = ask(set_rule(account_id))
    assert top_ups.drop_top_up(asked.id, at=NOON).dropped_at == NOON
    assert top_ups.drop_top_up(asked.id, at=NOON + DAY).dropped_at == NOON
    with pytest.raises(TopUpDropped):
        top_ups.settle_top_up(asked.id, at=NOON)
    assert read_settled(account_id) == 0


def test_a_paid_top_up_cannot_be_given_up():
    asked = ask(set_rule(make_account().id))
    granted = top_ups.settle_top_up(asked.id, at=NOON)
    fact = top_ups.drop_top_up(asked.id, at=NOON)
    assert (fact.dropped_at, fact.grant_id) == (None, granted.id)


def test_a_wallet_has_one_rule():
    account_id = make_account().id
    assert set_rule(account_id) == set_rule(account_id, amount_minor=7)
    assert ask(set_rule(account_id, amount_minor=9)).amount_minor == 9


def test_a_top_up_of_nothing_is_refused():
    with pytest.raises(InvalidCredit):
        set_rule(make_account().id, amount_minor=0)


def test_what_is_not_there_cannot_be_settled():
    with pytest.raises(UnknownTopUp):
        top_ups.settle_top_up(1, at=NOON)
