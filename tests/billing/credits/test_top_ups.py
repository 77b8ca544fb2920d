from decimal import Decimal

import pytest
from django.db import transaction

from billing import invariants, moves
from billing.credit_notes import CreditRefused, issue_credit_note
from billing.credits import top_ups
from billing.credits.grants import InvalidCredit
from billing.items import list_waiting
from billing.models import CreditGrant, Invoice, TopUp
from billing.tax_rates import create_tax_rate, set_tax_rates
from jobs.models import Job, JobState
from jobs.runner import run_job
from tests.billing.credits.makers import DAY, NOON, burn, give, read_settled
from tests.billing.makers import MID_JAN, make_account, make_subscription, use
from tests.billing.threads import run_together

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


def test_the_job_issues_an_invoice_that_bears_no_tax():
    account_id = make_account().id
    set_tax_rates(account_id=account_id, rate_ids=[create_tax_rate(name="VAT", percent=Decimal(20))])
    asked = ask(set_rule(account_id))
    invoice = Invoice.objects.get()
    assert (asked.invoice_id, invoice.kind, invoice.state, invoice.number) == (
        invoice.pk, "one_off", "issued", "2026-000001"
    )  # fmt: skip
    assert (invoice.total_minor, invoice.tax_minor, invoice.due_minor) == (2_000, 0, 2_000)
    assert list(invoice.lines.values_list("kind", "description")) == [("top_up", "Prepaid credit")]
    assert list(invariants.check()) == []


def test_credit_never_pays_for_credit():
    account_id = give(400).account_id
    ask(set_rule(account_id))
    assert (Invoice.objects.get().due_minor, read_settled(account_id)) == (2_000, 400)


def test_what_is_paid_of_the_invoice_is_granted_once_and_the_next_may_be_asked_for():
    account_id = make_account().id
    asked = ask(set_rule(account_id))
    for amount, key in ((500, "first"), (1_500, "rest"), (1_500, "rest")):
        assert read_settled(account_id) == 0 or key == "rest"
        moves.record_payment(asked.invoice_id, amount_minor=amount, method="card", key=key, at=NOON)
    grant = CreditGrant.objects.get()
    assert (grant.source, grant.amount_minor, read_settled(account_id)) == ("top_up", 2_000, 2_000)
    assert TopUp.objects.get().grant == grant
    burn(account_id, 1_900)
    assert top_ups.promise_top_ups(NOON) == 1
    assert Job.objects.get().key.endswith(":2")
    assert list(invariants.check()) == []


def test_until_it_is_paid_nothing_is_granted_and_no_other_asked_for():
    account_id = make_account().id
    asked = ask(set_rule(account_id))
    moves.record_payment(asked.invoice_id, amount_minor=1_999, method="card", key="most", at=NOON)
    moves.mark_uncollectible(asked.invoice_id, at=NOON)
    assert (read_settled(account_id), top_ups.promise_top_ups(NOON)) == (0, 0)


@pytest.mark.parametrize("bills_again", [False, True])
def test_with_its_invoice_void_a_top_up_is_dropped_and_its_rule_asks_anew(bills_again):
    account_id = make_account().id
    asked = ask(set_rule(account_id))
    for _ in range(2):
        moves.void_invoice(asked.invoice_id, reason="mistake", at=NOON, bills_again=bills_again)
    assert (TopUp.objects.get().dropped_at, read_settled(account_id)) == (NOON, 0)
    assert list_waiting(account_id=account_id, currency="EUR") == []
    assert top_ups.promise_top_ups(NOON) == 1
    assert list(invariants.check()) == []


def test_only_what_came_in_is_granted_where_a_note_took_the_rest_off():
    asked = ask(set_rule(make_account().id))
    take_off(asked.invoice_id, 500)
    moves.mark_paid(asked.invoice_id, method="card", at=NOON)
    assert read_settled(asked.account_id) == 1_500
    assert list(invariants.check()) == []


def test_credited_in_full_it_is_dropped():
    asked = ask(set_rule(make_account().id))
    take_off(asked.invoice_id, 2_000)
    assert (Invoice.objects.get().state, TopUp.objects.get().dropped_at) == ("paid", NOON)
    assert list(invariants.check()) == []


def take_off(invoice_id, amount):
    issue_credit_note(invoice_id, destination="due", amount_minor=amount, reason="less", key="less", at=NOON)


def refund(invoice_id, amount, destination="refund"):
    return issue_credit_note(
        invoice_id, destination=destination, amount_minor=amount, reason="unused", key="unused", at=NOON
    )


def test_a_refund_takes_what_was_bought_out_of_the_wallet_and_no_more_than_is_left():
    asked = ask(set_rule(make_account().id))
    moves.mark_paid(asked.invoice_id, method="card", at=NOON)
    burn(asked.account_id, 1_200)
    with pytest.raises(CreditRefused):
        refund(asked.invoice_id, 801)
    for _ in range(2):
        refund(asked.invoice_id, 800)
    assert read_settled(asked.account_id) == 0
    assert list(invariants.check()) == []


def test_bought_credit_is_not_given_back_as_credit():
    asked = ask(set_rule(make_account().id))
    moves.mark_paid(asked.invoice_id, method="card", at=NOON)
    with pytest.raises(CreditRefused):
        refund(asked.invoice_id, 100, destination="balance")
    assert read_settled(asked.account_id) == 2_000


def test_a_wallet_has_one_rule():
    account_id = make_account().id
    assert set_rule(account_id) == set_rule(account_id, amount_minor=7)
    assert ask(set_rule(account_id, amount_minor=9)).amount_minor == 9


def test_a_top_up_of_nothing_is_refused():
    with pytest.raises(InvalidCredit):
        set_rule(make_account().id, amount_minor=0)


class Died(Exception):
    """What interrupts a transaction after all its work was done."""


@transaction.atomic
def ask_and_die(rule_id):
    ask(rule_id)
    raise Died


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_killed_leaves_neither_top_up_nor_invoice_and_runs_again():
    rule_id = set_rule(make_account().id)
    assert top_ups.promise_top_ups(NOON) == 1
    with pytest.raises(Died):
        ask_and_die(rule_id)
    assert (TopUp.objects.count(), Invoice.objects.count()) == (0, 0)
    job = Job.objects.get()
    for _ in range(2):
        run_job(job.pk, clock=lambda: NOON)
    assert (TopUp.objects.count(), Invoice.objects.get().number) == (1, "2026-000001")
    assert list(invariants.check()) == []


@pytest.mark.django_db(transaction=True)
def test_four_who_ask_at_once_ask_once():
    rule_id = set_rule(make_account().id)
    facts = run_together(*[lambda: ask(rule_id)] * 4)
    assert len(set(facts)) == 1
    assert Invoice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_payment_that_races_with_a_void_grants_or_is_refused():
    asked = ask(set_rule(make_account().id))
    paid, _ = run_together(
        lambda: moves.mark_paid(asked.invoice_id, method="card", at=NOON),
        lambda: moves.void_invoice(asked.invoice_id, reason="mistake", at=NOON),
    )
    top_up = TopUp.objects.get()
    assert (top_up.grant is not None) != (top_up.dropped_at is not None)
    assert read_settled(asked.account_id) == (2_000 if top_up.grant else 0)
    assert isinstance(paid, moves.MoveRefused) == (top_up.grant is None)
    assert list(invariants.check()) == []


def test_the_invariant_finds_a_paid_top_up_that_was_not_granted():
    asked = ask(set_rule(make_account().id))
    moves.mark_paid(asked.invoice_id, method="card", at=NOON)
    TopUp.objects.update(grant=None)
    assert [each.rule for each in invariants.check_top_ups()] == ["a top-up is granted as it was paid"]
