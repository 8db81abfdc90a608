"""Who of a merchant's staff may see and do what: one table. And how an invitation is known. Pure."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

#: How long an invitation may be accepted.
INVITATION_LIFE = timedelta(days=7)
INVITATIONS_MAX = 50
#: Invitations of one business, those that were taken back among them: each is a mail or a text to somebody.
INVITATIONS_AN_HOUR, INVITATIONS_A_DAY = 50, 100
#: For so long after they joined, whoever a member invited is no second person when it is about where money goes.
STRANGER_FOR = timedelta(days=7)
MEMBERS_MAX = 200
PASSWORD_LETTERS_AN_HOUR = 3
#: Why an endpoint is off that nobody of the merchant's switched off.
SWITCHED_OFF = ("gone", "failing")
#: A file holds no more orders than this; a longer span is exported in parts.
EXPORT_MAX = 50_000


class Role(StrEnum):
    """What a member of a merchant's staff is there for."""

    OWNER = "owner"
    DEVELOPER = "developer"
    FINANCE = "finance"
    VIEWER = "viewer"


ALL = frozenset(Role)
NOBODY: frozenset[Role] = frozenset()
OWNER = frozenset({Role.OWNER})
BUILDERS = frozenset({Role.OWNER, Role.DEVELOPER})
MONEY = frozenset({Role.OWNER, Role.FINANCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may open a page, and who may send its form in test mode and in live mode."""

    see: frozenset[Role] = ALL
    test: frozenset[Role] = NOBODY
    live: frozenset[Role] = NOBODY
    #: There is no such page in live mode.
    sandbox: bool = False
    #: Asks for the second factor in test mode too: it is about the whole business.
    grave: bool = False
    #: Only for somebody who has just shown again who they are.
    afresh: bool = False

    def acts(self, mode: str) -> frozenset[Role]:
        return self.live if mode == "live" else self.test

    def opens(self, mode: str) -> frozenset[Role]:
        """A page that is there only to send its form is opened by whoever may send it."""
        return self.see if self.see is not NOBODY else self.acts(mode)


def _form(test: frozenset[Role], live: frozenset[Role], *, grave: bool = False, afresh: bool = False) -> Access:
    return Access(see=NOBODY, test=test, live=live, grave=grave, afresh=afresh)


_LOOK = Access()
_BUILD = _form(BUILDERS, BUILDERS)
_ORDER = _form(BUILDERS, OWNER)
_PLAY = Access(see=NOBODY, test=BUILDERS, sandbox=True)
#: Every page of the console under `/merchant/<merchant>/`. One that is missing here cannot be loaded.
PAGES: dict[str, Access] = {
    "home": _LOOK,
    "figures": _LOOK,
    "export_figures": _LOOK,
    "orders": _LOOK,
    "export_orders": Access(see=MONEY),
    "order": _LOOK,
    "complete_order": _ORDER,
    "cancel_order": _ORDER,
    "lower_order": _ORDER,
    "mark_order_paid": _ORDER,
    "refund_order": _form(BUILDERS | MONEY, MONEY),
    "collect_order": _form(BUILDERS, NOBODY),
    "answer_report": _ORDER,
    "returns": _LOOK,
    "confirm_return": _form(BUILDERS | MONEY, MONEY),
    "refuse_return": _form(BUILDERS | MONEY, MONEY),
    "disputes": _LOOK,
    "dispute": _LOOK,
    "answer_dispute": _form(BUILDERS | MONEY, MONEY),
    "services": _LOOK,
    "add_service": _form(BUILDERS, OWNER),
    "change_service": _form(BUILDERS, OWNER),
    "keys": Access(see=ALL),
    "add_key": _form(BUILDERS, BUILDERS, afresh=True),
    "rotate_key": _form(BUILDERS, BUILDERS, afresh=True),
    "revoke_key": _BUILD,
    "endpoints": _LOOK,
    "endpoint": _LOOK,
    "add_endpoint": _form(BUILDERS, BUILDERS),
    "change_endpoint": _BUILD,
    "remove_endpoint": _BUILD,
    "rotate_endpoint_secret": _form(BUILDERS, BUILDERS, afresh=True),
    "ping_endpoint": _BUILD,
    "redeliver_failed": _BUILD,
    "events": _LOOK,
    "event": Access(see=ALL, test=BUILDERS, live=BUILDERS),
    "sandbox": Access(see=ALL, sandbox=True),
    "set_clock": _PLAY,
    "advance_clock": _PLAY,
    "add_person": _PLAY,
    "change_person": _PLAY,
    "sign_as_person": _PLAY,
    "open_as_person": _PLAY,
    "order_as_person": _PLAY,
    "confirm_as_person": _PLAY,
    "team": _LOOK,
    "invite": _form(OWNER, OWNER, grave=True),
    "revoke_invitation": _form(OWNER, OWNER, grave=True),
    "change_role": _form(OWNER, OWNER, grave=True),
    "remove_member": _form(OWNER, OWNER, grave=True),
    "settlements": _LOOK,
    "settlement": _LOOK,
    "export_settlement": Access(see=MONEY),
    "print_settlement": Access(see=MONEY),
    "invoices": _LOOK,
    "print_invoice": Access(see=MONEY),
    "ask_payout_account": _form(MONEY, MONEY, afresh=True),
    "agree_payout_account": _form(OWNER, OWNER, grave=True, afresh=True),
    "refuse_payout_account": _form(MONEY, MONEY),
    "changes": _LOOK,
}


def may_issue(role: str, mode: str, scopes: Iterable[str]) -> bool:
    """Whether somebody of this role makes a key of such rights.

    A live key that writes gives money back and offers services, which a developer does not: an owner makes it.
    """
    return mode != "live" or role in OWNER or not any(scope.endswith(":write") for scope in scopes)


def new_token() -> str:
    """What an invitation's link carries: 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
