"""The audit log holds no copy of a note that is stored elsewhere and erased with its customer."""

from collections.abc import Callable

from django.test import Client

from accounts.models import Contact
from kernel.models import AuditLine
from office.models import HandlingNote
from orders.models import Message
from tests.browsing import form_token
from tests.conftest import Shop
from tests.console.conftest import submit_form
from tests.office.queue_fixtures import overdue_order, post_action, problem_report

SAID = "王女士住院 13800001111"


def assert_not_audited(act: str) -> None:
    """The act is in the audit log, with the length of its note and without the text."""
    line = AuditLine.objects.filter(act=act).latest("id")
    assert (line.why, line.data["note_length"]) == ("", len(SAID))
    assert not [line for line in AuditLine.objects.all() if "13800001111" in f"{line.why} {line.data}"]


def test_an_answer_to_a_customer(power_bank: Shop, supervisor: Client) -> None:
    concern = problem_report(power_bank)
    submit_form(supervisor, f"/ops/do/{concern.public_id}/answer", note=SAID)
    assert Message.objects.latest("id").text == SAID
    assert_not_audited("answer")


def test_a_note_in_a_queue(power_bank: Shop, supervisor: Client) -> None:
    concern = problem_report(power_bank)
    path = f"/ops/queues/problem/{concern.public_id}"
    post_action(supervisor, path, "note", note=SAID)
    assert HandlingNote.objects.latest("id").text == SAID
    assert_not_audited("queue.note")


def test_a_handover_note_for_several_items(power_bank: Shop, supervisor: Client) -> None:
    concern = problem_report(power_bank)
    page = supervisor.get("/ops/queues/problem?mode=test")
    to = page.content.decode().partition('<option value="usr_')[2].partition('"')[0]
    form = {"token": form_token(page), "to": f"usr_{to}", "note": SAID, "row": f"{concern.public_id}:"}
    assert supervisor.post("/ops/queues/problem/assign?mode=test", form).status_code == 302
    assert HandlingNote.objects.latest("id").text == SAID
    assert_not_audited("queue.hand_all")


def test_a_contact_record(power_bank: Shop, console_client: Callable[..., Client]) -> None:
    order = overdue_order(power_bank)
    path = f"/ops/collections/{order.person.public_id}"
    form = {"way": "call", "order": "", "minutes": "0", "outcome": "reached", "promised_on": "", "note": SAID}
    assert submit_form(console_client("collections"), path, **form).status_code == 302
    assert Contact.objects.get().note == SAID
    assert_not_audited("debtor")
