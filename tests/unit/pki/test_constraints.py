"""Name constraints: what we refuse to sign, and what clients refuse when it was signed all the same."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.errors import FileError
from hostagent.pki.authority import Authority
from hostagent.pki.constraints import PROBE_NAME, NameRefused, Permitted, permitted_name
from tests.unit.pki.test_authority import shake_hands

DOMAINS = ("corp.example", "db.internal")


def made(directory: Path, *permitted: str) -> Authority:
    return Authority.load_or_create(directory / "ca.pem", directory / "ca.key", tuple(map(permitted_name, permitted)))


@pytest.mark.parametrize("name", ["corp.example", "a.corp.example", "A.b.Corp.Example", "x.db.internal"])
def test_a_permitted_name_is_signed_for_and_verifies(tmp_path: Path, name: str) -> None:
    authority = made(tmp_path, *DOMAINS)
    shake_hands(authority.leaf((name, "192.0.2.7")), authority.certificate_pem, name)
    shake_hands(authority.leaf((name, "192.0.2.7")), authority.certificate_pem, "192.0.2.7")


@pytest.mark.parametrize("name", ["example.org", "corp.example.org", "xcorp.example", "example"])
def test_another_name_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(NameRefused, match=f"may not sign for {name}: it is limited to corp.example") as caught:
        made(tmp_path, *DOMAINS).leaf((name, "192.0.2.7"))
    assert "ca.permitted" in caught.value.hint


def test_addresses_are_free_until_a_network_is_named(tmp_path: Path) -> None:
    authority = made(tmp_path, *DOMAINS)
    shake_hands(authority.leaf(("192.0.2.7",)), authority.certificate_pem, "192.0.2.7")


@pytest.mark.parametrize("address", ["10.1.2.3", "2001:db8::7"])
def test_networks(tmp_path: Path, address: str) -> None:
    authority = made(tmp_path, "10.0.0.0/8", "2001:db8::/32")
    shake_hands(authority.leaf((address,)), authority.certificate_pem, address)
    shake_hands(authority.leaf(("any.example",)), authority.certificate_pem, "any.example")
    with pytest.raises(NameRefused, match=r"192\.0\.2\.7"):
        authority.leaf(("192.0.2.7",))


def test_an_address_outside_is_left_out_beside_a_name_inside(tmp_path: Path) -> None:
    authority = made(tmp_path, "corp.example", "10.0.0.0/8")
    shake_hands(authority.leaf(("a.corp.example", "192.0.2.7")), authority.certificate_pem, "a.corp.example")


@pytest.mark.parametrize(("permitted", "name"), [("corp.example", "evil.example"), ("10.0.0.0/8", "192.0.2.7")])
def test_a_client_refuses_what_a_stolen_key_signs(tmp_path: Path, permitted: str, name: str) -> None:
    authority = made(tmp_path, permitted)
    authority.permitted = Permitted.__new__(Permitted)
    authority.permitted.domains, authority.permitted.networks = (), ()
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake_hands(authority.leaf((name,)), authority.certificate_pem, name)


def test_the_probe_name_is_always_permitted(tmp_path: Path) -> None:
    authority = made(tmp_path, "corp.example")
    shake_hands(authority.leaf((PROBE_NAME,)), authority.certificate_pem, PROBE_NAME)
    assert authority.permitted.names() == ("corp.example",)


def test_another_wish_than_the_certificate_fulfils_is_an_error(tmp_path: Path) -> None:
    made(tmp_path, "corp.example")
    assert made(tmp_path, "corp.example").permitted.names() == ("corp.example",)
    for wish in ((), ("other.example",), ("corp.example", "10.0.0.0/8")):
        with pytest.raises(FileError, match=r"permits corp\.example, and `ca\.permitted` says"):
            made(tmp_path, *wish)


@pytest.mark.parametrize(
    ("text", "name"),
    [(".Corp.Example.", "corp.example"), ("10.0.0.0/8", "10.0.0.0/8"), ("192.0.2.7", "192.0.2.7/32"), ("a", "a")],
)
def test_what_may_be_permitted(text: str, name: str) -> None:
    assert permitted_name(text) == name


@pytest.mark.parametrize("text", ["", ".", "*.corp.example", "a..b", "10.0.0.1/8", "::/200", "bücher.example", "a b"])
def test_what_may_not(text: str) -> None:
    with pytest.raises(ValueError):
        permitted_name(text)


@given(st.text())
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name = permitted_name(text)
    except ValueError:
        return
    assert permitted_name(name) == name
