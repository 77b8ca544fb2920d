from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from billing.add_on_models import AddOn as AddOn
from billing.columns import EXACT_AMOUNT, PERCENT, QUANTITY, UNIT_PRICE
from billing.coupon_models import Coupon as Coupon
from billing.coupon_models import CouponDuration as CouponDuration
from billing.coupon_models import Discount as Discount
from billing.credit_models import CreditEntry as CreditEntry
from billing.credit_models import CreditGrant as CreditGrant
from billing.credit_models import CreditKind as CreditKind
from billing.credit_models import CreditSource as CreditSource
from billing.credit_models import TopUp as TopUp
from billing.credit_models import TopUpRule as TopUpRule
from billing.document_models import CreditDestination as CreditDestination
from billing.document_models import CreditNote as CreditNote
from billing.document_models import CreditNoteLine as CreditNoteLine
from billing.document_models import InvoiceMove as InvoiceMove
from billing.document_models import Payment as Payment
from billing.document_models import Reminder as Reminder
from billing.item_models import InvoiceItem as InvoiceItem
from billing.item_models import ItemKind as ItemKind
from billing.periods import Anchoring, Interval
from billing.proration import Proration
from billing.rating import PriceModel, Rounding, trim
from billing.subscription_models import SubscriptionChange as SubscriptionChange
from billing.subscription_models import SubscriptionMove as SubscriptionMove
from billing.validators import validate_country, validate_currency, validate_time_zone

IS_COUNTRY = "^[A-Z]{2}$"


class TaxRate(models.Model):
    """One tax, such as a country's VAT. Its numbers never change, by trigger: a new percentage is a new rate."""

    name = models.CharField(max_length=60, help_text=_("As documents show it, such as VAT."))
    country = models.CharField(
        max_length=2, blank=True, validators=[validate_country], help_text=_("ISO 3166, such as FR.")
    )
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    is_inclusive = models.BooleanField(
        _("inclusive"), default=False, help_text=_("Prices hold this tax already; it is taken out of them.")
    )

    class Meta:
        ordering = ["country", "name", "pk"]
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        constraints = [
            models.UniqueConstraint(fields=["country", "name", "percent", "is_inclusive"], name="tax_rate_once"),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="tax_rate_is_a_percentage"),
            models.CheckConstraint(
                condition=Q(country="") | Q(country__regex=IS_COUNTRY), name="tax_rate_country_is_a_code"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="tax_rate_has_a_name"),
        ]

    def __str__(self) -> str:
        text = f"{self.name} {trim(self.percent):f} %"
        return f"{self.country} {text}" if self.country else text


class BillingProfile(models.Model):
    """Who pays for an account, whose midnight ends its periods, and which taxes its invoices bear."""

    account = models.OneToOneField("metering.Account", models.PROTECT, primary_key=True, related_name="+")
    legal_name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    time_zone = models.CharField(
        max_length=60,
        default="UTC",
        validators=[validate_time_zone],
        help_text=_("A name such as Europe/Paris. Periods not yet opened follow a change."),
    )
    country = models.CharField(
        max_length=2, blank=True, validators=[validate_country], help_text=_("ISO 3166, such as FR.")
    )
    tax_number = models.CharField(
        max_length=40, blank=True, help_text=_("What the tax office knows the customer by, such as a VAT number.")
    )
    tax_rates = models.ManyToManyField(
        TaxRate,
        blank=True,
        related_name="profiles",
        verbose_name=_("tax rates"),
        help_text=_("Asked on every line of the invoices to come; none for a customer who is exempt."),
    )

    class Meta:
        verbose_name = _("billing profile")
        verbose_name_plural = _("billing profiles")
        constraints = [
            models.CheckConstraint(
                condition=Q(country="") | Q(country__regex=IS_COUNTRY), name="billing_profile_country_is_a_code"
            ),
        ]

    def __str__(self) -> str:
        return self.legal_name


class Plan(models.Model):
    """A named offer. What it costs is in its versions."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    rank = models.PositiveIntegerField(unique=True, help_text=_("Order of the plans, smallest first."))

    class Meta:
        ordering = ["rank"]
        verbose_name = _("plan")
        verbose_name_plural = _("plans")

    def __str__(self) -> str:
        return self.name


INTERVALS = [
    (Interval.DAY.value, _("day")),
    (Interval.WEEK.value, _("week")),
    (Interval.MONTH.value, _("month")),
    (Interval.QUARTER.value, _("quarter")),
    (Interval.HALF_YEAR.value, _("half-year")),
    (Interval.YEAR.value, _("year")),
]
ANCHORINGS = [
    (Anchoring.CALENDAR.value, _("with the calendar")),
    (Anchoring.ANNIVERSARY.value, _("from the subscription's anchor")),
]
PRORATIONS = [(Proration.SECOND.value, _("by second")), (Proration.DAY.value, _("by day"))]
LONGEST_TRIAL_DAYS = 730


class PlanVersion(models.Model):
    """Prices, limits and periods as once published. Immutable by trigger from then on; subscribers stay on theirs.

    It can be had from `offered_from` until it is retired, which alone can still be said of it later.
    """

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    currency = models.CharField(max_length=3, validators=[validate_currency], help_text=_("ISO 4217, such as EUR."))
    interval = models.CharField(
        max_length=10, choices=INTERVALS, default=Interval.MONTH.value, help_text=_("How long a period is.")
    )
    anchoring = models.CharField(
        max_length=12, choices=ANCHORINGS, default=Anchoring.CALENDAR.value, help_text=_("Where periods begin.")
    )
    proration = models.CharField(
        max_length=10,
        choices=PRORATIONS,
        default=Proration.SECOND.value,
        help_text=_("How a fee is cut when a subscription changes within a period."),
    )
    trial_days = models.PositiveSmallIntegerField(default=0, help_text=_("Free days at the start; 0 for none."))
    commitment_minor = models.BigIntegerField(
        _("commitment"), default=0, help_text=_("What each period comes to at least, in the smallest unit.")
    )
    included_credit_minor = models.BigIntegerField(
        _("included credit"), default=0, help_text=_("Credit granted for each period, in the smallest unit.")
    )
    published_at = models.DateTimeField(null=True, blank=True)
    offered_from = models.DateTimeField(
        null=True, blank=True, help_text=_("Who subscribes from then on gets this version.")
    )
    retired_at = models.DateTimeField(null=True, blank=True, help_text=_("Not on offer from then on."))

    class Meta:
        verbose_name = _("plan version")
        verbose_name_plural = _("plan versions")
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_version_numbered_once"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="plan_version_currency_is_a_code"),
            models.CheckConstraint(
                condition=Q(interval__in=[each.value for each in Interval]), name="plan_version_interval_is_known"
            ),
            models.CheckConstraint(
                condition=Q(anchoring__in=[each.value for each in Anchoring]), name="plan_version_anchoring_is_known"
            ),
            models.CheckConstraint(
                condition=Q(proration__in=[each.value for each in Proration]), name="plan_version_proration_is_known"
            ),
            models.CheckConstraint(
                condition=Q(trial_days__gte=0, trial_days__lte=LONGEST_TRIAL_DAYS),
                name="plan_version_trial_is_not_too_long",
            ),
            models.CheckConstraint(
                condition=Q(commitment_minor__gte=0, included_credit_minor__gte=0),
                name="plan_version_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True, offered_from__isnull=True, retired_at__isnull=True)
                | Q(published_at__isnull=False, offered_from__isnull=False, offered_from__gte=F("published_at")),
                name="plan_version_offered_once_published",
            ),
            models.CheckConstraint(
                condition=Q(retired_at__isnull=True) | Q(retired_at__gte=F("published_at")),
                name="plan_version_retired_once_published",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.number}"


PRICE_MODELS = [
    (PriceModel.FLAT.value, _("flat fee")),
    (PriceModel.PER_UNIT.value, _("per unit")),
    (PriceModel.GRADUATED.value, _("graduated")),
    (PriceModel.VOLUME.value, _("volume")),
    (PriceModel.PACKAGE.value, _("by package")),
    (PriceModel.PERCENTAGE.value, _("percentage")),
    (PriceModel.GRADUATED_PERCENTAGE.value, _("graduated percentage")),
    (PriceModel.DIMENSION.value, _("by dimension")),
]
ROUNDINGS = [
    (Rounding.UP.value, _("up")),
    (Rounding.HALF.value, _("half up")),
    (Rounding.DOWN.value, _("down")),
]
TIERED = [PriceModel.GRADUATED.value, PriceModel.VOLUME.value, PriceModel.GRADUATED_PERCENTAGE.value]


class Price(models.Model):
    """One charge of a plan version."""

    version = models.ForeignKey(PlanVersion, models.CASCADE, related_name="prices")
    position = models.PositiveIntegerField()
    description = models.CharField(max_length=120)
    model = models.CharField(max_length=20, choices=PRICE_MODELS)
    meter = models.ForeignKey("metering.Meter", models.PROTECT, null=True, blank=True, related_name="+")
    unit_amount = models.DecimalField(**UNIT_PRICE, null=True, blank=True)
    included_units = models.DecimalField(
        **QUANTITY, default=0, help_text=_("Taken off before anything is charged and before tiers are counted.")
    )
    minimum = models.DecimalField(**UNIT_PRICE, default=0, help_text=_("The least that the line comes to."))
    cap = models.DecimalField(**UNIT_PRICE, null=True, blank=True, help_text=_("The most that the line comes to."))
    first_tier_flat_at_zero = models.BooleanField(
        default=False, help_text=_("Whether the first tier's flat amount is asked where nothing is charged.")
    )
    multiply_by = models.DecimalField(
        **QUANTITY, null=True, blank=True, help_text=_("Converts what was metered to what is charged.")
    )
    divide_by = models.DecimalField(**QUANTITY, null=True, blank=True)
    conversion_rounding = models.CharField(max_length=10, choices=ROUNDINGS, default=Rounding.HALF.value)
    conversion_places = models.PositiveSmallIntegerField(default=12, help_text=_("Decimals of a converted quantity."))
    conversion_unit = models.CharField(max_length=40, blank=True, help_text=_("What is charged, such as hour."))
    package_size = models.DecimalField(**QUANTITY, null=True, blank=True)
    package_rounding = models.CharField(max_length=10, choices=ROUNDINGS, default=Rounding.UP.value)
    rate_percent = models.DecimalField(
        **PERCENT, null=True, blank=True, help_text=_("In percent: 1.5 takes 15 of a value of 1,000.")
    )
    transaction_fee = models.DecimalField(**UNIT_PRICE, default=0)
    free_amount = models.DecimalField(**QUANTITY, default=0, help_text=_("Value of which nothing is taken."))
    free_transactions = models.PositiveIntegerField(default=0)
    transaction_minimum = models.DecimalField(**UNIT_PRICE, null=True, blank=True)
    transaction_maximum = models.DecimalField(**UNIT_PRICE, null=True, blank=True)
    dimensions = ArrayField(
        models.CharField(max_length=60), default=list, blank=True, help_text=_("The meter's dimensions it depends on.")
    )

    class Meta:
        ordering = ["position"]
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="price_position_once"),
            models.CheckConstraint(
                condition=Q(model="flat", meter__isnull=True, unit_amount__isnull=False, included_units=0)
                | Q(model="per_unit", meter__isnull=False, unit_amount__isnull=False)
                | Q(model__in=["package", "dimension"], meter__isnull=False, unit_amount__isnull=False)
                | Q(model__in=TIERED, meter__isnull=False, unit_amount__isnull=True)
                | Q(model="percentage", meter__isnull=False, unit_amount__isnull=True, included_units=0),
                name="price_has_the_fields_of_its_model",
                violation_error_message=_(
                    "A flat fee has an amount and no meter; a per-unit price has a meter and an amount; "
                    "a graduated price has a meter, and its amounts in its tiers."
                ),
            ),
            models.CheckConstraint(
                condition=Q(model="package", package_size__isnull=False, package_size__gt=0)
                | ~Q(model="package") & Q(package_size__isnull=True),
                name="price_has_a_package_exactly_when_by_package",
                violation_error_message=_("A price by package has the size of one, and no other price has."),
            ),
            models.CheckConstraint(
                condition=Q(model="percentage", rate_percent__isnull=False)
                | ~Q(model="percentage")
                & Q(
                    rate_percent__isnull=True,
                    transaction_fee=0,
                    free_amount=0,
                    free_transactions=0,
                    transaction_minimum__isnull=True,
                    transaction_maximum__isnull=True,
                ),
                name="price_has_a_rate_exactly_when_percentage",
                violation_error_message=_("A percentage has a rate, and only it has terms of transactions."),
            ),
            models.CheckConstraint(
                condition=Q(model="dimension", dimensions__len__gt=0) | ~Q(model="dimension") & Q(dimensions=[]),
                name="price_has_dimensions_exactly_when_by_dimension",
                violation_error_message=_("A price by dimension names its dimensions, and no other price does."),
            ),
            models.CheckConstraint(
                condition=Q(
                    multiply_by__isnull=True, divide_by__isnull=True, conversion_unit="", conversion_places__lte=12
                )
                | ~Q(model__in=["flat", "percentage"])
                & Q(
                    multiply_by__isnull=False,
                    divide_by__isnull=False,
                    multiply_by__gt=0,
                    divide_by__gt=0,
                    conversion_places__lte=12,
                ),
                name="price_conversion_is_whole",
                violation_error_message=_(
                    "A conversion multiplies and divides by more than zero, to at most 12 decimals; a flat fee or a "
                    "percentage has none."
                ),
            ),
            models.CheckConstraint(
                condition=Q(minimum__gte=0)
                & (Q(cap__isnull=True) | Q(cap__gte=F("minimum")))
                & (~Q(model="flat") | Q(minimum=0, cap__isnull=True)),
                name="price_bounds_are_in_order",
                violation_error_message=_("The cap is not below the minimum, nor that below zero; a fee has neither."),
            ),
            models.CheckConstraint(
                condition=Q(first_tier_flat_at_zero=False) | Q(model__in=TIERED),
                name="price_first_tier_is_one_of_tiers",
            ),
            models.CheckConstraint(
                condition=(Q(rate_percent__isnull=True) | Q(rate_percent__gte=0))
                & Q(transaction_fee__gte=0, free_amount__gte=0)
                & (Q(transaction_minimum__isnull=True) | Q(transaction_minimum__gte=0))
                & (
                    Q(transaction_maximum__isnull=True)
                    | Q(transaction_maximum__gte=0)
                    & (Q(transaction_minimum__isnull=True) | Q(transaction_maximum__gte=F("transaction_minimum")))
                ),
                name="price_terms_of_transactions_not_negative",
                violation_error_message=_("Nothing of a transaction is below zero, nor its maximum below its minimum."),
            ),
            models.CheckConstraint(condition=Q(included_units__gte=0), name="price_included_units_not_negative"),
            models.CheckConstraint(
                condition=Q(unit_amount__isnull=True) | Q(unit_amount__gte=0), name="price_amount_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.description


class Tier(models.Model):
    """One step of a graduated price; `up_to` is inclusive and counts from the first unit that is charged."""

    price = models.ForeignKey(Price, models.CASCADE, related_name="tiers")
    position = models.PositiveIntegerField()
    up_to = models.DecimalField(**QUANTITY, null=True, blank=True, help_text=_("Inclusive; empty in the last tier."))
    unit_amount = models.DecimalField(**UNIT_PRICE, default=0)
    flat_amount = models.DecimalField(**UNIT_PRICE, default=0, help_text=_("Charged once when the tier is entered."))
    rate_percent = models.DecimalField(
        **PERCENT, null=True, blank=True, help_text=_("Of a graduated percentage, in place of the price of a unit.")
    )
    package_size = models.DecimalField(
        **QUANTITY, null=True, blank=True, help_text=_("Units that are charged together; empty for single ones.")
    )

    class Meta:
        ordering = ["position"]
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        constraints = [
            models.UniqueConstraint(fields=["price", "position"], name="tier_position_once"),
            models.UniqueConstraint(fields=["price", "up_to"], name="tier_end_once", nulls_distinct=False),
            models.CheckConstraint(condition=Q(up_to__isnull=True) | Q(up_to__gt=0), name="tier_ends_above_zero"),
            models.CheckConstraint(
                condition=Q(unit_amount__gte=0, flat_amount__gte=0), name="tier_amounts_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(rate_percent__isnull=True)
                | Q(rate_percent__gte=0, unit_amount=0, package_size__isnull=True),
                name="tier_has_a_rate_or_a_price",
                violation_error_message=_("A tier has a rate, or the price of a unit or a package."),
            ),
            models.CheckConstraint(
                condition=Q(package_size__isnull=True) | Q(package_size__gt=0), name="tier_package_above_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"≤ {trim(self.up_to):f}" if self.up_to is not None else "∞"


class PriceRow(models.Model):
    """What a unit costs where a price's dimensions have these values; its `unit_amount` holds for all others."""

    price = models.ForeignKey(Price, models.CASCADE, related_name="rows")
    position = models.PositiveIntegerField()
    values = ArrayField(models.CharField(max_length=200), help_text=_("In the order of the price's dimensions."))
    unit_amount = models.DecimalField(**UNIT_PRICE)

    class Meta:
        ordering = ["position"]
        verbose_name = _("row of a price by dimension")
        verbose_name_plural = _("rows of a price by dimension")
        constraints = [
            models.UniqueConstraint(fields=["price", "position"], name="price_row_position_once"),
            models.UniqueConstraint(fields=["price", "values"], name="price_row_values_once"),
            models.CheckConstraint(condition=Q(unit_amount__gte=0), name="price_row_amount_not_negative"),
        ]

    def __str__(self) -> str:
        return ", ".join(self.values)


class PlanLimit(models.Model):
    """How much of one meter a plan version allows in a period."""

    version = models.ForeignKey(PlanVersion, models.CASCADE, related_name="limits")
    meter = models.ForeignKey("metering.Meter", models.PROTECT, related_name="+")
    quantity = models.DecimalField(**QUANTITY)
    is_hard = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        constraints = [
            models.UniqueConstraint(fields=["version", "meter"], name="plan_limit_one_per_meter"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="plan_limit_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{trim(self.quantity):f}"


class SubscriptionState(models.TextChoices):
    TRIALING = "trialing", _("on trial")
    ACTIVE = "active", _("active")
    PAUSED = "paused", _("paused")
    ENDED = "ended", _("ended")


LIVE = [SubscriptionState.TRIALING.value, SubscriptionState.ACTIVE.value, SubscriptionState.PAUSED.value]


class Subscription(models.Model):
    """An account on a plan version, billed by the version's periods in the account's time zone.

    Of the anchor the day and the time of day recur, where the version does not go with the calendar. `plan` is that of
    the version, kept so by trigger. `next_version` takes over at `changes_at`, and at `cancels_at` it will end.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+")
    version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="subscriptions")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+", editable=False)
    state = models.CharField(max_length=10, choices=SubscriptionState.choices, default=SubscriptionState.ACTIVE)
    started_at = models.DateTimeField()
    anchor = models.DateTimeField(help_text=_("Periods that do not go with the calendar begin as this moment recurs."))
    trial_ends_at = models.DateTimeField(_("trial ends"), null=True, blank=True)
    next_version = models.ForeignKey(PlanVersion, models.PROTECT, null=True, blank=True, related_name="+")
    changes_at = models.DateTimeField(_("changes plan"), null=True, blank=True)
    cancels_at = models.DateTimeField(_("will end"), null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "plan"],
                condition=Q(state__in=LIVE),
                name="subscription_one_active_per_account_and_plan",
            ),
            models.CheckConstraint(
                condition=Q(state__in=LIVE, ended_at__isnull=True) | Q(state="ended", ended_at__isnull=False),
                name="subscription_has_an_end_exactly_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(next_version__isnull=True, changes_at__isnull=True)
                | Q(next_version__isnull=False, changes_at__isnull=False, state__in=["trialing", "active"]),
                name="subscription_change_is_planned_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state="trialing") | Q(trial_ends_at__isnull=False), name="subscription_trial_has_an_end"
            ),
            models.CheckConstraint(
                condition=Q(cancels_at__isnull=True) | ~Q(state="paused"), name="subscription_paused_does_not_run_out"
            ),
        ]
        indexes = [
            models.Index(fields=["trial_ends_at"], condition=Q(state="trialing"), name="subscription_on_trial"),
            models.Index(fields=["changes_at"], condition=Q(changes_at__isnull=False), name="subscription_to_change"),
            models.Index(fields=["cancels_at"], condition=Q(cancels_at__isnull=False), name="subscription_to_end"),
        ]

    def __str__(self) -> str:
        return f"{self.account} – {self.version}"


class Period(models.Model):
    """One billing period [starts_at, ends_at) of a subscription, billed by one plan version.

    A free one is billed to nobody. A prorated one began by a change in the middle of what its version calls a period:
    of the fees only that part is asked.
    """

    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="periods")
    version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="+")
    is_free = models.BooleanField(_("free"), default=False)
    is_prorated = models.BooleanField(_("prorated"), default=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("period")
        verbose_name_plural = _("periods")
        constraints = [
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="period_is_positive"),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("ends_at")), name="period_closed_after_its_end"
            ),
            ExclusionConstraint(
                name="periods_do_not_overlap",
                expressions=[
                    (Func("subscription_id", "subscription_id", template="int8range(%(expressions)s, '[]')"), "&&"),
                    (
                        Func(
                            "starts_at",
                            "ends_at",
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
        ]
        indexes = [models.Index(fields=["ends_at"], condition=Q(closed_at__isnull=True), name="period_open_by_end")]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d} – {self.ends_at:%Y-%m-%d}"


class InvoiceState(models.TextChoices):
    DRAFT = "draft", _("draft")
    ISSUED = "issued", _("issued")
    PAID = "paid", _("paid")
    UNCOLLECTIBLE = "uncollectible", _("uncollectible")
    VOID = "void", _("void")


class InvoiceSeries(models.Model):
    """The counter behind gap-free numbers; its row is locked while one is taken."""

    prefix = models.CharField(max_length=20, unique=True)
    last_number = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("invoice series")
        verbose_name_plural = _("invoice series")

    def __str__(self) -> str:
        return self.prefix


class InvoiceKind(models.TextChoices):
    PERIOD = "period", _("of a period")
    ONE_OFF = "one_off", _("one-off")
    THRESHOLD = "threshold", _("ahead of the period's end")


class Invoice(models.Model):
    """What an account owes. Frozen by trigger once issued; corrected only by another document.

    In smallest units: `subtotal_minor` is what its lines ask without tax and with discounts taken off, `total_minor`
    the same with tax, `credited_minor` what credit pays of it when it is issued, and `due_minor` what remains. One that
    comes to less than zero gives credit: there `credited_minor` is below zero as well, and nothing is due.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=InvoiceKind.choices, default=InvoiceKind.PERIOD)
    subscription = models.ForeignKey(Subscription, models.PROTECT, null=True, blank=True, related_name="invoices")
    period = models.ForeignKey(Period, models.PROTECT, null=True, blank=True, related_name="invoices")
    state = models.CharField(max_length=14, choices=InvoiceState.choices, default=InvoiceState.DRAFT)
    series = models.ForeignKey(InvoiceSeries, models.PROTECT, null=True)
    sequence = models.PositiveIntegerField(null=True)
    number = models.CharField(max_length=40, null=True, unique=True)  # noqa: DJ001 - a draft has none, and many are drafts
    currency = models.CharField(max_length=3)
    discount_minor = models.BigIntegerField(default=0)
    subtotal_minor = models.BigIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField(default=0)
    credited_minor = models.BigIntegerField(default=0)
    due_minor = models.BigIntegerField(default=0)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    customer_name = models.CharField(max_length=200)
    plan_name = models.CharField(max_length=140, blank=True)
    time_zone = models.CharField(max_length=60)
    issued_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        permissions = [
            ("issue_invoice", "Can issue drafts"),
            ("void_invoice", "Can make invoices void"),
            ("settle_invoice", "Can say that invoices are paid or given up"),
            ("credit_invoice", "Can issue credit notes"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["period"], condition=~Q(state="void") & Q(kind="period"), name="invoice_one_per_period"
            ),
            models.UniqueConstraint(fields=["series", "sequence"], name="invoice_sequence_once_per_series"),
            models.CheckConstraint(condition=Q(period_start__lt=F("period_end")), name="invoice_period_is_positive"),
            models.CheckConstraint(
                condition=Q(state="draft", number__isnull=True, issued_at__isnull=True)
                | (
                    ~Q(state="draft")
                    & Q(number__isnull=False, series__isnull=False, sequence__isnull=False, issued_at__isnull=False)
                ),
                name="invoice_numbered_exactly_once_issued",
            ),
            models.CheckConstraint(
                condition=Q(kind="one_off", period__isnull=True)
                | Q(kind__in=["period", "threshold"], subscription__isnull=False, period__isnull=False),
                name="invoice_has_the_period_of_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor")), name="invoice_total_is_net_and_tax"
            ),
            models.CheckConstraint(
                condition=Q(due_minor=F("total_minor") - F("credited_minor")), name="invoice_due_is_total_less_credit"
            ),
            models.CheckConstraint(
                condition=Q(credited_minor=0)
                | Q(credited_minor__gt=0, credited_minor__lte=F("total_minor"))
                | Q(credited_minor__lt=0, credited_minor=F("total_minor")),
                name="invoice_credit_is_within_the_total",
            ),
        ]
        indexes = [
            models.Index(fields=["subscription"], condition=Q(state="draft"), name="invoice_drafts"),
        ]

    def __str__(self) -> str:
        return self.number or "draft"


LINE_OF_PRICE = "price"


class InvoiceLine(models.Model):
    """One rounded amount of an invoice, with the steps that led to it; of a price of the plan, or of an item.

    `amount_minor` is what the price makes of the quantity. `discount_minor` is taken off it; then the taxes are taken
    out of it, where it held them, or added: `subtotal_minor` and `tax_minor` add up to `total_minor`.
    """

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    kind = models.CharField(
        max_length=12, choices=[(LINE_OF_PRICE, _("price")), *ItemKind.choices], default=LINE_OF_PRICE
    )
    description = models.CharField(max_length=200)
    meter = models.ForeignKey("metering.Meter", models.PROTECT, null=True, related_name="+")
    quantity = models.DecimalField(**QUANTITY)
    unit = models.CharField(max_length=40, blank=True)
    event_count = models.BigIntegerField(null=True, help_text=_("How many events the line prices."))
    detail = models.JSONField(
        default=dict, help_text=_("What else of the usage the price looked at: by dimension, or each transaction.")
    )
    steps = models.JSONField(default=list, help_text=_("Tier, quantity, unit price and exact amount of each step."))
    amount_exact = models.DecimalField(**EXACT_AMOUNT, help_text=_("Before the one rounding."))
    amount_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0)
    taxes = models.JSONField(default=list, help_text=_("Name, percentage and amount of each tax."))
    subtotal_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField()
    period_start = models.DateTimeField(null=True, help_text=_("What it is for, where that is not the invoice's."))
    period_end = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_once"),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor")), name="invoice_line_total_is_net_and_tax"
            ),
            models.CheckConstraint(
                condition=Q(discount_minor=0) | Q(discount_minor__gt=0, discount_minor__lte=F("amount_minor")),
                name="invoice_line_discount_is_within_the_amount",
            ),
        ]

    def __str__(self) -> str:
        return self.description
