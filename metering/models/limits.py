"""What an account may use, what it has used of that, and the levels it reached."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from metering.models.digits import QUANTITY, TOTAL


class Limit(models.Model):
    """What an account may use of one meter within [starts_at, ends_at), and what it has used so far.

    Billing hands the window over and renews it; ingestion adds to `used`. Without a quantity it is unlimited.
    """

    account = models.ForeignKey(
        "metering.Account", models.PROTECT, verbose_name=_("account"), related_name="limits", db_index=False
    )
    meter = models.ForeignKey("metering.Meter", models.PROTECT, verbose_name=_("meter"), db_index=False)
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    quantity = models.DecimalField(_("quantity"), **QUANTITY, null=True, blank=True)
    plan = models.CharField(
        _("plan"),
        max_length=50,
        blank=True,
        default="",
        db_default="",
        help_text=_("Whose terms they are: its slug."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=60, default="UTC", db_default="UTC", help_text=_("Of the account's own calendar.")
    )
    is_hard = models.BooleanField(_("is hard"), default=False)
    epoch = models.PositiveIntegerField(_("epoch"), default=1, help_text=_("Grows with each change of the quantity."))
    used = models.DecimalField(_("used"), **TOTAL, default=0)
    held = models.DecimalField(
        _("held"), **TOTAL, default=0, db_default=0, help_text=_("By reservations that are open.")
    )
    next_crossing = models.DecimalField(
        _("next crossing"), **QUANTITY, null=True, blank=True, help_text=_("The quantity that alerts next.")
    )
    needs_check = models.BooleanField(_("needs check"), default=True, help_text=_("Moved since the last check."))
    needs_forecast = models.BooleanField(
        _("needs a forecast"), default=True, db_default=True, help_text=_("Moved since the last forecast.")
    )
    forecast_at = models.DateTimeField(
        _("forecast at"), null=True, blank=True, help_text=_("The hour of the last forecast; empty before the first.")
    )
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True, help_text=_("Its period is final."))
    used_at_close = models.DecimalField(
        _("used at close"),
        **TOTAL,
        null=True,
        blank=True,
        help_text=_("What was used then: what came later is in the adjustments."),
    )

    class Meta:
        verbose_name = _("limit")
        verbose_name_plural = _("limits")
        constraints = [
            models.UniqueConstraint(fields=["account", "meter", "starts_at"], name="limit_one_per_window"),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="limit_window_is_positive"),
            models.CheckConstraint(
                condition=Q(quantity__isnull=True) | Q(quantity__gte=0), name="limit_quantity_is_not_negative"
            ),
            models.CheckConstraint(condition=Q(held__gte=0), name="limit_holds_nothing_negative"),
            ExclusionConstraint(
                # A one-value range stands for equality, which GiST lacks for integers without btree_gist.
                name="limit_windows_do_not_overlap",
                expressions=[
                    (Func("account_id", "account_id", template="int8range(%(expressions)s, '[]')"), "&&"),
                    (Func("meter_id", "meter_id", template="int8range(%(expressions)s, '[]')"), "&&"),
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
        indexes = [
            models.Index(fields=["id"], condition=Q(needs_check=True), name="limit_to_check"),
            models.Index(fields=["id"], condition=Q(needs_forecast=True), name="limit_to_forecast"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.starts_at:%Y-%m-%d}"
