"""What beat starts. The clock is read here, once."""

from celery import shared_task
from django.utils import timezone

from metering import alerts


@shared_task
def check_limits() -> None:
    """Alert by every total that moved. Lost or run twice, it does no harm: the next run finds what is left."""
    alerts.check_limits(at=timezone.now())
