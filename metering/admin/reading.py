"""Rows that are read and never edited by hand."""

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """For an admin or an inline: what is here was counted or recorded, and stands."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
