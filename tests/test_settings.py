"""What dogwatch.yaml, .env and the environment say, and how it is told that they are wrong."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from ruamel.yaml import YAML

from dogwatch import connectors, settings
from dogwatch.errors import SettingsError
from dogwatch.settings import Settings

PLANTED = "hunter2-is-not-a-password"
WELL: Mapping[str, str] = {"DOGWATCH_LIGHTHOUSE_TOKEN": PLANTED}
BLOCK = "connectors:\n  lighthouse:\n    url: https://tower.example\n    keeper: Alice\n"


@pytest.fixture(autouse=True)
def _lighthouse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One more kind of connector, found as all are: by its file."""
    extra = str(Path(__file__).parent / "support" / "kinds")
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, extra])
    yield
    sys.modules.pop("dogwatch.connectors.lighthouse", None)


def load(folder: Path, text: str, environ: Mapping[str, str] = WELL, env_file: str | None = None) -> Settings:
    (folder / "dogwatch.yaml").write_text(text, encoding="utf-8")
    if env_file is not None:
        (folder / ".env").write_text(env_file, encoding="utf-8")
    return settings.load(None, environ, folder)


def problem(folder: Path, text: str, environ: Mapping[str, str] = WELL, env_file: str | None = None) -> str:
    """What is told of a configuration that is wrong; the planted secret never is."""
    with pytest.raises(SettingsError) as caught:
        load(folder, text, environ, env_file)
    told = f"{caught.value.message} | {caught.value.hint}"
    assert PLANTED not in told
    assert PLANTED not in repr(caught.value)
    assert caught.value.__cause__ is None  # a chained pydantic error would carry the values
    return told


def lighthouse(read: Settings) -> Any:
    return read.connectors["lighthouse"].settings


# ── what is read ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    read = load(tmp_path, BLOCK, {**WELL, "TZ": "Europe/Berlin"})
    assert (read.timezone, read.history_days) == ("Europe/Berlin", 30)
    assert read.store == str(tmp_path / "dogwatch.db")
    assert read.connectors["lighthouse"].kind == "lighthouse"
    assert lighthouse(read).token.get_secret_value() == PLANTED


def test_the_file_asked_for_is_read_and_its_folder_is_home(tmp_path: Path) -> None:
    home = tmp_path / "conf"
    (home / "data").mkdir(parents=True)
    (home / "night.yaml").write_text(f"store: data/night.db\n{BLOCK}")
    (home / ".env").write_text(f"DOGWATCH_LIGHTHOUSE_TOKEN={PLANTED}\n")
    read = settings.load(Path("conf/night.yaml"), {}, tmp_path)
    assert read.store == str(home / "data" / "night.db")


def test_several_connectors_of_one_kind_have_names_of_their_own(tmp_path: Path) -> None:
    text = (
        "connectors:\n"
        "  north-pier: {kind: lighthouse, url: https://n.example, keeper: Alice}\n"
        "  south_pier: {kind: lighthouse, url: https://s.example, lamp: electric}\n"
    )
    environ = {"DOGWATCH_NORTH_PIER_TOKEN": "n" * 20, "DOGWATCH_SOUTH_PIER_TOKEN": "s" * 20}
    read = load(tmp_path, text, environ)
    assert list(read.connectors) == ["north-pier", "south_pier"]
    assert read.connectors["north-pier"].settings.model_dump()["token"].get_secret_value() == "n" * 20


def test_the_environment_wins_over_env_file_and_that_over_yaml(tmp_path: Path) -> None:
    text = f"history_days: 10\ntimezone: Asia/Tokyo\nstore: a.db\n{BLOCK}"
    env_file = "DOGWATCH_TIMEZONE=Europe/Paris\nDOGWATCH_HISTORY_DAYS=11\n"
    read = load(tmp_path, text, {**WELL, "DOGWATCH_HISTORY_DAYS": "12"}, env_file)
    assert (read.history_days, read.timezone, Path(read.store).name) == (12, "Europe/Paris", "a.db")


def test_env_file_is_taken_literally_and_stays_out_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOGWATCH_LIGHTHOUSE_TOKEN", raising=False)
    read = load(tmp_path, BLOCK, {"HOME": "/root"}, "DOGWATCH_LIGHTHOUSE_TOKEN='pa$$${HOME}word'\n")
    assert lighthouse(read).token.get_secret_value() == "pa$$${HOME}word"
    import os

    assert "DOGWATCH_LIGHTHOUSE_TOKEN" not in os.environ


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    told = problem(tmp_path, BLOCK, {}, "DOGWATCH_LIGHTHOUSE_TOKEN=\n")
    assert "connectors.lighthouse.token: is missing" in told


def test_an_empty_variable_of_a_platform_that_is_not_watched_is_no_mistake(tmp_path: Path) -> None:
    handed_on = {**WELL, "DOGWATCH_SNOWFLAKE_PRIVATE_KEY": "", "DOGWATCH_SLACK_BOT_TOKEN": ""}
    assert set(load(tmp_path, BLOCK, handed_on).connectors) == {"lighthouse"}
    with pytest.raises(SettingsError, match="unknown variable DOGWATCH_SNOWFLAKE"):
        load(tmp_path, BLOCK, {**handed_on, "DOGWATCH_SNOWFLAKE_PRIVATE_KEY": "x"})


def test_variables_fill_numbers_and_lists(tmp_path: Path) -> None:
    environ = {**WELL, "DOGWATCH_LIGHTHOUSE_METRES": "42", "DOGWATCH_LIGHTHOUSE_SHIPS": "Erika, Maria"}
    read = lighthouse(load(tmp_path, BLOCK, environ))
    assert (read.metres, list(read.ships)) == (42, ["Erika", "Maria"])


def test_a_variable_that_another_program_sets_is_used_unless_ours_is_there(tmp_path: Path) -> None:
    environ = {**WELL, "HARBOUR_TOKEN": "theirs"}
    assert lighthouse(load(tmp_path, BLOCK, environ)).spare_token.get_secret_value() == "theirs"
    environ["DOGWATCH_LIGHTHOUSE_SPARE_TOKEN"] = "ours"
    assert lighthouse(load(tmp_path, BLOCK, environ)).spare_token.get_secret_value() == "ours"


def test_words_that_old_yaml_takes_for_booleans_stay_words(tmp_path: Path) -> None:
    read = load(tmp_path, BLOCK.replace("Alice", "no"))
    assert lighthouse(read).keeper == "no"


def test_the_tests_own_variable_is_no_mistake(tmp_path: Path) -> None:
    assert load(tmp_path, BLOCK, {**WELL, "DOGWATCH_REQUIRE_REAL": "1"})


def test_no_secret_shows_in_the_settings(tmp_path: Path) -> None:
    read = load(tmp_path, BLOCK)
    assert PLANTED not in repr(read)
    assert PLANTED not in str(read.model_dump())
    assert PLANTED not in read.model_dump_json()


# ── what is wrong, where, and what to do ──────────────────────────────────────────────────────────────────


def test_without_a_file_the_way_to_one_is_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(None, {}, tmp_path)
    assert caught.value.message == "there is no dogwatch.yaml"
    assert "dogwatch init airbyte" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"timezon: UTC\n{BLOCK}", "dogwatch.yaml:1: timezon: unknown key | did you mean timezone?"),
        (f"conectors: {{}}\n{BLOCK}", "dogwatch.yaml:1: conectors: unknown key | did you mean connectors?"),
        (
            f"{BLOCK}    keper: Bob\n",
            "dogwatch.yaml:5: connectors.lighthouse.keper: unknown key | did you mean",
        ),
        (
            f"{BLOCK}    lamp: gas\n",
            "dogwatch.yaml:5: connectors.lighthouse.lamp: should be 'oil' or 'electric'",
        ),
        (
            f"{BLOCK}    metres: 900\n",
            "connectors.lighthouse.metres: should be less than or equal to 200 | How tall it is, 1 to 200",
        ),
        (
            BLOCK.replace("Alice", "7"),
            "dogwatch.yaml:4: connectors.lighthouse.keeper: should be text | put the value in quotes",
        ),
        (
            BLOCK.replace("    keeper: Alice\n", ""),
            "dogwatch.yaml:2: connectors.lighthouse: an oil lamp needs a keeper",
        ),
        (
            BLOCK.replace("    url: https://tower.example\n", ""),
            "lighthouse.url: is missing | add it, or set DOGWATCH_LIGHTHOUSE_URL in the environment or .env",
        ),
        (
            BLOCK.replace("lighthouse", "lighthuose"),
            "lighthuose: 'lighthuose' is not a platform that dogwatch knows | did you mean lighthouse?",
        ),
        (
            BLOCK.replace("lighthouse:", "tower:\n    kind: lighthous"),
            "dogwatch.yaml:3: connectors.tower.kind: unknown platform 'lighthous' | did you mean lighthouse?",
        ),
        (BLOCK.replace("https://tower.example", ""), "lighthouse.url: is missing"),
        (f"timezone: Europe/Berln\n{BLOCK}", "is not an IANA time zone; did you mean Europe/Berlin?"),
        (f"history_days: 0\n{BLOCK}", "dogwatch.yaml:1: history_days: should be greater than or equal to 1"),
        ("timezone: UTC\n", "dogwatch.yaml: connectors: no platform to watch"),
        ("connectors:\n", "dogwatch.yaml:1: connectors: no platform to watch"),
        ("- a\n", "dogwatch.yaml: is not a mapping of keys to values"),
        (BLOCK.replace("lighthouse:", "Light/House:"), "dogwatch.yaml:2: connectors.Light/House: not a name"),
    ],
)
def test_a_mistake_is_told_with_line_key_and_fix(tmp_path: Path, text: str, expected: str) -> None:
    environ = WELL if "  lighthouse:" in text else {}
    assert expected in problem(tmp_path, text, environ)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a: b\n  c: d\n{BLOCK}", "dogwatch.yaml:2:4: mapping values are not allowed here"),
        ("connectors: [", "dogwatch.yaml:1:14: "),
        (f"timezone: UTC\ntimezone: UTC\n{BLOCK}", "dogwatch.yaml:2:1: this key stands here twice"),
        (f"{BLOCK}\ttoken: x\n", "dogwatch.yaml:5:1: "),
        (f"a: *{PLANTED}\n", "dogwatch.yaml:1:4: found undefined alias"),
        ("[" * 1000, "this is not YAML that can be read"),
        ("---\na: 1\n---\nb: 2\n", "dogwatch.yaml:3:1: expected a single document"),
    ],
)
def test_broken_yaml_is_told_with_line_and_column(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problem(tmp_path, text)


def test_a_secret_in_the_file_is_refused_and_never_quoted(tmp_path: Path) -> None:
    told = problem(tmp_path, f"{BLOCK}    token: {PLANTED}\n", {})
    assert "dogwatch.yaml:5: connectors.lighthouse.token: a secret does not belong" in told
    assert "DOGWATCH_LIGHTHOUSE_TOKEN" in told
    assert "make a new one" in told
    assert "missing" not in told


def test_a_secret_under_a_wrong_name_or_twice_is_never_quoted(tmp_path: Path) -> None:
    assert "unknown key" in problem(tmp_path, f"{BLOCK}    tokn: {PLANTED}\n")
    assert "twice" in problem(tmp_path, f"{BLOCK}    token: {PLANTED}\n    token: {PLANTED}2\n")
    assert "unknown variable" in problem(tmp_path, BLOCK, {**WELL, "DOGWATCH_LIGHTHOUSE_TOKN": PLANTED})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DOGWATCH_TIMEZON", "did you mean DOGWATCH_TIMEZONE?"),
        ("DOGWATCH_LIGHTHOUSE_TOEKN", "did you mean DOGWATCH_LIGHTHOUSE_TOKEN?"),
        ("DOGWATCH_LIGHTHUOSE_URL", "did you mean DOGWATCH_LIGHTHOUSE_URL?"),
        ("dogwatch_store", "did you mean DOGWATCH_STORE?"),
        ("DOGWATCH_QQQQQQ", "remove it"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_right_one(tmp_path: Path, name: str, expected: str) -> None:
    told = problem(tmp_path, BLOCK, {**WELL, name: "x"})
    assert f"the environment: unknown variable {name}" in told
    assert expected in told
    assert f".env:2: unknown variable {name}" in problem(tmp_path, BLOCK, WELL, f"# mine\n{name}=x\n")


def test_a_variable_for_a_platform_that_is_not_in_the_file_says_so(tmp_path: Path) -> None:
    text = "connectors:\n  tower: {kind: lighthouse, url: https://t.example, lamp: electric}\n"
    told = problem(tmp_path, text, {**WELL, "DOGWATCH_TOWER_TOKEN": "t" * 20})
    assert "dogwatch.yaml has no connector lighthouse; add it with: dogwatch init lighthouse" in told


def test_a_bad_value_from_a_variable_is_told_with_its_origin(tmp_path: Path) -> None:
    told = problem(tmp_path, BLOCK, WELL, "DOGWATCH_HISTORY_DAYS=many\n")
    assert ".env:1: DOGWATCH_HISTORY_DAYS: should be a valid integer" in told


def test_a_line_of_env_file_that_is_none_is_told(tmp_path: Path) -> None:
    assert ".env:2: not a line of the form NAME=value" in problem(tmp_path, BLOCK, WELL, "# a\n'oh dear\n")
    assert ".env:1: not a line of the form NAME=value" in problem(tmp_path, BLOCK, WELL, PLANTED)


def test_a_store_in_a_folder_that_does_not_exist_is_refused_and_none_is_made(tmp_path: Path) -> None:
    told = problem(tmp_path, f"store: memroy/dogwatch.db\n{BLOCK}")
    assert f"dogwatch.yaml:1: store: the folder {tmp_path}/memroy does not exist | correct the path" in told
    told = problem(tmp_path, BLOCK, {**WELL, "DOGWATCH_STORE": "/nowhere/dogwatch.db"})
    assert "DOGWATCH_STORE: the folder /nowhere does not exist" in told
    assert [file.name for file in tmp_path.iterdir()] == ["dogwatch.yaml"]
    (tmp_path / "memory").mkdir()
    assert load(tmp_path, f"store: memory/dogwatch.db\n{BLOCK}").store == str(tmp_path / "memory/dogwatch.db")


def test_two_names_that_share_a_variable_are_refused(tmp_path: Path) -> None:
    text = (
        "connectors:\n"
        "  my-pier: {kind: lighthouse, url: https://n.example, keeper: Alice}\n"
        "  my_pier: {kind: lighthouse, url: https://s.example, keeper: Bob}\n"
    )
    told = problem(tmp_path, text, {"DOGWATCH_MY_PIER_TOKEN": PLANTED})
    assert "DOGWATCH_MY_PIER_TOKEN would fill connectors.my_pier.token and connectors.my-pier.token" in told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = f"timezon: UTC\nhistory_days: 999\n{BLOCK}    lamp: gas\n"
    lines = problem(tmp_path, text, {"DOGWATCH_STOER": "x"}).splitlines()
    assert lines[0] == "5 problems in the configuration"
    assert len(lines) == 6


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "dogwatch.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8 text") as told:
        settings.load(None, {}, tmp_path)
    assert told.value.hint == "save it as UTF-8"
    (tmp_path / "dogwatch.yaml").write_text(BLOCK, encoding="utf-8")
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8 text") as told:
        settings.load(None, {}, tmp_path)
    assert told.value.hint == "save it as UTF-8"
    with pytest.raises(SettingsError, match="cannot read"):
        settings.load(tmp_path, {}, tmp_path)


# ── connectors and the schema ─────────────────────────────────────────────────────────────────────────────


def test_an_unknown_kind_suggests_the_nearest() -> None:
    with pytest.raises(SettingsError) as caught:
        connectors.load("lighthose")
    assert caught.value.hint == "did you mean lighthouse?"


def test_every_kind_can_be_loaded() -> None:
    for kind in connectors.names():
        assert connectors.load(kind).title


def test_the_schema_takes_what_the_loader_takes() -> None:
    schema = settings.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = YAML(typ="safe").load(f"{BLOCK}  pier: {{kind: lighthouse, url: https://p.example}}\n")
    jsonschema.validate(good, schema)


@pytest.mark.parametrize(
    "text",
    [
        f"timezon: UTC\n{BLOCK}",
        f"{BLOCK}    lamp: gas\n",
        f"{BLOCK}    token: x\n",
        "connectors:\n  pier: {url: https://p.example}\n",
        "connectors:\n  pier: {kind: nothing}\n",
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe").load(text), settings.schema())


def test_the_schema_describes_every_key_and_knows_no_secret() -> None:
    schema = settings.schema()
    assert "token" not in schema["$defs"]["lighthouse"]["properties"]
    for block in (schema, *(schema["$defs"][kind] for kind in connectors.names())):
        assert all(value.get("description") for value in block["properties"].values())


def test_an_openlineage_server_comes_from_the_file_or_from_a_variable(tmp_path: Path) -> None:
    assert load(tmp_path, BLOCK).openlineage is None
    named = load(tmp_path, BLOCK, {**WELL, "DOGWATCH_OPENLINEAGE_URL": "https://marquez.example"}).openlineage
    assert named is not None
    assert named.namespace == "dogwatch"
    text = f"{BLOCK}openlineage: {{url: 'https://marquez.example', namespace: shop}}\n"
    written = load(tmp_path, text, {**WELL, "DOGWATCH_OPENLINEAGE_TOKEN": "t"}).openlineage
    assert written is not None
    assert (written.namespace, written.token is not None) == ("shop", True)
    jsonschema.validate(
        YAML(typ="safe").load(text)["openlineage"], settings.schema()["properties"]["openlineage"]
    )


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("openlineage: yes please\n", "openlineage: is not a mapping"),
        ("openlineage: {urls: x}\n", "openlineage.urls: unknown key"),
        (
            "openlineage: {url: 'https://m.example', token: x}\n",
            "openlineage.token: a secret does not belong",
        ),
    ],
)
def test_what_is_wrong_with_the_openlineage_server_is_told(tmp_path: Path, block: str, said: str) -> None:
    with pytest.raises(SettingsError) as told:
        load(tmp_path, BLOCK + block)
    assert said in told.value.message
