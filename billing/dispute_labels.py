"""Labels for who bears a disputed amount, as the operations console shows them."""

from django.utils.translation import gettext_lazy

from billing.models import Dispute
from kernel.console_actions import StrOrPromise

BEARER_LABELS: dict[str, StrOrPromise] = {
    Dispute.Bearer.PERSON: gettext_lazy("Owed again by the customer"),
    Dispute.Bearer.MERCHANT: gettext_lazy("Borne by the merchant"),
    Dispute.Bearer.PLATFORM: gettext_lazy("Borne by us"),
}
