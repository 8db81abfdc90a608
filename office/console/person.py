"""/ops/person/<person>: everything about one customer, for a colleague who talks to them."""

from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.models import AccountEvent, Contact, Notice, Person
from billing.case_labels import label_of_case
from billing.models import Deduction, Dispute, Instrument, Refund, Return
from credit.models import Agreement, Decision, LimitChange, ScoreChange
from kernel import ids
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, StrOrPromise, console_page
from kernel.models import AuditLine
from office.console.worklist import COLLECTION_GROUPS, OUTCOME_LABELS, WAY_LABELS
from office.queries.person import PersonDetail, person_detail
from orders.models import Concern, Obligation, Order

#: Sections of the page: attribute of PersonDetail, anchor and label.
_SECTIONS: tuple[tuple[str, str, StrOrPromise], ...] = (
    ("debts", "owed", gettext_lazy("Current debts")),
    ("concerns", "help", gettext_lazy("Requests")),
    ("disputes", "disputes", gettext_lazy("Disputes of this customer")),
    ("returns", "back", gettext_lazy("Returns")),
    ("refunds", "back", gettext_lazy("Refunds")),
    ("cases", "cases", gettext_lazy("Cases")),
    ("orders", "orders", gettext_lazy("Orders")),
    ("instruments", "ways", gettext_lazy("Payment methods on file")),
    ("notices", "told", gettext_lazy("Notices sent")),
    ("contacts", "contacts", gettext_lazy("Contact history")),
    ("decisions", "decisions", gettext_lazy("Decisions")),
)
#: The model behind each list of PersonDetail, to link its full admin list.
_TABLES: dict[str, type] = {
    "debts": Obligation,
    "live_deductions": Deduction,
    "score_changes": ScoreChange,
    "limit_changes": LimitChange,
    "decisions": Decision,
    "orders": Order,
    "agreements": Agreement,
    "instruments": Instrument,
    "disputes": Dispute,
    "refunds": Refund,
    "returns": Return,
    "concerns": Concern,
    "notices": Notice,
    "contacts": Contact,
}


@require_safe
@console_page(*VIEWERS)
def person(colleague: Colleague, person: str) -> HttpResponse:
    """Everything about the customer that this colleague may view. The access is audited."""
    key = ids.parse(Person.prefix, person)
    detail = person_detail(key, colleague.can_view) if key else None
    if detail is None:
        raise Http404
    colleague.audit("viewed.person", person)
    return colleague.render(
        "office/person.html",
        detail.person.name_masked or gettext_lazy("Customer"),
        detail=detail,
        person=detail.person,
        sections=[(anchor, label, rows) for name, anchor, label in _SECTIONS if (rows := getattr(detail, name))],
        list_urls={name: _list_url(table, person) for name, table in _TABLES.items() if colleague.can_view(table)},
        score_changes=[(row, row.order_id and ids.public(Order.prefix, row.order_id)) for row in detail.score_changes],
        cases=[(row, label_of_case(row.kind).title) for row in detail.cases],
        contacts=[(row, WAY_LABELS[row.way], OUTCOME_LABELS[row.outcome]) for row in detail.contacts],
        names=usernames_of({row.by for row in (*detail.contacts, *detail.limit_changes)}),
        related_links=_related_links(colleague, detail),
    )


def _list_url(table: type[Any], person: str) -> str:
    """URL of the admin list of all rows of this person."""
    meta = table._meta
    return f"{reverse(f'admin:{meta.app_label}_{meta.model_name}_changelist')}?q={person}"


def _related_links(colleague: Colleague, detail: PersonDetail) -> list[tuple[StrOrPromise, str]]:
    """Other pages about the person that this colleague may use."""
    person = detail.person.public_id
    links: list[tuple[StrOrPromise, str]] = []
    if colleague.is_in_groups(COLLECTION_GROUPS) and any(row.overdue_minor for row in detail.balances):
        links.append((gettext_lazy("Record contact"), reverse("debtor", args=[person])))
    if colleague.can_view(AccountEvent):
        links.append((gettext_lazy("Account activity"), _list_url(AccountEvent, person)))
    if colleague.can_view(AuditLine):
        links.append((gettext_lazy("Who viewed this customer"), _list_url(AuditLine, person)))
    links.append((gettext_lazy("View raw record"), reverse("admin:accounts_person_change", args=[detail.person.pk])))
    return links
