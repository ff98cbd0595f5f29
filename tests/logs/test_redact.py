"""Secrets and personal data never come through, and what is none of them does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dogwatch.logs.miner import Miner
from dogwatch.logs.redact import MASK, redact

SECRETS = [
    "connect to postgres://etl:hunter2@db.acme.com:5432/dw failed",
    "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "using key AKIAIOSFODNN7EXAMPLE",
    "GET https://maps.example.com/?key=AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "password=hunter2 rejected",
    'login {"user": "bob", "password": "hunter two"}',
    "api_key: 9f8e7d6c5b4a",
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    "git clone https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/a/b",
    "posting to https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXX",
    "token xoxb-123456789012-abcdefghijkl",
    "databricks token dapi0123456789abcdef0123456789abcdef",
    "-----BEGIN RSA PRIVATE KEY-----MIIEowIBAAKCAQEA-----END RSA PRIVATE KEY-----",
    "mail to jane.doe+x@example.co.uk bounced",
    "card 4111 1111 1111 1111 declined",
    "sas https://acc.blob.core.windows.net/c?sv=2024&sig=abc%2Fdef%3D",
    "client_secret => s3cr3tvalue",
    "Set-Cookie: session=abcdef123456",
]
LEAKS = (
    *("hunter", "eyJ", "AKIA", "AIzaSy", "9f8e7d", "wJalr", "ghp_", "XXXX", "xoxb", "dapi0"),
    *("MIIE", "jane.doe", "4111", "abc%2F", "s3cr3t", "abcdef1"),
)


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_masked(text: str) -> None:
    masked = redact(text)
    assert MASK in masked
    assert [leak for leak in LEAKS if leak in masked] == []


@pytest.mark.parametrize(
    "text",
    [
        "Failed password for root from 10.0.0.1 port 22 ssh2",
        "token <*> expired, password: <*>",
        "order 1234567890123 created",
        "version 2.4.1: pass 3 of 5 done",
        "took 12:04:05, ratio=0.35, user=bob",
        "secret: null",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=300))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def test_a_template_holds_no_secret_even_if_every_line_has_the_same() -> None:
    miner = Miner()
    miner.feed(b"retry with password=hunter2 now\nretry with password=hunter2 now")
    assert [template.text for template in miner.mine().templates] == ["retry with password=*** now"]


def test_long_hostile_text_takes_no_longer_than_its_length() -> None:
    for piece in ("a.", "password", "eyJ-", "://:@", "4 ", "x@y.", "Bearer ", '"', "-----BEGIN "):
        redact(piece * 20_000)
