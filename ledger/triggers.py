"""Database triggers for closed ledger days: a posting for a closed day is moved to the first open one."""

import pgtrigger

#: The class of the advisory locks for closing days: shared by postings, exclusive while days are closed.
CLOSING_LOCK_CLASS = 7


def move_to_open_day() -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="closed_days_take_nothing",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        declare=[("shut", "timestamptz")],
        func=f"""
            PERFORM pg_advisory_xact_lock_shared({CLOSING_LOCK_CLASS}, NEW.realm_id::int);
            SELECT closed_until INTO shut FROM ledger_closing WHERE realm_id = NEW.realm_id;
            IF NEW.at < shut THEN
                NEW.at := shut;
            END IF;
            RETURN NEW;
        """,
    )


def never_reopened() -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="never_reopened",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func="""
            IF NEW.closed_until < OLD.closed_until OR NEW.realm_id <> OLD.realm_id THEN
                RAISE EXCEPTION 'a closed day of realm % may not be opened', OLD.realm_id
                    USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = 'never_reopened';
            END IF;
            RETURN NEW;
        """,
    )
