"""A foreign key loses the index that Django gave it, and nothing else happens to its table.

Django's own AlterField would drop the key and make it anew, which reads the whole table while nobody may write it.
"""

from typing import Any

from django.db import migrations

_ITS_INDEX = """
SELECT i.indexrelid::regclass::text FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND i.indkey::text = a.attnum::text
WHERE i.indrelid = %s::regclass AND a.attname = %s AND NOT i.indisunique AND i.indpred IS NULL
"""


class WithoutIndex(migrations.AlterField):
    """A field whose `db_index` became false: another index of its table begins with its column, or nobody asks so."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del from_state
        table, column = self._column(app_label, to_state)
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(_ITS_INDEX, [table, column])
            for (name,) in cursor.fetchall():
                schema_editor.execute(f"DROP INDEX {name}")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        del from_state
        table, column = self._column(app_label, to_state)
        schema_editor.execute(f"CREATE INDEX ON {table} ({column})")

    def _column(self, app_label: str, state: Any) -> tuple[str, str]:
        model = state.apps.get_model(app_label, self.model_name)
        return model._meta.db_table, model._meta.get_field(self.name).column
