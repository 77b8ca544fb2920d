"""Who pays for an account, in which time zone its periods end, and which taxes its invoices bear."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from billing.models import BillingProfile
from billing.models.profiles import find_language, list_languages
from billing.periods import find_zone
from billing.taxes import check_country
from metering import accounts, limits


class UnknownProfile(LookupError):
    """Nobody is known to pay for this account yet."""


class UnknownLanguage(ValueError):
    """Not one of settings.LANGUAGES."""


@dataclass(frozen=True, slots=True)
class ProfileFact:
    account_id: int
    legal_name: str
    email: str
    time_zone: str
    country: str = ""
    tax_number: str = ""
    address: str = ""
    language: str = "en"


@transaction.atomic
def set_profile(
    *,
    account_id: int,
    legal_name: str,
    email: str = "",
    time_zone: str = "UTC",
    country: str = "",
    tax_number: str = "",
    address: str = "",
    language: str = "",
) -> ProfileFact:
    """Say who pays for an account; a second call replaces the first. The taxes stay as they are: see set_tax_rates.

    `country` is a code of ISO 3166, `language` one of settings.LANGUAGES or empty for the default. A new time zone
    moves the end of periods that are not open yet, and is the clock by which alerts are told.
    Raises UnknownTimeZone, InvalidCountry, UnknownLanguage.
    """
    find_zone(time_zone)
    language = language or find_language()
    if language not in dict(list_languages()):
        raise UnknownLanguage(f"No document can be written in {language!r}.")
    if country:
        check_country(country)
    profile, _ = BillingProfile.objects.update_or_create(
        account_id=account_id,
        defaults={
            "legal_name": legal_name,
            "email": email,
            "time_zone": time_zone,
            "country": country,
            "tax_number": tax_number,
            "address": address,
            "language": language,
        },
    )
    limits.move_time_zone(account_id=account_id, time_zone=time_zone)
    return describe_profile(profile)


def read_profile(account_id: int) -> ProfileFact:
    """Raises UnknownProfile."""
    try:
        return describe_profile(BillingProfile.objects.get(account_id=account_id))
    except BillingProfile.DoesNotExist:
        raise UnknownProfile(f"Account {account_id} has no billing profile.") from None


def read_or_set_profile(account_id: int) -> ProfileFact:
    """The profile; when there is none yet, one in the account's own name with UTC months.

    Raises metering's UnknownAccount.
    """
    profile = BillingProfile.objects.filter(account_id=account_id).first()
    if profile is None:
        profile, _ = BillingProfile.objects.get_or_create(
            account_id=account_id, defaults={"legal_name": name_account(account_id)}
        )
    return describe_profile(profile)


def read_or_set_profiles(account_ids: Collection[int]) -> dict[int, ProfileFact]:
    """The same for many accounts, in three queries. Accounts that do not exist are left out."""
    known = set(BillingProfile.objects.filter(account_id__in=account_ids).values_list("account_id", flat=True))
    unnamed = accounts.read_accounts(set(account_ids) - known)
    BillingProfile.objects.bulk_create(
        [BillingProfile(account_id=each.id, legal_name=each.name or each.key) for each in unnamed.values()],
        ignore_conflicts=True,
    )
    return read_profiles(account_ids)


def read_profiles(account_ids: Collection[int]) -> dict[int, ProfileFact]:
    """Those that there are, by account id. One query."""
    profiles = BillingProfile.objects.filter(account_id__in=account_ids)
    return {profile.account_id: describe_profile(profile) for profile in profiles}


def lock_profile(account_id: int) -> None:
    """Whoever decides by several subscriptions of an account holds this until the transaction ends."""
    BillingProfile.objects.select_for_update(no_key=True).get(account_id=account_id)


def name_account(account_id: int) -> str:
    account = accounts.read_accounts([account_id]).get(account_id)
    if account is None:
        raise accounts.UnknownAccount(f"No account has the id {account_id}.")
    return account.name or account.key


def describe_profile(profile: BillingProfile) -> ProfileFact:
    return ProfileFact(
        account_id=profile.account_id,
        legal_name=profile.legal_name,
        email=profile.email,
        time_zone=profile.time_zone,
        country=profile.country,
        tax_number=profile.tax_number,
        address=profile.address,
        language=profile.language,
    )
