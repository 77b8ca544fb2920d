"""The grace: how long after its end a period stays open, so that events in flight arrive and people look at the draft.

A plan version may say so itself, in hours; else settings.BILLING_CLOSE_DELAY counts. Here alone it is decided what is
due.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Func, QuerySet, Value
from django.db.models.functions import Coalesce

from billing.models import Period


def select_due(at: datetime) -> QuerySet[Period]:
    """Periods that are over and whose grace is as well, and are not closed."""
    return select_ended(at).alias(due_at=add_grace()).filter(due_at__lte=at)


def select_in_grace(at: datetime) -> QuerySet[Period]:
    """Periods that are over and wait for their grace to be."""
    return select_ended(at).alias(due_at=add_grace()).filter(due_at__gt=at)


def select_ended(at: datetime) -> QuerySet[Period]:
    return Period.objects.filter(closed_at__isnull=True, ends_at__lte=at)


def add_grace() -> "ExpressionWrapper[Any]":
    """When a period may be closed."""
    own = Func(
        F("version__grace_hours"), template="make_interval(hours => %(expressions)s)", output_field=DurationField()
    )
    grace = Coalesce(own, Value(settings.BILLING_CLOSE_DELAY, output_field=DurationField()))
    return ExpressionWrapper(F("ends_at") + grace, output_field=DateTimeField())
