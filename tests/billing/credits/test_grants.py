import pytest
from django.db import IntegrityError, transaction

from billing import profiles
from billing.credits import grants
from billing.credits.grants import InvalidCredit, RecurrenceTerms, UnknownGrant
from billing.models import CreditEntry, CreditGrant
from billing.money import UnknownCurrency
from billing.periods import Interval
from tests.billing.credits.makers import DAY, NOON, burn, give, list_entries, read_settled
from tests.billing.makers import make_account

pytestmark = pytest.mark.django_db


def test_a_grant_is_in_the_ledger():
    grant = give(1_000)
    assert list_entries() == [("granted", 1_000)]
    assert (grant.balance_minor, grant.source, grant.effective_at, grant.expires_at) == (1_000, "manual", NOON, None)
    assert read_settled(grant.account_id) == 1_000


def test_credit_that_has_not_begun_is_in_no_balance():
    grant = give(effective_at=NOON + DAY)
    assert read_settled(grant.account_id) == 0
    assert read_settled(grant.account_id, at=NOON + DAY) == 1_000


def test_the_same_key_makes_one_grant_for_each_account():
    first, other = give(key="welcome"), give(key="welcome", account_id=make_account("other").id)
    again = give(5, key="welcome", account_id=first.account_id)
    assert again == first
    assert other.id != first.id
    assert list_entries() == [("granted", 1_000)] * 2


def test_a_paid_top_up_is_credit_once():
    account_id = make_account().id
    for _ in range(2):
        found = grants.top_up(account_id=account_id, currency="EUR", amount_minor=500, key="payment 7", at=NOON)
    assert (found.source, read_settled(account_id)) == ("top_up", 500)


@pytest.mark.parametrize(
    "terms",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"expires_at": NOON},
        {"recurrence": RecurrenceTerms(Interval.MONTH), "expires_at": NOON + DAY},
        {"recurrence": RecurrenceTerms(Interval.MONTH, until=NOON)},
        {"recurrence": RecurrenceTerms(Interval.MONTH, rollover_min_minor=2, rollover_max_minor=1)},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms):
    with pytest.raises(InvalidCredit):
        give(**terms)
    assert CreditGrant.objects.count() == 0


def test_a_currency_that_is_none_is_refused():
    with pytest.raises(UnknownCurrency):
        give(currency="EUX")


def test_a_monthly_grant_ends_with_its_month_by_the_clocks_of_the_account():
    account = make_account(time_zone="Europe/Paris")
    grant = give(account_id=account.id, recurrence=RecurrenceTerms(Interval.QUARTER))
    assert grant.interval == Interval.QUARTER
    assert f"{grant.expires_at:%Y-%m-%d %H:%M}" == "2026-04-10 11:00"  # summer time by then


def test_voiding_takes_what_is_left_and_once():
    grant = give(1_000)
    burn(grant.account_id, 300)
    for _ in range(2):
        voided = grants.void_grant(grant.id, at=NOON + DAY)
    assert (voided.balance_minor, voided.voided_at) == (0, NOON + DAY)
    assert list_entries() == [("granted", 1_000), ("burned", -300), ("voided", -700)]


def test_what_is_not_there_cannot_be_voided():
    with pytest.raises(UnknownGrant):
        grants.void_grant(1, at=NOON)


def test_grants_are_listed_for_one_account_and_currency():
    grant = give()
    give(account_id=make_account("other").id)
    give(account_id=grant.account_id, currency="USD")
    assert [each.id for each in grants.list_grants(account_id=grant.account_id, currency="EUR")] == [grant.id]


@pytest.mark.parametrize(
    ("rule", "write"),
    [
        ("credit_entry_is_append_only", lambda: CreditEntry.objects.update(amount_minor=5)),
        ("credit_entry_is_append_only", lambda: CreditEntry.objects.all().delete()),
        ("credit_grant_frozen", lambda: CreditGrant.objects.update(balance_minor=5)),
        ("credit_grant_frozen", lambda: CreditGrant.objects.update(priority=5)),
        ("credit_grant_frozen", lambda: CreditGrant.objects.filter(entries=None).delete()),
        ("credit_grant_frozen", lambda: CreditGrant.objects.filter(priority=1).update(voided_at=None)),
        ("credit_grant_begins_empty", lambda: make_row(balance_minor=5)),
        ("credit_grant_begins_empty", lambda: make_row(voided_at=NOON)),
        ("credit_grant_not_overdrawn", lambda: make_entry("burned", -1_001)),
        ("credit_entry_has_the_sign_of_its_kind", lambda: make_entry("burned", 1)),
        ("credit_entry_has_the_sign_of_its_kind", lambda: make_entry("granted", -1)),
        ("credit_entry_has_the_sign_of_its_kind", lambda: make_entry("rolled_over", 0)),
        ("credit_entry_written_once", lambda: make_entry("granted", 1, key="granted")),
    ],
)
def test_the_database_refuses(rule, write):
    grant = give(1_000)
    make_row(account_id=grant.account_id)
    voided = give(priority=1, account_id=grant.account_id)
    grants.void_grant(voided.id, at=NOON)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        write()
    assert refused.value.__cause__.diag.constraint_name == rule


def make_row(**terms):
    terms.setdefault("account_id", profiles.BillingProfile.objects.first().account_id)
    row = {"currency": "EUR", "source": "manual", "amount_minor": 5, "effective_at": NOON, "made_at": NOON}
    return CreditGrant.objects.create(**row | terms)


def make_entry(kind, amount_minor, *, key="x"):
    grant = CreditGrant.objects.order_by("pk").first()
    CreditEntry.objects.create(grant=grant, kind=kind, amount_minor=amount_minor, key=key, made_at=NOON)
