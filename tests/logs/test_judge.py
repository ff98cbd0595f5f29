"""Severity by level, text and exit status; components by header or by the owner's patterns."""

import pytest

from dogwatch.errors import SettingsError
from dogwatch.logs.judge import Components, component_of, severity
from dogwatch.model import Severity


@pytest.mark.parametrize(
    ("level", "text", "expected"),
    [
        ("info", "all is well", "INFO"),
        ("notice", "all is well", "INFO"),
        ("warn", "disk at 81%", "WARNING"),
        ("err", "disk gone", "ERROR"),
        ("failure", "disk gone", "ERROR"),
        ("alert", "disk gone", "CRITICAL"),
        ("emergency", "disk gone", "CRITICAL"),
        ("info", "summary: 3 errors found before", "INFO"),
        ("info", "Command exited with return code 1", "ERROR"),
        ("info", "Command exited with return code 0", "INFO"),
        ("info", "Task failed | acme.LoadError: no bucket", "ERROR"),
        ("", "started worker 3", "INFO"),
        ("", "0 errors, 2 files", "INFO"),
        ("", "finished without errors", "INFO"),
        ("", "errors=0 failed=0", "INFO"),
        ("", "retrying in 3 s", "WARNING"),
        ("", "permission denied for table orders", "ERROR"),
        ("", "java.lang.IllegalStateException: closed", "ERROR"),
        ("", "process exited with status 137", "ERROR"),
        ("", "kernel: Out of memory: Killed process 7", "CRITICAL"),
    ],
)
def test_severity_follows_level_text_and_exit_status(level: str, text: str, expected: str) -> None:
    assert severity(level, text) == expected
    assert expected in list(Severity)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774", "FastLeaderElection"),
        ("taskinstance.py:1345", "taskinstance.py"),
        ("dfs.DataNode$PacketResponder", "dfs.DataNode$PacketResponder"),
        ("sshd(pam_unix)", "sshd"),
        ("MainThread", ""),
        ("extractor", "extractor"),
        ("", ""),
    ],
)
def test_a_component_is_named_without_lines_threads_and_brackets(told: str, name: str) -> None:
    assert component_of(told) == name


def test_an_owner_names_the_parts_of_a_pipeline() -> None:
    parts = Components({"tiff-converter": r"\.tiff?\b", "bq-writer": "(?i)bigquery|bq_"})
    assert parts.of("worker-7", "converted scan-12.tif in 3 s") == "tiff-converter"
    assert parts.of("BigQueryIO", "wrote 12 rows") == "bq-writer"
    assert parts.of("extractor", "read 3 fields") == "extractor"


@pytest.mark.parametrize("pattern", ["(a", r"(\w)\1", "(?=a)b"])
def test_a_pattern_that_cannot_run_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(SettingsError, match="component x"):
        Components({"x": pattern})
