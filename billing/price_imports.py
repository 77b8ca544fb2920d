"""Importing a catalogue: what a file says becomes meters, plans and published versions, all of it or nothing.

Idempotent by content: a version that says what the last one of its plan and currency says is not made again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from django.db import transaction

from billing import plans
from billing.catalogue_files import CatalogueFile, Faults, MeterEntry, PlanEntry, VersionEntry, parse_catalogue
from billing.models import Plan, PlanVersion
from billing.plans import PlanTerms, check_limit, describe_version, load_versions
from billing.rating import ChargedBy, PriceTerms
from billing.wording import explain_price
from metering import meters

TEMPLATES = Path(__file__).parent / "catalogues"
KEPT = ("periods", "commitment_minor", "included_credit_minor", "limits", "add_ons", "late", "thresholds")


class Action(StrEnum):
    """What becomes of a version of the file."""

    NEW_PLAN = "new plan"
    NEW_VERSION = "new version"
    PUBLISHED = "draft published"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """A version of the file: what becomes of it, under which number, and each term that is not as it was."""

    slug: str
    currency: str
    number: int
    action: Action
    offered_from: datetime | None
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was done, or in a dry run would be."""

    new_meters: tuple[str, ...]
    renamed: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def is_idle(self) -> bool:
        return (
            not self.new_meters
            and not self.renamed
            and all(change.action is Action.UNCHANGED for change in self.changes)
        )


def list_templates() -> list[str]:
    """The catalogues that come with the project."""
    return sorted(path.stem for path in TEMPLATES.glob("*.json"))


def read_template(name: str) -> str:
    """The text of one of them. Raises KeyError."""
    if name not in list_templates():
        raise KeyError(name)
    return (TEMPLATES / f"{name}.json").read_text(encoding="utf-8")


@transaction.atomic
def import_catalogue(text: str, *, at: datetime, is_dry: bool = False) -> ImportReport:
    """Put the file in place at once, or nothing of it. A dry run does the same and takes it all back.

    The same file a second time changes nothing. Raises InvalidCatalogue with every fault.
    """
    entries = parse_catalogue(text)
    faults = Faults()
    # Whatever is refused in a savepoint leaves the rest to be looked at, so that its faults are told as well.
    with transaction.atomic():
        report = store_catalogue(entries, faults, at=at)
        if faults.found or is_dry:
            transaction.set_rollback(True)
    faults.finish()
    return report


def store_catalogue(entries: CatalogueFile, faults: Faults, *, at: datetime) -> ImportReport:
    new_meters = [each.key for each in entries.meters if store_meter(each, faults, at=at)]
    refused = {each.key for each in entries.meters} - {each.key for each in meters.list_meters()}
    renamed: list[str] = []
    changes: list[Change] = []
    for plan in entries.plans:
        with faults.at(plan.place), transaction.atomic():
            stored, was_known = store_plan(plan)
            renamed += [plan.slug] if was_known and update_plan(stored, plan) else []
            for version in plan.versions:
                if not has_known_meters(version, faults, refused):
                    continue
                with faults.at(version.place), transaction.atomic():
                    changes.append(store_version(stored, version, was_known=was_known, at=at))
    return ImportReport(tuple(new_meters), tuple(renamed), tuple(changes))


def store_meter(entry: MeterEntry, faults: Faults, *, at: datetime) -> bool:
    """Whether it is new. One that is there must count the same."""
    with faults.at(entry.place), transaction.atomic():
        known = {each.key for each in meters.list_meters()}
        meters.create_meter(
            key=entry.key,
            name=entry.name,
            event_type=entry.event_type,
            aggregation=entry.aggregation,
            value=entry.value,
            unit=entry.unit,
            filter=entry.filter,
            dimensions=entry.dimensions,
            carries_over=entry.carries_over,
            at=at,
        )
        return entry.key not in known
    return False


def store_plan(entry: PlanEntry) -> tuple[Plan, bool]:
    """The plan, and whether it was there."""
    known = Plan.objects.select_for_update().filter(slug=entry.slug).first()
    if known is not None:
        return known, True
    taken = Plan.objects.filter(rank=entry.rank).first()
    if taken is not None:
        raise plans.InvalidPlan(f"The rank {entry.rank} is that of the plan {taken.slug}.", "rank")
    return Plan.objects.create(slug=entry.slug, name=entry.name, rank=entry.rank), False


def update_plan(plan: Plan, entry: PlanEntry) -> bool:
    """Name and rank are no terms: they follow the file."""
    if (plan.name, plan.rank) == (entry.name, entry.rank):
        return False
    if Plan.objects.filter(rank=entry.rank).exclude(pk=plan.pk).exists():
        raise plans.InvalidPlan(f"The rank {entry.rank} is that of another plan.", "rank")
    plan.name, plan.rank = entry.name, entry.rank
    plan.save(update_fields=["name", "rank"])
    return True


def has_known_meters(entry: VersionEntry, faults: Faults, refused: set[str]) -> bool:
    """Every unknown meter of the version is told, and every limit at fault, not only the first.

    Of the file's own meters that were refused, it was told already.
    """
    before = len(faults.found)
    named = [(price.meter_key, f"{entry.place}.prices[{number}]") for number, price in enumerate(entry.prices)]
    named += [(limit.meter_key, f"{entry.place}.limits[{number}]") for number, limit in enumerate(entry.limits)]
    for key, place in named:
        if key is not None and key not in refused:
            with faults.at(f"{place}.meter"):
                meters.find_meter(key)
    for number, limit in enumerate(entry.limits):
        with faults.at(entry.place):
            check_limit(limit, f"limits[{number}]")
    return len(faults.found) == before and refused.isdisjoint(key for key, _ in named if key is not None)


def store_version(plan: Plan, entry: VersionEntry, *, was_known: bool, at: datetime) -> Change:
    last = load_versions().filter(plan=plan, currency=entry.currency).order_by("-number").first()
    before = describe_version(last) if last is not None else None
    if last is not None and before is not None and last.retired_at is None and is_same(before, entry):
        return keep_version(last, before, entry, at=at)
    version_id = plans.add_version(
        plan_id=plan.pk,
        currency=entry.currency,
        prices=entry.prices,
        limits=entry.limits,
        periods=entry.periods,
        commitment_minor=entry.commitment_minor,
        included_credit_minor=entry.included_credit_minor,
        add_ons=entry.add_ons,
        late=entry.late,
        thresholds=entry.thresholds,
    )
    made = publish(version_id, entry, at=at)
    action = Action.NEW_VERSION if was_known else Action.NEW_PLAN
    return describe_change(made, action, tuple(list_differences(before, made)))


def keep_version(last: PlanVersion, before: PlanTerms, entry: VersionEntry, *, at: datetime) -> Change:
    if last.published_at is not None:
        return describe_change(before, Action.UNCHANGED, ())
    return describe_change(publish(last.pk, entry, at=at), Action.PUBLISHED, ())


def publish(version_id: int, entry: VersionEntry, *, at: datetime) -> PlanTerms:
    return plans.schedule_version(version_id, offered_from=max(at, entry.offered_from or at), at=at)


def describe_change(terms: PlanTerms, action: Action, details: tuple[str, ...]) -> Change:
    return Change(terms.slug, terms.currency, terms.version_number, action, terms.offered_from, details)


def is_same(before: PlanTerms, entry: VersionEntry) -> bool:
    """Limits are known by their meters, in whatever order a file has them."""
    limits = tuple(sorted(entry.limits, key=lambda limit: limit.meter_key))
    said = replace(entry, limits=limits)
    return before.prices == said.prices and all(getattr(before, name) == getattr(said, name) for name in KEPT)


def list_differences(before: PlanTerms | None, after: PlanTerms) -> list[str]:
    """Each price that is new, gone or another one, in words, then whatever else is not as it was."""
    old = {price.description: price for price in before.prices} if before else {}
    new = {price.description: price for price in after.prices}
    found = []
    for name, price in new.items():
        words = put_in_words(price, after.currency)
        if name not in old:
            found.append(f"+ {name}: {words}")
        elif old[name] != price:
            found.append(f"± {name}: {put_in_words(old[name], after.currency)} → {words}")
    found += [f"− {name}" for name in old if name not in new]
    if before is not None:
        changed = [name for name in KEPT if getattr(before, name) != getattr(after, name)]
        found += [f"± {name.removesuffix('_minor').replace('_', ' ')}" for name in changed]
    return found


def put_in_words(price: PriceTerms, currency: str) -> str:
    unit = meters.find_meter(price.meter_key).unit if price.meter_key else ""
    by_lines = ["charged by lines"] if price.charged_by is ChargedBy.LINES else []
    return "; ".join([*explain_price(price, unit, currency), *by_lines])
