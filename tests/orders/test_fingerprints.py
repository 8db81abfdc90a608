"""The fingerprints stored with orders never change, so that a repeated request is recognized after every release."""

from typing import Any
from uuid import UUID

from orders.api.schemas import Completion, NewOrder

AGREEMENT = UUID("01932c07-0000-7000-8000-000000000041")
LEAST = {"agreement": "agr_", "out_order_no": "PB-1", "title": "共享充电宝"}
MOST: dict[str, Any] = {
    "agreement": "agr_",
    "out_order_no": "PB-2",
    "title": "共享充电宝",
    "ceiling": 9900,
    "items": [{"name": "每小时", "amount": 200, "count": 2}],
    "discounts": [{"name": "新客", "amount": 50}],
    "starts_at": "2026-11-20T12:00:00+08:00",
    "start_location": "上海虹桥站",
    "attach": "a=1",
    "metadata": {"till": "7", "area": "3"},
}
ENDED = {"items": MOST["items"], "discounts": MOST["discounts"], "ends_at": "2026-11-20T04:00:00Z", "end_location": "x"}


def test_the_fingerprint_of_an_order_request_is_stable() -> None:
    """A field added later may go into the fingerprint only when it is set."""
    assert [NewOrder.of(asked).to_request(AGREEMENT).fingerprint.hex() for asked in (LEAST, MOST)] == [
        "642362c4ef906bc0ad3df78b8b21609716f8c936d74269b87c408c6e07828e2f",
        "ef7abdf183ef056e027d2244e9cde81a5985958a8c531dcb842b1c27339e4a94",
    ]


def test_the_fingerprint_of_a_completion_is_stable() -> None:
    assert [Completion.of(asked).to_request().fingerprint.hex() for asked in ({"total": 600}, ENDED)] == [
        "e1a2a2a8d684c53638a55942f6d6e45b4384f1ed777c980459709d3c22043a17",
        "1137272ca7189c33f05a50f16303ec47d0cc1323d231518548eb080576ef2d48",
    ]
