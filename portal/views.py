"""The customer's screens. Each finds the account through portal.access, reads through the doors, and renders."""

from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.add_ons import name_held
from billing.credit_notes import list_credit_notes
from billing.invoicing import UnknownInvoice, list_invoices, read_invoice
from billing.late.ledger import read_late_usage
from billing.stripe.charging.standing import read_charging
from billing.stripe.upgrades import list_upgrades
from billing.subscriptions import read_subscription
from metering.meters import list_meters
from metering.notices.history import read_banner
from metering.usage import UnknownMeter, read_usage
from portal.access import (
    get_membership_or_404,
    list_memberships,
    may_change_plan,
    may_see_events,
    may_see_money,
    may_see_sending,
)
from portal.calendar import UnknownMonth, find_month, find_time_zone
from portal.costs import read_cost
from portal.first_event import write_first_event
from portal.meter_cards import read_meter_card, read_overview
from portal.models import Membership, User
from portal.payments import leads_to_stripe, list_confirmations, read_payment
from portal.plan_costs import read_plan_rows


def current_user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise Http404
    return request.user


def render_screen(
    request: HttpRequest,
    template: str,
    membership: Membership,
    *,
    screen: str,
    time_zone: str,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Render one screen of an account, on the clocks of its time zone."""
    context |= {
        "membership": membership,
        "memberships": list_memberships(membership.user),
        "may_see_money": may_see_money(membership),
        "may_see_events": may_see_events(membership),
        "may_see_sending": may_see_sending(membership),
        "screen": screen,
    }
    with timezone.override(ZoneInfo(time_zone)):
        return render(request, template, context, status=status)


def refuse_role(request: HttpRequest, membership: Membership, *, page: str = "money") -> HttpResponse:
    """A colleague whose role does not open this page is told so; strangers got 404 before."""
    return render_screen(
        request, "portal/forbidden.html", membership, screen="", time_zone="UTC", status=403, page=page
    )


@require_safe
@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Straight to the only account; a list when there are several; staff without one go to the back-office."""
    user = current_user(request)
    memberships = list_memberships(user)
    if len(memberships) == 1:
        return redirect("portal:dashboard", memberships[0].account.key)
    if not memberships and user.is_staff:
        return redirect("admin:index")
    return render(request, "portal/home.html", {"memberships": memberships})


@require_safe
@never_cache
@login_required
def dashboard(request: HttpRequest, account_key: str) -> HttpResponse:
    membership = get_membership_or_404(current_user(request), account_key)
    at, account_id = timezone.now(), membership.account_id
    time_zone = find_time_zone(account_id)
    overview = read_overview(account_id=account_id, at=at, time_zone=time_zone)
    subscription = read_subscription(account_id=account_id, at=at)
    return render_screen(
        request,
        "portal/dashboard.html",
        membership,
        screen="usage",
        time_zone=time_zone,
        overview=overview,
        subscription=subscription,
        add_ons=name_held(subscription.id, at=at) if subscription else [],
        cost=read_cost(account_id=account_id, at=at) if subscription and may_see_money(membership) else None,
        confirmations=list_confirmations(membership),
        alerts=read_banner(account_id, at=at, with_money=may_see_money(membership)),
        first_event="" if overview.has_events else suggest_first_event(request, account_key),
    )


def suggest_first_event(request: HttpRequest, account_key: str) -> str:
    meters = list_meters()
    url = request.build_absolute_uri(reverse("portal:home")) + "api/v1/events"
    return write_first_event(account_key=account_key, meter=meters[0] if meters else None, url=url)


@require_safe
@never_cache
@login_required
def usage(request: HttpRequest, account_key: str, meter_key: str) -> HttpResponse:
    """One meter over one month, day by day. `?month=2026-11`; without it the present month."""
    membership = get_membership_or_404(current_user(request), account_key)
    at, account_id = timezone.now(), membership.account_id
    time_zone = find_time_zone(account_id)
    try:
        month = find_month(request.GET.get("month", ""), at=at, time_zone=time_zone)
    except UnknownMonth:
        raise Http404 from None
    try:
        total = read_usage(account_id=account_id, meter_key=meter_key, start=month.start, end=month.end)
    except UnknownMeter:
        raise Http404 from None
    return render_screen(
        request,
        "portal/usage.html",
        membership,
        screen="usage",
        time_zone=time_zone,
        month=month,
        event_count=total.event_count,
        card=read_meter_card(total, account_id=account_id, at=at, time_zone=time_zone),
    )


@require_safe
@never_cache
@login_required
@leads_to_stripe
def invoices(request: HttpRequest, account_key: str) -> HttpResponse:
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_money(membership):
        return refuse_role(request, membership)
    return render_screen(
        request,
        "portal/invoices.html",
        membership,
        screen="invoices",
        time_zone=find_time_zone(membership.account_id),
        invoices=list_invoices(account_id=membership.account_id),
        payment=read_payment(membership.account_id),
        confirmations=list_confirmations(membership),
        token=uuid4(),
        cost=read_cost(account_id=membership.account_id, at=timezone.now()),
    )


@require_safe
@never_cache
@login_required
def plans(request: HttpRequest, account_key: str) -> HttpResponse:
    """What the account's own usage costs on each plan, now and in periods that are over."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_money(membership):
        return refuse_role(request, membership)
    at = timezone.now()
    return render_screen(
        request,
        "portal/plans.html",
        membership,
        screen="plans",
        time_zone=find_time_zone(membership.account_id),
        rows=read_plan_rows(account_id=membership.account_id, at=at),
        upgrades=list_upgrades(membership.account_id, at=at) if may_change_plan(membership) else [],
    )


@require_safe
@never_cache
@login_required
def invoice(request: HttpRequest, account_key: str, number: str) -> HttpResponse:
    """One document, dated by the time zone that was frozen with it."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_money(membership):
        return refuse_role(request, membership)
    try:
        document = read_invoice(account_id=membership.account_id, number=number)
    except UnknownInvoice:
        raise Http404 from None
    return render_screen(
        request,
        "portal/invoice.html",
        membership,
        screen="invoices",
        time_zone=document.time_zone,
        invoice=document,
        credit_notes=list_credit_notes(document.id),
        charging=read_charging(document.id),
        late=read_late_usage(account_id=membership.account_id, number=number),
    )
