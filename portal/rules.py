"""Roles and page permissions of merchant staff, limits of the team, and invitation tokens. Pure."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

#: How long an invitation can be accepted.
INVITATION_VALID_FOR = timedelta(days=7)
INVITATIONS_MAX = 50
#: Rate limits of invitations per business, including revoked ones: each sends an email or a text message.
INVITATIONS_AN_HOUR, INVITATIONS_A_DAY = 50, 100
#: A member invited by another member does not count as a second person for payout accounts for this long.
NEW_MEMBER_PERIOD = timedelta(days=7)
MEMBERS_MAX = 200
PASSWORD_LETTERS_AN_HOUR = 3
#: Reasons for which the platform, not the merchant, disabled an endpoint.
AUTO_DISABLED_REASONS = ("gone", "failing")
#: The most orders in one exported file.
EXPORT_MAX = 50_000


class Role(StrEnum):
    """The role of a member of merchant staff."""

    OWNER = "owner"
    DEVELOPER = "developer"
    FINANCE = "finance"
    VIEWER = "viewer"


ALL_ROLES = frozenset(Role)
NO_ROLES: frozenset[Role] = frozenset()
OWNER_ROLES = frozenset({Role.OWNER})
DEVELOPER_ROLES = frozenset({Role.OWNER, Role.DEVELOPER})
FINANCE_ROLES = frozenset({Role.OWNER, Role.FINANCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAccess:
    """Who may open a page, and who may submit its form in test mode and in live mode."""

    view_roles: frozenset[Role] = ALL_ROLES
    test_roles: frozenset[Role] = NO_ROLES
    live_roles: frozenset[Role] = NO_ROLES
    #: The page does not exist in live mode.
    sandbox_only: bool = False
    #: Needs the second factor in test mode too, since it concerns the whole business.
    always_second_factor: bool = False
    #: Needs a recent authentication.
    fresh_auth: bool = False

    def submit_roles(self, mode: str) -> frozenset[Role]:
        return self.live_roles if mode == "live" else self.test_roles

    def open_roles(self, mode: str) -> frozenset[Role]:
        """Roles that may open the page; a page that is only a form is opened by those who may submit it."""
        return self.view_roles if self.view_roles is not NO_ROLES else self.submit_roles(mode)


def _form_page(
    test_roles: frozenset[Role],
    live_roles: frozenset[Role],
    *,
    always_second_factor: bool = False,
    fresh_auth: bool = False,
) -> PageAccess:
    return PageAccess(
        view_roles=NO_ROLES,
        test_roles=test_roles,
        live_roles=live_roles,
        always_second_factor=always_second_factor,
        fresh_auth=fresh_auth,
    )


_READ_ONLY = PageAccess()
_DEVELOPER_FORM = _form_page(DEVELOPER_ROLES, DEVELOPER_ROLES)
_ORDER_FORM = _form_page(DEVELOPER_ROLES, OWNER_ROLES)
_SANDBOX_FORM = PageAccess(view_roles=NO_ROLES, test_roles=DEVELOPER_ROLES, sandbox_only=True)
#: Every page of the console under `/merchant/<merchant>/`. A page without an entry cannot be loaded.
PAGES: dict[str, PageAccess] = {
    "home": _READ_ONLY,
    "figures": _READ_ONLY,
    "export_figures": _READ_ONLY,
    "orders": _READ_ONLY,
    "export_orders": PageAccess(view_roles=FINANCE_ROLES),
    "order": _READ_ONLY,
    "complete_order": _ORDER_FORM,
    "cancel_order": _ORDER_FORM,
    "lower_order": _ORDER_FORM,
    "mark_order_paid": _ORDER_FORM,
    "refund_order": _form_page(DEVELOPER_ROLES | FINANCE_ROLES, FINANCE_ROLES),
    "collect_order": _form_page(DEVELOPER_ROLES, NO_ROLES),
    "answer_report": _ORDER_FORM,
    "returns": _READ_ONLY,
    "confirm_return": _form_page(DEVELOPER_ROLES | FINANCE_ROLES, FINANCE_ROLES),
    "refuse_return": _form_page(DEVELOPER_ROLES | FINANCE_ROLES, FINANCE_ROLES),
    "disputes": _READ_ONLY,
    "dispute": _READ_ONLY,
    "answer_dispute": _form_page(DEVELOPER_ROLES | FINANCE_ROLES, FINANCE_ROLES),
    "services": _READ_ONLY,
    "add_service": _form_page(DEVELOPER_ROLES, OWNER_ROLES),
    "change_service": _form_page(DEVELOPER_ROLES, OWNER_ROLES),
    "keys": PageAccess(view_roles=ALL_ROLES),
    "add_key": _form_page(DEVELOPER_ROLES, DEVELOPER_ROLES, fresh_auth=True),
    "rotate_key": _form_page(DEVELOPER_ROLES, DEVELOPER_ROLES, fresh_auth=True),
    "revoke_key": _DEVELOPER_FORM,
    "endpoints": _READ_ONLY,
    "endpoint": _READ_ONLY,
    "add_endpoint": _form_page(DEVELOPER_ROLES, DEVELOPER_ROLES),
    "change_endpoint": _DEVELOPER_FORM,
    "remove_endpoint": _DEVELOPER_FORM,
    "rotate_endpoint_secret": _form_page(DEVELOPER_ROLES, DEVELOPER_ROLES, fresh_auth=True),
    "ping_endpoint": _DEVELOPER_FORM,
    "redeliver_failed": _DEVELOPER_FORM,
    "events": _READ_ONLY,
    "event": PageAccess(view_roles=ALL_ROLES, test_roles=DEVELOPER_ROLES, live_roles=DEVELOPER_ROLES),
    "sandbox": PageAccess(view_roles=ALL_ROLES, sandbox_only=True),
    "set_clock": _SANDBOX_FORM,
    "advance_clock": _SANDBOX_FORM,
    "add_person": _SANDBOX_FORM,
    "change_person": _SANDBOX_FORM,
    "sign_as_person": _SANDBOX_FORM,
    "open_as_person": _SANDBOX_FORM,
    "order_as_person": _SANDBOX_FORM,
    "confirm_as_person": _SANDBOX_FORM,
    "team": _READ_ONLY,
    "invite": _form_page(OWNER_ROLES, OWNER_ROLES, always_second_factor=True),
    "revoke_invitation": _form_page(OWNER_ROLES, OWNER_ROLES, always_second_factor=True),
    "change_role": _form_page(OWNER_ROLES, OWNER_ROLES, always_second_factor=True),
    "remove_member": _form_page(OWNER_ROLES, OWNER_ROLES, always_second_factor=True),
    "settlements": _READ_ONLY,
    "settlement": _READ_ONLY,
    "export_settlement": PageAccess(view_roles=FINANCE_ROLES),
    "print_settlement": PageAccess(view_roles=FINANCE_ROLES),
    "invoices": _READ_ONLY,
    "print_invoice": PageAccess(view_roles=FINANCE_ROLES),
    "ask_payout_account": _form_page(FINANCE_ROLES, FINANCE_ROLES, fresh_auth=True),
    "agree_payout_account": _form_page(OWNER_ROLES, OWNER_ROLES, always_second_factor=True, fresh_auth=True),
    "refuse_payout_account": _form_page(FINANCE_ROLES, FINANCE_ROLES),
    "changes": _READ_ONLY,
}


def may_issue_key(role: str, mode: str, scopes: Iterable[str]) -> bool:
    """Whether this role may issue a key with these scopes.

    Only an owner may issue a live key with write access: such a key can refund and add services.
    """
    return mode != "live" or role in OWNER_ROLES or not any(scope.endswith(":write") for scope in scopes)


def new_token() -> str:
    """A token for an invitation's link: 256 random bits."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> bytes:
    """The token's digest, which is stored instead of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
