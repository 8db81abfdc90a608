"""Invariants of erased people: name, description, and a query that must return no rows."""

ERASURE_INVARIANTS = (
    (
        "erased_people_have_no_data",
        "An erased person has no personal data, cannot sign in, and has no usable instrument.",
        """
        SELECT p.id FROM personal_erasure e JOIN accounts_person p ON p.id = e.person_id
        LEFT JOIN accounts_user u ON u.id = p.user_id LEFT JOIN credit_profile c ON c.person_id = p.id
        WHERE e.erased_at IS NOT NULL AND (
            p.name_sealed IS NOT NULL OR p.mail_sealed IS NOT NULL
            OR p.id_number_index IS NOT NULL OR u.is_active OR u.phone_index IS NOT NULL
            OR u.email <> '' OR c.frozen_at IS NULL AND c.person_id IS NOT NULL
            OR EXISTS (SELECT 1 FROM billing_instrument i WHERE i.person_id = p.id
                       AND (i.state <> 'removed' OR i.name <> '' OR left(i.token, 5) <> 'gone:'))
            OR EXISTS (SELECT 1 FROM accounts_notice n WHERE n.person_id = p.id AND (n.subject <> '' OR n.body <> ''))
            OR EXISTS (SELECT 1 FROM orders_message m WHERE m.person_id = p.id AND m.text <> '')
            OR EXISTS (SELECT 1 FROM accounts_contact t WHERE t.person_id = p.id AND t.note <> '')
            OR EXISTS (SELECT 1 FROM accounts_accountevent a WHERE (a.person_id = p.id OR a.user_id = p.user_id)
                       AND a.recorded_at < e.erased_at AND a.data ->> 'note' <> '***')
            OR EXISTS (SELECT 1 FROM credit_limitchange l WHERE l.person_id = p.id AND l.reason <> ''
                       AND l.by <> 'system:review')
            OR EXISTS (SELECT 1 FROM orders_order o JOIN orders_orderevent h ON h.subject_id = o.id
                       WHERE o.person_id = p.id AND h.recorded_at < e.erased_at AND h.data ->> 'note' <> '***')
            OR EXISTS (SELECT 1 FROM orders_obligation b JOIN orders_obligationevent h ON h.subject_id = b.id
                       WHERE b.person_id = p.id AND h.kind = 'written_off' AND h.data ->> 'reason' <> '***')
            OR EXISTS (SELECT 1 FROM billing_dispute d WHERE d.person_id = p.id AND d.evidence NOT IN ('', '***'))
            OR EXISTS (SELECT 1 FROM billing_dispute d JOIN billing_disputeanswer w ON w.dispute_id = d.id
                       WHERE d.person_id = p.id AND (w.statement <> '***' OR w.communication <> '***'
                                                     OR w.carrier <> '***' OR w.tracking_number <> '***'))
            OR EXISTS (SELECT 1 FROM billing_return r WHERE r.person_id = p.id
                       AND (r.carrier <> '***' OR r.tracking_number <> '***' OR r.reason <> '***'
                            OR EXISTS (SELECT 1 FROM merchants_event v WHERE v.subject_id = r.order_id
                                       AND v.type LIKE 'return.%' AND v.data <> v.data || jsonb_build_object(
                                           'carrier', '***', 'tracking_number', '***', 'reason', '***'))))
            OR EXISTS (
                SELECT 1 FROM office_handlingnote h JOIN office_handling g ON g.id = h.handling_id
                WHERE h.text <> '' AND h.recorded_at < e.erased_at AND g.about IN (
                    SELECT id FROM orders_concern WHERE person_id = p.id
                    UNION ALL SELECT id FROM billing_dispute WHERE person_id = p.id
                    UNION ALL SELECT id FROM billing_return WHERE person_id = p.id
                    UNION ALL SELECT id FROM billing_deduction WHERE person_id = p.id
                    UNION ALL SELECT c.id FROM billing_case c JOIN billing_deduction d ON d.id = c.deduction_id
                              WHERE d.person_id = p.id
                    UNION ALL SELECT b.id FROM billing_break b JOIN billing_deduction d ON d.id = b.deduction_id
                              WHERE d.person_id = p.id
                    UNION ALL SELECT c.id FROM billing_case c JOIN billing_refundpart f ON f.id = c.refund_part_id
                              JOIN billing_refund r ON r.id = f.refund_id WHERE r.person_id = p.id
                    UNION ALL SELECT b.id FROM billing_break b JOIN billing_refundpart f ON f.id = b.refund_part_id
                              JOIN billing_refund r ON r.id = f.refund_id WHERE r.person_id = p.id))
            OR EXISTS (SELECT 1 FROM personal_exportpiece x WHERE x.person_id = p.id)
            OR EXISTS (SELECT 1 FROM personal_proof f WHERE f.person_id = p.id AND f.statement_sealed IS NOT NULL)
            OR EXISTS (SELECT 1 FROM usersessions_usersession s WHERE s.user_id = u.id))
        """,
    ),
)
