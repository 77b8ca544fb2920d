"""The calibration curve as SVG: of what was said with a chance, how much came true.

Colours come from CSS classes (`static/palier/charts.css`); the table beside the drawing says the same in numbers.
"""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from metering.grading.scores import Bin
from metering.grading.wording import show_count, show_percent

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 700, 16, 360
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
SMALLEST, GREATEST = 5.0, 12.0  # radius of a dot, by the root of its share of all forecasts


def draw_calibration(bins: Sequence[Bin]) -> SafeString:
    """A dot for each bin that has forecasts, with its 95 % interval; on the diagonal what is said comes true."""
    known = [each for each in bins if each.reached.count]
    title = _("How often the limit was reached, by the chance that was forecast")
    return format_html(
        '<svg class="usage-chart calibration-chart" role="img" viewBox="0 0 {} {}" font-size="16"'
        ' xmlns="http://www.w3.org/2000/svg"><title>{}</title><desc>{}</desc>{}{}{}</svg>',
        WIDTH, HEIGHT, title, describe_bins(known), draw_frame(), draw_whiskers(known), draw_dots(known),
    )  # fmt: skip


def describe_bins(bins: Sequence[Bin]) -> str:
    return " ".join(
        _("Of %(count)s forecasts with a chance of %(chance)s on average %(reached)s came true.")
        % {
            "count": show_count(each.reached.count),
            "chance": show_percent(each.mean_chance),
            "reached": show_percent(each.reached.value),
        }
        for each in bins
    )


def draw_frame() -> SafeString:
    """Quarters on both axes, and the diagonal."""
    rows = format_html_join(
        "",
        '<path d="M{} {}H{}" stroke="currentColor" stroke-opacity=".15"/>'
        '<text class="chart-label" x="{}" y="{}" dy="5" text-anchor="end" fill="currentColor">{}</text>',
        ((LEFT, find_y(tick), RIGHT, LEFT - 8, find_y(tick), show_percent(tick)) for tick in TICKS),
    )
    columns = format_html_join(
        "",
        '<text class="chart-label" x="{}" y="{}" text-anchor="{}" fill="currentColor">{}</text>',
        ((find_x(tick), BOTTOM + 24, "end" if tick == 1 else "middle", show_percent(tick)) for tick in TICKS),
    )
    return format_html(
        '<g class="chart-grid">{}{}<path class="chart-axis" d="M{} {}H{}" stroke="currentColor"/></g>'
        '<path class="chart-ideal" d="M{} {}L{} {}" stroke="currentColor" stroke-dasharray="6 6" fill="none"/>'
        '<text class="chart-label" x="{}" y="{}" text-anchor="middle" fill="currentColor">{}</text>',
        rows, columns, LEFT, BOTTOM, RIGHT, find_x(0), find_y(0), find_x(1), find_y(1),
        (LEFT + RIGHT) // 2, HEIGHT - 8, _("chance that was forecast"),
    )  # fmt: skip


def draw_whiskers(bins: Sequence[Bin]) -> SafeString:
    return format_html_join(
        "",
        '<path class="chart-whisker" d="M{} {}V{}" stroke="currentColor" stroke-width="2"/>',
        (
            (find_x(each.mean_chance or 0), find_y(each.reached.interval[0]), find_y(each.reached.interval[1]))
            for each in bins
            if each.reached.interval
        ),
    )


def draw_dots(bins: Sequence[Bin]) -> SafeString:
    total = sum(each.reached.count for each in bins)
    return format_html_join(
        "",
        '<circle class="chart-dot" cx="{}" cy="{}" r="{}" fill="currentColor"/>',
        (
            (
                find_x(each.mean_chance or 0),
                find_y(each.reached.value or 0),
                f"{SMALLEST + (GREATEST - SMALLEST) * (each.reached.count / total) ** 0.5:.1f}",
            )
            for each in bins
        ),
    )


def find_x(chance: float) -> str:
    return f"{LEFT + chance * (RIGHT - LEFT):.1f}"


def find_y(share: float) -> str:
    return f"{BOTTOM - share * (BOTTOM - TOP):.1f}"
