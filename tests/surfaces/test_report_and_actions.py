"""report, actions, halt and audit as a person types them, after a round over platforms of the lab."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from dogwatch.model import Message, Occasion
from dogwatch.model.overview import Overview
from support.cli import run
from support.watched import broken

DOCS = Path(__file__).parents[2] / "docs"
HOSTILE = (
    "no such table: stock | <script>alert(1)</script> <img src=x onerror=alert(2)> </pre></svg>\u202e"
    + "x" * 12_000
)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a round has found that a job of the shop fails."""
    return broken(tmp_path_factory.mktemp("watched"), HOSTILE)


@pytest.fixture
def here(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(watched)


class Reader(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page() -> Reader:
    """The report as a page."""
    reader = Reader()
    reader.feed(run("report", "--out", "-").stdout)
    return reader


@pytest.mark.usefixtures("here")
def test_the_page_says_first_whether_anything_is_wrong() -> None:
    told = " ".join(" ".join(page().text).split())
    verdict = told.index("● 1 incident open.")
    assert verdict < told.index("Incidents") < told.index("The last 24 hours") < told.index("30 days")
    assert "INC-1 ERROR" in told
    assert "no such table: stock | <script>alert(1)</script>" in told  # as text


@pytest.mark.usefixtures("here")
def test_nothing_that_a_platform_says_becomes_more_than_text() -> None:
    reader = page()
    assert not reader.elements & {"script", "img", "iframe", "object", "link", "form"}
    assert not [name for name in reader.attributes if name.startswith("on")]
    assert all(re.match(r"https?://", link) for link in reader.links)
    assert "\u202e" not in "".join(reader.text)


@pytest.mark.usefixtures("here")
def test_the_page_is_one_file_that_needs_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "night.html"
    assert run("report", "--out", str(target)).stdout == f"written: {target}\n"
    text = target.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert len(text) < 500_000
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.usefixtures("here")
def test_by_default_it_is_written_beside_the_configuration(watched: Path) -> None:
    assert run("report").stdout == "written: dogwatch-report.html\n"
    assert (watched / "dogwatch-report.html").stat().st_size > 10_000


@pytest.mark.usefixtures("here")
def test_a_file_that_cannot_be_written_is_an_error_with_its_name(tmp_path: Path) -> None:
    told = run("report", "--out", str(tmp_path / "no" / "r.html"))
    assert told.exit_code == 2
    assert "cannot write" in told.stderr


@pytest.mark.usefixtures("here")
def test_the_json_fits_the_schema_that_is_published() -> None:
    schema = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(run("report", "--format", "json").stdout), schema)


@pytest.mark.usefixtures("here")
def test_the_daily_digest_can_be_read_beforehand() -> None:
    told = run("report", "--digest").stdout
    assert told.startswith("Daily digest: 1 incident open\n")
    assert "- INC-1 ERROR stock failed" in told
    assert "waits for your consent:\n- Sync stock once" in told
    assert "runs in 24 h, 6 failed" in told or "runs in 24 h, 5 failed" in told
    message = Message.model_validate_json(run("report", "--digest", "--format", "json").stdout)
    assert message.occasion is Occasion.report


@pytest.mark.usefixtures("here")
def test_markdown_and_json_say_the_same() -> None:
    markdown = run("report", "--format", "md").stdout
    assert markdown.startswith("# dogwatch: 1 incident open.")
    assert "<script>" not in markdown
    assert "dogwatch actions approve" in markdown
    found = Overview.model_validate_json(run("report", "--format", "json").stdout)
    assert found.format == "dogwatch.report/1"
    assert [one.name for one in found.incidents] == ["INC-1"]
    lane = next(lane for track in found.tracks for lane in track.lanes if lane.wrong)
    assert any(bar.status.bad for bar in lane.bars)
    assert len(found.days) == 30
    assert {len(row.days) for row in found.heat} == {30}


@pytest.mark.usefixtures("here")
def test_what_waits_for_consent_is_shown_with_what_to_type() -> None:
    told = run("actions").stdout
    found = json.loads(run("actions", "--format", "json").stdout)
    (waiting,) = [one for one in found["actions"] if one["state"] == "waiting"]
    assert waiting["verb"] == "rerun"
    assert f"dogwatch actions approve {waiting['id']}" in told
    assert "a person decides" in told
    assert run("actions", "--incident", "INC-99").stdout.startswith("nothing is proposed")
    assert run("actions", "--incident", "x").exit_code == 2


@pytest.mark.usefixtures("here")
def test_an_incident_shows_what_was_proposed_to_mend_it() -> None:
    (waiting,) = [
        one
        for one in json.loads(run("actions", "--format", "json").stdout)["actions"]
        if one["state"] == "waiting"
    ]
    name = f"INC-{waiting['incident']}"
    told = run("incident", "show", name).stdout
    assert f"dogwatch actions approve {waiting['id']}" in told
    assert f"{waiting['verb']} {waiting['target_name']} (waiting until " in " ".join(told.split())
    assert waiting["id"] in run("incident", "show", name, "--format", "md").stdout
    shown = json.loads(run("incident", "show", name, "--format", "json").stdout)
    assert [one["id"] for one in shown["actions"]] == [waiting["id"]]


@pytest.mark.usefixtures("here")
def test_consent_to_another_digest_is_refused() -> None:
    found = json.loads(run("actions", "--format", "json").stdout)
    told = run("actions", "approve", found["actions"][0]["id"], "--digest", "f" * 16, "--by", "ana")
    assert told.exit_code == 2
    assert "this consent is to another action" in told.stderr
    assert run("actions", "approve", "nothing", "--by", "ana").exit_code == 2


@pytest.mark.usefixtures("here")
def test_the_stop_switch_is_shown_wherever_actions_are() -> None:
    assert run("halt", "--by", "ana").stdout.startswith("halted: nothing is done until")
    assert "● halted by ana" in run("actions").stdout
    assert run("halt", "--off", "--by", "ana").stdout == "actions go on\n"
    assert "halted" not in run("actions").stdout


@pytest.mark.usefixtures("here")
def test_the_record_is_shown_exported_and_verified() -> None:
    lines = run("audit", "--format", "jsonl", "--limit", "1000").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert json.loads(lines[0])["kind"] == "incident.opened"
    assert "incident.opened" in run("audit", "--on", "INC-1").stdout
    verified = run("audit", "verify")
    assert verified.exit_code == 0
    assert verified.stdout.startswith(f"○ {len(lines)} events, each fits")
    assert json.loads(run("audit", "verify", "--format", "json").stdout)["whole"] is True


@pytest.mark.usefixtures("here")
def test_what_is_rejected_is_over() -> None:
    found = json.loads(run("actions", "--format", "json").stdout)
    pairs = zip(found["actions"], found["digests"], strict=True)
    waiting, digest = next((one, digest) for one, digest in pairs if one["state"] == "waiting")
    told = run("actions", "reject", waiting["id"], "--digest", digest, "--by", "ana")
    assert told.stdout.startswith(f"{waiting['id']} rejected")
    assert waiting["id"] not in run("actions").stdout
    assert waiting["id"] in run("actions", "--all").stdout
