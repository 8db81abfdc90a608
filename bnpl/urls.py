"""The root URL configuration, and the registration of console pages and row actions.

`/healthz`, `/readyz` and `/metrics` are answered by a middleware before URLs are resolved: see bnpl.health.
"""

from functools import partial

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from django.views.generic import RedirectView

from accounts.console import account_actions as account_actions_console
from accounts.console import colleagues as colleagues_console
from accounts.console import notice_templates as notice_templates_console
from accounts.models import Person
from billing.console import breaks as breaks_console
from billing.console import cases as cases_console
from billing.console import concerns as concerns_console
from billing.console import dispute_policy as dispute_policy_console
from billing.console import disputes as disputes_console
from billing.console import hardship_policy as hardship_policy_console
from billing.console import late_fee_policy as late_fee_policy_console
from billing.console import order_actions as order_actions_console
from billing.console import order_changes as order_changes_console
from billing.console import order_refunds as order_refunds_console
from billing.console import outages as outages_console
from billing.console import retry_policies as retry_policies_console
from billing.console import returns as returns_console
from billing.console import settlement_actions as settlement_actions_console
from billing.console import unknown_outcomes as unknown_outcomes_console
from billing.console import wallets as wallets_console
from billing.models import Case, Deduction, Dispute
from billing.pages import concerns as concern_pages
from billing.pages import confirm as confirm_pages
from billing.pages import credit_profile as credit_pages
from billing.pages import hardship as hardship_pages
from billing.pages import home as home_pages
from billing.pages import instruments as instrument_pages
from billing.pages import order as order_pages
from billing.pages import pay as pay_pages
from billing.pages import pay_all as pay_all_pages
from billing.pages import receipt as receipt_pages
from billing.pages import returns as return_pages
from billing.pages import services as service_pages
from billing.pages import sign as sign_pages
from billing.pages import wallet as wallet_pages
from bnpl import console, unavailable
from credit import console as credit_console
from credit.models import Agreement
from kernel import admin_site, console_actions, maker_checker
from kernel.console_lists import DETAIL_PAGES
from ledger import console as ledger_console
from merchants.models import Merchant
from office import merchant_reports
from office.console import account_security as account_security_console
from office.console import actions as row_actions_console
from office.console import agreement as agreement_detail
from office.console import concern_list as concern_list_console
from office.console import deduction as deduction_detail
from office.console import dispute as dispute_detail
from office.console import list_exports as list_exports_console
from office.console import merchant_actions as merchant_actions_console
from office.console import merchants as merchants_console
from office.console import offboarding as offboarding_console
from office.console import order as order_detail
from office.console import payout_accounts as payout_accounts_console
from office.console import person as person_detail
from office.console import proposals as proposals_console
from office.console import queue_items as queue_items_console
from office.console import queues as queues_console
from office.console import reports as reports_console
from office.console import reveal as reveal_console
from office.console import search as search_console
from office.console import sign_in as sign_in_console
from office.console import webhook_endpoints as webhooks_console
from office.console import worklist as worklist_console
from orders import pages as record_pages
from orders.models import Concern, Order
from portal import urls as portal_urls

#: Customers' pages. Merchants redirect customers to /sign/… and /confirm/…, so these two are part of the API.
CUSTOMER_URLS: list[URLPattern] = [
    path("", record_pages.home, name="home"),
    path("home/", home_pages.home, name="mine"),
    path("orders/", record_pages.history, name="orders"),
    path("orders/<str:order>", order_pages.order, name="order"),
    path("orders/<str:order>/pay", pay_pages.pay, name="pay"),
    path("orders/<str:order>/paid", pay_pages.paid, name="paid"),
    path("orders/<str:order>/receipt", receipt_pages.receipt, name="receipt"),
    path("orders/<str:order>/receipt.pdf", receipt_pages.receipt_pdf, name="receipt_pdf"),
    path("orders/<str:order>/return", return_pages.start_return, name="send_back"),
    path("orders/<str:order>/return/keep", return_pages.cancel_return, name="keep"),
    path("orders/<str:order>/move", order_pages.move, name="move"),
    path("pay-all/", pay_all_pages.pay_all, name="pay_all"),
    path("pay-all/paid", pay_all_pages.paid_all, name="paid_all"),
    path("confirm/<str:order>", confirm_pages.confirm, name="confirm"),
    path("confirm/<str:order>/result", confirm_pages.confirm_result, name="confirm_result"),
    path("confirm/<str:order>/back", confirm_pages.back_to_merchant, name="confirm_back"),
    path("sign/<str:agreement>", sign_pages.sign, name="sign"),
    path("sign/<str:agreement>/identity", sign_pages.verify_identity, name="sign_identity"),
    path("sign/<str:agreement>/result", sign_pages.result, name="sign_result"),
    path("sign/<str:agreement>/back", sign_pages.back_to_merchant, name="sign_back"),
    path("services/", service_pages.service_list, name="services"),
    path("services/<str:agreement>/stop", service_pages.stop, name="stop_service"),
    path("services/<str:agreement>/agree", service_pages.agree, name="agree_anew"),
    path("instruments/", instrument_pages.instruments, name="instruments"),
    path("instruments/add", instrument_pages.add, name="add_instrument"),
    path("instruments/wallet", instrument_pages.open_wallet, name="open_wallet"),
    path("instruments/<str:instrument>/put", instrument_pages.reorder, name="put_instrument"),
    path("instruments/<str:instrument>/limit", instrument_pages.set_limits, name="limit_instrument"),
    path("instruments/<str:instrument>/remove", instrument_pages.remove, name="remove_instrument"),
    path("services/<str:agreement>/open", service_pages.reopen, name="reopen_service"),
    path("orders/<str:order>/report", concern_pages.report, name="report"),
    path("help/", concern_pages.concerns, name="help"),
    path("help/<str:concern>", concern_pages.concern, name="concern"),
    path("help/<str:concern>/withdraw", concern_pages.withdraw, name="withdraw_concern"),
    path("hardship/", hardship_pages.hardship, name="hardship"),
    path("hardship/ask", hardship_pages.request_plan, name="ask_hardship"),
    path("credit/", credit_pages.credit_profile, name="standing"),
    path("credit/<str:decision>", credit_pages.decision, name="decision"),
    path("wallet/", wallet_pages.wallet, name="wallet"),
    path("wallet/top-up", wallet_pages.top_up, name="top_up"),
    path("wallet/take-out", wallet_pages.withdraw, name="take_out"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),  # asked for by the console
]

#: The operations console beside Django's admin: its menu, and the actions on the page of a row.
console_actions.MENU_SECTIONS[:] = [
    (
        _("Work"),
        (
            queues_console.MENU_ITEM,
            worklist_console.MENU_ITEM,
            concern_list_console.MENU_ITEM,
            proposals_console.MENU_ITEM,
            merchants_console.MENU_ITEM,
        ),
    ),
    (
        _("Overview"),
        (
            reports_console.MENU_ITEM,
            ledger_console.MENU_ITEM,
            console.MENU_ITEM,
            console.SYSTEM_MENU_ITEM,
            list_exports_console.MENU_ITEM,
            colleagues_console.MENU_ITEM,
        ),
    ),
    (
        _("Rules"),
        (
            retry_policies_console.MENU_ITEM,
            credit_console.MENU_ITEM,
            late_fee_policy_console.MENU_ITEM,
            hardship_policy_console.MENU_ITEM,
            returns_console.MENU_ITEM,
            dispute_policy_console.MENU_ITEM,
            notice_templates_console.MENU_ITEM,
            outages_console.MENU_ITEM,
        ),
    ),
    (_("Yours"), (account_security_console.MENU_ITEM,)),
]
DETAIL_PAGES[Agreement] = "agreement_desk"
DETAIL_PAGES[Case] = "case_desk"
DETAIL_PAGES[Concern] = "concern_desk"
DETAIL_PAGES[Deduction] = "deduction_desk"
DETAIL_PAGES[Dispute] = "dispute_desk"
DETAIL_PAGES[Order] = "order_desk"
DETAIL_PAGES[Merchant] = "merchant_desk"
DETAIL_PAGES[Person] = "person_desk"
console_actions.UNMASK_PAGES[Person] = "reveal", reveal_console.REVEAL_GROUPS
console_actions.ROW_ACTIONS[:] = [
    *order_actions_console.ROW_ACTIONS,
    *order_changes_console.ROW_ACTIONS,
    *order_refunds_console.ROW_ACTIONS,
    *unknown_outcomes_console.ROW_ACTIONS,
    *concerns_console.ROW_ACTIONS,
    *account_actions_console.ROW_ACTIONS,
    *colleagues_console.ROW_ACTIONS,
    *offboarding_console.ROW_ACTIONS,
    *credit_console.ROW_ACTIONS,
    *merchant_actions_console.ROW_ACTIONS,
    *webhooks_console.ROW_ACTIONS,
    *settlement_actions_console.ROW_ACTIONS,
    *payout_accounts_console.ROW_ACTIONS,
    *breaks_console.ROW_ACTIONS,
    *cases_console.ROW_ACTIONS,
    *disputes_console.ROW_ACTIONS,
    *returns_console.ROW_ACTIONS,
    *wallets_console.ROW_ACTIONS,
]
#: What needs dual approval, and how it is requested.
_POLICY_CONSOLES = (
    retry_policies_console,
    credit_console,
    late_fee_policy_console,
    hardship_policy_console,
    dispute_policy_console,
    returns_console,
)
_POLICY_APPROVAL_TYPES = [
    approval_type for policy_console in _POLICY_CONSOLES for approval_type in policy_console.APPROVAL_TYPES
]
_APPROVAL_TYPES = [
    *map(maker_checker.approval_type_of, filter(maker_checker.can_need_approval, console_actions.ROW_ACTIONS)),
    *_POLICY_APPROVAL_TYPES,
    *colleagues_console.APPROVAL_TYPES,
]
maker_checker.APPROVAL_TYPES.update({approval_type.name: approval_type for approval_type in _APPROVAL_TYPES})
maker_checker.APPROVAL_REQUESTERS[:] = [proposals_console.submit_proposal]
admin_site.LARGE_EXPORT_URLS[:] = ["ask_file"]
CONSOLE_URLS: list[URLPattern] = [
    path("work/", console.work_page, name="work"),
    path("system/", console.system_page, name="system"),
    path("order/<str:order>", order_detail.order, name="order_desk"),
    path("person/<str:person>", person_detail.person, name="person_desk"),
    path("dispute/<str:dispute>", dispute_detail.dispute, name="dispute_desk"),
    path("deduction/<str:deduction>", deduction_detail.deduction, name="deduction_desk"),
    path("agreement/<str:agreement>", agreement_detail.agreement, name="agreement_desk"),
    path("find", search_console.search, name="find"),
    path("figures/", reports_console.overview, name="figures"),
    path("figures/rows", reports_console.rows, name="figure_rows"),
    path("figures/<str:name>.csv", reports_console.table, name="figure_table"),
    path("queues/", queues_console.overview, name="queues"),
    path("queues/<str:queue>", queues_console.queue_page, name="queue"),
    path("queues/<str:queue>/assign", queues_console.assign, name="queue_assign"),
    path("queues/<str:queue>/<str:about>", queue_items_console.item, name="queue_item"),
    path("collections/", worklist_console.worklist_page, name="worklist"),
    path("collections/<str:person>", worklist_console.debtor_page, name="debtor"),
    path("help/", concern_list_console.concern_list, name="help_desk"),
    path("help/<str:concern>", concerns_console.concern, name="concern_desk"),
    path("case/<str:case>", cases_console.case, name="case_desk"),
    path("merchants/", merchants_console.merchant_list, name="merchants"),
    path("merchants/new", merchants_console.register_application, name="take_application"),
    path("merchants/<str:merchant>", merchants_console.merchant, name="merchant_desk"),
    path("merchants/<str:merchant>/statement", merchants_console.statement, name="merchant_statement"),
    path("book/", ledger_console.trial_balance_page, name="book"),
    path("book/account", ledger_console.account_page, name="book_account"),
    path("limits/", credit_console.publish, name="limit_policy"),
    path("late/", late_fee_policy_console.publish, name="late_policy"),
    path("ease/", hardship_policy_console.publish, name="ease_policy"),
    path("returns/", returns_console.publish, name="return_policy"),
    path("bearers/", dispute_policy_console.publish, name="dispute_policy"),
    path("policies/", retry_policies_console.policies, name="policies"),
    path("policies/new", retry_policies_console.new_policy, name="new_policy"),
    path("policies/<str:name>/publish", retry_policies_console.publish, name="publish_policy"),
    path("channels/", outages_console.outages, name="outages"),
    path("channels/<str:channel>/out", outages_console.begin, name="begin_outage"),
    path("channels/<str:channel>/back", outages_console.end, name="end_outage"),
    path("words/", notice_templates_console.template_list, name="templates"),
    path("words/<str:key>/<str:language>", notice_templates_console.template_detail, name="template"),
    path("colleagues/", colleagues_console.colleague_list, name="colleagues"),
    path("colleagues/new", colleagues_console.new_colleague, name="new_colleague"),
    path("reveal/<str:person>", reveal_console.reveal, name="reveal"),
    path("files/", list_exports_console.my_exports, name="files"),
    path("files/new", list_exports_console.request_export, name="ask_file"),
    path("files/<str:listing>", list_exports_console.download, name="fetch_file"),
    path("second/", proposals_console.proposal_list, name="proposals"),
    path("second/<str:proposal>", proposals_console.proposal_page, name="proposal"),
    path("second/<str:proposal>/decide", proposals_console.decide, name="decide"),
    path("do/<str:row>/<str:name>", row_actions_console.action_page, name="verb"),
]
#: The pages of the merchant console, by their names in `portal.rules.PAGES`.
MERCHANT_CONSOLE_URLS = [*portal_urls.PAGES, *portal_urls.url_patterns(merchant_reports.VIEWS_BY_PATH)]
#: Colleagues' sign-in and account security. Django's own frame leads to `password_change/`.
SIGN_IN_URLS: list[URLPattern] = [
    path("login/", sign_in_console.SignInView.as_view(), name="console_sign_in"),
    path("login/join", sign_in_console.join, name="console_join"),
    path("login/second-step", sign_in_console.second_step, name="console_second_step"),
    path("own/", account_security_console.overview, name="own_second"),
    path("own/app", account_security_console.add_app, name="own_app"),
    path("own/passkey", account_security_console.add_passkey, name="own_passkey"),
    path("own/codes", account_security_console.renew_codes, name="own_codes"),
    path("own/confirm", account_security_console.confirm, name="own_confirm"),
    path("own/password", account_security_console.password, name="own_password"),
    path("password_change/", RedirectView.as_view(pattern_name="own_password"), name="own_password_django"),
    path("password_change/done/", RedirectView.as_view(pattern_name="own_password"), name="own_password_django_done"),
    path("own/factors/<int:key>/remove", account_security_console.remove_factor, name="own_remove"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("bnpl.api_urls")),
    path("", include("accounts.urls")),
    path("", include([*portal_urls.ACCOUNT_PAGES, *MERCHANT_CONSOLE_URLS])),
    path("", include("personal.urls")),
    *CUSTOMER_URLS,
    path("ops/", include([*CONSOLE_URLS, *SIGN_IN_URLS])),
    path("ops/", admin.site.urls),
]

handler400 = partial(defaults.bad_request, template_name="errors/400.html")
handler403 = unavailable.permission_denied
handler404 = unavailable.page_not_found
handler429 = "accounts.pages.sign_in.too_many_requests"
handler500 = partial(defaults.server_error, template_name="errors/500.html")
