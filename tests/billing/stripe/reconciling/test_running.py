import json
from io import StringIO

import pytest
from django.core.management import call_command

from billing.models import DriftState, StripeCursor, StripeDrift, StripeInvoice
from billing.stripe.drifts import accept_drift
from billing.stripe.reconciling.running import reconcile
from tests.billing.makers import JAN
from tests.billing.stripe.reconciling.makers import AT, DAY, ask, make_charged, tell_usage
from tests.crm.makers import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def charged():
    charged = make_charged(requests=5)
    tell_usage(charged, 5)
    ask(charged, 10)
    return charged


def run(at=AT, **terms):
    report = reconcile(at, since=JAN, may_read=False, **terms)
    return [(drift.kind, drift.difference_minor) for drift in report.open], report.found, report.gone


def set_total(total):
    StripeInvoice.objects.update(total_minor=total)


def test_what_agrees_leaves_nothing(charged):
    assert run() == ([], 0, 0)
    assert StripeCursor.objects.get(name="reconciled").reached_at == AT


def test_a_drift_is_found_once_and_gone_once_they_agree(charged):
    set_total(9)
    assert run() == ([("invoice_total", 1)], 1, 0)
    assert run(AT + DAY) == ([("invoice_total", 1)], 1, 0)
    set_total(10)
    assert run(AT + 2 * DAY) == ([], 0, 1)
    drift = StripeDrift.objects.get()
    assert (drift.state, drift.opened_at, drift.seen_at) == (DriftState.REPAIRED, AT, AT + DAY)


def test_a_drift_from_before_the_window_is_looked_at_until_it_is_gone(charged):
    set_total(9)
    run()
    later = reconcile(AT + 60 * DAY, since=AT + 30 * DAY, may_read=False)
    assert [drift.kind for drift in later.open] == ["invoice_total"]
    set_total(10)
    assert reconcile(AT + 61 * DAY, since=AT + 30 * DAY, may_read=False).gone == 1


def test_a_look_at_one_account_leaves_the_drifts_of_others(charged):
    set_total(9)
    run()
    set_total(10)
    assert run(account_id=charged.invoice.account_id + 1) == ([], 0, 0)
    assert run(account_id=charged.invoice.account_id) == ([], 0, 1)


def test_what_was_accepted_stays_accepted(charged):
    set_total(9)
    run()
    accept_drift(StripeDrift.objects.get().pk, by=make_user("ann").pk, reason="A cent.", at=AT)
    assert run(AT + DAY) == ([], 1, 0)
    set_total(8)
    assert run(AT + DAY) == ([("invoice_total", 2)], 1, 0)


def test_the_command_tells_each_drift_and_ends_with_one(charged, settings):
    out = StringIO()
    call_command("reconcile_stripe", "--since", "2026-01-01", "--local", stdout=out)
    set_total(9)
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile_stripe", "--since", "2026-01-01", "--local", "--account", "acme", stdout=out)
    assert ended.value.code == 1
    line = f"invoice_total in_{charged.invoice.pk} of acme: 0.10 EUR ≠ 0.09 EUR (0.01 EUR)."
    assert line in out.getvalue()


def test_the_command_writes_json(charged):
    set_total(9)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("reconcile_stripe", "--since", "2026-01-01", "--local", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told["found"], told["open"][0]["difference_minor"], told["open"][0]["account"]) == (1, 1, "acme")
