"""No float comes near money: the modules that compute it are read and looked through."""

import ast
import importlib.util
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import billing

ROOT = Path(billing.__file__).parent.parent
LIMITED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
PURE = next(each for each in LIMITED if each["name"] == "pure maths knows no database")["source_modules"]
# What divides fractions, where `/` is exact: (module, function). Each is looked at by a person before it stands here.
DIVIDES_FRACTIONS = {("billing.money", "allocate"), ("billing.taxes", "tax_line"), ("billing.taxes", "take_percent")}
INEXACT = {"math", "cmath", "statistics", "random", "numpy"}


def list_modules(name):
    """The module, and where it is a package all that is in it."""
    yield name
    found = importlib.util.find_spec(name)
    for inner in pkgutil.iter_modules(found.submodule_search_locations or []):
        yield from list_modules(f"{name}.{inner.name}")


MONEY = sorted(module for name in PURE if name.startswith("billing.") for module in list_modules(name))


def read_tree(module):
    return ast.parse(Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8"))


def find_inexact(tree, module=""):
    """What could make a float: a literal, the type, a module of floats, a division whose operands may be whole."""
    for function in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
        for node in ast.walk(function):
            if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
                yield f"the literal {node.value}"
            elif isinstance(node, ast.Name) and node.id in ("float", "complex"):
                yield f"the name {node.id}"
            elif isinstance(node, ast.Attribute) and node.attr in ("total_seconds", "timestamp", "from_float"):
                yield f"the method {node.attr}"
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                yield from (f"the module {name}" for name in names if name.split(".")[0] in INEXACT)
    yield from find_divisions(tree, module)


def find_divisions(tree, module):
    exempt = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (module, node.name) in DIVIDES_FRACTIONS
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div) and node not in exempt:
            yield f"a division in line {node.lineno}"


def test_there_are_modules_to_look_through():
    assert {"billing.money", "billing.periods", "billing.rating", "billing.rating.tiers"} <= set(MONEY)


@pytest.mark.parametrize("module", MONEY)
def test_no_module_of_money_knows_a_float(module):
    assert list(find_inexact(read_tree(module), module)) == []


@pytest.mark.parametrize(
    "source",
    [
        "x = 0.5",
        "x = float(1)",
        "import math",
        "from math import floor",
        "x = a / b",
        "x /= 2",
        "x = d.total_seconds()",
    ],
)
def test_what_could_make_a_float_is_noticed(source):
    assert list(find_inexact(ast.parse(source)))


@pytest.mark.parametrize("module", MONEY)
def test_the_modules_of_money_load_no_django(module):
    script = f"import sys, {module}; sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
