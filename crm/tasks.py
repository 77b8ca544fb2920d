"""What Celery runs for sales. Tasks read the clock and call one function."""

from celery import shared_task
from django.utils import timezone

from crm import leads, trial_answers
from jobs.queue import JobContext, errand


@shared_task(name="crm.tasks.open_leads")
def open_leads() -> None:
    """Bring leads up to date with metering. Any number of these at once gives the same result as one."""
    leads.open_leads(at=timezone.now())


@errand(leads.TAKE_UP, is_urgent=True)
def take_up_alerts(job: JobContext) -> None:
    """An alert has spoken: take it up at once, and whatever waits beside it. Each batch commits by itself."""
    leads.take_up_alerts(at=job.at)


@errand(trial_answers.TRY_RULES, max_attempts=3)
def try_rules(job: JobContext) -> None:
    """Replay history under other rules, and keep for a day what came of it."""
    trial_answers.answer_trial(job)
