"""How events become quantities."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Aggregation(models.TextChoices):
    COUNT = "count", _("count of events")
    SUM = "sum", _("sum of values")
    MIN = "min", _("smallest value")
    MAX = "max", _("greatest value")
    AVG = "avg", _("average value")
    LATEST = "latest", _("latest value")
    UNIQUE = "unique", _("number of distinct values")
    WEIGHTED_SUM = "weighted_sum", _("level, weighted by time")
    PERCENTILE = "percentile", _("percentile of values")


class Rounding(models.TextChoices):
    NONE = "", _("none")
    ROUND = "round", _("half away from zero")
    CEIL = "ceil", _("up")
    FLOOR = "floor", _("down")


class Meter(models.Model):
    """A quantity that is measured. What it is stays for ever; which events make it up is in its versions.

    Frozen by trigger once it has counted, but for its name.
    """

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    unit = models.CharField(_("unit"), max_length=40, help_text=_("What one is: request, byte, seat."))
    aggregation = models.CharField(_("aggregation"), max_length=20, choices=Aggregation.choices)
    percentile = models.DecimalField(
        _("percentile"),
        max_digits=6,
        decimal_places=3,
        null=True,
        blank=True,
        help_text=_("Of a percentile alone: above 0, at most 100; nearest rank."),
    )
    rounding = models.CharField(
        _("rounding"),
        max_length=8,
        choices=Rounding.choices,
        blank=True,
        help_text=_("Of the quantity of a reading, not of each event."),
    )
    rounding_places = models.SmallIntegerField(
        _("rounding places"), default=0, help_text=_("Decimals that rounding keeps.")
    )
    carries_over = models.BooleanField(
        _("carries over"), default=False, help_text=_("Its level stays from one period to the next: storage, seats.")
    )
    created_at = models.DateTimeField(_("created at"), editable=False)

    class Meta:
        verbose_name = _("meter")
        verbose_name_plural = _("meters")
        constraints = [
            models.CheckConstraint(
                condition=Q(aggregation="percentile", percentile__isnull=False, percentile__gt=0, percentile__lte=100)
                | (~Q(aggregation="percentile") & Q(percentile__isnull=True)),
                name="meter_percentile_is_of_a_percentile",
            ),
            models.CheckConstraint(
                condition=Q(carries_over=False) | Q(aggregation__in=["sum", "latest", "unique", "weighted_sum"]),
                name="meter_that_carries_over_has_a_level",
            ),
            models.CheckConstraint(
                condition=Q(rounding__in=Rounding.values, rounding_places__gte=-12, rounding_places__lte=12),
                name="meter_rounds_to_what_a_quantity_keeps",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MeterVersion(models.Model):
    """Which events a meter counts from a time on, and what each is worth. Frozen by trigger once the meter counted."""

    meter = models.ForeignKey(Meter, models.CASCADE, verbose_name=_("meter"), related_name="versions")
    number = models.PositiveIntegerField(_("number"))
    event_type = models.CharField(_("event type"), max_length=120)
    value = models.CharField(
        _("value"),
        max_length=500,
        blank=True,
        help_text=_("A property of the data, as in bytes or request.bytes, or arithmetic over them: ceil(ms / 1000)."),
    )
    filter = models.JSONField(
        _("filter"), null=True, blank=True, help_text=_("Which events count; empty for all of the type.")
    )
    dimensions = ArrayField(
        models.CharField(max_length=120),
        verbose_name=_("dimensions"),
        default=list,
        blank=True,
        help_text=_("Properties to break the quantity down by."),
    )
    starts_at = models.DateTimeField(
        _("starts at"), null=True, blank=True, help_text=_("A full hour; empty for the first version.")
    )
    created_at = models.DateTimeField(_("created at"), editable=False)

    class Meta:
        verbose_name = _("meter version")
        verbose_name_plural = _("meter versions")
        constraints = [
            models.UniqueConstraint(fields=["meter", "number"], name="meter_version_has_its_own_number"),
            models.UniqueConstraint(fields=["meter", "starts_at"], name="meter_versions_start_at_different_times"),
            models.CheckConstraint(
                condition=Q(number=1, starts_at__isnull=True) | Q(number__gt=1, starts_at__isnull=False),
                name="meter_version_one_has_always_been",
            ),
        ]
        indexes = [models.Index(fields=["event_type"], name="meter_version_by_event_type")]

    def __str__(self) -> str:
        return f"{self.meter_id} v{self.number}"


class Backfill(models.Model):
    """The past of a meter that was made later, counted span by span; it is done up to `done_until`."""

    meter = models.OneToOneField(Meter, models.CASCADE, related_name="backfill")
    starts_at = models.DateTimeField(help_text="The hour of the first event of its types that was stored.")
    ends_at = models.DateTimeField(help_text="The end of the hour of the last one.")
    done_until = models.DateTimeField(help_text="The hours before it are counted.")
    event_estimate = models.BigIntegerField(help_text="How many events there were when it began.")
    events_done = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("count of a meter's past")
        verbose_name_plural = _("counts of meters' past")
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at__lte=F("done_until"), done_until__lte=F("ends_at")),
                name="backfill_stays_within_its_past",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, done_until__lt=F("ends_at"))
                | Q(finished_at__isnull=False, done_until=F("ends_at")),
                name="backfill_is_finished_at_its_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.meter_id} {self.events_done}/{self.event_estimate}"


class Catalogue(models.Model):
    """One row whose token changes whenever a meter does, so that who knows the token knows the meters."""

    id = models.SmallIntegerField(primary_key=True)
    token = models.UUIDField()

    class Meta:
        verbose_name = _("catalogue of meters")
        verbose_name_plural = _("catalogues of meters")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="catalogue_is_one_row")]

    def __str__(self) -> str:
        return str(self.token)
