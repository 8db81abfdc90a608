import pytest

from credit import services as credit
from credit.refusals import ServicePaused
from merchants import services as merchants
from tests.conftest import BY, NOON, Shop, make_person


def test_a_paused_service_is_not_opened_by_whoever_was_asked_before(power_bank: Shop) -> None:
    agreement = credit.request_agreement(power_bank.merchant.id, power_bank.service.id, "u", by=BY, at=NOON)
    merchants.change_service(power_bank.merchant.id, power_bank.service.id, {"state": "paused"}, by=BY, at=NOON)
    with pytest.raises(ServicePaused):
        credit.sign_agreement(agreement.id, make_person(power_bank).id, by=BY, at=NOON)
