"""The log of events for our own staff: every account's, those that wait for one, and the fate of each."""

from datetime import UTC

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from metering.lookup import UnknownEvent
from portal.event_fates import read_fate
from portal.event_search import StaffSearchForm, read_listing

MAY_VIEW = "metering.view_event"


def require_permission(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_VIEW):
        raise PermissionDenied


@require_safe
def events(request: HttpRequest) -> HttpResponse:
    require_permission(request)
    listing = read_listing(request.GET.dict(), account_id=None, at=timezone.now(), form_type=StaffSearchForm)
    context = admin.site.each_context(request) | {"title": _("Events"), "listing": listing, "zone": UTC}
    return TemplateResponse(request, "admin/events.html", context)


@require_safe
def event(request: HttpRequest) -> HttpResponse:
    """`?source=…&id=…`"""
    require_permission(request)
    source, event_id = request.GET.get("source", ""), request.GET.get("id", "")
    try:
        fate = read_fate(source, event_id, account_id=None)
    except UnknownEvent:
        fate = None
    context = admin.site.each_context(request) | {
        "title": _("Event %(id)s") % {"id": event_id},
        "fate": fate,
        "source": source,
        "event_id": event_id,
    }
    return TemplateResponse(request, "admin/event.html", context, status=200 if fate else 404)
