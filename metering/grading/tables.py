"""Columns of text that line up, as a terminal shows them."""

from collections.abc import Iterable, Iterator, Sequence

GAP = "  "


def draw_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1) -> Iterator[str]:
    """A line for the heads and each row; the first `texts` columns begin on the left, figures end on the right."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        cells = [
            cell.ljust(width) if place < texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield GAP.join(cells).rstrip()
