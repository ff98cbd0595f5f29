"""Callers who sign with a key of their own: whom Google's tokens and Amazon's signatures let in.
The keys are made here and stand at the addresses where Google and Amazon keep theirs."""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from dogwatch.app import Dogwatch
from dogwatch.errors import SettingsError
from dogwatch.hooks.pubsub import GOOGLE
from support.calling import SECRET, Client, calling, settings_in
from support.clock import NOON, JumpingClock

HOUR = timedelta(hours=1)
AUDIENCE, ACCOUNT = "https://dog.example/hooks/pubsub", "push@shop-prod.iam.gserviceaccount.com"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:logs"
CERTIFICATE = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem"
CONFIG = f"""
connectors:
  logs: {{kind: gcs, bucket: acme-logs}}
hooks:
  pubsub: {{audience: {AUDIENCE}, account: {ACCOUNT}}}
  sns: {{topics: ["{TOPIC}"]}}
"""
KEY, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
OBJECT = {
    "bucketId": "acme-logs",
    "objectId": "a.json",
    "objectGeneration": "1",
    "eventType": "OBJECT_FINALIZE",
}
PUSHED = json.dumps({"message": {"attributes": OBJECT}}).encode()
RECORD = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "a%2Fb.log"}}}


def url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwks(**keys: rsa.RSAPrivateKey) -> bytes:
    """As Google shows its keys."""
    found: list[dict[str, str]] = []
    for kid, key in keys.items():
        numbers = key.public_key().public_numbers()
        n, e = (url64(one.to_bytes(-(-one.bit_length() // 8))) for one in (numbers.n, numbers.e))
        found.append({"kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": e})
    return json.dumps({"keys": found}).encode()


def token(
    now: datetime = NOON,
    key: rsa.RSAPrivateKey = KEY,
    head: Mapping[str, Any] | None = None,
    **claims: Any,
) -> str:
    """As Pub/Sub pushes it; ``claims`` over the usual ones."""
    at = int(now.timestamp())
    usual = {"iss": "https://accounts.google.com", "aud": AUDIENCE, "email": ACCOUNT, "email_verified": True}
    said = {**usual, "iat": at, "exp": at + 3600, "sub": "1", "azp": "1", **claims}
    told = {"alg": "RS256", "kid": "one", "typ": "JWT", **(head or {})}
    text = f"{url64(json.dumps(told).encode())}.{url64(json.dumps(said).encode())}"
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{url64(signature)}"


def certificate(key: rsa.RSAPrivateKey = KEY, ends: datetime = NOON + 100 * HOUR) -> bytes:
    """As Amazon shows its key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(NOON - 1000 * HOUR).not_valid_after(ends)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def note(
    now: datetime = NOON, key: rsa.RSAPrivateKey = KEY, version: str = "2", **said: Any
) -> dict[str, Any]:
    """As SNS signs and posts it; ``said`` over the usual, before it is signed."""
    told = {
        "Type": "Notification",
        "MessageId": "m1",
        "TopicArn": TOPIC,
        "Message": json.dumps({"Records": [RECORD]}),
        "Timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        **said,
    }
    names = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    text = "".join(f"{name}\n{told[name]}\n" for name in names if name in told)
    sha = hashes.SHA256() if version == "2" else hashes.SHA1()
    told["Signature"] = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), sha)).decode()
    return told


class Elsewhere(httpx2.AsyncBaseTransport):
    """Google and Amazon."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {GOOGLE: jwks(one=KEY), CERTIFICATE: certificate()}
        self.asked: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The document at this address."""
        url = str(request.url)
        self.asked[url] += 1
        found = self.documents.get(url)
        return httpx2.Response(404 if found is None else 200, content=found or b"{}")


Asked = tuple[str, bytes, dict[str, str]]


def google(given: str, body: bytes = PUSHED, secret: str = SECRET) -> Asked:
    return f"pubsub/{secret}", body, {"Authorization": f"Bearer {given}"}


def amazon(told: Mapping[str, Any], secret: str = SECRET) -> Asked:
    return f"sns/{secret}", json.dumps(told).encode(), {}


def answers(folder: Path, calls: Mapping[str, Asked], elsewhere: Elsewhere | None = None) -> dict[str, int]:
    """What each is answered."""

    async def work(client: Client, app: Dogwatch) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, (path, body, headers) in calls.items():
            answer = await client.post(f"/hooks/{path}", content=body, headers=headers)
            assert SECRET not in answer.text
            found[name] = answer.status_code
        return found

    way = elsewhere or Elsewhere()
    return calling(settings_in(folder, CONFIG), JumpingClock(), work, transport=way)


WEAK = rsa.generate_private_key(65537, 1024)
UNSIGNED = token(head={"alg": "none"}).rpartition(".")[0] + "."
HS = token(head={"alg": "HS256"})
MADE: dict[str, tuple[Asked, int]] = {
    "google": (google(token()), 202),
    "google again": (google(token()), 200),
    "no token": ((f"pubsub/{SECRET}", PUSHED, {}), 401),
    "no secret but a token": (google(token(), secret="wrong"), 401),
    "the secret in place of the token": (google(SECRET), 401),
    "forged": (google(token(key=OTHER)), 401),
    "another key's id": (google(token(head={"kid": "two"})), 401),
    "not signed": (google(UNSIGNED), 401),
    "signed by the public key": (google(HS), 401),
    "another audience": (google(token(aud="https://other.example/")), 403),
    "another account": (google(token(email="eve@evil.iam.gserviceaccount.com")), 403),
    "an account that is not verified": (google(token(email_verified=False)), 403),
    "another issuer": (google(token(iss="https://evil.example")), 401),
    "a token that is over": (google(token(NOON - 2 * HOUR)), 401),
    "a token of tomorrow": (google(token(NOON + 24 * HOUR)), 401),
    "a token without end": (google(token(exp=None)), 401),
    "no token at all": (google("a.b.c"), 401),
    "amazon": (amazon(note()), 202),
    "amazon again": (amazon(note()), 200),
    "amazon, by SHA-1": (amazon(note(version="1", MessageId="m2")), 202),
    "amazon, with a subject": (amazon(note(Subject="Amazon S3 Notification", MessageId="m3")), 202),
    "amazon, forged": (amazon(note(key=OTHER)), 401),
    "amazon, changed": (amazon({**note(), "MessageId": "m9"}), 401),
    "amazon, not signed": (amazon({**note(), "Signature": None}), 401),
    "amazon, no base64": (amazon({**note(), "Signature": "%"}), 401),
    "amazon, another version": (amazon({**note(), "SignatureVersion": "3"}), 401),
    "amazon, replayed later": (amazon(note(NOON - 2 * HOUR)), 401),
    "amazon, of tomorrow": (amazon(note(NOON + 24 * HOUR)), 401),
    "amazon, no time": (amazon(note(Timestamp="soon")), 401),
    "amazon, no time of ours": (amazon(note(Timestamp="9999-12-31T23:59:59-14:00")), 401),
    "amazon, no secret": (amazon(note(), secret="wrong"), 401),
    "another host": (amazon(note(SigningCertURL=CERTIFICATE.replace("amazonaws.com", "evil.example"))), 400),
    "a host like it": (amazon(note(SigningCertURL=CERTIFICATE.replace("sns.", "sns.evil."))), 400),
    "another region": (amazon(note(SigningCertURL=CERTIFICATE.replace("eu-central-1", "us-east-1"))), 400),
    "another port": (amazon(note(SigningCertURL=CERTIFICATE.replace(".com/", ".com:444/"))), 400),
    "no port": (amazon(note(SigningCertURL=CERTIFICATE.replace(".com/", ".com:x/"))), 400),
    "somebody at it": (amazon(note(SigningCertURL=CERTIFICATE.replace("//", "//eve@"))), 400),
    "another path": (amazon(note(SigningCertURL=CERTIFICATE.replace("Simple", "../Simple"))), 400),
    "no TLS": (amazon(note(SigningCertURL=CERTIFICATE.replace("https", "http"))), 400),
}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], Elsewhere]:
    """What came of every call, and who was asked."""
    elsewhere = Elsewhere()
    folder = tmp_path_factory.mktemp("house")
    return answers(folder, {name: asked for name, (asked, _) in MADE.items()}, elsewhere), elsewhere


@pytest.mark.parametrize("name", MADE)
def test_who_proves_it_is_let_in_and_nobody_else(
    name: str, answered: tuple[dict[str, int], Elsewhere]
) -> None:
    assert answered[0][name] == MADE[name][1]


def test_keys_are_fetched_seldom_and_from_nowhere_but_google_and_amazon(
    answered: tuple[dict[str, int], Elsewhere],
) -> None:
    assert answered[1].asked == {GOOGLE: 1, CERTIFICATE: 1}


def test_keys_that_change_are_found_and_old_ones_serve_while_nobody_answers(tmp_path: Path) -> None:
    elsewhere, clock = Elsewhere(), JumpingClock()
    found: list[int] = []

    async def work(client: Client, app: Dogwatch) -> None:
        async def push(**how: Any) -> None:
            path, body, headers = google(token(clock.now(), **how))
            found.append((await client.post(f"/hooks/{path}", content=body, headers=headers)).status_code)

        await push()
        elsewhere.documents[GOOGLE] = jwks(one=KEY, two=OTHER)
        clock.move(timedelta(minutes=2))
        await push(key=OTHER, head={"kid": "two"})
        del elsewhere.documents[GOOGLE]
        clock.move(2 * HOUR)
        await push()
        clock.move(24 * HOUR)
        await push()
        await push()

    calling(settings_in(tmp_path, CONFIG), clock, work, transport=elsewhere)
    assert found == [202, 200, 200, 503, 503]
    assert elsewhere.asked[GOOGLE] == 4


@pytest.mark.parametrize(
    ("shown", "key"),
    [
        (certificate(WEAK), WEAK),
        (certificate(ends=NOON - HOUR), KEY),
        (b"-----BEGIN CERTIFICATE-----\nnone", KEY),
        (b"", KEY),
    ],
    ids=["weak", "over", "none", "empty"],
)
def test_a_certificate_that_proves_nothing_lets_nobody_in(
    tmp_path: Path, shown: bytes, key: rsa.RSAPrivateKey
) -> None:
    elsewhere = Elsewhere()
    elsewhere.documents[CERTIFICATE] = shown
    assert answers(tmp_path, {"it": amazon(note(key=key))}, elsewhere) == {"it": 401}


def test_an_audience_without_an_account_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="audience and account belong together"):
        settings_in(tmp_path, CONFIG.replace(f", account: {ACCOUNT}", ""))
