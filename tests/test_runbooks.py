"""The user's own runbooks: read from their folder, preferred, kept with the incident as evidence."""

import time
from pathlib import Path

import pytest

from dogwatch.cli.lab import opener
from dogwatch.errors import SettingsError
from dogwatch.lab.run import watch
from dogwatch.lab.scenario import load_scenario
from dogwatch.lab.serve import Lab
from dogwatch.model import EvidenceKind
from dogwatch.settings.runbooks import runbooks_of
from support.estates import SHOP


def test_runbooks_are_read_from_a_folder_and_below(tmp_path: Path) -> None:
    (tmp_path / "etl").mkdir()
    (tmp_path / "etl" / "auth.md").write_text("---\nclass: auth_permission\n---\n# Ask Kim\n", "utf-8")
    (tmp_path / "notes.txt").write_text("no runbook", "utf-8")
    assert [(book.name, book.title) for book in runbooks_of(str(tmp_path))] == [("etl/auth.md", "Ask Kim")]
    assert runbooks_of("") == ()


def test_a_folder_or_a_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no folder"):
        runbooks_of(str(tmp_path / "none"))
    (tmp_path / "a.md").write_text("---\nclass: nonsense\n---\n", "utf-8")
    with pytest.raises(SettingsError, match=r"a\.md: names the class 'nonsense'"):
        runbooks_of(str(tmp_path))


def test_an_incident_cites_the_runbook_that_is_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.yaml").write_text(SHOP)
    (tmp_path / "s.yaml").write_text(
        "id: s\nestate: own.yaml\nnow: 2026-03-03T06:30:00Z\nhistory_days: 2\nwatch_hours: 1\n"
        "faults: [{at: 2026-03-03T05:00:00Z, on: databricks/hourly, kind: run_fails,"
        ' error: "permission denied for table x"}]\n'
    )
    books = tmp_path / "books"
    books.mkdir()
    (books / "rights.md").write_text("---\nlabel: failed\nclass: auth_permission\n---\n# Rights\n", "utf-8")
    written = Lab.write_config

    def with_runbooks(self: Lab, folder: Path, **more: object) -> None:
        written(self, folder, **more)  # type: ignore[arg-type]  # whatever the lab is told
        with (folder / "dogwatch.yaml").open("a", encoding="utf-8") as file:
            file.write(f"\nrunbooks: {books}\n")

    monkeypatch.setattr(Lab, "write_config", with_runbooks)
    night = watch(load_scenario(tmp_path / "s.yaml"), opener, timer=time.perf_counter)
    (incident,) = night.reports[-1].incidents
    known = {proof.id: proof for report in night.reports for proof in report.evidence}
    kinds = {known[id_].kind for id_ in incident.causes[0].cites}
    assert kinds == {EvidenceKind.run, EvidenceKind.runbook}
