"""What beat starts and what jobs do. The clock is read here, once."""

from datetime import datetime

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from jobs.queue import JobContext, errand, handler
from metering import alerts, backfill, buckets, figures, forecast, grading, rejections, reservations, retention
from metering.alerts import rules
from metering.forecast.calibrations import recalibrate
from metering.forecast.thinning import thin_forecasts
from metering.notices import sending, telling


@shared_task
def check_limits() -> None:
    """Alert by every total that moved. Lost or run twice, it does no harm: the next run finds what is left."""
    alerts.check_limits(at=timezone.now())


@errand(rules.APPLY)
def apply_rules(job: JobContext) -> None:
    """Let the next check look at the limits that changed rules are for. Done again, it marks them again."""
    rules.mark_limits(rules.Scope(**job.payload), at=job.at)


@shared_task
def grade_windows() -> None:
    """Say what was reached of the windows that ended. Lost or run twice, it does no harm: each is graded once."""
    grading.grade_windows(at=timezone.now())


@shared_task
def forecast_limits() -> None:
    """Forecast what moved, each limit once an hour. Lost or run twice, it does no harm: each hour has its claims."""
    forecast.forecast_moved_limits(at=timezone.now())


@shared_task
def calibrate_forecasts() -> None:
    """Learn anew from what was used. Run twice, it learns the same again."""
    recalibrate(at=timezone.now())


@shared_task
def expire_reservations() -> None:
    """Give back what was held too long. Lost or run twice, it does no harm."""
    reservations.expire_reservations(at=timezone.now())


@shared_task
def forget_idle_buckets() -> None:
    """Buckets that nobody asked for a day. Run twice, it finds none."""
    buckets.forget_buckets(at=timezone.now())


@shared_task
def prune_records() -> None:
    """Drop what was refused, counted by the hour or forecast longer ago than the settings keep it."""
    at = timezone.now()
    rejections.prune_rejections(at=at)
    figures.prune_figures(at=at)
    thin_forecasts(days=settings.FORECAST_HOURLY_DAYS, at=at)


@shared_task
def open_months() -> None:
    """Make the place of next month's events before they come. Run twice, it finds it."""
    retention.open_months(at=timezone.now())


@shared_task
def prune_events() -> None:
    """Drop the raw events that are older than EVENT_RETENTION_MONTHS; with 0, which is the default, none ever."""
    if settings.EVENT_RETENTION_MONTHS:
        retention.prune_events(months=settings.EVENT_RETENTION_MONTHS, at=timezone.now())


@handler(backfill.KIND)
def backfill_meter(job: JobContext) -> None:
    """Count the next span of a new meter's past; the last thing it does is to promise the one after."""
    start = datetime.fromisoformat(job.payload["from"])
    backfill.count_span(job.payload["meter"], start=start, at=job.at)


@handler(telling.TELL, max_attempts=30)
def tell_notices(job: JobContext) -> None:
    """Write the messages of some notices. Done twice, it finds none that waits."""
    telling.tell_notices(job.payload["notices"], at=job.at)


@errand(telling.DELIVER, max_attempts=sending.ATTEMPTS)
def deliver(job: JobContext) -> sending.Ending | None:
    """Send one message. Done again after a death between hand-over and mark, it is sent under the same Message-ID."""
    return sending.send_delivery(job.payload["delivery"], is_last=job.attempt >= sending.ATTEMPTS, at=job.at)
