"""Invariants of invoices: name, description, and a query that must return no rows."""

INVOICE_INVARIANTS = (
    (
        "invoices_match_settlement_fees",
        "An invoice equals the sum of its lines; each line equals the fee postings of its settlement.",
        """
        SELECT i.id, i.amount_minor, l.settlement_id, l.charged_minor, l.returned_minor, f.* FROM billing_invoice i
        LEFT JOIN billing_invoiceline l ON l.invoice_id = i.id
        LEFT JOIN billing_settlement s ON s.id = l.settlement_id
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(-x.amount_minor) FILTER (WHERE x.amount_minor < 0), 0) AS charged,
                   coalesce(sum(x.amount_minor) FILTER (WHERE x.amount_minor > 0), 0) AS returned
            FROM billing_settlementline x JOIN ledger_posting p ON p.id = x.posting_id
             AND 'fees' IN (p.debit_account, p.credit_account)
            WHERE x.settlement_id = s.id) f ON true
        WHERE l.id IS NULL OR s.period_until > i.period_until
           OR (s.merchant_id, s.realm_id, s.currency) <> (i.merchant_id, i.realm_id, i.currency)
           OR (l.charged_minor, l.returned_minor) <> (f.charged, f.returned)
           OR i.amount_minor <> (SELECT sum(charged_minor - returned_minor) FROM billing_invoiceline
                                 WHERE invoice_id = i.id)
        """,
    ),
    (
        "invoice_numbers_have_no_gaps",
        "The invoices of a realm are numbered 1, 2, 3 … and none is missing.",
        """
        SELECT realm_id, count(*) AS invoices, max(seq) AS last FROM billing_invoice GROUP BY 1
        HAVING count(*) <> max(seq) OR min(seq) <> 1
        """,
    ),
    (
        "settlement_fees_are_invoiced",
        "A settlement with fees is on an invoice once its month was invoiced.",
        """
        SELECT s.id, s.period_until FROM billing_settlement s JOIN (
            SELECT merchant_id, currency, max(period_until) AS until FROM billing_invoice GROUP BY 1, 2) i
             ON i.merchant_id = s.merchant_id AND i.currency = s.currency AND s.period_until <= i.until
        WHERE EXISTS (SELECT 1 FROM billing_settlementline x WHERE x.settlement_id = s.id AND x.kind = 'fee')
          AND NOT EXISTS (SELECT 1 FROM billing_invoiceline l WHERE l.id = s.id)
        """,
    ),
)
