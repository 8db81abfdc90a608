"""Who bears what a channel takes back, in the words of colleagues."""

from django.utils.translation import gettext_lazy

from billing.models import Dispute
from kernel.console_actions import Words

BEARERS: dict[str, Words] = {
    Dispute.Bearer.PERSON: gettext_lazy("Owed again by the customer"),
    Dispute.Bearer.MERCHANT: gettext_lazy("Borne by the merchant"),
    Dispute.Bearer.PLATFORM: gettext_lazy("Borne by us"),
}
