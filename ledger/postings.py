"""What happens that moves money, and what is booked then. Nothing else can be booked.

Each line: what happened, the kinds of posting it makes, and their moves.
"""

POSTINGS = (
    ("an order is completed, funding `on_collection`", "completed", "receivable → pending"),
    ("an order is completed, funding `advance`", "completed", "receivable → payable; payable → fees"),
    (
        "a deduction succeeded",
        "collected",
        "clearing → receivable; on_collection also pending → payable, payable → fees",
    ),
    ("the total was lowered", "modified", "what completion posted, the other way, for that part"),
    ("a completed order was cancelled", "cancelled", "the same for the whole"),
    ("a day ended on what is overdue", "late_fee", "receivable → late_fees"),
    ("a late fee was forgiven", "late_fee_waived", "late_fees → receivable"),
    (
        "a debt was given up as lost",
        "written_off",
        "losses → receivable where the risk was ours; else pending → receivable",
    ),
    (
        "money came after a write-off",
        "recovered",
        "clearing → recoveries where the loss was ours; else clearing → payable, payable → fees",
    ),
    ("paid elsewhere", "paid_elsewhere", "on_collection: pending → receivable; advance: payable → receivable"),
    ("a wallet was topped up", "topped_up", "clearing:sandbox → wallet"),
    ("money was taken out of a wallet", "taken_out", "wallet → clearing:sandbox"),
    ("a wallet paid", "wallet_debited", "wallet → clearing:wallet, which the deduction's success empties again"),
    ("collected money is refunded", "refund_asked", "payable → refund_due; fees → payable, in proportion"),
    ("a channel gave it back", "refunded", "refund_due → clearing"),
    ("a channel did not give it back", "refund_failed", "what asking posted, the other way, for that part"),
    ("a channel took a debit back", "taken_back", "disputed → clearing"),
    ("the channel gave way", "dispute_won", "clearing → disputed"),
    (
        "the person owes it again",
        "owed_again",
        "receivable → disputed; on_collection also payable → pending, fees → payable",
    ),
    (
        "the merchant, or we, bear it",
        "dispute_lost",
        "payable → disputed, fees → payable; or losses → disputed; a late fee: late_fees → disputed",
    ),
    ("collected money goes back ahead of a return", "refund_asked", "advances → refund_due"),
    ("the merchant has the goods again", "return_confirmed", "payable → advances; fees → payable, in proportion"),
    ("the return did not stand: the person owes it", "return_denied", "receivable → advances"),
    ("we bear a return", "return_borne", "losses → advances"),
    (
        "a channel took back what was not there",
        "taken_back_untaken, taken_back_wrong_amount, taken_back_same_number",
        "suspense → clearing, with a case",
    ),
    ("it went back into a wallet", "wallet_refunded", "clearing:wallet → wallet"),
    (
        "money went back that nobody expected",
        "refunded_after_failure, refunded_twice",
        "suspense → clearing, with a case",
    ),
    ("a settlement holds a share back", "reserve_held", "payable → reserve"),
    ("a later settlement releases it", "reserve_released", "reserve → payable"),
    ("a settlement is paid out", "paid_out", "payable → payouts"),
    ("the merchant's bank has it", "payout_arrived", "payouts → clearing"),
    ("a payout came back", "payout_failed", "payouts → payable"),
    (
        "a payout that nobody expected left",
        "paid_out_after_failure, paid_out_twice",
        "suspense → clearing, with a case",
    ),
    (
        "money that cannot be placed",
        "taken_after_failure, taken_twice, wrong_amount",
        "clearing → suspense, with a case",
    ),
    ("a break of a statement is put into suspense", "break_to_suspense", "clearing ⇄ suspense"),
    ("the word on such a break came later", "break_came_back", "what it had posted, the other way"),
    (
        "a later word of the channel's explained a case",
        "case_explained",
        "what stood in suspense for it, the other way",
    ),
    (
        "colleagues closed a case, a payout's that came back after it had arrived among them (clearing → payable)",
        "case_closed",
        "suspense ⇄ clearing, wallet, payable, advances, losses; clearing → wallet, payable; a refund's fee too",
    ),
)
KINDS = frozenset(kind for _event, kinds, _moves in POSTINGS for kind in kinds.split(", "))
