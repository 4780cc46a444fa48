"""Check digits and validity rules of numbers that patterns find. Each is given ASCII bytes of the shape it names."""

from __future__ import annotations

from typing import Final

_DIGITS: Final = bytes(range(10))
_TO_VALUES: Final = bytes.maketrans(b"0123456789", _DIGITS)
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))  # 2d, less 9 where above 9

# ISO/IEC 7812 issuer ranges, each with the lengths that are issued: first, last (of as many digits), lengths
_ISSUERS: Final = (
    (b"4", b"4", (13, 16, 19)),  # Visa
    (b"2221", b"2720", (16,)),  # Mastercard
    (b"51", b"55", (16,)),  # Mastercard
    (b"34", b"34", (15,)),  # American Express
    (b"37", b"37", (15,)),  # American Express
    (b"300", b"305", (14, 16, 19)),  # Diners Club
    (b"36", b"36", (14, 16, 19)),  # Diners Club
    (b"38", b"39", (14, 16, 19)),  # Diners Club
    (b"3528", b"3589", (16, 19)),  # JCB
    (b"6011", b"6011", (16, 19)),  # Discover
    (b"644", b"659", (16, 19)),  # Discover
    (b"62", b"62", (16, 17, 18, 19)),  # UnionPay
    (b"2200", b"2204", (16, 19)),  # Mir
    (b"50", b"50", (16, 18, 19)),  # Maestro
    (b"56", b"58", (16, 18, 19)),  # Maestro
    (b"6304", b"6304", (16, 18, 19)),  # Maestro
    (b"676", b"676", (16, 18, 19)),  # Maestro
)

_CPF_FIRST: Final = range(10, 1, -1)
_CPF_SECOND: Final = range(11, 1, -1)
_CN_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CN_CHECK: Final = b"10X98765432"
_CF_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)

# SWIFT IBAN registry: total length by country
IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def luhn(digits: bytes) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B)."""
    return (sum(digits[::-2].translate(_TO_VALUES)) + sum(digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def card(digits: bytes) -> bool:
    """Whether the digits are a number that a card network issues, in prefix, length and check digit."""
    length = len(digits)
    for first, last, lengths in _ISSUERS:
        if first <= digits[: len(first)] <= last and length in lengths:
            return luhn(digits)
    return False


def us_ssn(text: bytes) -> bool:
    """AAA-GG-SSSS: area not 000, 666 or 9xx, group not 00, serial not 0000 (SSA; it has no check digit)."""
    area, group, serial = text.split(b"-")
    return area not in (b"000", b"666") and area[:1] != b"9" and group != b"00" and serial != b"0000"


def iban(text: bytes) -> bool:
    """Two letters, two check digits, account: ISO 13616 length of the country, and ISO 7064 MOD 97-10."""
    if IBAN_LENGTHS.get(text[:2].decode("ascii")) != len(text):
        return False
    return int("".join(str(int(chr(c), 36)) for c in text[4:] + text[:4])) % 97 == 1


def br_cpf(text: bytes) -> bool:
    """DDD.DDD.DDD-DD: two check digits modulo 11 (Receita Federal); eleven equal digits are no CPF."""
    digits = text.replace(b".", b"").replace(b"-", b"").translate(_TO_VALUES)
    if digits == digits[:1] * 11:
        return False
    first = sum(d * w for d, w in zip(digits, _CPF_FIRST, strict=False)) * 10 % 11 % 10
    second = sum(d * w for d, w in zip(digits, _CPF_SECOND, strict=False)) * 10 % 11 % 10
    return digits[9] == first and digits[10] == second


def fr_nir(text: bytes) -> bool:
    """Thirteen characters (2A and 2B are Corsica) and a key: 97 less the number modulo 97 (INSEE)."""
    plain = text.replace(b" ", b"")
    number = int(plain[:13].replace(b"2A", b"19").replace(b"2B", b"18"))
    return int(plain[13:]) == 97 - number % 97


def it_codice_fiscale(text: bytes) -> bool:
    """Sixteen letters and digits, the last a check character modulo 26 (Decreto 23 dicembre 1976)."""
    total = 0
    for at, character in enumerate(text[:15]):
        value = character - 48 if character < 65 else character - 65
        total += value if at % 2 else _CF_ODD[value]
    return total % 26 == text[15] - 65


def cn_resident_id(text: bytes) -> bool:
    """Eighteen characters with a birth date, the last a check character: ISO 7064 MOD 11-2 (GB 11643)."""
    total = sum(d * w for d, w in zip(text.translate(_TO_VALUES), _CN_WEIGHTS, strict=False))
    return _CN_CHECK[total % 11] == text[17]
