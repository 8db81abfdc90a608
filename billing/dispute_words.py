"""Who bears what a channel takes back, in the words of colleagues."""

from django.utils.translation import gettext_lazy

from billing.models import Dispute
from kernel.desk import Words

BEARERS: dict[str, Words] = {
    Dispute.Bearer.PERSON: gettext_lazy("The person owes it again"),
    Dispute.Bearer.MERCHANT: gettext_lazy("The merchant bears it"),
    Dispute.Bearer.PLATFORM: gettext_lazy("We bear it"),
}
