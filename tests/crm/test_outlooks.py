from decimal import Decimal

import pytest

from crm.leads import open_leads
from crm.models import Lead, Priority
from crm.outlooks import refresh_priorities
from tests.crm.makers import (
    JUNE_10,
    JUNE_11,
    JUNE_12,
    expect,
    find_customer,
    make_customer,
    make_lead,
    make_rep,
    raise_alert,
    resolve_alerts,
    use,
)

pytestmark = pytest.mark.django_db


def test_a_lead_that_is_unlikely_to_reach_its_limit_waits_in_the_queue():
    make_rep("rosa")
    account = make_customer("acme")
    expect(account, "0.05")
    use(account, 210)

    open_leads(at=JUNE_11)

    lead = Lead.objects.get()
    assert (lead.priority, lead.rep_id) == (Priority.LOW, None)


def test_it_is_given_out_once_a_newer_forecast_says_otherwise():
    rosa = make_rep("rosa")
    account = make_customer("acme")
    expect(account, "0.05")
    use(account, 210)
    open_leads(at=JUNE_10)
    expect(account, "0.7", at=JUNE_11)

    open_leads(at=JUNE_11)

    lead = Lead.objects.get()
    assert (lead.priority, lead.rep_id) == (Priority.NORMAL, rosa.id)


def test_a_lead_that_somebody_has_stays_theirs_when_it_becomes_unlikely():
    rosa = make_rep("rosa")
    lead = make_lead("acme", count=210)
    expect(find_customer(lead), "0.3", at=JUNE_11)

    assert refresh_priorities(at=JUNE_11) == 1
    assert refresh_priorities(at=JUNE_11) == 0

    lead.refresh_from_db()
    assert (lead.priority, lead.rep_id) == (Priority.LOW, rosa.id)


def test_a_forecast_that_is_still_learning_says_nothing():
    lead = make_lead("acme", count=210)
    expect(find_customer(lead), "0.05", at=JUNE_11, is_learning=True)

    assert refresh_priorities(at=JUNE_11) == 0


def test_a_forecast_alarm_is_urgent_while_it_stands():
    account = make_customer("acme")
    raise_alert(account, kind="forecast", level=Decimal(100), p_hit=Decimal("0.9"))
    open_leads(at=JUNE_10)
    assert Lead.objects.get().priority == Priority.HIGH

    resolve_alerts(account, at=JUNE_11, recovery="forecast_fell")
    expect(account, "0.4", at=JUNE_11)
    open_leads(at=JUNE_12)

    assert Lead.objects.get().priority == Priority.LOW


def test_a_limit_that_was_reached_is_urgent_though_it_was_kept_silent():
    lead = make_lead("acme", count=210)
    raise_alert(find_customer(lead), level=Decimal(100), state="suppressed", silence="flap")

    assert refresh_priorities(at=JUNE_11) == 1
    lead.refresh_from_db()
    assert lead.priority == Priority.HIGH


def test_many_leads_cost_as_many_statements_as_one(django_assert_max_num_queries):
    for lead in [make_lead(f"customer-{number}", count=210) for number in range(3)]:
        expect(find_customer(lead), "0.3", at=JUNE_11)

    with django_assert_max_num_queries(8):
        assert refresh_priorities(at=JUNE_11) == 3


def test_more_leads_than_a_batch_are_all_looked_at(monkeypatch):
    monkeypatch.setattr("crm.outlooks.LEAD_BATCH", 2)
    for lead in [make_lead(f"customer-{number}", count=210) for number in range(3)]:
        expect(find_customer(lead), "0.3", at=JUNE_11)

    assert refresh_priorities(at=JUNE_11) == 3
