"""How the list of leads is narrowed. Left alone it shows what is open: the calls to make."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.access import identify
from crm.kinds import KINDS
from crm.models import IS_OPEN, Lead, Priority, Signal, Stage

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


class PriorityFilter(SimpleListFilter):
    """How soon it wants a call."""

    title = _("priority")
    parameter_name = "priority"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(priority.name.lower(), priority.label) for priority in reversed(Priority)]

    def queryset(self, request: HttpRequest | None, queryset: QuerySet[Lead]) -> QuerySet[Lead]:
        known = {priority.name.lower(): priority for priority in Priority}
        priority = known.get(self.value() or "")
        return queryset if priority is None else queryset.filter(priority=priority)


class KindFilter(SimpleListFilter):
    """What any of its signals is about."""

    title = _("kind")
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(KINDS.items())

    def queryset(self, request: HttpRequest | None, queryset: QuerySet[Lead]) -> QuerySet[Lead]:
        if self.value() is None:
            return queryset
        signals = Signal.objects.filter(lead=OuterRef("pk"), is_cooled=False, alert__kind=self.value())
        return queryset.filter(Exists(signals))


class LevelFilter(SimpleListFilter):
    """How far along its limit the account has come."""

    title = _("limit")
    parameter_name = "limit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("reached", _("limit reached")), ("close", _("close to the limit"))]

    def queryset(self, request: HttpRequest | None, queryset: QuerySet[Lead]) -> QuerySet[Lead]:
        if self.value() == "reached":
            return queryset.filter(level__gte=100)
        return queryset.filter(level__lt=100) if self.value() == "close" else queryset
