"""What each detector must find, and what it must leave alone. All are made up or published as examples."""

from __future__ import annotations

JWT = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = (
    b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A1B\n\n"
    b"MIIEowIBAAKCAQEA+/x=\n-----END RSA PRIVATE KEY-----\n"
)
GITHUB = b"ghp_" + b"a1B2" * 9

MATCHES: dict[str, tuple[bytes, ...]] = {
    "card": (
        b"4111111111111111", b"4111 1111 1111 1111", b"4111-1111-1111-1111", b"5555555555554444", b"2223003122003222",
        b"378282246310005", b"3782 822463 10005", b"30569309025904", b"3530111333300000", b"6011111111111117",
        b"4222222222222", b"6200000000000000000", b"6304000000000000",
    ),
    "iban": (
        b"GB82WEST12345698765432", b"GB82 WEST 1234 5698 7654 32", b"DE89370400440532013000", b"NO9386011117947",
        b"MT84MALT011000012345MTLCAST001S", b"FR14 2004 1010 0505 0001 3M02 606",
    ),
    "us_ssn": (b"123-45-6789", b"899-99-9999"),
    "br_cpf": (b"529.982.247-25", b"111.444.777-35"),
    "fr_nir": (b"184127645108946", b"1 84 12 76 451 089 46", b"2 55 08 2A 123 456 46"),
    "it_codice_fiscale": (b"RSSMRA85T10A562S",),
    "cn_resident_id": (b"11010519491231002X", b"440524198001010013"),
    "private_key": (PEM, PEM.replace(b"\n", b"\\n"), b"-----BEGIN PRIVATE KEY-----",
                    b"-----BEGIN OPENSSH PRIVATE KEY-----"),
    "aws_access_key": (b"AKIAIOSFODNN7EXAMPLE", b"ASIAIOSFODNN7EXAMPLE"),
    "github_token": (GITHUB, b"gho_" + b"0" * 36, b"github_pat_" + b"A" * 22 + b"_" + b"b" * 59),
    "slack_token": (b"xoxb-123456789012-abcdefGHIJ", b"xapp-1-A0123456789-1234"),
    "stripe_key": (b"sk_live_" + b"4eC39HqLyjWDarjtT1zdp7dc", b"rk_live_" + b"0" * 24),
    "google_api_key": (b"AIza" + b"SyA-_" * 7,),
    "jwt": (JWT,),
    "bearer": (b"Bearer abcdefghij0123456789", b"bearer: AbCd/efgh+ijkl~mnop.qrst0", b"BEARER 0123456789abcdefghij=="),
}  # fmt: skip

MISSES: dict[str, tuple[bytes, ...]] = {
    "card": (
        b"4111111111111112", b"411111111111", b"1111111111111117", b"0.4111111111111111", b"4111111111111111.25",
        b"x4111111111111111", b"4111111111111111x", b"41111111111111110000", b"4111  1111 1111 1111",
        b"411 1111 1111 1111 11", b"1700000000000", b"2024-01-02 2024-01-03 4444", b".4111111111111111",
    ),
    "iban": (b"GB82WEST12345698765433", b"GB82WEST1234569876543", b"XX82WEST12345698765432",
             b"GB82WEST12345698765432X"),
    "us_ssn": (b"000-12-3456", b"666-12-3456", b"900-12-3456", b"123-00-4567", b"123-45-0000", b"123456789",
               b"1-123-45-6789", b"123-45-6789-1", b"123-45-67890"),
    "br_cpf": (b"529.982.247-26", b"111.111.111-11", b"52998224725"),
    "fr_nir": (b"184127645108947", b"384127645108946", b"184137645108946", b"1.184127645108946"),
    "it_codice_fiscale": (b"RSSMRA85T10A562T", b"RSSMRA85T10A562"),
    "cn_resident_id": (b"110105194912310021", b"11010519491331002X"),
    "private_key": (b"-----BEGIN CERTIFICATE-----", b"-----BEGIN PUBLIC KEY-----", b"PRIVATE KEY"),
    "aws_access_key": (b"AKIAIOSFODNN7EXAMPL", b"XAKIAIOSFODNN7EXAMPLE", b"AKIAIOSFODNN1EXAMPLE"),
    "github_token": (b"ghp_" + b"a" * 35, b"xghp_" + b"a" * 36, b"ghx_" + b"a" * 36),
    "slack_token": (b"xoxb-123", b"xoxz-123456789012", b"fxoxb-123456789012-abc"),
    "stripe_key": (b"sk_test_" + b"a" * 24, b"sk_live_short"),
    "google_api_key": (b"AIzaShort", b"xAIza" + b"a" * 35),
    "jwt": (b"eyJhbGciOiJIUzI1NiJ9", b"eyJhbGciOiJIUzI1NiJ9.abc.def", b"aeyJhbGciOiJIUzI1NiJ9.eyJh"),
    "bearer": (b"bearer of bad news", b"bearer certificates-of-deposits", b"Bearer short1",
               b"forbearer a1b2c3d4e5f6g7h8i9j0"),
}  # fmt: skip
