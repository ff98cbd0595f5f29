"""What dogwatch.yaml says of pipelines and lineage, and how it is told that it is wrong."""

from datetime import time
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from dogwatch import settings
from dogwatch.errors import SettingsError
from dogwatch.pipelines.spec import FreshBy
from dogwatch.settings import Settings
from dogwatch.settings.pipelines import pipelines_of

BLOCK = (
    "timezone: Europe/Berlin\nconnectors:\n  snowflake: {account: A-B, user: u, warehouse: w, database: d}\n"
)


def load(folder: Path, text: str) -> Settings:
    (folder / "dogwatch.yaml").write_text(text + BLOCK, encoding="utf-8")
    return settings.load(None, {"DOGWATCH_SNOWFLAKE_ACCESS_TOKEN": "x"}, folder)


def problem(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    return f"{caught.value.message} | {caught.value.hint}"


def test_a_pipeline_is_a_name_and_jobs_and_whatever_else_is_promised(tmp_path: Path) -> None:
    text = (
        "pipelines:\n"
        "  - {name: sales, jobs: [airbyte/Orders, 'snowflake/*'], edges: auto, fresh_by: 06:00}\n"
        "  - name: finance\n    jobs: [a]\n    edges: [[a, b], [b, c]]\n    fresh_by: '23:30'\n"
        "    timezone: America/New_York\n    days: [mon, fri]\n    owner: me\n    environment: production\n"
        "  - {name: bare, jobs: [x]}\n"
    )
    read = load(tmp_path, text)
    sales, finance, bare = pipelines_of(read, read.timezone)
    assert (sales.jobs, sales.edges) == (("airbyte/Orders", "snowflake/*"), None)
    assert sales.fresh_by == FreshBy(at=time(6), timezone="Europe/Berlin")
    assert finance.edges == (("a", "b"), ("b", "c"))
    assert finance.fresh_by == FreshBy(at=time(23, 30), timezone="America/New_York", days=(0, 4))
    assert (finance.owner, finance.environment) == ("me", "production")
    assert (bare.fresh_by, bare.edges, bare.owner) == (None, None, None)


def test_lineage_files_begin_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    read = load(
        tmp_path, "lineage: {dbt: {target/manifest.json: snowflake/run}, openlineage: [events, /abs/x]}\n"
    )
    assert read.lineage.dbt == {str(tmp_path / "target/manifest.json"): "snowflake/run"}
    assert read.lineage.openlineage == (str(tmp_path / "events"), "/abs/x")
    assert load(tmp_path, "").lineage.dbt == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "- {name: a, jobs: [x], edges: atuo}",
            "dogwatch.yaml:2: pipelines.0.edges: is neither auto nor a list",
        ),
        ("- {name: a, jobs: [x], edges: atuo}", "did you mean auto?"),
        ("- {name: a, jobs: [x], edges: [[x]]}", "pipelines.0.edges: entry 1 is no pair: write [from, to]"),
        ("- {name: a, jobs: [x], edges: [[x, y], 7]}", "entry 2 is no pair"),
        ("- {name: a, jobs: [x], fresh_by: noon}", 'pipelines.0.fresh_by: is no time of day: write "06:00"'),
        ("- {name: a, jobs: [x], fresh_by: '24:00'}", "is no time of day"),
        ("- {name: a, jobs: [x], timezone: Europe/Brlin}", "did you mean Europe/Berlin?"),
        ("- {name: a, jobs: [x], days: [Monday]}", "'Monday' is no weekday; did you mean mon?"),
        ("- {name: a, jobs: []}", "pipelines.0.jobs: names no job"),
        ("- {name: a, jobs: x}", "pipelines.0.jobs: should be a list"),
        ("- {jobs: [x]}", "pipelines.0.name: is missing"),
        ("- {name: a, jobs: [x], ownr: me}", "pipelines.0.ownr: unknown key | did you mean owner?"),
        ("- {name: a, jobs: [x]}\n- {name: a, jobs: [y]}", "pipelines.1.name: 'a' is the name of two"),
        ("- 7", "pipelines.0: is not a mapping"),
        ("{a: [x]}", "pipelines: is not a list | write each as - name: …"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_key(tmp_path: Path, text: str, told: str) -> None:
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    assert told in problem(tmp_path, f"pipelines:\n{indented}")


def test_lineage_that_is_wrong_is_told(tmp_path: Path) -> None:
    assert "lineage: is not a mapping" in problem(tmp_path, "lineage: manifest.json\n")
    assert "lineage.dbtt: unknown key | did you mean dbt?" in problem(tmp_path, "lineage: {dbtt: {}}\n")


def test_the_schema_takes_what_is_taken_and_refuses_what_is_refused() -> None:
    schema = settings.schema()
    check = jsonschema.Draft202012Validator(schema)
    well = {"connectors": {"snowflake": {}}, "pipelines": [{"name": "a", "jobs": ["x"], "edges": "auto"}]}
    assert check.is_valid(well)
    for wrong in (
        {"edges": "atuo"},
        {"edges": [["x"]]},
        {"fresh_by": "6"},
        {"days": ["Monday"]},
        {"ownr": "x"},
    ):
        assert not check.is_valid({**well, "pipelines": [{"name": "a", "jobs": ["x"], **wrong}]}), wrong
