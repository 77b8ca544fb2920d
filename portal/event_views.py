"""The customer's log of events, the fate of each, and what their own keys sent."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.exceptions import ValidationError as BrokenPosition

from metering.figure_charts import draw_figures, fill_hours
from metering.figures import HourFigures, add_figures, read_account_figures
from metering.lookup import UnknownEvent
from metering.rejections import list_rejections
from metering.rest.paging import read_position, write_position
from portal.access import get_membership_or_404, may_see_events, may_see_sending
from portal.calendar import find_time_zone
from portal.event_fates import read_fate
from portal.event_search import EventSearchForm, read_listing
from portal.views import current_user, refuse_role, render_screen

SHOWN_HOURS = timedelta(hours=24)
MOMENT = timedelta(microseconds=1)  # the hour that begins now is shown
REFUSALS_SHOWN = 50


@require_safe
@never_cache
@login_required
def events(request: HttpRequest, account_key: str) -> HttpResponse:
    """The events of the account, newest first, and a form to look for some."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_events(membership):
        return refuse_role(request, membership, page="events")
    time_zone = find_time_zone(membership.account_id)
    with timezone.override(ZoneInfo(time_zone)):
        listing = read_listing(
            request.GET.dict(), account_id=membership.account_id, at=timezone.now(), form_type=EventSearchForm
        )
    return render_screen(
        request, "portal/events.html", membership, screen="events", time_zone=time_zone, listing=listing
    )


@require_safe
@never_cache
@login_required
def event(request: HttpRequest, account_key: str) -> HttpResponse:
    """The fate of one event, `?source=…&id=…`; a form that asks for both where one is missing."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_events(membership):
        return refuse_role(request, membership, page="events")
    source, event_id = request.GET.get("source", ""), request.GET.get("id", "")
    fate, is_unknown = None, False
    if source and event_id:
        try:
            fate = read_fate(source, event_id, account_id=membership.account_id)
        except UnknownEvent:
            is_unknown = True
    return render_screen(
        request,
        "portal/event.html",
        membership,
        screen="events",
        time_zone=find_time_zone(membership.account_id),
        status=404 if is_unknown else 200,
        fate=fate,
        is_unknown=is_unknown,
        source=source,
        event_id=event_id,
    )


@require_safe
@never_cache
@login_required
def sending(request: HttpRequest, account_key: str) -> HttpResponse:
    """What the account's own keys sent in the last 24 hours, and what was refused of it."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_sending(membership):
        return refuse_role(request, membership, page="sending")
    at, account_id = timezone.now(), membership.account_id
    time_zone = find_time_zone(account_id)
    start, end = at - SHOWN_HOURS, at + MOMENT
    figures = read_account_figures(account_id=account_id, start=start, end=end)
    total = add_figures((hour for each in figures for hour in each.hours), hour=start)
    try:
        after = read_position(request.GET.get("after", ""), tuple[datetime, int])
    except BrokenPosition:
        after = None
    rows = list_rejections(account_id=account_id, after=after, limit=REFUSALS_SHOWN + 1)
    shown = rows[:REFUSALS_SHOWN]
    with timezone.override(ZoneInfo(time_zone)):
        hours = fill_hours(sum_by_hour([hour for each in figures for hour in each.hours]), start=start, end=end)
        chart = draw_figures(hours, title=gettext("Events sent in each hour"))
    return render_screen(
        request,
        "portal/sending.html",
        membership,
        screen="sending",
        time_zone=time_zone,
        keys=figures,
        total=total,
        hours=[hour for hour in reversed(hours) if hour.sent],
        chart=chart if total.sent else "",
        rejections=shown,
        older=write_position((shown[-1].received_at, shown[-1].id)) if len(rows) > len(shown) else "",
    )


def sum_by_hour(figures: list[HourFigures]) -> list[HourFigures]:
    """One for each hour, of all keys together."""
    by_hour: dict[object, list[HourFigures]] = {}
    for each in figures:
        by_hour.setdefault(each.hour, []).append(each)
    return [add_figures(group, hour=group[0].hour) for group in by_hour.values()]
