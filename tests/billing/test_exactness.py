"""No float comes near money: every module of billing, and every one it uses, is read and looked through."""

import ast
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.db import connection

import billing

ROOT = Path(billing.__file__).parent.parent
LIMITED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
PURE = next(each for each in LIMITED if each["name"] == "pure maths knows no database")["source_modules"]
OURS = ("billing", "metering")
INEXACT = {"array", "cmath", "math", "numpy", "random", "statistics", "struct", "time"}
FLOATING = {"float", "complex", "truediv", "fsum", "FloatField"}  # by name, and as what is asked of a module
CLOCKS = {"from_float", "perf_counter", "monotonic", "timestamp", "total_seconds"}
# What looks inexact and is not, by module and function. Each is looked at by a person before it stands here.
LOOKED_AT = {
    # Fractions, which divide exactly.
    ("billing.impacts", "take_off"): {"a division"},
    ("billing.money", "allocate"): {"a division"},
    ("billing.taxes", "tax_line"): {"a division"},
    ("metering.aggregations", "divide"): {"a division"},
    ("metering.alerts.levels", "find_position"): {"a division"},
    ("metering.alerts.levels", "level_quantity"): {"a division"},
    ("metering.aggregations", "find_percentile"): {"a division"},
    ("metering.expressions", "divide"): {"a division"},
    ("metering.progress", "is_reached"): {"a division"},
    # Of decimals: how unusual usage is. No money follows from it.
    ("metering.anomalies.deviations", ""): {"the module statistics"},
    ("metering.anomalies.deviations", "measure_deviation"): {"a division"},
    ("metering.anomalies.finding", "find_anomalies"): {"a division"},
    # Powers of ten that are not negative.
    ("billing.money", "round_money"): {"a power"},
    ("billing.projections", "project_quantity"): {"a power"},
    ("metering.expressions", "compile_round"): {"a power"},
    ("metering.numbers", "round_number"): {"a power"},
    ("metering.quantities", "rounding_step"): {"a power"},
    # Of a Fraction.
    ("billing.rating.units", "convert"): {"a power"},
    # Ceil and floor, which are whole for a Decimal and a Fraction.
    ("metering.expressions", ""): {"the module math"},
    # A float is taken for the decimal that was written.
    ("metering.filters", "read_scalar"): {"the name float"},
    # How long something takes, is kept or waits.
    ("billing.runs.work", "note_failure"): {"a power"},
    ("billing.management.commands.billing_run", ""): {"the module time"},
    ("billing.management.commands.billing_run", "see_through"): {"the literal 0.5", "the method monotonic"},
    ("billing.papers.answers", "take_turn"): {"the method timestamp"},
    ("billing.papers.rendering", ""): {"the literal 10.0"},
    ("billing.whatif_answers", "answer"): {"the method total_seconds"},
    # A percentage as Stripe's client types it, whose text is what it was made of.
    ("billing.stripe.catalogue.resources", "write_percent"): {"the name float"},
    ("billing.stripe.usage.sending", ""): {"the module time"},
    ("billing.stripe.usage.sending", "start_clock"): {"the method monotonic"},
    ("billing.stripe.usage.sending", "__init__"): {"the method monotonic"},
    ("billing.stripe.usage.sending", "wait_until"): {
        "the method monotonic",
        "the method total_seconds",
        "the name float",
    },
    # A column of that name.
    ("billing.stripe.usage.transports", "read_time"): {"the method timestamp"},
    # Whole numbers, packed.
    ("billing.papers.fonts", ""): {"the module struct"},
    ("metering.statements", ""): {"the module struct", "the module time"},
    ("metering.statements", "log_statement"): {"the method monotonic"},
}


def name_module(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    name_module(path): path for app in OURS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts
}


def read_tree(module):
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def list_imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def follow_imports(start):
    """Those modules and all of this project that they use, whether at the top of a file or within a function."""
    seen, waiting = set(), [*start]
    while waiting:
        module = waiting.pop()
        if module in FILES and module not in seen:
            seen.add(module)
            waiting += list_imports(read_tree(module))
    return seen


BILLING = {module for module in FILES if module.split(".")[0] == "billing"}
REACHED = sorted(follow_imports(BILLING))
MONEY = sorted(module for module in BILLING if any(f"{module}.".startswith(f"{name}.") for name in PURE))


def find_inexact(tree):
    """(the function it is in, what could make a float): its name, an operator whose operands may be whole, a reader."""
    yield from look_within(tree, "")


def look_within(node, function):
    for child in ast.iter_child_nodes(node):
        inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from ((inner, found) for found in look_at(child))
        yield from look_within(child, inner)


def look_at(node):
    match node:
        case ast.Constant(value=float() | complex()):
            yield f"the literal {node.value}"
        case ast.Name(id=name) if name in FLOATING:
            yield f"the name {name}"
        case ast.Attribute(attr=name) if name in FLOATING | CLOCKS:
            yield f"the method {name}"
        case ast.Import() | ast.ImportFrom():
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"the module {name}" for name in names if name.split(".")[0] in INEXACT)
        case ast.BinOp(op=ast.Div(), right=ast.Constant(value=str()) | ast.JoinedStr()):
            pass  # a path
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            yield "a division"
        case ast.BinOp(op=ast.Pow(), right=exponent) if not isinstance(exponent, ast.Constant):
            yield "a power"
        case ast.Call(func=ast.Attribute(attr="load" | "loads", value=ast.Name(id="json")), keywords=given):
            if not any(each.arg == "parse_float" for each in given):
                yield "JSON whose decimals are read as floats"
    for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            yield from (found for _, found in find_inexact(ast.parse(annotation.value)))


def test_every_module_of_billing_is_looked_through_and_those_it_counts_with():
    assert len(BILLING) == sum("migrations" not in path.parts for path in (ROOT / "billing").rglob("*.py")) > 80
    assert {"billing.rating.tiers", "billing.credits.spending", "billing.management.commands.quote"} <= BILLING
    assert {"metering.aggregations", "metering.numbers", "metering.readings", "metering.usage"} <= set(REACHED)


@pytest.mark.parametrize("module", REACHED)
def test_nothing_that_money_goes_through_knows_a_float(module):
    tree = read_tree(module)
    assert [each for each in find_inexact(tree) if each[1] not in LOOKED_AT.get((module, each[0]), ())] == []


def test_what_was_looked_at_is_still_there():
    assert {module for module, _ in LOOKED_AT} <= set(REACHED)


@pytest.mark.parametrize(
    "source",
    [
        "x = 0.5",
        "x = 1j",
        "x = float(1)",
        "x: float = 1",
        "x: 'float | None' = None",
        "def f() -> 'list[float]': ...",
        "def f(x: float) -> None: ...",
        "import math",
        "from math import floor",
        "import numpy.linalg",
        "from statistics import mean",
        "import time",
        "x = a / b",
        "x /= 2",
        "x = 10 ** -places",
        "x = d.total_seconds()",
        "x = at.timestamp()",
        "x = json.loads(text)",
        "x = json.load(file, object_hook=read)",
        "x = models.FloatField()",
        "x = operator.truediv(a, b)",
    ],
)
def test_what_could_make_a_float_is_noticed(source):
    assert list(find_inexact(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "x = a // b",
        "x = folder / 'name'",
        "x = folder / f'{name}'",
        "x = 10**6",
        "x = json.loads(text, parse_float=Decimal)",
    ],
)
def test_what_makes_none_is_not(source):
    assert not list(find_inexact(ast.parse(source)))


def test_the_pure_modules_are_there():
    assert {"billing.money", "billing.periods", "billing.rating", "billing.rating.tiers"} <= set(MONEY)
    assert all(importlib.util.find_spec(name) for name in PURE)


@pytest.mark.parametrize("module", MONEY)
def test_the_modules_of_money_load_no_django(module):
    script = f"import sys, {module}; sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.django_db
def test_no_column_of_billing_holds_a_float():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_name LIKE 'billing\\_%' AND data_type IN ('double precision', 'real', 'money')"
        )
        assert cursor.fetchall() == []
