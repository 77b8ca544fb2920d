"""What a subscriber may add to a plan."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class AddOn(models.Model):
    """A fee of a plan version for what a subscriber may have beside it, each unit once a period.

    Frozen with its version, by trigger. The key says what it is across versions and plans.
    """

    version = models.ForeignKey("billing.PlanVersion", models.CASCADE, related_name="add_ons")
    position = models.PositiveIntegerField()
    key = models.SlugField(max_length=60, help_text=_("The same in each version that offers it."))
    description = models.CharField(max_length=120)
    unit_amount = models.DecimalField(max_digits=24, decimal_places=12)
    max_quantity = models.PositiveIntegerField(
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
