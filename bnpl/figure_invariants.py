"""What must always be true of what the console keeps: figures are what the histories say, and the audit is whole."""

from uuid import UUID

from office.queries.streams import STREAMS, Stream


def _recounted(stream: Stream) -> str:
    """The facts of a stream as far as it was counted, as SQL without values: which day it was does not matter here."""
    upto = f"(SELECT last FROM office_counted WHERE stream = '{stream.name}')"  # noqa: S608  our own name
    return stream.sql % {"after": f"'{UUID(int=0)}'::uuid", "upto": upto, "zone": "'UTC'"}


COUNTED = [
    *(
        (
            f"{stream.name}_are_counted_once",
            "What was counted of a history is what it says, as far as it was counted.",
            f"""
            SELECT metric, f.number AS said, t.number AS counted
            FROM (SELECT metric, count(*) AS number FROM ({_recounted(stream)}) f GROUP BY 1) f
            FULL JOIN (SELECT metric, sum(number)::bigint AS number FROM office_tally WHERE merchant_id IS NULL
                       AND metric IN ({", ".join(f"'{metric}'" for metric in stream.metrics)}) GROUP BY 1) t
                 USING (metric)
            WHERE f.number IS DISTINCT FROM t.number
            """,  # noqa: S608  our own names
        )
        for stream in STREAMS.values()
    ),
    (
        "figures_of_all_are_the_sum_of_each",
        "What was counted of everybody is what was counted of each service together.",
        """
        SELECT realm_id, day_on, metric, key, currency FROM office_tally GROUP BY 1, 2, 3, 4, 5
        HAVING (coalesce(sum(number) FILTER (WHERE merchant_id IS NULL), 0),
                coalesce(sum(amount_minor) FILTER (WHERE merchant_id IS NULL), 0))
            <> (coalesce(sum(number) FILTER (WHERE merchant_id IS NOT NULL), 0),
                coalesce(sum(amount_minor) FILTER (WHERE merchant_id IS NOT NULL), 0))
        """,
    ),
]
_STAFF = "starts_with(by, 'staff:') AND position('+' IN by) = 0"
_SINCE = "(SELECT min(applied) FROM django_migrations WHERE app = 'office' AND name = '0002_proposals')"
BY_TWO = (
    (
        "what_takes_two_was_done_by_two",
        "What no colleague does alone has the names of two beside it, since there are proposals.",
        f"""
        SELECT id, kind, by FROM orders_orderevent
        WHERE kind IN ('written_off', 'fees_waived') AND {_STAFF} AND recorded_at > {_SINCE}
        UNION ALL SELECT id, kind, by FROM billing_deductionevent
        WHERE kind = 'said_by_colleagues' AND {_STAFF} AND recorded_at > {_SINCE}
        UNION ALL SELECT id, kind, by FROM accounts_accountevent
        WHERE kind IN ('roles_changed', 'staff_created', 'left', 'let_back_in', 'password_forgotten')
          AND {_STAFF} AND recorded_at > {_SINCE}
        UNION ALL SELECT id, 'limit', by FROM credit_limitchange WHERE {_STAFF}
        """,  # noqa: S608  our own names
    ),
    (
        "a_limit_is_what_it_was_last_set_to",
        "Where colleagues set a person's limit in a currency, it is what they set it to last.",
        """
        SELECT p.person_id, p.currency, p.limit_minor, l.limit_minor AS set_to FROM (
            SELECT person_id, currency, limit_minor FROM credit_profile
            UNION ALL SELECT person_id, currency, limit_minor FROM credit_currencylimit) p
        JOIN LATERAL (SELECT limit_minor FROM credit_limitchange c
                      WHERE c.person_id = p.person_id AND c.currency = p.currency ORDER BY id DESC LIMIT 1) l ON true
        WHERE p.limit_minor <> l.limit_minor
        """,
    ),
)
#: Not a query: its seals are under a key that the database does not have.
WHOLE_AUDIT = ("the_audit_is_whole", "Each line of the audit is sealed onto the one before, from first to last.", "")
