"""One page about Stripe: is it connected, does anything wait or fail, how much was read, and what differs."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.pages import render_page
from billing.admin.reading import show_moment
from billing.admin.stripe.showing import may_repair
from billing.models import DRIFT_KINDS
from billing.stripe.reconciling.repairs import promise_look
from billing.stripe.status import Status, Waiting, read_status
from billing.wording import display_money

MODES = {
    "off": gettext_lazy("off: there is no key"),
    "test": gettext_lazy("test mode"),
    "live": gettext_lazy("live mode"),
}


def answer_overview(model_admin: Any, request: HttpRequest) -> HttpResponse:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    status = read_status(timezone.now())
    return render_page(
        model_admin,
        request,
        "admin/billing/stripedrift/overview.html",
        title=_("Stripe"),
        status=status,
        facts=list_facts(status),
        figures=list_figures(status),
        drifts=[
            (
                DRIFT_KINDS.get(drift.kind, drift.kind),
                drift.count,
                "–" if drift.difference_minor is None else display_money(drift.difference_minor, drift.currency),
                f"{reverse('admin:billing_stripedrift_changelist')}?state__exact=open&kind={drift.kind}",
            )
            for drift in status.drifts
        ],
        may_repair=may_repair(request),
    )


def look_everywhere(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The button: everything is compared again, by a job."""
    if request.method != "POST" or not may_repair(request):
        raise PermissionDenied
    promise_look(None, at=timezone.now())
    model_admin.message_user(request, _("Everything is being compared again."), messages.SUCCESS)
    return HttpResponseRedirect(reverse("admin:billing_stripe_overview"))


def list_facts(status: Status) -> list[tuple[str, str]]:
    """The connection, in words."""
    return [
        (_("mode"), str(MODES[status.mode])),
        (_("speaks to"), _("a simulator at %(address)s") % {"address": status.address} if status.address else "Stripe"),
        (_("API version"), status.api_version or "–"),
        (_("last event"), show_moment(status.last_event_at) if status.last_event_at else "–"),
        (_("last comparison"), show_moment(status.reconciled_at) if status.reconciled_at else "–"),
        (_("reads in 30 days"), f"{group(status.reads)} / {group(status.reads_max)}"),
    ]


def list_figures(status: Status) -> list[tuple[str, int, str, str, bool]]:
    """What is counted, how often, since when, where it is listed, and whether somebody has to look."""
    return [
        waiting(_("events to be handled"), status.events, "stripeevent", "state__exact=received"),
        counted(_("events that failed"), status.failed_events, "stripeevent", "state__exact=failed"),
        waiting(_("meter events on their way"), status.usage, "stripemeterevent", "state__exact=queued"),
        counted(_("meter events that failed"), status.failed_usage, "stripemeterevent", "state__exact=failed"),
        waiting(_("invoices being charged"), status.invoices, "stripeinvoice", "step__exact=held"),
        counted(_("invoices that stopped"), status.stopped_invoices, "stripeinvoice", "step__exact=stopped"),
        counted(_("calls of unknown outcome"), status.unknown_calls, "stripecall", "state__exact=unknown"),
        counted(_("customers with a problem"), status.customers_with_problems, "stripecustomer", ""),
        counted(_("open drifts"), status.drift_count, "stripedrift", "state__exact=open"),
    ]


def waiting(label: str, found: Waiting, model: str, query: str) -> tuple[str, int, str, str, bool]:
    since = _("since %(moment)s") % {"moment": show_moment(found.oldest)} if found.oldest else ""
    return label, found.count, since, link(model, query), False


def counted(label: str, count: int, model: str, query: str) -> tuple[str, int, str, str, bool]:
    return label, count, "", link(model, query), count > 0


def group(count: int) -> str:
    return number_format(count, force_grouping=True)


def link(model: str, query: str) -> str:
    return reverse(f"admin:billing_{model}_changelist") + (f"?{query}" if query else "")
