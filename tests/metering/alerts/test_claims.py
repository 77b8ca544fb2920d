from datetime import timedelta

import pytest
from django.db import transaction

from metering.alerts import check_limits, claim_alerts
from metering.models import Alert, Limit
from tests.metering.alerts.story import NOON, make_limits
from tests.metering.threads import open_threads


@pytest.mark.django_db
def test_an_alert_is_handed_out_once_and_never_when_superseded():
    make_limits(3)
    Limit.objects.update(used=10)
    check_limits(at=NOON)
    first, second = claim_alerts(at=NOON, limit=2), claim_alerts(at=NOON + timedelta(minutes=1))
    assert [fact.level for fact in first + second] == [100, 100, 100]
    assert len({fact.id for fact in first + second}) == 3
    assert claim_alerts(at=NOON) == []
    assert Alert.objects.filter(claimed_at=None, state="superseded").count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_is_rolled_back_is_free_again():
    make_limits(1)
    Limit.objects.update(used=9)
    check_limits(at=NOON)
    with transaction.atomic():
        assert len(claim_alerts(at=NOON)) == 1
        transaction.set_rollback(True)
    with transaction.atomic():
        assert len(claim_alerts(at=NOON)) == 1


@pytest.mark.django_db(transaction=True)
def test_many_claimers_share_the_alerts_without_overlap():
    make_limits(12)
    Limit.objects.update(used=9)
    check_limits(at=NOON)

    def claim_all() -> list[int]:
        claimed: list[int] = []
        while True:
            with transaction.atomic():
                facts = claim_alerts(at=NOON, limit=2)
            if not facts:
                return claimed
            claimed += [fact.id for fact in facts]

    with open_threads(4) as threads:
        claimed = [alert_id for ids in threads.run_all(*[claim_all] * 4) for alert_id in ids]
    assert sorted(claimed) == sorted(Alert.objects.values_list("pk", flat=True))
