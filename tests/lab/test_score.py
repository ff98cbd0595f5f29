"""The score: by hand on what dogwatch might have said, and in earnest on what it does say."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dogwatch.cli.lab import opener
from dogwatch.lab.clock import SimulatedClock
from dogwatch.lab.run import Night, watch
from dogwatch.lab.scenario import Scenario, load_scenario, shipped_scenarios
from dogwatch.lab.score import score, summary
from dogwatch.lab.serve import Lab
from dogwatch.model import (
    Action,
    Affected,
    Cause,
    CauseClass,
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Harm,
    Incident,
    IncidentState,
    Message,
    Occasion,
    Risk,
    Severity,
    content_id,
)
from dogwatch.model.message import Text
from dogwatch.model.report import CheckReport
from support.estates import SHOP

FAULTS = """
faults:
  - {at: 2026-03-03T05:00:00Z, on: databricks/hourly, kind: run_fails, error: "no such table"}
"""
EXPECT = """
expect:
  healthy: false
  incidents:
    - culprit: databricks/hourly
      min_severity: ERROR
      detected_within: 20m
      must_cite: [run]
      must_not_blame: [airbyte/stock]
  forbidden_text: ["no such table", "disk is full"]
"""


def scenario(folder: Path, text: str = FAULTS + EXPECT, hours: int = 2) -> Scenario:
    (folder / "own.yaml").write_text(SHOP)
    head = f"id: s\nestate: own.yaml\nnow: 2026-03-03T06:30:00Z\nhistory_days: 2\nwatch_hours: {hours}\n"
    (folder / "s.yaml").write_text(head + text)
    return load_scenario(folder / "s.yaml")


class Telling:
    """Builds what dogwatch might have said in the rounds of a scenario."""

    def __init__(self, story: Scenario) -> None:
        self.story = story
        self.clock = SimulatedClock(story.now)
        self.lab = Lab(story.world(self.clock))
        self.said: list[tuple[str, Severity, str, float, float, dict[str, Any]]] = []

    def subject(self, name: str) -> str:
        """The subject of a job or a platform."""
        platform = name.partition("/")[0]
        return f"{platform}/{self.lab.twins[platform].job_id(name)}" if "/" in name else name

    def tell(
        self,
        name: str,
        *,
        severity: Severity = Severity.ERROR,
        summary: str = "it failed",
        first: float,
        last: float = 0,
        **more: Any,
    ) -> None:
        """A finding and an incident in the rounds from ``first`` to ``last`` minutes before now."""
        self.said.append((self.subject(name), severity, summary, first, last, more))

    def night(self) -> Night:
        """All of it."""
        reports = [self._report(moment) for moment in self.story.rounds()]
        return Night(self.story, self.lab, tuple(reports), 6.0)

    def _report(self, moment: datetime) -> CheckReport:
        findings: list[Finding] = []
        given: list[Evidence] = []
        live: list[Incident] = []
        ended: list[Incident] = []
        messages: list[Message] = []
        before = (self.story.now - moment).total_seconds() / 60
        step = self.story.check_every.total_seconds() / 60
        for number, (subject, severity, said, first, last, more) in enumerate(self.said, 1):
            evidence = Evidence.of(
                EvidenceKind.run,
                source="lab",
                subject=subject,
                content={"error_message": "no such table"},
                at=moment,
            )
            incident = self._incident(number, subject, severity, said, evidence, moment)
            incident = incident.model_copy(update=more)
            if before == first:
                messages.append(self._message(Occasion.opened, incident, moment))
            if last - step <= before < last:
                ended.append(incident.model_copy(update={"state": IncidentState.resolved}))
                messages.append(self._message(Occasion.resolved, incident, moment))
            if not last <= before <= first:
                continue
            given.append(evidence)
            live.append(incident)
            findings.append(
                Finding(
                    rule="failed",
                    subject=subject,
                    severity=severity,
                    summary=said,
                    evidence=(evidence.id,),
                    fingerprint=content_id([subject]),
                    at=moment,
                )
            )
        return CheckReport(
            at=moment,
            timezone="UTC",
            exit_code=0,
            findings=tuple(findings),
            evidence=tuple(given),
            incidents=tuple(live),
            ended=tuple(ended),
            messages=tuple(messages),
        )

    @staticmethod
    def _message(occasion: Occasion, incident: Incident, moment: datetime) -> Message:
        return Message(
            key=f"{incident.number}/{occasion.value}",
            thread=incident.name,
            occasion=occasion,
            title=incident.title,
            severity=incident.severity,
            blocks=(Text(text="it is so"),),
            at=moment,
        )

    @staticmethod
    def _incident(
        number: int, subject: str, severity: Severity, said: str, evidence: Evidence, moment: datetime
    ) -> Incident:
        cause = Cause(
            claim="the table is gone (“no such table”)",
            cause_class=CauseClass.upstream_missing,
            subject=subject,
            confidence=Confidence.confirmed,
            cites=(evidence.id,),
            phrase="no such table",
        )
        return Incident(
            number=number,
            key=str(number),
            state=IncidentState.open,
            severity=severity,
            title=said,
            culprit=subject,
            culprit_name=subject,
            findings=(content_id([subject]),),
            causes=(cause,),
            opened_at=moment,
            began_at=moment,
            updated_at=moment,
        )


def figures(row: dict[str, Any], *names: str) -> Sequence[Any]:
    return tuple(row[name] for name in names)


def test_a_found_incident_scores_full_marks(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path))
    telling.tell("databricks/hourly", first=75, summary="hourly failed: no such table")
    row = score(telling.night())
    assert figures(
        row,
        "detection_precision", "detection_recall", "culprit_ac1", "culprit_ac3", "severity_ok",
        "detected_in_time", "must_cite", "must_not_blame", "citations_valid", "healthy",
    ) == (1.0,) * 10  # fmt: skip
    assert figures(row, "false_alarms", "forbidden_claims", "false_alarms_per_day") == (0, 0, None)
    assert 10 < row["minutes_to_detect"] < 15
    assert row["wall_seconds_per_day"] == 72.0


def test_a_missed_incident_scores_nothing_and_has_no_delay(tmp_path: Path) -> None:
    row = score(Telling(scenario(tmp_path)).night())
    assert (
        figures(row, "detection_recall", "culprit_ac1", "severity_ok", "must_cite", "healthy") == (0.0,) * 5
    )
    assert figures(row, "detection_precision", "minutes_to_detect") == (None, None)
    assert row["incidents"][0]["detected"] is False


def test_what_was_over_before_the_fault_showed_is_a_false_alarm(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path))
    telling.tell("databricks/hourly", first=120, last=105)
    telling.tell("databricks/hourly", first=60)
    row = score(telling.night())
    assert figures(row, "detection_precision", "detection_recall", "false_alarms") == (0.5, 1.0, 1)


def test_telling_the_same_thing_twice_is_no_false_alarm(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path))
    telling.tell("databricks/hourly", first=75, last=60)
    telling.tell("databricks/hourly", first=30)
    assert score(telling.night())["false_alarms"] == 0


def test_blaming_others_costs_precision(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path))
    telling.tell("databricks/hourly", first=75, severity=Severity.WARNING)
    telling.tell("airbyte/stock", first=45)
    telling.tell("airbyte/users", first=45, severity=Severity.INFO)
    row = score(telling.night())
    assert figures(row, "detection_precision", "severity_ok", "must_not_blame") == (0.5, 0.0, 0.0)
    assert row["false_alarms_on"] == ["airbyte/stock"]


def test_what_is_tolerated_is_neither_missed_nor_false(tmp_path: Path) -> None:
    told = scenario(tmp_path, FAULTS + EXPECT + "  tolerated: [{culprit: airbyte/stock}]\n")
    telling = Telling(told)
    telling.tell("databricks/hourly", first=75)
    telling.tell("airbyte/stock", first=45)
    row = score(telling.night())
    assert figures(row, "detection_precision", "detection_recall", "false_alarms") == (1.0, 1.0, 0)


def test_a_forbidden_claim_counts_in_own_words_only(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path))
    telling.tell("databricks/hourly", first=75, summary="failed: no such table; the Disk is full")
    assert score(telling.night())["forbidden_claims"] == 1


def test_a_platform_can_be_the_culprit(tmp_path: Path) -> None:
    text = "faults: [{at: 2026-03-03T05:00:00Z, on: snowflake, kind: platform_down}]\n"
    telling = Telling(scenario(tmp_path, text + "expect: {incidents: [{culprit: snowflake}]}\n"))
    telling.tell("snowflake", first=75)
    row = score(telling.night())
    assert figures(row, "detection_recall", "culprit_ac1", "minutes_to_detect") == (1.0, 1.0, 15.0)


def test_every_finding_of_a_quiet_night_is_a_false_alarm(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path, "expect: {healthy: true, incidents: []}\n"))
    telling.tell("airbyte/stock", first=90, last=75)
    telling.tell("airbyte/stock", first=30, last=15)
    row = score(telling.night())
    assert figures(row, "false_alarms", "false_alarms_per_day", "detection_precision", "healthy") == (
        2,
        24.0,
        0.0,
        1.0,
    )
    assert row["detection_recall"] is None


def test_what_is_not_expected_is_not_scored(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path, ""))
    telling.tell("airbyte/stock", first=90)
    row = score(telling.night())
    unscored = {key for key, value in row.items() if value is None}
    assert {
        "detection_precision",
        "detection_recall",
        "false_alarms",
        "healthy",
        "forbidden_claims",
    } <= unscored


def test_means_leave_out_what_is_not_scored(tmp_path: Path) -> None:
    found = Telling(scenario(tmp_path))
    found.tell("databricks/hourly", first=75)
    quiet = Telling(scenario(tmp_path, "expect: {healthy: true, incidents: []}\n"))
    both = summary([score(found.night()), score(quiet.night())])
    assert both["means"]["detection_recall"] == 1.0
    assert both["means"]["false_alarms_per_day"] == 0.0
    assert both["means"]["healthy"] == 1.0
    assert "id" not in both["means"]
    assert len(both["scenarios"]) == 2
    assert summary([]) == {"scenarios": [], "means": {}}


JUDGED = """
expect:
  incidents:
    - culprit: databricks/hourly
      cause_class: [upstream_missing, schema_drift]
      affected: [airbyte/stock, snowflake/load]
      confidence: [likely]
      must_not_blame: [airbyte/stock]
  max_notifications: 2
"""


def test_class_hits_and_confidence_are_judged(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path, FAULTS + JUDGED))
    stock, users = telling.subject("airbyte/stock"), telling.subject("airbyte/users")
    hit = tuple(
        Affected(subject=subject, name="x", harm=harm)
        for subject, harm in [(stock, Harm.stale), (users, Harm.threatened)]
    )
    telling.tell("databricks/hourly", first=75, affected=hit)
    row = score(telling.night())
    assert figures(row, "cause_class", "affected_jaccard", "confidence") == (1.0, 0.5, 0.0)
    assert figures(row, "notifications", "notifications_ok") == (1, 1.0)


def test_messages_are_counted_and_what_they_say_is_heard(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path, FAULTS + JUDGED + '  forbidden_text: ["it is so"]\n'))
    telling.tell("databricks/hourly", first=75, last=60)
    telling.tell("snowflake", first=30)
    row = score(telling.night())
    assert figures(row, "notifications", "notifications_ok", "forbidden_claims") == (3, 0.0, 1)


def test_one_of_the_expected_verbs_has_to_be_proposed_for_the_incident(tmp_path: Path) -> None:
    story = scenario(tmp_path, FAULTS + JUDGED.replace("confidence: [likely]", "proposes: [repair, rerun]"))
    telling = Telling(story)
    telling.tell("databricks/hourly", first=75)
    night = telling.night()
    for number, verb, share in ((1, "rerun", 1.0), (1, "pause", 0.0), (2, "rerun", 0.0)):
        action = Action(
            id="a",
            connector="databricks",
            verb=verb,
            target="databricks/1",
            target_name="hourly",
            args={},
            risk=Risk.safe,
            reason="it failed",
            incident=number,
            proposed_by="rules",
            proposed_at=story.now,
            expires_at=story.now,
        )
        assert score(replace(night, actions=(action,)))["proposes"] == share


def test_a_cause_that_cites_nothing_given_is_an_invalid_citation(tmp_path: Path) -> None:
    for change in ({"cites": ("ffff",)}, {"phrase": "disk full"}, {"subject": "snowflake/other"}):
        telling = Telling(scenario(tmp_path, FAULTS + JUDGED))
        telling.tell("databricks/hourly", first=10)
        report = telling.night().reports[-1]
        (incident,) = report.incidents
        wrong = incident.model_copy(update={"causes": (incident.causes[0].model_copy(update=change),)})
        night = Night(telling.story, telling.lab, (report.model_copy(update={"incidents": (wrong,)}),), 1.0)
        assert score(night)["citations_valid"] == 0.5


def test_a_culprit_that_is_only_among_the_hit_is_not_blamed(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path, FAULTS + JUDGED))
    hit = Affected(subject=telling.subject("databricks/hourly"), name="x", harm=Harm.failed)
    telling.tell("airbyte/stock", first=75, affected=(hit,))
    row = score(telling.night())
    assert figures(row, "detection_recall", "culprit_ac1", "must_not_blame") == (1.0, 0.0, 0.0)


def test_who_is_found_to_be_hit_in_the_round_that_ends_an_incident_was_told(tmp_path: Path) -> None:
    telling = Telling(scenario(tmp_path, FAULTS + JUDGED))
    telling.tell("databricks/hourly", first=75, last=30)
    night = telling.night()
    hit = Affected(subject=telling.subject("airbyte/stock"), name="x", harm=Harm.stale)
    reports = [
        report.model_copy(
            update={"ended": tuple(one.model_copy(update={"affected": (hit,)}) for one in report.ended)}
        )
        for report in night.reports
    ]
    assert score(night)["affected_jaccard"] == 0.0
    assert score(replace(night, reports=tuple(reports)))["affected_jaccard"] == 0.5


# ── in earnest ─────────────────────────────────────────────────────────────────────────────────────────────


def played(story: Scenario) -> Night:
    return watch(story, opener, timer=time.perf_counter)


def without_times(row: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in row.items() if not key.startswith("wall_")})


def test_dogwatch_finds_a_failure_and_a_blind_platform(tmp_path: Path) -> None:
    more = "  - {at: 2026-03-03T05:50:00Z, on: airbyte, kind: platform_down, status: refuses}\n"
    expect = EXPECT.replace("  forbidden", "    - {culprit: airbyte, detected_within: 20m}\n  forbidden")
    night = played(scenario(tmp_path, FAULTS + more + expect))
    row = score(night)
    assert figures(row, "detection_recall", "culprit_ac1", "citations_valid", "healthy") == (1.0,) * 4
    assert row["detected_in_time"] == 1.0
    assert len(night.reports) == 9


@pytest.mark.slow
def test_the_same_file_and_seed_give_the_same_score_to_the_byte(tmp_path: Path) -> None:
    window = "at: 2026-03-03T05:40:00Z, until: 2026-03-03T06:10:00Z"
    more = (
        f"  - {{{window}, on: snowflake, kind: rate_limited, retry_after: 5}}\n"
        f"  - {{{window}, on: airbyte, kind: platform_slow, seconds: 20}}\n"
    )
    story = scenario(tmp_path, FAULTS + more + EXPECT, hours=1)
    first, second = played(story), played(story)
    assert first.reports == second.reports
    assert without_times(score(first)) == without_times(score(second))


def test_a_quiet_night_is_quiet(tmp_path: Path) -> None:
    row = score(
        played(scenario(tmp_path, "expect: {healthy: true, incidents: [], forbidden_text: [down]}\n"))
    )
    assert figures(row, "false_alarms", "healthy", "forbidden_claims") == (0, 1.0, 0)


def test_a_slow_platform_delays_the_round_in_simulated_time(tmp_path: Path) -> None:
    text = "faults: [{at: 2026-03-03T06:00:00Z, on: airbyte, kind: platform_slow, seconds: 9}]\n"
    reports = played(scenario(tmp_path, text, hours=1)).reports
    assert reports[1].wall_seconds < 9 < reports[-1].wall_seconds
    assert reports[-1].at - reports[-2].at == timedelta(minutes=15)


def _sampled(paths: Sequence[Path]) -> list[Any]:
    """Four of nine scenarios are played each time, the others in ``make soak``."""
    marks = (pytest.mark.slow, pytest.mark.soak)
    return [
        pytest.param(path, marks=marks[number % 9 not in {0, 2, 4, 6}], id=path.stem)
        for number, path in enumerate(paths)
    ]


@pytest.mark.parametrize("path", _sampled(shipped_scenarios()))
def test_dogwatch_finds_what_the_shipped_scenarios_hide(path: Path) -> None:
    row = score(played(load_scenario(path)))
    assert row["detection_recall"] in {1.0, None}
    assert row["citations_valid"] in {1.0, None}
    assert not row["forbidden_claims"]
    assert not row["false_alarms_per_day"]
    assert row["healthy"] in {1.0, None}
