from calendar import isleap
from datetime import date, timedelta

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import rules

SEEDS = st.binary(min_size=16, max_size=16)
DRAWS = st.integers(0, 19)


@pytest.mark.parametrize(
    ("text", "born_on"),
    [
        ("11010519491231002X", date(1949, 12, 31)),  # the example of GB 11643-1999
        ("440524188001010014", None),  # the standard's second example: nobody alive was born in 1880
        ("34052419800101001X", date(1980, 1, 1)),
        (" 34052419800101001x ", date(1980, 1, 1)),
        ("11010519490231002X", None),  # 31 February
        ("110105194912310021", None),  # its check character is X
        ("99010519491231002X", None),
        ("110105491231002", None),  # 15 digits: withdrawn in 2013
        ("１１０１０５１９４９１２３１００２X", None),
        ("11010519491231002X\n1", None),
        ("", None),
    ],
)
def test_an_id_number_is_18_characters_with_a_province_a_date_and_a_check(text: str, born_on: date | None) -> None:
    number = rules.parse_id_number(text)
    assert (number and number.born_on) == born_on


@given(SEEDS, DRAWS, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(seed: bytes, draw: int, place: int, more: int) -> None:
    number = rules.fictional_id_number(seed, draw)
    wrong = number[:place] + str((int(number[place]) + more) % 10) + number[place + 1 :]
    assert rules.id_check_character(wrong[:17]) != wrong[17]


@given(SEEDS, DRAWS, st.integers(0, 15))
def test_two_neighbours_that_changed_places_are_always_noticed(seed: bytes, draw: int, place: int) -> None:
    number = rules.fictional_id_number(seed, draw)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert swapped == number or rules.id_check_character(swapped[:17]) != swapped[17]


@given(SEEDS, DRAWS)
def test_what_is_made_up_for_a_sandbox_is_taken_everywhere_and_belongs_to_nobody(seed: bytes, draw: int) -> None:
    phone, number = rules.fictional_phone(seed, draw), rules.parse_id_number(rules.fictional_id_number(seed, draw))
    assert rules.parse_phone(phone) == phone
    assert not phonenumbers.is_valid_number(phonenumbers.parse(phone))  # the day it is given out, choose another
    assert number is not None
    assert number.text[2:6] == "0000"
    assert rules.age_on(number.born_on, date(2026, 1, 1)) >= rules.AGE_MIN


@given(st.dates(date(1900, 1, 1), date(2020, 12, 31)), st.integers(0, 40_000))
def test_an_age_goes_up_by_one_on_a_birthday_and_on_no_other_day(born_on: date, days: int) -> None:
    today = born_on + timedelta(days=days)
    tomorrow = today + timedelta(days=1)
    leapling = (born_on.month, born_on.day) == (2, 29) and not isleap(tomorrow.year)
    birthday = (tomorrow.month, tomorrow.day) == ((3, 1) if leapling else (born_on.month, born_on.day))
    assert rules.age_on(born_on, tomorrow) - rules.age_on(born_on, today) == int(birthday)


def test_who_turns_18_tomorrow_is_17_today() -> None:
    born_on = date(2008, 11, 23)
    assert rules.age_on(born_on, date(2026, 11, 22)) == 17
    assert rules.age_on(born_on, date(2026, 11, 23)) == 18


@pytest.mark.parametrize(
    "text", ["13812341234", "138 1234 1234", "138-1234-1234", "+86 138 1234 1234", "+8613812341234"]
)
def test_a_phone_number_has_one_form_however_it_was_typed(text: str) -> None:
    assert rules.parse_phone(text) == "+8613812341234"


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "12345678901", "1381234123", "138123412345", "１３８１２３４１２３４", "٠١٢٣٤٥٦٧٨٩٠"),
        *("13812341234;ext=5", "tel:13812341234", "010-12345678", "13812341234\0", "+" + "9" * 40, "138" + " " * 40),
    ],
)
def test_what_no_text_message_can_reach_is_not_a_phone_number(text: str) -> None:
    assert rules.parse_phone(text) is None


@given(st.text(max_size=40))
def test_no_text_makes_the_rules_stumble(text: str) -> None:
    phone = rules.parse_phone(text)
    assert phone is None or rules.parse_phone(phone) == phone
    rules.parse_id_number(text)
    rules.mask_name(text)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("张三", "张*"), ("张小明", "张**"), ("欧阳修", "欧阳*"), ("欧阳", "欧*"), ("Ada Lovelace", "A***"), ("李", "李")],
)
def test_a_masked_name_shows_the_family_name_only(name: str, shown: str) -> None:
    assert rules.mask_name(name) == shown


def test_masked_numbers_show_their_ends() -> None:
    assert rules.mask_phone("+8613812341234") == "138****1234"
    assert rules.mask_phone("+12015550123") == "+1 ****0123"
    assert rules.mask_id_number("11010519491231002X") == "110*************2X"
