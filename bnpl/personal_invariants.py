"""What must always be true of whoever has left: name, sentence, a query that returns no rows."""

OF_PEOPLE = (
    (
        "who_has_left_left_nothing",
        "Of a person who was erased nothing is left that says who they were, lets anybody in, or takes money.",
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
            OR EXISTS (SELECT 1 FROM personal_exportpiece x WHERE x.person_id = p.id)
            OR EXISTS (SELECT 1 FROM personal_proof f WHERE f.person_id = p.id AND f.statement_sealed IS NOT NULL)
            OR EXISTS (SELECT 1 FROM usersessions_usersession s WHERE s.user_id = u.id))
        """,
    ),
)
