"""What happened to a lead is written once, and a closed lead stays as it was closed."""

from django.db import migrations

REFUSE_CHANGE = """
CREATE FUNCTION crm_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: rows are neither changed nor deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""

KEEP_CLOSED = """
CREATE FUNCTION crm_keep_lead_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'lead % is closed: what comes after it opens a new lead', OLD.id
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER crm_lead_stays_closed BEFORE UPDATE ON crm_lead FOR EACH ROW
    WHEN (OLD.stage IN ('won', 'lost')) EXECUTE FUNCTION crm_keep_lead_closed();
"""

LEDGERS = ("crm_signal", "crm_transition", "crm_activity")

FREEZE = "".join(
    f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW"
    " EXECUTE FUNCTION crm_refuse_change();\n"
    for table in LEDGERS
)
THAW = "".join(f"DROP TRIGGER {table}_is_append_only ON {table};\n" for table in LEDGERS)


class Migration(migrations.Migration):
    dependencies = [("crm", "0001_initial")]

    operations = [
        migrations.RunSQL(
            REFUSE_CHANGE + FREEZE + KEEP_CLOSED,
            THAW
            + "DROP TRIGGER crm_lead_stays_closed ON crm_lead;\n"
            + "DROP FUNCTION crm_keep_lead_closed();\nDROP FUNCTION crm_refuse_change();",
        ),
    ]
