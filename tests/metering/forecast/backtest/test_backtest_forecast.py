import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from metering.forecast.backtest.rules import RULES
from metering.forecast.backtest.scoring import Score


@pytest.fixture
def folder(tmp_path):
    """Two small series of hours with days in them."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for name, level in (("calm", 10.0), ("rising", 14.0)):
        lines = ["timestamp,value"]
        for half_hour in range(2 * 24 * 14):
            growth = 1.0 if name == "calm" else 1.0 + half_hour / 500
            value = level * growth * (2.0 if 16 <= half_hour % 48 < 40 else 1.0)
            lines.append(f"{start + timedelta(minutes=30 * half_hour):%Y-%m-%d %H:%M:%S},{value}")
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    return tmp_path


def run(capsys, *arguments):
    call_command("backtest_forecast", *map(str, arguments))
    return capsys.readouterr().out


def test_json_holds_every_rule_and_every_series(folder, capsys):
    report = json.loads(run(capsys, folder, "--json", "--limits", "0.9,1.1"))
    assert report["settings"] == {
        "bucket_seconds": 3600.0, "season": 24, "period": 72, "history": 168, "step": 24, "limits": [0.9, 1.1],
    }  # fmt: skip
    assert report["series"] == 2
    assert set(report["rules"]) == set(RULES)
    assert set(report["per_series"]) == {"calm", "rising"}
    for score in (report["rules"]["p80_twice"], report["per_series"]["calm"]["run_rate"]):
        assert set(score) == {each.name for each in fields(Score)}
    assert report["rules"]["p80_twice"]["windows"] == 2 * 2 * 5
    # what rises reaches both, what is calm the lower one
    assert report["rules"]["p80_twice"]["hits"] == 5 + 10
    assert report["rules"]["p80_twice"]["recall"] == 1.0


def test_without_json_there_is_a_line_for_each_rule(folder, capsys):
    lines = run(capsys, folder, "--limits", "1.1").splitlines()
    assert lines[0] == "2 series, 10 windows"
    assert [line.split()[0] for line in lines[1:]] == ["rule", *RULES]


def test_days_are_buckets_too(folder, capsys):
    asked = ["--bucket", "1d", "--season", "7", "--period", "3", "--history", "7", "--step", "2", "--limits", "1.0"]
    assert json.loads(run(capsys, folder, "--json", *asked))["rules"]["run_rate"]["windows"] == 6


def test_a_panel_needs_no_folder(capsys):
    report = json.loads(run(capsys, "--panel", "--accounts", "2", "--seed", "3", "--json"))
    assert (report["series"], report["rules"]["actual_80"]["windows"]) == (2, 8)


def test_what_is_refused_ends_with_two_and_words(tmp_path):
    with pytest.raises(CommandError, match="holds no") as refusal:
        call_command("backtest_forecast", str(tmp_path))
    assert refusal.value.returncode == 2


@pytest.mark.parametrize("arguments", [["--bucket", "1y"], ["--limits", "a,b"], []])
def test_arguments_that_cannot_be_are_refused(arguments, tmp_path):
    with pytest.raises(CommandError):
        call_command("backtest_forecast", *([str(tmp_path)] if arguments else []), *arguments)
