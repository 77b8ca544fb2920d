from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.conf import settings

from config.celery import app
from metering.limits import LimitTerms, hand_over_limits
from metering.models import Alert, Limit
from metering.tasks import check_limits
from tests.metering.makers import make_account, make_meter

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.mark.django_db
@time_machine.travel(NOON, tick=False)
def test_the_task_checks_by_the_clock_and_twice_changes_nothing():
    terms = [LimitTerms(make_meter("requests").id, Decimal(10), is_hard=False)]
    hand_over_limits(account_ids=[make_account("acme").id], terms=terms, start=START, end=END, at=START)
    Limit.objects.update(used=9)
    check_limits()
    check_limits()
    assert Alert.objects.get().detected_at == NOON


def test_beat_knows_the_task_by_its_name():
    app.autodiscover_tasks(force=True)
    assert check_limits.name in {task for task, _seconds in settings.PERIODIC_TASKS.values()}
    assert check_limits.name in app.tasks
