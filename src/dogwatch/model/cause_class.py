"""The twelve kinds of cause: each is mended by somebody else, in another way."""

from enum import StrEnum


class CauseClass(StrEnum):
    """What sort of thing went wrong. One word per remedy, so that a runbook can be chosen by it."""

    auth_permission = "auth_permission"
    """Credentials, tokens or rights: renew or grant."""
    bad_data = "bad_data"
    """A value or a row that the receiver cannot take: mend or quarantine the data."""
    code_bug = "code_bug"
    """A fault in the user's or the connector's code or query: change the code."""
    concurrency_lock = "concurrency_lock"
    """Two things wanted the same thing at once: wait, retry, or serialise them."""
    config_error = "config_error"
    """A setting is wrong or missing: change the setting."""
    dependency_outage = "dependency_outage"
    """The other side is down or refuses to serve: wait for it, or wake its owner."""
    network_timeout = "network_timeout"
    """The way there is broken, or an answer took too long: look at the path, or at the limit."""
    platform_fault = "platform_fault"
    """The orchestrator or the engine itself failed: retry, then ask its vendor."""
    quota_rate_limit = "quota_rate_limit"
    """An allowance is used up: slow down, or buy more."""
    resource_exhaustion = "resource_exhaustion"
    """Memory, disk, CPU or connections ran out: make it smaller, or the machine bigger."""
    schema_drift = "schema_drift"
    """Columns or types are not what they were: align the schema."""
    upstream_missing = "upstream_missing"
    """An expected table, key or file is not there: find out why it was not made."""
