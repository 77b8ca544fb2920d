"""What the admin pages of billing share: rows that are only read, and lists of sentences."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class ReadOnly:
    """For an admin or an inline whose rows are written by billing's own functions alone."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def list_sentences(sentences: Iterable[str]) -> SafeString:
    items = format_html_join("", "<li>{}</li>", ((sentence,) for sentence in sentences))
    return format_html('<ul class="sentences">{}</ul>', items) if items else SafeString("–")
