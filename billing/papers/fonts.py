"""Which characters a document can show: those that one of its fonts has. Fonts are never taken from the system.

Four are shipped, for Latin, Greek, Cyrillic, Arabic and Hebrew; settings.BILLING_FONT_DIRS names folders with more.
"""

import struct
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.conf import settings

SHIPPED = Path(__file__).parent / "fonts"
MAIN = SHIPPED / "Inter-Regular.ttf"
FONT_FILES = (".ttf", ".otf", ".ttc", ".otc")
MISSING = "\N{WHITE SQUARE}"
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
LONGEST_WORD = 28  # what is longer may be broken anywhere: nothing runs out of its cell
BREAK = "\N{ZERO WIDTH SPACE}"


def list_font_dirs() -> list[Path]:
    return [SHIPPED, *map(Path, settings.BILLING_FONT_DIRS)]


@cache
def read_all_characters() -> frozenset[int]:
    """Every code point that some font has. Read once in a process."""
    files = [path for folder in list_font_dirs() for path in sorted(folder.rglob("*")) if is_font(path)]
    return frozenset().union(*(read_characters(path) for path in files))


def is_font(path: Path) -> bool:
    return path.suffix.lower() in FONT_FILES


@cache
def read_characters(path: Path) -> frozenset[int]:
    """The code points that a font file has glyphs for, by the `cmap` tables (formats 4 and 12) of OpenType 1.9."""
    data = path.read_bytes()
    offsets = struct.unpack_from(f">{struct.unpack_from('>I', data, 8)[0]}I", data, 12) if data[:4] == b"ttcf" else (0,)
    return frozenset(code for offset in offsets for code in read_cmap(data, offset))


def read_cmap(data: bytes, font: int) -> Iterator[int]:
    """Of its subtables those of format 12, which has all that format 4 has and more; without one, of format 4."""
    subtables = list(find_subtables(data, font))
    groups = [start for start in subtables if read_format(data, start) == 12]
    for start in groups:
        yield from read_groups(data, start)
    if not groups:
        for start in subtables:
            if read_format(data, start) == 4:
                yield from read_segments(data, start)


def find_subtables(data: bytes, font: int) -> Iterator[int]:
    for table in range(struct.unpack_from(">H", data, font + 4)[0]):
        tag, _checksum, start, _length = struct.unpack_from(">4s3I", data, font + 12 + 16 * table)
        if tag == b"cmap":
            for number in range(struct.unpack_from(">H", data, start + 2)[0]):
                yield start + struct.unpack_from(">I", data, start + 8 + 8 * number)[0]


def read_format(data: bytes, start: int) -> int:
    found: int = struct.unpack_from(">H", data, start)[0]
    return found


def read_groups(data: bytes, start: int) -> Iterator[int]:
    for group in range(struct.unpack_from(">I", data, start + 12)[0]):
        first, last, glyph = struct.unpack_from(">3I", data, start + 16 + 12 * group)
        yield from range(first + (glyph == 0), last + 1)


def read_segments(data: bytes, start: int) -> Iterator[int]:
    size = struct.unpack_from(">H", data, start + 6)[0]  # of each of four arrays, in bytes
    ends, firsts, deltas, offsets = (start + 14, start + 16 + size, start + 16 + 2 * size, start + 16 + 3 * size)
    for place in range(0, size, 2):
        last, first, delta, offset = (
            struct.unpack_from(">H", data, array + place)[0] for array in (ends, firsts, deltas, offsets)
        )
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = code
            if offset:
                glyph = struct.unpack_from(">H", data, offsets + place + offset + 2 * (code - first))[0]
            if (glyph + delta) % 0x10000 and (glyph or not offset):
                yield code


def make_visible(text: str) -> str:
    """The text without what only directs its display: controls of writing direction would reorder what stands beside.

    A tab is a space, a carriage return too; any other control is shown as missing.
    """
    return "".join(map(show_control, text.replace("\r\n", "\n")))


def show_control(character: str) -> str:
    match unicodedata.category(character):
        case "Cf":
            return character if character in JOINERS else ""
        case "Cc" if character == "\n":
            return character
        case "Cc" if character.isspace():
            return " "
        case "Cc" | "Cs" | "Co" | "Cn":
            return MISSING
        case "Zl" | "Zp":
            return "\n"
        case _other:
            return character


def make_printable(text: str, characters: frozenset[int]) -> str:
    """A visible text with a square for each character that no font has, and places to break its longest words."""
    known = "".join(each if ord(each) in characters or each in "\n" + JOINERS else MISSING for each in text)
    return "\n".join(" ".join(map(break_word, line.split(" "))) for line in known.split("\n"))


def break_word(word: str) -> str:
    if len(word) <= LONGEST_WORD:
        return word
    return BREAK.join(word[place : place + LONGEST_WORD // 2] for place in range(0, len(word), LONGEST_WORD // 2))
