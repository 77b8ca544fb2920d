"""What the back-office shows first: a handful of figures, each a link to the list it counts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.exceptions import NotRegistered
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Figure:
    """How many there are, and the list where they are. `is_urgent`: somebody has to do something about it."""

    title: str | Promise
    count: int
    url: str
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One thing worth counting. The `query` of the linked list selects the same rows as `lookups`."""

    title: str | Promise
    model: str
    lookups: dict[str, Any]
    query: dict[str, Any] = field(default_factory=dict)
    is_alarm: bool = False  # any at all is one too many


def list_figures(site: AdminSite, request: HttpRequest, *, at: datetime) -> list[Figure]:
    """The figures this person may see, counted through the same eyes as the lists behind them."""
    return list(answer_questions(site, request, list_questions(request, at=at)))


def list_questions(request: HttpRequest, *, at: datetime) -> list[Question]:
    day_ago = at - timedelta(days=1)
    month = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    is_open = {"closed_at__isnull": True}
    everyone = [Question(_("Open leads of everyone"), "crm.Lead", is_open)]
    return [
        *(everyone if request.user.has_perm("crm.view_all_leads") else []),
        Question(_("My open leads"), "crm.Lead", is_open | {"rep__user": request.user.pk}, {"whose": "mine"}),
        Question(_("Leads in the queue"), "crm.Lead", is_open | {"rep__isnull": True}, {"whose": "queue"}),
        same_query(_("Alerts of the last 24 hours"), "metering.Alert", {"detected_at__gte": day_ago}),
        same_query(_("Invoices of this month"), "billing.Invoice", {"issued_at__gte": month}),
        same_query(_("Billing runs to approve"), "billing.BillingRun", {"state__exact": "awaiting"}, is_alarm=True),
        Question(
            _("Billing runs with failures"),
            "billing.BillingRun",
            {"has_failed": True},
            {"failures": "yes"},
            is_alarm=True,
        ),
        same_query(_("Drifts from Stripe"), "billing.StripeDrift", {"state__exact": "open"}, is_alarm=True),
        same_query(_("Failed events from Stripe"), "billing.StripeEvent", {"state__exact": "failed"}, is_alarm=True),
        same_query(_("Dead jobs"), "jobs.Job", {"state__exact": "dead"}, is_alarm=True),
    ]


def same_query(title: str | Promise, model: str, lookups: dict[str, Any], *, is_alarm: bool = False) -> Question:
    """A question that the list's own address can ask, in the same words."""
    return Question(title, model, lookups, lookups, is_alarm)


def answer_questions(site: AdminSite, request: HttpRequest, questions: list[Question]) -> Iterator[Figure]:
    for question in questions:
        model = apps.get_model(question.model)
        try:
            model_admin = site.get_model_admin(model)
        except NotRegistered:  # an app may keep a table to itself
            continue
        if model_admin.has_view_permission(request):
            count = model_admin.get_queryset(request).filter(**question.lookups).count()
            address = reverse(f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_changelist")
            url = f"{address}?{urlencode(question.query)}" if question.query else address
            yield Figure(question.title, count, url, question.is_alarm and count > 0)
