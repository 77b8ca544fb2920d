"""Usage drawn as SVG on the server: it prints, it mails, it needs no script, and tests read it as text.

Colours come from CSS classes (`static/palier/charts.css`); the presentation attributes are what shows without it.
Quantities stay Decimal up to the last step, where they become pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from metering.quantities import EXACT, format_exact, format_expected, format_readable, format_short

WIDTH, HEIGHT = 720, 280
LEFT, RIGHT, TOP, BOTTOM = 6, 714, 26, 246
WARNING_SHARE = Decimal("0.8")
MIN_LABEL_GAP = 26  # pixels between the two limit lines below which their labels would touch
LABEL_HEIGHT = 18  # pixels above a line that its label takes
HIGHEST_EDGE = Decimal(3)  # times the limit or the middle, up to which the upper edge of a forecast is drawn
MAX_TICKS = 5
TICK_STEPS = (1, 2, Decimal("2.5"), 5, 10)


class ExpectedPoint(Protocol):
    """What is expected to be used by a moment, and between what: a point of `metering.forecast`'s band."""

    @property
    def at(self) -> datetime: ...
    @property
    def low(self) -> Decimal: ...
    @property
    def mid(self) -> Decimal: ...
    @property
    def high(self) -> Decimal: ...


class UsagePoint(Protocol):
    """What was used from `start` to the next point's start: `metering.usage.Point`."""

    @property
    def start(self) -> datetime: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def is_level(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Frame:
    """The window and the scale: turns a time and a quantity into pixels."""

    start: datetime
    end: datetime
    floor: Decimal
    ceiling: Decimal
    unit: str

    def find_x(self, moment: datetime) -> str:
        share = Decimal((moment - self.start) // timedelta(milliseconds=1)) / Decimal(
            max((self.end - self.start) // timedelta(milliseconds=1), 1)
        )
        return show_pixel(LEFT + min(max(share, Decimal(0)), Decimal(1)) * (RIGHT - LEFT))

    def find_y(self, quantity: Decimal) -> str:
        share = EXACT.divide(quantity - self.floor, self.ceiling - self.floor)
        return show_pixel(BOTTOM - share * (BOTTOM - TOP))


def draw_usage_chart(
    points: Sequence[UsagePoint],
    *,
    quantity: Decimal | None,
    start: datetime,
    end: datetime,
    at: datetime,
    title: str,
    unit: str,
    time_zone: str = "UTC",
    band: Sequence[ExpectedPoint] = (),
) -> SafeString:
    """SVG of what was used so far in [start, end) against the limit `quantity` (None: unlimited), as seen `at`.

    `points` hold what each bucket used, in order; those of a level are drawn as they are, one beside the other. Days on
    the axis are those of `time_zone`. `band` is what is expected of the rest; an edge that is far above all else leaves
    the frame. The text alternative is the <title> and <desc> inside. Nothing in it is trusted:
    titles and units are escaped.
    """
    is_level = any(point.is_level for point in points)
    curve = (list_levels if is_level else cumulate)(points, start=start, end=end, at=at)
    values = [value for _moment, value in curve] + list_expected(band, quantity)
    frame = fit_frame(values, quantity=quantity, start=start, end=end, unit=unit)
    parts = [
        describe_chart(
            curve, quantity=quantity, title=title, frame=frame, zone=ZoneInfo(time_zone), is_level=is_level, band=band
        ),
        draw_grid(frame, quantity),
        draw_days(frame, ZoneInfo(time_zone)),
        draw_band(band, frame),
        draw_curve(curve, frame),
        draw_limit(quantity, frame),
        draw_now(at, frame),
    ]
    return format_html(
        '<svg class="usage-chart" role="img" viewBox="0 0 {} {}" font-size="13" xmlns="http://www.w3.org/2000/svg">{}</svg>',
        WIDTH,
        HEIGHT,
        mark_safe("".join(parts)),  # noqa: S308 — every part is made by format_html
    )


def cumulate(
    points: Sequence[UsagePoint], *, start: datetime, end: datetime, at: datetime
) -> list[tuple[datetime, Decimal]]:
    """(moment, used so far), beginning with zero at the start; a bucket counts at its end, the running one at `at`."""
    seen = [point for point in points if point.start < at or point.quantity]
    curve, total = [(start, Decimal(0))], Decimal(0)
    for number, point in enumerate(seen):
        total = EXACT.add(total, point.quantity)
        bucket_end = seen[number + 1].start if number + 1 < len(seen) else max(min(at, end), point.start)
        curve.append((bucket_end, total))
    return curve


def list_levels(
    points: Sequence[UsagePoint], *, start: datetime, end: datetime, at: datetime
) -> list[tuple[datetime, Decimal]]:
    """The level of each bucket at its beginning and its end, as far as the present; zero where none has begun."""
    seen = [point for point in points if point.start < at]
    ends = [*(point.start for point in seen[1:]), min(at, end)]
    curve = [
        (moment, point.quantity) for point, until in zip(seen, ends, strict=False) for moment in (point.start, until)
    ]
    return curve or [(start, Decimal(0))]


def fit_frame(
    values: Sequence[Decimal], *, quantity: Decimal | None, start: datetime, end: datetime, unit: str
) -> Frame:
    """A scale from zero that leaves a tenth of air above the limit and the curve."""
    highest = max([*values, quantity or Decimal(0)])
    lowest = min([*values, Decimal(0)])
    span = EXACT.subtract(highest, lowest) or Decimal(1)
    air = EXACT.multiply(span, Decimal("1.1"))
    return Frame(start=start, end=end, floor=lowest, ceiling=EXACT.add(lowest, air), unit=unit)


def list_expected(band: Sequence[ExpectedPoint], quantity: Decimal | None) -> list[Decimal]:
    """What of a band is to be seen: a high edge up to thrice the limit, or the middle where that is more."""
    if not band:
        return []
    highest = max(quantity or Decimal(0), max(point.mid for point in band))
    most = EXACT.multiply(highest, HIGHEST_EDGE)
    return [min(value, most) for point in band for value in (point.low, point.high)]


def list_ticks(frame: Frame) -> list[Decimal]:
    """Three to five round quantities inside the frame, zero left out: the axis itself says it."""
    rough = EXACT.divide(frame.ceiling - frame.floor, Decimal(4))
    magnitude = Decimal(1).scaleb(rough.adjusted(), context=EXACT)
    step = next(EXACT.multiply(magnitude, Decimal(s)) for s in TICK_STEPS if magnitude * Decimal(s) >= rough)
    first = int(EXACT.divide(frame.floor, step)) - 1
    ticks = [EXACT.multiply(step, Decimal(number)) for number in range(first, first + 10)]
    return [tick for tick in ticks if tick and frame.floor <= tick <= frame.ceiling]


def draw_grid(frame: Frame, quantity: Decimal | None) -> SafeString:
    rows = [(frame.find_y(tick), format_short(tick, frame.unit)) for tick in list_ticks(frame)]
    levels = [] if quantity is None else [frame.find_y(quantity), frame.find_y(EXACT.multiply(quantity, WARNING_SHARE))]
    return format_html(
        '<g class="chart-grid">{}<path class="chart-axis" d="M{} {}H{}" stroke="currentColor"/></g>',
        format_html_join(
            "",
            '<path d="M{} {}H{}" stroke="currentColor" stroke-opacity=".15"/>'
            '<text class="chart-label" x="{}" y="{}" dy="{}" fill="currentColor">{}</text>',
            ((LEFT, y, RIGHT, LEFT, y, find_label_offset(y, levels), label) for y, label in rows),
        ),
        LEFT,
        frame.find_y(Decimal(0)),
        RIGHT,
    )


def find_label_offset(y: str, levels: Sequence[str]) -> int:
    """A tick's label stands above its line, or below where a level's line would strike it through."""
    is_struck = any(0 < Decimal(y) - Decimal(level) < LABEL_HEIGHT for level in levels)
    return 13 if is_struck else -4


def list_days(frame: Frame, zone: ZoneInfo) -> Iterator[tuple[datetime, str]]:
    """At most five moments of the local calendar and their labels: days, or hours when the window is short."""
    first = frame.start.astimezone(zone)
    if frame.end - frame.start <= timedelta(days=2):
        step = next(h for h in (1, 2, 3, 6, 12) if timedelta(hours=h) * MAX_TICKS >= frame.end - frame.start)
        for number in range(MAX_TICKS):
            moment = (frame.start + timedelta(hours=step * number)).astimezone(zone)
            yield moment, date_format(moment, "H:i")
        return
    days = (frame.end - frame.start).days + 1
    step = next((d for d in (1, 2, 3, 7) if d * MAX_TICKS >= days), -(-days // MAX_TICKS))
    for number in range(MAX_TICKS):
        moment = first + timedelta(days=step * number)  # wall-clock arithmetic: local midnight stays midnight
        yield moment, date_format(moment, pgettext("date format: day and month, short", "j M"))


def draw_days(frame: Frame, zone: ZoneInfo) -> SafeString:
    days = [(frame.find_x(moment), label) for moment, label in list_days(frame, zone) if moment < frame.end]
    return format_html(
        '<g class="chart-days">{}</g>',
        format_html_join(
            "",
            '<path d="M{} {}v5" stroke="currentColor" stroke-opacity=".5"/>'
            '<text class="chart-label" x="{}" y="{}" text-anchor="{}" fill="currentColor">{}</text>',
            (
                (x, BOTTOM, x, HEIGHT - 12, "middle" if number else "start", label)
                for number, (x, label) in enumerate(days)
            ),
        ),
    )


def draw_curve(curve: Sequence[tuple[datetime, Decimal]], frame: Frame) -> SafeString:
    if len(curve) == 1:
        return mark_safe("")
    steps = [f"{frame.find_x(moment)} {frame.find_y(value)}" for moment, value in curve]
    line, zero = "L".join(steps), frame.find_y(Decimal(0))
    x, y = steps[-1].split()
    return format_html(
        '<path class="chart-area" d="M{}V{}H{}Z" fill="currentColor" fill-opacity=".12"/>'
        '<path class="chart-line" d="M{}" fill="none" stroke="currentColor" stroke-width="2.5"/>'
        '<circle class="chart-dot" cx="{}" cy="{}" r="4.5" fill="currentColor"/>',
        line,
        zero,
        steps[0].split()[0],
        line,
        x,
        y,
    )


def draw_band(band: Sequence[ExpectedPoint], frame: Frame) -> SafeString:
    """What is expected as a surface between its edges, and its middle as a dashed line."""
    if len(band) < 2:
        return mark_safe("")
    upper = [f"{frame.find_x(point.at)} {frame.find_y(min(point.high, frame.ceiling))}" for point in band]
    lower = [f"{frame.find_x(point.at)} {frame.find_y(min(point.low, frame.ceiling))}" for point in reversed(band)]
    middle = [f"{frame.find_x(point.at)} {frame.find_y(min(point.mid, frame.ceiling))}" for point in band]
    return format_html(
        '<path class="chart-band" d="M{}Z" fill="currentColor" fill-opacity=".15"/>'
        '<path class="chart-expected" d="M{}" fill="none" stroke="currentColor" stroke-width="2" '
        'stroke-dasharray="6 4"/>',
        "L".join([*upper, *lower]),
        "L".join(middle),
    )


def draw_limit(quantity: Decimal | None, frame: Frame) -> SafeString:
    """The limit and, where there is room for both labels, 80 % of it. An unlimited meter has neither."""
    if quantity is None:
        return mark_safe("")
    warning = EXACT.multiply(quantity, WARNING_SHARE)
    limit_line = draw_level(quantity, _("Limit %s"), kind="limit", frame=frame)
    if Decimal(frame.find_y(warning)) - Decimal(frame.find_y(quantity)) < MIN_LABEL_GAP:
        return limit_line
    return format_html("{}{}", draw_level(warning, _("80 %%: %s"), kind="warning", frame=frame), limit_line)


def draw_level(quantity: Decimal, label: str, *, kind: str, frame: Frame) -> SafeString:
    y = frame.find_y(quantity)
    return format_html(
        '<path class="chart-{}" d="M{} {}H{}" stroke="currentColor" stroke-width="1.5" stroke-dasharray="{}"/>'
        '<text class="chart-label chart-{}-label" x="{}" y="{}" dy="-5" text-anchor="end">{}</text>',
        kind,
        LEFT,
        y,
        RIGHT,
        "none" if kind == "limit" else "5 5",
        kind,
        RIGHT,
        y,
        label % format_short(quantity, frame.unit),
    )


def draw_now(at: datetime, frame: Frame) -> SafeString:
    """A line at the present moment, when the window holds it."""
    if not frame.start <= at < frame.end:
        return mark_safe("")
    x = frame.find_x(at)
    edge = Decimal(40)
    anchor = "start" if Decimal(x) < LEFT + edge else "end" if Decimal(x) > RIGHT - edge else "middle"
    return format_html(
        '<path class="chart-now" d="M{} {}V{}" stroke="currentColor" stroke-opacity=".5" stroke-dasharray="2 4"/>'
        '<text class="chart-label" x="{}" y="{}" text-anchor="{}" fill="currentColor">{}</text>',
        x,
        TOP - 6,
        BOTTOM,
        x,
        TOP - 11,
        anchor,
        _("now"),
    )


def describe_chart(
    curve: Sequence[tuple[datetime, Decimal]],
    *,
    quantity: Decimal | None,
    title: str,
    frame: Frame,
    zone: ZoneInfo,
    is_level: bool,
    band: Sequence[ExpectedPoint],
) -> SafeString:
    used = curve[-1][1]
    window = {
        "start": date_format(frame.start.astimezone(zone), "j F Y"),
        "end": date_format((frame.end - timedelta(microseconds=1)).astimezone(zone), "j F Y"),
        "used": format_exact(used, frame.unit),
    }
    if is_level:
        text = _("%(used)s at last, in the time from %(start)s to %(end)s.") % window
    elif quantity is None:
        text = _("%(used)s used from %(start)s to %(end)s. There is no limit.") % window
    else:
        window["limit"] = format_readable(quantity, frame.unit)
        text = _("%(used)s used from %(start)s to %(end)s, of a limit of %(limit)s.") % window
    if band:
        text += " " + describe_band(band[-1], frame.unit)
    return format_html("<title>{}</title><desc>{}</desc>", title, text)


def describe_band(last: ExpectedPoint, unit: str) -> str:
    return _("Expected by then: %(mid)s, between %(low)s and %(high)s.") % {
        "mid": format_expected(last.mid, unit),
        "low": format_expected(last.low, unit),
        "high": format_expected(last.high, unit),
    }


def show_pixel(number: Decimal) -> str:
    """One decimal is finer than any screen, and keeps a month of hours under 12 kB."""
    shown = f"{number:.1f}"
    return shown.removesuffix(".0")
