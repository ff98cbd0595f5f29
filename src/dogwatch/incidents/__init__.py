"""Findings in, incidents out: one for each root cause, with what follows from it. Pure."""

from dogwatch.incidents.correlate import correlate
from dogwatch.incidents.known import Correlation, Known
from dogwatch.incidents.trouble import Past

__all__ = ["Correlation", "Known", "Past", "correlate"]
