"""Incidents of old, each of one finding."""

from dogwatch.incidents.similar import Seen
from dogwatch.model import Cause, CauseClass, Confidence, Incident, IncidentState, Severity
from dogwatch.model.precedent import Remedied
from support.incidents import at, told


def seen(
    number: int, culprit: str, rule: str = "failed", cause: CauseClass | None = None, phrase: str = ""
) -> Seen:
    """An incident of one finding."""
    finding = told(rule, culprit, number).finding
    causes = (
        ()
        if cause is None
        else (
            Cause(
                claim="c",
                cause_class=cause,
                subject=culprit,
                confidence=Confidence.likely,
                cites=finding.evidence,
                phrase=phrase,
            ),
        )
    )
    incident = Incident(
        number=number,
        key=str(number),
        state=IncidentState.resolved,
        severity=Severity.ERROR,
        title=f"title {number}",
        culprit=culprit,
        culprit_name=culprit,
        findings=(finding.fingerprint,),
        causes=causes,
        opened_at=at(number),
        began_at=at(number),
        updated_at=at(number),
    )
    return Seen(incident, (finding,), (Remedied(verb="rerun", target=culprit, state="helped"),))


AUTH, DRIFT = CauseClass.auth_permission, CauseClass.schema_drift
