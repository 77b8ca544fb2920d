from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from metering.models.digits import QUANTITY, TOTAL
from metering.models.limits import Limit


class Forecast(models.Model):
    """What was expected of a limit's window at a moment. Graded once, when the window has ended."""

    limit = models.ForeignKey(Limit, models.PROTECT, related_name="forecasts", verbose_name=_("limit"))
    account = models.ForeignKey("metering.Account", models.PROTECT, related_name="+", verbose_name=_("account"))
    meter = models.ForeignKey("metering.Meter", models.PROTECT, related_name="+", verbose_name=_("meter"))
    epoch = models.PositiveIntegerField(_("epoch"))
    made_at = models.DateTimeField(_("made at"))
    used = models.DecimalField(_("used"), **TOTAL)
    quantity = models.DecimalField(_("quantity"), **QUANTITY, null=True, help_text=_("The limit then."))
    is_learning = models.BooleanField(_("is learning"), default=False, help_text=_("Too few days of data to alarm."))
    days_of_data = models.DecimalField(_("days of data"), max_digits=7, decimal_places=2)
    p_hit = models.DecimalField(_("chance"), max_digits=4, decimal_places=3, null=True)
    hit_low = models.DateTimeField(_("reached at the earliest"), null=True, help_text=_("10 % of the cases before."))
    hit_mid = models.DateTimeField(_("reached at about"), null=True)
    hit_high = models.DateTimeField(_("reached at the latest"), null=True, help_text=_("10 % of the cases after."))
    total_low = models.DecimalField(_("total at close, low"), **TOTAL)
    total_mid = models.DecimalField(_("total at close"), **TOTAL)
    total_high = models.DecimalField(_("total at close, high"), **TOTAL)
    run_rate_total = models.DecimalField(_("total at close by run-rate"), **TOTAL)
    reason = models.CharField(_("reason"), max_length=30, blank=True)
    reason_params = models.JSONField(_("figures of the reason"), default=dict)

    was_reached = models.BooleanField(_("was reached"), null=True)
    reached_at = models.DateTimeField(_("reached at"), null=True)
    closing_total = models.DecimalField(_("total in the end"), **TOTAL, null=True)
    graded_at = models.DateTimeField(_("graded at"), null=True)

    class Meta:
        verbose_name = _("forecast")
        verbose_name_plural = _("forecasts")
        constraints = [
            models.UniqueConstraint(fields=["limit", "epoch", "made_at"], name="forecast_one_per_moment"),
            models.CheckConstraint(
                condition=Q(p_hit__isnull=True) | Q(p_hit__gte=0, p_hit__lte=1), name="forecast_chance_is_one"
            ),
            models.CheckConstraint(
                condition=Q(graded_at__isnull=True, closing_total__isnull=True)
                | Q(graded_at__isnull=False, closing_total__isnull=False),
                name="forecast_is_graded_by_its_total",
            ),
            models.CheckConstraint(
                condition=Q(total_low__lte=F("total_mid"), total_mid__lte=F("total_high")),
                name="forecast_totals_in_order",
            ),
            models.CheckConstraint(
                condition=Q(hit_low__isnull=True, hit_mid__isnull=True, hit_high__isnull=True)
                | Q(
                    hit_low__isnull=False,
                    hit_mid__isnull=False,
                    hit_high__isnull=False,
                    hit_low__lte=F("hit_mid"),
                    hit_mid__lte=F("hit_high"),
                ),
                name="forecast_dates_in_order",
            ),
        ]
        indexes = [
            models.Index(fields=["limit", "-made_at"], name="forecast_by_limit"),
            models.Index(fields=["made_at"], condition=Q(graded_at__isnull=True), name="forecast_ungraded"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.meter_id} {self.made_at:%Y-%m-%d %H:%M}"


class ForecastCalibration(models.Model):
    """What past forecasts taught: of one meter, or over all."""

    meter = models.ForeignKey("metering.Meter", models.CASCADE, related_name="+", null=True, verbose_name=_("meter"))
    made_at = models.DateTimeField(_("made at"))
    series_count = models.PositiveIntegerField(_("series"), help_text=_("Histories that it was learnt from."))
    data = models.JSONField(_("data"), help_text=_("By the length of a bucket: sums that the maths can read."))

    class Meta:
        verbose_name = _("calibration of the forecast")
        verbose_name_plural = _("calibrations of the forecast")
        constraints = [
            models.UniqueConstraint(fields=["meter"], name="calibration_one_each", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return str(self.meter_id or "*")
