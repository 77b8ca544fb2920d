"""What an account means to spend: said, changed, removed and taken back by owners and billing."""

from datetime import datetime
from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from billing.budgets import InvalidBudget, UnknownBudget, remove_budget, restore_budget, set_budget
from billing.money import Money
from portal.access import get_membership_or_404, may_see_money
from portal.budgets import BudgetForm, BudgetGround, read_ground, read_history, read_rows, read_totals
from portal.calendar import find_time_zone
from portal.models import Membership
from portal.throttles import take_turn
from portal.views import current_user, refuse_role, render_screen

PER_MINUTE = 20  # changes that one person may make
HURRY = gettext_lazy("That was tried too often in a minute. Nothing has changed; try again in a moment.")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def budgets(request: HttpRequest, account_key: str) -> HttpResponse:
    """The account's budgets with what was spent of each; and the form that keeps one."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_money(membership):
        return refuse_role(request, membership)
    at = timezone.now()
    ground = read_ground(membership.account_id, at=at)
    if request.method != "POST":
        return show_budgets(request, membership, ground, BudgetForm(ground), at=at)
    form = BudgetForm(ground, request.POST)
    if ground.currency is None or not form.is_valid() or not keep(membership, form, at=at):
        return show_budgets(request, membership, ground, form, at=at, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect("portal:budgets", account_key)


def keep(membership: Membership, form: BudgetForm, *, at: datetime) -> bool:
    """Whether it was; what is wrong is said at the form."""
    if not take_turn(membership.user, "budget", per_minute=PER_MINUTE, at=at):
        form.add_error(None, HURRY)
        return False
    amount: Money = form.cleaned_data["amount"]
    try:
        set_budget(
            account_id=membership.account_id,
            amount_minor=amount.minor,
            currency=amount.currency,
            meter_id=form.cleaned_data["meter"],
            levels=form.cleaned_data["levels"],
            at=at,
            by=membership.user_id,
        )
    except InvalidBudget as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return False
    return True


def show_budgets(
    request: HttpRequest,
    membership: Membership,
    ground: BudgetGround,
    form: BudgetForm,
    *,
    at: datetime,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    totals = read_totals(membership.account_id, at=at)
    rows = read_rows(membership.account_id, totals)
    return render_screen(
        request,
        "portal/budgets.html",
        membership,
        screen="budgets",
        time_zone=find_time_zone(membership.account_id),
        status=status,
        rows=[row for row in rows if row.budget.is_active],
        removed=[row for row in rows if not row.budget.is_active],
        history=read_history(membership.account_id),
        totals=totals,
        currency=ground.currency,
        form=form,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def remove(request: HttpRequest, account_key: str, budget_id: int) -> HttpResponse:
    """Who comes by a link is where the button is."""
    return switch(request, account_key, budget_id, is_active=False)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def restore(request: HttpRequest, account_key: str, budget_id: int) -> HttpResponse:
    return switch(request, account_key, budget_id, is_active=True)


def switch(request: HttpRequest, account_key: str, budget_id: int, *, is_active: bool) -> HttpResponse:
    """One of another account answers like one that does not exist."""
    membership = get_membership_or_404(current_user(request), account_key)
    if not may_see_money(membership):
        return refuse_role(request, membership)
    at = timezone.now()
    if request.method != "POST":
        return redirect("portal:budgets", account_key)
    if not take_turn(membership.user, "budget", per_minute=PER_MINUTE, at=at):
        messages.error(request, HURRY)
        return redirect("portal:budgets", account_key)
    try:
        move = restore_budget if is_active else remove_budget
        move(budget_id, account_id=membership.account_id, at=at, by=membership.user_id)
    except UnknownBudget:
        raise Http404 from None
    told = _("The budget is watched again.") if is_active else _("The budget is removed. Below you can restore it.")
    messages.success(request, told)
    return redirect("portal:budgets", account_key)
