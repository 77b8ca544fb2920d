"""Property paths: `bytes`, `response.size`, `headers."content-length"` lead into an event's data. No Django here."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

Path = tuple[str, ...]

MAX_LENGTH = 500  # characters
MAX_SEGMENTS = 32  # as deep as an event's data may be

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
SEGMENT = rf'{NAME}|"(?:[^"\\\x00-\x1f]|\\["\\])+"'
PATH = rf"(?:{SEGMENT})(?:\.(?:{SEGMENT}))*"

IS_NAME = re.compile(NAME).fullmatch
IS_PATH = re.compile(PATH).fullmatch
find_segments = re.compile(SEGMENT).findall


class Missing:
    """Stands for a property that is not there; null is there."""


MISSING: Final = Missing()


class InvalidPath(ValueError):
    """The text is no property path; the message says what one looks like."""


def parse_path(text: str) -> Path:
    """The names from the outermost to the innermost. Raises InvalidPath."""
    stripped = text.strip()
    if len(stripped) > MAX_LENGTH:
        raise InvalidPath(f"A property path may have at most {MAX_LENGTH} characters.")
    if not IS_PATH(stripped):
        raise InvalidPath(f'{text!r} is no property path; write bytes, response.size or headers."content-length".')
    path = tuple(read_segment(segment) for segment in find_segments(stripped))
    if len(path) > MAX_SEGMENTS:
        raise InvalidPath(f"A property path may have at most {MAX_SEGMENTS} names.")
    return path


def read_segment(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def write_path(path: Iterable[str]) -> str:
    """The text that parse_path reads as this path: names that are not plain are put in double quotes."""
    return ".".join(name if IS_NAME(name) else quote_name(name) for name in path)


def quote_name(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def compile_reader(path: Path) -> Callable[[dict[str, Any]], Any]:
    """A function from an event's data to what lies there, or MISSING."""
    if len(path) == 1:
        [name] = path
        return lambda properties: properties.get(name, MISSING)

    def read(properties: dict[str, Any]) -> Any:
        found: Any = properties
        for segment in path:
            if type(found) is not dict:
                return MISSING
            found = found.get(segment, MISSING)
        return found

    return read
