"""django-silver from PyPI in an environment of its own, on the bench's PostgreSQL: its invoices a second."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "var" / "peers" / "silver"
PACKAGES = ["django-silver==0.11.1", "psycopg2-binary", "typing_extensions", "pytz", "setuptools<81"]
DRIVER = Path(__file__).with_name("silver_driver.py")
DATABASE = "silver"


def measure(customers: int) -> float:
    """Invoices a second. Raises CalledProcessError where it cannot be fetched or run."""
    from django.db import connection

    python = FOLDER / "bin" / "python"
    if not python.exists():
        venv.create(FOLDER, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True, stdout=sys.stderr)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    given = {"SILVER_HOST": str(connection.settings_dict["HOST"]), "SILVER_DATABASE": DATABASE}
    told = subprocess.run(
        [python, "-P", DRIVER, str(customers)], check=True, stdout=subprocess.PIPE, text=True, env=os.environ | given
    ).stdout
    rate: float = json.loads(told.splitlines()[-1])["rate"]
    return rate
