"""``dogwatch serve`` and ``dogwatch token`` as a person types them."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from dogwatch.cli.token import SCOPES
from dogwatch.model.door import Scope
from support.cli import clean, run
from support.site import CONFIG


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dogwatch.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_install_explains_itself_and_offers_the_lab(home: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "dogwatch", "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=home, env=clean(home) | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        url = lines[0].strip().rstrip("/")
        link = lines[2].strip()
        try:
            with httpx2.Client() as client:
                page = client.get(url + "/").text
                assert "Nothing has been looked at yet." in page
                assert "dogwatch check" in page
                assert "dogwatch doctor" in page
                assert "dogwatch demo" in page
                entered = client.get(link)
                assert entered.status_code == 303
                assert "HttpOnly" in entered.headers["set-cookie"]
                assert client.get(link).status_code == 403
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_nobody_listens_beyond_this_machine_without_a_token(home: Path) -> None:
    for more in (["--host", "0.0.0.0"], ["--name", "dogwatch.example.com"]):
        told = run("serve", "--port", "0", *more)
        assert told.exit_code == 2
        assert "a token is needed" in told.stderr
        assert "dogwatch token new" in told.stderr


def test_a_port_in_use_is_told_plainly(home: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = run("serve", "--port", str(taken.getsockname()[1]))
    assert told.exit_code == 2
    assert "cannot listen on 127.0.0.1 port" in told.stderr


def test_tokens_are_made_listed_and_revoked(home: Path) -> None:
    assert tuple(scope.value for scope in Scope) == SCOPES
    assert "no token" in run("token").stdout
    made = run(
        "token", "new", "anna", "--scope", "read", "--scope", "approve", "--days", "30", "--by", "bert"
    )
    assert made.exit_code == 0
    text = made.stdout.strip()
    assert re.fullmatch(r"dw_[0-9a-f]{8}_[\w-]{43}", text)
    id_ = text.split("_")[1]
    assert f"○ {id_}" in run("token").stdout
    assert text not in run("token").stdout
    told = json.loads(run("token", "--format", "json").stdout)
    assert told["tokens"][0]["scopes"] == ["read", "approve"]
    assert run("token", "revoke", id_).stdout.strip() == f"{id_} opens nothing any more"
    assert f"◌ {id_}" in run("token").stdout
    assert run("token", "revoke", id_).exit_code == 2
    assert run("token", "new", "../etc/passwd").exit_code == 2
    kinds = [event["kind"] for event in json.loads(run("audit", "--format", "json").stdout)["events"]]
    assert kinds == ["token.made", "token.revoked"]
