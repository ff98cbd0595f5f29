"""Signatures against the examples that Amazon publishes for Signature Version 4 in headers."""

from datetime import UTC, datetime

import pytest

from dogwatch.wire.sigv4 import Keys, query_string, signed

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "examplebucket.s3.amazonaws.com"


@pytest.mark.parametrize(
    ("path", "params", "headers", "signature"),
    [
        (
            "/test.txt",
            {},
            {"Range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("/", {"lifecycle": ""}, {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "/",
            {"prefix": "J", "max-keys": "2"},
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_published_examples_come_out(
    path: str, params: dict[str, str], headers: dict[str, str], signature: str
) -> None:
    sent = signed(KEYS, "us-east-1", HOST, path, query_string(params), NOW, headers)
    assert sent["Authorization"].endswith(f"Signature={signature}")


def test_a_query_is_sorted_after_it_was_encoded() -> None:
    assert query_string({"prefix": "a b/ü", "list-type": "2", "a-": "", "a": "~"}) == (
        "a=~&a-=&list-type=2&prefix=a%20b%2F%C3%BC"
    )


def test_a_session_is_signed_as_well_and_nothing_secret_is_shown() -> None:
    keys = Keys("ASIA", "hush", "token-of-a-session")
    sent = signed(keys, "eu-central-1", HOST, "/", "", NOW)
    assert sent["x-amz-security-token"] == "token-of-a-session"
    assert "host;x-amz-content-sha256;x-amz-date;x-amz-security-token" in sent["Authorization"]
    assert "hush" not in repr(keys)
    assert "token-of" not in repr(keys)
