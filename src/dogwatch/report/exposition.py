"""Figures in Prometheus' text format 0.0.4 (prometheus/docs, exposition formats)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with all its samples. A summary's ``_sum`` and ``_count`` stand beside it."""

    name: str
    kind: Literal["gauge", "counter", "summary"]
    help: str
    samples: Sequence[Sample] = field(default_factory=list[Sample])
    sums: Sequence[tuple[Mapping[str, str], float, int]] = ()
    """(labels, sum, count) of a summary."""


def exposition(metrics: Iterable[Metric]) -> str:
    """The text; a metric without samples is left out."""
    lines: list[str] = []
    for metric in metrics:
        if not metric.samples and not metric.sums:
            continue
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        lines += [f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in metric.samples]
        for labels, total, count in metric.sums:
            lines.append(f"{metric.name}_sum{_labels(labels)} {_number(total)}")
            lines.append(f"{metric.name}_count{_labels(labels)} {count}")
    return "\n".join([*lines, ""])


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def quantiles(ascending: Sequence[float], wanted: Sequence[float]) -> list[tuple[float, float]]:
    """(quantile, value) by the nearest rank."""
    last = len(ascending) - 1
    return [(share, ascending[round(share * last)]) for share in wanted] if ascending else []
