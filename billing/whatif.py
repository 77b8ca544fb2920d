"""What customers would have paid under another plan version: their real past periods, rated by the invoice's function.

Both sides are rated anew from the same readings, each by its own terms, so that late usage counts on both. What is
compared is what plans ask (`plan_costs`): items, taxes, discounts and wallets stay out of it.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from django.db.models import QuerySet

from billing import plans, profiles
from billing.lines import TOO_MUCH
from billing.models import PlanVersion, Subscription
from billing.past_usage import PastPeriod, find_part, list_past_periods, read_past_usage
from billing.plan_costs import UsedPeriod, bill_plan
from billing.plans import PlanTerms, check_version, describe_version, load_versions
from metering import accounts

CHUNK = 250  # subscriptions that are in memory at once, with what they used
MOST_PERIODS = 36


class UnknownVersion(LookupError):
    """The plan has no version of that number."""


class Skip(StrEnum):
    """Why a subscription is not compared."""

    NO_PERIOD = "no_period"  # none of its periods is over, or all were free
    OTHER_CURRENCY = "other_currency"
    OTHER_INTERVAL = "other_interval"  # a year's fee says nothing of a month
    PRUNED = "pruned"  # the prices look at events that were dropped
    TOO_LARGE = "too_large"  # more than an invoice can hold


@dataclass(frozen=True, slots=True)
class Question:
    """Whose past is asked about: of one account, of the subscribers of one plan, or of everybody.

    `version_id` may be a draft's. Of each subscription that has not ended the last `periods` that ended by `at` are
    taken, or as many as there are.
    """

    version_id: int
    at: datetime
    periods: int = 3
    account_id: int | None = None
    from_plan: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.periods <= MOST_PERIODS:
            raise ValueError(f"Between 1 and {MOST_PERIODS} periods can be compared, not {self.periods}.")


@dataclass(frozen=True, slots=True)
class PeriodOutcome:
    """[start, end) in the currency's smallest unit: on the terms that hold, and on those asked about."""

    start: datetime
    end: datetime
    current_minor: int
    proposed_minor: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One subscription. Where it was skipped there are no periods."""

    account_id: int
    account_key: str
    account_name: str
    plan_slug: str
    plan_name: str
    version_number: int
    periods: tuple[PeriodOutcome, ...] = ()
    skip: Skip | None = None

    @property
    def current_minor(self) -> int:
        return sum(period.current_minor for period in self.periods)

    @property
    def proposed_minor(self) -> int:
        return sum(period.proposed_minor for period in self.periods)

    @property
    def change_minor(self) -> int:
        """Above zero the customer would have paid more."""
        return self.proposed_minor - self.current_minor


@dataclass(slots=True)
class Summary:
    """What outcomes come to, added one by one. Winners would have paid less, losers more."""

    winners: int = 0
    losers: int = 0
    unchanged: int = 0
    current_minor: int = 0
    proposed_minor: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def compared(self) -> int:
        return self.winners + self.losers + self.unchanged

    @property
    def change_minor(self) -> int:
        """How much more revenue there would have been."""
        return self.proposed_minor - self.current_minor

    def add(self, outcome: Outcome) -> None:
        if outcome.skip is not None:
            self.skipped[outcome.skip.value] += 1
            return
        self.winners += outcome.change_minor < 0
        self.losers += outcome.change_minor > 0
        self.unchanged += outcome.change_minor == 0
        self.current_minor += outcome.current_minor
        self.proposed_minor += outcome.proposed_minor


def find_version(slug: str, number: int | None = None) -> int:
    """The id of a plan's version, also of a draft; without a number of that on offer.

    Raises UnknownPlan, UnknownVersion.
    """
    if number is None:
        return plans.find_plan(slug).version_id
    version = PlanVersion.objects.filter(plan__slug=slug, number=number).first()
    if version is None:
        raise UnknownVersion(f"There is no version {number} of a plan {slug!r}.")
    return version.pk


def read_proposal(version_id: int) -> PlanTerms:
    """The terms of a version, also of a draft, if they can be charged. Raises InvalidPlan, PlanVersion.DoesNotExist."""
    version = load_versions().get(pk=version_id)
    check_version(version)
    return describe_version(version)


def count_asked(question: Question) -> int:
    """How many subscriptions compare_versions will look at."""
    return select_subscriptions(question).count()


def compare_versions(question: Question) -> Iterator[Outcome]:
    """Each subscription that was asked about, compared or skipped, in the order of their ids.

    A fixed number of statements for each CHUNK of them, and no more than that in memory. Raises InvalidPlan where the
    version cannot be charged, PlanVersion.DoesNotExist.
    """
    proposed = read_proposal(question.version_id)
    known: dict[int, PlanTerms] = {proposed.version_id: proposed}
    last = 0
    while chunk := list(select_subscriptions(question).filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield from compare_chunk(chunk, proposed, known, question)
        last = chunk[-1].pk


def select_subscriptions(question: Question) -> QuerySet[Subscription]:
    chosen = Subscription.objects.filter(ended_at__isnull=True, started_at__lte=question.at)
    if question.account_id is not None:
        chosen = chosen.filter(account_id=question.account_id)
    if question.from_plan:
        chosen = chosen.filter(version__plan__slug=question.from_plan)
    return chosen


def compare_chunk(
    chunk: Sequence[Subscription], proposed: PlanTerms, known: dict[int, PlanTerms], question: Question
) -> Iterator[Outcome]:
    past = list_past_periods([each.pk for each in chunk], count=question.periods, at=question.at)
    learn_versions({period.version_id for periods in past.values() for period in periods}, known)
    learn_versions({each.version_id for each in chunk}, known)
    owners = {each.account_id for each in chunk}
    refs, zones = accounts.read_accounts(owners), profiles.read_profiles(owners)
    skips = {pk: find_skip([known[each.version_id] for each in periods], proposed) for pk, periods in past.items()}
    compared = [period for pk, periods in past.items() if skips[pk] is None for period in periods]
    terms = [proposed, *(known[version_id] for version_id in {period.version_id for period in compared})]
    used = read_past_usage(compared, {price for each in terms for price in each.prices})
    for each in chunk:
        account, now, skip = refs[each.account_id], known[each.version_id], skips[each.pk]
        outcomes: tuple[PeriodOutcome, ...] = ()
        if skip is None:
            zone = zones[each.account_id].time_zone if each.account_id in zones else "UTC"
            pairs = [
                (known[period.version_id], add_part(period, used[period], known[period.version_id], zone=zone))
                for period in past[each.pk]
            ]
            outcomes, skip = compare_periods(pairs, proposed)
        yield Outcome(
            account_id=account.id,
            account_key=account.key,
            account_name=account.name,
            plan_slug=now.slug,
            plan_name=now.name,
            version_number=now.version_number,
            periods=outcomes,
            skip=skip,
        )


def add_part(period: PastPeriod, used: UsedPeriod | None, terms: PlanTerms, *, zone: str) -> UsedPeriod | None:
    return used and replace(used, part=find_part(period, terms, zone=zone))


def learn_versions(version_ids: Collection[int], known: dict[int, PlanTerms]) -> None:
    if new := [version_id for version_id in version_ids if version_id not in known]:
        known.update((version.pk, describe_version(version)) for version in load_versions().filter(pk__in=new))


def find_skip(versions: Sequence[PlanTerms], proposed: PlanTerms) -> Skip | None:
    """Whether periods of these versions can be compared with the proposed one."""
    if not versions:
        return Skip.NO_PERIOD
    if any(version.currency != proposed.currency for version in versions):
        return Skip.OTHER_CURRENCY
    if any(version.periods.interval is not proposed.periods.interval for version in versions):
        return Skip.OTHER_INTERVAL
    return None


def compare_periods(
    periods: Sequence[tuple[PlanTerms, UsedPeriod | None]], proposed: PlanTerms
) -> tuple[tuple[PeriodOutcome, ...], Skip | None]:
    """All of the periods, or none of them and why."""
    outcomes = []
    try:
        for current, used in periods:
            if used is None:
                return (), Skip.PRUNED
            outcomes.append(compare_period(current, proposed, used))
    except TOO_MUCH:
        return (), Skip.TOO_LARGE
    return tuple(outcomes), None


def compare_period(current: PlanTerms, proposed: PlanTerms, used: UsedPeriod) -> PeriodOutcome:
    """Raises AmountTooLarge, InvalidQuantity."""
    before = bill_plan(current, used).total_minor
    after = before if proposed.version_id == current.version_id else bill_plan(proposed, used).total_minor
    return PeriodOutcome(used.start, used.end, before, after)
