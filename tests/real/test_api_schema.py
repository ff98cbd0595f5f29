"""The API against its own document, by schemathesis: no 5xx, nothing that the document does not say."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from dogwatch.model.door import Scope
from dogwatch.web.openapi import document
from support.node import missing
from support.site import Desk, fill, serving

pytestmark = pytest.mark.real
EXAMPLES = 12
ASK_PLATFORMS = {"check", "doctor"}


def test_no_answer_is_broken_or_against_the_document(tmp_path: Path, require_real: bool) -> None:
    try:
        import schemathesis
    except ImportError:
        missing("schemathesis is not installed (make real)", require_real)
    with Desk(tmp_path) as desk:
        fill(desk)
        token = desk.token(*Scope)
    schema = schemathesis.openapi.from_dict(document())
    with serving(desk.app.settings, beyond=True, clock=desk.clock) as site:
        sent = {"authorization": f"Bearer {token}"}
        asked = 0
        for found in schema.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]  # an error is raised by it
            if operation.definition.raw["operationId"] in ASK_PLATFORMS:
                continue

            @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy())
            def check(case: Any) -> None:
                answer = case.call(base_url=site.url, headers=sent)
                assert answer.status_code < 500
                case.validate_response(answer, headers=sent)

            check()
            asked += 1
    assert asked >= 25
