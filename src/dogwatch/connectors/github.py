"""GitHub: workflow runs of Actions, and deployments as changes (REST API, version 2022-11-28).

Listings are read newest first without a filter, because a filtered one ends after 1,000 results. The reason
of a failure stands in the annotations of the jobs that failed; schedules stand in the workflow files, which
one GraphQL question shows. Facts: api.github.com's OpenAPI description (octokit/openapi 23).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, Field, SecretStr, TypeAdapter, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dogwatch.errors import AuthError, ConnectorError, UnexpectedAnswer
from dogwatch.model import (
    Change,
    ChangeKind,
    Job,
    JobState,
    Run,
    Schedule,
    ScheduleKind,
    Status,
    UtcTime,
    content_id,
    run_uid,
)
from dogwatch.model.text import bounded, one_line, plural
from dogwatch.wire.answer import Answer
from dogwatch.wire.connector import Ask, Connector, ConnectorSettings
from dogwatch.wire.github import HEADERS, github_login, limited
from dogwatch.wire.http import Doors, Http, Pace
from dogwatch.wire.records import salvage

PLATFORM = "github"

STATUS: Mapping[str, Status] = {
    "queued": Status.pending,
    "requested": Status.pending,
    "waiting": Status.pending,
    "pending": Status.pending,
    "in_progress": Status.running,
    "success": Status.success,
    "neutral": Status.warned,
    "failure": Status.failed,
    "startup_failure": Status.failed,
    "timed_out": Status.timed_out,
    "cancelled": Status.cancelled,
    "skipped": Status.skipped,
    "stale": Status.skipped,
    "action_required": Status.pending,
}
"""``status`` of a run, or its ``conclusion`` once that is ``completed``. Anything else is ``unknown``."""

_STATE: Mapping[str, tuple[JobState, str]] = {
    "active": (JobState.active, ""),
    "disabled_manually": (JobState.paused, ""),
    "disabled_inactivity": (JobState.suspended, "GitHub disabled it: the repository was quiet for 60 days"),
    "disabled_fork": (JobState.suspended, "workflows do not run in a fork until somebody enables them"),
    "deleted": (JobState.deleted, ""),
}
_FILES = (
    "query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) {"
    ' object(expression: "HEAD:.github/workflows") { ... on Tree { entries { name object {'
    " ... on Blob { text } } } } } } }"
)
_BY_HAND = frozenset({"workflow_dispatch", "repository_dispatch"})
_PAGE = 100
_MOST_PAGES = 500
_MOST_AGAIN = 30
"""Failed runs that are asked again each round whether somebody re-ran them."""
_LARGEST_FILE = 100_000  # characters
_DETAILS = timedelta(days=7)
"""How a deployment went is asked only of those younger than this."""

PACE = Pace(per_second=15.0, concurrency=4)
"""5,000 requests an hour for a token, 1,000 for a workflow's own; many at once are punished."""


class GitHubSettings(ConnectorSettings):
    """Which repositories to read, and what is deployed from them."""

    repositories: tuple[str, ...] = Field(min_length=1)
    """Repositories as owner/name."""
    token: SecretStr | None = Field(None, json_schema_extra={"environment": "GITHUB_TOKEN", "written": True})
    """A fine-grained personal access token (Settings > Developer settings) for these repositories with read
    access to Actions, Checks, Contents and Deployments. In a workflow: its own token, with the permissions
    actions, checks, contents and deployments: read."""
    app_id: str | None = None
    """Instead of a token: the client id of a GitHub App that is installed on the repositories."""
    installation_id: int | None = None
    """The number at the end of the URL of the app's installation."""
    private_key: SecretStr | None = None
    """The app's private key in PEM, line breaks as \\n. Needs the extra github."""
    deploys: Mapping[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    """What is deployed from a repository: component/<name>, a job such as databricks/620182351, or the name
    of a connector for everything on it."""
    environments: tuple[str, ...] = ("production",)
    """Deployments to other environments are no changes of what is watched."""
    url: str = "https://api.github.com"
    """Where the API answers; for GitHub Enterprise Server https://host/api/v3."""

    @field_validator("repositories")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            owner, slash, rest = name.partition("/")
            if not (owner and slash and rest) or "/" in rest or name.split() != [name]:
                raise ValueError(f"{name!r:.80} is no owner/name")
        return value


# ── what GitHub says ────────────────────────────────────────────────────────────────────────────────────────


class _Run(BaseModel):
    id: int
    name: str | None = None
    status: str | None = None
    conclusion: str | None = None
    workflow_id: int
    run_attempt: int = Field(1, ge=1, le=10_000)
    event: str = ""
    head_branch: str | None = None
    head_sha: str = ""
    path: str = ""
    created_at: UtcTime
    run_started_at: UtcTime | None = None
    updated_at: UtcTime
    html_url: str | None = None


class _RunsPage(BaseModel):
    workflow_runs: list[_Run]


class _Workflow(BaseModel):
    id: int
    name: str
    path: str
    state: str
    html_url: str | None = None


class _WorkflowsPage(BaseModel):
    workflows: list[_Workflow]


class _Step(BaseModel):
    name: str = ""
    conclusion: str | None = None


class _Job(BaseModel):
    id: int
    name: str = ""
    conclusion: str | None = None
    steps: list[_Step] | None = None


class _JobsPage(BaseModel):
    jobs: list[_Job]


class _Annotation(BaseModel):
    annotation_level: str | None = None
    message: str | None = None


class _Person(BaseModel):
    login: str = ""


class _Deployment(BaseModel):
    id: int
    sha: str = ""
    ref: str = ""
    environment: str = ""
    description: str | None = None
    creator: _Person | None = None
    created_at: UtcTime


class _State(BaseModel):
    state: str
    created_at: UtcTime


class _Blob(BaseModel):
    text: str | None = None


class _Entry(BaseModel):
    name: str
    object: _Blob | None = None


class _Tree(BaseModel):
    entries: list[_Entry] = []


class _Repository(BaseModel):
    object: _Tree | None = None


class _Data(BaseModel):
    repository: _Repository | None = None


class _FilesAnswer(BaseModel):
    data: _Data


class _Cron(BaseModel):
    cron: str
    timezone: str = "UTC"


class _File(BaseModel):
    on: dict[str, Any] | list[str] | str | None = None


_RUNS = TypeAdapter(_RunsPage)
_RUN = TypeAdapter(_Run)
_WORKFLOWS = TypeAdapter(_WorkflowsPage)
_JOBS = TypeAdapter(_JobsPage)
_ANNOTATIONS = TypeAdapter(list[_Annotation])
_DEPLOYMENTS = TypeAdapter(list[_Deployment])
_STATES = TypeAdapter(list[_State])
_FILES_ANSWER = TypeAdapter(_FilesAnswer)
_FILE = TypeAdapter(_File)
_CRONS = TypeAdapter(list[_Cron])


# ── the connector ───────────────────────────────────────────────────────────────────────────────────────────


class GitHub(Connector[GitHubSettings]):
    """Reads workflows, their runs and deployments of some repositories."""

    Settings = GitHubSettings
    title = "GitHub"
    overlap: ClassVar[timedelta] = timedelta(hours=6)
    """A run that was re-run shows at the time at which it was first created."""

    def __init__(self, name: str, settings: GitHubSettings, doors: Doors) -> None:
        super().__init__(name, settings, doors)
        token, key = settings.token, settings.private_key
        login = github_login(token, key, settings.app_id, settings.installation_id, doors)
        self._http = doors.open(settings.url, login=login, pace=PACE, limited=limited)

    @property
    def http(self) -> Http:
        """The door to GitHub."""
        return self._http

    async def check(self) -> str:
        """What can be read of each repository, or a ConnectorError."""
        workflows = 0
        for repository in self.settings.repositories:
            workflows += len(await self._workflows(repository))
            await self._get(repository, "actions/runs?per_page=1")
            await self._get(repository, "deployments?per_page=1")
        count = len(self.settings.repositories)
        return (
            f"GitHub · {plural(count, 'repository', 'repositories')}, {plural(workflows, 'workflow')}"
            " · runs and deployments readable"
        )

    async def caveats(self) -> Sequence[str]:
        """What GitHub does not show."""
        return ["GitHub may start scheduled workflows late, or drop them when it is busy."]

    async def jobs(self, now: datetime) -> Sequence[Job]:
        """All workflows, with the schedules of their files."""
        found: list[Job] = []
        for repository in self.settings.repositories:
            workflows = await self._workflows(repository)
            files = await self._files(repository) if workflows else {}
            for one in workflows:
                state, reason = _STATE.get(one.state, (JobState.unknown, ""))
                if state is JobState.deleted:
                    continue
                job = Job(
                    platform=PLATFORM,
                    instance=self.name,
                    job_id=str(one.id),
                    name=one.name,
                    kind="workflow",
                    state=state,
                    state_reason=reason,
                    schedule=_schedule(files.get(one.path.rpartition("/")[2], "")),
                    url=one.html_url,
                    metadata={"repository": repository, "file": bounded(one.path, 300)},
                    observed_at=now,
                )
                found.append(job)
        return found

    async def runs(self, ask: Ask) -> AsyncIterator[Sequence[Run]]:
        """Runs created since then, newest first; then, one by one, those that may have changed since."""
        seen: set[str] = set()
        bad: ConnectorError | None = None
        for repository in self.settings.repositories:
            async for rows, error in self._pages(repository, ask.since):
                bad = bad or error
                seen.update(str(row.id) for row in rows)
                yield [await self._run(repository, row, ask) for row in rows]
        for key in _again(ask, seen):
            repository, row = await self._single(ask.known[key], key)
            if row is not None:
                yield [await self._run(repository, row, ask)]
        if bad is not None:
            raise bad

    async def changes(self, since: datetime, now: datetime) -> AsyncIterator[Sequence[Change]]:
        """Deployments created since then, as they went."""
        for repository in self.settings.repositories:
            for page in range(1, _MOST_PAGES):
                answer = await self._get(repository, f"deployments?per_page={_PAGE}&page={page}")
                told = answer.parse(_DEPLOYMENTS)
                fresh = [one for one in told if one.created_at >= since]
                yield [
                    await self._change(repository, one, now)
                    for one in fresh
                    if one.environment in self.settings.environments
                ]
                if len(told) < _PAGE or len(fresh) < len(told):
                    break

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _get(self, repository: str, rest: str) -> Answer:
        return await self._http.get(f"repos/{quote(repository)}/{rest}", headers=HEADERS)

    async def _pages(
        self, repository: str, since: datetime
    ) -> AsyncIterator[tuple[Sequence[_Run], ConnectorError | None]]:
        """Pages of runs created since then, each with what was wrong with one of its records."""
        known: set[int] = set()
        for page in range(1, _MOST_PAGES):
            answer = await self._get(repository, f"actions/runs?per_page={_PAGE}&page={page}")
            problem: UnexpectedAnswer | None = None
            try:
                rows = answer.parse(_RUNS).workflow_runs
                count = len(rows)
            except UnexpectedAnswer as error:
                rows, whole = salvage(answer, "workflow_runs", _RUN)
                count, problem = len(whole.get("workflow_runs", ())), error
                if not rows:
                    raise
            fresh = [row for row in rows if row.created_at >= since]
            yield fresh, problem
            if count < _PAGE or len(fresh) < len(rows):
                return
            if known.issuperset(row.id for row in rows):
                raise problem or answer.unexpected("the same page twice, whatever its number")
            known.update(row.id for row in rows)

    async def _single(self, known: Run, key: str) -> tuple[str, _Run | None]:
        """One run by its id, from the repository it is known to be in, else from the first that has it."""
        told = known.metadata.get("repository")
        chosen = [told] if told in self.settings.repositories else self.settings.repositories
        for repository in map(str, chosen):
            try:
                return repository, (await self._get(repository, f"actions/runs/{quote(key)}")).parse(_RUN)
            except UnexpectedAnswer as error:
                if error.status != 404:
                    raise
        return "", None

    async def _workflows(self, repository: str) -> list[_Workflow]:
        found: list[_Workflow] = []
        for page in range(1, _MOST_PAGES):
            answer = await self._get(repository, f"actions/workflows?per_page={_PAGE}&page={page}")
            told = answer.parse(_WORKFLOWS).workflows
            fresh = [one for one in told if one.id not in {known.id for known in found}]
            found += fresh
            if len(told) < _PAGE or not fresh:
                break
        return found

    async def _files(self, repository: str) -> dict[str, str]:
        """The texts of the workflow files by name; nothing if we may not read contents."""
        owner, _, name = repository.partition("/")
        body = {"query": _FILES, "variables": {"owner": owner, "name": name}}
        path = f"{self.settings.url.rstrip('/').removesuffix('/v3')}/graphql"
        try:
            answer = await self._http.ask(path, body, headers=HEADERS)
            repo = answer.parse(_FILES_ANSWER).data.repository
        except (AuthError, UnexpectedAnswer):
            return {}
        entries = repo.object.entries if repo is not None and repo.object is not None else []
        return {one.name: one.object.text for one in entries if one.object is not None and one.object.text}

    async def _reason(self, repository: str, row: _Run) -> str | None:
        """Why a run failed: the failed steps, and what was said about them."""
        base = f"actions/runs/{row.id}/attempts/{row.run_attempt}/jobs?per_page={_PAGE}"
        said: list[str] = []
        try:
            jobs = (await self._get(repository, base)).parse(_JOBS).jobs
            for job in [one for one in jobs if one.conclusion not in {None, "success", "skipped"}][:3]:
                steps = [step.name for step in job.steps or [] if step.conclusion in {"failure", "timed_out"}]
                place = f"{job.name}: {steps[0]}" if steps else job.name
                told = (await self._get(repository, f"check-runs/{job.id}/annotations")).parse(_ANNOTATIONS)
                words = [one.message for one in told if one.annotation_level == "failure" and one.message]
                said.append(f"{place}: " + "\n".join(words) if words else place)
        except (AuthError, UnexpectedAnswer):
            pass  # the run itself is worth more than its reason
        return bounded("\n".join(said)) or None

    # ── translating ─────────────────────────────────────────────────────────────────────────────────────────

    async def _run(self, repository: str, row: _Run, ask: Ask) -> Run:
        native_id, job_id = str(row.id), str(row.workflow_id)
        word = (row.conclusion if row.status == "completed" else row.status) or "unknown"
        status = STATUS.get(word, Status.unknown)
        known = ask.known.get(native_id)
        error: str | None = None
        if known is not None and (known.attempt, known.updated_at) == (row.run_attempt, row.updated_at):
            error = known.error_message
        if status.bad and error is None and row.updated_at >= ask.details_since:
            error = await self._reason(repository, row)
        return Run(
            uid=run_uid(PLATFORM, self.name, job_id, native_id, row.run_attempt),
            platform=PLATFORM,
            instance=self.name,
            job_id=job_id,
            job_name=ask.names.get(job_id, row.name or job_id),
            kind="workflow",
            native_run_id=native_id,
            attempt=row.run_attempt,
            trigger=row.event,
            status=status,
            native_status=word,
            queued_at=row.created_at,
            started_at=row.run_started_at or row.created_at,
            ended_at=None if status.open or row.status != "completed" else row.updated_at,
            updated_at=row.updated_at,
            error_message=error,
            url=row.html_url,
            metadata={"repository": repository, "branch": row.head_branch or "", "commit": row.head_sha[:40]},
            observed_at=ask.now,
        )

    async def _change(self, repository: str, one: _Deployment, now: datetime) -> Change:
        """A deployment takes effect when it succeeds, or else when it was made."""
        at, state = one.created_at, ""
        if now - one.created_at < _DETAILS:
            answer = await self._get(repository, f"deployments/{one.id}/statuses?per_page={_PAGE}")
            told = answer.parse(_STATES)
            state = told[0].state if told else "pending"
            at = min((one.created_at for one in told if one.state == "success"), default=at)
        subjects = self.settings.deploys.get(repository) or (f"{self.name}/{repository}",)
        version, said = one_line(one.ref or one.sha[:12], 80), one_line(one.description or "", 160)
        return Change(
            uid=content_id([self.name, "deployment", one.id]),
            instance=self.name,
            kind=ChangeKind.deployment,
            subject=subjects[0],
            touches=subjects[1:],
            at=at,
            summary=f"{version} of {repository} was deployed" + (f": {said}" if said else ""),
            version=version,
            state=state[:40],
            author=one.creator.login[:80] if one.creator else "",
            url=f"https://github.com/{repository}/deployments"
            if "api.github.com" in self.settings.url
            else None,
        )


def _again(ask: Ask, seen: set[str]) -> list[str]:
    """Ids of known runs beyond the listing: the open ones, and the last failed ones of broken jobs, which
    somebody may have re-run."""
    left = {key: run for key, run in ask.known.items() if key not in seen and key.isdecimal()}
    still_open = [key for key, run in left.items() if run.status.open]
    failed = [key for key, run in left.items() if run.status.bad and run.job_id in ask.broken]
    failed.sort(key=lambda key: left[key].began_at, reverse=True)
    return [*still_open, *failed[:_MOST_AGAIN]]


def _schedule(text: str) -> Schedule | None:
    """When a workflow runs, by its file; None if it has several schedules or cannot be read."""
    if not text or len(text) > _LARGEST_FILE:
        return None
    try:
        parser: Any = YAML(typ="safe", pure=True)
        on = _FILE.validate_python(parser.load(text)).on
        crons = _CRONS.validate_python(on.get("schedule", ())) if isinstance(on, dict) else ()
    except (YAMLError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None
    if crons:
        cron, zone = crons[0].cron, crons[0].timezone
        return Schedule(kind=ScheduleKind.cron, expression=cron, timezone=zone) if len(crons) == 1 else None
    by_hand = {on} <= _BY_HAND if isinstance(on, str) else _BY_HAND.issuperset(on or ())
    return Schedule(kind=ScheduleKind.manual if by_hand else ScheduleKind.event)
