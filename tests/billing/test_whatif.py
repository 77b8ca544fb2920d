from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import invoicing, plans
from billing.models import Period, Plan
from billing.periods import Anchoring, Interval
from billing.plan_changes import compare_plans
from billing.plans import InvalidPlan, PeriodTerms, UnknownPlan
from billing.rating import flat_fee, per_unit
from billing.whatif import (
    MOST_PERIODS,
    Question,
    Skip,
    Summary,
    UnknownVersion,
    compare_versions,
    count_asked,
    find_version,
)
from metering.models import Pruning
from tests.billing.makers import (
    BASE_FEE,
    BY_HOST,
    CARDS,
    FEB,
    HOUR,
    JAN,
    MAR,
    MID_JAN,
    make_detailed_meters,
    make_plan,
    make_subscription,
    numbers,
    send,
    use,
)

pytestmark = pytest.mark.django_db

APR = datetime(2026, 4, 1, tzinfo=UTC)
MID_APR = datetime(2026, 4, 15, tzinfo=UTC)
PER_REQUEST = per_unit("Requests", meter_key="requests", unit_amount=Decimal("0.10"))


def make_flat_plan(slug="flat", amount=10, **terms):
    return make_plan(slug, prices=[flat_fee("Fee", Decimal(amount))], limits=(), **terms)


def draft(slug, *prices, **terms):
    """A version that is not published."""
    return plans.add_version(plan_id=Plan.objects.get(slug=slug).pk, currency="EUR", prices=prices, **terms)


def ask(version_id, *, at=MID_APR, **question):
    return list(compare_versions(Question(version_id, at=at, **question)))


def list_amounts(outcome):
    return [(each.start, each.current_minor, each.proposed_minor) for each in outcome.periods]


def test_real_past_periods_are_rated_under_a_version_that_is_not_published():
    plan = make_plan(prices=[PER_REQUEST], limits=())
    make_subscription("acme", plan=plan, at=MID_APR)
    use("acme", sizes=[1] * 30, time=MID_JAN)
    use("acme", sizes=[1] * 7, time=MAR + HOUR)
    version_id = draft(plan.slug, flat_fee("Fee", Decimal(2)))
    [outcome] = ask(version_id)
    assert list_amounts(outcome) == [(JAN, 300, 200), (FEB, 0, 200), (MAR, 70, 200)]
    assert (outcome.account_key, outcome.plan_slug, outcome.version_number) == ("acme", "growth", 1)
    assert (outcome.current_minor, outcome.proposed_minor, outcome.change_minor) == (370, 600, 230)


def test_commitment_and_included_credit_of_a_version_count():
    plan = make_plan(prices=[PER_REQUEST], limits=())
    make_subscription("acme", plan=plan, at=MID_APR)
    use("acme", sizes=[1] * 30, time=MID_JAN)
    proposed = make_plan("sure", prices=[PER_REQUEST], limits=(), commitment_minor=250, included_credit_minor=100)
    [outcome] = ask(proposed.version_id)
    assert list_amounts(outcome) == [(JAN, 300, 200), (FEB, 0, 150), (MAR, 0, 150)]


def test_only_the_last_periods_that_are_over_are_taken():
    plan = make_flat_plan()
    make_subscription("acme", plan=plan, at=MID_APR)
    [outcome] = ask(plan.version_id, periods=2)
    assert [each.start for each in outcome.periods] == [FEB, MAR]
    [outcome] = ask(plan.version_id, at=MAR - HOUR)
    assert [each.start for each in outcome.periods] == [JAN]


def test_late_usage_counts_on_both_sides():
    plan = make_plan(prices=[PER_REQUEST], limits=())
    subscription = make_subscription("acme", plan=plan, at=MID_APR)
    use("acme", sizes=[1], time=MID_JAN)
    invoicing.close_period(Period.objects.get(subscription=subscription.id, starts_at=JAN).pk, at=FEB + HOUR)
    use("acme", sizes=[1], time=MID_JAN, at=FEB + 2 * HOUR)
    [outcome] = ask(draft(plan.slug, per_unit("R", meter_key="requests", unit_amount=Decimal(1))), at=FEB)
    assert list_amounts(outcome) == [(JAN, 20, 200)]


def test_winners_and_losers_are_counted_and_revenue_added():
    plan = make_plan(prices=[PER_REQUEST], limits=())
    for key, count in [("small", 1), ("even", 20), ("big", 50), ("huge", 90)]:
        make_subscription(key, plan=plan, at=FEB)
        use(key, sizes=[1] * count, time=MID_JAN)
    make_subscription("dollar", plan=make_flat_plan("dollar", currency="USD"), at=FEB)
    summary = Summary()
    for outcome in ask(draft(plan.slug, flat_fee("Fee", Decimal(2))), at=FEB):
        summary.add(outcome)
    assert (summary.winners, summary.losers, summary.unchanged, summary.compared) == (2, 1, 1, 4)
    assert (summary.current_minor, summary.proposed_minor, summary.change_minor) == (1610, 800, -810)
    assert summary.skipped == {Skip.OTHER_CURRENCY: 1}


def test_one_account_or_the_subscribers_of_one_plan_are_asked_about():
    plan, other = make_flat_plan("flat"), make_flat_plan("other")
    acme = make_subscription("acme", plan=plan, at=FEB)
    make_subscription("bolt", plan=other, at=FEB)
    questions = [
        (Question(plan.version_id, at=FEB), ["acme", "bolt"]),
        (Question(plan.version_id, at=FEB, account_id=acme.account_id), ["acme"]),
        (Question(plan.version_id, at=FEB, from_plan="other"), ["bolt"]),
    ]
    for question, keys in questions:
        assert [outcome.account_key for outcome in compare_versions(question)] == keys
        assert count_asked(question) == len(keys)


def test_what_cannot_be_compared_is_told_and_why():
    make_detailed_meters()
    monthly = make_flat_plan("monthly")
    make_subscription("dollar", plan=make_flat_plan("dollar", currency="USD"), at=FEB)
    weekly = make_flat_plan("weekly", periods=PeriodTerms(interval=Interval.WEEK))
    make_subscription("fast", plan=weekly, at=FEB)
    make_subscription("fresh", plan=monthly, started_at=FEB - HOUR)
    bandwidth = make_plan("bytes", prices=[per_unit("B", meter_key="bandwidth", unit_amount=Decimal(10))], limits=())
    make_subscription("absurd", plan=bandwidth, at=FEB)
    use("absurd", sizes=[10**15], time=MID_JAN)
    outcomes = {outcome.account_key: outcome for outcome in ask(monthly.version_id, at=FEB - HOUR)}
    assert {key: each.skip for key, each in outcomes.items()} == {
        "dollar": Skip.NO_PERIOD,
        "fast": Skip.OTHER_INTERVAL,
        "fresh": Skip.NO_PERIOD,
        "absurd": Skip.NO_PERIOD,
    }
    outcomes = {outcome.account_key: outcome for outcome in ask(monthly.version_id, at=FEB)}
    assert {key: (each.skip, len(each.periods)) for key, each in outcomes.items()} == {
        "dollar": (Skip.OTHER_CURRENCY, 0),
        "fast": (Skip.OTHER_INTERVAL, 0),
        "fresh": (None, 1),
        "absurd": (Skip.TOO_LARGE, 0),
    }


def test_each_period_is_rated_by_the_version_that_billed_it_and_free_or_partial_ones_are_passed_over():
    before, after = make_flat_plan("before", 10), make_flat_plan("after", 20)
    fact = make_subscription("acme", plan=after, at=MID_APR)
    periods = Period.objects.filter(subscription=fact.id)
    periods.filter(starts_at=JAN).update(version=before.version_id)
    proposed = draft("after", flat_fee("Fee", Decimal(12)))
    [outcome] = ask(proposed)
    assert list_amounts(outcome) == [(JAN, 1000, 1200), (FEB, 2000, 1200), (MAR, 2000, 1200)]
    periods.filter(starts_at=FEB).update(is_free=True)
    periods.filter(starts_at=MAR).update(is_prorated=True)
    [outcome] = ask(proposed)
    assert list_amounts(outcome) == [(JAN, 1000, 1200)]


def test_prices_that_look_at_dropped_events_skip_only_the_accounts_that_need_them():
    make_detailed_meters()
    plan = make_flat_plan()
    make_subscription("early", plan=plan, at=APR)
    make_subscription("late", plan=plan, started_at=MAR, at=APR)
    Pruning.objects.create(month=JAN.date(), kept_after=FEB - HOUR, event_count=0, pruned_at=APR)
    outcomes = ask(draft(plan.slug, CARDS), at=APR)
    assert [(outcome.account_key, outcome.skip) for outcome in outcomes] == [("early", Skip.PRUNED), ("late", None)]


def test_an_ended_subscription_is_not_asked_about():
    plan = make_flat_plan()
    fact = make_subscription("acme", plan=plan, at=FEB)
    Period.objects.get(pk=fact.period_id).subscription.__class__.objects.filter(pk=fact.id).update(
        state="ended", ended_at=FEB
    )
    assert ask(plan.version_id, at=MAR) == []


@pytest.mark.parametrize("prices", [(), (replace(BY_HOST, meter_key="requests"),)])
def test_a_version_that_could_not_be_published_is_not_asked_about(prices):
    plan = make_plan()
    with pytest.raises(InvalidPlan):
        ask(draft(plan.slug, *prices))


@pytest.mark.parametrize("periods", [0, -1, MOST_PERIODS + 1])
def test_a_number_of_periods_that_makes_no_sense_is_refused(periods):
    with pytest.raises(ValueError, match="periods can be compared"):
        Question(1, at=FEB, periods=periods)


def test_a_version_is_found_by_plan_and_number_also_a_draft():
    plan = make_flat_plan()
    drafted = draft("flat", BASE_FEE)
    assert find_version("flat") == plan.version_id
    assert find_version("flat", 2) == drafted
    with pytest.raises(UnknownVersion, match="no version 3 of a plan 'flat'"):
        find_version("flat", 3)
    with pytest.raises(UnknownPlan):
        find_version("round")


def test_a_chunk_costs_the_same_statements_whoever_is_in_it():
    plan = make_plan(prices=[BASE_FEE, PER_REQUEST], limits=())
    version_id = draft(plan.slug, PER_REQUEST)

    def count_statements(expected):
        with CaptureQueriesContext(connection) as context:
            assert len(ask(version_id)) == expected
        return len(context)

    make_subscription("first", plan=plan, at=APR)
    alone = count_statements(1)
    for number in range(5):
        make_subscription(f"account-{number}", plan=plan, at=APR)
        use(f"account-{number}", sizes=[1], time=MID_JAN)
    assert count_statements(6) == alone


def test_chunks_follow_one_another(monkeypatch):
    monkeypatch.setattr("billing.whatif.CHUNK", 2)
    plan = make_flat_plan()
    for number in range(5):
        make_subscription(f"account-{number}", plan=plan, at=FEB)
    assert [outcome.account_key for outcome in ask(plan.version_id)] == [f"account-{number}" for number in range(5)]


# Under its own version a period costs what its invoice says

moments = st.integers(min_value=0, max_value=89 * 24 * 60)
events = st.lists(st.tuples(moments, st.integers(1, 10**6), st.sampled_from(["a", "b", "c"])), max_size=12)


@settings(max_examples=12, deadline=None)
@given(
    used=events,
    time_zone=st.sampled_from(["UTC", "Europe/Paris", "Asia/Kolkata"]),
    anchoring=st.sampled_from(list(Anchoring)),
    start=st.integers(min_value=0, max_value=20 * 24 * 60),
)
def test_a_period_under_its_own_version_costs_what_its_invoice_says(used, time_zone, anchoring, start):
    key = f"customer-{next(numbers)}"
    make_detailed_meters()
    plan = make_plan(
        f"plan-{key}", prices=[PER_REQUEST, BY_HOST, CARDS], limits=(), periods=PeriodTerms(anchoring=anchoring)
    )
    started_at = JAN + timedelta(minutes=start)
    fact = make_subscription(key, plan=plan, time_zone=time_zone, started_at=started_at, at=APR)
    for minute, size, host in used:
        moment = JAN + timedelta(minutes=minute)
        send(key, "web.request", (moment, {"bytes": size, "host": host, "path": "/"}))
        send(key, "card.paid", (moment, {"amount": Decimal(size) / 100}))
    [outcome] = ask(plan.version_id, at=APR, account_id=fact.account_id)
    assert outcome.periods
    [own] = [cost for cost in compare_plans(account_id=fact.account_id, at=APR) if cost.is_current]
    invoices = []
    for period in Period.objects.filter(subscription=fact.id, ends_at__lte=APR).order_by("starts_at"):
        invoice = invoicing.close_period(period.pk, at=APR)
        invoices.append((period.starts_at, sum(line.amount_minor for line in invoice.lines)))
    assert [(each.start, each.current_minor) for each in outcome.periods] == invoices[-3:]
    assert [(each.start, each.proposed_minor) for each in outcome.periods] == invoices[-3:]
    assert [(each.start, each.total_minor) for each in own.past] == invoices[-3:]
