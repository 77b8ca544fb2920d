from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crm.evidence import Cost, CostLine, Fee, Offer, gather_evidence, restore_alert
from crm.frozen import freeze_evidence, thaw_evidence, thaw_headline
from crm.leads import open_leads
from crm.models import Signal
from metering.alerts import list_alerts
from metering.limits import LimitTerms, hand_over_limits
from metering.meters import find_meter
from tests.crm.makers import (
    JULY_1,
    JUNE_1,
    JUNE_10,
    JUNE_11,
    expect,
    find_customer,
    make_customer,
    make_large,
    make_lead,
    raise_alert,
    use,
)

pytestmark = pytest.mark.django_db


def test_the_frozen_evidence_holds_every_fact_as_text():
    make_large()
    account = make_customer("acme")
    use(account, 60, at=datetime(2026, 6, 9, 8, tzinfo=UTC))
    use(account, 200, at=JUNE_10, batch="b")
    open_leads(at=JUNE_11)

    evidence = Signal.objects.get().evidence

    assert evidence["headline"] == {
        "meter_key": "requests",
        "meter_name": "Requests",
        "unit": "request",
        "level": "100",
        "used": "260",
        "quantity": "250",
        "percent": "104",
        "start": "2026-06-01T00:00:00+00:00",
        "end": "2026-07-01T00:00:00+00:00",
        "crossed_at": "2026-06-10T12:00:00+00:00",
        "detected_at": "2026-06-10T12:00:00+00:00",
        "kind": "usage",
        "level_unit": "percent",
        "subject": "",
        "severity": "critical",
        "cause": "usage",
        "time_zone": "UTC",
        "p_hit": None,
        "details": {},
    }
    assert evidence["plan"] == {
        "slug": "small",
        "name": "Small",
        "version": 1,
        "currency": "EUR",
        "period_start": "2026-06-01T00:00:00+00:00",
        "period_end": "2026-07-01T00:00:00+00:00",
    }
    assert evidence["cost"] == {
        "currency": "EUR",
        "total_minor": 2020,
        "lines": [
            {"description": "Base fee", "amount_minor": 1900},
            {"description": "Requests", "amount_minor": 120},
        ],
    }
    assert evidence["offer"] == {
        "slug": "large",
        "name": "Large",
        "currency": "EUR",
        "limit": "5000",
        "fees": [{"description": "Base fee", "amount": "99"}],
        "cost_minor": 9900,
    }
    assert [(start, Decimal(quantity)) for start, quantity in evidence["hours"]] == [
        ("2026-06-09T08:00:00+00:00", 60),
        ("2026-06-10T12:00:00+00:00", 200),
    ]
    days = {start[:10]: Decimal(quantity) for start, quantity in evidence["days"]}
    assert (len(days), days["2026-06-09"], days["2026-06-10"], days["2026-06-11"]) == (11, 60, 200, 0)
    assert evidence["frozen_at"] == "2026-06-11T12:00:00+00:00"


def test_what_was_frozen_thaws_to_the_same_evidence():
    make_large()
    account = make_customer("acme")
    use(account, 260)
    [alert] = list_alerts([account.id])
    evidence = gather_evidence(alert, at=JUNE_11)

    assert thaw_evidence(freeze_evidence(evidence)) == evidence
    assert len(evidence.hours) == 10 * 24 + 13


def test_the_evidence_holds_what_was_expected_then():
    account = make_customer("acme")
    use(account, 210)
    expect(
        account,
        "0.86",
        hit_low=datetime(2026, 6, 22, tzinfo=UTC),
        hit_mid=datetime(2026, 6, 24, tzinfo=UTC),
        hit_high=datetime(2026, 6, 27, tzinfo=UTC),
        total_low=Decimal(280),
        total_mid=Decimal(310),
        total_high=Decimal(350),
        reason="trend",
        reason_params={"percent": 34},
    )
    [alert] = list_alerts([account.id])
    evidence = gather_evidence(alert, at=JUNE_11)

    assert freeze_evidence(evidence)["forecast"] == {
        "made_at": "2026-06-10T12:00:00+00:00",
        "chance": "0.86",
        "is_learning": False,
        "hit_low": "2026-06-22T00:00:00+00:00",
        "hit_mid": "2026-06-24T00:00:00+00:00",
        "hit_high": "2026-06-27T00:00:00+00:00",
        "total_low": "280",
        "total_mid": "310",
        "total_high": "350",
        "reason": "trend",
        "reason_params": {"percent": 34},
    }
    assert thaw_evidence(freeze_evidence(evidence)) == evidence


SPEND = {"kind": "spend", "unit": "absolute", "level": Decimal(500), "used": Decimal("512.3"), "subject": "EUR"}
CREDIT = {"kind": "credit", "level": Decimal(20), "used": Decimal(12), "quantity": Decimal(100), "subject": "EUR"}


@pytest.mark.parametrize(("fields", "percent"), [(SPEND, None), (CREDIT, Decimal(12))], ids=["spend", "credit"])
def test_what_no_meter_counts_has_evidence_without_a_series(fields, percent):
    make_large()
    raise_alert(make_customer("acme"), **fields, details={"currency": "EUR"})

    assert open_leads(at=JUNE_11) == 1

    evidence = thaw_evidence(Signal.objects.get().evidence)
    assert (evidence.hours, evidence.days, evidence.forecast) == ((), (), None)
    assert (evidence.headline.subject, evidence.headline.percent) == ("EUR", percent)
    assert (evidence.plan.slug, evidence.offer.slug) == ("small", "large")
    assert restore_alert(evidence.headline).details == {"currency": "EUR"}


def test_a_headline_from_before_there_were_kinds_is_read_as_usage():
    lead = make_lead("acme")
    old = lead.signals.get().evidence["headline"]
    for name in ("kind", "level_unit", "subject", "severity", "cause", "time_zone", "p_hit", "details"):
        del old[name]

    headline = thaw_headline(old)
    assert (headline.kind, headline.level_unit, headline.percent) == ("usage", "percent", Decimal(104))


def test_later_usage_leaves_the_evidence_as_it_was():
    lead = make_lead("acme")
    before = lead.signals.get().evidence
    use(make_customer("other"), 1)
    use(find_customer(lead), 500, at=JUNE_11, batch="later")

    assert lead.signals.get().evidence == before


def test_an_account_without_a_plan_has_neither_cost_nor_offer():
    account = make_customer("acme", plan=None)
    terms = [LimitTerms(meter_id=find_meter("requests").id, quantity=Decimal(10), is_hard=False)]
    hand_over_limits(account_ids=[account.id], terms=terms, start=JUNE_1, end=JULY_1, at=JUNE_1)
    use(account, 9)

    assert open_leads(at=JUNE_11) == 1

    evidence = thaw_evidence(Signal.objects.get().evidence)
    assert (evidence.plan, evidence.cost, evidence.offer) == (None, None, None)
    assert evidence.headline.percent == Decimal("90.00")


def test_on_the_largest_plan_there_is_no_offer():
    make_large()
    account = make_customer("acme", plan="large")
    for part in "abcde":
        use(account, 900, batch=part)
    open_leads(at=JUNE_11)

    evidence = thaw_evidence(Signal.objects.get().evidence)
    assert evidence.offer is None
    assert evidence.cost == Cost("EUR", 9900, (CostLine("Base fee", 9900), CostLine("Requests", 0)))


def test_an_offer_without_a_limit_on_the_meter_survives_freezing():
    account = make_customer("acme")
    use(account, 260)
    [alert] = list_alerts([account.id])
    offer = Offer("huge", "Huge", "EUR", None, (Fee("Base fee", Decimal("499")),), None)
    evidence = replace(gather_evidence(alert, at=JUNE_11), offer=offer)

    assert thaw_evidence(freeze_evidence(evidence)).offer == offer
