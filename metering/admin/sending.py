"""What one key sent, on its page in the back-office."""

from datetime import datetime, timedelta

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from metering.figure_charts import draw_figures, fill_hours
from metering.figures import add_figures, read_figures

SHOWN = timedelta(hours=24)
MOMENT = timedelta(microseconds=1)  # the hour that begins now is shown


def show_figures(api_key_id: int, *, at: datetime) -> SafeString | str:
    """The last 24 hours, drawn and in numbers."""
    start, end = at - SHOWN, at + MOMENT
    found = read_figures(api_key_ids=[api_key_id], start=start, end=end)[api_key_id]
    if not found:
        return gettext("Nothing in the last 24 hours.")
    hours = fill_hours(found, start=start, end=end)
    context = {
        "chart": draw_figures(hours, title=gettext("Events sent in each hour")),
        "total": add_figures(found, hour=start),
        "hours": [hour for hour in reversed(hours) if hour.sent],
    }
    return render_to_string("metering/figures.html", context)
