"""Signatures: what fits, and that nothing else does."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.approvals import signature as module
from hostagent.approvals.signature import NONCE, SIGNATURE, TIMESTAMP, WINDOW, BadSignature, Verifier, signed_headers

KEY, NOW, PATH, BODY = b"k" * 32, 1_767_225_600.0, "/v1/approvals/f-1.1", b'{"verdict":"deny"}'
ONCE = "n" * 16


def headers(direction: str = "in", at: float = NOW, nonce: str = ONCE, **other: object) -> dict[str, str]:
    made = signed_headers(
        other.get("key", KEY),  # type: ignore[arg-type]
        direction,  # type: ignore[arg-type]
        int(at),
        nonce,
        str(other.get("path", PATH)),
        other.get("body", BODY),  # type: ignore[arg-type]
    )
    return {name.lower(): value for name, value in made}


def test_the_form_is_the_documented_one() -> None:
    message = b"v1\nin\n1767225600\n" + ONCE.encode() + b"\n/v1/approvals/f-1.1\n" + BODY
    assert headers() == {
        "hostagent-timestamp": "1767225600",
        "hostagent-nonce": ONCE,
        "hostagent-signature": "v1=" + hmac.new(KEY, message, hashlib.sha256).hexdigest(),
    }
    Verifier(KEY).check(headers(), PATH, BODY, NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        headers("out"),
        headers(key=b"other key, other key"),
        headers(path="/v1/approvals/f-1.2"),
        headers(body=BODY + b" "),
        {**headers(), TIMESTAMP.lower(): str(int(NOW) + 1)},
        {**headers(), NONCE.lower(): "m" * 16},
        {**headers(), SIGNATURE.lower(): "v1="},
        {**headers(), SIGNATURE.lower(): "ü"},
    ],
)
def test_what_does_not_fit(wrong: dict[str, str]) -> None:
    with pytest.raises(BadSignature, match="does not fit"):
        Verifier(KEY).check(wrong, PATH, BODY, NOW)


@pytest.mark.parametrize("missing", [TIMESTAMP, NONCE, SIGNATURE])
@pytest.mark.parametrize("instead", [None, "", "x y", "-1", "1e9", "١٢٣"])
def test_what_is_missing_or_malformed(missing: str, instead: str | None) -> None:
    given_ = headers()
    if instead is None:
        del given_[missing.lower()]
    else:
        given_[missing.lower()] = instead
    with pytest.raises(BadSignature):
        Verifier(KEY).check(given_, PATH, BODY, NOW)


def test_the_window_of_time() -> None:
    for off in (-WINDOW, WINDOW):
        Verifier(KEY).check(headers(at=NOW + off), PATH, BODY, NOW)
    for off in (-WINDOW - 1, WINDOW + 1):
        with pytest.raises(BadSignature, match="timestamp"):
            Verifier(KEY).check(headers(at=NOW + off), PATH, BODY, NOW)


def test_a_message_is_good_once_for_as_long_as_it_would_be_good() -> None:
    verifier = Verifier(KEY)
    verifier.check(headers(), PATH, BODY, NOW)
    for later in (0.0, 1.0, WINDOW):
        with pytest.raises(BadSignature, match="came before"):
            verifier.check(headers(), PATH, BODY, NOW + later)
    verifier.check(headers(nonce="m" * 16), PATH, BODY, NOW)


def test_a_wrong_signature_uses_up_no_nonce_and_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NONCES", 2)
    verifier = Verifier(KEY)
    for number in range(10):
        with pytest.raises(BadSignature, match="does not fit"):
            verifier.check(headers(key=b"x", nonce=f"{number:016}"), PATH, BODY, NOW)
    for number in range(2):
        verifier.check(headers(nonce=f"{number:016}"), PATH, BODY, NOW)
    with pytest.raises(BadSignature, match="too many"):
        verifier.check(headers(nonce=ONCE), PATH, BODY, NOW)
    later = NOW + 2 * WINDOW
    verifier.check(headers(at=later), PATH, BODY, later)


@given(st.dictionaries(st.sampled_from([TIMESTAMP.lower(), NONCE.lower(), SIGNATURE.lower()]), st.text()), st.binary())
def test_no_headers_crash_it(given_: dict[str, str], body: bytes) -> None:
    with pytest.raises(BadSignature):
        Verifier(KEY).check(given_, PATH, body, NOW)
