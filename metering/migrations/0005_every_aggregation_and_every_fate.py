"""Nine aggregations, versions of meters, claims apart from events, events by month, corrections and adjustments.

The claim of an event moves to a table of its own, which no pruning touches; events are partitioned by the month in
which they were received, so that a month can be dropped. What was stored is moved over.
"""

import re
from collections.abc import Iterator
from typing import Any

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

from metering.events import digest_content

CHUNK = 1_000

METER_IS_FREE = """
DROP TRIGGER meter_is_frozen_once_used ON metering_meter;
DROP FUNCTION metering_keep_meter();
"""

METER_IS_FROZEN_ONCE_USED = """
CREATE FUNCTION metering_keep_meter() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_name metering_meter;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before_name := NEW;
        before_name.name := OLD.name;  -- for people, and may be bettered; what it counts, and how, may not
        IF before_name IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    -- Ingestion holds ROW SHARE from reading the meters until it commits: wait for what is in flight, then look.
    LOCK TABLE metering_meter IN EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM metering_hourlyrollup WHERE meter_id = OLD.id) THEN
        RAISE EXCEPTION 'meter % has counted and is frozen: % refused', OLD.key, TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER meter_is_frozen_once_used BEFORE UPDATE OR DELETE ON metering_meter
    FOR EACH ROW EXECUTE FUNCTION metering_keep_meter();

CREATE FUNCTION metering_keep_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched metering_meterversion;
BEGIN
    touched := CASE TG_OP WHEN 'INSERT' THEN NEW ELSE OLD END;
    IF TG_OP = 'INSERT' AND touched.starts_at IS NULL THEN
        RETURN NEW;
    END IF;
    LOCK TABLE metering_meter IN EXCLUSIVE MODE;
    IF EXISTS (
        SELECT FROM metering_hourlyrollup
        WHERE meter_id = touched.meter_id AND (touched.starts_at IS NULL OR hour >= touched.starts_at)
    ) THEN
        RAISE EXCEPTION 'version % of meter % has counted and is frozen: % refused',
            touched.number, touched.meter_id, TG_OP USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER meter_version_is_frozen_once_used BEFORE INSERT OR UPDATE OR DELETE ON metering_meterversion
    FOR EACH ROW EXECUTE FUNCTION metering_keep_version();

-- A token that was never used before, so that one who knows it knows the meters, whatever was rolled back meanwhile.
CREATE FUNCTION metering_renew_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO metering_catalogue (id, token) VALUES (1, gen_random_uuid())
    ON CONFLICT (id) DO UPDATE SET token = excluded.token;
    RETURN NULL;
END $$;
CREATE TRIGGER meter_renews_catalogue AFTER INSERT OR UPDATE OR DELETE ON metering_meter
    FOR EACH STATEMENT EXECUTE FUNCTION metering_renew_catalogue();
CREATE TRIGGER meter_version_renews_catalogue AFTER INSERT OR UPDATE OR DELETE ON metering_meterversion
    FOR EACH STATEMENT EXECUTE FUNCTION metering_renew_catalogue();
-- Also for a session that applies rows from elsewhere: who counts must not miss a meter that came that way.
ALTER TABLE metering_meter ENABLE ALWAYS TRIGGER meter_renews_catalogue;
ALTER TABLE metering_meterversion ENABLE ALWAYS TRIGGER meter_version_renews_catalogue;
INSERT INTO metering_catalogue (id, token) VALUES (1, gen_random_uuid());
"""

ROLLUPS_BY_DIMENSIONS = """
ALTER TABLE metering_hourlyrollup DROP CONSTRAINT metering_hourlyrollup_pkey;
ALTER TABLE metering_hourlyrollup ADD PRIMARY KEY (account_id, meter_id, hour, dimensions);
ALTER TABLE metering_valuerollup SET (fillfactor = 80);
"""

EVENTS_BY_MONTH = """
DROP TRIGGER event_is_never_truncated ON metering_event;
DROP TRIGGER event_is_append_only ON metering_event;
DROP FUNCTION metering_keep_event();
DROP INDEX event_brin_happened_at, event_unmatched_by_subject;
ALTER TABLE metering_event RENAME TO metering_event_before_months;

CREATE TABLE metering_event (
    happened_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    account_id bigint,
    api_key_id bigint,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    data jsonb NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX event_brin_happened_at ON metering_event USING brin (happened_at) WITH (pages_per_range = 32);
CREATE INDEX event_brin_received_at ON metering_event USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX event_unmatched_by_subject ON metering_event (subject) WHERE account_id IS NULL;

CREATE FUNCTION metering_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION metering_keep_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_account metering_event;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before_account := NEW;
        before_account.account_id := NULL;
        -- The one change allowed: an unmatched event learns its account.
        IF OLD.account_id IS NULL AND NEW.account_id IS NOT NULL AND before_account IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'events are append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE ON metering_event
    FOR EACH ROW EXECUTE FUNCTION metering_keep_event();
CREATE TRIGGER event_is_never_truncated BEFORE TRUNCATE ON metering_event
    FOR EACH STATEMENT EXECUTE FUNCTION metering_refuse_change();

-- Makes the month's partition unless it is there. Held by the caller's transaction, and seen by nobody before its end.
CREATE FUNCTION metering_open_month(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first_day timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
    month_name text := 'metering_event_' || to_char(first_day, 'YYYY_MM');
BEGIN
    IF to_regclass(month_name) IS NOT NULL THEN
        RETURN;
    END IF;
    LOCK TABLE metering_event IN ACCESS EXCLUSIVE MODE;
    IF to_regclass(month_name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        'CREATE TABLE %I PARTITION OF metering_event FOR VALUES FROM (%L) TO (%L) WITH (autovacuum_vacuum_insert_scale_factor = 0.05)',
        month_name, first_day AT TIME ZONE 'UTC', (first_day + interval '1 month') AT TIME ZONE 'UTC'
    );
    EXECUTE format(
        'CREATE TRIGGER event_is_never_truncated BEFORE TRUNCATE ON %I FOR EACH STATEMENT
            EXECUTE FUNCTION metering_refuse_change()', month_name
    );
END $$;
"""

# What ingestion asks first, in one statement: are these still the meters, who do the subjects name, which ids are new?
# The locks come before each look, whose snapshot is its own in a volatile function. Ids are claimed in their order, so
# that batches which share some wait for each other in one direction only.
CLAIM_EVENTS = """
CREATE FUNCTION metering_claim_events(
    known_token uuid, received timestamptz, subjects text[], wanted uuid[], digests bigint[],
    OUT current_token uuid, OUT account_ids bigint[], OUT repeated int[], OUT stored_digests bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    fresh uuid[];
BEGIN
    LOCK TABLE metering_meter IN ROW SHARE MODE;
    LOCK TABLE metering_alias IN ROW EXCLUSIVE MODE;
    SELECT token INTO current_token FROM metering_catalogue;
    IF current_token IS DISTINCT FROM known_token THEN
        RETURN;
    END IF;
    PERFORM metering_open_month(received);
    account_ids := ARRAY(
        SELECT a.account_id FROM unnest(subjects) WITH ORDINALITY AS s (name, position)
        LEFT JOIN metering_alias a ON a.name = s.name ORDER BY s.position
    );
    -- Nearly always all of them are new, and then a plain insert is a third cheaper.
    BEGIN
        INSERT INTO metering_claim (claim, digest, received_at)
        SELECT w.claim, w.digest, received FROM unnest(wanted, digests) AS w (claim, digest) ORDER BY w.claim;
        RETURN;
    EXCEPTION WHEN unique_violation THEN
        NULL;
    END;
    WITH inserted AS (
        INSERT INTO metering_claim (claim, digest, received_at)
        SELECT w.claim, w.digest, received FROM unnest(wanted, digests) AS w (claim, digest) ORDER BY w.claim
        ON CONFLICT (claim) DO NOTHING
        RETURNING claim
    )
    SELECT array_agg(claim) INTO fresh FROM inserted;
    IF coalesce(cardinality(fresh), 0) < cardinality(wanted) THEN
        SELECT array_agg(w.position ORDER BY w.position), array_agg(c.digest ORDER BY w.position)
        INTO repeated, stored_digests
        FROM unnest(wanted, digests) WITH ORDINALITY AS w (claim, digest, position)
        JOIN metering_claim c ON c.claim = w.claim
        LEFT JOIN unnest(fresh) AS f (claim) ON f.claim = w.claim
        WHERE f.claim IS NULL;
    END IF;
END $$;

CREATE TRIGGER claim_is_for_ever BEFORE UPDATE OR DELETE ON metering_claim
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
CREATE TRIGGER claim_is_never_truncated BEFORE TRUNCATE ON metering_claim
    FOR EACH STATEMENT EXECUTE FUNCTION metering_refuse_change();
CREATE TRIGGER correction_is_append_only BEFORE UPDATE OR DELETE ON metering_correction
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
CREATE TRIGGER correction_is_never_truncated BEFORE TRUNCATE ON metering_correction
    FOR EACH STATEMENT EXECUTE FUNCTION metering_refuse_change();
CREATE TRIGGER adjustment_is_append_only BEFORE UPDATE OR DELETE ON metering_adjustment
    FOR EACH ROW EXECUTE FUNCTION metering_refuse_change();
CREATE TRIGGER adjustment_is_never_truncated BEFORE TRUNCATE ON metering_adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION metering_refuse_change();
"""


def make_first_versions(apps: Any, schema_editor: Any) -> None:
    """A property's name becomes an expression: as it is where it reads as one word, quoted where it does not."""
    meters, versions = apps.get_model("metering", "Meter"), apps.get_model("metering", "MeterVersion")
    for meter in meters.objects.all():
        name = meter.value_property
        is_word = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or not name
        versions.objects.create(
            meter=meter,
            number=1,
            event_type=meter.event_type,
            value=name if is_word else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"',
            created_at=meter.created_at,
        )


def move_events(apps: Any, schema_editor: Any) -> None:
    """Every event to its month, its claim to the claims."""
    cursor = schema_editor.connection.cursor()
    columns = "happened_at, received_at, account_id, api_key_id, source, event_id, type, subject, data"
    cursor.execute(
        "SELECT metering_open_month(received_at) FROM (SELECT DISTINCT date_trunc('month', received_at, 'UTC')"
        " AS received_at FROM metering_event_before_months) AS months"
    )
    cursor.execute(
        f"INSERT INTO metering_event ({columns}) SELECT {columns} FROM metering_event_before_months"  # noqa: S608
        " ORDER BY received_at"
    )
    for rows in read_chunks(schema_editor.connection):
        cursor.executemany(
            "INSERT INTO metering_claim (claim, digest, received_at) VALUES (%s, %s, %s)",
            [
                (
                    claim,
                    int.from_bytes(digest_content(type_, subject, happened_at, data.encode()), "big", signed=True),
                    received_at,
                )
                for claim, type_, subject, happened_at, data, received_at in rows
            ],
        )
    cursor.execute("DROP TABLE metering_event_before_months")


def read_chunks(connection: Any) -> Iterator[list[tuple[Any, ...]]]:
    last = "00000000-0000-0000-0000-000000000000"
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT claim, type, subject, happened_at, data::text, received_at FROM metering_event_before_months"
                " WHERE claim > %s ORDER BY claim LIMIT %s",
                [last, CHUNK],
            )
            rows = cursor.fetchall()
            if not rows:
                return
            yield rows
            last = rows[-1][0]


class Migration(migrations.Migration):
    dependencies = [("metering", "0004_rollups_without_foreign_keys")]

    operations = [
        migrations.RunSQL(METER_IS_FREE),
        migrations.CreateModel(
            name="MeterVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("event_type", models.CharField(max_length=120)),
                (
                    "value",
                    models.CharField(
                        blank=True,
                        help_text="A property of the data, as in bytes or request.bytes, or arithmetic over them: ceil(ms / 1000).",
                        max_length=500,
                    ),
                ),
                (
                    "filter",
                    models.JSONField(blank=True, help_text="Which events count; empty for all of the type.", null=True),
                ),
                (
                    "dimensions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=120),
                        blank=True,
                        default=list,
                        help_text="Properties to break the quantity down by.",
                        size=None,
                    ),
                ),
                (
                    "starts_at",
                    models.DateTimeField(blank=True, help_text="A full hour; empty for the first version.", null=True),
                ),
                ("created_at", models.DateTimeField(editable=False)),
            ],
        ),
        migrations.AddField(
            model_name="meterversion",
            name="meter",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="metering.meter"
            ),
        ),
        migrations.AddIndex(
            model_name="meterversion",
            index=models.Index(fields=["event_type"], name="meter_version_by_event_type"),
        ),
        migrations.AddConstraint(
            model_name="meterversion",
            constraint=models.UniqueConstraint(fields=("meter", "number"), name="meter_version_has_its_own_number"),
        ),
        migrations.AddConstraint(
            model_name="meterversion",
            constraint=models.UniqueConstraint(
                fields=("meter", "starts_at"), name="meter_versions_start_at_different_times"
            ),
        ),
        migrations.AddConstraint(
            model_name="meterversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("number", 1), ("starts_at__isnull", True)),
                    models.Q(("number__gt", 1), ("starts_at__isnull", False)),
                    _connector="OR",
                ),
                name="meter_version_one_has_always_been",
            ),
        ),
        migrations.RunPython(make_first_versions),
        migrations.RemoveConstraint(
            model_name="meter",
            name="meter_sums_a_property_and_counts_none",
        ),
        migrations.RemoveIndex(
            model_name="meter",
            name="meter_by_event_type",
        ),
        migrations.RemoveField(
            model_name="meter",
            name="event_type",
        ),
        migrations.RemoveField(
            model_name="meter",
            name="value_property",
        ),
        migrations.CreateModel(
            name="Adjustment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "quantity",
                    models.DecimalField(
                        decimal_places=12, help_text="By how much the window's usage changed.", max_digits=50
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("late", "usage that arrived late"),
                            ("correction", "a correction"),
                            ("backfill", "a meter that counted its past"),
                        ],
                        max_length=12,
                    ),
                ),
                ("made_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Catalogue",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("token", models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name="Claim",
            fields=[
                (
                    "claim",
                    models.UUIDField(
                        help_text="16 bytes of SHA-256 over (source, id): an event counts once.",
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "digest",
                    models.BigIntegerField(help_text="8 bytes over the content: tells the same event from another."),
                ),
                (
                    "received_at",
                    models.DateTimeField(
                        help_text="When its event was received: leads to its month and its place there."
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Correction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.TextField(help_text="Of the event that no longer counts.")),
                ("event_id", models.TextField()),
                ("kind", models.CharField(choices=[("retract", "retracted"), ("replace", "replaced")], max_length=8)),
                ("replacement_source", models.TextField(blank=True)),
                ("replacement_id", models.TextField(blank=True)),
                ("reason", models.CharField(max_length=400)),
                ("made_by", models.CharField(help_text="The API key or the person.", max_length=200)),
                ("made_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Pruning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "month",
                    models.DateField(
                        help_text="First day of the month in which the events were received.", unique=True
                    ),
                ),
                ("event_count", models.BigIntegerField()),
                (
                    "kept_after",
                    models.DateTimeField(help_text="The latest time of the events that were dropped.", null=True),
                ),
                ("pruned_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ValueRollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id",
                        "meter_id",
                        "hour",
                        "dimensions",
                        "value",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="metering.account",
                    ),
                ),
                (
                    "meter",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="metering.meter",
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("event_count", models.BigIntegerField()),
                ("dimensions", models.TextField(blank=True, default="")),
                ("value", models.TextField(help_text="A number, or the JSON text of a value that is counted once.")),
            ],
        ),
        migrations.AddField(
            model_name="hourlyrollup",
            name="dimensions",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="hourlyrollup",
            name="latest",
            field=models.DecimalField(
                decimal_places=12,
                help_text="The value at `latest_at`; of several, the greatest.",
                max_digits=50,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="hourlyrollup",
            name="latest_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="hourlyrollup",
            name="maximum",
            field=models.DecimalField(decimal_places=12, max_digits=50, null=True),
        ),
        migrations.AddField(
            model_name="hourlyrollup",
            name="minimum",
            field=models.DecimalField(decimal_places=12, max_digits=50, null=True),
        ),
        migrations.AddField(
            model_name="hourlyrollup",
            name="moment",
            field=models.DecimalField(
                decimal_places=18,
                help_text="Sum of value times seconds since the hour began.",
                max_digits=60,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="carries_over",
            field=models.BooleanField(
                default=False, help_text="Its level stays from one period to the next: storage, seats."
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="percentile",
            field=models.DecimalField(
                blank=True,
                decimal_places=3,
                help_text="Of a percentile alone: above 0, at most 100; nearest rank.",
                max_digits=6,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="rounding",
            field=models.CharField(
                blank=True,
                choices=[("", "none"), ("round", "half away from zero"), ("ceil", "up"), ("floor", "down")],
                help_text="Of the quantity of a reading, not of each event.",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="rounding_places",
            field=models.SmallIntegerField(default=0, help_text="Decimals that rounding keeps."),
        ),
        migrations.AlterField(
            model_name="hourlyrollup",
            name="total",
            field=models.DecimalField(
                decimal_places=12, help_text="Sum of the values; of a count, their number.", max_digits=50
            ),
        ),
        migrations.AlterField(
            model_name="meter",
            name="aggregation",
            field=models.CharField(
                choices=[
                    ("count", "count of events"),
                    ("sum", "sum of values"),
                    ("min", "smallest value"),
                    ("max", "greatest value"),
                    ("avg", "average value"),
                    ("latest", "latest value"),
                    ("unique", "number of distinct values"),
                    ("weighted_sum", "level, weighted by time"),
                    ("percentile", "percentile of values"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("aggregation", "percentile"),
                        ("percentile__gt", 0),
                        ("percentile__isnull", False),
                        ("percentile__lte", 100),
                    ),
                    models.Q(models.Q(("aggregation", "percentile"), _negated=True), ("percentile__isnull", True)),
                    _connector="OR",
                ),
                name="meter_percentile_is_of_a_percentile",
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("carries_over", False),
                    ("aggregation__in", ["sum", "latest", "unique", "weighted_sum"]),
                    _connector="OR",
                ),
                name="meter_that_carries_over_has_a_level",
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rounding__in", ["", "round", "ceil", "floor"]),
                    ("rounding_places__gte", -12),
                    ("rounding_places__lte", 12),
                ),
                name="meter_rounds_to_what_a_quantity_keeps",
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="account",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="metering.account"),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="limit",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="adjustments", to="metering.limit"
            ),
        ),
        migrations.AddField(
            model_name="adjustment",
            name="meter",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="metering.meter"),
        ),
        migrations.AddConstraint(
            model_name="catalogue",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="catalogue_is_one_row"),
        ),
        migrations.AddConstraint(
            model_name="correction",
            constraint=models.UniqueConstraint(fields=("source", "event_id"), name="event_is_corrected_once"),
        ),
        migrations.AddConstraint(
            model_name="correction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "retract"), ("replacement_id", "")),
                    models.Q(("kind", "replace"), models.Q(("replacement_id", ""), _negated=True)),
                    _connector="OR",
                ),
                name="correction_names_what_replaces",
            ),
        ),
        migrations.AddConstraint(
            model_name="adjustment",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity", 0), _negated=True), name="adjustment_changes_something"
            ),
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(ROLLUPS_BY_DIMENSIONS)],
            [
                migrations.AlterField(
                    model_name="hourlyrollup",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "account_id",
                        "meter_id",
                        "hour",
                        "dimensions",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
            ],
        ),
        migrations.RunSQL(METER_IS_FROZEN_ONCE_USED),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(EVENTS_BY_MONTH)],
            [
                migrations.RemoveField(
                    model_name="event",
                    name="claim",
                ),
                migrations.AddField(
                    model_name="event",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "received_at",
                        "source",
                        "event_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                migrations.AddIndex(
                    model_name="event",
                    index=django.contrib.postgres.indexes.BrinIndex(
                        fields=["received_at"], name="event_brin_received_at", pages_per_range=32, autosummarize=True
                    ),
                ),
            ],
        ),
        migrations.RunSQL(CLAIM_EVENTS),
        migrations.RunPython(move_events),
    ]
