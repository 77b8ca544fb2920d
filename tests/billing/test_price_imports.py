import json
from copy import deepcopy
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing import plans
from billing.ahead.thresholds import Thresholds
from billing.catalogue_files import InvalidCatalogue
from billing.late.policy import LatePolicy
from billing.models import Plan, PlanVersion
from billing.periods import Interval
from billing.plans import AddOnTerms, PlanLimitTerms
from billing.price_imports import Action, import_catalogue
from billing.rating import TierTerms, flat_fee, graduated
from metering import meters
from tests.billing.makers import FEB, JAN, MAR, make_plan

pytestmark = pytest.mark.django_db

CATALOGUE = {
    "about": "What the vendor sells.",
    "sources": [],
    "meters": [{"key": "requests", "name": "Requests", "event_type": "web.request", "unit": "request"}],
    "plans": [
        {
            "slug": "growth",
            "name": "Growth",
            "rank": 20,
            "versions": [
                {
                    "currency": "EUR",
                    "interval": "quarter",
                    "trial_days": 14,
                    "commitment": "100.00",
                    "included_credit": "10",
                    "late_usage": "credit",
                    "late_waive_under": "0.50",
                    "thresholds": ["200", "500.00"],
                    "threshold_step": "1000",
                    "prices": [
                        {"description": "Base fee", "model": "flat", "unit_amount": "49"},
                        {
                            "description": "Requests",
                            "model": "graduated",
                            "meter": "requests",
                            "tiers": [
                                {"from": "0", "up_to": "10000", "unit_amount": "0.002"},
                                {"from": "10000", "up_to": None, "unit_amount": "0.001"},
                            ],
                        },
                    ],
                    "limits": [{"meter": "requests", "quantity": "50000"}],
                    "add_ons": [{"key": "support", "description": "Support", "unit_amount": "99", "max_quantity": 1}],
                },
            ],
        }
    ],
}


def change(*path, to):
    """The catalogue with another value at that place; None takes away what was there."""
    made = deepcopy(CATALOGUE)
    target = made
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = to
    return made


def run(catalogue, *, at=JAN, **options):
    return import_catalogue(json.dumps(catalogue), at=at, **options)


def list_faults(catalogue):
    with pytest.raises(InvalidCatalogue) as refusal:
        run(catalogue)
    return [fault.place for fault in refusal.value.faults]


def test_a_file_becomes_meters_and_a_published_plan():
    report = run(CATALOGUE)
    made = plans.find_plan("growth", at=JAN)
    assert made.prices == (
        flat_fee("Base fee", Decimal(49)),
        graduated(
            "Requests",
            meter_key="requests",
            tiers=[TierTerms(Decimal(10_000), Decimal("0.002")), TierTerms(None, Decimal("0.001"))],
        ),
    )
    assert made.limits == (PlanLimitTerms("requests", Decimal(50_000)),)
    assert made.add_ons == (AddOnTerms("support", "Support", Decimal(99), 1),)
    assert (made.commitment_minor, made.included_credit_minor) == (10_000, 1_000)
    assert made.late == LatePolicy(bills=False, waive_under_minor=50)
    assert made.thresholds == Thresholds((Decimal(200), Decimal(500)), Decimal(1_000))
    assert (made.periods.interval, made.periods.trial_days) == (Interval.QUARTER, 14)
    assert report.new_meters == ("requests",)
    assert [(each.slug, each.number, each.action) for each in report.changes] == [("growth", 1, Action.NEW_PLAN)]


def test_the_same_file_twice_makes_no_second_version():
    run(CATALOGUE)
    again = run(CATALOGUE, at=FEB)
    assert again.is_idle
    assert [each.action for each in again.changes] == [Action.UNCHANGED]
    assert PlanVersion.objects.count() == 1


def test_numbers_written_in_another_way_are_no_change():
    run(CATALOGUE)
    same = change("plans", 0, "versions", 0, "prices", 0, "unit_amount", to="49.000")
    same["plans"][0]["versions"][0]["commitment"] = 100
    assert run(same, at=FEB).is_idle


def test_what_differs_becomes_the_next_version_and_is_told_in_words():
    run(CATALOGUE)
    dearer = change("plans", 0, "versions", 0, "prices", 0, "unit_amount", to="59")
    dearer["plans"][0]["versions"][0]["prices"][1]["description"] = "Calls"
    dearer["plans"][0]["versions"][0]["commitment"] = "0"
    [made] = run(dearer, at=FEB).changes
    assert (made.action, made.number, made.offered_from) == (Action.NEW_VERSION, 2, FEB)
    assert made.details == (
        "± Base fee: €49.00 per period → €59.00 per period",
        "+ Calls: €0.002 for 1 request up to 10,000 requests; €0.001 for 1 request above",
        "− Requests",
        "± commitment",
    )
    assert plans.find_plan("growth", at=FEB).version_number == 2


def test_a_dry_run_tells_the_same_and_changes_nothing():
    dry = run(CATALOGUE, is_dry=True)
    assert not Plan.objects.exists()
    assert meters.list_meters() == []
    assert run(CATALOGUE) == dry


def test_a_version_may_be_for_later():
    run(change("plans", 0, "versions", 0, "offered_from", to="2026-03-01T01:00:00+01:00"))
    assert plans.list_slugs(at=FEB) == []
    assert plans.find_plan("growth", at=MAR).offered_from == MAR


def test_a_draft_that_says_the_same_is_published():
    run(CATALOGUE)
    draft = plans.copy_last_version(Plan.objects.get().pk)
    [made] = run(CATALOGUE, at=FEB).changes
    assert (made.action, made.number) == (Action.PUBLISHED, 2)
    assert PlanVersion.objects.get(pk=draft).published_at == FEB


def test_a_retired_version_is_made_anew():
    run(CATALOGUE)
    plans.retire_version(PlanVersion.objects.get().pk, at=FEB)
    assert [each.action for each in run(CATALOGUE, at=MAR).changes] == [Action.NEW_VERSION]
    assert plans.list_slugs(at=MAR) == ["growth"]


def test_name_and_rank_follow_the_file():
    run(CATALOGUE)
    report = run(change("plans", 0, "name", to="Growth plus"), at=FEB)
    assert report.renamed == ("growth",)
    assert Plan.objects.get().name == "Growth plus"
    assert PlanVersion.objects.count() == 1


def test_a_plan_has_a_version_for_each_currency():
    both = deepcopy(CATALOGUE)
    dollars = {"currency": "USD", "prices": [{"description": "Base fee", "model": "flat", "unit_amount": "55"}]}
    both["plans"][0]["versions"].append(dollars)
    run(both)
    assert plans.find_plan("growth", currency="USD", at=JAN).prices == (flat_fee("Base fee", Decimal(55)),)
    assert run(both, at=FEB).is_idle


VERSION = ("plans", 0, "versions", 0)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ((*VERSION, "prices", 1, "tiers", 1, "from"), "20000", "plans[0].versions[0].prices[1].tiers[1].from"),
        ((*VERSION, "prices", 1, "tiers", 1, "from"), "9000", "plans[0].versions[0].prices[1].tiers[1].from"),
        ((*VERSION, "prices", 1, "tiers", 1, "up_to"), "20000", "plans[0].versions[0].prices[1].tiers[1].up_to"),
        ((*VERSION, "prices", 0, "unit_amount"), "0.0000000000001", "plans[0].versions[0].prices[0].unit_amount"),
        ((*VERSION, "prices", 0, "unit_amount"), "-1", "plans[0].versions[0].prices[0].unit_amount"),
        ((*VERSION, "prices", 0, "unit_amount"), "much", "plans[0].versions[0].prices[0].unit_amount"),
        ((*VERSION, "prices", 0, "colour"), "red", "plans[0].versions[0].prices[0].colour"),
        ((*VERSION, "prices", 0, "currency"), "USD", "plans[0].versions[0].prices[0].currency"),
        ((*VERSION, "prices", 1, "meter"), "calls", "plans[0].versions[0].prices[1].meter"),
        ((*VERSION, "prices", 0, "description"), "x" * 121, "plans[0].versions[0].prices[0].description"),
        ((*VERSION, "prices"), [], "plans[0].versions[0].prices"),
        ((*VERSION, "limits", 0, "meter"), "calls", "plans[0].versions[0].limits[0].meter"),
        ((*VERSION, "limits", 0, "quantity"), "-5", "plans[0].versions[0].limits[0].quantity"),
        ((*VERSION, "add_ons", 0, "unit_amount"), "-5", "plans[0].versions[0].add_ons[0].unit_amount"),
        ((*VERSION, "add_ons", 0, "key"), "no spaces", "plans[0].versions[0].add_ons[0].key"),
        ((*VERSION, "currency"), "EURO", "plans[0].versions[0].currency"),
        ((*VERSION, "commitment"), "0.001", "plans[0].versions[0].commitment"),
        ((*VERSION, "commitment"), "-1", "plans[0].versions[0].commitment"),
        ((*VERSION, "late_usage"), "sometimes", "plans[0].versions[0].late_usage"),
        ((*VERSION, "late_usage"), "settings", "plans[0].versions[0].late_waive_under"),
        ((*VERSION, "late_waive_under"), "0.001", "plans[0].versions[0].late_waive_under"),
        ((*VERSION, "thresholds"), ["500", "200"], "plans[0].versions[0].thresholds"),
        ((*VERSION, "thresholds"), ["0"], "plans[0].versions[0].thresholds"),
        ((*VERSION, "thresholds"), ["0.001"], "plans[0].versions[0].thresholds"),
        ((*VERSION, "thresholds"), "200", "plans[0].versions[0].thresholds"),
        ((*VERSION, "threshold_step"), "-1", "plans[0].versions[0].threshold_step"),
        ((*VERSION, "trial_days"), 731, "plans[0].versions[0].trial_days"),
        ((*VERSION, "interval"), "fortnight", "plans[0].versions[0].interval"),
        ((*VERSION, "offered_from"), "2026-03-01", "plans[0].versions[0].offered_from"),
        ((*VERSION, "offered_from"), "soon", "plans[0].versions[0].offered_from"),
        (("plans", 0, "slug"), "no spaces", "plans[0].slug"),
        (("plans", 0, "rank"), "20", "plans[0].rank"),
        (("plans", 0, "versions"), [], "plans[0].versions"),
        (("plans",), [], "plans"),
        (("meters", 0, "unit"), "", "meters[0].unit"),
        (("meters", 0, "aggregation"), "product", "meters[0].aggregation"),
        (("extra",), 1, "extra"),
    ],
)
def test_a_fault_is_told_with_its_place_and_nothing_is_imported(path, value, place):
    assert list_faults(change(*path, to=value)) == [place]
    assert not Plan.objects.exists()
    assert meters.list_meters() == []


def test_one_fault_does_not_hide_the_others():
    faulty = change(*VERSION, "prices", 0, "unit_amount", to="-1")
    faulty["plans"][0]["versions"][0]["limits"][0]["quantity"] = "many"
    other = deepcopy(CATALOGUE["plans"][0]) | {"versions": [{"currency": "EUR", "prices": [{"model": "flat"}]}]}
    faulty["plans"].append(other)
    assert list_faults(faulty) == [
        "plans[0].versions[0].prices[0].unit_amount",
        "plans[0].versions[0].limits[0].quantity",
        "plans[1].versions[0].prices[0].description",
        "plans[1].slug",
        "plans[1].rank",
    ]


def test_two_versions_in_one_currency_are_refused():
    twice = deepcopy(CATALOGUE)
    twice["plans"][0]["versions"] *= 2
    assert list_faults(twice) == ["plans[0].versions[1].currency"]


def test_a_meter_that_is_there_must_count_the_same_and_a_rank_be_free():
    make_plan("starter", rank=20)  # with a meter of requests
    faulty = change("meters", 0, "event_type", to="api.call")
    assert list_faults(faulty) == ["meters[0]", "plans[0].rank"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plans": [], "plans": []}', '{"plans": NaN}', "[" * 100_000])
def test_what_is_no_catalogue_is_refused(text):
    with pytest.raises(InvalidCatalogue):
        import_catalogue(text, at=JAN)


def call(file, *options):
    out = StringIO()
    call_command("import_prices", str(file), *options, stdout=out)
    return out.getvalue()


def test_the_command_shows_what_it_did_in_a_table(tmp_path):
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(change(*VERSION, "offered_from", to="2999-01-01T00:00:00Z")), encoding="utf-8")
    dry = call(file, "--dry-run")
    assert dry.splitlines() == [
        "new meter: requests",
        "plan    currency  version  what happens  on offer from",
        "growth  EUR       1        new plan      2999-01-01 00:00 UTC",
        "    + Base fee: €49.00 per period",
        "    + Requests: €0.002 for 1 request up to 10,000 requests; €0.001 for 1 request above",
        "This was a dry run: nothing was changed.",
    ]
    assert not Plan.objects.exists()
    assert call(file) + dry.splitlines()[-1] + "\n" == dry
    assert Plan.objects.get().slug == "growth"


def test_the_command_tells_every_fault_with_its_place(tmp_path):
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(change(*VERSION, "prices", 1, "meter", to="calls")), encoding="utf-8")
    with pytest.raises(CommandError, match=r"Nothing was imported.\nplans\[0\].versions\[0\].prices\[1\].meter: "):
        call(file)
    with pytest.raises(CommandError, match=r"missing\.json"):
        call(tmp_path / "missing.json")


@pytest.mark.parametrize("name", ["aws-like", "snowflake-like"])
def test_a_template_is_imported_by_its_name(name):
    assert "new plan" in call(name)
    assert "unchanged" in call(name)
