"""What the admin pages of billing share: rows that are only read, sentences, and decimals."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from billing.rating import trim


class ReadOnly:
    """For an admin or an inline whose rows are written by billing's own functions alone."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def list_sentences(sentences: Iterable[str]) -> SafeString:
    """One line each."""
    return format_html_join(SafeString("<br>"), "{}", ((sentence,) for sentence in sentences)) or SafeString("–")


def show_moment(moment: datetime) -> str:
    """In the reader's language, on the clocks of the back-office, which say so."""
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT") + f" {timezone.get_current_timezone_name()}"


def show_day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


def name_maker(row: Any) -> str:
    """Who made it, in brackets; nothing where nobody did."""
    return f" ({row.made_by})" if row.made_by else ""


class NamedBlankFilter(admin.AllValuesFieldListFilter):
    """Every value; the empty one by a dash, not by nothing that could not be clicked."""

    def choices(self, changelist: Any) -> Any:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "–"}


class PlainDecimalField(forms.DecimalField):
    """Shows 0.00000000009 where Django shows 9.0E-11, and no trailing zeros."""

    def prepare_value(self, value: Any) -> Any:
        return f"{trim(value):f}" if isinstance(value, Decimal) and value.is_finite() else value


class AmountField(PlainDecimalField):
    """The same of what is never below zero."""

    def __init__(self, **terms: Any) -> None:
        super().__init__(min_value=0, **terms)
