"""How the database is emptied between transactional tests: what a test wrote goes, what the migrations wrote stays.

Django's way truncates every table, written to or not, and then writes the permissions, the content types and the
schedule anew: half a second and more, hundreds of times. Here a table without rows is left alone, and what the
migrations left is kept aside and put back only where a test changed it. Months of events that a test opened go too.
"""

from django.db import connection
from django.test.testcases import TransactionTestCase

# Triggers that forbid emptying a ledger, and foreign keys, hold for everybody else: replica passes them. A table that
# has grown is truncated, so that the next test is planned as on a fresh one.
PREPARE = """
DROP SCHEMA IF EXISTS untouched CASCADE;
CREATE SCHEMA untouched;
DO $$
DECLARE
    name text;
    has_rows boolean;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%1$I)', name) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('CREATE TABLE untouched.%1$I AS TABLE public.%1$I', name);
        END IF;
    END LOOP;
END $$;
CREATE MATERIALIZED VIEW untouched.partitions AS
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relispartition;
CREATE FUNCTION untouched.empty_database() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
    names text;
    size bigint;
    is_same boolean;
BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
    SELECT string_agg(format('public.%I', relname), ', ' ORDER BY relname) INTO names FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition;
    EXECUTE 'LOCK TABLE ' || names || ' IN EXCLUSIVE MODE';
    FOR name IN
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
            AND to_regclass(format('untouched.%I', relname)) IS NULL
    LOOP
        SELECT pg_relation_size(format('public.%I', name)::regclass) + coalesce(sum(pg_relation_size(relid)), 0)
        INTO size FROM pg_partition_tree(format('public.%I', name)::regclass);
        IF size > 80000 THEN
            EXECUTE format('TRUNCATE public.%I CASCADE', name);
        ELSIF size > 0 THEN
            EXECUTE format('DELETE FROM public.%I', name);
        END IF;
    END LOOP;
    FOR name IN
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relispartition
        EXCEPT SELECT relname FROM untouched.partitions
    LOOP
        EXECUTE format('DROP TABLE public.%I', name);
    END LOOP;
    FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'untouched'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format(
            'SELECT (SELECT count(*) FROM public.%1$I) = (SELECT count(*) FROM untouched.%1$I) AND NOT EXISTS '
            '(SELECT t::text FROM public.%1$I t EXCEPT SELECT t::text FROM untouched.%1$I t)', name) INTO is_same;
        IF NOT is_same THEN
            EXECUTE format('DELETE FROM public.%I', name);
            EXECUTE format('INSERT INTO public.%1$I SELECT * FROM untouched.%1$I', name);
        END IF;
    END LOOP;
    PERFORM set_config('session_replication_role', 'origin', true);
END $$;
"""


def prepare_emptying() -> None:
    """Keep aside what the migrations wrote. Called once, on the database as they left it."""
    with connection.cursor() as cursor:
        cursor.execute(PREPARE)


def empty_database(case: TransactionTestCase) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT untouched.empty_database()")
