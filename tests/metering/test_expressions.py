import math
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.expressions import InvalidExpression, ValueRefused, compile_expression
from metering.numbers import BOUND, number_text, round_number
from metering.paths import InvalidPath, parse_path, write_path

DATA = {
    "duration_ms": 4200,
    "size": Decimal("1.5"),
    "zero": 0,
    "text": "4200",
    "yes": True,
    "nothing": None,
    "list": [1],
    "response": {"size": 7, "content-length": 9},
    "huge": BOUND,
    "ceil": 2,
}


def evaluate(text, **data):
    return compile_expression(text).evaluate(data or DATA)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("duration_ms", "4200"),
        ("  size ", "1.5"),
        ("response.size", "7"),
        ('response."content-length"', "9"),
        ("ceil(duration_ms / 1000)", "5"),
        ("floor(duration_ms / 1000)", "4"),
        ("duration_ms / 1000", "4.2"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 3 - 2", "5"),
        ("16 / 4 / 2", "2"),
        ("2 - -3", "5"),
        ("--2", "2"),
        ("-(size + 1)", "-2.5"),
        (".5 * 4", "2"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(1234.5678, 2)", "1234.57"),
        ("round(1250, -2)", "1300"),
        ("round(-1250.5, -2)", "-1300"),
        ("round(2 / 3, 3)", "0.667"),
        ("ceil(-1.5)", "-1"),
        ("floor(-1.5)", "-2"),
        ("abs(-1.5)", "1.5"),
        ("abs(0 - 1 / 3)", "0.333333333333"),
        ("min(3, size, 1 / 3)", "0.333333333333"),
        ("max(3, size, 22 / 7)", "3.142857142857"),
        ("max(size)", "1.5"),
        ("ceil + 1", "3"),  # a property may be called as a function is
        ("1 / 3 * 3", "1"),
        ("floor(duration_ms / 7 * 7)", "4200"),
        ("2 / 3", "0.666666666667"),
        ("-2 / 3", "-0.666666666667"),
        ("0.0000000000005", "0.000000000001"),
        ("-0.0000000000005", "-0.000000000001"),
        ("zero / 5", "0"),
    ],
)
def test_the_value_is_exact_and_rounded_once(text, value):
    found = evaluate(text)
    assert found == Decimal(value)
    assert type(found) in (int, Decimal)


def test_whole_numbers_stay_whole():
    assert type(evaluate("duration_ms * 2 - 1")) is int


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("absent", "value_missing", "data.absent"),
        ("response.absent", "value_missing", "data.response.absent"),
        ("size.inner", "value_missing", "data.size.inner"),
        ("1 + absent", "value_missing", "data.absent"),
        ("text", "value_not_a_number", "data.text"),
        ("yes + 1", "value_not_a_number", "data.yes"),
        ("nothing", "value_not_a_number", "data.nothing"),
        ("list", "value_not_a_number", "data.list"),
        ("response", "value_not_a_number", "data.response"),
        ("huge", "value_out_of_range", "data.huge"),
        ("-huge", "value_out_of_range", "data.huge"),
        ("99999999999999 * 9999999999999", "value_out_of_range", "data"),
        ("99999999999999999999999999.9999999999999", "value_out_of_range", "data"),  # rounds up to 1e26
        ("-99999999999999999999999999.9999999999999", "value_out_of_range", "data"),
        ("1 / 0.00000000000000000000000000001", "value_out_of_range", "data"),
        ("size / zero", "division_by_zero", "data"),
        ("1 / (size - 1.5)", "division_by_zero", "data"),
    ],
)
def test_what_is_no_value_is_refused_by_name(text, code, field):
    with pytest.raises(ValueRefused) as caught:
        evaluate(text)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.message.endswith(".")


def test_the_greatest_and_the_smallest_fit():
    greatest = Decimal("99999999999999999999999999.999999999999")
    assert evaluate("x", x=greatest) == greatest
    assert evaluate("x", x=1 - BOUND) == 1 - BOUND
    assert evaluate("x", x=Decimal("1e-300")) == 0
    assert evaluate("x", x=Decimal("0e300")) == 0
    assert evaluate("x * y", x=Decimal("1e-300"), y=Decimal("1e25")) == 0


def test_no_number_is_no_number():
    for value in (Decimal("NaN"), Decimal("Infinity"), 1.5):
        with pytest.raises(ValueRefused, match="must be a JSON number"):
            evaluate("x", x=value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Expected a number, a property or a parenthesis at character 1, found the end."),
        ("1 +", "at character 4, found the end"),
        ("(1", "Expected “)” at character 3"),
        ("1 2", "Expected an operator at character 3"),
        ("1)", "Expected an operator at character 2"),
        ("+1", "at character 1, found “+”"),
        ("a ? b", "“?” at character 3 cannot be read."),
        ("a..b", "“.” at character 2 cannot be read."),
        ("a . b", "“.” at character 3 cannot be read."),
        ("2a", "Expected an operator at character 2"),
        ("1e5", "Expected an operator at character 2"),
        ("a ** 2", "at character 4, found “*”"),
        ("__import__('os')", "cannot be read"),
        ("eval(a)", "eval is no function"),
        ("a.b(1)", "a.b is no function"),
        ("ceil()", "found “)”"),
        ("ceil(1, 2)", "Expected “)”"),
        ("min()", "found “)”"),
        ("round(a, b)", "how many decimals"),
        ("round(a, 1.5)", "how many decimals"),
        ("round(a, 13)", "-26 to 12"),
        ("round(a, -27)", "-26 to 12"),
        ('"open', "cannot be read"),
        ("x" * 501, "500 characters"),
        ("+".join("1" * 51), "100 parts"),
        ("(" * 21 + "1" + ")" * 21, "20 deep"),
        ("-" * 21 + "1", "20 deep"),
        (".".join("a" * 33), "32 names"),
        ("٣", "cannot be read"),  # a digit, but not one of ours
    ],
)
def test_a_text_that_is_no_expression_says_where(text, says):
    with pytest.raises(InvalidExpression) as caught:
        compile_expression(text)
    assert says in str(caught.value)


def test_the_greatest_expression_is_taken():
    assert evaluate("+".join("1" * 50)) == 50
    assert evaluate("(" * 20 + "1" + ")" * 20) == 1


def test_one_property_alone_is_named():
    assert compile_expression(' response."content-length" ').path == ("response", "content-length")
    assert compile_expression("(size)").path == ("size",)
    assert compile_expression("-size").path is None
    assert compile_expression("1").path is None
    assert compile_expression("a.b + c * a.b - max(d, 1)").paths == (("a", "b"), ("c",), ("d",))


@pytest.mark.parametrize("text", ["", "1a", "a.", ".a", "a b", 'a."', '""', "a-b", "é", 'a."b\nc"'])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(InvalidPath):
        parse_path(text)


NAMES = st.text(
    st.characters(blacklist_characters="".join(map(chr, range(32))), blacklist_categories=["Cs"]), min_size=1
)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_any_path_can_be_written_and_read(names):
    text = write_path(names)
    assert parse_path(text) == tuple(names)
    data = 5
    for name in reversed(names):
        data = {name: data}
    assert compile_expression(text).evaluate(data) == 5


@dataclass(frozen=True)
class Sample:
    """An expression's text and its exact value; None where it divides by zero."""

    text: str
    value: Fraction | None


def join(sign: str, left: Sample, right: Sample) -> Sample:
    text = f"({left.text} {sign} {right.text})"
    if left.value is None or right.value is None or (sign == "/" and right.value == 0):
        return Sample(text, None)
    a, b = left.value, right.value
    return Sample(text, {"+": a + b, "-": a - b, "*": a * b}[sign] if sign != "/" else a / b)


def call(name: str, of: Sample) -> Sample:
    functions = {"abs": abs, "ceil": math.ceil, "floor": math.floor, "-": lambda value: -value}
    return Sample(f"{name}({of.text})", None if of.value is None else Fraction(functions[name](of.value)))


PROPERTIES = {"a": 7, "b": Decimal("0.003"), "c": Decimal("-12.75"), "d": 10**12, "e": 0}
LEAVES = st.one_of(
    st.sampled_from([Sample(name, Fraction(value)) for name, value in PROPERTIES.items()]),
    st.decimals(min_value=0, max_value=10**6, places=3).map(lambda n: Sample(format(n, "f"), Fraction(n))),
)
SAMPLES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(join, st.sampled_from("+-*/"), inner, inner),
        st.builds(call, st.sampled_from(["abs", "ceil", "floor", "-"]), inner),
    ),
    max_leaves=8,
)


def round_exactly(value: Fraction) -> Decimal:
    scaled = abs(value) * 10**12
    whole = math.floor(scaled + Fraction(1, 2))
    return Decimal(whole if value >= 0 else -whole).scaleb(-12, Context(prec=100))


@given(SAMPLES)
def test_any_expression_equals_its_fraction(sample):
    expression = compile_expression(sample.text)
    if sample.value is None:
        with pytest.raises(ValueRefused, match="divides by zero"):
            expression.evaluate(PROPERTIES)
    elif abs(sample.value) >= BOUND:
        with pytest.raises(ValueRefused, match="must lie between"):
            expression.evaluate(PROPERTIES)
    else:
        assert expression.evaluate(PROPERTIES) == round_exactly(sample.value)


@given(st.text(max_size=40))
def test_no_text_does_anything_but_compile_or_be_refused(text):
    with suppress(InvalidExpression):
        assert compile_expression(text).text == text


@given(
    st.one_of(st.integers(-(10**20), 10**20), st.decimals(-(10**20), 10**20, places=14), st.fractions(-1000, 1000)),
    st.integers(-22, 12),
    st.sampled_from(["round", "ceil", "floor"]),
)
def test_rounding_goes_to_the_place_and_the_way_it_says(value, places, function):
    rounded = Fraction(round_number(value, places, function))
    step = Fraction(10) ** -places
    assert (rounded / step).denominator == 1
    off = rounded - Fraction(value)
    if function == "ceil":
        assert 0 <= off < step
    elif function == "floor":
        assert -step < off <= 0
    else:
        assert abs(off) <= step / 2
        assert abs(off) < step / 2 or abs(rounded) > abs(Fraction(value))


@pytest.mark.parametrize(
    ("value", "text"), [("1.50", "1.5"), ("15e-1", "1.5"), ("1e3", "1000"), ("-0.0", "0"), ("0e5", "0"), ("100", "100")]
)
def test_a_number_has_one_text(value, text):
    assert number_text(Decimal(value)) == text
    assert number_text(int(Decimal(value))) == str(int(Decimal(value)))
