"""The first rules: what is broken now, what hangs, and what cannot be seen."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dogwatch.detect import Detection, Facts, detect
from dogwatch.model import Finding, Job, JobState, Run, Schedule, ScheduleKind, Severity, Source, Status
from support.cast import NOON, a_job, a_run

LATER = NOON + timedelta(hours=20)
NIGHTLY = Schedule(kind=ScheduleKind.cron, expression="0 2 * * *")


def judge(*runs: Run, jobs: Sequence[Job] = (), sources: Sequence[Source] = ()) -> Detection:
    histories: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        histories.setdefault((run.instance, run.job_id), []).append(run)
    listed = {(job.instance, job.job_id): job for job in jobs}
    return detect(Facts(listed, histories, sources, frozenset(key[0] for key in listed)), LATER)


def only(found: Detection) -> Finding:
    (finding,) = found.findings
    assert set(finding.evidence) <= set(found.evidence)
    return finding


def test_a_failed_run_is_told_with_the_platforms_own_words() -> None:
    finding = only(
        judge(a_run(1), a_run(2, Status.failed, error_message="permission denied for table orders"))
    )
    assert finding.rule == "failed"
    assert finding.severity is Severity.ERROR
    assert finding.summary == "Orders PG → RAW failed: permission denied for table orders"
    assert finding.subject == "airbyte/orders"


def test_a_reason_is_never_invented() -> None:
    assert "the platform gives no reason" in only(judge(a_run(1, Status.failed))).summary


def test_a_streak_counts_from_its_first_failure() -> None:
    finding = only(
        judge(a_run(1), a_run(2, Status.failed), a_run(3, Status.timed_out), a_run(4, Status.skipped))
    )
    assert finding.at == NOON + timedelta(hours=2, minutes=10)
    assert "2 times in a row" in finding.summary
    assert len(finding.evidence) == 2


def test_a_later_success_ends_it() -> None:
    assert judge(a_run(1, Status.failed), a_run(2)).findings == []


def test_a_success_with_a_warning_is_no_failure() -> None:
    assert judge(a_run(1, Status.warned)).findings == []


def test_a_retry_that_still_runs_does_not_hide_the_failure() -> None:
    assert only(judge(a_run(1, Status.failed), a_run(19, Status.running))).rule == "failed"


def test_a_cancelled_run_is_a_warning() -> None:
    assert only(judge(a_run(1, Status.cancelled))).severity is Severity.WARNING


def test_an_unknown_status_is_told_and_nothing_is_claimed_about_it() -> None:
    finding = only(judge(a_run(1, Status.unknown, native_status="HIBERNATED")))
    assert finding.rule == "unknown_status"
    assert "HIBERNATED" in finding.summary


def test_a_failure_of_a_paused_job_wakes_nobody() -> None:
    job = a_job(state=JobState.paused, schedule=NIGHTLY)
    assert only(judge(a_run(1, Status.failed), jobs=[job])).severity is Severity.INFO


def test_an_old_failure_of_a_job_that_nothing_starts_wakes_nobody() -> None:
    long_ago = a_run(-24 * 9, Status.failed)
    assert only(judge(long_ago)).severity is Severity.INFO
    assert only(judge(long_ago, jobs=[a_job(schedule=NIGHTLY)])).severity is Severity.ERROR


def test_a_deleted_job_is_nobodys_trouble() -> None:
    assert judge(a_run(1, Status.failed), jobs=[a_job("users")]).findings == []


def test_a_run_that_goes_on_far_beyond_its_usual_duration_is_an_error() -> None:
    usual = [a_run(number) for number in range(1, 8)]
    finding = only(judge(*usual, a_run(19, Status.running)))
    assert finding.rule == "slow"
    assert finding.severity is Severity.ERROR
    assert finding.summary == "Orders PG → RAW has run 1 h; it usually takes 10 min (7 runs)"


def test_a_run_within_its_usual_duration_is_no_finding() -> None:
    began = LATER - timedelta(minutes=19)
    usual = [a_run(number) for number in range(1, 8)]
    assert judge(*usual, a_run(19, Status.running, started_at=began)).findings == []


def test_without_history_only_a_day_is_too_long() -> None:
    assert judge(a_run(19, Status.running)).findings == []
    finding = only(judge(a_run(-10, Status.running)))
    assert "too few runs are known" in finding.summary


def test_nothing_is_claimed_about_a_run_while_its_platform_is_blind() -> None:
    began = LATER - timedelta(hours=2)
    seen = Source(
        instance="airbyte",
        platform="airbyte",
        read_until=began + timedelta(minutes=15),
        blind_since=LATER - timedelta(hours=1),
        blind_reason="503",
    )
    usual = [a_run(number) for number in range(1, 8)]
    found = judge(*usual, a_run(19, Status.running, started_at=began), sources=[seen])
    assert [finding.rule for finding in found.findings] == ["blind"]


def test_blind_is_a_finding_not_silence() -> None:
    source = Source(
        instance="databricks",
        platform="databricks",
        blind_since=NOON,
        blind_reason="GET /api/2.2/jobs/runs/list answered 401",
        blind_hint="the credentials are wrong, expired or revoked",
    )
    finding = only(judge(sources=[source]))
    assert (finding.rule, finding.subject, finding.at) == ("blind", "databricks", NOON)
    assert "dogwatch doctor databricks" in finding.next_step


def test_a_platform_that_asks_to_wait_is_a_note_first_and_an_error_if_it_goes_on() -> None:
    limited = Source(
        instance="airbyte",
        platform="airbyte",
        blind_since=LATER,
        blind_reason="GET /v1/jobs answered 429",
        blind_hint="nothing to do: asked again next round",
    )
    longer = limited.model_copy(update={"blind_since": LATER - timedelta(minutes=15)})
    assert only(judge(sources=[limited])).severity is Severity.INFO
    assert only(judge(sources=[longer])).severity is Severity.ERROR


def test_hostile_names_cannot_reorder_or_break_the_sentence() -> None:
    finding = only(
        judge(a_run(1, Status.failed, job_name="a\u202eb\x1b[31m\nc", error_message="x\r\n" * 500))
    )
    assert not set("\u202e\x1b\n\r") & set(finding.summary)
    assert len(finding.summary) < 400


@given(st.permutations(range(6)))
def test_the_order_of_jobs_changes_no_verdict(order: list[int]) -> None:
    runs = [a_run(number, Status.failed, job_id=f"job-{number}") for number in range(6)]
    assert judge(*(runs[index] for index in order)).findings == judge(*runs).findings
