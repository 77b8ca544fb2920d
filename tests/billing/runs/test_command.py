import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.models import BillingRun, Invoice
from billing.runs.opening import open_run
from jobs.models import Job
from tests.billing.runs.makers import DUE, break_profile, list_totals, make_customers, make_too_large, work

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(DUE, tick=False):
        yield


def run(capsys, *arguments):
    call_command("billing_run", *arguments)
    return capsys.readouterr().out.splitlines()


def test_a_dry_run_says_what_it_would_come_to_and_leaves_all_due(capsys):
    make_customers("acme", "beta")
    lines = run(capsys, "--dry-run")
    number = BillingRun.objects.get().pk
    assert lines == [
        f"Run {number}: awaits approval, 2 of 2 periods.",
        "EUR: €21.00 previewed, €0.00 before, a change of €21.00.",
        "2 new, 0 gone, 0 changed by 20 % or more, 0 unchanged, 0 failed.",
        "  new acme: – → 10.50 EUR",
        "  new beta: – → 10.50 EUR",
        "This was a dry run: nothing is billed, and all of it is due as before.",
    ]
    assert (BillingRun.objects.get().state, Invoice.objects.count()) == ("cancelled", 0)
    assert open_run(at=DUE).entry_count == 2


def test_without_an_option_a_run_awaits_approval_which_its_number_gives(capsys):
    make_customers("acme")
    lines = run(capsys)
    number = BillingRun.objects.get().pk
    assert lines[-1] == f"Approve it in the back-office, or by: manage.py billing_run --run {number} --approve"
    lines = run(capsys, "--run", str(number), "--approve")
    assert lines[:2] == [
        f"Run {number}: done, 1 of 1 periods.",
        "EUR: €10.50 billed, €0.00 before, a change of €10.50.",
    ]
    assert list_totals() == [("acme", 1_050)]


def test_approved_at_once_it_is_billed_without_a_preview(capsys):
    make_customers("acme")
    assert "€10.50 billed" in run(capsys, "--approve")[1]
    assert set(Job.objects.values_list("kind", "state")) == {("billing.bill_part", "done")}


def test_what_failed_is_told_with_its_reason_and_tried_again(capsys):
    [acme, _beta] = make_customers("acme", "beta")
    mend = break_profile("acme")
    with pytest.raises(CommandError, match="1 failed"):
        run(capsys, "--approve")
    assert f"  failed acme: UnknownProfile: Account {acme.account_id} has no billing profile." in (
        capsys.readouterr().out.splitlines()
    )
    mend()
    number = str(BillingRun.objects.get().pk)
    assert "2 of 2 periods" in run(capsys, "--run", number, "--retry")[0]
    assert list_totals() == [("acme", 1_050), ("beta", 1_050)]


def test_what_cannot_be_previewed_is_told(capsys):
    make_too_large("huge")
    assert any("failed huge: AmountTooLarge" in line for line in run(capsys, "--dry-run"))


def test_a_run_is_cancelled_by_its_number(capsys):
    make_customers("acme")
    run(capsys)
    run(capsys, "--run", str(BillingRun.objects.get().pk), "--cancel")
    assert BillingRun.objects.get().state == "cancelled"


def test_where_nothing_is_due_it_says_so(capsys):
    assert run(capsys) == ["Nothing is due: every period that is over is billed, or in a run that is under way."]


def test_what_a_worker_does_not_finish_in_time_is_said_to_go_on(capsys):
    make_customers("acme")
    opened = open_run(at=DUE, is_approved=True)
    Job.objects.update(
        state="running", attempts=1, started_at=DUE, lease_until=DUE.replace(hour=2), lease_token="0" * 32
    )
    with pytest.raises(CommandError, match="workers go on"):
        run(capsys, "--run", str(opened.pk), "--wait", "0")
    Job.objects.update(state="queued", lease_until=None, lease_token=None)
    work()
    assert list_totals() == [("acme", 1_050)]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--retry"], "Say which run"),
        (["--cancel"], "Say which run"),
        (["--run", "404"], "no billing run 404"),
        (["--run", "1", "--dry-run"], "leave --run out"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, reason):
    with pytest.raises(CommandError, match=reason):
        call_command("billing_run", *arguments)


def test_a_run_that_is_done_is_not_cancelled(capsys):
    make_customers("acme")
    run(capsys, "--approve")
    with pytest.raises(CommandError, match="nothing to cancel"):
        run(capsys, "--run", str(BillingRun.objects.get().pk), "--cancel")
