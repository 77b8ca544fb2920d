"""Pages of our own under those of a model: the question before an action, and a form that asks before it acts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

Form = TypeVar("Form", bound=forms.BaseForm)
Words = Any  # text, maybe to be translated when it is shown


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked once the terms are sound, the terms again in words, and the button that says yes."""

    text: Words
    verb: Words
    terms: Sequence[tuple[Words, Words]] = ()
    shown: Any = None  # what else a template of its own shows


class Tools:
    """An admin whose pages of one row link to what can be done with it, beside its history."""

    change_form_template: Any = "admin/billing/change_form.html"

    def list_tools(self, request: HttpRequest, row: Any) -> list[tuple[str, Words]]:
        """Addresses with their words, for this person and this row."""
        return []

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = context.get("original")
        context["tools"] = self.list_tools(request, row) if row else []
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc, no-any-return]


def render_page(
    model_admin: Any, request: HttpRequest, template: str, *, title: Words, subject: Any = None, **context: Any
) -> TemplateResponse:
    """A template that extends `admin/page.html`; `subject` is the row it is about, and stands in its breadcrumbs."""
    context |= model_admin.admin_site.each_context(request)
    context |= {"title": title, "opts": model_admin.opts, "subject": subject}
    return TemplateResponse(request, template, context)


def ask_first(
    model_admin: Any,
    request: HttpRequest,
    rows: Iterable[tuple[Any, Any, str]],
    *,
    action: str,
    question: Words,
    title: Words = None,
    verb: Words = None,
    template: str = "admin/confirm.html",
    **context: Any,
) -> TemplateResponse:
    """Before an action on rows, each with its account and an amount. Yes sends the same once more, and `confirmed`."""
    rows = list(rows)
    return render_page(
        model_admin,
        request,
        template,
        title=title or capfirst(str(model_admin.opts.verbose_name_plural)),
        rows=rows,
        chosen=[row.pk for row, *_rest in rows],
        question=question,
        action=action,
        verb=verb or _("Yes"),
        checkbox_name=ACTION_CHECKBOX_NAME,
        **context,
    )


def fill_form(
    model_admin: Any,
    request: HttpRequest,
    form: Form,
    *,
    title: Words,
    ask: Callable[[Form], Question],
    act: Callable[[Form], HttpResponse],
    refusals: tuple[type[Exception], ...] = (),
    subject: Any = None,
    template: str = "admin/asked_form.html",
    **context: Any,
) -> HttpResponse:
    """The terms; then, when they are sound, the question; then the deed. A refusal is told above the terms."""
    question = None
    if form.is_bound and form.is_valid() and "change" not in request.POST:
        try:
            if "confirmed" in request.POST:
                return act(form)
            question = ask(form)
        except refusals as error:
            form.add_error(None, str(error))
    return render_page(
        model_admin, request, template, title=title, subject=subject, form=form, question=question, **context
    )
