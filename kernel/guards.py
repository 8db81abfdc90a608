"""What the database holds to even when our code is wrong: legal moves, gapless history, append-only tables."""

from collections.abc import Iterable, Mapping
from typing import Any

import pgtrigger
from django.db import migrations

_REFUSE = "USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = "


def append_only(operation: Any = pgtrigger.Update) -> list[pgtrigger.Trigger]:
    """Rows are added and never changed, taken away or emptied out; a mistake is corrected by a new row."""
    return [
        pgtrigger.Trigger(
            name="append_only",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=operation | pgtrigger.Delete | pgtrigger.Truncate,
            func=f"RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP {_REFUSE} 'append_only';",
        )
    ]


def only_erased(*words: str, kept: Iterable[str]) -> list[pgtrigger.Trigger]:
    """Append-only, but that the words in it may be made empty when their person leaves, all of them at once.

    `kept` are all the other columns, as the database calls them.
    """
    filled = " OR ".join(f"NEW.{word} <> ''" for word in words)
    return [
        *append_only(pgtrigger.UpdateOf(*kept)),  # type: ignore[no-untyped-call]
        pgtrigger.Trigger(
            name="words_are_only_erased",
            when=pgtrigger.Before,
            operation=pgtrigger.UpdateOf(*words),  # type: ignore[no-untyped-call]
            func=f"""
                IF {filled} THEN
                    RAISE EXCEPTION '% is append-only: its words may only be erased', TG_TABLE_NAME
                        {_REFUSE} 'append_only';
                END IF;
                RETURN NEW;
            """,
        ),
    ]


def only_blotted(column: str, words: Mapping[str, str], *, where: str, kept: Iterable[str]) -> list[pgtrigger.Trigger]:
    """Append-only, but that some words in a JSON column are replaced when their person leaves, all of them at once.

    `words` are those names in `column`, each with what stands there then; `where` says of which rows, about OLD.
    """
    blotted = ", ".join(f"'{name}', '{text}'" for name, text in words.items())
    return [
        *append_only(pgtrigger.UpdateOf(*kept)),  # type: ignore[no-untyped-call]
        pgtrigger.Trigger(
            name="words_are_only_blotted",
            when=pgtrigger.Before,
            operation=pgtrigger.UpdateOf(column),  # type: ignore[no-untyped-call]
            func=f"""
                IF NOT ({where}) OR NEW.{column} IS DISTINCT FROM OLD.{column} || jsonb_build_object({blotted}) THEN
                    RAISE EXCEPTION '% is append-only: some words of it may only be blotted out', TG_TABLE_NAME
                        {_REFUSE} 'append_only';
                END IF;
                RETURN NEW;
            """,
        ),
    ]


def lifecycle(history: str, *, frozen: Iterable[str] = ()) -> list[pgtrigger.Trigger]:
    """A state moves only along kernel_legalmove, one version a step, each with its line in `history`."""
    kept = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in ("id", *frozen))
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
                IF {kept} THEN
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


def kept_after(state: str, columns: Iterable[str]) -> pgtrigger.Trigger:
    """Once a row has left this state, these columns stay as they are for ever."""
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
    """The migration step that writes a life's moves into the database; `''` is where a new row comes from."""
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
