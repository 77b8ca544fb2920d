"""What staff may do to a subscription without saying more than that: each asks first, and shows what is given back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing import lifecycle, seats, switching
from billing.admin.pages import Question, Tools, Words, ask_first, fill_form
from billing.models import LIVE, Subscription, SubscriptionState
from billing.parts import MoveRefused
from billing.wording import display_money

if TYPE_CHECKING:
    SubscriptionModelAdmin = admin.ModelAdmin[Subscription]
else:
    SubscriptionModelAdmin = object


@dataclass(frozen=True, slots=True)
class Move:
    """Its name, the question about one or several, when it makes sense, and billing's function that makes it."""

    label: Words
    question: Words
    make: Callable[..., object]
    is_possible: Callable[[Subscription], bool]
    gives_back: bool = False


MOVES: Mapping[str, Move] = {
    "pause": Move(
        _("Pause now"),
        _("The period ends now, and the unused part of the fees is given back:"),
        lifecycle.pause,
        lambda each: each.state == SubscriptionState.ACTIVE,
        gives_back=True,
    ),
    "resume": Move(
        _("Resume now"),
        _("It is billed again from now on:"),
        lifecycle.resume,
        lambda each: each.state == SubscriptionState.PAUSED,
    ),
    "end_trial": Move(
        _("End the trial now"),
        _("It is billed from now on:"),
        lifecycle.end_trial,
        lambda each: each.state == SubscriptionState.TRIALING,
    ),
    "undo_change": Move(
        _("Stay on the plan after all"),
        _("The change that is planned is undone:"),
        switching.undo_change,
        lambda each: each.changes_at is not None,
    ),
    "undo_quantity": Move(
        _("Keep the seats after all"),
        _("The seats that are planned are undone:"),
        seats.undo_quantity,
        lambda each: each.quantity_at is not None,
    ),
    "cancel_at_end": Move(
        _("End with the period"),
        _("It ends with its period, and nothing is given back. What is planned besides is undone:"),
        lifecycle.cancel_at_end,
        lambda each: each.state in LIVE and each.state != SubscriptionState.PAUSED and each.cancels_at is None,
    ),
    "undo_cancel": Move(
        _("Let go on what was to end"),
        _("The end that is planned is undone:"),
        lifecycle.undo_cancel,
        lambda each: each.cancels_at is not None,
    ),
    "cancel_now": Move(
        _("End now"),
        _("It ends now. What was used is billed, and the unused part of the fees is given back:"),
        lifecycle.cancel,
        lambda each: each.state in LIVE,
        gives_back=True,
    ),
}


class MovePages(Tools, SubscriptionModelAdmin):
    """The moves, each as an action on a list and as a page under one subscription."""

    def has_move_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_subscription")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if self.has_move_permission(request) and IS_POPUP_VAR not in request.GET:
            actions |= {name: (partial(move_each, name), name, move.label) for name, move in MOVES.items()}
        return actions

    def list_tools(self, request: HttpRequest, row: Subscription) -> list[tuple[str, Words]]:
        tools = super().list_tools(request, row)
        if not self.has_move_permission(request):
            return tools
        possible = [(name, move.label) for name, move in MOVES.items() if move.is_possible(row)]
        return tools + [
            (reverse(f"admin:billing_subscription_{name}", args=[row.pk]), label) for name, label in possible
        ]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        pages = [
            path(
                f"<int:subscription_id>/{name.replace('_', '-')}/",
                wrap(self.move_view),
                {"name": name},
                name=f"billing_subscription_{name}",
            )
            for name in MOVES
        ]
        return [*pages, *super().get_urls()]

    def find_to_move(self, request: HttpRequest, subscription_id: int) -> Subscription:
        if not self.has_move_permission(request):
            raise PermissionDenied
        found = self.get_queryset(request).filter(pk=subscription_id).first()
        if found is None:
            raise Http404
        return found

    def move_view(self, request: HttpRequest, subscription_id: int, name: str) -> HttpResponse:
        """The question, with the money; confirmed, the move, by which the page of the subscription follows."""
        subscription, move, at = self.find_to_move(request, subscription_id), MOVES[name], timezone.now()

        def ask(_form: forms.Form) -> Question:
            terms = [(subscription, show_credit(subscription, at=at))] if move.gives_back else [(subscription, "")]
            return Question(move.question, move.label, terms)

        def act(_form: forms.Form) -> HttpResponse:
            move.make(subscription.pk, at=at, by=request.user.pk)
            return self.tell_moved(request, subscription, move.label)

        form = forms.Form(request.POST)
        return fill_form(
            self, request, form, title=move.label, ask=ask, act=act, refusals=(MoveRefused,), subject=subscription
        )

    def tell_moved(self, request: HttpRequest, subscription: Subscription, label: Words) -> HttpResponse:
        self.log_change(request, subscription, str(label))
        self.message_user(request, gettext("Done: %(move)s.") % {"move": label}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:billing_subscription_change", args=[subscription.pk]))


def move_each(
    name: str, pages: MovePages, request: HttpRequest, queryset: QuerySet[Subscription]
) -> HttpResponse | None:
    """Ask first, with the money; then move each, and tell which could not be. The history says who did it."""
    move, chosen, at = MOVES[name], queryset.order_by("pk"), timezone.now()
    if "confirmed" not in request.POST:
        rows = [(each, each.account, show_credit(each, at=at) if move.gives_back else "–") for each in chosen]
        return ask_first(pages, request, rows, action=name, question=move.question, title=move.label, verb=move.label)
    for each in chosen:
        try:
            move.make(each.pk, at=at, by=request.user.pk)
        except MoveRefused as error:
            pages.message_user(request, f"{each}: {error}", messages.ERROR)
        else:
            pages.log_change(request, each, str(move.label))
    return None


def show_credit(subscription: Subscription, *, at: datetime) -> str:
    """What of its fees would be given back; a dash where it has no period to end."""
    try:
        preview = switching.preview_cancel(subscription.pk, at=at)
    except MoveRefused:
        return "–"
    return display_money(preview.net_minor, preview.currency)
