import hashlib
import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typst import TypstError

from billing.papers import fonts, rendering
from billing.papers.copies import seal
from billing.papers.paper import Attachment, Column, Field, Group, Paper, Row, Section, Sum
from billing.papers.rendering import RenderingBusy, find_fingerprint, render_pdf
from tests.billing.papers.makers import open_pdf, read_text

COPY = seal({"format": "palier.invoice/1", "number": "2026-000042", "lines": [{"description": "Été № 1 – 株式会社"}]})
ROWS = tuple(Row((str(number), f"Line {number}", "€1.00"), ("why it costs so",)) for number in range(1, 4))
PAPER = Paper(
    heading="Invoice",
    title="Invoice 2026-000042",
    name="invoice-2026-000042",
    language="fr",
    dated_at=datetime(2026, 2, 1, 0, 5, 7, 999, tzinfo=UTC),
    seller=Field("Vendor & Co", "1 High Street\nTown"),
    for_words="Billed to",
    customer=Field("Acme SA", "1 rue Haute\nParis"),
    headline=Field("To be paid by 15 February 2026", "€3.00"),
    facts=(Field("Number", "2026-000042"),),
    sections=(
        Section(
            title="",
            columns=(Column("No."), Column("Description"), Column("Amount", is_number=True)),
            groups=(Group(ROWS[:2], "Fees"), Group(ROWS[2:], "Usage")),
            sums=(Sum("Total", "€3.00", is_strong=True),),
            summary="Lines",
        ),
    ),
    notes=(Field("Payment", "Within 14 days."),),
    foot="Vendor & Co · Invoice 2026-000042",
    page_words="Page {page} of {pages}",
    attachment=Attachment("invoice-2026-000042.json", "The same for programs", COPY),
)
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
HOSTILE = [
    '#read("/etc/passwd")',
    '#import "@preview/evil:1.0.0": *',
    "$x^2$ *bold* _it_ `raw` = head",
    "<script>alert(1)</script> <label> @ref",
    r"\u{41} \ // no /* comment */ ]] )) }} #{",
    "-- --- ... \"quoted\" 'it' ~",
    "{page} {pages} %(number)s {{ paper }} {% now %}",
    "fi ffl office",
]


def name(text: str) -> Paper:
    return replace(PAPER, customer=Field(text, ""))


def list_types(element) -> list[str]:
    """The types of all elements of a structure tree, from the top down."""
    found = [element["/S"]] if "/S" in element else []
    kids = element.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        kid = kid.get_object()
        if hasattr(kid, "get") and "/K" in kid:
            found += list_types(kid)
    return found


def test_everything_of_the_paper_is_on_the_page():
    assert read_text(render_pdf(PAPER)) == (
        "Vendor & Co 1 High Street Town Invoice Billed to Acme SA 1 rue Haute Paris Number 2026-000042 "
        "To be paid by 15 February 2026 €3.00 No. Description Amount Fees 1 Line 1 why it costs so €1.00 "
        "2 Line 2 why it costs so €1.00 Usage 3 Line 3 why it costs so €1.00 Total €3.00 Payment Within 14 days. "
        "Vendor & Co · Invoice 2026-000042 Page 1 of 1"
    )


def test_the_same_paper_is_the_same_bytes_each_time_and_another_is_not():
    first = render_pdf(PAPER)
    render_pdf(name("Somebody else"))
    assert render_pdf(PAPER) == first
    assert render_pdf(name("Somebody else")) != first


def test_the_same_paper_is_the_same_bytes_in_another_process(tmp_path):
    code = (
        "import sys, hashlib, django; django.setup()\n"
        "from tests.billing.papers.test_rendering import PAPER\n"
        "from billing.papers.rendering import render_pdf\n"
        "print(hashlib.sha256(render_pdf(PAPER)).hexdigest())"
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PALIER_TEST_DIR": str(tmp_path),
        "TZ": "Asia/Tokyo",
    }
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == hashlib.sha256(render_pdf(PAPER)).hexdigest()


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_set_as_it_is_and_never_read_as_a_program(text):
    assert f"Billed to {text} Number" in read_text(render_pdf(name(text)))


@pytest.mark.parametrize("text", HOSTILE)
def test_so_it_is_wherever_it_stands(text):
    row = Row((text, text, text), (text,))
    section = replace(PAPER.sections[0], title=text, groups=(Group((row,), text),), sums=(Sum(text, text),))
    paper = replace(
        PAPER, title=text, heading=text, seller=Field(text, text), facts=(Field(text, text),),
        headline=Field(text, text), sections=(section,), notes=(Field(text, text),), foot=text,
    )  # fmt: skip
    content = render_pdf(paper)
    assert read_text(content).count(text) >= 14
    assert open_pdf(content).metadata.title == text


def test_a_text_cannot_turn_the_direction_of_what_stands_beside_it():
    assert "Billed to abc Number" in read_text(render_pdf(name("a\u202eb\u2066c\u200f")))


def test_what_no_font_has_is_a_square_and_the_paper_says_so():
    text = read_text(render_pdf(name("株式会社 ok 😀")))
    assert "Billed to □□□□ ok □ Number" in text
    assert "□ remplace un caractère dont ce document n’a pas la lettre." in text
    assert "□" not in read_text(render_pdf(PAPER))


@pytest.mark.parametrize(
    "text", ["Ελληνικά", "Кириллица", "Łódź Ğş ơ", "עברית", "العربية", "e\u0301", "a\u064b\u05b0", "\u0301start", "₹₺₩"]
)
def test_other_scripts_of_the_shipped_fonts_are_set(text):
    content = render_pdf(name(text))
    assert "□" not in read_text(content)


@pytest.mark.parametrize("text", ["\x07", "a\x00b", "\ue000", "\ufffe", "\udcff", "\U0010ffff", "\x85", "\u200b", ""])
def test_what_is_no_text_breaks_no_paper(text):
    assert "Billed to" in read_text(render_pdf(name(f"x{text}y")))


MARK = "\u06f8\U0001f600\u0657"  # the square for it under an Arabic mark: no font has both


def test_a_letter_and_its_mark_of_two_fonts_are_set_in_one():
    with pytest.raises(TypstError, match="could not be displayed"):
        rendering.compile_paper(name(MARK), fonts.read_all_characters())
    assert "Billed to □□□ Number" in read_text(render_pdf(name(MARK)))


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_no_text_makes_a_paper_fail(text):
    assert render_pdf(replace(name(text), title=text or "x", notes=(Field(text, text),))).startswith(b"%PDF-1.7")


def test_a_row_that_explains_more_than_a_page_holds_goes_on_over_pages():
    row = Row(("1", "Line", "€1.00"), tuple(f"reason {number};" for number in range(300)))
    content = render_pdf(replace(PAPER, sections=(replace(PAPER.sections[0], groups=(Group((row,)),)),)))
    assert len(open_pdf(content).pages) > 3
    assert all(f"reason {number};" in read_text(content) for number in (0, 150, 299))


def test_the_longest_word_stays_within_its_column():
    word = "W" * 200
    section = replace(PAPER.sections[0], groups=(Group((Row(("1", word, "€1.00"), (word,)),)),))
    content = render_pdf(replace(name(word), sections=(section,)))
    assert read_text(content).replace(" ", "").count(word) == 3
    ends: list[float] = []
    for page in open_pdf(content).pages:
        page.extract_text(
            visitor_text=lambda text, _cm, tm, _font, size: (
                ends.append(tm[4] + 0.9 * tm[0] * len(text.strip()))
                if text.strip() == "W" * len(text.strip())
                else None
            )
        )
    assert ends
    assert max(ends) < 595  # the width of the page in points; unbroken it would end far outside


def test_it_declares_its_language_its_title_and_its_day():
    pdf = open_pdf(render_pdf(PAPER))
    assert pdf.trailer["/Root"]["/Lang"] == "fr"
    assert pdf.trailer["/Root"]["/ViewerPreferences"]["/DisplayDocTitle"]
    assert (pdf.metadata.title, pdf.metadata.author) == ("Invoice 2026-000042", "Vendor & Co")
    assert pdf.metadata.creation_date == datetime(2026, 2, 1, 0, 5, 7, tzinfo=UTC)


def test_it_is_tagged_with_headings_and_tables_whose_head_is_one():
    root = open_pdf(render_pdf(PAPER)).trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    types = list_types(root["/StructTreeRoot"])
    assert types[0] == "/Document"
    assert types.count("/H1") == 1
    assert (types.count("/Table"), types.count("/THead"), types.count("/TH")) == (1, 1, 3 + 2)
    assert types.count("/TR") == 1 + 2 + 3


def test_it_says_that_it_is_pdf_ua_1_and_pdf_a_3a():
    metadata = open_pdf(render_pdf(PAPER)).trailer["/Root"]["/Metadata"].get_data()
    tree = ElementTree.fromstring(metadata)  # noqa: S314 - of our own making
    said = {
        name: [element.text for element in tree.iterfind(f".//{name}", NAMESPACES)]
        for name in ("pdfaid:part", "pdfaid:conformance", "pdfuaid:part", "xmp:CreateDate")
    }
    assert said == {
        "pdfaid:part": ["3"],
        "pdfaid:conformance": ["A"],
        "pdfuaid:part": ["1"],
        "xmp:CreateDate": ["2026-02-01T00:05:07+00:00"],
    }
    title = tree.find(".//dc:title/rdf:Alt/rdf:li", NAMESPACES)
    assert title is not None
    assert title.text == "Invoice 2026-000042"


def test_its_fonts_are_inside_and_cut_down_to_what_it_needs():
    pdf = open_pdf(render_pdf(PAPER))
    fonts = [font.get_object() for page in pdf.pages for font in page["/Resources"]["/Font"].values()]
    assert fonts
    assert all("+Inter-" in font["/BaseFont"] for font in fonts)
    assert all("/ToUnicode" in font for font in fonts)
    assert len(render_pdf(PAPER)) < 60_000


def test_the_copy_is_inside_to_the_letter_as_another_form_of_the_same():
    pdf = open_pdf(render_pdf(PAPER))
    assert {name: list(files) for name, files in pdf.attachments.items()} == {
        "invoice-2026-000042.json": [COPY.encode()]
    }
    [association] = pdf.trailer["/Root"]["/AF"]
    assert association.get_object()["/AFRelationship"] == "/Alternative"


def test_the_copy_proves_that_it_was_not_touched():
    copy = json.loads(COPY)
    said = copy.pop("sha256")
    written = json.dumps(copy, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert said == hashlib.sha256(written.encode()).hexdigest()
    copy["number"] = "2026-000043"
    assert seal(copy) != COPY


def test_a_fingerprint_is_of_all_that_is_on_the_paper_and_in_it():
    assert PAPER.attachment is not None
    others = [
        name("Somebody else"),
        replace(PAPER, dated_at=datetime(2026, 2, 2, tzinfo=UTC)),
        replace(PAPER, attachment=replace(PAPER.attachment, text="{}")),
        replace(PAPER, language="en"),
    ]
    assert len({find_fingerprint(paper) for paper in [PAPER, *others]}) == 5
    assert find_fingerprint(replace(PAPER)) == find_fingerprint(PAPER)


def test_many_threads_get_each_their_own_paper():
    papers = [name(f"Customer {number}") for number in range(8)]
    made: dict[int, str] = {}

    def render(number: int) -> None:
        made[number] = read_text(render_pdf(papers[number]))

    threads = [threading.Thread(target=render, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"Customer {number} " in made[number] for number in range(8))
    assert len(made) == 8


def test_the_compiler_cannot_be_used_by_two_threads_at_once():
    """Why there is a turn to wait for: without it one of them fails."""
    rows = tuple(Row((str(number), "x", "y")) for number in range(800))
    papers = [
        replace(name(str(each)), sections=(replace(PAPER.sections[0], groups=(Group(rows),)),)) for each in (1, 2)
    ]
    failures: list[str] = []

    def compile_at_once(paper: Paper) -> None:
        try:
            rendering.compile_paper(paper, rendering.read_all_characters())
        except RuntimeError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=compile_at_once, args=[paper]) for paper in papers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == ["Already borrowed"]


def test_who_waits_too_long_is_told(monkeypatch):
    monkeypatch.setattr(rendering, "PATIENCE_SECONDS", 0.01)
    with rendering.turn, pytest.raises(RenderingBusy):
        render_pdf(PAPER)
    assert render_pdf(PAPER)


@pytest.fixture
def no_hebrew(tmp_path, monkeypatch):
    """What is shipped without its Hebrew, which lies in the folder that this returns; nothing is remembered."""
    latin, hebrew = tmp_path / "latin", tmp_path / "hebrew"
    shutil.copytree(fonts.SHIPPED, latin)
    hebrew.mkdir()
    shutil.move(latin / "NotoSansHebrew-Regular.ttf", hebrew)
    monkeypatch.setattr(fonts, "SHIPPED", latin)
    forget()
    yield hebrew
    forget()


def forget() -> None:
    for remembers in (
        fonts.read_all_characters, rendering.find_compiler, rendering.load_fonts, rendering.list_families,
        rendering.read_ground,
    ):  # fmt: skip
        remembers.cache_clear()


def test_a_folder_of_more_fonts_lets_more_scripts_be_set(settings, no_hebrew):
    assert "Billed to □□□□□ Number" in read_text(render_pdf(name("עברית")))
    before = find_fingerprint(PAPER)
    settings.BILLING_FONT_DIRS = [str(no_hebrew)]
    forget()
    assert "Billed to עברית Number" in read_text(render_pdf(name("עברית")))
    assert find_fingerprint(PAPER) != before
