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
        indexes = [models.Index(fields=["id"], condition=Q(needs_check=True), name="limit_to_check")]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.starts_at:%Y-%m-%d}"


class Alert(models.Model):
    """A level of a limit was reached. Once per account, meter, window, epoch and level, by constraint."""

    account = models.ForeignKey("metering.Account", models.PROTECT, verbose_name=_("account"), related_name="alerts")
    meter = models.ForeignKey("metering.Meter", models.PROTECT, verbose_name=_("meter"))
    limit = models.ForeignKey(Limit, models.PROTECT, verbose_name=_("limit"))
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    epoch = models.PositiveIntegerField(_("epoch"))
    level = models.DecimalField(_("level"), max_digits=7, decimal_places=2, help_text=_("Percent of the limit."))
    used = models.DecimalField(_("used"), **TOTAL, help_text=_("When the level was seen."))
    quantity = models.DecimalField(_("quantity"), **QUANTITY, help_text=_("The limit at that time."))
    crossed_at = models.DateTimeField(
        _("crossed at"),
        help_text=_("When the event happened with which it was reached; where usage adds up, the start of its hour."),
    )
    detected_at = models.DateTimeField(_("detected at"))
    is_superseded = models.BooleanField(
        _("is superseded"),
        default=False,
        help_text=_("Silent: a higher level was reached at the same time, or it spoke before a raise."),
    )
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True, help_text=_("When sales took it up."))

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "meter", "starts_at", "epoch", "level"], name="alert_speaks_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(claimed_at__isnull=True, is_superseded=False), name="alert_unclaimed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.level} %"
