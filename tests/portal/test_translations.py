"""Every string of ours has its French, and what is served is what was translated."""

import re

import polib
import pytest
from django.conf import settings

FOLDER = settings.BASE_DIR / "locale" / "fr" / "LC_MESSAGES"
ENTRIES = [entry for entry in polib.pofile(str(FOLDER / "django.po"), wrapwidth=0) if not entry.obsolete]
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]")


def say(entry: polib.POEntry) -> set[str]:
    return {entry.msgstr} if not entry.msgid_plural else set(entry.msgstr_plural.values())


def test_every_string_is_translated_and_none_is_a_guess():
    unfinished = [entry.msgid for entry in ENTRIES if entry.fuzzy or not entry.translated()]
    assert unfinished == []


def test_a_translation_keeps_the_blanks_that_are_filled_in():
    def blanks(text: str) -> set[str]:
        return {*PLACEHOLDER.findall(text)}

    def pairs(entry: polib.POEntry) -> list[tuple[str, str]]:
        if not entry.msgid_plural:
            return [(entry.msgid, entry.msgstr)]
        return [(entry.msgid_plural if index else entry.msgid, text) for index, text in entry.msgstr_plural.items()]

    wrong = [entry.msgid for entry in ENTRIES if any(blanks(left) != blanks(right) for left, right in pairs(entry))]
    assert wrong == []


def test_the_compiled_catalogue_is_that_of_the_text():
    compiled = {(entry.msgctxt, entry.msgid): say(entry) for entry in polib.mofile(str(FOLDER / "django.mo"))}
    assert compiled == {(entry.msgctxt, entry.msgid): say(entry) for entry in ENTRIES}


@pytest.mark.parametrize("folder", ["account", "portal"])
def test_every_string_of_the_screens_is_in_the_catalogue(folder):
    """portal/README.md says how strings are collected."""
    known = {entry.msgid for entry in ENTRIES}
    found = {
        text
        for path in (settings.BASE_DIR / "templates" / folder).rglob("*.html")
        for _quote, text in re.findall(r"{% trans(?:late)? ([\"'])(.*?)\1", path.read_text())
    }
    assert {text.replace("%", "%%") for text in found} - known == set()
