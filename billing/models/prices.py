"""What a plan version charges: prices with their tiers, and their rows by dimension."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models.columns import PERCENT, QUANTITY, UNIT_PRICE
from billing.models.plans import PlanVersion
from billing.rating import ChargedBy, PriceModel, Rounding, trim

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
CHARGED_BY = [
    (ChargedBy.AUTOMATIC.value, _("Stripe's meters where they can, else lines")),
    (ChargedBy.LINES.value, _("lines of our own")),
]
TIERED = [PriceModel.GRADUATED.value, PriceModel.VOLUME.value, PriceModel.GRADUATED_PERCENTAGE.value]


class Price(models.Model):
    """One charge of a plan version."""

    version = models.ForeignKey(PlanVersion, models.CASCADE, related_name="prices", verbose_name=_("version"))
    position = models.PositiveIntegerField(_("position"))
    description = models.CharField(_("description"), max_length=120)
    model = models.CharField(_("model"), max_length=20, choices=PRICE_MODELS)
    meter = models.ForeignKey(
        "metering.Meter", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("meter")
    )
    unit_amount = models.DecimalField(_("price of a unit"), **UNIT_PRICE, null=True, blank=True)
    per_seat = models.BooleanField(
        _("per seat"), default=False, help_text=_("Whether a flat fee is asked for each seat of the subscription.")
    )
    included_units = models.DecimalField(
        _("included units"),
        **QUANTITY,
        default=0,
        help_text=_("Taken off before anything is charged and before tiers are counted."),
    )
    minimum = models.DecimalField(
        _("minimum"), **UNIT_PRICE, default=0, help_text=_("The least that the line comes to.")
    )
    cap = models.DecimalField(
        _("cap"), **UNIT_PRICE, null=True, blank=True, help_text=_("The most that the line comes to.")
    )
    first_tier_flat_at_zero = models.BooleanField(
        _("first tier's fee even where nothing was used"),
        default=False,
        help_text=_("Whether the first tier's flat amount is asked where nothing is charged."),
    )
    multiply_by = models.DecimalField(
        _("multiplied by"),
        **QUANTITY,
        null=True,
        blank=True,
        help_text=_("Converts what was metered to what is charged."),
    )
    divide_by = models.DecimalField(_("divided by"), **QUANTITY, null=True, blank=True)
    conversion_rounding = models.CharField(
        _("rounding of the conversion"), max_length=10, choices=ROUNDINGS, default=Rounding.HALF.value
    )
    conversion_places = models.PositiveSmallIntegerField(
        _("decimals kept"), default=12, help_text=_("Decimals of a converted quantity.")
    )
    conversion_unit = models.CharField(
        _("unit charged"), max_length=40, blank=True, help_text=_("What is charged, such as hour.")
    )
    package_size = models.DecimalField(_("size of a package"), **QUANTITY, null=True, blank=True)
    package_rounding = models.CharField(
        _("rounding of packages"), max_length=10, choices=ROUNDINGS, default=Rounding.UP.value
    )
    rate_percent = models.DecimalField(
        _("rate"), **PERCENT, null=True, blank=True, help_text=_("In percent: 1.5 takes 15 of a value of 1,000.")
    )
    transaction_fee = models.DecimalField(_("fee of a transaction"), **UNIT_PRICE, default=0)
    free_amount = models.DecimalField(
        _("free amount"), **QUANTITY, default=0, help_text=_("Value of which nothing is taken.")
    )
    free_transactions = models.PositiveIntegerField(_("free transactions"), default=0)
    transaction_minimum = models.DecimalField(_("least of a transaction"), **UNIT_PRICE, null=True, blank=True)
    transaction_maximum = models.DecimalField(_("most of a transaction"), **UNIT_PRICE, null=True, blank=True)
    dimensions = ArrayField(
        models.CharField(max_length=60),
        default=list,
        blank=True,
        help_text=_("The meter's dimensions it depends on."),
        verbose_name=_("dimensions"),
    )
    charged_by = models.CharField(
        _("charged through Stripe by"),
        max_length=10,
        choices=CHARGED_BY,
        default=ChargedBy.AUTOMATIC.value,
        help_text=_("Of accounts that are charged through Stripe; it changes nothing of what they pay."),
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
            models.CheckConstraint(
                condition=Q(per_seat=False) | Q(model="flat"),
                name="price_by_seat_is_a_flat_fee",
                violation_error_message=_("Only a flat fee is asked by seat."),
            ),
            models.CheckConstraint(
                condition=Q(charged_by__in=[each.value for each in ChargedBy]), name="price_charged_by_is_known"
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

    price = models.ForeignKey(Price, models.CASCADE, related_name="tiers", verbose_name=_("price"))
    position = models.PositiveIntegerField(_("position"))
    up_to = models.DecimalField(
        _("up to"), **QUANTITY, null=True, blank=True, help_text=_("Inclusive; empty in the last tier.")
    )
    unit_amount = models.DecimalField(_("price of a unit"), **UNIT_PRICE, default=0)
    flat_amount = models.DecimalField(
        _("fee of the tier"), **UNIT_PRICE, default=0, help_text=_("Charged once when the tier is entered.")
    )
    rate_percent = models.DecimalField(
        _("rate"),
        **PERCENT,
        null=True,
        blank=True,
        help_text=_("Of a graduated percentage, in place of the price of a unit."),
    )
    package_size = models.DecimalField(
        _("size of a package"),
        **QUANTITY,
        null=True,
        blank=True,
        help_text=_("Units that are charged together; empty for single ones."),
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

    price = models.ForeignKey(Price, models.CASCADE, related_name="rows", verbose_name=_("price"))
    position = models.PositiveIntegerField(_("position"))
    values = ArrayField(
        models.CharField(max_length=200),
        help_text=_("In the order of the price's dimensions."),
        verbose_name=_("values"),
    )
    unit_amount = models.DecimalField(_("price of a unit"), **UNIT_PRICE)

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
