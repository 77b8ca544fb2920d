import pytest
from django.db import IntegrityError, connection, transaction

from metering.accounts import (
    AccountExists,
    InvalidAccountKey,
    UnknownAccount,
    add_alias,
    create_account,
    create_accounts,
    find_account,
    read_accounts,
)
from metering.events import Fate
from metering.invariants import check
from metering.models import Account, Alias, HourlyRollup
from tests.metering.makers import NOON, make_account, make_events, make_meter

pytestmark = pytest.mark.django_db


def test_an_account_is_found_by_its_key_and_its_aliases():
    account = create_account(key="acme", name="Acme Ltd", aliases=["ACME", "10.0.0.1"], at=NOON)
    assert [find_account(name) for name in ("acme", "ACME", "10.0.0.1")] == [account] * 3
    assert (account.key, account.name) == ("acme", "Acme Ltd")
    assert read_accounts([account.id, 999]) == {account.id: account}


@pytest.mark.parametrize("name", ["other", "a\0b", ""])
def test_a_name_of_nobody_is_unknown(name):
    with pytest.raises(UnknownAccount):
        find_account(name)


@pytest.mark.parametrize("key", ["", " ", "-a", "a b", "a\0", "a\n", "é", "x" * 121])
def test_a_key_keeps_to_letters_that_travel_everywhere(key):
    with pytest.raises(InvalidAccountKey):
        create_account(key=key, at=NOON)
    with pytest.raises(InvalidAccountKey):
        create_account(key="good", aliases=[key], at=NOON)
    assert not Account.objects.exists()


def test_a_name_that_is_taken_changes_nothing():
    make_account("acme", aliases=["second"])
    for key, aliases in (("acme", []), ("second", []), ("third", ["acme"]), ("third", ["second"])):
        with pytest.raises(AccountExists):
            create_account(key=key, aliases=aliases, at=NOON)
    assert Account.objects.count() == 1
    assert Alias.objects.count() == 2


def test_many_accounts_are_made_at_once_and_known_ones_kept():
    known = make_account("acme", aliases=["second"])
    made = create_accounts([("acme", ""), ("second", ""), ("new", "New"), ("new", "New")], at=NOON)
    assert made == {"acme": known.id, "second": known.id, "new": find_account("new").id}
    assert create_accounts([("acme", ""), ("second", ""), ("new", "")], at=NOON) == made
    assert find_account("new").name == "New"


def test_making_many_accounts_costs_the_same_statements(django_assert_num_queries):
    with django_assert_num_queries(8):
        create_accounts([("a", "")], at=NOON)
    with django_assert_num_queries(8):
        create_accounts([(f"b{number}", "") for number in range(900)], at=NOON)


def test_events_that_waited_are_counted_when_many_accounts_are_made():
    make_meter()
    assert {fate.fate for fate in make_events(4, subject="late")} == {Fate.UNMATCHED}
    create_accounts([("late", ""), ("other", "")], at=NOON)
    assert HourlyRollup.objects.get().total == 4
    assert list(check()) == []


def test_events_that_waited_are_counted_when_their_alias_is_given():
    make_meter()
    make_events(2, subject="old-name")
    account = make_account()
    add_alias(account_id=account.id, name="old-name", at=NOON)
    add_alias(account_id=account.id, name="old-name", at=NOON)
    assert HourlyRollup.objects.get().total == 2
    assert list(check()) == []


def test_an_account_that_was_measured_stays_for_everybody():
    make_meter()
    account, unused = make_account(), make_account("unused")
    make_events(1)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for each in (account, unused):
            cursor.execute("DELETE FROM metering_alias WHERE account_id = %s", [each.id])
        cursor.execute("DELETE FROM metering_account WHERE id = %s", [unused.id])
        with pytest.raises(IntegrityError, match="has usage and stays"), transaction.atomic():
            cursor.execute("DELETE FROM metering_account WHERE id = %s", [account.id])
    assert Account.objects.get().key == "acme"


def test_an_alias_of_another_account_is_refused():
    make_account("acme", aliases=["mine"])
    other = make_account("other")
    with pytest.raises(AccountExists):
        add_alias(account_id=other.id, name="mine", at=NOON)
    with pytest.raises(UnknownAccount):
        add_alias(account_id=999, name="new", at=NOON)
