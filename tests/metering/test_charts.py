from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.utils import translation

from metering.charts import draw_usage_chart, list_levels

NOV = datetime(2026, 11, 1, tzinfo=UTC)
DEC = datetime(2026, 12, 1, tzinfo=UTC)
NOON_OF_THE_11TH = datetime(2026, 11, 11, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Point:
    start: datetime
    quantity: Decimal
    is_level: bool = False


def by_day(*quantities: str) -> list[Point]:
    """One point for each day of November, zero where nothing is given."""
    filled = [*quantities, *["0"] * (30 - len(quantities))]
    return [Point(NOV + timedelta(days=number), Decimal(quantity)) for number, quantity in enumerate(filled)]


def draw(
    points=(), *, quantity="500", title="Requests", unit="request", start=NOV, end=DEC, at=NOON_OF_THE_11TH, **more
):
    return draw_usage_chart(
        points,
        quantity=None if quantity is None else Decimal(quantity),
        start=start,
        end=end,
        at=at,
        title=title,
        unit=unit,
        **more,
    )


def read_tree(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 — our own text


def find(svg: str, name: str) -> list[ElementTree.Element]:
    """The elements of a class; the text is parsed, so every chart of these tests is well-formed."""
    return [element for element in read_tree(svg).iter() if name in element.get("class", "").split()]


def labels(svg: str) -> list[str]:
    return [element.text for element in read_tree(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_chart_scales_with_its_box_and_is_an_image_to_a_screen_reader():
    assert draw().startswith('<svg class="usage-chart" role="img" viewBox="0 0 720 280" font-size="13" ')


def test_the_curve_adds_up_day_by_day_and_ends_now():
    svg = draw(by_day("100", "0", "150", "0", "0", "0", "0", "0", "0", "0", "50"), quantity="500")
    # 708 pixels for 30 days, 220 for 550: a day is 23.6 wide, and 500 lies at 246 - 200
    assert (
        '<path class="chart-line" d="M6 246L29.6 206L53.2 206L76.8 146L100.4 146L124 146L147.6 146L171.2 146'
        'L194.8 146L218.4 146L242 146L253.8 126"' in svg
    )
    assert '<circle class="chart-dot" cx="253.8" cy="126"' in svg


def test_the_area_closes_on_zero():
    svg = draw(by_day("100"), at=NOV + timedelta(days=1))
    assert '<path class="chart-area" d="M6 246L29.6 206V246H6Z"' in svg


def test_the_limit_and_80_percent_of_it_are_lines_with_a_label():
    svg = draw(quantity="500")
    assert '<path class="chart-limit" d="M6 46H714"' in svg
    assert '<path class="chart-warning" d="M6 86H714"' in svg
    assert "Limit 500" in labels(svg)
    assert "80 %: 400" in labels(svg)


def test_usage_far_over_the_limit_keeps_the_limit_label_and_drops_the_other():
    svg = draw(by_day("5000"), quantity="500")
    assert "Limit 500" in labels(svg)
    assert find(svg, "chart-warning") == []


def test_without_a_limit_there_is_no_line_and_the_scale_follows_usage():
    svg = draw(by_day("80"), quantity=None)
    assert find(svg, "chart-limit") == []
    assert find(svg, "chart-warning") == []
    assert "<desc>80 requests used from 1 November 2026 to 30 November 2026. There is no limit.</desc>" in svg


def test_a_limit_of_zero_lies_on_the_axis():
    svg = draw(by_day("3"), quantity="0")
    assert '<path class="chart-limit" d="M6 246H714"' in svg
    assert find(svg, "chart-warning") == []


def test_nothing_used_and_nothing_allowed_still_draws():
    svg = draw([], quantity="0")
    assert find(svg, "chart-line") == []
    assert labels(svg)[:2] == ["0.5", "1"]


def test_now_is_marked_inside_the_window_only():
    assert '<path class="chart-now" d="M253.8 20V246"' in draw()
    assert find(draw(at=DEC), "chart-now") == []
    assert find(draw(at=NOV - timedelta(hours=1)), "chart-now") == []


def test_a_window_to_come_has_no_curve():
    assert find(draw(by_day(), at=NOV - timedelta(days=3)), "chart-line") == []


def test_a_window_that_is_over_is_drawn_to_its_end():
    svg = draw(by_day("100"), at=DEC + timedelta(days=40))
    assert '<circle class="chart-dot" cx="714" cy="206"' in svg


def test_the_days_of_the_axis_are_those_of_the_time_zone():
    tokyo = datetime(2026, 10, 31, 15, tzinfo=UTC)
    svg = draw(start=tokyo, end=datetime(2026, 11, 30, 15, tzinfo=UTC), time_zone="Asia/Tokyo")
    assert labels(svg)[2:7] == ["1 Nov", "8 Nov", "15 Nov", "22 Nov", "29 Nov"]
    assert "from 1 November 2026 to 30 November 2026" in svg


def test_local_midnight_stays_midnight_when_the_clocks_change():
    svg = draw(
        start=datetime(2026, 9, 30, 22, tzinfo=UTC),
        end=datetime(2026, 10, 31, 23, tzinfo=UTC),
        at=datetime(2026, 10, 5, tzinfo=UTC),
        time_zone="Europe/Paris",
    )
    # the 29th begins 28 days and one hour after the 1st, of 31 days and one hour
    assert '<text class="chart-label" x="645.6" y="268" text-anchor="middle" fill="currentColor">29 Oct</text>' in svg


def test_a_window_of_a_day_is_labelled_by_the_hour():
    assert labels(draw(end=NOV + timedelta(days=1), at=DEC))[2:6] == ["00:00", "06:00", "12:00", "18:00"]


def test_an_hour_and_a_year_have_at_most_five_labels():
    hour = draw(end=NOV + timedelta(hours=1), at=DEC)
    year = draw(end=datetime(2027, 11, 1, tzinfo=UTC), at=DEC)
    assert len(read_tree(hour).findall(".//*[@class='chart-days']/*")) == 2
    assert len(read_tree(year).findall(".//*[@class='chart-days']/*")) == 10


def test_a_hostile_title_and_unit_are_text():
    svg = draw(by_day("2"), title='</title><script>alert("1")</script>', unit="<b>&")
    assert "<script" not in svg
    assert "<title>&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;</title>" in svg
    assert "2 &lt;b&gt;&amp; used" in svg


def test_bytes_are_read_in_megabytes_on_the_axis_and_whole_in_the_description():
    svg = draw(by_day("168132893"), quantity="500000000", unit="byte")
    assert labels(svg)[:2] == ["200 MB", "400 MB"]
    assert "Limit 500 MB" in labels(svg)
    assert "<desc>168,132,893 bytes used from 1 November 2026 to 30 November 2026, of a limit of 500 MB.</desc>" in svg


@pytest.mark.parametrize("size", ["99999999999999999999999999", "0.000000000001", "1", "999.5"])
def test_every_storable_size_stays_inside_the_frame(size):
    svg = draw(by_day(size, size, size), quantity=size)
    ys = [float(step.split()[1]) for step in find(svg, "chart-line")[0].get("d")[1:].split("L")]
    assert min(ys) >= 26
    assert max(ys) == 246


def test_usage_that_falls_below_zero_stays_inside_the_frame():
    svg = draw(by_day("-5", "0", "9"), quantity="10")
    ys = [float(step.split()[1]) for step in find(svg, "chart-line")[0].get("d")[1:].split("L")]
    assert min(ys) >= 26
    assert max(ys) <= 246


def test_a_french_reader_has_a_french_chart():
    with translation.override("fr"):
        svg = draw(by_day("1234.5"), quantity="5000")
    assert "Limite 5 k" in labels(svg)
    assert "maintenant" in labels(svg)
    assert "1 nov." in labels(svg)
    assert "<desc>Du 1 novembre 2026 au 30 novembre 2026\xa0: 1\xa0234,5 requêtes, pour une limite de 5" in svg


def test_no_style_attribute_and_no_script_reach_the_page():
    svg = draw(by_day("100"))
    assert "style=" not in svg
    assert "<script" not in svg


def find_offset(svg: str, label: str) -> str | None:
    return next(element.get("dy") for element in find(svg, "chart-label") if element.text == label)


def test_the_label_of_a_line_close_below_the_limit_stands_below_it():
    svg = draw(quantity="160000000", unit="byte")
    assert find_offset(svg, "150 MB") == "13"
    assert find_offset(svg, "100 MB") == "-4"


def test_a_level_is_drawn_as_it_is_and_not_added_up():
    """On the 11th of November, after days of 40, 70 and, from the 3rd on, 20."""
    points = [Point(point.start, point.quantity, is_level=True) for point in by_day("40", "70", *["20"] * 28)]
    curve = list_levels(points, start=NOV, end=DEC, at=NOON_OF_THE_11TH)
    assert [value for _, value in curve] == [40, 40, 70, 70, *[20] * 18]
    assert curve[1:4] == [(NOV + timedelta(days=1), 40), (NOV + timedelta(days=1), 70), (NOV + timedelta(days=2), 70)]
    assert curve[-1] == (NOON_OF_THE_11TH, 20)
    assert "20 seats at last" in draw(points, title="Seats", unit="seat")


def test_a_level_of_no_days_is_nothing():
    assert list_levels([], start=NOV, end=DEC, at=NOON_OF_THE_11TH) == [(NOV, 0)]


@dataclass(frozen=True, slots=True)
class Expected:
    at: datetime
    low: Decimal
    mid: Decimal
    high: Decimal


def expect(*points: tuple[datetime, int, int, int]) -> list[Expected]:
    return [Expected(at, Decimal(low), Decimal(mid), Decimal(high)) for at, low, mid, high in points]


def test_a_forecast_is_a_surface_with_a_dashed_middle():
    svg = draw(by_day("100"), band=expect((NOON_OF_THE_11TH, 100, 100, 100), (DEC, 200, 300, 400)))
    [band], [middle] = find(svg, "chart-band"), find(svg, "chart-expected")
    assert band.get("d") == "M253.8 206L714 86L714 166L253.8 206Z"
    assert (middle.get("d"), middle.get("stroke-dasharray")) == ("M253.8 206L714 126", "6 4")
    assert "Expected by then: 300 requests, between 200 requests and 400 requests." in svg


def test_without_a_forecast_there_is_no_band():
    svg = draw(by_day("100"))
    assert not find(svg, "chart-band") + find(svg, "chart-expected")
    assert "Expected by then" not in svg


def test_a_band_makes_room_for_itself():
    points = expect((NOON_OF_THE_11TH, 100, 100, 100), (DEC, 200, 700, 1200))
    assert "1 k" in labels(draw(by_day("100"), band=points))


def test_an_edge_far_above_all_else_leaves_the_frame():
    points = expect((NOON_OF_THE_11TH, 100, 100, 100), (DEC, 200, 300, 90_000))
    svg = draw(by_day("100"), band=points)
    assert "1 k" in labels(svg)
    assert "50 k" not in labels(svg)
    assert " 26L714" in find(svg, "chart-band")[0].get("d")
