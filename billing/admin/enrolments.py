"""An account is put on a plan: which and since when, then what it asks, then the subscription."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.account_forms import AccountForm
from billing.admin.credit_forms import MomentField
from billing.admin.pages import Question, Words, fill_form
from billing.admin.reading import list_sentences, show_moment
from billing.holdings import InvalidSeats
from billing.models import Subscription
from billing.plans import UnknownPlan, find_plan, list_plans
from billing.price_imports import put_in_words
from billing.subscriptions import (
    AlreadySubscribed,
    MeterTaken,
    StartsInFuture,
    create_subscription,
    read_currency,
)

if TYPE_CHECKING:
    SubscriptionModelAdmin = admin.ModelAdmin[Subscription]
else:
    SubscriptionModelAdmin = object

REFUSALS = (UnknownPlan, StartsInFuture, AlreadySubscribed, MeterTaken, InvalidSeats)


class EnrolmentForm(AccountForm):
    plan = forms.ChoiceField(label=_("plan"), help_text=_("In the currency that the account has been billed in."))
    quantity = forms.IntegerField(label=_("seats"), min_value=1, initial=1)
    started_at = MomentField(
        label=_("since"), required=False, help_text=_("UTC, not to come. Empty: from now on. Past periods are billed.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offers = list_plans(at=timezone.now())
        self.fields["plan"].choices = [(offer.slug, offer.name) for offer in offers]  # type: ignore[attr-defined]


class EnrolmentPages(SubscriptionModelAdmin):
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return fill_form(
            self,
            request,
            EnrolmentForm(request.POST) if request.method == "POST" else EnrolmentForm(),
            title=_("Subscribe an account"),
            ask=ask_to_enrol,
            act=partial(self.enrol, request),
            refusals=REFUSALS,
        )

    def enrol(self, request: HttpRequest, form: EnrolmentForm) -> HttpResponse:
        at, values = timezone.now(), form.cleaned_data
        made = create_subscription(
            account_id=values["account"],
            plan_slug=values["plan"],
            started_at=values["started_at"] or at,
            quantity=values["quantity"],
            at=at,
            by=request.user.pk,
        )
        subscription = Subscription.objects.get(pk=made.id)
        words = {"account": form.name_account(), "plan": made.plan_name}
        self.log_addition(request, subscription, gettext("Subscribed to %(plan)s.") % words)
        text = gettext("%(account)s is subscribed to %(plan)s.") % words
        self.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_subscription_change", args=[made.id]))


def ask_to_enrol(form: EnrolmentForm) -> Question:
    """The version that it would be on, with its prices in words. Raises UnknownPlan."""
    values, at = form.cleaned_data, timezone.now()
    offer = find_plan(values["plan"], currency=read_currency(values["account"]), at=at)
    prices = [f"{price.description}: {put_in_words(price, offer.currency)}" for price in offer.prices]
    terms: list[tuple[Words, Words]] = [
        (_("plan"), f"{offer.name} v{offer.version_number}, {offer.currency}"),
        (_("prices"), list_sentences(prices)),
        (_("seats"), values["quantity"]),
        (_("since"), show_moment(values["started_at"]) if values["started_at"] else _("now")),
    ]
    text = gettext("%(account)s is subscribed and billed from then on:") % {"account": form.name_account()}
    return Question(text, _("Subscribe it"), terms)
