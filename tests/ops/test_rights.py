"""Privileges are granted again at each release while the application keeps working."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.services import services

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db(transaction=True)
def test_no_query_is_refused_while_privileges_are_granted() -> None:
    owner = {**os.environ, "DATABASE_URL": services.owner_url, "DATABASE_ROLE": ""}
    argv = [sys.executable, "-W", "ignore", "manage.py", "grant"]
    refused, asked = [], 0
    with closing(psycopg2.connect(services.app_url)) as line, line.cursor() as cursor:
        line.autocommit = True
        giving = subprocess.Popen(argv, cwd=ROOT, env=owner)  # noqa: S603  our own words
        while giving.poll() is None:
            asked += 1
            try:
                cursor.execute("SELECT 1 FROM office_listing UNION ALL SELECT 1 FROM orders_order LIMIT 1")
            except psycopg2.errors.InsufficientPrivilege as denied:
                refused.append(str(denied))

    assert (giving.returncode, refused[:1]) == (0, [])
    assert asked > 1
