"""The list itself: every table, page, verb and decision of the console, and whose it is."""

from kernel.admin_site import VIEWERS

ALL = set(VIEWERS)
VIEWER, SUPPORT, COLLECTIONS, RISK, FINANCE, SUPERVISOR, AUDITOR = VIEWERS
#: Of all tables, those that not everybody reads.
TABLES_OF = {"kernel.AuditLine": {AUDITOR, SUPERVISOR}, "kernel.AuditHead": {AUDITOR, SUPERVISOR}}
#: Every table there is, so that a new one is thought about.
# fmt: off
TABLES = {
    "accounts.AccountEvent", "accounts.Contact", "accounts.Delivery", "accounts.LocalMessage", "accounts.Notice",
    "accounts.NoticeTemplate", "accounts.Person", "accounts.User", "auth.Group", "billing.Break",
    "billing.Callback", "billing.Case", "billing.ChannelReport", "billing.Deduction", "billing.DeductionEvent",
    "billing.DeductionLine", "billing.Dispute", "billing.DisputeAnswer", "billing.DisputeEvent", "billing.DisputeLine",
    "billing.DisputePolicy",
    "billing.Instrument", "billing.InstrumentChange", "billing.Invoice", "billing.InvoiceLine", "billing.Outage",
    "billing.Payout", "credit.CurrencyLimit",
    "billing.PayoutAccount", "billing.PayoutAccountEvent", "billing.PayoutEvent", "billing.Refund",
    "billing.RefundEvent", "billing.RefundPart", "billing.RefundPartEvent", "billing.RetryPolicy",
    "billing.Return", "billing.ReturnEvent", "billing.ReturnPolicy",
    "billing.Settlement", "billing.SettlementEvent", "billing.SettlementLine", "billing.StatementFile",
    "billing.StatementLine", "billing.Wallet", "billing.WalletEntry", "credit.Agreement", "credit.AgreementEvent",
    "credit.Decision", "credit.LimitChange", "credit.LimitPolicy", "credit.Profile", "credit.ScoreChange",
    "kernel.AuditHead",
    "kernel.AuditLine", "kernel.IdempotencyKey", "kernel.LegalMove", "kernel.Realm", "ledger.Posting",
    "ledger.Closing", "ledger.ClosedBalance", "ledger.ClosedDay", "ledger.ClosedPart",
    "merchants.ApiKey", "merchants.WebhookAttempt", "merchants.Event", "merchants.Merchant",
    "merchants.MerchantCheck", "merchants.MerchantEvent",
    "merchants.Change", "merchants.Service", "merchants.WebhookDelivery", "merchants.WebhookEndpoint",
    "office.Counted", "office.Handling", "office.HandlingNote", "office.Listing", "office.ListingPiece",
    "office.Proposal", "office.ProposalEvent", "office.Tally", "orders.Concern",
    "orders.ConcernEvent", "orders.EasePolicy", "orders.Message", "orders.Obligation", "orders.ObligationEvent",
    "orders.Order", "orders.OrderEvent", "orders.Pause", "orders.Plan", "personal.Erasure", "personal.Export",
    "personal.ExportPiece", "personal.Proof", "portal.Invitation", "portal.Letter", "portal.Member",
}
# fmt: on
#: Whoever decides anything that waits in a queue.
WORKERS = ALL - {VIEWER, AUDITOR}
#: Each queue, and whose it is: whoever decides what is in it.
QUEUES_OF = {
    "unknown": {FINANCE, SUPERVISOR},
    "case": {FINANCE, SUPERVISOR},
    "break": {FINANCE, SUPERVISOR},
    "dispute": {FINANCE, SUPERVISOR},
    "return": {SUPPORT, SUPERVISOR},
    "problem": {SUPPORT, COLLECTIONS, SUPERVISOR},
    "hardship": {COLLECTIONS, SUPERVISOR},
    "objection": {RISK, SUPERVISOR},
    "webhook": {SUPPORT, SUPERVISOR},
}
#: Every page of the console by its name, with what stands in its address, and who opens it.
PAGES: dict[str, tuple[dict[str, str], set[str]]] = {
    "work": ({}, ALL),
    "system": ({}, ALL),
    "book": ({}, ALL),
    "book_account": ({"?": "code=fees&first=2026-11-20&last=2026-11-21"}, ALL),
    "order_desk": ({"order": "{order}"}, ALL),
    "figures": ({}, ALL),
    "figure_rows": ({"?": "metric=order&key=opened"}, ALL),
    "figure_table": ({"name": "orders"}, ALL),
    "help_desk": ({}, ALL),
    "concern_desk": ({"concern": "{problem}"}, ALL),
    "queues": ({}, WORKERS),
    "queue": ({"queue": "problem"}, {SUPPORT, COLLECTIONS, SUPERVISOR}),
    "queue_item": ({"queue": "case", "about": "{case}"}, {FINANCE, SUPERVISOR}),
    "worklist": ({}, {COLLECTIONS, SUPERVISOR}),
    "debtor": ({"person": "{late}"}, {COLLECTIONS, SUPERVISOR}),
    "case_desk": ({"case": "{case}"}, ALL),
    "merchants": ({}, ALL),
    "take_application": ({}, {SUPPORT, RISK, SUPERVISOR}),
    "merchant_desk": ({"merchant": "{merchant}"}, ALL),
    "merchant_statement": ({"merchant": "{merchant}"}, ALL),
    "files": ({}, ALL),
    "ask_file": ({"?": "table=orders.order&as=csv&look="}, ALL),
    "ease_policy": ({}, {SUPERVISOR}),
    "limit_policy": ({}, {RISK, SUPERVISOR}),
    "dispute_policy": ({}, {SUPERVISOR, RISK}),
    "return_policy": ({}, {SUPERVISOR, RISK}),
    "policies": ({}, ALL),
    "new_policy": ({}, {SUPERVISOR, RISK}),
    "publish_policy": ({"name": "standard"}, {SUPERVISOR, RISK}),
    "outages": ({}, ALL),
    "begin_outage": ({"channel": "sandbox"}, {COLLECTIONS, RISK, SUPERVISOR}),
    "end_outage": ({"channel": "sandbox"}, {COLLECTIONS, RISK, SUPERVISOR}),
    "templates": ({}, {SUPERVISOR, SUPPORT}),
    "template": ({"key": "debit_failed", "language": "zh-hans"}, {SUPERVISOR, SUPPORT}),
    "reveal": ({"person": "{person}"}, {SUPPORT, COLLECTIONS, RISK, SUPERVISOR}),
    "proposals": ({}, ALL),
    "proposal": ({"proposal": "{proposal}"}, ALL),
}
#: What a page of one's own is: tests/office/test_files.py says who opens it.
OWN = {"fetch_file"}
#: Pages that only take what is sent to them: who may, the others being turned away.
SENT: dict[str, tuple[dict[str, str], set[str]]] = {
    "find": ({}, ALL),
    "decide": ({"proposal": "{proposal}"}, {SUPERVISOR}),
    "queue_assign": ({"queue": "objection"}, {RISK, SUPERVISOR}),
}
CLOCK, HELP, MONEY = {COLLECTIONS, SUPPORT, SUPERVISOR}, {SUPPORT, SUPERVISOR}, {FINANCE, SUPERVISOR}
LOOK = {RISK, SUPERVISOR}
#: Every verb, on which of the rows below (none where that takes a channel or an account that no sandbox has), and who
#: does it or asks for it.
DEEDS: dict[str, tuple[str, set[str]]] = {
    "pause": ("order", CLOCK),
    "resume": ("order", CLOCK),
    "collect": ("order", {COLLECTIONS, SUPERVISOR}),
    "write_off": ("order", {COLLECTIONS, SUPERVISOR}),
    "move_date": ("order", CLOCK),
    "waive_fees": ("order", CLOCK),
    "lower_total": ("order", HELP),
    "cancel": ("order", HELP),
    "mark_paid": ("order", HELP | MONEY),
    "refund": ("order", HELP | MONEY),
    "resolve": ("unknown", MONEY),
    "taken_back": ("taken", MONEY),
    "contest": ("dispute", MONEY),
    "accept": ("dispute", MONEY),
    "won": ("", MONEY),
    "lost": ("", MONEY),
    "return_came": ("returned", HELP),
    "return_denied": ("returned", HELP),
    "return_borne": ("returned", HELP),
    "answer": ("problem", CLOCK),
    "close": ("problem", CLOCK),
    "lower": ("problem", HELP),
    "call_off": ("problem", HELP),
    "grant": ("hardship", {COLLECTIONS, SUPERVISOR}),
    "refuse": ("hardship", {COLLECTIONS, SUPERVISOR}),
    "uphold": ("objection", {RISK, SUPERVISOR}),
    "judge_again": ("objection", {RISK, SUPERVISOR}),
    "change_roles": ("colleague", {SUPERVISOR}),
    "forget_second": ("", {SUPERVISOR}),
    "forget_colleague": ("", {SUPERVISOR}),
    "change_limit": ("person", {RISK, SUPERVISOR}),
    "note_check": ("newcomer", LOOK),
    "refuse_merchant": ("newcomer", LOOK),
    "invite_owner": ("newcomer", LOOK),
    "approve_merchant": ("checked", LOOK),
    "open_merchant": ("approved", LOOK),
    "suspend_merchant": ("live", LOOK),
    "resume_merchant": ("suspended", LOOK),
    "limit_merchant": ("merchant", LOOK),
    "set_fee": ("service", MONEY),
    "move_cutoff": ("merchant", MONEY),
    "hold_reserve": ("merchant", MONEY),
    "agree_account": ("account", MONEY),
    "refuse_account": ("account", MONEY),
    "suspense": ("break", MONEY),
    "nothing": ("break", MONEY),
    "close_case": ("case", MONEY),
    "say_movement": ("", MONEY),
    "send_again": ("endpoint", HELP),
    "switch_on": ("", HELP),
    "leave_off": ("", HELP),
}
#: Who may agree, as the second of two.
DECIDES = {
    "write_off": {SUPERVISOR},
    "waive_fees": {SUPERVISOR},
    "refund": MONEY,
    "resolve": MONEY,
    "suspense": MONEY,
    "nothing": MONEY,
    "close_case": MONEY,
    "say_movement": MONEY,
    "change_limit": {RISK, SUPERVISOR},
    "change_roles": {SUPERVISOR},
    "forget_colleague": {SUPERVISOR},
    "approve_merchant": LOOK,
    "resume_merchant": LOOK,
    "limit_merchant": LOOK,
    "set_fee": MONEY,
    "retry_policy": {RISK, SUPERVISOR},
    "ease_policy": {SUPERVISOR},
    "limit_policy": {RISK, SUPERVISOR},
    "dispute_policy": {RISK, SUPERVISOR},
    "return_policy": {RISK, SUPERVISOR},
}
