"""The demo's meters and plans: small numbers, because the log is one small site's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.plans import PlanLimitTerms, PlanTerms, create_plan, list_plans
from billing.rating import PriceTerms, TierTerms, flat_fee, graduated, per_unit
from metering.importers import create_missing_meters

REQUESTS, BANDWIDTH = "requests", "bandwidth"
EURO_PER_BYTE = Decimal("0.00000005")  # €0.05 a megabyte
MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan of the demo: euros a month, what it allows, and what a request costs after the included ones."""

    name: str
    fee: int
    requests: int
    megabytes: int
    included: int
    first_fifty: str = "0"
    further: str = "0"

    @property
    def limits(self) -> list[PlanLimitTerms]:
        return [
            PlanLimitTerms(REQUESTS, Decimal(self.requests)),
            PlanLimitTerms(BANDWIDTH, Decimal(self.megabytes * MEGABYTE)),
        ]

    @property
    def prices(self) -> list[PriceTerms]:
        fee = flat_fee(f"{self.name} plan", Decimal(self.fee))
        if not self.fee:
            return [fee]
        tiers = [TierTerms(Decimal(50), Decimal(self.first_fifty)), TierTerms(None, Decimal(self.further))]
        included = Decimal(self.included)
        return [
            fee,
            graduated("Requests", meter_key=REQUESTS, tiers=tiers, included_units=included),
            per_unit("Bandwidth", meter_key=BANDWIDTH, unit_amount=EURO_PER_BYTE),
        ]


OFFERS = [
    Offer("Free", 0, requests=15, megabytes=25, included=15),
    Offer("Starter", 19, requests=40, megabytes=50, included=30, first_fifty="0.05", further="0.04"),
    Offer("Team", 49, requests=100, megabytes=100, included=75, first_fifty="0.04", further="0.03"),
    Offer("Business", 149, requests=250, megabytes=160, included=200, first_fifty="0.03", further="0.02"),
    Offer("Scale", 299, requests=400, megabytes=400, included=300, first_fifty="0.02", further="0.01"),
    Offer("Enterprise", 699, requests=1000, megabytes=1000, included=600, first_fifty="0.01", further="0.008"),
]


def seed_catalogue(*, at: datetime) -> list[PlanTerms]:
    """Put the demo's meters and plans in place, and return the plans. A second call changes nothing."""
    create_missing_meters(at=at)
    known = {plan.slug for plan in list_plans(at=at)}
    for rank, offer in enumerate(OFFERS, start=1):
        slug = offer.name.lower()
        if slug not in known:
            create_plan(
                slug=slug,
                name=offer.name,
                rank=rank,
                currency="EUR",
                prices=offer.prices,
                limits=offer.limits,
                at=at,
            )
    return list_plans(at=at)


def fit_plan(plans: Sequence[PlanTerms], requests: int) -> PlanTerms:
    """The smallest plan whose limit is at least nine tenths of the requests; the largest when none is."""
    for plan in plans:
        allowed = next(limit.quantity for limit in plan.limits if limit.meter_key == REQUESTS)
        if requests * 9 <= allowed * 10:
            return plan
    return plans[-1]
