"""How the list of leads is narrowed. Left alone it shows what is open: the calls to make."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.access import identify
from crm.models import IS_OPEN, Lead, Stage

EVERY_STAGE = "every"


class StageFilter(SimpleListFilter):
    """Open leads unless a stage, or every one, is asked for."""

    title = _("stage")
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(EVERY_STAGE, _("open and closed")), *((stage.value, stage.label) for stage in Stage)]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for number, choice in enumerate(super().choices(changelist)):
            yield choice if number else {**choice, "display": _("open")}

    def queryset(self, request: HttpRequest | None, queryset: QuerySet[Lead]) -> QuerySet[Lead]:
        if self.value() is None:
            return queryset.filter(IS_OPEN)
        return queryset if self.value() == EVERY_STAGE else queryset.filter(stage=self.value())


class WhoseFilter(SimpleListFilter):
    """Whose call it is."""

    title = _("whose")
    parameter_name = "whose"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.user_id = identify(request.user)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("mine", _("mine")), ("queue", _("in the queue"))]

    def queryset(self, request: HttpRequest | None, queryset: QuerySet[Lead]) -> QuerySet[Lead]:
        if self.value() == "mine":
            return queryset.filter(rep__user_id=self.user_id)
        return queryset.filter(rep__isnull=True) if self.value() == "queue" else queryset


class SeverityFilter(SimpleListFilter):
    """How far along the limit the account is."""

    title = _("severity")
    parameter_name = "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("reached", _("limit reached")), ("close", _("close to the limit"))]

    def queryset(self, request: HttpRequest | None, queryset: QuerySet[Lead]) -> QuerySet[Lead]:
        if self.value() == "reached":
            return queryset.filter(severity__gte=100)
        return queryset.filter(severity__lt=100) if self.value() == "close" else queryset
