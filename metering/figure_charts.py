"""What a key sent by the hour, drawn as SVG: a bar for each hour, of what was kept, known already, and refused.

Colours come from CSS classes (`static/palier/charts.css`); the table beside the drawing says the same in numbers.
"""

from collections.abc import Sequence
from datetime import datetime

from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from metering.calendars import HOUR
from metering.events import floor_hour
from metering.figures import HourFigures

WIDTH, HEIGHT, FLOOR = 720, 160, 132
LABELS = 4  # one in so many hours is named
LABEL_WIDTH = 66  # pixels, in the letters of a narrow screen


def fill_hours(figures: Sequence[HourFigures], *, start: datetime, end: datetime) -> list[HourFigures]:
    """Every UTC hour that touches [start, end), also those in which nothing came."""
    known = {each.hour: each for each in figures}
    first = floor_hour(start)
    count = -(-(end - first) // HOUR)
    return [known.get(first + step * HOUR) or HourFigures(first + step * HOUR) for step in range(count)]


def draw_figures(hours: Sequence[HourFigures], *, title: str) -> SafeString:
    """Bars side by side, the greatest as high as the drawing; on the clocks of the active time zone."""
    greatest = max((hour.sent for hour in hours), default=0) or 1
    step = WIDTH / max(len(hours), 1)
    bars, labels = [], []
    for position, hour in enumerate(hours):
        left, foot = position * step, float(FLOOR)
        for name, count in (("kept", hour.kept), ("known", hour.duplicate), ("refused", hour.refused)):
            height = count * (FLOOR - 8) / greatest
            if count:
                foot -= max(height, 1)
                bars.append((name, f"{left + 1:.1f}", f"{foot:.1f}", f"{step - 2:.1f}", f"{max(height, 1):.1f}"))
        if position % LABELS == 0 and left + LABEL_WIDTH <= WIDTH:
            labels.append((f"{left + 1:.1f}", date_format(localtime(hour.hour), "H:i")))
    return format_html(
        '<svg class="usage-chart figure-chart" viewBox="0 0 {} {}" font-size="13" role="img" aria-label="{}">'
        '<g class="chart-grid"><path class="chart-axis" d="M0 {}H{}" stroke="currentColor" fill="none"/></g>{}'
        '<g fill="currentColor">{}</g></svg>',
        WIDTH, HEIGHT, title, FLOOR, WIDTH,
        format_html_join("", '<rect class="figure-{}" x="{}" y="{}" width="{}" height="{}"/>', bars),
        format_html_join("", '<text x="{}" y="152">{}</text>', labels),
    )  # fmt: skip
