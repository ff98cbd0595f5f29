"""How the world's runs look to Databricks: run records, repairs, task runs, and their states in both forms.

Shapes by databricks-sdk 0.156 to 0.162 (``service/jobs.py``); wording as quoted from the live service in
issues of projects that use it.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from dogwatch.lab.tables import read, written
from dogwatch.lab.world import LabAttempt, LabJob, LabRun, Outcome, Skip, native_number

Wire = dict[str, Any]

_CODES = frozenset(
    {
        "SUCCESS",
        "SUCCESS_WITH_FAILURES",
        "USER_CANCELED",
        "CANCELED",
        "SKIPPED",
        "DISABLED",
        "BREAKING_CHANGE",
        "BUDGET_POLICY_LIMIT_EXCEEDED",
        "CLOUD_FAILURE",
        "CLUSTER_ERROR",
        "CLUSTER_REQUEST_LIMIT_EXCEEDED",
        "CLUSTER_TERMINATED_BY_USER",
        "DRIVER_ERROR",
        "FEATURE_DISABLED",
        "INTERNAL_ERROR",
        "INVALID_CLUSTER_REQUEST",
        "INVALID_RUN_CONFIGURATION",
        "LIBRARY_INSTALLATION_ERROR",
        "MAX_CONCURRENT_RUNS_EXCEEDED",
        "MAX_JOB_QUEUE_SIZE_EXCEEDED",
        "MAX_SPARK_CONTEXTS_EXCEEDED",
        "REPOSITORY_CHECKOUT_FAILED",
        "RESOURCE_NOT_FOUND",
        "RUN_EXECUTION_ERROR",
        "STORAGE_ACCESS_ERROR",
        "UNAUTHORIZED_ERROR",
        "WORKSPACE_RUN_LIMIT_EXCEEDED",
    }
)

_BEFORE_THE_CODE_RAN = (
    (r"driver .*(stopped|unresponsive|crash)|lost .*driver", "DRIVER_ERROR", "CLIENT_ERROR"),
    (r"librar(y|ies) .*install|install.* librar", "LIBRARY_INSTALLATION_ERROR", "CLIENT_ERROR"),
    (r"checkout|remote git|git repository", "REPOSITORY_CHECKOUT_FAILED", "CLIENT_ERROR"),
    (r"cloud[_ ]provider|insufficient capacity|stockout|spot instance", "CLOUD_FAILURE", "CLOUD_FAILURE"),
    (
        r"waiting for the cluster|cluster .*(terminated|not ready|unavailable)",
        "CLUSTER_ERROR",
        "CLIENT_ERROR",
    ),
)
"""Errors of the surroundings, by their wording: code and type. They stand in the state of run and task
themselves; what the code of a task said stands in its output alone."""

_TASKS = (("main",), ("prepare", "load"), ("ingest", "transform", "publish"))
_WORKLOAD = "Workload failed, see run output for details"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run record: a try of a lab run with the repairs that were made of it."""

    run: LabRun
    nth: int
    """0 for the first try, above that the platform's own retries."""
    attempts: tuple[LabAttempt, ...]
    run_id: int
    original: int
    start: datetime

    @property
    def key(self) -> tuple[int, int]:
        """Where it stands in the listing."""
        return millis(self.start), self.run_id

    def begun(self, now: datetime) -> list[tuple[LabAttempt, datetime | None]]:
        """The attempts so far, each with its end as far as it has come."""
        return [
            (attempt, attempt.ended if attempt.ended is not None and attempt.ended <= now else None)
            for attempt in self.attempts
            if attempt.started <= now
        ]


@dataclass(frozen=True, slots=True)
class State:
    """One state in both of the forms in which Databricks tells it."""

    current: str
    code: str = ""
    fault: str = ""
    message: str = ""
    life_cycle: str = ""
    result: str = ""

    def told(self) -> Wire:
        """``status`` and the deprecated ``state``."""
        status: Wire = {"state": self.current}
        if self.code:
            status["termination_details"] = {"code": self.code, "type": self.fault, "message": self.message}
        if self.current == "QUEUED":
            status["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": self.message}
        state: Wire = {"life_cycle_state": self.life_cycle or self.current}
        if self.result:
            state["result_state"] = self.result
        stopped = self.result in {"CANCELED", "TIMEDOUT"}
        return {
            "status": status,
            "state": {**state, "state_message": self.message, "user_cancelled_or_timedout": stopped},
        }


_SUCCESS = State("TERMINATED", "SUCCESS", "SUCCESS", "", "TERMINATED", "SUCCESS")


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One task of one attempt as it stands now."""

    key: str
    after: str | None
    run_id: int
    nth: int
    state: State
    starts: datetime | None
    ends: datetime | None


def records(run: LabRun) -> Iterator[RunRecord]:
    """A try with its repairs is one run record, the platform's own retry the next one."""
    tries: list[list[LabAttempt]] = []
    for attempt in run.attempts:
        if attempt.repair and tries:
            tries[-1].append(attempt)
        else:
            tries.append([attempt])
    for nth, attempts in enumerate(tries):
        start = attempts[0].started if nth else run.created
        yield RunRecord(run, nth, tuple(attempts), run_number(run, nth), run_number(run, 0), start)


def run_number(run: LabRun, nth: int) -> int:
    """The native id of the run's nth try."""
    return native_number("databricks run", run.job, str(run.number), str(nth), digits=15)


def task_number(native: RunRecord, nth: int, key: str) -> int:
    """The native id of a task run in the nth attempt of a run record."""
    return native_number("databricks task", str(native.run_id), str(nth), key, digits=15)


@cache
def chain_of(job: str) -> tuple[tuple[str, str | None], ...]:
    """The job's tasks in order, each with the one before it."""
    keys = _TASKS[native_number("databricks tasks", job) % len(_TASKS)]
    return tuple(zip(keys, (None, *keys), strict=False))


def _wrong(run: LabRun) -> int:
    """Which of its tasks goes wrong if the run does."""
    return run.number % len(chain_of(run.job))


def task_settings(job: LabJob, key: str, after: str | None) -> Wire:
    """A task as job and run tell it: the first is told which tables to read, the last which to write."""
    chain = chain_of(job.job)
    path = f"/Workspace/Shared/{job.job.partition('/')[2]}/{key}"
    parameters: dict[str, str] = {}
    if key == chain[0][0] and (sources := read(job)):
        parameters["source_tables"] = ",".join(sources)
    if key == chain[-1][0]:
        parameters["target_table"] = ",".join(written(job.job, job.platform))
    settings: Wire = {"task_key": key, "run_if": "ALL_SUCCESS", "timeout_seconds": 0}
    if after is not None:
        settings["depends_on"] = [{"task_key": after}]
    notebook: Wire = {"notebook_path": path, "source": "WORKSPACE"}
    if parameters:
        notebook["base_parameters"] = parameters
    return {**settings, "notebook_task": notebook}


def _ended(attempt: LabAttempt, key: str, *, whole_run: bool, rest: bool) -> State:
    """How an attempt, or its task that ended it, is told; ``rest``: further tasks were waiting."""
    if attempt.outcome is Outcome.success:
        return _SUCCESS
    if attempt.outcome is Outcome.cancelled:
        said = attempt.error or "Run cancelled."
        return State("TERMINATED", "USER_CANCELED", "SUCCESS", said, "TERMINATED", "CANCELED")
    if attempt.outcome is Outcome.timed_out:
        said = attempt.error or "Run timed out."
        return State("TERMINATED", "CANCELED", "CLIENT_ERROR", said, "TERMINATED", "TIMEDOUT")
    if attempt.outcome is Outcome.skipped:
        return _skipped(attempt)
    code, fault = _code(attempt.error or "")
    said = (attempt.error or _WORKLOAD) if code != "RUN_EXECUTION_ERROR" else _WORKLOAD
    if whole_run:
        said = f"Task {key} failed with message: {said.rstrip('.')}."
        said += " This caused all downstream tasks to get skipped." if rest else ""
    life_cycle = "TERMINATED" if code == "RUN_EXECUTION_ERROR" else "INTERNAL_ERROR"
    return State("TERMINATED", code, fault, said, life_cycle, "FAILED")


def _skipped(attempt: LabAttempt) -> State:
    if attempt.skip is Skip.overlap:
        said = attempt.error or "Skipped due to reaching maximum concurrent runs."
        code, result = "MAX_CONCURRENT_RUNS_EXCEEDED", "MAXIMUM_CONCURRENT_RUNS_REACHED"
        return State("TERMINATED", code, "CLIENT_ERROR", said, "SKIPPED", result)
    return State("TERMINATED", "SKIPPED", "SUCCESS", attempt.error or "", "SKIPPED")


def _consequence(attempt: LabAttempt) -> State:
    """A task that never ran because the one before it did not succeed."""
    stopped = attempt.outcome is Outcome.cancelled
    said = "An upstream task was cancelled." if stopped else "An upstream task failed."
    result = "UPSTREAM_CANCELED" if stopped else "UPSTREAM_FAILED"
    return State("TERMINATED", "SKIPPED", "SUCCESS", said, "TERMINATED", result)


def _code(error: str) -> tuple[str, str]:
    for pattern, code, fault in _BEFORE_THE_CODE_RAN:
        if re.search(pattern, error, re.IGNORECASE):
            return code, fault
    return "RUN_EXECUTION_ERROR", "CLIENT_ERROR"


def state_of(native: RunRecord, begun: int, now: datetime) -> State:
    """The run's state after so many of its attempts have begun."""
    if begun == 0:
        waits = native.attempts[0].started - native.start > timedelta(minutes=1)
        message = "Queued due to reaching maximum concurrent runs." if waits else "Waiting for cluster"
        return State("QUEUED" if waits else "PENDING", message=message)
    attempt, ended = native.begun(now)[begun - 1]
    if ended is None:
        return State("RUNNING", message="In run")
    word = native.run.native_status
    if word is not None and attempt is native.run.attempts[-1]:
        known = word in _CODES
        return State("TERMINATED", word, "CLIENT_ERROR", "", "TERMINATED") if known else State(word)
    chain = chain_of(native.run.job)
    wrong = _wrong(native.run)
    return _ended(attempt, chain[wrong][0], whole_run=True, rest=wrong + 1 < len(chain))


def tasks_of(native: RunRecord, nth: int, now: datetime) -> list[TaskRun]:
    """The task runs of one attempt: one after the other, a repair from the task that went wrong on."""
    attempt, ended = native.begun(now)[nth]
    if attempt.outcome is Outcome.skipped:
        return []
    wrong = _wrong(native.run)
    chain = chain_of(native.run.job)[wrong if nth else 0 :]
    working = len(chain) if attempt.outcome is Outcome.success else (0 if nth else wrong) + 1
    step = None if attempt.ended is None else (attempt.ended - attempt.started) / working
    tasks: list[TaskRun] = []
    for index, (key, after) in enumerate(chain):
        starts, ends = attempt.started if index == 0 else None, None
        if step is not None and index < working:
            starts = attempt.started + index * step
            ends = attempt.ended if index == working - 1 else starts + step
        state = State("BLOCKED")
        if index >= working and ended is not None:
            starts = ends = ended
            state = _consequence(attempt)
        elif starts is not None and starts <= now:
            state = State("RUNNING", message="In run")
            if ends is not None and ends <= now:
                last = index == working - 1
                state = _ended(attempt, key, whole_run=False, rest=False) if last else _SUCCESS
        if ends is not None and ends > now:
            ends = None
        shown = starts if state.current != "BLOCKED" else None
        tasks.append(TaskRun(key, after, task_number(native, nth, key), nth, state, shown, ends))
    return tasks


def millis(moment: datetime) -> int:
    """Epoch milliseconds."""
    return round(moment.timestamp() * 1000)


def millis_of(span: timedelta) -> int:
    """Whole milliseconds."""
    return round(span.total_seconds() * 1000)


def page_token(direction: int, millis: int, number: int) -> str:
    """A place in a listing, as the service itself encodes it: a protobuf of direction, start time and id."""
    raw = b"\x08" + _varint(direction) + b"\x10" + _varint(millis) + b"\x20" + _varint(number)
    return base64.urlsafe_b64encode(raw).decode()


def position_of(token: str) -> tuple[int, int, int]:
    """Direction (1: older, 0: newer), start time and id. Raises ValueError for a token that is not ours."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
        numbers: list[int] = []
        for tag in (0x08, 0x10, 0x20):
            if raw[0] != tag:
                raise ValueError(tag)
            number, raw = _read_varint(raw[1:])
            numbers.append(number)
    except (binascii.Error, ValueError, IndexError):
        raise ValueError("Invalid page token.") from None
    return numbers[0], numbers[1], numbers[2]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(raw: bytes) -> tuple[int, bytes]:
    number = shift = 0
    for index, byte in enumerate(raw):
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, raw[index + 1 :]
    raise ValueError("cut off")
