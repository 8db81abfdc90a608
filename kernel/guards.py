"""Database triggers that hold even if the code is wrong: legal transitions, gapless history, append-only tables."""

from collections.abc import Iterable, Mapping
from typing import Any

import pgtrigger
from django.db import migrations

#: Replaces free text that was erased where something has to stand.
REDACTED_TEXT = "***"
_REFUSE = "USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = "


def append_only(operation: Any = pgtrigger.Update) -> list[pgtrigger.Trigger]:
    """Refuse every update, delete and truncate; a mistake is corrected by a new row."""
    return [
        pgtrigger.Trigger(
            name="append_only",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=operation | pgtrigger.Delete | pgtrigger.Truncate,
            func=f"RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP {_REFUSE} 'append_only';",
        )
    ]


def append_only_but_erasable(
    *erasable: str, protected: Iterable[str], erased_text: str = ""
) -> list[pgtrigger.Trigger]:
    """Append-only, except that the `erasable` columns may be emptied when the person's data is erased, all at once.

    `protected` are the database names of all other columns. `erased_text` is what stands in an emptied column.
    """
    filled = " OR ".join(f"NEW.{word} <> '{erased_text}'" for word in erasable)
    return [
        *append_only(pgtrigger.UpdateOf(*protected)),  # type: ignore[no-untyped-call]
        pgtrigger.Trigger(
            name="words_are_only_erased",
            when=pgtrigger.Before,
            operation=pgtrigger.UpdateOf(*erasable),  # type: ignore[no-untyped-call]
            func=f"""
                IF {filled} THEN
                    RAISE EXCEPTION '% is append-only: its words may only be erased', TG_TABLE_NAME
                        {_REFUSE} 'append_only';
                END IF;
                RETURN NEW;
            """,
        ),
    ]


def append_only_but_redactable(
    column: str, redacted_values: Mapping[str, str], *, where: str, protected: Iterable[str]
) -> list[pgtrigger.Trigger]:
    """Append-only, except that some values in a JSON column may be redacted when the person's data is erased.

    `redacted_values` maps keys in `column` to their replacements, all set at once; `where` is a condition on OLD.
    """
    pairs = ", ".join(f"'{name}', '{text}'" for name, text in redacted_values.items())
    return [
        *append_only(pgtrigger.UpdateOf(*protected)),  # type: ignore[no-untyped-call]
        pgtrigger.Trigger(
            name="words_are_only_blotted",
            when=pgtrigger.Before,
            operation=pgtrigger.UpdateOf(column),  # type: ignore[no-untyped-call]
            func=f"""
                IF NOT ({where}) OR NEW.{column} IS DISTINCT FROM OLD.{column} || jsonb_build_object({pairs}) THEN
                    RAISE EXCEPTION '% is append-only: some words of it may only be blotted out', TG_TABLE_NAME
                        {_REFUSE} 'append_only';
                END IF;
                RETURN NEW;
            """,
        ),
    ]


def redactable_history(key: str, *, where: str = "") -> list[pgtrigger.Trigger]:
    """The guards of a history in whose `data` the free text under `key` may be redacted, in lines with `where`."""
    has_text = f"OLD.data ? '{key}'"
    return append_only_but_redactable(
        "data",
        {key: REDACTED_TEXT},
        where=f"{has_text} AND {where}" if where else has_text,
        protected=["id", "subject_id", "seq", "kind", "source", "target", "by", "at", "recorded_at"],
    )


def lifecycle(history: str, *, frozen_columns: Iterable[str] = ()) -> list[pgtrigger.Trigger]:
    """The state changes only along kernel_legalmove, one version per step, each with a row in `history`."""
    identity_changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in ("id", *frozen_columns))
    return [
        pgtrigger.Trigger(
            name="legal_moves_only",
            when=pgtrigger.Before,
            operation=pgtrigger.Update,
            func=f"""
                IF NEW.version NOT IN (OLD.version, OLD.version + 1)
                   OR (NEW.state <> OLD.state AND NEW.version = OLD.version) THEN
                    RAISE EXCEPTION '% %: version % may not follow %', TG_TABLE_NAME, OLD.id, NEW.version, OLD.version
                        {_REFUSE} 'one_version_a_step';
                END IF;
                IF NEW.state <> OLD.state AND NOT EXISTS (
                    SELECT 1 FROM kernel_legalmove
                    WHERE lifecycle = TG_TABLE_NAME AND source = OLD.state AND target = NEW.state) THEN
                    RAISE EXCEPTION '% %: % may not become %', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state
                        {_REFUSE} 'legal_moves_only';
                END IF;
                IF {identity_changed} THEN
                    RAISE EXCEPTION '% %: a column that names it was changed', TG_TABLE_NAME, OLD.id
                        {_REFUSE} 'identity_is_frozen';
                END IF;
                RETURN NEW;
            """,
        ),
        pgtrigger.Trigger(
            name="starts_legally",
            when=pgtrigger.Before,
            operation=pgtrigger.Insert,
            func=f"""
                IF NEW.version <> 1 OR NOT EXISTS (
                    SELECT 1 FROM kernel_legalmove
                    WHERE lifecycle = TG_TABLE_NAME AND source = '' AND target = NEW.state) THEN
                    RAISE EXCEPTION '% may not begin as % (version %)', TG_TABLE_NAME, NEW.state, NEW.version
                        {_REFUSE} 'starts_legally';
                END IF;
                RETURN NEW;
            """,
        ),
        pgtrigger.Trigger(
            name="every_step_is_told",
            when=pgtrigger.After,
            operation=pgtrigger.Insert | pgtrigger.Update,
            timing=pgtrigger.Deferred,
            func=f"""
                IF NOT EXISTS (
                    SELECT 1 FROM {history}
                    WHERE subject_id = NEW.id AND seq = NEW.version AND target = NEW.state) THEN
                    RAISE EXCEPTION '% %: version % (%) has no line in {history}',
                        TG_TABLE_NAME, NEW.id, NEW.version, NEW.state {_REFUSE} 'every_step_is_told';
                END IF;
                RETURN NULL;
            """,
        ),
        pgtrigger.Trigger(
            name="never_deleted",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Delete | pgtrigger.Truncate,
            func=f"RAISE EXCEPTION '% rows are never deleted', TG_TABLE_NAME {_REFUSE} 'never_deleted';",
        ),
    ]


def frozen_after(state: str, columns: Iterable[str]) -> pgtrigger.Trigger:
    """Once a row has left this state, these columns can no longer change."""
    changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)
    return pgtrigger.Trigger(
        name=f"kept_after_{state}",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"""
            IF OLD.state <> '{state}' AND ({changed}) THEN
                RAISE EXCEPTION '% %: what it came to does not change any more', TG_TABLE_NAME, OLD.id
                    {_REFUSE} 'kept_after_{state}';
            END IF;
            RETURN NEW;
        """,
    )


def legal_moves(lifecycle_table: str, moves: Iterable[tuple[str, str]]) -> migrations.RunSQL:
    """The migration operation that inserts a lifecycle's legal transitions; `''` is the source of a new row."""
    pairs = list(moves)
    return migrations.RunSQL(
        sql=[
            (
                "INSERT INTO kernel_legalmove (lifecycle, source, target) VALUES (%s, %s, %s)",
                [lifecycle_table, source, target],
            )
            for source, target in pairs
        ],
        reverse_sql=[
            (
                "DELETE FROM kernel_legalmove WHERE lifecycle = %s AND source = %s AND target = %s",
                [lifecycle_table, source, target],
            )
            for source, target in pairs
        ],
    )
