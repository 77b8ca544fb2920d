from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.filters import InvalidFilter, compile_filter

EVENT = {
    "status": 200,
    "price": Decimal("0.10"),
    "region": "eu",
    "cached": True,
    "note": None,
    "tags": ["a"],
    "response": {"size": 7, "content-type": "text/html"},
}


def admits(spec, properties=EVENT):
    return compile_filter(spec).admits(properties)


def test_without_conditions_there_is_no_filter():
    assert compile_filter(None) is None
    assert compile_filter({}) is None


@pytest.mark.parametrize(
    ("name", "op", "value", "holds"),
    [
        ("status", "=", 200, True),
        ("status", "=", Decimal("200.0"), True),
        ("status", "=", "200", False),
        ("status", "!=", "200", True),
        ("status", "!=", 200, False),
        ("price", "=", 0.1, True),  # as a reader of JSON gives it
        ("price", "<", 0.2, True),
        ("price", "<=", Decimal("0.1"), True),
        ("price", ">", 0, True),
        ("price", ">=", Decimal("0.1000000000001"), False),
        ("region", "=", "eu", True),
        ("region", "<", "us", True),
        ("region", ">=", "eu", True),
        ("region", "<", 5, False),
        ("region", ">=", 5, False),
        ("status", "<", "5", False),
        ("status", ">", "5", False),
        ("region", "in", ["us", "eu"], True),
        ("region", "in", ["us", 1, None], False),
        ("status", "in", [Decimal("200.00"), "eu"], True),
        ("cached", "=", True, True),
        ("cached", "=", 1, False),
        ("cached", "in", [1, "true"], False),
        ("cached", "in", [True], True),
        ("cached", ">", 0, False),
        ("status", "=", True, False),
        ("note", "=", None, True),
        ("note", "!=", None, False),
        ("note", "in", [None], True),
        ("note", "exists", True, True),
        ("note", "<", 1, False),
        ("tags", "=", "a", False),
        ("tags", "in", ["a"], False),
        ("tags", "!=", "a", True),
        ("tags", "exists", True, True),
        ("response", "in", ["a"], False),
        ("response.size", ">=", 7, True),
        ('response."content-type"', "=", "text/html", True),
        ("absent", "=", None, False),
        ("absent", "!=", "x", True),
        ("absent", "in", [None], False),
        ("absent", "<", 1, False),
        ("absent", ">=", "", False),
        ("absent", "exists", True, False),
        ("absent", "exists", False, True),
        ("status", "exists", False, False),
        ("status.inner", "exists", True, False),
    ],
)
def test_each_operator_compares_by_value(name, op, value, holds):
    assert admits({"property": name, "op": op, "value": value}) is holds


def test_exists_needs_no_value():
    assert admits({"property": "status", "op": "exists"})


def condition(holds):
    return {"property": "status", "op": "=", "value": 200 if holds else 0}


@given(st.lists(st.booleans(), min_size=1, max_size=5))
def test_all_and_any_join_as_they_say(parts):
    conditions = [condition(part) for part in parts]
    assert admits({"all": conditions}) is all(parts)
    assert admits({"any": conditions}) is any(parts)


def test_and_and_or_nest():
    spec = {"all": [condition(True), {"any": [condition(False), {"all": [condition(True)]}]}]}
    assert admits(spec)
    assert not admits({"all": [spec, condition(False)]})


def test_the_properties_are_named():
    spec = {"any": [{"property": "a.b", "op": "exists"}, {"property": "c", "op": "=", "value": 1}, condition(True)]}
    assert compile_filter(spec).paths == (("a", "b"), ("c",), ("status",))


def nested(depth):
    return condition(True) if depth == 1 else {"all": [nested(depth - 1)]}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ([], "an object with property"),
        ("status", "an object with property"),
        (False, "an object with property"),
        ({"op": "="}, "needs a property"),
        ({"property": 5, "op": "="}, "needs a property"),
        ({"property": "a-b", "op": "=", "value": 1}, "no property path"),
        ({"property": "a"}, "no operator"),
        ({"property": "a", "op": "~", "value": 1}, "no operator"),
        ({"property": "a", "op": ["="], "value": 1}, "no operator"),
        ({"property": "a", "op": "="}, "needs a value"),
        ({"property": "a", "op": "=", "value": 1, "more": 2}, "not 'more'"),
        ({"property": "a", "op": "=", "value": [1]}, "a text, a number"),
        ({"property": "a", "op": "=", "value": float("nan")}, "no number"),
        ({"property": "a", "op": "=", "value": "x" * 501}, "500 characters"),
        ({"property": "a", "op": "<", "value": True}, "a number or a text"),
        ({"property": "a", "op": "<", "value": None}, "a number or a text"),
        ({"property": "a", "op": "in", "value": "x"}, "takes a list"),
        ({"property": "a", "op": "in", "value": []}, "takes a list"),
        ({"property": "a", "op": "in", "value": [[]]}, "a text, a number"),
        ({"property": "a", "op": "in", "value": list(range(101))}, "at most 100 values"),
        ({"property": "a", "op": "exists", "value": 1}, "true or false"),
        ({"all": []}, "at least one"),
        ({"any": {}}, "at least one"),
        ({"all": [condition(True)], "any": [condition(True)]}, "Beside all"),
        ({"any": [condition(True)] * 51}, "50 conditions"),
        ({"all": [{"any": [condition(True)] * 26}] * 2}, "50 conditions"),
        (nested(6), "5 deep"),
    ],
)
def test_a_filter_that_cannot_be_says_why(spec, says):
    with pytest.raises(InvalidFilter) as caught:
        compile_filter(spec)
    assert says in str(caught.value)


def test_the_greatest_filter_is_taken():
    assert admits(nested(5))
    assert admits({"all": [{"any": [condition(True)] * 25}] * 2})


VALUES = st.one_of(
    st.integers(), st.decimals(allow_nan=False, allow_infinity=False), st.text(), st.booleans(), st.none()
)


@given(VALUES, VALUES)
def test_unequal_is_the_opposite_of_equal_and_in_agrees(value, other):
    equal = admits({"property": "x", "op": "=", "value": other}, {"x": value})
    assert admits({"property": "x", "op": "!=", "value": other}, {"x": value}) is not equal
    assert admits({"property": "x", "op": "in", "value": [other]}, {"x": value}) is equal
    assert admits({"property": "x", "op": "=", "value": value}, {"x": value})


NUMBERS = st.one_of(st.integers(), st.decimals(allow_nan=False, allow_infinity=False))


@given(NUMBERS, NUMBERS)
def test_of_two_numbers_one_order_holds(value, other):
    less, equal, more = (admits({"property": "x", "op": op, "value": other}, {"x": value}) for op in ("<", "=", ">"))
    assert less + equal + more == 1
    assert admits({"property": "x", "op": "<=", "value": other}, {"x": value}) is (less or equal)
    assert admits({"property": "x", "op": ">=", "value": other}, {"x": value}) is (more or equal)
