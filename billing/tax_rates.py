"""Which taxes there are, and who bears which of them."""

from collections.abc import Collection, Iterable
from decimal import Decimal

from django.db import transaction

from billing.models import BillingProfile, TaxRate
from billing.taxes import TaxTerms


def create_tax_rate(*, name: str, percent: Decimal, is_inclusive: bool = False, country: str = "") -> int:
    """The id of the tax of that name and these numbers; a second call finds the first one's. Raises InvalidTax."""
    terms = TaxTerms(name, percent, is_inclusive)
    rate, _ = TaxRate.objects.get_or_create(
        name=terms.name, percent=terms.percent, is_inclusive=terms.is_inclusive, country=country
    )
    return rate.pk


@transaction.atomic
def set_tax_rates(*, account_id: int, rate_ids: Iterable[int]) -> None:
    """Say which taxes the account's invoices bear from now on, instead of those before; none when it is exempt.

    Raises BillingProfile.DoesNotExist.
    """
    BillingProfile.objects.select_for_update().get(account_id=account_id).tax_rates.set(rate_ids)


def read_taxes(account_ids: Collection[int]) -> dict[int, tuple[TaxTerms, ...]]:
    """account id → its taxes, in the order in which documents show them; none without a profile. One query."""
    found: dict[int, tuple[TaxTerms, ...]] = dict.fromkeys(account_ids, ())
    borne = TaxRate.objects.filter(profiles__in=account_ids).values_list("profiles", "name", "percent", "is_inclusive")
    terms: dict[tuple[str, Decimal, bool], TaxTerms] = {}
    for account_id, name, percent, is_inclusive in borne:
        key = (name, percent, is_inclusive)
        if key not in terms:
            terms[key] = TaxTerms(name, percent, is_inclusive)
        found[account_id] += (terms[key],)
    return found
