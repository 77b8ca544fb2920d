"""What beat starts. The clock is read here, once."""

from celery import shared_task
from django.utils import timezone

from metering import alerts, buckets, figures, rejections, reservations


@shared_task
def check_limits() -> None:
    """Alert by every total that moved. Lost or run twice, it does no harm: the next run finds what is left."""
    alerts.check_limits(at=timezone.now())


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
    """Drop what was refused, and counted by the hour, longer ago than the settings keep it."""
    at = timezone.now()
    rejections.prune_rejections(at=at)
    figures.prune_figures(at=at)
