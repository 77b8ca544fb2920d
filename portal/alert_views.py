"""What an account is and was in alarm for, who hears of it, and the end of the mails."""

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from metering.accounts import AccountRef
from metering.notices.history import list_account_alerts
from metering.notices.testing import send_test
from portal.access import get_membership_or_404, may_see_money
from portal.calendar import find_time_zone
from portal.models import Membership
from portal.notices import (
    BrokenToken,
    can_upgrade,
    find_membership,
    read_languages,
    state_member,
    tell_by_mail,
)
from portal.throttles import take_turn
from portal.views import current_user, render_screen

ALERTS_SHOWN = 25
TESTS_PER_MINUTE = 3


@require_safe
@never_cache
@login_required
def alerts(request: HttpRequest, account_key: str) -> HttpResponse:
    """The account's alerts, the latest first; `?before=` goes on from one."""
    membership = get_membership_or_404(current_user(request), account_key)
    before = request.GET.get("before", "")
    rows = list_account_alerts(
        membership.account_id,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
        limit=ALERTS_SHOWN + 1,
        with_money=may_see_money(membership),
    )
    shown = rows[:ALERTS_SHOWN]
    return render_screen(
        request,
        "portal/alerts.html",
        membership,
        screen="alerts",
        time_zone=find_time_zone(membership.account_id),
        entries=shown,
        hears_of_alerts=membership.hears_of_alerts,
        older=shown[-1].fact.id if len(rows) > len(shown) else None,
        at=timezone.now(),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def alert_mail(request: HttpRequest, account_key: str) -> HttpResponse:
    """The person's own switch. Who comes by a link is where it is."""
    membership = get_membership_or_404(current_user(request), account_key)
    if request.method == "POST":
        wanted = request.POST.get("by_mail")
        if wanted not in ("on", "off"):
            return HttpResponse(status=HTTPStatus.BAD_REQUEST)
        tell_by_mail(membership, is_on=wanted == "on")
        messages.success(request, say_switched(is_on=wanted == "on"))
    return redirect("portal:alerts", account_key)


def say_switched(*, is_on: bool) -> str:
    if is_on:
        return _("From now on you hear of this account's alerts by e-mail.")
    return _("You hear of this account's alerts by e-mail no more.")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def alert_test(request: HttpRequest, account_key: str) -> HttpResponse:
    """A test mail, to whoever asks for it alone."""
    membership = get_membership_or_404(current_user(request), account_key)
    if request.method == "POST":
        at = timezone.now()
        if take_turn(membership.user, "alert-test", per_minute=TESTS_PER_MINUTE, at=at):
            send_own_test(membership)
            messages.success(request, _("A test is on its way to %(email)s.") % {"email": membership.user.email})
        else:
            messages.error(request, _("That was tried too often in a minute. Try again in a moment."))
    return redirect("portal:alerts", account_key)


def send_own_test(membership: Membership) -> None:
    at, account = timezone.now(), membership.account
    language = read_languages([account.pk])[account.pk]
    recipient = state_member(membership, language, can_upgrade=can_upgrade(account.pk, at=at))
    zone = find_time_zone(account.pk)
    send_test(AccountRef(account.pk, account.key, account.name), recipient, time_zone=zone, at=at)


@csrf_exempt  # the programs that read mail send the form of RFC 8058; the token is what only its reader has
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """The end of the mails about one account, for who holds one of them. A look alone ends nothing."""
    try:
        membership = find_membership(token)
    except BrokenToken:
        return render(request, "portal/unsubscribe.html", {"broken": True}, status=HTTPStatus.NOT_FOUND)
    if request.method == "POST":
        tell_by_mail(membership, is_on=False)
    context = {"account": membership.account, "email": membership.user.email, "is_done": request.method == "POST"}
    return render(request, "portal/unsubscribe.html", context)
