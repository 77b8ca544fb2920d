import pytest

from billing.papers.fonts import (
    BREAK,
    MAIN,
    SHIPPED,
    make_printable,
    make_visible,
    read_all_characters,
    read_characters,
)


@pytest.mark.parametrize(
    ("file", "has", "has_not"),
    [
        ("Inter-Regular.ttf", "AzéŁΩЖ€₹−–□→", "אعش株😀\N{REPLACEMENT CHARACTER}"),
        ("Inter-SemiBold.ttf", "AzéŁΩЖ€₹−–□→", "אع株😀"),
        ("NotoSansArabic-Regular.ttf", "عربية؟", "א株"),
        ("NotoSansHebrew-Regular.ttf", "אבגש", "ع株"),
    ],
)
def test_a_font_says_which_characters_it_has(file, has, has_not):
    characters = read_characters(SHIPPED / file)
    assert [each for each in has if ord(each) not in characters] == []
    assert [each for each in has_not if ord(each) in characters] == []


def test_all_fonts_together_have_what_any_has():
    assert set(map(ord, "Aאع")) < read_all_characters()
    assert read_characters(MAIN) < read_all_characters()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – 1 234,56 €", "plain – 1 234,56 €"),
        ("a\u202eb\u202c\u2066c\u2069\u200e\u061cd\ufeff\u00ad", "abcd"),
        ("n\u200cx\u200dy", "n\u200cx\u200dy"),
        ("a\tb\rc\r\nd\u2028e", "a b c\nd\ne"),
        ("\x00\x07\x9f\ue000\ufffe\udcff", "□□□□□□"),
    ],
)
def test_what_directs_the_display_is_left_out_and_what_is_no_text_is_missing(text, shown):
    assert make_visible(text) == shown


def test_what_no_font_has_is_missing():
    assert make_printable("a株b\nc", frozenset(map(ord, "abc"))) == "a□b\nc"


def test_long_words_may_be_broken_and_others_not():
    known = frozenset(map(ord, "xy "))
    assert make_printable("x" * 28 + " y", known) == "x" * 28 + " y"
    assert make_printable("x" * 29, known) == f"{'x' * 14}{BREAK}{'x' * 14}{BREAK}x"
