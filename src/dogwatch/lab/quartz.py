"""Five-field cron as Quartz writes it, for platforms whose schedules are Quartz expressions."""

from dogwatch.errors import LabError

_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}


def to_quartz(cron: str) -> str:
    """Six fields: seconds come first, Sunday is 1, and one of the two day fields must be ``?``.

    http://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html
    Raises LabError for a cron that restricts both days of month and days of week, which Quartz cannot say.
    """
    minute, hour, day, month, weekday = cron.split()
    if weekday == "*":
        return f"0 {minute} {hour} {day} {month} ?"
    if day != "*":
        raise LabError(f"{cron}: Quartz cannot restrict days of month and days of week at once")
    return f"0 {minute} {hour} ? {month} {_days(weekday)}"


def _days(weekday: str) -> str:
    """Cron counts from Sunday 0 (or 7), Quartz from Sunday 1."""
    days: set[int] = set()
    for part in weekday.upper().split(","):
        span, _, step = part.partition("/")
        start, _, end = ("0-6" if span == "*" else span).partition("-")
        low = _day(start)
        high = _day(end) if end else 6 if step else low
        days |= {day % 7 for day in range(low, high + 1, int(step or 1))}
    return ",".join(str(day + 1) for day in sorted(days))


def _day(word: str) -> int:
    return _DAYS[word] if word in _DAYS else int(word)
