"""What Celery calls. The clock is read here and passed down."""

from celery import shared_task
from django.utils import timezone

from jobs import runner, sweeper


@shared_task(name="jobs.tasks.run_job")
def run_job(job_id: int) -> None:
    runner.run_job(job_id, clock=timezone.now)


@shared_task(name="jobs.tasks.sweep_jobs")
def sweep_jobs() -> None:
    sweeper.sweep_jobs(at=timezone.now())
