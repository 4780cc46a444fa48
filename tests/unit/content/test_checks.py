"""Check digits against a plain reading of their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.content import checks


def plain_luhn(digits: str) -> bool:
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if at % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@given(st.text("0123456789", min_size=1, max_size=30))
def test_luhn_is_luhn(digits: str) -> None:
    assert checks.luhn(digits.encode()) == plain_luhn(digits)


@given(st.text("0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_fits(digits: str) -> None:
    assert sum(checks.luhn(f"{digits}{last}".encode()) for last in range(10)) == 1


@pytest.mark.parametrize(
    ("number", "issued"),
    [
        (b"4111111111111111", True),
        (b"411111111111116", False),  # Luhn holds, but Visa issues no 15 digits
        (b"1111111111111117", False),  # Luhn holds, nobody's prefix
        (b"2220990000000002", False),  # just below Mastercard's range
        (b"2221000000000009", True),
    ],
)
def test_issuers(number: bytes, issued: bool) -> None:
    assert checks.luhn(number)
    assert checks.card(number) is issued


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=18, max_size=18))
def test_iban_with_right_check_digits_holds_and_with_any_other_does_not(account: str) -> None:
    value = int("".join(str(int(c, 36)) for c in f"{account}GB00"))
    right = 98 - value % 97
    assert checks.iban(f"GB{right:02}{account}".encode())
    assert not checks.iban(f"GB{right % 97 + 2:02}{account}".encode()) or right % 97 + 2 == right
    assert not checks.iban(f"GB{right:02}{account}0".encode()), "a length that the country does not have"
