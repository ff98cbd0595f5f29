"""Which tables the jobs of an estate write and read, so that twins can name them where their vendors do.

Airbyte writes its streams into ANALYTICS.RAW, each Snowflake task a table of ANALYTICS.CORE, each Databricks
job one of the catalog main; flows write none. Databricks sees Snowflake's database as a foreign catalog, and
Snowflake the catalog main as a linked database.
"""

import re
from collections.abc import Mapping, Sequence

from dogwatch.lab.airbyte_attempts import stream_names
from dogwatch.lab.world import LabJob

NAMESPACE = "RAW"
"""Where Airbyte's connections put their streams."""
_DATABASES: Mapping[str, Mapping[str, str]] = {
    "databricks": {
        "airbyte": "shop_snowflake.raw",
        "snowflake": "shop_snowflake.core",
        "databricks": "main.analytics",
    },
}
_ELSEWHERE = {"airbyte": "ANALYTICS.RAW", "snowflake": "ANALYTICS.CORE", "databricks": "LAKE.ANALYTICS"}


def written(job: str, seen_from: str) -> list[str]:
    """The tables that a job writes, by the names under which a platform knows them."""
    platform, _, key = job.partition("/")
    homes = _DATABASES.get(seen_from, _ELSEWHERE)
    if platform not in homes:
        return []
    names = stream_names(job) if platform == "airbyte" else [key]
    return [_cased(f"{homes[platform]}.{re.sub(r'[^A-Za-z0-9_]', '_', name)}", seen_from) for name in names]


def read(job: LabJob) -> list[str]:
    """The tables that a job reads: those that the jobs write for which it waits, or whose data it takes."""
    upstreams: Sequence[str] = tuple(dict.fromkeys((*job.after, *job.reads)))
    return [table for upstream in upstreams for table in written(upstream, job.platform)]


def _cased(name: str, seen_from: str) -> str:
    return name.lower() if seen_from == "databricks" else name.upper()
