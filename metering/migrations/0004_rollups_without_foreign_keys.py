"""Rollups lose their foreign keys: each new row locked its meter and account, and batches queued for the same meters.

What they guarded is guarded from the other side: a meter that has counted cannot be deleted (0002), and neither can an
account that was measured. Ingestion holds ROW SHARE on both names' tables, so that neither can go while it counts.
"""

from django.db import migrations, models

ACCOUNT_STAYS_ONCE_MEASURED = """
CREATE FUNCTION metering_keep_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE metering_alias IN EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM metering_hourlyrollup WHERE account_id = OLD.id) THEN
        RAISE EXCEPTION 'account % has usage and stays', OLD.key USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER account_stays_once_measured BEFORE DELETE ON metering_account
    FOR EACH ROW EXECUTE FUNCTION metering_keep_account();
"""

ACCOUNT_MAY_GO = """
DROP TRIGGER account_stays_once_measured ON metering_account;
DROP FUNCTION metering_keep_account();
"""


def unbound(to: str) -> "models.ForeignKey[models.Model, models.Model]":
    return models.ForeignKey(to, on_delete=models.PROTECT, db_index=False, db_constraint=False)


class Migration(migrations.Migration):
    dependencies = [("metering", "0003_imports_know_what_they_read")]

    operations = [
        migrations.AlterField("hourlyrollup", "account", unbound("metering.account")),
        migrations.AlterField("hourlyrollup", "meter", unbound("metering.meter")),
        migrations.RunSQL(ACCOUNT_STAYS_ONCE_MEASURED, ACCOUNT_MAY_GO),
    ]
