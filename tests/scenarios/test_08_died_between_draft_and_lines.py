"""Scenario 8: a worker dies between any two steps; another one goes on: there is one invoice with each line once."""

import pytest

from billing.models import Payment, StripeCall, StripeDrift, StripeInvoice
from billing.stripe.charging import asking, charge, drafts, scans
from tests.billing.test_items import add, bill
from tests.scenarios.worlds import GRACE

pytestmark = pytest.mark.django_db

STEPS = [
    (asking, "make_draft"), (drafts, "keep_row"), (asking, "read_invoice"), (asking, "add_lines"), (charge, "reach"),
    (asking, "finalise"), (charge, "settle_finalised"),
]  # fmt: skip


class Killed(BaseException):
    pass


def die_after(patch, module, name):
    """The worker is gone once the step is done, and before anything that follows it."""
    step = getattr(module, name)

    def done_and_gone(*arguments, **terms):
        step(*arguments, **terms)
        raise Killed

    patch.setattr(module, name, done_and_gone)


def ask_and_die(invoice, module, name):
    with pytest.MonkeyPatch.context() as patch:
        die_after(patch, module, name)
        with pytest.raises(Killed):
            charge.charge_invoice(invoice.pk, at=GRACE)


def assert_asked_once(world, invoice, *, lines):
    row = StripeInvoice.objects.get()
    assert (row.invoice, row.step, row.total_minor) == (invoice, "finalised", invoice.due_minor)
    told = asking.read_invoice(row.stripe_id, at=GRACE)
    assert sorted(line.key for line in told.lines if line.key) == lines
    drawn = [each for each in world.stripe.invoices.list({"limit": 100}).data if each.total]
    assert [each.id for each in drawn] == [row.stripe_id]
    assert not StripeDrift.objects.exists()


@pytest.mark.parametrize(("module", "name"), [step for step in STEPS if step[1] not in ("make_draft", "keep_row")])
def test_scenario_08_what_stripe_drew_is_filled_once(world, module, name):
    world.sign_up()
    world.draw()
    invoice = world.issue()
    ask_and_die(invoice, module, name)
    for _ in range(2):
        charge.charge_invoice(invoice.pk, at=GRACE)
    assert_asked_once(world, invoice, lines=[f"{invoice.pk}:1"])


@pytest.mark.parametrize(("module", "name"), STEPS)
def test_scenario_08_a_draft_of_our_own_is_made_and_filled_once(world, module, name):
    account = world.sign_up().account_id
    add(account, "30.00")
    add(account, "-5.00", key="goodwill")
    invoice = bill(account, at=GRACE)
    ask_and_die(invoice, module, name)
    for _ in range(2):
        charge.charge_invoice(invoice.pk, at=GRACE)
    assert_asked_once(world, invoice, lines=[f"{invoice.pk}:1", f"{invoice.pk}:2"])


@pytest.mark.parametrize("path", ["/v1/invoices/*/add_lines", "/v1/invoices/*/finalize"])
def test_scenario_08_an_answer_that_was_lost_is_asked_for_again(world, path):
    world.sign_up()
    world.draw()
    invoice = world.issue()
    world.simulator.fault("drop_after", path)
    world.simulator.fault("drop_before", path, nth=2, times=2)  # the client tries three times by itself
    world.charge()
    assert StripeCall.objects.exclude(state="done").count() == 1
    world.work(GRACE + drafts.PATIENCE, scans.CHARGE)
    assert_asked_once(world, invoice, lines=[f"{invoice.pk}:1"])
    assert not StripeCall.objects.exclude(state="done").exists()


def test_scenario_08_undisturbed_it_takes_four_calls_and_a_fifth_once_it_is_paid(world):
    world.sign_up()
    before = world.count_calls()
    world.draw()
    invoice = world.issue()
    world.charge()
    assert world.count_calls() - before == 4  # hold, read, add, finalise
    world.collect()
    assert world.count_calls() - before == 5
    invoice.refresh_from_db()
    assert (invoice.state, Payment.objects.get().amount_minor) == ("paid", 4900)
