"""A paper as its page shows it: each cell beside its column, and nothing that would turn the reading direction."""

from dataclasses import asdict
from typing import Any

from billing.papers.fonts import make_visible
from billing.papers.paper import Paper
from billing.papers.rendering import map_texts


def make_page(paper: Paper) -> dict[str, Any]:
    """What the template shows: it neither computes nor looks anything up."""
    words: dict[str, Any] = map_texts({**asdict(paper), "attachment": None, "dated_at": None}, make_visible)
    for section in words["sections"]:
        for group in section["groups"]:
            for row in group["rows"]:
                row["cells"] = [
                    {
                        "text": text,
                        "is_number": column["is_number"],
                        "is_described": number == section["described"],
                        "notes": row["notes"] if number == section["described"] else [],
                    }
                    for number, (text, column) in enumerate(zip(row["cells"], section["columns"], strict=True))
                ]
    return words
