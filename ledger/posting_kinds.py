"""The kinds of posting: which events move money, and between which accounts. No other kind can be posted.

Each entry: the event, its kinds of posting, and their moves.
"""

POSTING_RULES = (
    ("an order is completed, funding `on_collection`", "completed", "receivable → pending"),
    ("an order is completed, funding `advance`", "completed", "receivable → payable; payable → fees"),
    (
        "a deduction succeeded",
        "collected",
        "clearing → receivable; on_collection also pending → payable, payable → fees",
    ),
    ("the total was reduced", "modified", "what completion posted, the other way, for that part"),
    ("a completed order was cancelled", "cancelled", "the same for the whole"),
    ("a day ended with an overdue amount", "late_fee", "receivable → late_fees"),
    ("a late fee was waived", "late_fee_waived", "late_fees → receivable; if written off: late_fees → losses"),
    (
        "a debt was written off",
        "written_off",
        "losses → receivable where the risk was ours; else pending → receivable",
    ),
    (
        "a payment arrived after a write-off",
        "recovered",
        "clearing → recoveries where the loss was ours; else clearing → payable, payable → fees",
    ),
    ("paid elsewhere", "paid_elsewhere", "on_collection: pending → receivable; advance: payable → receivable"),
    ("a wallet was topped up", "topped_up", "clearing:sandbox → wallet"),
    ("money was withdrawn from a wallet", "taken_out", "wallet → clearing:sandbox"),
    ("a wallet paid", "wallet_debited", "wallet → clearing:wallet, which the deduction's success empties again"),
    ("collected money is refunded", "refund_asked", "payable → refund_due; fees → payable, in proportion"),
    ("a channel paid the refund", "refunded", "refund_due → clearing"),
    ("a channel did not pay the refund", "refund_failed", "what asking posted, the other way, for that part"),
    ("a channel reversed a deduction", "taken_back", "disputed → clearing"),
    ("a dispute was won", "dispute_won", "clearing → disputed"),
    (
        "the customer owes it again",
        "owed_again",
        "receivable → disputed; on_collection also payable → pending, fees → payable",
    ),
    (
        "a dispute was lost: the merchant, or we, are liable",
        "dispute_lost",
        "payable → disputed, fees → payable; or losses → disputed; a late fee: late_fees → disputed",
    ),
    ("an early refund is paid before the goods are returned", "refund_asked", "advances → refund_due"),
    ("the merchant confirmed the return", "return_confirmed", "payable → advances; fees → payable, in proportion"),
    ("a return was denied: the customer owes it", "return_denied", "receivable → advances"),
    ("we are liable for a return", "return_borne", "losses → advances"),
    (
        "a channel reversed an amount that was not collected",
        "taken_back_untaken, taken_back_wrong_amount, taken_back_same_number, taken_back_one_of_two",
        "suspense → clearing, with a case",
    ),
    ("a refund was paid into a wallet", "wallet_refunded", "clearing:wallet → wallet"),
    (
        "an unexpected refund was paid",
        "refunded_after_failure, refunded_twice",
        "suspense → clearing, with a case",
    ),
    ("a settlement holds back a reserve", "reserve_held", "payable → reserve"),
    ("a later settlement releases it", "reserve_released", "reserve → payable"),
    ("a settlement is paid out", "paid_out", "payable → payouts"),
    ("a payout arrived at the merchant's bank", "payout_arrived", "payouts → clearing"),
    ("a payout came back", "payout_failed", "payouts → payable"),
    (
        "an unexpected payout was paid",
        "paid_out_after_failure, paid_out_twice",
        "suspense → clearing, with a case",
    ),
    (
        "money arrived that cannot be assigned",
        "taken_after_failure, taken_twice, wrong_amount",
        "clearing → suspense, with a case",
    ),
    ("a statement discrepancy is put into suspense", "break_to_suspense", "clearing ⇄ suspense"),
    ("such a discrepancy was explained later", "break_came_back", "what it had posted, the other way"),
    (
        "a later channel report explained a case",
        "case_explained",
        "its suspense posting, the other way",
    ),
    (
        "colleagues closed a case, a payout's that came back after it had arrived among them (clearing → payable)",
        "case_closed",
        "suspense ⇄ clearing, wallet, payable, advances, losses; clearing → wallet, payable; a refund's fee too",
    ),
)
POSTING_KINDS = frozenset(kind for _event, kinds, _moves in POSTING_RULES for kind in kinds.split(", "))
