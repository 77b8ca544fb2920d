from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from metering.grading import grade_windows
from metering.grading.charts import draw_calibration
from metering.grading.scores import Bin, Share
from metering.models import AlertRule
from tests.metering.grading.makers import AFTER, close, day, make_alert, make_forecast, make_window, use

pytestmark = pytest.mark.django_db
PERIOD = {"start": "2026-11-01", "end": "2026-12-02"}


def enter(client: Client, *permissions: str) -> Client:
    user = get_user_model().objects.create_user(email="rep@palier.test", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


@pytest.fixture
def rep(client: Client) -> Client:
    return enter(client, "view_alert")


def read_page(client: Client, **asked: str) -> str:
    response = client.get(reverse("admin:metering_forecast_quality"), PERIOD | asked)
    assert response.status_code == 200
    return unescape(response.content.decode())


def make_november(*names: str, meter: str = "requests") -> None:
    for name in names:
        limit = make_window(name, meter)
        make_forecast(limit, at=day(5))
        make_alert(limit, at=day(6), acted_on_at=day(7))
        use(limit, 100, at=day(16))
        close(limit)
    grade_windows(at=AFTER)


def test_the_page_shows_rules_calibration_and_skill_in_words(rep):
    make_november("acme")
    other = make_window("beta", meter="calls")
    make_forecast(other, at=day(5), p_hit="0.4", run_rate_total=Decimal(10))
    make_alert(other, at=day(6))
    close(other)
    grade_windows(at=AFTER)
    page = read_page(rep)
    assert "2 limits ended in this time, 1 of them reached." in page
    assert "1 alert came before the limit was reached, 1 in vain." in page
    assert "Half of the limits were told 10.0 days ahead or more." in page
    assert "83 % better than run-rate" in page  # (0.01 + 0.16) / 2 against 1 / 2
    assert '<svg class="usage-chart calibration-chart"' in page
    assert page.count('<circle class="chart-dot"') == 2
    assert "Not enough windows to advise a threshold: 2 with forecasts, 1 of them reached. It takes 20 and 5." in page


def test_a_meter_and_a_period_can_be_chosen(rep):
    make_november("acme")
    make_november("acme", "beta", meter="calls")
    assert "3 limits ended" in read_page(rep)
    assert "2 limits ended" in read_page(rep, meter="calls")
    assert "0 limits ended" in read_page(rep, end="2026-12-01")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"start": "2026-12-02"}, "The second day must be after the first."),
        ({"start": "soon"}, "Enter a valid date."),
        ({"meter": "nothing"}, "Select a valid choice."),
    ],
)
def test_what_makes_no_sense_is_said_beside_the_field(rep, asked, words):
    page = read_page(rep, **asked)
    assert words in page
    assert "limits ended" not in page


def test_before_there_is_anything_it_says_what_is_needed_and_when(rep):
    assert "No limit is forecast yet." in read_page(rep)
    make_forecast(make_window(), at=day(5))
    page = read_page(rep)
    assert "Nothing to judge yet" in page
    assert "1 limit is forecast that is not graded yet; the first such window ends on Dec. 1, 2026." in page


def test_windows_without_forecasts_say_why_there_is_no_calibration(rep):
    close(make_window())
    grade_windows(at=AFTER)
    page = read_page(rep)
    assert "No forecast of these windows can be judged" in page
    assert "calibration-chart" not in page


@pytest.mark.parametrize(("permissions", "status"), [((), 403), (("view_limit",), 403), (("view_alert",), 200)])
def test_it_is_for_those_who_may_see_alerts(client, permissions, status):
    enter(client, *permissions)
    assert client.get(reverse("admin:metering_forecast_quality")).status_code == status


def test_a_stranger_is_sent_to_log_in(client):
    assert client.get(reverse("admin:metering_forecast_quality")).status_code == 302


@pytest.mark.parametrize(("permissions", "is_listed"), [(("view_alert",), True), (("view_meter",), False)])
def test_the_back_office_lists_it_for_them(client, permissions, is_listed):
    page = enter(client, *permissions).get(reverse("admin:index")).content.decode()
    assert (reverse("admin:metering_forecast_quality") in page) is is_listed


def test_a_name_is_escaped_wherever_it_stands(rep):
    AlertRule.objects.filter(kind="usage").update(name="<script>alert(1)</script>")
    make_november("acme")
    content = rep.get(reverse("admin:metering_forecast_quality"), PERIOD).content.decode()
    assert "&lt;script&gt;alert(1)" in content
    assert "<script>alert(1)" not in content


def test_the_page_takes_as_many_statements_whatever_it_shows(rep, django_assert_max_num_queries):
    make_november("acme")
    rep.get(reverse("admin:metering_forecast_quality"), PERIOD)
    with django_assert_max_num_queries(14) as one:
        read_page(rep)
    make_november("beta", "gamma")
    make_november("acme", "beta", meter="calls")
    with django_assert_max_num_queries(14) as many:
        read_page(rep)
    assert len(one) == len(many)


def test_the_curve_has_a_dot_for_each_bin_and_its_interval():
    bins = [Bin(0.0, 0.1, None, Share(0, 0)), Bin(0.4, 0.5, 0.45, Share(1, 4)), Bin(0.9, 1.0, 1.0, Share(12, 12))]
    drawing = draw_calibration(bins)
    assert drawing.count("<circle") == drawing.count('class="chart-whisker"') == 2
    # 60 + 0.45 × 640 and 360 − 0.25 × 344; 5 + 7 × sqrt(4 / 16)
    assert '<circle class="chart-dot" cx="348.0" cy="274.0" r="8.5"' in drawing
    assert '<circle class="chart-dot" cx="700.0" cy="16.0"' in drawing
    assert "Of 4 forecasts with a chance of 45 % on average 25 % came true." in unescape(drawing)
