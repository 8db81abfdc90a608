"""Grants the application's database role the rights it needs and no more. Run as the owner after every migrate."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from psycopg2 import sql

ROLE = "bnpl_app"
#: Our own apps: their rows may not be deleted, unless the model is `deletable`.
OWN_APPS = {"kernel", "ledger", "accounts", "merchants", "credit", "orders", "billing", "portal", "personal", "office"}
#: django-pgtrigger lets a session disable triggers, and checks that setting before each trigger and row: in a
#: subtransaction that fails while the setting is missing, and each of which goes through all deferred constraints. Here
#: triggers can never be disabled, and the check is skipped.
NEVER_IGNORED = """
CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name name) RETURNS boolean
LANGUAGE sql IMMUTABLE AS 'SELECT false'"""
LIMITS = {"statement_timeout": "5s", "lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        role = sql.Identifier(ROLE)
        # In one transaction, because the application keeps running and must never be without its rights.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(NEVER_IGNORED)
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
            if not cursor.fetchone():
                cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
            cursor.execute("SELECT current_user = %s OR pg_has_role(current_user, %s, 'SET')", [ROLE, ROLE])
            if not cursor.fetchone()[0]:
                cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
            cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
            cursor.execute(sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(role))
            cursor.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(role))
            for table, rights in rights_by_table().items():
                cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), sql.Identifier(table), role))
            cursor.execute(sql.SQL("GRANT SELECT ON django_migrations TO {}").format(role))
            cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = 'sandbox_bank'")
            if cursor.fetchone():
                cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA sandbox_bank TO {}").format(role))
                every = "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA sandbox_bank TO {}"
                cursor.execute(sql.SQL(every).format(role))
            for name, value in LIMITS.items():
                cursor.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(name), sql.Literal(value))
                )


def rights_by_table() -> dict[str, str]:
    """The application role's rights on each table."""
    rights = {}
    for model in apps.get_models(include_auto_created=True):
        is_own = model._meta.app_label in OWN_APPS
        if getattr(model, "append_only", False):
            erasable = ", ".join(getattr(model, "erasable", ()))
            rights[model._meta.db_table] = f"SELECT, INSERT, UPDATE ({erasable})" if erasable else "SELECT, INSERT"
        elif model._meta.db_table == "kernel_legalmove":
            rights[model._meta.db_table] = "SELECT"
        elif is_own and not getattr(model, "deletable", False) and not model._meta.auto_created:
            rights[model._meta.db_table] = "SELECT, INSERT, UPDATE"
        else:
            rights[model._meta.db_table] = "SELECT, INSERT, UPDATE, DELETE"
    return rights
