"""What ``/metrics`` shows: figures about the estate and about dogwatch itself. Sync; asks no platform."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from dogwatch import __version__
from dogwatch.model import MetricSeries
from dogwatch.model.call import Pulse
from dogwatch.model.channels import ChannelsReport
from dogwatch.model.report import PlatformView, Sight
from dogwatch.report.exposition import Metric, Sample, quantiles
from dogwatch.settings.watch import WatchSettings
from dogwatch.store import Store
from dogwatch.store.vitals import Figures

LATELY = timedelta(hours=24)
PROVIDERS = ("openai", "anthropic", "compatible")
"""Those of models that tell what they still allow."""
_ALLOWED = ("requests", "tokens", "input_tokens", "output_tokens")
_ROUND = 900.0
"""Seconds in which a round may use what dogwatch lets itself ask of a platform."""


def vitals(
    store: Store,
    pulse: Pulse,
    channels: ChannelsReport,
    platforms: Sequence[PlatformView],
    paces: Mapping[str, float],
    now: datetime,
) -> list[Metric]:
    """All metrics. ``paces``: by connector, the requests a second that dogwatch lets itself make."""
    figures = store.figures(now - LATELY, now)
    return [
        *_itself(pulse, figures, store.count_calls()),
        *_estate(figures),
        *_platforms(platforms, paces, now),
        *_telling(channels),
        *_models(store, now),
    ]


def headroom_series(provider: str, what: str) -> MetricSeries:
    """What a provider of models still allows: ``requests``, ``tokens`` and the like."""
    return MetricSeries(instance=provider, subject=f"component/{provider}", metric=f"headroom_{what}")


def stale_since(store: Store, watch: WatchSettings, timezone: str, now: datetime) -> datetime | None:
    """When the last round of everything ended, if that is too long ago; None if not, or if none ever did."""
    last = store.last_whole_round()
    return last[0] if last and now - last[0] > watch.too_old(timezone, now) else None


def _itself(pulse: Pulse, figures: Figures, calls: Mapping[tuple[str, str], int]) -> Iterable[Metric]:
    yield Metric("dogwatch_info", "gauge", "The version that runs.", [({"version": __version__}, 1)])
    yield Metric("dogwatch_stale", "gauge", "1 if the last round is too old.", [({}, pulse.stale)])
    if pulse.last_round_at is not None:
        ended = pulse.last_round_at.timestamp()
        yield Metric(
            "dogwatch_last_round_timestamp_seconds", "gauge", "When the last round ended.", [({}, ended)]
        )
        code = pulse.exit_code or 0
        said = "What the last round answered: 0 well, 1 something is wrong, 3 blind."
        yield Metric("dogwatch_last_round_exit_code", "gauge", said, [({}, code)])
    counts: list[Sample] = [({"scope": "all"}, figures.rounds), ({"scope": "part"}, figures.part_rounds)]
    yield Metric("dogwatch_rounds_total", "counter", "Rounds that were begun.", counts)
    yield Metric(
        "dogwatch_record_entries_total", "counter", "Entries of the record.", [({}, figures.last_event)]
    )
    seen = [({"watcher": one.name}, one.seen_at.timestamp()) for one in pulse.watchers]
    yield Metric("dogwatch_watcher_seen_timestamp_seconds", "gauge", "A watcher's last sign of life.", seen)
    leads = [({"watcher": one.name}, float(one.leads)) for one in pulse.watchers]
    yield Metric("dogwatch_watcher_leads", "gauge", "1 for the watcher that makes the rounds.", leads)
    told = [({"hook": hook, "state": state}, number) for (hook, state), number in sorted(calls.items())]
    yield Metric("dogwatch_calls", "gauge", "Events told by other systems in the last 7 days.", told)
    waiting: list[Sample] = [({}, pulse.waiting_calls)]
    yield Metric("dogwatch_calls_waiting", "gauge", "Events that no round has looked at.", waiting)


def _estate(figures: Figures) -> Iterable[Metric]:
    runs = [
        ({"connector": name, "status": status}, count)
        for (name, status), count in sorted(figures.runs.items())
    ]
    yield Metric("dogwatch_runs", "gauge", "Run attempts that began in the last 24 hours.", runs)
    yield Metric("dogwatch_open_runs", "gauge", "Run attempts that are not over.", _by(figures.open_runs))
    took: list[Sample] = [
        ({"connector": name, "quantile": f"{share:g}"}, value)
        for name, seconds in sorted(figures.durations.items())
        for share, value in quantiles(seconds, (0.5, 0.9, 0.99))
    ]
    sums = [({"connector": name}, sum(one), len(one)) for name, one in sorted(figures.durations.items())]
    said = "How long the newest runs of the last 24 hours took."
    yield Metric("dogwatch_run_duration_seconds", "summary", said, took, sums)
    yield Metric(
        "dogwatch_late_seconds", "gauge", "How long the latest expected run is overdue.", _by(figures.late)
    )
    yield Metric(
        "dogwatch_missed_runs", "gauge", "Runs of the last 24 hours that never came.", _by(figures.missed)
    )
    live = [
        ({"severity": grave, "state": state}, n) for (state, grave), n in sorted(figures.incidents.items())
    ]
    total: Sample = ({}, float(sum(figures.incidents.values())))
    yield Metric("dogwatch_incidents", "gauge", "Incidents that are not over.", live)
    yield Metric("dogwatch_open_incidents", "gauge", "How many incidents are not over.", [total])


def _platforms(
    platforms: Sequence[PlatformView], paces: Mapping[str, float], now: datetime
) -> Iterable[Metric]:
    blind = [({"connector": one.instance}, float(one.sight is Sight.blind)) for one in platforms]
    yield Metric("dogwatch_blind", "gauge", "1 if a platform could not be read.", blind)
    read = [
        ({"connector": one.instance}, max(0.0, (now - one.read_until).total_seconds()))
        for one in platforms
        if one.read_until is not None
    ]
    yield Metric("dogwatch_read_age_seconds", "gauge", "Since when a platform was not read whole.", read)
    jobs = [({"connector": one.instance}, one.jobs) for one in platforms]
    yield Metric("dogwatch_jobs", "gauge", "Jobs that are known.", jobs)
    asked = [({"connector": one.instance}, one.requests) for one in platforms]
    yield Metric("dogwatch_api_requests", "gauge", "Requests that the last round made of a platform.", asked)
    left = [
        ({"connector": one.instance}, round(max(0.0, 1 - one.requests / (paces[one.instance] * _ROUND)), 4))
        for one in platforms
        if paces.get(one.instance)
    ]
    said = "Share of the requests which dogwatch lets itself make in 15 minutes that the last round left."
    yield Metric("dogwatch_api_headroom_ratio", "gauge", said, left)


def _telling(channels: ChannelsReport) -> Iterable[Metric]:
    views = channels.channels
    states = [({"channel": one.channel, "state": one.state}, 1) for one in views]
    yield Metric("dogwatch_channel_state", "gauge", "How a channel is: on, failing or off.", states)
    left = [({"channel": one.channel}, max(0, one.budget - one.alerts)) for one in views]
    yield Metric(
        "dogwatch_alert_budget_left", "gauge", "Alerts that a channel may get within the hour.", left
    )
    waiting = [({"channel": one.channel}, one.waiting) for one in views]
    yield Metric("dogwatch_messages_waiting", "gauge", "Messages that wait to be delivered.", waiting)
    sent = [({"channel": one.channel}, one.sent) for one in views]
    yield Metric("dogwatch_messages_sent", "gauge", "Messages delivered, as far as remembered.", sent)
    failed = [({"channel": one.channel}, one.failed) for one in views]
    yield Metric("dogwatch_messages_failed", "gauge", "Messages given up, as far as remembered.", failed)


def _models(store: Store, now: datetime) -> Iterable[Metric]:
    series = {
        headroom_series(provider, what).key: {"provider": provider, "what": what}
        for provider in PROVIDERS
        for what in _ALLOWED
    }
    known = store.levels(list(series), now - LATELY)
    left: list[Sample] = [(labels, known[key][-1][1]) for key, labels in series.items() if key in known]
    said = "What a provider of models said last, within 24 hours, that it still allows."
    yield Metric("dogwatch_model_headroom", "gauge", said, left)


def _by(found: Mapping[str, float] | Mapping[str, int]) -> list[Sample]:
    return [({"connector": name}, value) for name, value in sorted(found.items())]
