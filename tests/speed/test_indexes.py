"""No index of ours is a prefix of another one, because every write would update both."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from tests.architecture import OWN_APPS

#: Non-partial indexes that are a prefix of another one of the same kind and order; unique ones are constraints.
_BEGINNINGS = """
SELECT a.indexrelid::regclass::text, min(b.indexrelid::regclass::text)
FROM pg_index a JOIN pg_index b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid
WHERE a.indrelid = ANY (%s::regclass[]) AND NOT a.indisunique
  AND a.indpred IS NULL AND b.indpred IS NULL AND a.indexprs IS NULL AND b.indexprs IS NULL
  AND (b.indkey::text || ' ') LIKE (a.indkey::text || ' %%')
  AND (b.indclass::text || ' ') LIKE (a.indclass::text || ' %%')
  AND (b.indkey::text <> a.indkey::text OR b.indisunique OR b.indexrelid < a.indexrelid)
GROUP BY 1 ORDER BY 1
"""


@pytest.mark.django_db
def test_no_index_is_a_prefix_of_another() -> None:
    tables = [model._meta.db_table for model in apps.get_models() if model._meta.app_label in OWN_APPS]
    with connection.cursor() as cursor:
        cursor.execute(_BEGINNINGS, [tables])
        assert cursor.fetchall() == []


@pytest.mark.django_db
def test_an_index_that_a_field_lost_can_come_back_and_is_gone_already(capsys: pytest.CaptureFixture[str]) -> None:
    migration = ("sqlmigrate", "portal", "0006_one_index_for_each_question")
    call_command(*migration, backwards=True)
    assert "CREATE INDEX ON portal_letter (user_id)" in capsys.readouterr().out
    call_command(*migration)
    assert "INDEX" not in capsys.readouterr().out
