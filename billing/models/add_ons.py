"""What a subscriber may add to a plan, and has added."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from billing.holdings import LARGEST_QUANTITY


class AddOn(models.Model):
    """A fee of a plan version for what a subscriber may have beside it, each unit once a period.

    Frozen with its version, by trigger. The key says what it is across versions and plans.
    """

    version = models.ForeignKey(
        "billing.PlanVersion", models.CASCADE, related_name="add_ons", verbose_name=_("version")
    )
    position = models.PositiveIntegerField(_("position"))
    key = models.SlugField(_("key"), max_length=60, help_text=_("The same in each version that offers it."))
    description = models.CharField(_("description"), max_length=120)
    unit_amount = models.DecimalField(_("price of a unit"), max_digits=24, decimal_places=12)
    max_quantity = models.PositiveIntegerField(
        _("at most"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How many a subscriber may have; empty for any."),
    )

    class Meta:
        ordering = ["position"]
        verbose_name = _("add-on")
        verbose_name_plural = _("add-ons")
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="add_on_position_once"),
            models.UniqueConstraint(fields=["version", "key"], name="add_on_key_once"),
            models.CheckConstraint(condition=Q(unit_amount__gte=0), name="add_on_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(max_quantity__isnull=True) | Q(max_quantity__gt=0), name="add_on_quantity_above_zero"
            ),
        ]

    def __str__(self) -> str:
        return self.description


class SubscriptionAddOn(models.Model):
    """So many of an add-on in [starts_at, ends_at), by its key; without an end it goes on.

    Only its end is ever changed, by trigger: another quantity is another row. What it costs is said by the version
    that bills each period.
    """

    subscription = models.ForeignKey(
        "billing.Subscription", models.PROTECT, related_name="held_add_ons", verbose_name=_("subscription")
    )
    key = models.SlugField(_("key"), max_length=60)
    quantity = models.PositiveIntegerField(_("how many"), default=1)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("add-on of a subscription")
        verbose_name_plural = _("add-ons of subscriptions")
        ordering = ["starts_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=LARGEST_QUANTITY), name="subscription_add_on_is_some"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                name="subscription_add_on_ends_after_it_begins",
            ),
            ExclusionConstraint(
                name="subscription_add_on_has_one_quantity",
                expressions=[
                    (Func("subscription_id", "subscription_id", template="int8range(%(expressions)s, '[]')"), "&&"),
                    # Of texts there is no range; of two keys of one subscription the hashes never meet in practice.
                    (
                        Func("key", template="int8range(hashtext(%(expressions)s), hashtext(%(expressions)s), '[]')"),
                        "&&",
                    ),
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

    def __str__(self) -> str:
        return f"{self.key} × {self.quantity}"
