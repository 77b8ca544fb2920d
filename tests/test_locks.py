import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAME = re.compile(r"^([A-Za-z0-9._-]+)")


def read_names(path: Path) -> set[str]:
    """The packages that a requirements file names itself, spelled as the index spells them."""
    lines = (line for line in path.read_text().splitlines() if not line.startswith((" ", "#", "-")))
    return {re.sub(r"[-_.]+", "-", match[1]).lower() for match in map(NAME.match, lines) if match}


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-uv"])
def test_every_wanted_package_is_locked_with_hashes(name: str):
    lock = ROOT / f"{name}.txt"
    assert read_names(ROOT / f"{name}.in") <= read_names(lock)
    pins = re.findall(r"^[A-Za-z0-9._-]+==\S+", lock.read_text(), re.MULTILINE)
    pinned = re.findall(r"^[A-Za-z0-9._-]+==.* \\\n    --hash=sha256:", lock.read_text(), re.MULTILINE)
    assert len(pins) == len(pinned) > 0


def test_development_holds_every_pin_of_production():
    pins = [set(re.findall(r"^[\w.-]+==[^\s\\;]+", (ROOT / name).read_text(), re.MULTILINE)) for name in (
        "requirements.txt", "requirements-dev.txt"
    )]  # fmt: skip
    assert pins[0] <= pins[1]
