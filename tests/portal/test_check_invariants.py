from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from metering.accounts import create_account

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_a_sound_database_passes(capsys):
    create_account(key="acme", at=NOW)
    call_command("check_invariants")
    assert "Every promise holds." in capsys.readouterr().out


@pytest.mark.django_db
def test_a_broken_promise_is_named_and_fails(capsys):
    account = create_account(key="acme", at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT metering_open_month(%s)", [NOW])
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "INSERT INTO metering_event"
            " (source, event_id, type, subject, account_id, happened_at, received_at, data)"
            " VALUES ('s', '1', 'call', 'acme', %s, %s, %s, '{}')",
            [account.id, NOW, NOW],
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    with pytest.raises(CommandError, match="broken promise"):
        call_command("check_invariants")
    assert "claim" in capsys.readouterr().out
