"""Scenarios of back-office jobs: a statement is imported, a month invoiced, limits reviewed."""

from datetime import timedelta
from unittest import mock

from accounts import deliver
from accounts.models import Notice
from billing.channels.bank import Behaviour
from billing.models import Break, Deduction, Invoice, InvoiceLine, Settlement, StatementFile, StatementLine
from billing.services import deduct, invoices, settlements, statement_import
from credit import limit_reviews
from credit.models import LimitChange, Profile
from credit.rules import limit_of
from orders import services as orders
from orders.models import Order
from tests.billing.statements import NEXT_DAY, bank_statement, import_file
from tests.conftest import BY, NOON, make_agreement, make_due_order, make_order, make_person, make_shop, yuan
from tests.crashes.scenarios import Scenario
from tests.settlement.helpers import MIDNIGHT

MONTH_LATER = MIDNIGHT + timedelta(days=40)


class StatementScenario(Scenario):
    """Three people of a shop were debited, two of them without an answer; then the bank's file of the day comes."""

    PEOPLE = (Behaviour.PAYS, Behaviour.TIMEOUT_THEN_PAID, Behaviour.TIMEOUT_THEN_NOT_PAID)

    def prepare(self) -> None:
        self.shop = make_shop(f"店 {self.number}")
        self.made = [make_due_order(self.shop, make_person(self.shop, kind), yuan("5")) for kind in self.PEOPLE]
        deduct.deduct_due(self.shop.realm_id, at=NOON)
        self.file = bank_statement(self.shop)

    def first_run(self) -> None:
        """A line at a time, so that there are many points between two of them."""
        with mock.patch.object(statement_import, "LINES_PER_BATCH", 1):
            import_file(self.shop, self.file)

    def recovery(self) -> None:
        self.file.seek(0)
        import_file(self.shop, self.file, at=NEXT_DAY + timedelta(hours=1))

    def assert_recovered(self) -> None:
        """Each line is there once; who was debited without an answer has paid; who was not is still asked about."""
        statement = StatementFile.objects.get(realm_id=self.shop.realm_id)
        lines = StatementLine.objects.filter(statement=statement).values_list("place", flat=True)
        assert sorted(lines) == [2, 3], "after the head"
        assert statement.read_at is not None
        states = [
            order.state for order in Order.objects.filter(pk__in=[order.pk for order in self.made]).order_by("id")
        ]
        assert states == ["deducted", "deducted", "completed"], states
        doubtful = Deduction.objects.get(realm_id=self.shop.realm_id, state="unknown")
        assert doubtful.ask_at is not None
        breaks = Break.objects.filter(statement=statement)
        assert breaks.count() == breaks.values("kind", "deduction", "line").distinct().count()


class InvoiceScenario(Scenario):
    """A merchant has sold something on two days; their month ends."""

    def prepare(self) -> None:
        self.shop = make_shop(f"店 {self.number}")
        agreement = make_agreement(self.shop, make_person(self.shop))
        for days in range(2):
            at = NOON + timedelta(days=days)
            orders.complete_order(
                make_order(self.shop, agreement, at=at).id, orders.CompletionRequest(total=9_000), by=BY, at=at
            )
            deduct.deduct_due(self.shop.realm_id, at=at)
            settlements.settle_due(self.shop.realm_id, at=MIDNIGHT + timedelta(days=days))

    def first_run(self) -> None:
        settlements.settle_due(self.shop.realm_id, at=MONTH_LATER)
        invoices.issue_due_invoices(self.shop.realm_id, at=MONTH_LATER)

    def recovery(self) -> None:
        self.first_run()

    def assert_recovered(self) -> None:
        """Each settlement's fees are on one invoice, and the numbers have no hole."""
        made = list(Invoice.objects.filter(merchant=self.shop.merchant).order_by("seq"))
        settled = set(Settlement.objects.filter(merchant=self.shop.merchant).values_list("id", flat=True))
        assert set(InvoiceLine.objects.filter(invoice__in=made).values_list("id", flat=True)) == settled
        assert len(settled) == 2
        assert [row.seq for row in made] == list(range(1, len(made) + 1))
        self.shop.merchant.refresh_from_db(fields=["invoices_at"])
        assert self.shop.merchant.invoices_at is not None
        assert self.shop.merchant.invoices_at > MONTH_LATER


class LimitReviewScenario(Scenario):
    """The day has come at which the limits of three people follow their scores: one up, one down, one as it was."""

    SCORES = (810, 560, 720)

    def prepare(self) -> None:
        self.shop = make_shop(f"店 {self.number}")
        self.people = [make_person(self.shop) for _ in self.SCORES]
        for person, score in zip(self.people, self.SCORES, strict=True):
            Profile.objects.filter(pk=person.id).update(score=score)

    def first_run(self) -> None:
        limit_reviews.review_limits(self.shop.realm_id, at=MONTH_LATER, limit=100)
        deliver.deliver_due(self.shop.realm_id, at=MONTH_LATER)

    def recovery(self) -> None:
        self.first_run()

    def assert_recovered(self) -> None:
        """Each limit is where its score is, was moved once, and its person was told once."""
        profiles = {row.person_id: row for row in Profile.objects.filter(person__in=self.people)}
        limits = [profiles[person.id].limit_minor for person in self.people]
        assert limits == [limit_of(score) for score in self.SCORES], limits
        assert {row.review_at for row in profiles.values()} == {MONTH_LATER + timedelta(days=30)}
        moved = self.people[:2]
        changes = LimitChange.objects.filter(person__in=self.people)
        assert sorted(changes.values_list("person_id", flat=True)) == sorted(person.id for person in moved)
        notices = Notice.objects.filter(person__in=self.people, stage="limit_changed")
        assert sorted(notices.values_list("about", flat=True)) == sorted(changes.values_list("id", flat=True))
