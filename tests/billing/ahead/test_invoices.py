from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import IntegrityError, transaction

from billing import coupons, credit_notes, invariants, invoicing, lifecycle, moves, plans, tax_rates
from billing.ahead import invoices as progress
from billing.ahead.thresholds import NO_THRESHOLDS, InvalidThresholds, Thresholds
from billing.credits import ledger
from billing.models import (
    CreditGrant,
    Invoice,
    InvoiceItem,
    Period,
    PlanVersion,
    Progress,
    Subscription,
    ThresholdPassed,
)
from billing.plans import InvalidPlan
from billing.proof import recomputing as proofs
from billing.rating import PriceModel, PriceTerms, TierTerms, flat_fee, per_unit
from billing.subscriptions import open_next_periods
from jobs.models import Job
from metering import corrections
from metering.models import Event
from tests.billing.late.test_settling import come_late, settle
from tests.billing.makers import FEB, HOUR, JAN, MAR, MID_JAN, make_plan, make_subscription, use
from tests.billing.test_invariants import triggers_off  # noqa: F401  (a fixture)
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db

CALLS = per_unit("Calls", meter_key="requests", unit_amount=Decimal(1))
FEE = flat_fee("Base fee", Decimal(31))
TEN = Thresholds((Decimal(10),))
MIXED = Thresholds((Decimal(10), Decimal(15)), step=Decimal(20))


def subscribe(*, thresholds=TEN, prices=(FEE, CALLS), key="acme", **terms):
    plan = make_plan(prices=prices, limits=(), thresholds=thresholds, **terms)
    return make_subscription(key, plan=plan)


def use_calls(count, *, time=MID_JAN, key="acme"):
    use(key, sizes=[1] * count, time=time)


def bill(subscription, *, at=MID_JAN):
    return progress.bill_ahead(subscription.id, at=at)


def close(subscription, *, at=FEB + HOUR):
    return invoicing.close_period(subscription.period_id, at=at)


def take_back_calls(count):
    for event in Event.objects.order_by("event_id")[:count]:
        corrections.retract_event(event.source, event.event_id, reason="a test", made_by="ops", at=MID_JAN + HOUR)


def list_lines(invoice):
    return [(line.kind, line.amount_minor) for line in invoice.lines]


def assert_sound():
    assert list(invariants.check()) == []


def test_usage_that_passes_a_threshold_is_billed_at_once_and_credited_at_the_periods_end():
    subscription = subscribe()
    use_calls(9)
    assert bill(subscription) is None
    use_calls(3)
    ahead = bill(subscription)
    assert (ahead.kind, ahead.number, ahead.state, ahead.total_minor) == ("threshold", "2026-000001", "issued", 1200)
    assert (ahead.period_start, ahead.period_end, ahead.plan_name) == (JAN, FEB, "Growth")
    [line] = ahead.lines.all()
    assert (line.quantity, line.event_count, line.kind, line.amount_minor) == (12, 12, "price", 1200)
    passed = ThresholdPassed.objects.get()
    assert (passed.threshold_minor, passed.worth, passed.invoice, passed.passed_at) == (1000, 12, ahead, MID_JAN)
    use_calls(1)
    final = close(subscription)
    assert list_lines(final) == [("price", 3100), ("price", 1300), ("prebilled", -1200)]
    assert final.lines[-1].description == "Calls: billed ahead on invoice 2026-000001"
    assert ahead.total_minor + final.total_minor == 3100 + 1300
    assert_sound()


def test_a_threshold_speaks_once_also_when_usage_falls_and_rises_again():
    subscription = subscribe()
    use_calls(12)
    assert bill(subscription).total_minor == 1200
    assert bill(subscription) is None
    take_back_calls(5)
    assert bill(subscription) is None
    use_calls(9)
    assert bill(subscription) is None
    assert Progress.objects.get().highest == 16
    assert_sound()


def test_several_thresholds_of_a_period_bill_each_what_came_since():
    subscription = subscribe(thresholds=MIXED)
    bills = []
    for count in (11, 3, 2, 18, 1, 40):
        use_calls(count)
        bills.append(bill(subscription))
    assert [each and each.total_minor for each in bills] == [1100, None, 500, None, 1900, 4000]
    assert list(ThresholdPassed.objects.order_by("pk").values_list("threshold_minor", flat=True)) == [
        1000, 1500, 3500, 7500,
    ]  # fmt: skip
    final = close(subscription)
    assert [amount for kind, amount in list_lines(final) if kind == "prebilled"] == [-1100, -500, -1900, -4000]
    assert final.total_minor == 3100
    assert_sound()


def test_thresholds_lie_on_what_was_used_in_all_the_subscriptions_life():
    subscription = subscribe(thresholds=MIXED)
    use_calls(9)
    assert bill(subscription) is None
    close(subscription)
    open_next_periods(FEB)
    later = FEB + timedelta(days=3)
    use_calls(2, time=later)
    ahead = bill(subscription, at=later)
    assert (ahead.total_minor, ahead.period_start, ThresholdPassed.objects.get().worth) == (200, FEB, 11)
    period = Period.objects.get(starts_at=FEB)
    assert invoicing.close_period(period.pk, at=MAR + HOUR).total_minor == 3100
    assert_sound()


def test_a_threshold_that_was_passed_before_the_plan_had_any_bills_nothing():
    subscription = subscribe(thresholds=NO_THRESHOLDS)
    use_calls(12)
    close(subscription)
    open_next_periods(FEB)
    version = plans.add_version(
        plan_id=PlanVersion.objects.get().plan_id, currency="EUR", prices=[FEE, CALLS], thresholds=MIXED
    )
    plans.publish_version(version, at=FEB)
    Period.objects.filter(starts_at=FEB).update(version=version)
    later = FEB + timedelta(days=3)
    use_calls(2, time=later)
    assert bill(subscription, at=later) is None
    use_calls(1, time=later)
    assert bill(subscription, at=later).total_minor == 300


def test_tiers_go_on_from_where_the_invoice_before_left_off():
    tiers = (TierTerms(Decimal(12), Decimal(1)), TierTerms(None, Decimal("0.5")))
    price = PriceTerms("Calls", PriceModel.GRADUATED, "requests", tiers=tiers)
    subscription = subscribe(prices=(price,), thresholds=Thresholds((Decimal(10), Decimal(13))))
    use_calls(11)
    bill(subscription)
    use_calls(3)
    second = bill(subscription)
    assert (second.total_minor, second.lines.get().quantity) == (200, 3)
    assert close(subscription).total_minor == 0
    assert_sound()


def test_percentages_and_taxes_are_those_of_the_periods_own_invoice():
    subscription = subscribe(prices=(CALLS,))
    coupons.create_coupon(code="C", name="C", duration="forever", percent=Decimal(25))
    coupons.create_coupon(code="D", name="D", duration="forever", amount_minor=100, currency="EUR")
    for code in "CD":
        coupons.apply_coupon(code=code, account_id=subscription.account_id, at=MID_JAN)
    rate = tax_rates.create_tax_rate(name="VAT", percent=Decimal(20))
    tax_rates.set_tax_rates(account_id=subscription.account_id, rate_ids=[rate])
    use_calls(12)
    ahead = bill(subscription)
    assert (ahead.discount_minor, ahead.subtotal_minor, ahead.tax_minor, ahead.total_minor) == (300, 900, 180, 1080)
    use_calls(8)
    final = close(subscription)
    assert [(line.kind, line.subtotal_minor, line.tax_minor) for line in final.lines] == [
        ("price", 1400, 280), ("prebilled", -900, -180),
    ]  # fmt: skip
    assert_sound()


def test_what_was_billed_ahead_in_excess_is_owed_to_the_customer():
    subscription = subscribe(prices=(CALLS,))
    use_calls(12)
    ahead = bill(subscription)
    take_back_calls(5)
    final = close(subscription)
    assert (final.total_minor, final.due_minor) == (-500, 0)
    assert CreditGrant.objects.get().amount_minor == 500
    assert ahead.total_minor + final.total_minor == 700
    assert_sound()


def test_a_subscription_that_ends_in_mid_period_is_credited_in_its_last_invoice():
    """Terminated on the 18th of 31 days: 18.00 of the fee are left to pay (lago, progressive_billing_spec.rb)."""
    subscription = subscribe()
    use_calls(12)
    bill(subscription)
    lifecycle.cancel(subscription.id, at=JAN + timedelta(days=18))
    final = invoicing.close_period(Period.objects.get().pk, at=JAN + timedelta(days=18) + HOUR)
    assert list_lines(final) == [
        ("price", 3100), ("price", 1200), ("prebilled", -1200), ("proration", -1300),
    ]  # fmt: skip
    assert final.total_minor == 1800
    assert bill(subscription, at=JAN + timedelta(days=19)) is None
    assert_sound()


def test_a_free_period_bills_nothing_ahead():
    subscription = subscribe()
    Period.objects.update(is_free=True)
    use_calls(12)
    assert bill(subscription) is None


def test_a_period_that_is_closed_or_over_bills_nothing_ahead():
    subscription = subscribe()
    use_calls(12)
    assert bill(subscription, at=FEB) is None
    close(subscription)
    assert bill(subscription) is None
    assert not ThresholdPassed.objects.exists()


def test_late_usage_of_a_period_that_was_billed_ahead_is_a_difference_of_its_own_invoice():
    subscription = subscribe(prices=(CALLS,))
    use_calls(12)
    bill(subscription)
    final = close(subscription)
    come_late(3)
    settle(final)
    assert InvoiceItem.objects.get(kind="late").amount_minor == 300
    assert_sound()


# Void, and credit notes


def test_what_would_have_credited_a_void_invoice_is_withdrawn():
    subscription = subscribe()
    use_calls(12)
    ahead = bill(subscription)
    for _ in range(2):
        moves.void_invoice(ahead.pk, reason="a mistake", at=MID_JAN + HOUR)
    assert InvoiceItem.objects.get().withdrawn_at == MID_JAN + HOUR
    assert bill(subscription) is None
    assert close(subscription).total_minor == 3100 + 1200
    assert_sound()


def test_the_next_threshold_bills_again_what_a_void_invoice_had_billed():
    subscription = subscribe(thresholds=MIXED)
    use_calls(12)
    moves.void_invoice(bill(subscription).pk, reason="a mistake", at=MID_JAN + HOUR)
    use_calls(3)
    assert bill(subscription).total_minor == 1500
    assert close(subscription).total_minor == 3100
    assert_sound()


def test_what_the_period_credited_of_an_invoice_that_becomes_void_is_asked_again():
    subscription = subscribe(prices=(CALLS,))
    use_calls(12)
    ahead = bill(subscription)
    close(subscription)
    moves.void_invoice(ahead.pk, reason="a mistake", at=FEB + 2 * HOUR)
    open_next_periods(FEB)
    period = Period.objects.get(starts_at=FEB)
    assert list_lines(invoicing.close_period(period.pk, at=MAR + HOUR)) == [("price", 0), ("prebilled", 1200)]
    assert_sound()


def test_an_invoice_ahead_is_credited_by_its_period_and_by_no_note():
    subscription = subscribe()
    use_calls(12)
    ahead = bill(subscription)
    with pytest.raises(credit_notes.CreditRefused, match="its period's own invoice"):
        credit_notes.issue_credit_note(
            ahead.pk, destination="due", reason="r", key="k", amount_minor=1, at=MID_JAN + HOUR
        )


# Jobs


def test_jobs_are_promised_for_subscriptions_that_passed_a_new_threshold_alone():
    subscription = subscribe()
    make_subscription("quiet", plan=plans.find_plan("growth"))
    use_calls(9)
    assert progress.enqueue_passed(MID_JAN) == 0
    use_calls(1)
    assert [progress.enqueue_passed(MID_JAN) for _ in range(2)] == [1, 0]
    assert Job.objects.get().key == f"{subscription.id} 1000 2026-01-15 12"
    bill(subscription)
    use_calls(1)
    assert progress.enqueue_passed(MID_JAN + HOUR) == 0


def test_usage_that_fell_before_the_job_ran_is_billed_once_it_rises():
    subscription = subscribe()
    use_calls(10)
    progress.enqueue_passed(MID_JAN)
    take_back_calls(1)
    assert bill(subscription) is None
    use_calls(1)
    assert progress.enqueue_passed(MID_JAN + HOUR) == 1
    assert bill(subscription, at=MID_JAN + HOUR).total_minor == 1000


@pytest.mark.parametrize("count", [1, 4])
def test_the_look_costs_the_same_for_any_number_of_subscriptions(django_assert_max_num_queries, count):
    plan = make_plan(prices=(FEE, CALLS), limits=(), thresholds=TEN)
    for number in range(count):
        make_subscription(f"acme{number}", plan=plan)
    with django_assert_max_num_queries(18):
        progress.enqueue_passed(MID_JAN)


# Terms


BAD = [(Decimal(5), Decimal(5)), (Decimal(0),), (Decimal(10), Decimal(1))]


@pytest.mark.parametrize("amounts", BAD)
def test_thresholds_that_do_not_ascend_are_refused_by_code_and_database(amounts):
    with pytest.raises(InvalidThresholds):
        Thresholds(amounts)
    make_plan()
    version = PlanVersion.objects.get(pk=plans.copy_last_version(PlanVersion.objects.get().plan_id))
    version.thresholds_minor = [int(amount) for amount in amounts]
    with pytest.raises(IntegrityError, match="plan_version_thresholds_ascend"), transaction.atomic():
        version.save()


def test_a_threshold_that_the_currency_does_not_have_is_refused():
    with pytest.raises(InvalidPlan, match="no amount that EUR has"):
        make_plan(thresholds=Thresholds((Decimal("0.001"),)))


def test_a_version_keeps_its_thresholds_and_a_copy_has_them():
    plan = make_plan(thresholds=MIXED)
    assert plan.thresholds == MIXED
    copied = plans.read_version(plans.copy_last_version(PlanVersion.objects.get().plan_id))
    assert copied.thresholds == MIXED
    with pytest.raises(IntegrityError), transaction.atomic():
        PlanVersion.objects.filter(pk=plan.version_id).update(thresholds_minor=[])


@pytest.mark.parametrize("write", ["update", "delete"])
def test_a_threshold_that_was_passed_stays_on_record(write):
    subscription = subscribe()
    use_calls(12)
    bill(subscription)
    rows = ThresholdPassed.objects.all()
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.delete() if write == "delete" else rows.update(threshold_minor=5)


def test_what_is_broken_is_told(triggers_off):  # noqa: F811
    subscription = subscribe()
    use_calls(12)
    ahead = bill(subscription)
    ThresholdPassed.objects.update(usages={"2": {"quantity": "13", "event_count": 13}})
    InvoiceItem.objects.update(amount_minor=-1100)
    assert {each.rule for each in invariants.check()} >= {
        "usage is billed ahead once",
        "what is billed ahead is credited by its period",
    }
    ThresholdPassed.objects.all()._raw_delete("default")
    assert "usage is billed ahead for a threshold" in {each.rule for each in invariants.check()}
    assert ahead.kind == "threshold"


# Races: real connections, hence no transaction around the test.


@pytest.mark.django_db(transaction=True)
def test_many_jobs_at_once_issue_one_invoice():
    subscription = subscribe()
    use_calls(12)
    results = run_together(*[lambda: bill(subscription)] * 4)
    assert sorted(type(result).__name__ for result in results) == ["Invoice", "NoneType", "NoneType", "NoneType"]
    assert Invoice.objects.count() == 1
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_control_without_its_lock_the_database_refuses_the_second_invoice(monkeypatch):
    subscription = subscribe()
    use_calls(12)
    Progress.objects.create(subscription_id=subscription.id, highest=0)
    both_have_read, compose = Barrier(2), progress.compose_ahead

    def read_and_wait(*args, **terms):
        both_have_read.wait(20)
        return compose(*args, **terms)

    def find(subscription_id, *, at):
        return progress.find_open(at).get(subscription=subscription_id)

    monkeypatch.setattr(progress, "lock_open", find)
    monkeypatch.setattr(progress, "compose_ahead", read_and_wait)
    monkeypatch.setattr(Progress, "save", lambda self: None)
    results = run_together(*[lambda: bill(subscription)] * 2)
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "Invoice"]
    assert Invoice.objects.count() == 1
    assert_sound()


@pytest.mark.django_db(transaction=True)
def test_an_invoice_ahead_and_the_end_of_the_subscription_at_once_are_billed_whole():
    subscription = subscribe(prices=(CALLS,))
    use_calls(12)
    end = MID_JAN + HOUR
    run_together(lambda: bill(subscription, at=MID_JAN), lambda: lifecycle.cancel(subscription.id, at=end))
    invoicing.close_period(Period.objects.get().pk, at=end + HOUR)
    assert sum(Invoice.objects.values_list("total_minor", flat=True)) == 1200
    assert Subscription.objects.get().state == "ended"
    assert_sound()


def test_the_invoice_of_the_period_proves_what_was_billed_ahead():
    subscription = subscribe()
    use_calls(12)
    ahead = bill(subscription)
    final = close(subscription)
    assert proofs.prove_invoice(final.number).state == "proved"
    assert proofs.prove_invoice(ahead.number).state == "unprovable"


def test_what_was_billed_ahead_is_not_counted_once_more_as_unbilled():
    subscription = subscribe()
    use_calls(12)
    bill(subscription)
    use_calls(2)
    wallet = ledger.read_wallet(account_id=subscription.account_id, currency="EUR", at=MID_JAN)
    assert wallet.unbilled_minor == 200
