"""What Celery runs for sales. Tasks read the clock and call one function."""

from celery import shared_task
from django.utils import timezone

from crm import leads


@shared_task(name="crm.tasks.open_leads")
def open_leads() -> None:
    """Turn what metering has to say into leads. Any number of these at once gives the same result as one."""
    leads.open_leads(at=timezone.now())
