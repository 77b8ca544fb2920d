"""The versions of a plan side by side: every term in words, and which of them changed from one to the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.pages import Tools, Words, render_page
from billing.admin.reading import show_moment
from billing.admin.version_offers import find_version
from billing.models import PlanVersion
from billing.models.plans import ANCHORINGS, INTERVALS, LATE_USAGES, PRORATIONS
from billing.plans import PlanTerms, describe_version, load_versions
from billing.price_imports import put_in_words
from billing.rating import InvalidPrice
from billing.wording import display_amount, display_money
from metering.meters import list_meters
from metering.quantities import format_exact

if TYPE_CHECKING:
    VersionModelAdmin = admin.ModelAdmin[PlanVersion]
else:
    VersionModelAdmin = object

SHOWN = 6  # side by side, the newest last


@dataclass(frozen=True, slots=True)
class Cell:
    """A term in words, empty where the version does not have it, and how it differs from the version before."""

    text: str
    change: str = ""


class HistoryPages(Tools, VersionModelAdmin):
    def list_tools(self, request: HttpRequest, row: PlanVersion) -> list[tuple[str, Words]]:
        link = (reverse("admin:billing_version_history", args=[row.pk]), _("Compare versions"))
        return [*super().list_tools(request, row), link]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.compare_view)
        return [path("<int:version_id>/versions/", view, name="billing_version_history"), *super().get_urls()]

    def compare_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Of the plan in the version's currency, the last ones and the version itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = find_version(version_id)
        versions = load_versions().filter(plan_id=version.plan_id, currency=version.currency).order_by("-number")
        shown = sorted({*versions[:SHOWN], version}, key=lambda each: each.number)
        return render_page(
            self,
            request,
            "admin/billing/planversion/versions.html",
            title=gettext("Versions of %(plan)s in %(currency)s")
            % {"plan": version.plan, "currency": version.currency},
            subject=version,
            versions=[(each, self.status(each)) for each in shown],  # type: ignore[attr-defined]
            rows=compare_terms([read_terms(each) for each in shown]),
        )


def compare_terms(columns: list[dict[str, str]]) -> list[tuple[str, list[Cell]]]:
    """One row for each term that any version has, in the order in which they come up."""
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [*tell_changes([column.get(name, "") for column in columns])]) for name in names]


def tell_changes(texts: list[str]) -> Iterator[Cell]:
    yield Cell(texts[0])
    for before, text in pairwise(texts):
        if text == before:
            yield Cell(text)
        elif not text:
            yield Cell(text, gettext("gone"))
        else:
            yield Cell(text, gettext("changed") if before else gettext("new"))


def read_terms(version: PlanVersion) -> dict[str, str]:
    """Name → words of all that the version agrees on. A draft that makes no sense yet says so."""
    try:
        terms = describe_version(version)
    except InvalidPrice as error:
        return {gettext("faults"): str(error)}
    return dict(list_terms(version, terms))


def list_terms(version: PlanVersion, terms: PlanTerms) -> Iterator[tuple[str, str]]:
    units = {meter.key: (meter.name, meter.unit) for meter in list_meters()}
    for price in terms.prices:
        yield price.description, put_in_words(price, terms.currency)
    for limit in terms.limits:
        name, unit = units[limit.meter_key]
        text = gettext("%(amount)s a period, then refused") if limit.is_hard else gettext("%(amount)s a period")
        yield gettext("Limit on %(meter)s") % {"meter": name}, text % {"amount": format_exact(limit.quantity, unit)}
    for add_on in terms.add_ons:
        amount = display_amount(add_on.unit_amount, terms.currency)
        text = gettext("%(amount)s each period") % {"amount": amount}
        if add_on.max_quantity is not None:
            text = gettext("%(text)s, at most %(count)d") % {"text": text, "count": add_on.max_quantity}
        yield add_on.description, text
    yield gettext("period"), name_choice(INTERVALS, version.interval)
    yield gettext("begins"), name_choice(ANCHORINGS, version.anchoring)
    yield gettext("cut"), name_choice(PRORATIONS, version.proration)
    yield gettext("free days"), str(version.trial_days)
    if version.grace_hours is not None:
        yield gettext("hours of grace"), str(version.grace_hours)
    yield gettext("commitment"), display_money(version.commitment_minor, version.currency)
    yield gettext("included credit"), display_money(version.included_credit_minor, version.currency)
    yield gettext("late usage"), name_choice(LATE_USAGES, version.late_usage)
    yield gettext("late usage is waived under"), display_money(version.late_waive_under_minor, version.currency)
    thresholds = [display_money(minor, version.currency) for minor in version.thresholds_minor]
    if version.threshold_step_minor:
        step = display_money(version.threshold_step_minor, version.currency)
        thresholds.append(gettext("then every %(amount)s") % {"amount": step})
    yield gettext("billed ahead at"), ", ".join(thresholds) or "–"
    for label, moment in (
        (gettext("on offer from"), version.offered_from),
        (gettext("retired"), version.retired_at),
    ):
        yield label, show_moment(moment) if moment else "–"


def name_choice(choices: list[tuple[str, Any]], value: str) -> str:
    return str(dict(choices)[value])
