"""The addresses of the house.

`/healthz`, `/readyz` and `/metrics` are answered before this table is read: see bnpl.health.
"""

from functools import partial

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from django.views.generic import RedirectView

from accounts.console import joining as newcomer_desk
from accounts.console import people as people_desk
from accounts.console import words as template_desk
from accounts.models import Person
from billing.console import bearers as bearer_desk
from billing.console import breaks as break_desk
from billing.console import cases as case_desk
from billing.console import changes as change_desk
from billing.console import disputes as dispute_desk
from billing.console import ease as ease_desk
from billing.console import help as help_desk
from billing.console import late as late_desk
from billing.console import orders as order_desk
from billing.console import outages as outage_desk
from billing.console import payouts as payout_desk
from billing.console import policies as policy_desk
from billing.console import returns as return_desk
from billing.console import unknown as unknown_desk
from billing.console import wallets as wallet_desk
from billing.models import Case, Deduction, Dispute
from billing.pages import confirm as confirm_pages
from billing.pages import ease as ease_pages
from billing.pages import help as help_pages
from billing.pages import home as home_pages
from billing.pages import instruments as way_pages
from billing.pages import opened as service_pages
from billing.pages import order as order_pages
from billing.pages import pay as pay_pages
from billing.pages import pay_all as debt_pages
from billing.pages import receipt as receipt_pages
from billing.pages import returns as return_pages
from billing.pages import sign as sign_pages
from billing.pages import standing as standing_pages
from billing.pages import wallet as wallet_pages
from bnpl import console
from credit import console as limit_desk
from credit.models import Agreement
from kernel import admin_site, console_actions, maker_checker
from kernel.console_lists import WHOLE
from ledger import console as book_desk
from merchants.models import Merchant
from office import mine as own_figures
from office.console import agreement as whole_agreement
from office.console import deduction as whole_debit
from office.console import deeds as deed_desk
from office.console import dispute as whole_dispute
from office.console import figures as figure_desk
from office.console import files as file_desk
from office.console import find as find_desk
from office.console import hands as hand_desk
from office.console import hooks as hook_desk
from office.console import joining as join_desk
from office.console import leaving as leaver_desk
from office.console import merchants as merchant_desk
from office.console import order as whole_desk
from office.console import own as own_desk
from office.console import payouts as account_desk
from office.console import person as whole_person
from office.console import proposals as proposal_desk
from office.console import queues as queue_desk
from office.console import reveal as reveal_desk
from office.console import signing as console_door
from office.console import worklist as collection_desk
from orders import pages as record_pages
from orders.models import Concern, Order
from portal import urls as portal_urls

#: What people see. A merchant sends them to /sign/… and /confirm/…; these two addresses are part of the API's promise.
PAGES: list[URLPattern] = [
    path("", record_pages.home, name="home"),
    path("home/", home_pages.home, name="mine"),
    path("orders/", record_pages.history, name="orders"),
    path("orders/<str:order>", order_pages.order, name="order"),
    path("orders/<str:order>/pay", pay_pages.pay, name="pay"),
    path("orders/<str:order>/paid", pay_pages.paid, name="paid"),
    path("orders/<str:order>/receipt", receipt_pages.receipt, name="receipt"),
    path("orders/<str:order>/receipt.pdf", receipt_pages.receipt_pdf, name="receipt_pdf"),
    path("orders/<str:order>/return", return_pages.send_back, name="send_back"),
    path("orders/<str:order>/return/keep", return_pages.keep, name="keep"),
    path("orders/<str:order>/move", order_pages.move, name="move"),
    path("pay-all/", debt_pages.pay_all, name="pay_all"),
    path("pay-all/paid", debt_pages.paid_all, name="paid_all"),
    path("confirm/<str:order>", confirm_pages.confirm, name="confirm"),
    path("confirm/<str:order>/result", confirm_pages.confirm_result, name="confirm_result"),
    path("confirm/<str:order>/back", confirm_pages.confirm_back, name="confirm_back"),
    path("sign/<str:agreement>", sign_pages.sign, name="sign"),
    path("sign/<str:agreement>/identity", sign_pages.identity, name="sign_identity"),
    path("sign/<str:agreement>/result", sign_pages.result, name="sign_result"),
    path("sign/<str:agreement>/back", sign_pages.back, name="sign_back"),
    path("services/", service_pages.opened, name="services"),
    path("services/<str:agreement>/stop", service_pages.stop, name="stop_service"),
    path("services/<str:agreement>/agree", service_pages.agree, name="agree_anew"),
    path("instruments/", way_pages.instruments, name="instruments"),
    path("instruments/add", way_pages.add, name="add_instrument"),
    path("instruments/wallet", way_pages.open_wallet, name="open_wallet"),
    path("instruments/<str:instrument>/put", way_pages.put, name="put_instrument"),
    path("instruments/<str:instrument>/limit", way_pages.limit, name="limit_instrument"),
    path("instruments/<str:instrument>/remove", way_pages.remove, name="remove_instrument"),
    path("services/<str:agreement>/open", service_pages.reopen, name="reopen_service"),
    path("orders/<str:order>/report", help_pages.report, name="report"),
    path("help/", help_pages.concerns, name="help"),
    path("help/<str:concern>", help_pages.concern, name="concern"),
    path("help/<str:concern>/withdraw", help_pages.withdraw, name="withdraw_concern"),
    path("hardship/", ease_pages.hardship, name="hardship"),
    path("hardship/ask", ease_pages.ask, name="ask_hardship"),
    path("credit/", standing_pages.standing, name="standing"),
    path("credit/<str:decision>", standing_pages.decision, name="decision"),
    path("wallet/", wallet_pages.wallet, name="wallet"),
    path("wallet/top-up", wallet_pages.top_up, name="top_up"),
    path("wallet/take-out", wallet_pages.take_out, name="take_out"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),  # asked for by the console
]

#: What colleagues do, beside the tables of the console: pages the index names, and verbs that a row's page names.
console_actions.SHELVES[:] = [
    (_("Work"), (queue_desk.DESK, collection_desk.DESK, help_desk.DESK, proposal_desk.DESK, merchant_desk.DESK)),
    (
        _("Overview"),
        (figure_desk.DESK, book_desk.DESK, console.DESK, console.SYSTEM, file_desk.DESK, newcomer_desk.DESK),
    ),
    (
        _("Rules"),
        (
            policy_desk.DESK,
            limit_desk.DESK,
            late_desk.DESK,
            ease_desk.DESK,
            return_desk.DESK,
            bearer_desk.DESK,
            template_desk.DESK,
            outage_desk.DESK,
        ),
    ),
    (_("Yours"), (own_desk.DESK,)),
]
WHOLE[Agreement] = "agreement_desk"
WHOLE[Case] = "case_desk"
WHOLE[Concern] = "concern_desk"
WHOLE[Deduction] = "deduction_desk"
WHOLE[Dispute] = "dispute_desk"
WHOLE[Order] = "order_desk"
WHOLE[Merchant] = "merchant_desk"
WHOLE[Person] = "person_desk"
console_actions.MASKED[Person] = "reveal", reveal_desk.REVEALERS
console_actions.VERBS[:] = [
    *order_desk.VERBS,
    *change_desk.VERBS,
    *unknown_desk.VERBS,
    *help_desk.VERBS,
    *people_desk.VERBS,
    *newcomer_desk.VERBS,
    *leaver_desk.VERBS,
    *limit_desk.VERBS,
    *join_desk.VERBS,
    *hook_desk.VERBS,
    *payout_desk.VERBS,
    *account_desk.VERBS,
    *break_desk.VERBS,
    *case_desk.VERBS,
    *dispute_desk.VERBS,
    *return_desk.VERBS,
    *wallet_desk.VERBS,
]
#: What no colleague does alone, and how a second one is asked.
_SHELVED = (policy_desk, limit_desk, late_desk, ease_desk, bearer_desk, return_desk)
_POLICIES = [matter for shelved in _SHELVED for matter in shelved.MATTERS]
_MATTERS = [
    *map(maker_checker.matter_of, filter(maker_checker.takes_two, console_actions.VERBS)),
    *_POLICIES,
    *newcomer_desk.MATTERS,
]
maker_checker.MATTERS.update({matter.name: matter for matter in _MATTERS})
maker_checker.ASKS[:] = [proposal_desk.ask]
admin_site.LONGER[:] = ["ask_file"]
CONSOLE: list[URLPattern] = [
    path("work/", console.work, name="work"),
    path("system/", console.whole, name="system"),
    path("order/<str:order>", whole_desk.order, name="order_desk"),
    path("person/<str:person>", whole_person.person, name="person_desk"),
    path("dispute/<str:dispute>", whole_dispute.dispute, name="dispute_desk"),
    path("deduction/<str:deduction>", whole_debit.deduction, name="deduction_desk"),
    path("agreement/<str:agreement>", whole_agreement.agreement, name="agreement_desk"),
    path("find", find_desk.find, name="find"),
    path("figures/", figure_desk.overview, name="figures"),
    path("figures/rows", figure_desk.rows, name="figure_rows"),
    path("figures/<str:name>.csv", figure_desk.table, name="figure_table"),
    path("queues/", queue_desk.overview, name="queues"),
    path("queues/<str:queue>", queue_desk.one_queue, name="queue"),
    path("queues/<str:queue>/assign", queue_desk.assign, name="queue_assign"),
    path("queues/<str:queue>/<str:about>", hand_desk.item, name="queue_item"),
    path("collections/", collection_desk.work, name="worklist"),
    path("collections/<str:person>", collection_desk.debtor, name="debtor"),
    path("help/", help_desk.queue, name="help_desk"),
    path("help/<str:concern>", help_desk.concern, name="concern_desk"),
    path("case/<str:case>", case_desk.case, name="case_desk"),
    path("merchants/", merchant_desk.merchants, name="merchants"),
    path("merchants/new", merchant_desk.take, name="take_application"),
    path("merchants/<str:merchant>", merchant_desk.merchant, name="merchant_desk"),
    path("merchants/<str:merchant>/statement", merchant_desk.statement, name="merchant_statement"),
    path("book/", book_desk.book, name="book"),
    path("book/account", book_desk.account, name="book_account"),
    path("limits/", limit_desk.publish, name="limit_policy"),
    path("late/", late_desk.publish, name="late_policy"),
    path("ease/", ease_desk.publish, name="ease_policy"),
    path("returns/", return_desk.publish, name="return_policy"),
    path("bearers/", bearer_desk.publish, name="dispute_policy"),
    path("policies/", policy_desk.policies, name="policies"),
    path("policies/new", policy_desk.new_policy, name="new_policy"),
    path("policies/<str:name>/publish", policy_desk.publish, name="publish_policy"),
    path("channels/", outage_desk.outages, name="outages"),
    path("channels/<str:channel>/out", outage_desk.begin, name="begin_outage"),
    path("channels/<str:channel>/back", outage_desk.end, name="end_outage"),
    path("words/", template_desk.templates, name="templates"),
    path("words/<str:key>/<str:language>", template_desk.template, name="template"),
    path("colleagues/", newcomer_desk.everybody, name="colleagues"),
    path("colleagues/new", newcomer_desk.new, name="new_colleague"),
    path("reveal/<str:person>", reveal_desk.reveal, name="reveal"),
    path("files/", file_desk.mine, name="files"),
    path("files/new", file_desk.ask, name="ask_file"),
    path("files/<str:listing>", file_desk.fetch, name="fetch_file"),
    path("second/", proposal_desk.queue, name="proposals"),
    path("second/<str:proposal>", proposal_desk.one, name="proposal"),
    path("second/<str:proposal>/decide", proposal_desk.decide, name="decide"),
    path("do/<str:row>/<str:name>", deed_desk.verb, name="verb"),
]
#: Every page of a merchant's console, by its name in `portal.rules.PAGES`.
MERCHANT = [*portal_urls.PAGES, *portal_urls.named(own_figures.BY_ADDRESS)]
_PASSWORD = RedirectView.as_view(pattern_name="own_password")
#: How a colleague comes in, and what guards that.
OWN: list[URLPattern] = [
    path("login/", console_door.SignIn.as_view(), name="console_sign_in"),
    path("login/join", console_door.join, name="console_join"),
    path("login/second-step", console_door.second_step, name="console_second_step"),
    path("own/", own_desk.overview, name="own_second"),
    path("own/app", own_desk.add_app, name="own_app"),
    path("own/passkey", own_desk.add_passkey, name="own_passkey"),
    path("own/codes", own_desk.codes, name="own_codes"),
    path("own/confirm", own_desk.confirm, name="own_confirm"),
    path("own/password", own_desk.password, name="own_password"),
    path("password_change/", _PASSWORD, name="own_password_django"),  # where Django's own frame leads
    path("password_change/done/", _PASSWORD, name="own_password_django_done"),
    path("own/factors/<int:key>/remove", own_desk.remove, name="own_remove"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("bnpl.api")),
    path("", include("accounts.urls")),
    path("", include([*portal_urls.SIGNING, *MERCHANT])),
    path("", include("personal.urls")),
    *PAGES,
    path("ops/", include([*CONSOLE, *OWN])),
    path("ops/", admin.site.urls),
]

handler400 = partial(defaults.bad_request, template_name="errors/400.html")
handler403 = partial(defaults.permission_denied, template_name="errors/403.html")
handler404 = partial(defaults.page_not_found, template_name="errors/404.html")
handler429 = "accounts.pages.signing.too_many"
handler500 = partial(defaults.server_error, template_name="errors/500.html")
