"""Seats and add-ons of one subscription: how many and when, then what that gives back and asks, then the change."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing import add_ons, seats
from billing.add_ons import AddOnFact, list_add_ons
from billing.admin.pages import Question, Words, fill_form
from billing.admin.plan_changes import WHEN, tell_money
from billing.admin.reading import list_sentences, show_moment
from billing.admin.subscription_moves import MovePages
from billing.holdings import LARGEST_QUANTITY, InvalidSeats
from billing.models import LIVE, Price, Subscription
from billing.parts import MoveRefused
from billing.subscriber_moves import When, find_period_end
from billing.wording import display_amount

REFUSALS = (MoveRefused, InvalidSeats)
UNDO = "undo"


class SeatsForm(forms.Form):
    quantity = forms.IntegerField(label=_("seats"), min_value=1, max_value=LARGEST_QUANTITY)
    when = forms.ChoiceField(label=_("when"), choices=WHEN, initial=When.NOW.value)


class AddOnForm(forms.Form):
    key = forms.ChoiceField(label=_("add-on"))
    quantity = forms.IntegerField(
        label=_("how many"),
        min_value=0,
        max_value=LARGEST_QUANTITY,
        help_text=_("In all, with what it has already; 0 for none."),
    )
    when = forms.ChoiceField(
        label=_("when"),
        choices=[*WHEN, (UNDO, _("not at all: what is planned for it is undone"))],
        initial=When.NOW.value,
    )

    def __init__(self, *args: Any, offered: list[AddOnFact], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.facts = {fact.key: fact for fact in offered}
        self.fields["key"].choices = [(fact.key, name_add_on(fact)) for fact in offered]  # type: ignore[attr-defined]


class HoldingPages(MovePages):
    def list_tools(self, request: HttpRequest, row: Subscription) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if not self.has_move_permission(request) or row.state not in LIVE:
            return tools
        pages = []
        if Price.objects.filter(version__in=[row.version_id, row.next_version_id], per_seat=True).exists():
            pages.append((reverse("admin:billing_subscription_seats", args=[row.pk]), _("Change the seats")))
        if row.version.add_ons.exists():
            pages.append((reverse("admin:billing_subscription_add_ons", args=[row.pk]), _("Change the add-ons")))
        return pages + tools

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:subscription_id>/seats/", wrap(self.seats_view), name="billing_subscription_seats"),
            path("<int:subscription_id>/add-ons/", wrap(self.add_ons_view), name="billing_subscription_add_ons"),
            *super().get_urls(),
        ]

    def seats_view(self, request: HttpRequest, subscription_id: int) -> HttpResponse:
        subscription, at = self.find_to_move(request, subscription_id), timezone.now()
        form = SeatsForm(request.POST or None, initial={"quantity": subscription.quantity})
        return fill_form(
            self,
            request,
            form,
            title=_("Change the seats"),
            ask=partial(ask_for_seats, subscription, at=at),
            act=partial(self.change_seats, request, subscription, at=at),
            refusals=REFUSALS,
            subject=subscription,
        )

    def change_seats(
        self, request: HttpRequest, subscription: Subscription, form: SeatsForm, *, at: datetime
    ) -> HttpResponse:
        is_now, quantity = form.cleaned_data["when"] == When.NOW, form.cleaned_data["quantity"]
        verb = seats.change_quantity if is_now else seats.schedule_quantity
        verb(subscription.pk, quantity, at=at, by=request.user.pk)
        words = {"before": subscription.quantity, "after": quantity}
        return self.tell_moved(request, subscription, gettext("seats from %(before)d to %(after)d") % words)

    def add_ons_view(self, request: HttpRequest, subscription_id: int) -> HttpResponse:
        subscription, at = self.find_to_move(request, subscription_id), timezone.now()
        form = AddOnForm(request.POST or None, offered=list_add_ons(subscription.pk, at=at))
        return fill_form(
            self,
            request,
            form,
            title=_("Change the add-ons"),
            ask=partial(ask_for_add_on, subscription, at=at),
            act=partial(self.change_add_on, request, subscription, at=at),
            refusals=REFUSALS,
            subject=subscription,
        )

    def change_add_on(
        self, request: HttpRequest, subscription: Subscription, form: AddOnForm, *, at: datetime
    ) -> HttpResponse:
        fact, quantity = form.facts[form.cleaned_data["key"]], form.cleaned_data["quantity"]
        choose_verb(form.cleaned_data["when"], quantity)(subscription.pk, fact.key, at=at, by=request.user.pk)
        words = {"add_on": fact.description, "before": fact.quantity, "after": quantity}
        return self.tell_moved(request, subscription, gettext("%(add_on)s from %(before)d to %(after)d") % words)


def choose_verb(when: str, quantity: int) -> Callable[..., object]:
    if when == UNDO:
        return add_ons.undo_add_on
    if when == When.AT_END:
        return partial(add_ons.schedule_add_on, quantity=quantity)
    return partial(add_ons.add_add_on, quantity=quantity) if quantity else add_ons.remove_add_on


def ask_for_seats(subscription: Subscription, form: SeatsForm, *, at: datetime) -> Question:
    quantity = form.cleaned_data["quantity"]
    preview = seats.preview_quantity(subscription.pk, quantity, at=at)
    words = {"account": subscription.account, "before": subscription.quantity, "after": quantity}
    if form.cleaned_data["when"] == When.AT_END:
        text = gettext("%(account)s goes from %(before)d to %(after)d seats when the period ends.") % words
        return Question(text, _("Plan the change"), tell_end(subscription, at=at))
    text = gettext("%(account)s goes from %(before)d to %(after)d seats now.") % words
    return Question(text, _("Change the seats"), tell_money(preview))


def ask_for_add_on(subscription: Subscription, form: AddOnForm, *, at: datetime) -> Question:
    quantity, when = form.cleaned_data["quantity"], form.cleaned_data["when"]
    fact = form.facts[form.cleaned_data["key"]]
    words = {"account": subscription.account, "add_on": fact.description, "before": fact.quantity, "after": quantity}
    if when == UNDO:
        text = gettext("%(account)s keeps %(before)d of “%(add_on)s”; what is planned is undone.") % words
        return Question(text, _("Undo what is planned"))
    preview = add_ons.preview_add_on(subscription.pk, fact.key, quantity, at=at)
    if when == When.AT_END:
        text = gettext("%(account)s has %(after)d of “%(add_on)s” in place of %(before)d when the period ends.") % words
        return Question(text, _("Plan the change"), tell_end(subscription, at=at))
    text = gettext("%(account)s has %(after)d of “%(add_on)s” in place of %(before)d from now on.") % words
    return Question(text, _("Change the add-ons"), tell_money(preview))


def tell_end(subscription: Subscription, *, at: datetime) -> list[tuple[Words, Words]]:
    end = find_period_end(subscription, at=at)
    return [(_("takes effect"), show_moment(end) if end else "–")]


def name_add_on(fact: AddOnFact) -> str:
    words = {
        "add_on": fact.description,
        "amount": display_amount(fact.unit_amount, fact.currency),
        "quantity": fact.quantity,
    }
    return gettext("%(add_on)s, %(amount)s each period (has %(quantity)d)") % words


def describe_add_ons(subscription: Subscription, *, at: datetime) -> SafeString | str:
    """What it has, and what is planned."""
    facts = [fact for fact in list_add_ons(subscription.pk, at=at) if fact.quantity or fact.planned_at]
    return list_sentences(describe_held(fact) for fact in facts) if facts else "–"


def describe_held(fact: AddOnFact) -> str:
    held = f"{fact.quantity} × {fact.description}"
    if fact.planned_at is None:
        return held
    words = {"held": held, "planned": fact.planned_quantity, "date": show_moment(fact.planned_at)}
    return gettext("%(held)s, %(planned)d from %(date)s") % words
