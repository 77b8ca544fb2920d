"""From a paper to the bytes of a PDF: tagged (PDF/UA-1), for the archive (PDF/A-3a), and the same bytes each time.

typst gets the words as data beside a program that is fixed, so that no text can be code; it reads no file but the
program and the fonts, and no clock.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typst
from django.utils import translation
from django.utils.translation import gettext as _

from billing.papers.fonts import (
    MAIN,
    MISSING,
    is_font,
    list_font_dirs,
    make_printable,
    make_visible,
    read_all_characters,
    read_characters,
)
from billing.papers.paper import Paper

PROGRAM = Path(__file__).parent / "paper.typ"
STANDARDS: list[Any] = ["ua-1", "a-3a"]
PATIENCE_SECONDS = 10.0

turn = threading.Lock()


class RenderingBusy(RuntimeError):
    """Others are being set in this process, one after another, and it took too long to get there."""


class RenderingFailed(RuntimeError):
    """typst refused the document: a mistake in our program, for no text may make it fail."""


def render_pdf(paper: Paper) -> bytes:
    """The document; the same paper gives the same bytes, in any process. Raises RenderingBusy, RenderingFailed.

    Where a character and its mark come from two fonts, which cannot be set, it is set anew in the main font alone.
    """
    if not turn.acquire(timeout=PATIENCE_SECONDS):
        raise RenderingBusy("Too many documents are being made.")
    try:
        try:
            return compile_paper(paper, read_all_characters())
        except typst.TypstError:
            return compile_paper(paper, read_characters(MAIN))
    except typst.TypstError as error:
        raise RenderingFailed(f"{paper.title}: {error}") from error
    finally:
        turn.release()


def compile_paper(paper: Paper, characters: frozenset[int]) -> bytes:
    made = find_compiler().compile(
        format="pdf",
        sys_inputs={
            "paper": write_words(paper, characters),
            "fonts": json.dumps(list_families()),
            "copy": paper.attachment.text if paper.attachment else "",
        },
        pdf_standards=STANDARDS,
        timestamp=paper.dated_at.astimezone(UTC).replace(microsecond=0),
    )
    if not isinstance(made, bytes):
        raise RenderingFailed(f"{paper.title}: no document came of it")
    return made


@cache
def find_compiler() -> typst.Compiler:
    """One for as long as the process lives: what it has read and laid out before it need not read again."""
    return typst.Compiler(PROGRAM, root=PROGRAM.parent, font_paths=load_fonts(), ignore_system_fonts=True)


@cache
def load_fonts() -> typst.Fonts:
    paths = [str(folder) for folder in list_font_dirs()]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=paths)


@cache
def list_families() -> list[str]:
    """The main one first: the others are asked in turn for what it has not."""
    families = load_fonts().families()
    return sorted(families, key=lambda name: (name != "Inter", not name.startswith("Noto Sans"), name))


def write_words(paper: Paper, characters: frozenset[int]) -> str:
    """What the program sets, as JSON."""
    words = asdict(paper)
    del words["dated_at"], words["name"]
    is_complete = True

    def print_text(text: str) -> str:
        nonlocal is_complete
        visible = make_visible(text)
        printed = make_printable(visible, characters)
        is_complete &= printed.count(MISSING) == text.count(MISSING)
        return printed

    if paper.attachment:
        words["attachment"]["text"] = ""
    words = map_texts(words, print_text)
    if not is_complete:
        words["notes"].append({"label": "", "value": name_missing(paper.language)})
    return json.dumps(words, sort_keys=True)


def name_missing(language: str) -> str:
    with translation.override(language):
        return _("%(square)s stands for a character that this document has no letter for.") % {"square": MISSING}


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case Mapping():
            return {key: map_texts(each, change) for key, each in value.items()}
        case Sequence():
            return [map_texts(each, change) for each in value]
        case _other:
            return value


def find_fingerprint(paper: Paper) -> str:
    """Two papers of the same fingerprint are the same bytes: it is of all that goes in, and costs no setting."""
    digest = hashlib.sha256(read_ground())
    digest.update(json.dumps(asdict(paper), sort_keys=True, default=str).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@cache
def read_ground() -> bytes:
    """The digest of what every document is made with."""
    digest = hashlib.sha256(version("typst").encode() + PROGRAM.read_bytes())
    for folder in list_font_dirs():
        for path in sorted(folder.rglob("*")):
            if is_font(path):
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()
