"""Numbers for many invoices in one statement, still counted one by one."""

from django.db import migrations

# The trigger that lets a series count on by one alone looks at each step.
BLOCKS = """
CREATE FUNCTION billing_take_numbers(wanted text, count int, OUT series_id bigint, OUT last_number int)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO billing_invoiceseries AS series (prefix, last_number) VALUES (wanted, 1)
        ON CONFLICT (prefix) DO UPDATE SET last_number = series.last_number + 1
        RETURNING series.id, series.last_number INTO series_id, last_number;
    FOR taken IN 2..count LOOP
        UPDATE billing_invoiceseries AS series SET last_number = series.last_number + 1 WHERE series.id = series_id
            RETURNING series.last_number INTO last_number;
    END LOOP;
END $$;
"""

BLOCKS_AWAY = "DROP FUNCTION billing_take_numbers;"


class Migration(migrations.Migration):
    dependencies = [("billing", "0017_late_usage")]

    operations = [migrations.RunSQL(BLOCKS, BLOCKS_AWAY)]
