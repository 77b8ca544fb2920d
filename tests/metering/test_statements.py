"""Statements of the hot path: prepared, with arrays that the server reads as they are."""

import struct
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from metering.events import find_instant
from metering.statements import BIGINT, UUID, bigint_array, bytes_array, instant_array, number_array, run_statement

pytestmark = pytest.mark.django_db

HUGE = 10**37


def test_a_statement_with_values_is_prepared_once_for_its_connection():
    for number in range(3):
        assert run_statement("SELECT %s::bigint + 41001", [number]) == [(41001 + number,)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%+ 41001'")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("values", [[], [0], [1, -1, 2**63 - 1, -(2**63)]])
def test_whole_numbers_arrive_as_they_are(values):
    assert run_statement("SELECT %s::bigint[]", [bigint_array(values)]) == [(values,)]


def test_a_whole_number_that_does_not_fit_is_refused():
    with pytest.raises(struct.error):
        bigint_array([2**63])


@pytest.mark.parametrize(
    "values", [[], [1, -5], [HUGE, 1], [Decimal("0.000000000001"), 3], [Decimal(7)], [Decimal("1.50")]]
)
def test_numbers_arrive_exactly_whether_whole_or_not(values):
    [(found,)] = run_statement("SELECT %s::numeric[]", [number_array(values)])
    assert found == [Decimal(value) for value in values]


def test_moments_arrive_to_the_microsecond():
    moments = [datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), datetime(2026, 11, 26, 1, 2, 3, 4, UTC)]
    [(found,)] = run_statement("SELECT %s::timestamptz[]", [instant_array(list(map(find_instant, moments)))])
    assert found == moments


def test_bytes_of_one_length_arrive_as_identifiers_and_as_numbers():
    ids = [bytes(range(16)), b"\xff" * 16]
    [(found,)] = run_statement("SELECT %s::uuid[]", [bytes_array(UUID, ids)])
    assert [each.bytes for each in found] == ids
    assert run_statement("SELECT %s::bigint[]", [bytes_array(BIGINT, [b"\xff" * 8])]) == [([-1],)]
    assert run_statement("SELECT %s::uuid[]", [bytes_array(UUID, [])]) == [([],)]


def test_what_ran_is_in_the_log_where_django_keeps_one(django_assert_num_queries):
    with django_assert_num_queries(1) as captured:
        run_statement("SELECT %s::int", [1])
    assert captured.captured_queries[0]["sql"] == "SELECT %s::int"
