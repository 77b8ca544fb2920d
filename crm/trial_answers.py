"""Rules tried on history from the back-office: asked through a durable job, and what it found kept for a day.

A question is a row of the job's; its answer can be found again at any time, so it lies in the cache.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.utils.functional import Promise

from crm.trials import RulesReport, try_on_history
from jobs import queue
from jobs.queue import JobContext
from metering.trials import NothingToTry, TrialSet, UnknownRuleSet, read_live_set, read_rule_set

TRY_RULES = "crm.try_rules"
KEPT_FOR = timedelta(days=1)


class UnknownTrial(LookupError):
    """Nothing was asked under this key."""


@dataclass(frozen=True, slots=True)
class TrialQuestion:
    """A rule set by its name, over [start, end)."""

    rule_set: str
    start: datetime
    end: datetime
    with_forecasts: bool


@dataclass(frozen=True, slots=True)
class FoundTrial:
    """What a trial found, or in words why there was nothing to find."""

    sets: tuple[TrialSet, ...] = ()
    report: RulesReport | None = None
    refusal: str | Promise = ""


@dataclass(frozen=True, slots=True)
class TrialAnswer:
    """`found` is None while the job runs, when it has failed, and once what it found is no longer kept."""

    question: TrialQuestion
    state: str
    done: int
    total: int | None
    found: FoundTrial | None

    @property
    def is_running(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def has_failed(self) -> bool:
        return self.state == "dead"


def ask_trial(question: TrialQuestion, *, key: str, at: datetime) -> bool:
    """Promise an answer under the key, in the caller's transaction. A second call with it promises nothing more."""
    payload = {
        "rule_set": question.rule_set,
        "start": question.start.isoformat(),
        "end": question.end.isoformat(),
        "with_forecasts": question.with_forecasts,
    }
    return queue.enqueue(TRY_RULES, key, payload, at=at)


def answer_trial(job: JobContext) -> None:
    """Do the job: report its progress, and keep what was found. Done twice it is the same."""
    cache.set(name_answer(job.key), find_answer(job), KEPT_FOR.total_seconds())


def find_answer(job: JobContext) -> FoundTrial:
    question = read_question(job.payload)
    try:
        sets = list_sets(question)
        report = try_on_history(
            sets,
            start=question.start,
            end=question.end,
            at=job.at,
            with_forecasts=question.with_forecasts,
            on_progress=lambda done, total: job.report_progress(done=done, total=total),
        )
    except (NothingToTry, UnknownRuleSet) as error:
        return FoundTrial(refusal=error.args[0])
    return FoundTrial(sets, report)


def list_sets(question: TrialQuestion) -> tuple[TrialSet, ...]:
    """The one that is tried, and the live one beside it."""
    live = read_live_set()
    return (live,) if question.rule_set == live.name else (read_rule_set(question.rule_set), live)


def read_answer(key: str) -> TrialAnswer:
    """How far it is, and what was found. Raises UnknownTrial."""
    job = queue.read_job(TRY_RULES, key)
    if job is None:
        raise UnknownTrial(f"Nothing was asked under {key}.")
    found: FoundTrial | None = cache.get(name_answer(key)) if job.state == "done" else None
    return TrialAnswer(read_question(job.payload), job.state, job.progress_done, job.progress_total, found)


def read_question(payload: dict[str, Any]) -> TrialQuestion:
    return TrialQuestion(
        rule_set=payload["rule_set"],
        start=datetime.fromisoformat(payload["start"]),
        end=datetime.fromisoformat(payload["end"]),
        with_forecasts=payload["with_forecasts"],
    )


def name_answer(key: str) -> str:
    return f"crm.trial.{key}"
