import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from metering.grading import grade_windows
from tests.metering.grading.makers import AFTER, DECEMBER, close, day, make_alert, make_forecast, make_window, use

pytestmark = pytest.mark.django_db


def run(*options: str) -> str:
    out = StringIO()
    call_command("alert_report", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def november() -> None:
    for number in range(20):
        limit = make_window(f"acme-{number:02}")
        is_reached = number < 10
        make_forecast(limit, at=day(5), p_hit="0.9" if is_reached else "0.3", run_rate_total=Decimal(200))
        make_forecast(limit, at=day(6), p_hit="0.85" if is_reached else "0.2", run_rate_total=Decimal(200))
        make_alert(limit, at=day(6), kind="forecast", level=Decimal(100), used=Decimal(5), p_hit="0.85")
        use(limit, 100 if is_reached else 40, at=day(16))
        close(limit)
    grade_windows(at=AFTER)


def test_the_report_reads_in_columns(november):
    told = run("--from", "2026-11-01", "--to", "2026-12-02").splitlines()
    assert told[0] == (
        "Windows that ended from 2026-11-01 to 2026-12-02, UTC. 20 limits ended in this time, 10 of them reached."
    )
    heads = told[2].split("  ")
    assert [head.strip() for head in heads if head.strip()] == [
        "rule", "meter", "told", "right", "wrong", "at the limit", "precision", "limits reached", "missed", "recall",
        "lead in days", "of the window", "acted on",
    ]  # fmt: skip
    [row] = [" ".join(line.split()) for line in told if line.startswith("Forecast of reaching a limit")]
    assert row == "Forecast of reaching a limit all meters 20 10 10 0 50 % 10 0 100 % 10.0 (10.0 – 10.0) 33 % 0 %"
    [row] = [" ".join(line.split()) for line in told if line.startswith("all meters")]
    # (10 × 0.01 + 10 × 0.09 + 10 × 0.0225 + 10 × 0.04) / 40, and run-rate wrong of every second
    assert row == "all meters 40 0.041 0.500 92 % better than run-rate 50 % – – –"
    assert "P ≥ 0.85 (twice) would have kept 100 % recall with a precision of 100 %." in told
    assert "P ≥ 0.80, which is live, has 100 % recall with a precision of 100 %." in told


def test_json_says_the_same(november):
    report = json.loads(run("--from", "2026-11-01", "--to", "2026-12-02", "--meter", "requests", "--json"))
    assert (report["windows"], report["reached"], report["start"]) == (20, 10, "2026-11-01T00:00:00+00:00")
    [row] = [row for row in report["rules"] if row["kind"] == "forecast"]
    assert row["score"]["precision"]["share"] == 0.5
    assert row["score"]["lead_days"] == {"count": 10, "low": 10.0, "median": 10.0, "high": 10.0}
    assert report["advice"]["best"]["threshold"] == 0.85
    assert report["forecasts"][0]["meter"] is None
    assert [each["reached"]["count"] for each in report["forecasts"][0]["score"]["bins"]] == [
        0, 0, 10, 10, 0, 0, 0, 0, 10, 10,
    ]  # fmt: skip


def test_without_windows_it_says_when_there_will_be_some():
    limit = make_window()
    make_forecast(limit, at=day(2))
    told = run("--from", "2026-11-01", "--to", "2026-12-02")
    assert "1 limit is forecast that is not graded yet; the first such window ends on Dec. 1, 2026." in told


def test_it_reports_the_last_ninety_days_unless_told_otherwise(monkeypatch):
    close(make_window())
    grade_windows(at=AFTER)
    for days, count in ((89, 1), (91, 0)):
        at = DECEMBER + timedelta(days=days)
        monkeypatch.setattr("metering.management.commands.alert_report.timezone.now", lambda at=at: at)
        assert json.loads(run("--json"))["windows"] == count


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "2026-12-01", "--to", "2026-12-01"], "--from 2026-12-01 must be before --to 2026-12-01"),
        (["--from", "yesterday"], "'yesterday' is no day like 2026-09-01"),
        (["--meter", "nothing"], "No meter is called 'nothing'"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(options, words):
    with pytest.raises(CommandError, match=words):
        run(*options)
