"""Another plan for one subscription: which and when, then what it gives back and asks, then the change."""

from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import Question, Words, fill_form
from billing.admin.reading import show_moment
from billing.admin.subscription_moves import MovePages
from billing.models import Subscription
from billing.parts import MoveRefused
from billing.plans import UnknownPlan, list_plans
from billing.subscriber_moves import When, find_period_end
from billing.subscriptions import RUNNING, MeterTaken
from billing.switching import MovePreview, change_plan, preview_change, schedule_change
from billing.wording import display_money

WHEN = [
    (When.NOW.value, _("now, prorated")),
    (When.AT_END.value, _("with the end of the period")),
]
REFUSALS = (MoveRefused, MeterTaken, UnknownPlan)


class PlanForm(forms.Form):
    plan = forms.ChoiceField(label=_("plan"))
    when = forms.ChoiceField(
        label=_("takes effect"),
        choices=WHEN,
        initial=When.NOW.value,
        help_text=_("What is planned for the end of the period can be undone until then."),
    )

    def __init__(self, *args: Any, subscription: Subscription, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offers = list_plans(currency=subscription.version.currency, at=at)
        self.names = {
            offer.slug: f"{offer.name} v{offer.version_number}"
            for offer in offers
            if offer.version_id != subscription.version_id
        }
        plan = self.fields["plan"]
        plan.choices = list(self.names.items())  # type: ignore[attr-defined]
        if not self.names:
            plan.help_text = gettext("No other version is on offer in its currency.")


class PlanChangePages(MovePages):
    def list_tools(self, request: HttpRequest, row: Subscription) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if self.has_move_permission(request) and row.state in RUNNING:
            tools.insert(0, (reverse("admin:billing_subscription_plan", args=[row.pk]), _("Change the plan")))
        return tools

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.plan_view)
        return [path("<int:subscription_id>/plan/", view, name="billing_subscription_plan"), *super().get_urls()]

    def plan_view(self, request: HttpRequest, subscription_id: int) -> HttpResponse:
        subscription, at = self.find_to_move(request, subscription_id), timezone.now()
        data = request.POST if request.method == "POST" else None
        return fill_form(
            self,
            request,
            PlanForm(data, subscription=subscription, at=at),
            title=_("Change the plan"),
            ask=partial(ask_to_change, subscription, at=at),
            act=partial(self.change, request, subscription, at=at),
            refusals=REFUSALS,
            subject=subscription,
        )

    def change(self, request: HttpRequest, subscription: Subscription, form: PlanForm, *, at: datetime) -> HttpResponse:
        verb = change_plan if form.cleaned_data["when"] == When.NOW else schedule_change
        verb(subscription.pk, form.cleaned_data["plan"], at=at, by=request.user.pk)
        words = {"before": subscription.version, "after": form.names[form.cleaned_data["plan"]]}
        return self.tell_moved(request, subscription, gettext("from %(before)s to %(after)s") % words)


def ask_to_change(subscription: Subscription, form: PlanForm, *, at: datetime) -> Question:
    """The money of a change now, and nothing but its day for one at the period's end."""
    plan = form.cleaned_data["plan"]
    preview = preview_change(subscription.pk, plan, at=at)
    words = {"account": subscription.account, "before": subscription.version, "after": form.names[plan]}
    if form.cleaned_data["when"] == When.AT_END:
        end = find_period_end(subscription, at=at)
        text = gettext("%(account)s goes from %(before)s to %(after)s when the period ends.") % words
        return Question(text, _("Plan the change"), [(_("takes effect"), show_moment(end) if end else "–")])
    text = gettext(
        "%(account)s goes from %(before)s to %(after)s now. What was used until then is billed by the old plan, "
        "and limits begin anew."
    )
    return Question(text % words, _("Change the plan"), tell_money(preview))


def tell_money(preview: MovePreview) -> list[tuple[Words, Words]]:
    """What a change now gives back and asks, and what that comes to."""
    credits = [
        (gettext("%(fee)s: given back") % {"fee": part.fee.description}, part.amount_minor) for part in preview.credits
    ]
    charges = [
        (gettext("%(fee)s: for the rest of the period") % {"fee": part.fee.description}, part.amount_minor)
        for part in preview.charges
    ]
    amounts = [*credits, *charges, (_("together, on the next invoices"), preview.net_minor)]
    return [(label, display_money(minor, preview.currency)) for label, minor in amounts]
