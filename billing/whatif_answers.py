"""What-ifs over everybody: asked through a durable job, and what it found kept for a day.

A question is a row of the job's; its answer can be found again at any time, so it lies in the cache.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache

from billing.whatif import Outcome, Question, compare_versions, count_asked
from billing.whatif_reports import Report
from jobs import queue
from jobs.queue import JobContext

ANSWER_WHAT_IF = "billing.answer_what_if"
KEPT_FOR = timedelta(days=1)


class UnknownQuestion(LookupError):
    """Nothing was asked under this key."""


@dataclass(frozen=True, slots=True)
class Row:
    account_id: int
    account: str
    plan: str
    current_minor: int
    proposed_minor: int

    @property
    def change_minor(self) -> int:
        return self.proposed_minor - self.current_minor


@dataclass(frozen=True, slots=True)
class FoundReport:
    """The sums, and the rows that change most."""

    winners: int
    losers: int
    unchanged: int
    current_minor: int
    proposed_minor: int
    skipped: dict[str, int]
    rows: tuple[Row, ...]

    @property
    def compared(self) -> int:
        return self.winners + self.losers + self.unchanged


@dataclass(frozen=True, slots=True)
class Answer:
    """`report` is None while the job runs, when it has failed, and once what it found is no longer kept."""

    question: Question
    state: str
    done: int
    total: int | None
    report: FoundReport | None

    @property
    def is_running(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def has_failed(self) -> bool:
        return self.state == "dead"


def ask(question: Question, *, key: str, at: datetime) -> bool:
    """Promise an answer under the key, in the caller's transaction. A second call with it promises nothing more."""
    payload = {
        "version": question.version_id,
        "at": question.at.isoformat(),
        "periods": question.periods,
        "account": question.account_id,
        "from_plan": question.from_plan,
    }
    return queue.enqueue(ANSWER_WHAT_IF, key, payload, at=at)


def answer(job: JobContext) -> None:
    """Do the job: report its progress, and keep what was found. Done twice it is the same."""
    question = read_question(job.payload)
    total, report = count_asked(question), Report()
    for done, outcome in enumerate(compare_versions(question), start=1):
        report.add(outcome)
        job.report_progress(done=min(done, total), total=total)
    cache.set(name_answer(job.key), state_report(report), KEPT_FOR.total_seconds())


def read_answer(key: str) -> Answer:
    """How far it is, and what was found. Raises UnknownQuestion."""
    job = queue.read_job(ANSWER_WHAT_IF, key)
    if job is None:
        raise UnknownQuestion(f"Nothing was asked under {key}.")
    found: FoundReport | None = cache.get(name_answer(key)) if job.state == "done" else None
    return Answer(read_question(job.payload), job.state, job.progress_done, job.progress_total, found)


def read_question(payload: dict[str, Any]) -> Question:
    return Question(
        version_id=payload["version"],
        at=datetime.fromisoformat(payload["at"]),
        periods=payload["periods"],
        account_id=payload["account"],
        from_plan=payload["from_plan"],
    )


def name_answer(key: str) -> str:
    return f"billing.what_if.{key}"


def state_report(report: Report) -> FoundReport:
    summary = report.summary
    return FoundReport(
        winners=summary.winners,
        losers=summary.losers,
        unchanged=summary.unchanged,
        current_minor=summary.current_minor,
        proposed_minor=summary.proposed_minor,
        skipped=dict(summary.skipped),
        rows=tuple(state_row(outcome) for outcome in [*report.rises, *report.falls]),
    )


def state_row(outcome: Outcome) -> Row:
    return Row(
        account_id=outcome.account_id,
        account=outcome.account_name or outcome.account_key,
        plan=f"{outcome.plan_name} v{outcome.version_number}",
        current_minor=outcome.current_minor,
        proposed_minor=outcome.proposed_minor,
    )
