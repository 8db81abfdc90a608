"""A migration operation that drops a foreign key's own index and changes nothing else.

Django's AlterField would drop and recreate the foreign key, which scans the whole table while writes are blocked.
"""

from typing import Any

from django.db import migrations

_FIND_INDEX_SQL = """
SELECT i.indexrelid::regclass::text FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND i.indkey::text = a.attnum::text
WHERE i.indrelid = %s::regclass AND a.attname = %s AND NOT i.indisunique AND i.indpred IS NULL
"""


class WithoutIndex(migrations.AlterField):
    """A field whose `db_index` became False, because another index starts with its column or no query needs it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del from_state
        table, column = self._table_and_column(app_label, to_state)
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(_FIND_INDEX_SQL, [table, column])
            for (name,) in cursor.fetchall():
                schema_editor.execute(f"DROP INDEX {name}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del from_state
        table, column = self._table_and_column(app_label, to_state)
        schema_editor.execute(f"CREATE INDEX ON {table} ({column})")

    def _table_and_column(self, app_label: str, state: Any) -> tuple[str, str]:
        model = state.apps.get_model(app_label, self.model_name)
        return model._meta.db_table, model._meta.get_field(self.name).column
