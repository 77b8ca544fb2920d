"""Moving from a free plan, and how invoices are paid: our side of Stripe's pages."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from billing.stripe.checkout import CheckoutFact, UnknownCheckout, begin_checkout, read_checkout, settle_checkout
from billing.stripe.customers import CustomerNotReady
from billing.stripe.errors import Refused, TryLater, Unresolved
from billing.stripe.mirroring.customers import look_at_customer
from billing.stripe.pages import ForeignPage
from billing.stripe.portal_sessions import open_payment_page
from billing.stripe.upgrades import Upgrade, UpgradeRefused, find_upgrade
from metering.meters import list_meters
from portal.access import get_membership_or_404, may_change_plan, may_see_money
from portal.calendar import find_time_zone
from portal.models import Membership
from portal.payments import leads_to_stripe
from portal.plan_costs import list_terms, read_plan_rows
from portal.throttles import take_turn
from portal.views import current_user, refuse_role, render_screen

PER_MINUTE = 10  # pages of Stripe that one person may have opened, and times that Stripe is asked for them
# What Stripe may answer instead: nothing has changed then, and the customer may try again.
TROUBLE = (Refused, TryLater, Unresolved, CustomerNotReady, ForeignPage)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@leads_to_stripe
def upgrade(request: HttpRequest, account_key: str, plan_slug: str) -> HttpResponse:
    """What moving there costs; and the click."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_change_plan(membership):
        return refuse_role(request, membership)
    at = timezone.now()
    if request.method == "POST":
        return click(request, membership, plan_slug, at=at)
    try:
        offer = find_upgrade(membership.account_id, plan_slug, at=at)
    except UpgradeRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("portal:plans", account_key)
    return show_offer(request, membership, offer, at=at)


def show_offer(request: HttpRequest, membership: Membership, offer: Upgrade, *, at: datetime) -> HttpResponse:
    rows = read_plan_rows(account_id=membership.account_id, at=at)
    meters = {meter.key: meter for meter in list_meters()}
    return render_screen(
        request,
        "portal/upgrade.html",
        membership,
        screen="plans",
        time_zone=find_time_zone(membership.account_id),
        offer=offer,
        fees=[part for part in offer.preview.charges if part.fee.amount_minor],
        row=next((row for row in rows if row.slug == offer.terms.slug), None),
        terms=list(list_terms(offer.terms, meters)),
        token=uuid4(),
    )


def click(request: HttpRequest, membership: Membership, plan_slug: str, *, at: datetime) -> HttpResponse:
    try:
        token, version_id = UUID(request.POST.get("token", "")), int(request.POST.get("version", ""))
    except ValueError:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    if not take_turn(membership.user, "checkout", per_minute=PER_MINUTE, at=at):
        return refuse_hurry(request, membership, plan_slug)
    key = membership.account.key
    try:
        made = begin_checkout(
            membership.account_id,
            plan_slug,
            version_id,
            token,
            by=membership.user_id,
            success_url=request.build_absolute_uri(reverse("portal:checkout", args=[key, token])),
            cancel_url=request.build_absolute_uri(reverse("portal:checkout_cancelled", args=[key, token])),
            at=at,
        )
    except UpgradeRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("portal:plans", key)
    except TROUBLE:
        messages.error(request, _("The payment service does not answer. Nothing has changed; try again in a moment."))
        return redirect("portal:upgrade", key, plan_slug)
    if made.url:
        return redirect(made.url)
    return redirect("portal:checkout", key, token)


def refuse_hurry(request: HttpRequest, membership: Membership, plan_slug: str) -> HttpResponse:
    messages.error(request, _("That was tried too often in a minute. Nothing has changed; try again in a moment."))
    return redirect("portal:upgrade", membership.account.key, plan_slug)


@require_safe
@never_cache
@login_required
def checkout(request: HttpRequest, account_key: str, token: UUID) -> HttpResponse:
    """Back from Stripe's page: what became of it. While nothing was told, Stripe is asked, now and then."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_change_plan(membership):
        return refuse_role(request, membership)
    made = get_checkout_or_404(membership, token)
    at = timezone.now()
    if made.state == "open" and take_turn(membership.user, "checkout", per_minute=PER_MINUTE, at=at):
        made = ask_stripe(made, membership, at=at)
    return show_checkout(request, membership, made, is_cancelled=False)


def ask_stripe(made: CheckoutFact, membership: Membership, *, at: datetime) -> CheckoutFact:
    try:
        settle_checkout(made.id, at=at)
    except TROUBLE:
        return made
    return read_checkout(membership.account_id, made.token)


@require_safe
@never_cache
@login_required
def checkout_cancelled(request: HttpRequest, account_key: str, token: UUID) -> HttpResponse:
    """Back without a card. Stripe's page stays open for a day, and counts if a card is entered there after all."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_change_plan(membership):
        return refuse_role(request, membership)
    made = get_checkout_or_404(membership, token)
    return show_checkout(request, membership, made, is_cancelled=made.state == "open")


def get_checkout_or_404(membership: Membership, token: UUID) -> CheckoutFact:
    """One of another account answers like one that does not exist."""
    try:
        return read_checkout(membership.account_id, token)
    except UnknownCheckout:
        raise Http404 from None


def show_checkout(
    request: HttpRequest, membership: Membership, made: CheckoutFact, *, is_cancelled: bool
) -> HttpResponse:
    return render_screen(
        request,
        "portal/checkout.html",
        membership,
        screen="plans",
        time_zone=find_time_zone(membership.account_id),
        checkout=made,
        is_cancelled=is_cancelled,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def payment_method(request: HttpRequest, account_key: str) -> HttpResponse:
    """To Stripe's page on which the payment method is changed. Who comes by a link is where the button is."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_money(membership):
        return refuse_role(request, membership)
    if request.method != "POST":
        return redirect("portal:invoices", account_key)
    at = timezone.now()
    try:
        token = UUID(request.POST.get("token", ""))
    except ValueError:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    if not take_turn(membership.user, "payment", per_minute=PER_MINUTE, at=at):
        messages.error(request, _("That was tried too often in a minute. Nothing has changed; try again in a moment."))
        return redirect("portal:invoices", account_key)
    return_url = request.build_absolute_uri(reverse("portal:payment_returned", args=[account_key]))
    try:
        return redirect(open_payment_page(membership.account_id, token, return_url=return_url, at=at))
    except TROUBLE:
        messages.error(request, _("The payment service does not answer. Nothing has changed; try again in a moment."))
        return redirect("portal:invoices", account_key)


@require_safe
@never_cache
@login_required
def payment_returned(request: HttpRequest, account_key: str) -> HttpResponse:
    """Back from there: Stripe is asked which card it is now, so that nobody waits for it to tell."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_money(membership):
        return refuse_role(request, membership)
    at = timezone.now()
    if take_turn(membership.user, "payment", per_minute=PER_MINUTE, at=at):
        try:
            look_at_customer(membership.account_id, at=at)
        except TROUBLE:
            messages.warning(
                request, _("The payment service does not answer. What you changed there shows here later.")
            )
    return redirect("portal:invoices", account_key)
