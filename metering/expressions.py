"""What one event is worth: arithmetic over its properties, as in `ceil(duration_ms / 1000) * price`. No Django here.

A text is compiled once to closures and evaluated for every event; Python's own eval is nowhere near. The result is the
exact value, rounded once to twelve decimals: `floor(x / 3 * 3)` is x.

    expression = term {("+" | "-") term}
    term       = factor {("*" | "/") factor}
    factor     = "-" factor | number | path | function "(" expression {"," expression} ")" | "(" expression ")"
    function   = "ceil" | "floor" | "round" | "abs" | "min" | "max"
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, Inexact, InvalidOperation
from fractions import Fraction
from typing import Any, NamedTuple

from metering.numbers import BOUND, EXACT, PLACES, QUANTITY, STEP, WIDE_DIGITS, Number, round_number
from metering.paths import MISSING, PATH, InvalidPath, Path, compile_reader, parse_path, write_path

MAX_LENGTH = 500  # characters
MAX_NODES = 100  # numbers, properties, operators and functions
MAX_DEPTH = 20  # parentheses, functions and signs within each other
ROUND_PLACES = range(-26, PLACES + 1)

LOWEST = -BOUND
BOUND_DECIMAL = Decimal(BOUND)  # compares in half the time
LOWEST_DECIMAL = Decimal(LOWEST)

Run = Callable[[dict[str, Any]], Number]

TOKEN = re.compile(rf"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<path>{PATH})|(?P<sign>[-+*/(),]))", re.ASCII)


class InvalidExpression(ValueError):
    """The text is no expression that can be evaluated; the message says where and why."""


class ValueRefused(ValueError):
    """An event has no such value: a code for machines, the field, a sentence for people."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code, self.field, self.message = code, field, message


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled text. `path` is set when it is one property and nothing else; `paths` are all that it reads.

    `evaluate(properties)` gives an int or a Decimal of at most twelve decimals, between -1e26 and 1e26. It raises
    ValueRefused: `value_missing`, `value_not_a_number` (text, true, null, a list, an object), `value_out_of_range`,
    `division_by_zero`.
    """

    text: str
    path: Path | None
    paths: tuple[Path, ...]
    evaluate: Callable[[dict[str, Any]], int | Decimal]


def compile_expression(text: str) -> Expression:
    """Raises InvalidExpression."""
    if len(text) > MAX_LENGTH:
        raise InvalidExpression(f"An expression may have at most {MAX_LENGTH} characters.")
    parser = Parser(text)
    run = parser.parse()
    paths = tuple(dict.fromkeys(parser.paths))
    if parser.node_count == 1 and paths:
        [path] = paths
        return Expression(text=text, path=path, paths=paths, evaluate=compile_property(path))
    return Expression(text=text, path=None, paths=paths, evaluate=lambda properties: round_value(run(properties)))


class Token(NamedTuple):
    kind: str  # number, path, sign, or end
    text: str
    position: int  # of its first character, from 1


class Parser:
    """Reads one text from left to right; each of its methods returns the closure of what it has read."""

    def __init__(self, text: str) -> None:
        self.tokens = split_tokens(text)
        self.paths: list[Path] = []
        self.node_count = self.depth = self.index = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def parse(self) -> Run:
        run = self.parse_sum()
        if self.token.kind != "end":
            raise self.refuse("an operator")
        return run

    def parse_sum(self) -> Run:
        run = self.parse_product()
        while sign := self.take("+", "-"):
            self.count_node()
            run = compile_operation(sign, run, self.parse_product())
        return run

    def parse_product(self) -> Run:
        run = self.parse_factor()
        while sign := self.take("*", "/"):
            self.count_node()
            run = compile_operation(sign, run, self.parse_factor())
        return run

    def parse_factor(self) -> Run:
        kind, text, _ = self.token
        if kind == "number":
            self.advance()
            self.count_node()
            return compile_constant(parse_constant(text))
        if kind == "path":
            self.advance()
            return self.parse_call(text) if self.take("(") else self.parse_property(text)
        if self.take("-"):
            self.count_node()
            return compile_minus(self.nest(self.parse_factor))
        if self.take("("):
            run = self.nest(self.parse_sum)
            self.expect(")")
            return run
        raise self.refuse("a number, a property or a parenthesis")

    def parse_property(self, text: str) -> Run:
        self.count_node()
        try:
            path = parse_path(text)
        except InvalidPath as error:
            raise InvalidExpression(str(error)) from error
        self.paths.append(path)
        return compile_operand(path)

    def parse_call(self, name: str) -> Run:
        self.count_node()
        if name == "round":
            return self.parse_round()
        if name not in (*FUNCTIONS, *CHOICES):
            known = ", ".join(sorted([*FUNCTIONS, *CHOICES, "round"]))
            raise InvalidExpression(f"{name} is no function; known are {known}.")
        arguments = [self.nest(self.parse_sum)]
        while name in CHOICES and self.take(","):
            arguments.append(self.nest(self.parse_sum))
        self.expect(")")
        return compile_choice(name, arguments) if name in CHOICES else compile_function(name, arguments[0])

    def parse_round(self) -> Run:
        argument, places = self.nest(self.parse_sum), 0
        if self.take(","):
            is_negative = bool(self.take("-"))
            kind, text, _ = self.token
            if kind != "number" or not text.isdigit():
                raise self.refuse("how many decimals, as a whole number")
            self.advance()
            self.count_node()
            places = -int(text) if is_negative else int(text)
            if places not in ROUND_PLACES:
                raise InvalidExpression(f"Only {ROUND_PLACES[0]} to {ROUND_PLACES[-1]} decimals can be rounded to.")
        self.expect(")")
        return compile_round(argument, places)

    def nest(self, parse: Callable[[], Run]) -> Run:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InvalidExpression(f"An expression may be nested at most {MAX_DEPTH} deep.")
        run = parse()
        self.depth -= 1
        return run

    def count_node(self) -> None:
        self.node_count += 1
        if self.node_count > MAX_NODES:
            raise InvalidExpression(f"An expression may have at most {MAX_NODES} parts.")

    def take(self, *signs: str) -> str:
        """The sign that is next, if it is one of these, and go on; otherwise nothing."""
        kind, text, _ = self.token
        if kind != "sign" or text not in signs:
            return ""
        self.advance()
        return text

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.refuse(f"“{sign}”")

    def advance(self) -> None:
        self.index += 1

    def refuse(self, wanted: str) -> InvalidExpression:
        kind, text, position = self.token
        found = "the end" if kind == "end" else f"“{text}”"
        return InvalidExpression(f"Expected {wanted} at character {position}, found {found}.")


def split_tokens(text: str) -> list[Token]:
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        found = TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise InvalidExpression(f"“{text[start]}” at character {start + 1} cannot be read.")
        start = found.start(found.lastgroup)
        tokens.append(Token(found.lastgroup, found[found.lastgroup], start + 1))
        position = found.end()
    return [*tokens, Token("end", "", end + 1)]


def parse_constant(text: str) -> int | Decimal:
    return int(text) if text.isdigit() else Decimal(text)


def compile_constant(value: int | Decimal) -> Run:
    return lambda properties: value


def compile_property(path: Path) -> Callable[[dict[str, Any]], int | Decimal]:
    """The whole of an expression that is one property: the path that most events take."""
    read = compile_operand(path)
    if len(path) > 1:
        return lambda properties: round_value(read(properties))
    [name] = path

    def evaluate(properties: dict[str, Any]) -> int | Decimal:
        value = properties.get(name)
        if type(value) is int and LOWEST < value < BOUND:
            return value
        return round_value(read(properties))

    return evaluate


def compile_operand(path: Path) -> Callable[[dict[str, Any]], int | Decimal]:
    read, name = compile_reader(path), write_path(path)

    def operand(properties: dict[str, Any]) -> int | Decimal:
        value = read(properties)
        if type(value) is int and LOWEST < value < BOUND:
            return value
        if type(value) is Decimal and value.is_finite() and LOWEST_DECIMAL < value < BOUND_DECIMAL:
            return value
        raise refuse_property(value, name)

    return operand


def refuse_property(value: object, name: str) -> ValueRefused:
    if value is MISSING:
        return ValueRefused("value_missing", f"data.{name}", f"The data needs a number called {name}.")
    if type(value) is int or (type(value) is Decimal and value.is_finite()):
        return refuse_size(f"data.{name}", name)
    return ValueRefused("value_not_a_number", f"data.{name}", f"{name} must be a JSON number.")


def refuse_size(field: str = "data", name: str = "The value") -> ValueRefused:
    return ValueRefused("value_out_of_range", field, f"{name} must lie between -1e26 and 1e26.")


def compile_operation(sign: str, left: Run, right: Run) -> Run:
    combine = OPERATIONS[sign]
    return lambda properties: combine(left(properties), right(properties))


def add(left: Number, right: Number) -> Number:
    if type(left) is Fraction or type(right) is Fraction:
        return Fraction(left) + Fraction(right)
    if type(left) is int and type(right) is int:
        return left + right
    try:
        return EXACT.add(left, right)  # type: ignore[arg-type]  # neither is a Fraction
    except Inexact:
        return Fraction(left) + Fraction(right)


def subtract(left: Number, right: Number) -> Number:
    return add(left, negate(right))


def multiply(left: Number, right: Number) -> Number:
    if type(left) is Fraction or type(right) is Fraction:
        return Fraction(left) * Fraction(right)
    if type(left) is int and type(right) is int:
        return left * right
    try:
        return EXACT.multiply(left, right)  # type: ignore[arg-type]  # neither is a Fraction
    except Inexact:
        return Fraction(left) * Fraction(right)


def divide(left: Number, right: Number) -> Number:
    if not right:
        raise ValueRefused("division_by_zero", "data", "The value divides by zero.")
    if type(left) is Fraction or type(right) is Fraction:
        return Fraction(left) / Fraction(right)
    try:
        return EXACT.divide(left, right)  # type: ignore[arg-type]  # neither is a Fraction
    except Inexact:
        return Fraction(left) / Fraction(right)


def negate(value: Number) -> Number:
    return value.copy_negate() if isinstance(value, Decimal) else -value  # Decimal's own minus rounds


def find_size(value: Number) -> Number:
    return negate(value) if value < 0 else value


OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
}
FUNCTIONS: dict[str, Callable[[Number], Number]] = {"abs": find_size, "ceil": math.ceil, "floor": math.floor}
CHOICES: dict[str, Callable[[list[Any]], Number]] = {"max": max, "min": min}  # exact also between kinds of numbers


def compile_minus(run: Run) -> Run:
    return lambda properties: negate(run(properties))


def compile_function(name: str, run: Run) -> Run:
    function = FUNCTIONS[name]
    return lambda properties: function(run(properties))


def compile_choice(name: str, runs: list[Run]) -> Run:
    choose = CHOICES[name]
    return lambda properties: choose([run(properties) for run in runs])


def compile_round(run: Run, places: int) -> Run:
    limit = 10**WIDE_DIGITS

    def rounded(properties: dict[str, Any]) -> Number:
        value = run(properties)
        if not -limit < value < limit:
            raise refuse_size()
        return round_number(value, places)

    return rounded


def round_value(value: Number) -> int | Decimal:
    """To the twelve decimals that a quantity keeps, half away from zero. Raises ValueRefused."""
    if type(value) is int:
        if LOWEST < value < BOUND:
            return value
        raise refuse_size()
    if type(value) is Fraction:
        if not LOWEST < value < BOUND:
            raise refuse_size()
        value = round_number(value, PLACES)
    try:
        return value.quantize(STEP, None, QUANTITY)  # type: ignore[union-attr]  # a Decimal by now
    except InvalidOperation:
        raise refuse_size() from None
