from decimal import Decimal

import pytest

from billing.stripe.reconciling.findings import Scope
from billing.stripe.reconciling.usage import FAILED, UNSENT, look_at_usage
from tests.billing.makers import FEB, HOUR, JAN, MAR
from tests.billing.stripe.reconciling.makers import AT, ask, make_charged, tell_usage

pytestmark = pytest.mark.django_db
OF_JANUARY = Scope(AT, JAN)
LOST = {"state": "failed", "error_code": "no_meter", "accepted_at": None}


def look(scope=OF_JANUARY):
    return look_at_usage(scope).findings


def test_what_was_told_and_is_billed_agrees():
    charged = make_charged(requests=5)
    tell_usage(charged, 2, 3)
    looked = look_at_usage(OF_JANUARY)
    assert looked.findings == []
    assert looked.checked == {(UNSENT, charged.about), (FAILED, charged.about.replace("/", " "))}


def test_what_was_not_told_is_worth_what_its_price_asks():
    charged = make_charged(requests=5)
    tell_usage(charged, 2)
    [found] = look()
    assert (found.kind, found.key, found.account_id) == (UNSENT, charged.about, charged.invoice.account_id)
    assert (found.ours, found.theirs) == ("5 request", "2 request")
    assert (found.difference_minor, found.currency) == (6, "EUR")


def test_what_was_told_twice_is_below_zero():
    charged = make_charged(requests=5)
    tell_usage(charged, 5, 5)
    assert [found.difference_minor for found in look()] == [-10]


def test_what_stripe_refused_says_why():
    charged = make_charged(requests=5)
    tell_usage(charged, 3)
    tell_usage(charged, 2, **LOST)
    [found] = look()
    assert (found.kind, found.ours, found.difference_minor) == (FAILED, "2", 4)
    assert found.cause == "Stripe refused 1 meter events: no_meter."


def test_what_is_on_its_way_has_an_hour():
    charged = make_charged(requests=5)
    tell_usage(charged, 3)
    tell_usage(charged, 2, state="queued", accepted_at=None)
    assert look(Scope(FEB + HOUR, JAN)) == []
    assert [found.cause for found in look()] == ["1 meter events are still on their way."]


def test_a_meter_of_the_last_value_is_compared_by_it():
    charged = make_charged(requests=5)
    tell_usage(charged, 3, 5, formula="last")
    assert look() == []


def test_what_lines_charge_after_a_cut_is_not_compared():
    charged = make_charged(requests=5)
    tell_usage(charged, 2)
    charged.period.stripe_modes.update(mode="lines", reason="cut")
    assert look() == []


def test_what_lines_ask_on_a_draft_of_ours_is_not_compared():
    charged = make_charged(requests=5)
    tell_usage(charged, 2)
    ask(charged, 10, role="own")
    assert look() == []


def test_a_look_is_at_its_window_its_account_and_what_failed_at_any_time():
    charged = make_charged()
    tell_usage(charged, Decimal("0.5"))
    assert look(Scope(MAR, FEB + HOUR)) == []
    assert look(Scope(AT, JAN, charged.invoice.account_id + 1)) == []
    tell_usage(charged, 1, **LOST)
    assert [found.kind for found in look(Scope(MAR, FEB + HOUR))] == [FAILED]
