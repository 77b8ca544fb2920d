from datetime import timedelta
from decimal import Decimal

import pytest

from billing.subscriptions import read_subscription
from billing.switching import change_plan
from crm import invariants
from crm.leads import open_leads
from metering.alerts import check_limits
from metering.limits import LimitTerms, end_windows, hand_over_limits, record_new_terms
from metering.meters import find_meter
from tests.crm.makers import (
    JULY_1,
    JUNE_1,
    JUNE_10,
    JUNE_11,
    JUNE_12,
    find_customer,
    make_customer,
    make_large,
    make_lead,
    raise_alert,
    resolve_alerts,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead():
    return make_lead("acme", count=210)


def change_limit(lead, quantity, *, reason, at=JUNE_11):
    terms = [LimitTerms(meter_id=find_meter("requests").id, quantity=Decimal(quantity), is_hard=False)]
    hand_over_limits(
        account_ids=[lead.account_id], terms=terms, start=JUNE_1, end=JULY_1, at=at, plan="small", reason=reason
    )


def read_stage(lead):
    lead.refresh_from_db()
    return lead.stage


def test_an_upgrade_that_clears_every_alarm_wins_the_lead(lead):
    change_limit(lead, 5000, reason="upgrade")
    resolve_alerts(find_customer(lead), at=JUNE_11, recovery="limit_changed")

    open_leads(at=JUNE_12)
    open_leads(at=JUNE_12)

    assert (read_stage(lead), lead.closed_at) == ("won", JUNE_12)
    move = lead.transitions.latest("pk")
    assert (move.actor_id, move.reason, lead.transitions.count()) == (None, "upgrade", 2)
    assert list(invariants.check()) == []


@pytest.mark.parametrize("reason", ["topup", "override", "renewal"])
def test_more_room_that_was_not_sold_by_a_plan_leaves_the_lead_open(lead, reason):
    change_limit(lead, 5000, reason=reason)
    resolve_alerts(find_customer(lead), at=JUNE_11, recovery="limit_changed")

    open_leads(at=JUNE_12)

    assert read_stage(lead) == "new"


def test_while_any_alarm_of_the_account_stands_it_stays_open(lead):
    change_limit(lead, 5000, reason="upgrade")
    resolve_alerts(find_customer(lead), at=JUNE_11, recovery="limit_changed")
    silent = {"state": "suppressed", "silence": "snoozed"}
    raise_alert(find_customer(lead), kind="spend", unit="absolute", level=Decimal(50), subject="EUR", **silent)

    open_leads(at=JUNE_12)

    assert read_stage(lead) == "new"


def test_an_upgrade_that_left_it_above_a_level_does_not_win_it_when_usage_falls_later(lead):
    change_limit(lead, 255, reason="upgrade")
    resolve_alerts(find_customer(lead), at=JUNE_12, recovery="fell")

    open_leads(at=JUNE_12)

    assert read_stage(lead) == "new"


def test_the_change_that_cleared_it_counts_and_not_one_before(lead):
    change_limit(lead, 255, reason="upgrade", at=JUNE_10 + timedelta(hours=1))
    change_limit(lead, 5000, reason="topup", at=JUNE_11)
    resolve_alerts(find_customer(lead), at=JUNE_11, recovery="limit_changed")

    open_leads(at=JUNE_12)

    assert read_stage(lead) == "new"


def test_another_plan_that_begins_a_window_anew_wins_the_lead(lead):
    meter = find_meter("requests").id
    before, after = ([LimitTerms(meter_id=meter, quantity=Decimal(count), is_hard=False)] for count in (250, 5000))
    end_windows(account_id=lead.account_id, meter_ids=[meter], at=JUNE_11)
    hand_over_limits(account_ids=[lead.account_id], terms=after, start=JUNE_11, end=JULY_1, at=JUNE_11)
    record_new_terms(account_id=lead.account_id, before=before, after=after, at=JUNE_11, is_other_plan=True)

    open_leads(at=JUNE_12)

    assert read_stage(lead) == "won"


def test_a_window_that_ended_by_itself_or_was_given_up_wins_nothing(lead):
    other = make_lead("other", count=210)
    end_windows(account_id=other.account_id, meter_ids=[find_meter("requests").id], at=JUNE_11)

    open_leads(at=JULY_1)

    assert (read_stage(lead), read_stage(other)) == ("new", "new")


def test_an_upgrade_before_the_window_was_given_up_wins_nothing(lead):
    change_limit(lead, 255, reason="upgrade", at=JUNE_10 + timedelta(hours=1))
    end_windows(account_id=lead.account_id, meter_ids=[find_meter("requests").id], at=JUNE_11)
    resolve_alerts(find_customer(lead), at=JUNE_11, recovery="limit_changed")

    open_leads(at=JUNE_12)

    assert read_stage(lead) == "new"


def test_what_comes_after_a_won_lead_opens_another(lead):
    change_limit(lead, 5000, reason="upgrade")
    resolve_alerts(find_customer(lead), at=JUNE_11, recovery="limit_changed")
    open_leads(at=JUNE_11)
    raise_alert(find_customer(lead), at=JUNE_12)

    assert open_leads(at=JUNE_12) == 1
    assert read_stage(lead) == "won"


def test_accounts_without_a_change_cost_nothing(django_assert_num_queries):
    from crm.upgrades import close_upgraded

    make_customer("quiet")
    with django_assert_num_queries(1):
        assert close_upgraded(at=JUNE_12) == 0


def test_a_plan_that_the_customer_takes_at_once_wins_the_lead_by_the_way_it_goes_in_life(lead):
    make_large()
    subscription = read_subscription(account_id=lead.account_id, at=JUNE_11)
    change_plan(subscription.id, "large", at=JUNE_11)
    check_limits(at=JUNE_12)

    open_leads(at=JUNE_12)

    assert read_stage(lead) == "won"
    assert list(invariants.check()) == []
