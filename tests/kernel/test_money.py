import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import AMOUNT_MINOR_MAX, CurrencyMismatchError, Money

AMOUNTS = st.integers(-AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX)
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=40).filter(any)


@given(AMOUNTS, WEIGHTS)
def test_parts_add_up_to_the_whole_and_are_within_one_unit_of_their_share(minor: int, weights: list[int]) -> None:
    parts = Money(minor).split(weights)

    assert sum(part.minor for part in parts) == minor
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.minor * sum(weights) - minor * weight) < sum(weights)


@given(st.integers(0, AMOUNT_MINOR_MAX), st.integers(1, 60))
def test_equal_weights_give_parts_that_differ_by_at_most_one_unit_the_larger_first(minor: int, count: int) -> None:
    parts = [part.minor for part in Money(minor).split([1] * count)]

    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True)


def test_leftover_units_go_to_the_largest_remainders() -> None:
    assert Money(100).split([1, 1, 1]) == [Money(34), Money(33), Money(33)]
    assert Money(10).split([0, 3, 0, 1]) == [Money(0), Money(8), Money(0), Money(2)]
    assert Money(1).split([1, 2]) == [Money(0), Money(1)]


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [1, -1], [-1], [3, -1]])
def test_weights_that_mean_nothing_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"weights|empty"):
        Money(100).split(weights)


@given(AMOUNTS, st.integers(0, 10_000))
def test_a_share_is_the_nearest_whole_unit_and_the_same_on_both_sides_of_zero(minor: int, share: int) -> None:
    fee = Money(minor).bps(share).minor

    assert abs(fee * 10_000 - minor * share) * 2 <= 10_000
    assert Money(-minor).bps(share).minor == -fee
    assert abs(fee) <= abs(minor)


@pytest.mark.parametrize(
    ("minor", "share", "fee"),
    [(1234, 60, 7), (125, 40, 1), (124, 40, 0), (-125, 40, -1), (1, 5_000, 1), (3, 5_000, 2), (0, 60, 0), (99, 0, 0)],
)
def test_halves_of_a_share_are_rounded_away_from_zero(minor: int, share: int, fee: int) -> None:
    assert Money(minor).bps(share) == Money(fee)


@pytest.mark.parametrize("minor", [1.0, 1.5, True, False, "1", None])
def test_an_amount_is_a_whole_number_and_nothing_that_resembles_one(minor: object) -> None:
    with pytest.raises(TypeError):
        Money(minor)  # type: ignore[arg-type]


def test_two_currencies_cannot_be_added() -> None:
    with pytest.raises(CurrencyMismatchError):
        Money(1, "CNY") + Money(1, "USD")
    with pytest.raises(CurrencyMismatchError):
        Money(1, "CNY") - Money(1, "USD")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(1234), "12.34 CNY"),
        (Money(5), "0.05 CNY"),
        (Money(-5), "-0.05 CNY"),
        (Money(0), "0.00 CNY"),
        (Money(1234, "JPY"), "1234 JPY"),
        (Money(-7, "JPY"), "-7 JPY"),
        (Money(5, "KWD"), "0.005 KWD"),
    ],
)
def test_an_amount_is_written_with_the_places_of_its_currency(money: Money, text: str) -> None:
    assert str(money) == text
