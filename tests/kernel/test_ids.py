from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import ids

KEY = "018f0000000070008000000000000000"


@given(st.uuids())
def test_a_public_id_is_read_back_as_the_same_key(key: UUID) -> None:
    assert ids.parse("ord", ids.public("ord", key)) == key


@given(st.text(max_size=60))
def test_no_text_is_an_id_but_the_one_that_is_written_for_its_key(text: str) -> None:
    found = ids.parse("ord", text)
    assert found is None or ids.public("ord", found) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ord",
        "ord_",
        KEY,
        f"agr_{KEY}",
        f"ORD_{KEY}",
        f"ord_{KEY.upper()}A"[:36],
        f"ord_{KEY.replace('f', 'F')}",
        f"ord_{KEY}0",
        f"ord_{KEY[:-1]}",
        f" ord_{KEY}",
        f"ord_{KEY}\n",
        f"ord_{KEY} ",
        f"ord__{KEY[:-1]}",
        f"ord_{UUID(hex=KEY)}",
        f"ord_{{{KEY[2:]}}}",
        f"ord_0x{KEY[2:]}",
        f"ord_{KEY[:10]}_{KEY[11:]}",
        "ord_" + KEY.replace("0", "\uff10"),
        f"ord_ord_{KEY}",
        f"ord_{KEY}_{KEY}",
        "ord_\x00" + KEY[1:],
    ],
)
def test_what_is_not_written_exactly_so_is_no_id(text: str) -> None:
    assert ids.parse("ord", text) is None


def test_keys_made_one_after_the_other_are_strictly_increasing_version_7() -> None:
    keys = [ids.uuid7() for _ in range(20_000)]

    assert keys == sorted(keys)
    assert len({key.int >> 64 for key in keys}) == len(keys)
    assert {(key.version, key.variant) for key in keys} == {(7, uuid4().variant)}


def test_threads_never_get_the_same_key_and_each_sees_its_own_rise() -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: [ids.uuid7() for _ in range(2_000)], range(8)))

    assert len({key for run in runs for key in run}) == 16_000
    assert all(run == sorted(run) for run in runs)


def test_a_clock_set_back_does_not_set_keys_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids.uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)

    assert before < ids.uuid7() < ids.uuid7()
