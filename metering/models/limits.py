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
    used_at_change = models.DecimalField(
        _("used at change"), **TOTAL, default=0, db_default=0, help_text=_("When its present quantity was set.")
    )
    held = models.DecimalField(
        _("held"), **TOTAL, default=0, db_default=0, help_text=_("By reservations that are open.")
    )
    next_crossing = models.DecimalField(
        _("next crossing"), **TOTAL, null=True, blank=True, help_text=_("The quantity that alerts next.")
    )
    needs_check = models.BooleanField(_("needs check"), default=True, help_text=_("Moved since the last check."))
    needs_forecast = models.BooleanField(
        _("needs a forecast"), default=True, db_default=True, help_text=_("Moved since the last forecast.")
    )
    forecast_at = models.DateTimeField(
        _("forecast at"), null=True, blank=True, help_text=_("The hour of the last forecast; empty before the first.")
    )
    needs_rating = models.BooleanField(
        _("needs rating"), default=True, db_default=True, help_text=_("Moved since billing last asked what it costs.")
    )
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True, help_text=_("Its period is final."))
    used_at_close = models.DecimalField(
        _("used at close"),
        **TOTAL,
        null=True,
        blank=True,
        help_text=_("What was used then: what came later is in the adjustments."),
    )
    was_to_end_at = models.DateTimeField(
        _("was to end at"), null=True, blank=True, help_text=_("Of a window that was cut, by a change of the plan.")
    )
    was_reached = models.BooleanField(
        _("was reached"), null=True, blank=True, help_text=_("In the end; nothing of an unlimited window.")
    )
    reached_at = models.DateTimeField(_("limit reached at"), null=True, blank=True)
    graded_at = models.DateTimeField(_("graded at"), null=True, blank=True)

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
            models.CheckConstraint(
                condition=Q(graded_at__isnull=False) | Q(was_reached__isnull=True), name="limit_is_graded_at_a_moment"
            ),
            models.CheckConstraint(
                condition=Q(was_reached=True, reached_at__isnull=False)
                | (Q(reached_at__isnull=True) & (Q(was_reached=False) | Q(was_reached__isnull=True))),
                name="limit_has_a_moment_exactly_when_reached",
            ),
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
            models.Index(fields=["ends_at"], condition=Q(graded_at__isnull=True), name="limit_ungraded"),
            models.Index(fields=["ends_at"], condition=Q(graded_at__isnull=False), name="limit_graded"),
            models.Index(fields=["id"], condition=Q(needs_rating=True), name="limit_to_rate"),
            models.Index(fields=["plan", "meter", "-ends_at"], condition=~Q(plan=""), name="limit_by_plan"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.starts_at:%Y-%m-%d}"


class ChangeReason(models.TextChoices):
    """Why a limit's quantity became another."""

    UPGRADE = "upgrade", _("a plan that allows more")
    DOWNGRADE = "downgrade", _("a plan that allows less")
    TOPUP = "topup", _("more was bought")
    OVERRIDE = "override", _("set by hand")
    RENEWAL = "renewal", _("another version of the plan")


class LimitChange(models.Model):
    """What an account may use of a meter became another quantity at a moment. Append-only by trigger.

    Within a window it is that of the epoch named. With another plan a window begins anew: then it is the first epoch of
    that one; without a window where the new plan neither limits nor charges the meter, or none is open yet. What was
    changed ahead of a window goes with the window, when that is taken back before it begins.
    """

    account = models.ForeignKey("metering.Account", models.PROTECT, verbose_name=_("account"), related_name="+")
    meter = models.ForeignKey("metering.Meter", models.PROTECT, verbose_name=_("meter"), related_name="+")
    limit = models.ForeignKey(Limit, models.CASCADE, null=True, verbose_name=_("limit"), related_name="changes")
    epoch = models.PositiveIntegerField(_("epoch"), help_text=_("That begins with it."))
    before = models.DecimalField(_("before"), **QUANTITY, null=True, help_text=_("Empty: unlimited."))
    after = models.DecimalField(_("after"), **QUANTITY, null=True, help_text=_("Empty: unlimited."))
    reason = models.CharField(_("reason"), max_length=10, choices=ChangeReason.choices)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("change of a limit")
        verbose_name_plural = _("changes of limits")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "meter", "at", "limit", "epoch"],
                name="limit_change_is_told_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=~Q(before=F("after")) & (Q(before__isnull=False) | Q(after__isnull=False)),
                name="limit_change_changes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.before} → {self.after}"
