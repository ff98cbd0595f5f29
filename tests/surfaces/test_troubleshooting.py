"""The troubleshooting guide cannot rot: all that it shows is provoked here, and printed as it says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clock import JumpingClock
from support.platform_troubles import ON_PLATFORMS
from support.scene import Scene
from support.stage import Host, hosting
from support.troubles import HERE

TROUBLES = {**HERE, **ON_PLATFORMS}
GUIDE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"<!-- shown: ([a-z-]+) -->\n```text\n(.*?)```\n", GUIDE, flags=re.DOTALL))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with hosting() as found:
        yield found


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host) -> Scene:
    monkeypatch.chdir(tmp_path)
    return Scene(tmp_path, host, monkeypatch, JumpingClock())


def test_every_trouble_of_the_guide_is_provoked_and_every_provoked_one_is_in_the_guide() -> None:
    assert sorted(re.findall(r"<!-- shown: (\S+) -->", GUIDE)) == sorted(TROUBLES)
    assert SHOWN.keys() == TROUBLES.keys()


@pytest.mark.parametrize("name", SHOWN)
def test_the_guide_shows_what_is_printed(name: str, scene: Scene) -> None:
    told, shown = TROUBLES[name](scene).split(), SHOWN[name].split()
    expected = re.escape(" ".join(shown)).replace("…", ".*")
    assert re.fullmatch(expected, " ".join(told)), " ".join(told)


def test_every_other_page_that_the_guide_names_exists() -> None:
    docs = Path(__file__).parents[2] / "docs"
    linked = re.findall(r"\]\(([\w./]+\.md)\)", GUIDE)
    assert linked
    assert [link for link in linked if not (docs / link).is_file()] == []
