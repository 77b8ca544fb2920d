"""What is taken off prices: coupons, and the discounts that accounts and subscriptions have of them."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.validators import validate_currency


class CouponDuration(models.TextChoices):
    ONCE = "once", _("one period")
    REPEATING = "repeating", _("so many months")
    FOREVER = "forever", _("for ever")


class Coupon(models.Model):
    """Either so many percent off, or an amount off in one currency. Its terms never change, by trigger.

    `redemption_count` is how many discounts were made of it. A discount outlives the last day of its coupon.
    """

    code = models.SlugField(_("code"), max_length=60, unique=True, help_text=_("What a customer gives."))
    name = models.CharField(_("name"), max_length=120, help_text=_("As documents show it."))
    percent = models.DecimalField(
        _("percentage"),
        max_digits=13,
        decimal_places=10,
        null=True,
        blank=True,
        help_text=_("25 is 25 % off each line."),
    )
    amount_minor = models.BigIntegerField(
        _("amount"), null=True, blank=True, help_text=_("Off each invoice, in the smallest unit of the currency.")
    )
    currency = models.CharField(
        _("currency"),
        max_length=3,
        blank=True,
        validators=[validate_currency],
        help_text=_("Of an amount; empty for a percentage."),
    )
    duration = models.CharField(
        _("duration"), max_length=10, choices=CouponDuration.choices, default=CouponDuration.ONCE
    )
    months = models.PositiveSmallIntegerField(
        _("months"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Only where it lasts so many months."),
    )
    max_redemptions = models.PositiveIntegerField(
        _("redemptions at most"), null=True, blank=True, help_text=_("Empty for any number.")
    )
    redemption_count = models.PositiveIntegerField(_("redemptions"), default=0, editable=False)
    valid_until = models.DateTimeField(
        _("valid until"), null=True, blank=True, help_text=_("Cannot be applied from then on.")
    )

    class Meta:
        ordering = ["code"]
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__isnull=False, percent__gt=0, percent__lte=100, amount_minor__isnull=True)
                & Q(currency="")
                | Q(percent__isnull=True, amount_minor__isnull=False, amount_minor__gt=0, currency__regex="^[A-Z]{3}$"),
                name="coupon_has_a_percentage_or_an_amount",
                violation_error_message=_(
                    "A coupon has a percentage above 0 and up to 100, or an amount above 0 with its currency."
                ),
            ),
            models.CheckConstraint(
                condition=Q(duration="repeating", months__isnull=False, months__gt=0)
                | Q(duration__in=["once", "forever"], months__isnull=True),
                name="coupon_has_months_exactly_when_repeating",
                violation_error_message=_("A coupon has a number of months exactly when it lasts so many months."),
            ),
            models.CheckConstraint(
                condition=Q(max_redemptions__isnull=True) | Q(redemption_count__lte=F("max_redemptions")),
                name="coupon_not_redeemed_too_often",
                violation_error_message=_("The coupon was applied more often than that already."),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Discount(models.Model):
    """A coupon of an account, or of one of its subscriptions alone, in effect in [starts_at, ends_at)."""

    coupon = models.ForeignKey(Coupon, models.PROTECT, related_name="discounts", verbose_name=_("coupon"))
    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    subscription = models.ForeignKey(
        "billing.Subscription",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="discounts",
        verbose_name=_("subscription"),
    )
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    applied_at = models.DateTimeField(_("applied"))
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("applied by")
    )

    class Meta:
        verbose_name = _("discount")
        verbose_name_plural = _("discounts")
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "account", "subscription"], name="discount_once_per_coupon", nulls_distinct=False
            ),
            # One that was ended before it began is empty.
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")), name="discount_ends_after_it_begins"
            ),
        ]
        indexes = [models.Index(fields=["account", "starts_at"], name="discount_by_account")]

    def __str__(self) -> str:
        return f"{self.account} – {self.coupon}"
