"""When limits were last checked: after a pause that was too long, what is found is found late."""

from datetime import datetime, timedelta

from metering.models import AlertCheck

PAUSE = timedelta(minutes=10)
ONLY = 1


def find_outage(*, at: datetime) -> datetime | None:
    """When the last check was, if that is too long ago. Where there never was one, nothing was missed."""
    last = AlertCheck.objects.filter(pk=ONLY).values_list("checked_at", flat=True).first()
    return last if last is not None and at - last > PAUSE else None


def note_check(*, at: datetime) -> None:
    """A check has been through. Of several the latest counts."""
    if not AlertCheck.objects.filter(pk=ONLY, checked_at__lt=at).update(checked_at=at):
        AlertCheck.objects.get_or_create(pk=ONLY, defaults={"checked_at": at})
