"""/merchant/: how staff come in, their own account, and the pages of each merchant by its id, which says the mode."""

from collections.abc import Callable, Mapping

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from portal.pages import (
    disputes,
    forgotten,
    home,
    hooks,
    invitation,
    invoices,
    keys,
    order,
    orders,
    passkeys,
    refund,
    returns,
    sandbox,
    security,
    services,
    settlements,
    signing,
    team,
)

SIGNING: list[URLPattern] = [
    path("merchant/", signing.door, name="merchant_door"),
    path("merchant/sign-in/", signing.sign_in, name="merchant_sign_in"),
    path("merchant/sign-in/code", signing.sign_in_code, name="merchant_sign_in_code"),
    path("merchant/sign-out", signing.sign_out, name="merchant_sign_out"),
    path("merchant/forgotten/", forgotten.forgotten, name="merchant_forgotten"),
    path("merchant/forgotten/<str:user>/<str:token>", forgotten.new_password, name="merchant_new_password"),
    path("merchant/invitation/<str:token>", invitation.invitation, name="merchant_invitation"),
    path("merchant/security/", security.security, name="merchant_security"),
    path("merchant/security/second-factor", security.enrol, name="merchant_second_factor"),
    path("merchant/security/passkey", passkeys.add, name="merchant_passkey"),
    path("merchant/security/factors/<int:key>/remove", passkeys.remove, name="merchant_remove_factor"),
    path("merchant/security/codes", security.renew_codes, name="merchant_codes"),
    path("merchant/security/confirm", security.confirm, name="merchant_confirm"),
    path("merchant/security/password", security.password, name="merchant_password"),
    path("merchant/security/elsewhere", security.sign_out_elsewhere, name="merchant_elsewhere"),
]
_BY_ADDRESS = {
    "": home.home,
    "orders/": orders.orders,
    "orders/export.csv": orders.export_orders,
    "orders/<str:order>": order.order,
    "orders/<str:order>/complete": order.complete,
    "orders/<str:order>/cancel": order.cancel,
    "orders/<str:order>/lower": order.lower,
    "orders/<str:order>/mark-paid": order.mark_paid,
    "orders/<str:order>/collect": order.collect,
    "orders/<str:order>/answer": order.answer,
    "orders/<str:order>/refund": refund.refund,
    "orders/<str:order>/confirm": sandbox.confirm_as_person,
    "returns/": returns.returns,
    "returns/<str:returned>/confirm": returns.confirm,
    "returns/<str:returned>/refuse": returns.refuse,
    "disputes/": disputes.disputes,
    "disputes/<str:dispute>": disputes.dispute,
    "disputes/<str:dispute>/answer": disputes.answer,
    "services/": services.services,
    "services/new": services.add_service,
    "services/<str:service>": services.change_service,
    "keys/": keys.keys,
    "keys/new": keys.add_key,
    "keys/<str:key>/rotate": keys.rotate,
    "keys/<str:key>/revoke": keys.revoke,
    "webhooks/": hooks.endpoints,
    "webhooks/new": hooks.add_endpoint,
    "webhooks/<str:endpoint>": hooks.endpoint,
    "webhooks/<str:endpoint>/change": hooks.change_endpoint,
    "webhooks/<str:endpoint>/remove": hooks.remove_endpoint,
    "webhooks/<str:endpoint>/rotate": hooks.rotate_secret,
    "webhooks/<str:endpoint>/ping": hooks.ping,
    "webhooks/<str:endpoint>/redeliver": hooks.redeliver_failed,
    "events/": hooks.events,
    "events/<str:event>": hooks.event,
    "sandbox/": sandbox.sandbox,
    "sandbox/clock": sandbox.set_clock,
    "sandbox/clock/advance": sandbox.advance_clock,
    "sandbox/people/new": sandbox.add_person,
    "sandbox/people/<str:person>": sandbox.change_person,
    "sandbox/people/<str:person>/sign": sandbox.sign_as_person,
    "sandbox/people/<str:person>/open": sandbox.open_as_person,
    "sandbox/people/<str:person>/order": sandbox.order_as_person,
    "team/": team.team,
    "team/invite": team.invite,
    "team/invitations/<str:invitation>/revoke": team.revoke_invitation,
    "team/<str:member>/role": team.change_role,
    "team/<str:member>/remove": team.remove_member,
    "settlements/": settlements.settlements,
    "settlements/<str:settlement>": settlements.settlement,
    "settlements/<str:settlement>/lines.csv": settlements.export_settlement,
    "settlements/<str:settlement>/statement.pdf": settlements.print_settlement,
    "invoices/": invoices.invoices,
    "invoices/<str:invoice>.pdf": invoices.print_invoice,
    "payout-account/new": settlements.ask_account,
    "payout-account/<str:account>/agree": settlements.agree,
    "payout-account/<str:account>/refuse": settlements.refuse,
    "changes/": home.changes,
}


def named(by_address: Mapping[str, Callable[..., HttpResponseBase]]) -> list[URLPattern]:
    """Each by its name in `rules.PAGES`, prefixed."""
    return [
        path(f"merchant/<str:merchant>/{address}", view, name=f"merchant_{view.page}")  # type: ignore[attr-defined]
        for address, view in by_address.items()
    ]


PAGES: list[URLPattern] = named(_BY_ADDRESS)
