import pytest
from django.db import connection

from billing import invariants, invoicing
from billing.models import CreditEntry, CreditGrant
from tests.billing.credits.makers import NOON, give
from tests.billing.makers import FEB, JAN, MID_JAN, make_account, make_subscription

pytestmark = pytest.mark.django_db


def list_rules():
    return {violation.rule for violation in invariants.check()}


@pytest.fixture
def grant():
    """Pays for a part of an invoice."""
    subscription = make_subscription(started_at=MID_JAN)
    grant = give(10_000, account_id=subscription.account_id, at=JAN)
    invoicing.close_period(subscription.period_id, at=FEB)
    assert list_rules() == set()
    return grant


DAMAGE = {
    "a grant holds what its ledger says": [
        lambda: CreditGrant.objects.update(balance_minor=5),
        lambda: CreditGrant.objects.update(amount_minor=5),
        lambda: CreditEntry.objects.filter(kind="granted").update(kind="refunded"),
        lambda: CreditEntry.objects.filter(kind="granted").delete(),
    ],
    "a void grant is empty": [lambda: CreditGrant.objects.update(voided_at=NOON)],
    "a grant pays no more than it has": [
        lambda: CreditEntry.objects.filter(kind="burned").update(amount_minor=-10_001)
    ],
    "credit pays for its own account": [
        lambda: CreditGrant.objects.update(account_id=make_account("other").id),
        lambda: CreditGrant.objects.update(currency="USD"),
    ],
    "credit pays no more than is asked": [
        lambda: CreditEntry.objects.filter(kind="burned").update(amount_minor=-9_000),
        lambda: CreditEntry.objects.filter(kind="burned").update(kind="refunded", amount_minor=600),
    ],
}


@pytest.mark.parametrize(("rule", "damage"), [(rule, each) for rule, all in DAMAGE.items() for each in all])
def test_damage_is_noticed(grant, rule, damage):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # the database refuses it to everybody else
    damage()
    assert rule in list_rules()
