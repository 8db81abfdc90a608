"""/ops/person/…: one person as a whole, for whoever has them on the phone."""

from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.models import AccountEvent, Contact, Notice, Person
from billing.case_words import told_of
from billing.models import Deduction, Dispute, Instrument, Refund, Return
from credit.models import Agreement, Decision, LimitChange, ScoreChange
from kernel import ids
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, Words, page
from kernel.models import AuditLine
from office.console.worklist import COLLECTORS, OUTCOMES, WAYS
from office.queries.person import PersonStory, story_of
from orders.models import Concern, Obligation, Order

#: Where on the page what stands, as far as it does.
_PLACES: tuple[tuple[str, str, Words], ...] = (
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
#: The lists of the page: by the name that the story has for each, the table in which all of it stands.
_TABLES: dict[str, type] = {
    "debts": Obligation,
    "under_way": Deduction,
    "score_moves": ScoreChange,
    "limit_moves": LimitChange,
    "decisions": Decision,
    "orders": Order,
    "services": Agreement,
    "instruments": Instrument,
    "disputes": Dispute,
    "refunds": Refund,
    "returns": Return,
    "concerns": Concern,
    "notices": Notice,
    "contacts": Contact,
}


@require_safe
@page(*VIEWERS)
def person(colleague: Colleague, person: str) -> HttpResponse:
    """Everything of theirs that this colleague may read, and what may be done. Who looked is written down."""
    key = ids.parse(Person.prefix, person)
    story = story_of(key, colleague.reads) if key else None
    if story is None:
        raise Http404
    colleague.audit("viewed.person", person)
    return colleague.show(
        "office/person.html",
        story.person.name_masked or gettext_lazy("Customer"),
        story=story,
        person=story.person,
        jumps=[(place, label, few) for name, place, label in _PLACES if (few := getattr(story, name))],
        all={name: _address(table, person) for name, table in _TABLES.items() if colleague.reads(table)},
        score_moves=[(row, row.order_id and ids.public(Order.prefix, row.order_id)) for row in story.score_moves],
        cases=[(row, told_of(row.kind).what) for row in story.cases],
        contacts=[(row, WAYS[row.way], OUTCOMES[row.outcome]) for row in story.contacts],
        names=names_of({row.by for row in (*story.contacts, *story.limit_moves)}),
        elsewhere=_elsewhere(colleague, story),
    )


def _address(table: type[Any], person: str) -> str:
    """The list that has all of theirs."""
    meta = table._meta
    return f"{reverse(f'admin:{meta.app_label}_{meta.model_name}_changelist')}?q={person}"


def _elsewhere(colleague: Colleague, story: PersonStory) -> list[tuple[Words, str]]:
    """What is done about a person on other pages."""
    person = story.person.public_id
    found: list[tuple[Words, str]] = []
    if colleague.may(COLLECTORS) and any(row.overdue_minor for row in story.standing):
        found.append((gettext_lazy("Record contact"), reverse("debtor", args=[person])))
    if colleague.reads(AccountEvent):
        found.append((gettext_lazy("Account activity"), _address(AccountEvent, person)))
    if colleague.reads(AuditLine):
        found.append((gettext_lazy("Who viewed this customer"), _address(AuditLine, person)))
    found.append((gettext_lazy("View raw record"), reverse("admin:accounts_person_change", args=[story.person.pk])))
    return found
