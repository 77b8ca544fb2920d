"""Every case of the folder that --cases names, each as a test of its own; and that none can be passed over."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings

import tests.cases.alert_kinds
import tests.cases.commitment_kinds
import tests.cases.credit_kinds
import tests.cases.fate_kinds
import tests.cases.money_kinds
import tests.cases.period_kinds
import tests.cases.proration_kinds
import tests.cases.rating_kinds
import tests.cases.usage_kinds  # noqa: F401 (registers its kinds, as those before)
from tests.cases.alert_kinds import needs_threads
from tests.cases.cases import DATA, Case, MalformedCases, find_differences, read_file, read_folder
from tests.cases.kinds import RUNS, find_run

VARIANTS = sorted(Path(__file__).parent.glob("*variants.json"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        folder = metafunc.config.getoption("cases")
        try:
            cases = read_folder(DATA if folder is None else Path(folder))
        except MalformedCases as error:
            raise pytest.UsageError(str(error)) from error
        metafunc.parametrize("case", [prepare_case(case) for case in cases])


def prepare_case(case: Case) -> Any:
    """A case that nothing runs fails before it needs a database."""
    database = pytest.mark.django_db(transaction=needs_threads(case.given))
    return pytest.param(case, id=case.name, marks=[database] if case.kind in RUNS else [])


def test_case(case: Case) -> None:
    assert not find_differences(case, find_run(case)(case.given))


@pytest.mark.parametrize("variant", [prepare_case(case) for file in VARIANTS for case in read_file(file)])
def test_variant(variant: Case) -> None:
    """What the cases at hand leave out of the rules of their kinds."""
    assert not find_differences(variant, find_run(variant)(variant.given))


def test_the_folder_has_a_case_of_each_kind():
    assert {case.kind for case in read_folder(DATA)} == set(RUNS)


def write_cases(folder: Path, *cases: object) -> None:
    (folder / "some.json").write_text(json.dumps({"cases": cases}), encoding="utf-8")


def run_folder(folder: Path) -> str:
    """What pytest says of the folder. No case here comes as far as the database, so none is started."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        [*command, "tests/cases/test_cases.py::test_case", "--cases", folder],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode not in (0, 5), ended.stdout  # 5: nothing was run
    return ended.stdout + ended.stderr


def test_a_kind_that_nothing_runs_fails_and_is_named(tmp_path):
    write_cases(tmp_path, {"id": "A01", "kind": "unheard_of", "timeline": []}, {"id": "B", "kind": "untold"})
    said = run_folder(tmp_path)
    assert "some:A01 is of kind 'unheard_of', which nothing here runs" in said
    assert "some:B is of kind 'untold', which nothing here runs" in said
    assert "2 failed" in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "has no case"),  # nor has a folder that is not there
        ('{"cases": []}', "has no case"),
        ('{"cases": [', "some.json is no file of cases"),
        ("[1]", "some.json is no file of cases"),
        ('{"case": []}', "some.json is no file of cases"),
        ('{"cases": [{"kind": "batch"}]}', "some.json is no file of cases"),
    ],
)
def test_a_folder_without_cases_is_refused(tmp_path, content, says):
    if content is not None:
        (tmp_path / "some.json").write_text(content, encoding="utf-8")
    with pytest.raises(MalformedCases, match=says):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("expected", "answer", "holds"),
    [
        ({"value": "1.50"}, {"value": Decimal("1.5")}, True),
        ({"value": "1.5"}, {"value": Decimal("1.51")}, False),
        ({"value": "0.667", "places": 3}, {"value": Fraction(2, 3)}, True),
        ({"value": "0.667", "places": 3, "rounding": "down"}, {"value": Fraction(2, 3)}, False),
        ({"value": "0.666", "places": 3, "rounding": "down"}, {"value": Fraction(2, 3)}, True),
        ({"value": "0.334", "places": 3, "rounding": "up"}, {"value": Fraction(1, 3)}, True),
        ({"accepted": [True, False]}, {"accepted": [True, False]}, True),
        ({"accepted": 2}, {"accepted": 1}, False),
        ({"accepted": 1, "unheard_of": 1}, {"accepted": 1}, False),
        ({}, {"accepted": 1}, False),
        ({"parts": ["4.00", "2"]}, {"parts": (Decimal(4), Decimal("2.0"))}, True),
        ({"parts": ["4.00", "2"]}, {"parts": (Decimal(4), Decimal(3))}, False),
        ({"parts": ["4.00", "2"]}, {"parts": (Decimal(4),)}, False),
        ({"balances": {"a": "1.0"}}, {"balances": {"a": Decimal(1)}}, True),
        ({"balances": {"a": "1.0"}}, {"balances": {"a": Decimal(1), "b": Decimal(0)}}, False),
        ({"at": "2026-01-01T00:00:00Z"}, {"at": datetime(2025, 12, 31, 19, tzinfo=ZoneInfo("America/New_York"))}, True),
        ({"at": "2026-01-01T00:00:00Z"}, {"at": datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)}, False),
        ({"value": "0.6666666666666666"}, {"value": Fraction(2, 3)}, True),
        ({"value": "0.67"}, {"value": Fraction(2, 3)}, True),
        ({"value": "0.66"}, {"value": Fraction(2, 3)}, False),
    ],
)
def test_an_answer_holds_when_each_expected_part_does(expected, answer, holds):
    assert find_differences(Case("some:1", "batch", {}, expected), answer) is not holds
