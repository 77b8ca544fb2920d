from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction

from billing import grace, invoicing, plans
from billing.models import Period, PlanVersion
from billing.plans import InvalidPlan, PeriodTerms
from billing.runs import opening
from tests.billing.makers import FEB, HOUR, make_plan, make_subscription

pytestmark = pytest.mark.django_db

DELAY = settings.BILLING_CLOSE_DELAY
MICROSECOND = timedelta(microseconds=1)


def subscribe(grace_hours):
    make_subscription(plan=make_plan(periods=PeriodTerms(grace_hours=grace_hours)))
    return Period.objects.get()


@pytest.mark.parametrize(("hours", "wait"), [(None, DELAY), (0, timedelta()), (72, timedelta(hours=72))])
def test_a_period_is_due_when_its_versions_grace_is_over(hours, wait):
    period = subscribe(hours)
    assert list(grace.select_due(FEB + wait)) == [period]
    assert list(grace.select_due(FEB + wait - MICROSECOND)) == []
    assert list(opening.select_due(FEB + wait)) == [period]
    assert list(opening.select_due(FEB + wait - MICROSECOND)) == []


@pytest.mark.parametrize(("hours", "drafts"), [(None, 0), (0, 0), (72, 1)])
def test_drafts_are_promised_as_long_as_the_grace_lasts(hours, drafts):
    subscribe(hours)
    assert len(grace.select_in_grace(FEB + DELAY + HOUR)) == drafts
    assert invoicing.enqueue_drafts(FEB + DELAY + HOUR) == drafts


def test_what_is_under_way_or_closed_is_neither_due_nor_in_its_grace():
    period = subscribe(0)
    for at in (FEB - MICROSECOND, FEB + HOUR):
        assert list(grace.select_in_grace(at)) == []
    assert list(grace.select_due(FEB - MICROSECOND)) == []
    invoicing.close_period(period.pk, at=FEB)
    assert list(grace.select_due(FEB)) == []


@pytest.mark.parametrize("hours", [-1, 745])
def test_a_grace_is_at_most_a_month(hours):
    with pytest.raises(InvalidPlan) as refused:
        make_plan(periods=PeriodTerms(grace_hours=hours))
    assert refused.value.field == "grace_hours"


def test_a_grace_is_frozen_with_its_version_and_copied_to_the_next():
    version_id = make_plan(periods=PeriodTerms(grace_hours=72)).version_id
    with pytest.raises(IntegrityError), transaction.atomic():
        PlanVersion.objects.filter(pk=version_id).update(grace_hours=1)
    copy = plans.copy_last_version(PlanVersion.objects.get(pk=version_id).plan_id)
    assert plans.read_version(copy).periods.grace_hours == 72
