"""Two at once never pay more than there is, and what happens once happens once; each with what goes wrong otherwise."""

from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from billing import invariants
from billing.credits import grants, settling
from billing.credits.grants import RecurrenceTerms
from billing.credits.ledger import make_entry, write_entries
from billing.models import CreditEntry, CreditGrant
from billing.periods import Interval
from tests.billing.credits.makers import DAY, NOON, burn, give, list_entries
from tests.billing.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)


def spend(grant, key):
    return lambda: sum(burn(grant.account_id, 70, key=key).values())


def test_bills_at_once_share_what_there_is():
    grant = give(100)
    paid = run_together(*(spend(grant, f"bill {number}") for number in range(4)))
    assert sorted(paid) == [0, 0, 30, 70]
    assert sorted(list_entries()) == [("burned", -70), ("burned", -30), ("granted", 100)]
    assert list(invariants.check()) == []


def test_one_bill_at_once_is_paid_once():
    grant = give(100)
    assert run_together(*[spend(grant, "bill")] * 3) == [70, 70, 70]
    assert list_entries() == [("granted", 100), ("burned", -70)]


def test_bills_at_once_share_what_recurs_for_them():
    grant = give(100, recurrence=RecurrenceTerms(Interval.DAY))

    def work(key):
        return lambda: sum(burn(grant.account_id, 70, key=key, at=NOON + DAY).values())

    assert sorted(run_together(*map(work, "abc"))) == [0, 30, 70]
    assert [kept.balance_minor for kept in CreditGrant.objects.order_by("pk")] == [100, 0]
    assert list(invariants.check()) == []


def look_and_spend(grant, barrier, key, *, unguarded=False):
    """What the lock is for: the balance is read by both before either writes."""

    def work():
        with transaction.atomic():
            if unguarded:
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL session_replication_role = replica")
            left = CreditEntry.objects.filter(grant_id=grant.id).aggregate(total=Sum("amount_minor"))["total"]
            barrier.wait(20)
            write_entries([make_entry(grant.id, "burned", -min(70, left), key=key, at=NOON)])

    return work


def test_without_the_lock_the_database_refuses_the_second():
    grant, barrier = give(100), Barrier(2)
    ended = run_together(*(look_and_spend(grant, barrier, key) for key in ("a", "b")))
    assert [type(each) for each in ended if each is not None] == [IntegrityError]
    assert CreditGrant.objects.get().balance_minor == 30


def test_without_lock_and_database_more_is_paid_than_there_is():
    """The control, which the check then finds."""
    grant, barrier = give(100), Barrier(2)
    assert run_together(*(look_and_spend(grant, barrier, key, unguarded=True) for key in ("a", "b"))) == [None, None]
    assert CreditEntry.objects.aggregate(total=Sum("amount_minor"))["total"] == -40
    assert {violation.rule for violation in invariants.check()} == {
        "a grant holds what its ledger says",
        "a grant pays no more than it has",
    }


def test_clocks_at_once_let_credit_recur_and_expire_once():
    grant = give(100, at=NOON)
    grants.void_grant(grant.id, at=NOON)
    series = RecurrenceTerms(Interval.DAY, rollover_max_minor=30)
    give(100, account_id=grant.account_id, recurrence=series)

    def settle():
        settling.recur_due(at=NOON + DAY)
        settling.expire_due(NOON + DAY)

    assert run_together(*[settle] * 4) == [None] * 4
    assert [kept.balance_minor for kept in CreditGrant.objects.order_by("pk")] == [0, 0, 130]
    assert list(invariants.check()) == []


def test_a_bill_and_the_end_of_the_credit_at_once():
    grant = give(100, expires_at=NOON + DAY)
    paid, _ = run_together(spend(grant, "bill"), lambda: settling.expire_due(NOON + DAY))
    entries = dict(list_entries())
    assert (paid, entries) in [
        (70, {"granted": 100, "burned": -70, "expired": -30}),
        (0, {"granted": 100, "expired": -100}),
    ]


def test_a_key_at_once_is_one_grant():
    account_id = give(1).account_id
    made = run_together(*[lambda: give(5, account_id=account_id, key="payment")] * 3)
    assert len({grant.id for grant in made}) == 1
    assert CreditGrant.objects.filter(key="payment").count() == 1
