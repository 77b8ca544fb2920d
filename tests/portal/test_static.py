"""What we serve of others is what they published, and our pages obey the strict content security policy."""

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings

STATIC = settings.BASE_DIR / "static"
VENDOR = STATIC / "vendor"
TEMPLATES = list((settings.BASE_DIR / "templates").rglob("*.html"))


def read_sums() -> dict[str, str]:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_every_vendored_file_has_the_sum_on_record():
    files = [path for path in VENDOR.rglob("*") if path.is_file() and path.parent != VENDOR]
    sums = {str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert sums == read_sums()


def test_every_vendored_folder_has_its_licence():
    assert all(list(folder.glob("LICENSE*")) for folder in VENDOR.iterdir() if folder.is_dir())


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_no_template_has_inline_style_or_script(template: Path):
    text = template.read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", text))


@pytest.mark.parametrize("sheet", list(STATIC.rglob("*.css")), ids=lambda path: path.name)
def test_no_stylesheet_reaches_out(sheet: Path):
    assert not re.search(r"@import|url\((?![\"']?data:)[^)]*//", sheet.read_text())
