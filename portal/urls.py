"""/merchant/: sign-in and account pages, and the pages of each merchant by its id (live and sandbox have two ids)."""

from collections.abc import Callable, Mapping

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from portal.pages import (
    disputes,
    home,
    invitation,
    invoices,
    keys,
    order,
    orders,
    passkeys,
    password_reset,
    refund,
    returns,
    sandbox,
    security,
    services,
    settlements,
    sign_in,
    team,
    webhooks,
)

ACCOUNT_PAGES: list[URLPattern] = [
    path("merchant/", sign_in.entry, name="merchant_door"),
    path("merchant/sign-in/", sign_in.sign_in, name="merchant_sign_in"),
    path("merchant/sign-in/code", sign_in.sign_in_code, name="merchant_sign_in_code"),
    path("merchant/sign-out", sign_in.sign_out, name="merchant_sign_out"),
    path("merchant/forgotten/", password_reset.request_reset, name="merchant_forgotten"),
    path("merchant/forgotten/<str:user>/<str:token>", password_reset.set_password, name="merchant_new_password"),
    path("merchant/invitation/<str:token>", invitation.invitation, name="merchant_invitation"),
    path("merchant/security/", security.security, name="merchant_security"),
    path("merchant/security/second-factor", security.add_app, name="merchant_second_factor"),
    path("merchant/security/passkey", passkeys.add, name="merchant_passkey"),
    path("merchant/security/factors/<int:key>/remove", passkeys.remove, name="merchant_remove_factor"),
    path("merchant/security/codes", security.renew_codes, name="merchant_codes"),
    path("merchant/security/confirm", security.confirm, name="merchant_confirm"),
    path("merchant/security/password", security.password, name="merchant_password"),
    path("merchant/security/elsewhere", security.sign_out_elsewhere, name="merchant_elsewhere"),
]
_VIEWS_BY_PATH = {
    "": home.home,
    "orders/": orders.order_list,
    "orders/export.csv": orders.export_orders,
    "orders/<str:order>": order.order,
    "orders/<str:order>/complete": order.complete,
    "orders/<str:order>/cancel": order.cancel,
    "orders/<str:order>/lower": order.lower,
    "orders/<str:order>/mark-paid": order.mark_paid,
    "orders/<str:order>/collect": order.collect,
    "orders/<str:order>/answer": order.answer_report,
    "orders/<str:order>/refund": refund.refund,
    "orders/<str:order>/confirm": sandbox.confirm_as_person,
    "returns/": returns.return_list,
    "returns/<str:returned>/confirm": returns.confirm,
    "returns/<str:returned>/refuse": returns.refuse,
    "disputes/": disputes.dispute_list,
    "disputes/<str:dispute>": disputes.dispute,
    "disputes/<str:dispute>/answer": disputes.submit_evidence,
    "services/": services.service_list,
    "services/new": services.add_service,
    "services/<str:service>": services.change_service,
    "keys/": keys.key_list,
    "keys/new": keys.add_key,
    "keys/<str:key>/rotate": keys.rotate_key_page,
    "keys/<str:key>/revoke": keys.revoke_key_page,
    "webhooks/": webhooks.endpoint_list,
    "webhooks/new": webhooks.add_endpoint,
    "webhooks/<str:endpoint>": webhooks.endpoint,
    "webhooks/<str:endpoint>/change": webhooks.change_endpoint,
    "webhooks/<str:endpoint>/remove": webhooks.remove_endpoint,
    "webhooks/<str:endpoint>/rotate": webhooks.rotate_secret,
    "webhooks/<str:endpoint>/ping": webhooks.ping,
    "webhooks/<str:endpoint>/redeliver": webhooks.redeliver_failed,
    "events/": webhooks.event_list,
    "events/<str:event>": webhooks.event,
    "sandbox/": sandbox.sandbox,
    "sandbox/clock": sandbox.set_clock,
    "sandbox/clock/advance": sandbox.advance_clock,
    "sandbox/people/new": sandbox.add_person,
    "sandbox/people/<str:person>": sandbox.change_person,
    "sandbox/people/<str:person>/sign": sandbox.sign_as_person,
    "sandbox/people/<str:person>/open": sandbox.open_as_person,
    "sandbox/people/<str:person>/order": sandbox.order_as_person,
    "team/": team.team_page,
    "team/invite": team.invite,
    "team/invitations/<str:invitation>/revoke": team.revoke_invitation,
    "team/<str:member>/role": team.change_role,
    "team/<str:member>/remove": team.remove_member,
    "settlements/": settlements.settlement_list,
    "settlements/<str:settlement>": settlements.settlement,
    "settlements/<str:settlement>/lines.csv": settlements.export_settlement,
    "settlements/<str:settlement>/statement.pdf": settlements.print_settlement,
    "invoices/": invoices.invoice_list,
    "invoices/<str:invoice>.pdf": invoices.print_invoice,
    "payout-account/new": settlements.request_payout_account,
    "payout-account/<str:account>/agree": settlements.approve_payout_account,
    "payout-account/<str:account>/refuse": settlements.refuse_payout_account,
    "changes/": home.changes,
}


def url_patterns(views_by_path: Mapping[str, Callable[..., HttpResponseBase]]) -> list[URLPattern]:
    """URL patterns below /merchant/<merchant>/, named `merchant_` and the page's name in `rules.PAGES`."""
    return [
        path(f"merchant/<str:merchant>/{address}", view, name=f"merchant_{view.page}")  # type: ignore[attr-defined]
        for address, view in views_by_path.items()
    ]


PAGES: list[URLPattern] = url_patterns(_VIEWS_BY_PATH)
