"""What orders keep of how they were asked for means the same for ever: a repeat is known after every change of ours."""

from typing import Any
from uuid import UUID

from orders.api.shapes import Completion, NewOrder

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


def test_a_wish_from_before_is_known_again() -> None:
    """Of a field that is new since, only what is said in it may go into the digest."""
    assert [NewOrder.of(asked).wish(AGREEMENT).digest.hex() for asked in (LEAST, MOST)] == [
        "642362c4ef906bc0ad3df78b8b21609716f8c936d74269b87c408c6e07828e2f",
        "ef7abdf183ef056e027d2244e9cde81a5985958a8c531dcb842b1c27339e4a94",
    ]


def test_an_ending_from_before_is_known_again() -> None:
    assert [Completion.of(asked).final().digest.hex() for asked in ({"total": 600}, ENDED)] == [
        "e1a2a2a8d684c53638a55942f6d6e45b4384f1ed777c980459709d3c22043a17",
        "1137272ca7189c33f05a50f16303ec47d0cc1323d231518548eb080576ef2d48",
    ]
