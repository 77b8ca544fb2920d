"""Whose key may send what, and how fast."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from metering.buckets import forget_buckets, take_token
from metering.keys import debts, issue_key, revoke_key
from metering.models import ApiKey, Event, TokenBucket
from metering.tasks import forget_idle_buckets
from tests.metering.makers import NOON, make_account, make_key
from tests.metering.senders import EVENT, Sender, is_problem, list_fates, make_ground

pytestmark = pytest.mark.django_db


@pytest.fixture
def send(client: Client) -> Any:
    return Sender(client, make_ground())


def issue(**terms: Any) -> str:
    return issue_key(name="own", scopes=["events:write"], at=timezone.now(), **terms).secret


def test_an_accounts_key_sends_that_accounts_usage_and_no_others(send):
    other = make_account("other", aliases=["other:eu"])
    rows = [EVENT, EVENT | {"id": "2", "subject": "other"}, {}, EVENT | {"id": "3", "subject": "other:eu"}]
    rows.append(EVENT | {"id": "4", "subject": "nobody"})
    response = send(rows, key=issue(account_id=other.id))
    assert list_fates(response) == ["rejected", "accepted", "rejected", "accepted", "rejected"]
    results = response.json()["results"]
    assert [(each["code"], each["field"]) for each in results if each["fate"] == "rejected"] == [
        ("subject_not_yours", "subject"),
        ("required", "source"),
        ("subject_not_yours", "subject"),
    ]
    assert (results[0]["source"], results[0]["id"]) == ("shop", "1")
    assert set(Event.objects.values_list("event_id", flat=True)) == {"2", "3"}


def test_a_vendors_key_sends_every_accounts_usage(send):
    make_account("other")
    assert list_fates(send([EVENT, EVENT | {"id": "2", "subject": "other"}])) == ["accepted", "accepted"]


@pytest.mark.parametrize("is_own", [True, False])
def test_an_accounts_key_and_a_rate_cost_no_further_statement(send, is_own, django_assert_max_num_queries):
    account = make_account("other")
    key = issue(account_id=account.id, rate_per_second=1000) if is_own else send.secret
    send([EVENT | {"subject": "other"}], key=key)
    with django_assert_max_num_queries(8):  # six, with the savepoint of the test's transaction
        assert send([EVENT | {"id": "2", "subject": "other"}], key=key).json()["counts"]["accepted"] == 1


def test_a_key_with_a_rate_is_asked_to_wait_when_its_bucket_is_empty(send):
    key = issue(rate_per_second=5)  # fifty at once, after a rest
    fifty = [EVENT | {"id": str(number)} for number in range(50)]
    assert send(fifty, key=key).status_code == 200
    refused = send(EVENT, key=key)
    assert is_problem(refused, 429, "rate_exceeded")
    assert refused["Retry-After"] == "1"
    assert send(EVENT).json()["counts"]["duplicate"] == 1  # another key


def test_a_batch_beyond_the_bucket_is_taken_and_paid_off_before_the_next(send):
    key = issue(rate_per_second=5)
    assert send([EVENT | {"id": str(number)} for number in range(1000)], key=key).json()["counts"]["accepted"] == 1000
    refused = send(EVENT, key=key)
    assert is_problem(refused, 429, "rate_exceeded")
    assert 185 <= int(refused["Retry-After"]) <= 191  # 950 in debt and one to send, at five a second
    TokenBucket.objects.update(filled_at=timezone.now() - timedelta(seconds=195))
    assert send(EVENT, key=key).status_code == 200


def test_asking_while_told_to_wait_makes_the_wait_no_longer(send):
    key = issue(rate_per_second=1)
    send([EVENT | {"id": str(number)} for number in range(20)], key=key)
    waits = [int(send(EVENT, key=key)["Retry-After"]) for _ in range(5)]
    assert max(waits) <= 11


def test_a_rate_for_all_keys_may_be_set(send, settings):
    settings.EVENT_RATE_PER_SECOND = 2
    assert send([EVENT | {"id": str(number)} for number in range(40)]).status_code == 200
    assert is_problem(send(EVENT), 429, "rate_exceeded")
    assert send(EVENT, key=issue(rate_per_second=100)).status_code == 200  # its own counts


def test_a_key_without_a_rate_writes_no_bucket(send):
    send(EVENT)
    assert not TokenBucket.objects.exists()


def test_who_guesses_at_a_key_takes_none_of_its_tokens(send):
    key = issue(rate_per_second=5)
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    assert is_problem(send(EVENT, key=wrong), 401, "invalid_key")
    assert not TokenBucket.objects.filter(name__startswith="key").exists()


def test_an_address_without_a_good_key_is_asked_to_wait_and_its_good_keys_are_not(send, settings):
    settings.KEY_FAILURES_PER_SECOND, settings.KEY_FAILURES_BURST = 1, 3
    for _ in range(3):
        assert is_problem(send(EVENT, key=None), 401, "invalid_key")
    refused = send(EVENT, key=None)
    assert is_problem(refused, 429, "too_many_failures")
    assert refused["Retry-After"] == "1"
    assert is_problem(send(EVENT, key=None, REMOTE_ADDR="192.0.2.1"), 401, "invalid_key")
    assert send(EVENT).status_code == 200
    assert send(EVENT, REMOTE_ADDR="not an address").status_code == 200


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
    ],
)
def test_a_network_of_ipv6_is_one_address(send, address, name):
    send(EVENT, key=None, REMOTE_ADDR=address)
    assert TokenBucket.objects.get().name == f"failures of {name}"


def test_a_bucket_fills_at_its_rate_and_no_further():
    def take(seconds: float) -> int:
        return take_token("x", rate=2, capacity=3, at=NOON + timedelta(seconds=seconds))

    assert [take(0), take(0), take(0), take(0)] == [0, 0, 0, 1]
    assert [take(0.4), take(0.5), take(0.5)] == [1, 0, 1]
    assert [take(3600), take(3600), take(3600), take(3600)] == [0, 0, 0, 1]
    assert take(0) == 1  # a clock that is behind fills nothing, and takes nothing back
    assert take(3601) == 0


def test_idle_buckets_are_forgotten():
    take_token("old", rate=1, capacity=1, at=NOON - timedelta(days=2))
    take_token("new", rate=1, capacity=1, at=NOON)
    assert (forget_buckets(at=NOON), forget_buckets(at=NOON)) == (1, 0)
    assert TokenBucket.objects.get().name == "new"
    forget_idle_buckets()


def test_a_crash_may_forget_a_bucket_and_nothing_else():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r' AND relname !~ '^pg_'"
        )
        assert cursor.fetchall() == [("metering_tokenbucket",)]


def test_a_good_key_that_was_revoked_is_refused_at_once(send):
    key = make_key(at=timezone.now())
    assert send(EVENT, key=key.secret).status_code == 200
    revoke_key(key.id, at=timezone.now())
    assert is_problem(send(EVENT, key=key.secret), 401, "invalid_key")


def test_nothing_is_owed_for_a_key_without_a_rate(send):
    send([EVENT, EVENT | {"id": "2"}])
    assert not debts.tokens
    assert ApiKey.objects.count() == 1
