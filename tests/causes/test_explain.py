"""Why an incident happened: culprits over the graph, classes by words, confidence by evidence, and nothing
without a citation."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dogwatch.causes.explain import Case, Link, explain
from dogwatch.causes.grounds import grounded
from dogwatch.causes.testimony import stands_alone
from dogwatch.model import (
    Cause,
    CauseClass,
    Confidence,
    Evidence,
    EvidenceKind,
    Finding,
    Severity,
    content_id,
)

TWO = datetime(2026, 3, 3, 2, tzinfo=UTC)
CHAIN = [Link("airbyte/1", "snowflake/2"), Link("snowflake/2", "databricks/3")]


def proof(sort: EvidenceKind, subject: str, minutes: float = 0, /, **content: Any) -> Evidence:
    """Evidence of that many minutes past two."""
    at = TWO + timedelta(minutes=minutes)
    source = subject.partition("/")[0]
    return Evidence.of(sort, source=source, subject=subject, content=content, at=at)


def run(subject: str, minutes: float = 0, **content: Any) -> Evidence:
    """A run that began then."""
    at = TWO + timedelta(minutes=minutes)
    told = {"job_name": f"job {subject}", "started_at": at.isoformat(), **content}
    return proof(EvidenceKind.run, subject, minutes, **told)


def finding(rule: str, *cited: Evidence, severity: Severity = Severity.ERROR) -> Finding:
    """A finding on the subject of the first evidence."""
    first = cited[0]
    return Finding(
        rule=rule,
        subject=first.subject,
        severity=severity,
        summary=f"{first.subject} {rule}",
        evidence=tuple(one.id for one in cited),
        fingerprint=content_id([rule, first.subject]),
        at=first.at,
    )


def case(
    members: Sequence[Finding], known: Sequence[Evidence], links: Sequence[Link] = CHAIN, **more: Any
) -> Case:
    """A case about these."""
    return Case(members, {one.id: one for one in known}, links, **more)


def test_the_first_in_the_chain_explains_those_behind_it() -> None:
    up = run("airbyte/1", error_message="permission denied for table orders", status="failed")
    middle = run("snowflake/2", 20, status="skipped")
    down = run("databricks/3", 60, error_message="[TABLE_OR_VIEW_NOT_FOUND] raw.orders", status="failed")
    members = [finding("failed", down), finding("skipped", middle), finding("failed", up)]
    first = explain(case(members, [up, middle, down]))[0]
    assert first.subject == "airbyte/1"
    assert first.cause_class is CauseClass.auth_permission
    assert first.confidence is Confidence.confirmed
    assert first.cites == (up.id,)


def test_what_came_before_its_input_failed_is_not_explained_by_it() -> None:
    up = run("airbyte/1", 300, error_message="something odd")
    down = run("databricks/3", 0, error_message="No such file or directory: s3://lake/orders")
    causes = explain(case([finding("failed", up), finding("failed", down)], [up, down]))
    assert causes[0].subject == "databricks/3"


def test_a_job_that_says_itself_what_it_lacks_is_not_excused_by_a_late_input() -> None:
    up = run("airbyte/1")
    down = run("databricks/3", 30, error_message="java.lang.OutOfMemoryError: Java heap space")
    late = finding("late", up, severity=Severity.WARNING)
    failed = finding("failed", down)
    known = {one.id: one for one in (up, down)}
    assert stands_alone(failed, known)
    assert not stands_alone(late, known)
    assert explain(case([late, failed], [up, down]))[0].cause_class is CauseClass.resource_exhaustion


def test_without_words_or_change_nothing_is_claimed_and_what_would_settle_it_is_said() -> None:
    silent = run("airbyte/1", status="failed", native_status="failed")
    (only,) = explain(case([finding("failed", silent)], [silent]))
    assert only.cause_class is None
    assert only.confidence is Confidence.inconclusive
    assert "log of job airbyte/1" in only.settle


def test_a_change_just_before_makes_it_likely_and_is_cited() -> None:
    silent = run("databricks/3", 0, status="failed")
    deploy = proof(EvidenceKind.change, "github/shop", -10, version="v2.4.1", touches=["databricks/3"])
    later = proof(EvidenceKind.change, "github/shop", 50, version="v2.4.2", touches=["databricks/3"])
    found = explain(case([finding("failed", silent)], [silent], besides=[later, deploy]))
    assert found[0].confidence is Confidence.likely
    assert deploy.id in found[0].cites
    assert later.id not in found[0].cites


def test_a_change_before_the_last_good_run_explains_nothing() -> None:
    silent = run("databricks/3", 0, status="failed")
    deploy = proof(EvidenceKind.change, "databricks", -300, kind="deployment", summary="v7 was deployed")
    good = {"databricks/3": TWO - timedelta(minutes=60)}
    known = case([finding("failed", silent)], [silent], besides=[deploy], last_good=good)
    assert explain(known)[0].confidence is Confidence.inconclusive
    before = case([finding("failed", silent)], [silent], besides=[deploy])
    assert "just before: v7 was deployed" in explain(before)[0].claim


def test_a_release_that_nobody_has_placed_concerns_what_fails_right_after_it() -> None:
    silent = run("databricks/3", 0, status="failed")
    near = proof(EvidenceKind.change, "github/shop", -20, kind="deployment", summary="v8 was deployed")
    for minutes, sure in ((-20, Confidence.likely), (-400, Confidence.inconclusive)):
        deploy = near.model_copy(update={"at": TWO + timedelta(minutes=minutes)})
        found = explain(case([finding("failed", silent)], [silent], besides=[deploy]))
        assert found[0].confidence is sure


@pytest.mark.parametrize(("kind", "looks_like"), [("deployment", CauseClass.code_bug), ("edited", None)])
def test_new_code_right_before_what_nobody_explains_gives_the_class_and_no_claim(
    kind: str, looks_like: CauseClass | None
) -> None:
    worse = proof(EvidenceKind.metric, "component/api", metric="accuracy", value=0.7, usual=0.9)
    change = proof(EvidenceKind.change, "component/api", -5, kind=kind, summary="v8 was put in place")
    (only,) = explain(case([finding("shift", worse, severity=Severity.WARNING)], [worse], besides=[change]))
    assert (only.cause_class, only.confidence) == (looks_like, Confidence.likely)
    assert only.claim.startswith("api is not at its usual level; just before: v8 was put in place")


@pytest.mark.parametrize(
    ("line", "phrase"),
    [("pg-proxy takes more than 5 s", ""), ("proxy error at pg-proxy", "proxy error"),
     ("access to pg-proxy denied", "access to pg-proxy denied")],
)  # fmt: skip
def test_the_name_of_a_service_says_nothing_of_a_cause_and_is_quoted_where_it_stands(
    line: str, phrase: str
) -> None:
    said = proof(EvidenceKind.log, "component/pg-proxy", template=line)
    (only,) = explain(case([finding("log_new", said)], [said]))
    assert only.phrase == phrase


def test_a_figure_that_says_what_ran_out_gives_the_class_but_no_certainty() -> None:
    full = proof(EvidenceKind.metric, "component/api", metric="memory", value=0.97, limit=0.5)
    (only,) = explain(case([finding("shift", full, severity=Severity.WARNING)], [full]))
    assert (only.cause_class, only.confidence) == (CauseClass.resource_exhaustion, Confidence.likely)


def test_correlation_says_where_it_began_and_the_platform_speaks_for_its_jobs() -> None:
    runs = [run(f"airbyte/{n}", n, error_message="Access denied") for n in range(2)]
    members = [finding("failed", one) for one in runs]
    subjects = [one.subject for one in runs]
    first = explain(case(members, runs, links=[], culprit="airbyte", group=subjects))[0]
    assert (first.subject, first.cause_class) == ("airbyte", CauseClass.auth_permission)
    second = explain(case(members, runs, links=[], culprit="airbyte/1"))[0]
    assert second.subject == "airbyte/1"


def test_words_and_a_change_are_two_witnesses() -> None:
    vague = run("databricks/3", error_message="HTTP 500 Internal Server Error")
    deploy = proof(EvidenceKind.change, "databricks/3", -10, version="v2.4.1")
    found = explain(case([finding("failed", vague)], [vague], besides=[deploy]))
    assert found[0].confidence is Confidence.confirmed
    alone = explain(case([finding("failed", vague)], [vague]))
    assert alone[0].confidence is not Confidence.confirmed


def test_a_paused_job_is_its_own_doing() -> None:
    switched = proof(EvidenceKind.change, "airbyte/1", state="paused", was="active")
    empty = run("snowflake/2", 40, status="success")
    members = [finding("empty", empty), finding("paused", switched, severity=Severity.WARNING)]
    first = explain(case(members, [switched, empty]))[0]
    assert (first.subject, first.cause_class, first.confidence) == (
        "airbyte/1",
        CauseClass.config_error,
        Confidence.confirmed,
    )


def test_many_jobs_of_a_platform_in_the_same_trouble_are_one_trouble_of_the_platform() -> None:
    runs = [run(f"airbyte/{n}", n, error_message="FATAL: password authentication failed") for n in range(9)]
    first = explain(case([finding("failed", one) for one in runs], runs, links=[]))[0]
    assert first.subject == "airbyte"
    assert first.cause_class is CauseClass.auth_permission


def test_a_claim_that_nothing_supports_is_dropped() -> None:
    known = run("airbyte/1", error_message="permission denied for table orders")
    other = run("snowflake/2")

    def said(cites: tuple[str, ...], phrase: str = "") -> Cause:
        return Cause(
            claim="it is so",
            subject="airbyte/1",
            confidence=Confidence.confirmed,
            cites=cites,
            phrase=phrase,
            by="agent",
        )

    held = {known.id: known, other.id: other}
    good = said((known.id, "ffff"), "permission denied")
    assert grounded([good], held)[0].cites == (known.id,)
    assert grounded([said(("ffff",)), said((other.id,)), said((known.id,), "disk full")], held) == ()
    assert grounded([good], {known.id: other}) == ()


@pytest.mark.parametrize("rule", ["empty", "few_rows", "few_bytes"])
def test_what_moved_too_little_is_said_to_look_like_a_missing_input_and_no_more(rule: str) -> None:
    silent = run("airbyte/1", status="success")
    (only,) = explain(case([finding(rule, silent)], [silent]))
    assert (only.cause_class, only.confidence) == (CauseClass.upstream_missing, Confidence.inconclusive)
    assert only.claim.endswith("nothing that was read says why")
    assert "what its source held" in only.settle


_RULES = st.sampled_from(
    ["failed", "missed", "late", "slow", "skipped", "empty", "blind", "paused", "log_new", "threshold", "new"]
)
_SUBJECTS = st.sampled_from(["airbyte", "airbyte/1", "airbyte/2", "snowflake/2", "databricks/3", "x/y/z"])
_TEXT = st.one_of(st.text(max_size=60), st.sampled_from(["Access denied", "HTTP 429", "timeout", "\ud800"]))


@st.composite
def _proofs(draw: st.DrawFn) -> Evidence:
    content: dict[str, Any] = draw(
        st.dictionaries(
            st.sampled_from(
                ["error_message", "started_at", "touches", "metric", "value", "samples", "state"]
            ),
            st.one_of(_TEXT, st.integers(), st.lists(_TEXT, max_size=3), st.none()),
            max_size=4,
        )
    )
    kind = draw(st.sampled_from(list(EvidenceKind)))
    return proof(kind, draw(_SUBJECTS), draw(st.integers(-3000, 3000)), **content)


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    proofs = draw(st.lists(_proofs(), min_size=1, max_size=6))
    members: list[Finding] = []
    for number in range(draw(st.integers(0, 6))):
        cited = draw(st.lists(st.sampled_from(proofs), min_size=1, max_size=3))
        made = finding(draw(_RULES), *cited, severity=draw(st.sampled_from(list(Severity))))
        changes: dict[str, Any] = {"subject": draw(_SUBJECTS), "fingerprint": str(number)}
        members.append(made.model_copy(update=changes))
    known = draw(st.lists(st.sampled_from(proofs), max_size=6))
    links = draw(st.lists(st.builds(Link, _SUBJECTS, _SUBJECTS), max_size=6))
    return Case(members, {one.id: one for one in known}, links, draw(st.lists(_proofs(), max_size=3)))


@settings(max_examples=150, deadline=None)
@given(_cases(), st.randoms(use_true_random=False))
def test_no_cause_without_a_citation_that_resolves_and_order_never_matters(case: Case, rng: Any) -> None:
    causes = explain(case)
    known = {**{one.id: one for one in case.besides}, **case.evidence}
    for cause in causes:
        assert cause.cites
        assert all(id_ in known for id_ in cause.cites)
        assert cause.phrase == "" or cause.cause_class is not None
    members, besides, links = list(case.members) * 2, list(case.besides) * 2, list(case.links) * 2
    for shuffled in (members, besides, links):
        rng.shuffle(shuffled)
    again = Case(members, dict(reversed(list(case.evidence.items()))), links, besides)
    assert explain(again) == causes
