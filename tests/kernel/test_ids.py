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
def test_only_the_exact_text_of_a_key_is_its_id(text: str) -> None:
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
def test_texts_in_another_form_are_no_ids(text: str) -> None:
    assert ids.parse("ord", text) is None


def test_keys_made_one_after_the_other_are_strictly_increasing_version_7() -> None:
    keys = [ids.uuid7() for _ in range(20_000)]

    assert keys == sorted(keys)
    assert len({key.int >> 64 for key in keys}) == len(keys)
    assert {(key.version, key.variant) for key in keys} == {(7, uuid4().variant)}


def test_keys_are_unique_across_threads_and_increasing_in_each() -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: [ids.uuid7() for _ in range(2_000)], range(8)))

    assert len({key for run in runs for key in run}) == 16_000
    assert all(run == sorted(run) for run in runs)


def test_keys_keep_increasing_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids.uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)

    assert before < ids.uuid7() < ids.uuid7()
