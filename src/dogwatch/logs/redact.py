"""Secrets and personal data in log text, masked before anything is stored or shown.

What has the form of a credential goes whatever its name; what has the name of one goes whatever its form.
The values are replaced, the names stay, so that a reader still sees what the line was about.
"""

import re

MASK = "***"

_NAMES = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|secret[_-]?key|private[_-]?key"
    r"|client[_-]?secret|auth[_-]?token|access[_-]?token|refresh[_-]?token|session[_-]?token|id[_-]?token"
    r"|authorization|x-api-key|cookie|set-cookie|sas|sig|signature|connection[_-]?string|account[_-]?key"
)
_VALUE = r"(?:\"[^\"]*+\"|'[^']*+'|[^\s,;&\"'<>)\]}]++)"

_FORMS = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
    r"|hooks\.slack\.com/services/[\w/]++|(?<![\w-])(?:"
    + "|".join(
        (
            r"(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{16}\b",
            r"AIza[\w-]{35}",
            r"ya29\.[\w-]{10,}+",
            r"(?:gh[pousr]_|github_pat_)\w{20,}+",
            r"(?:glpat|xox[abeoprs]|xapp|pypi)-[\w-]{10,}+",
            r"(?:sk|rk|pk)[-_](?:live|test|proj|ant|lf)?[-_]?[\w-]{16,}+",
            r"dapi[0-9a-f]{32}(?:-\d)?\b",
            r"npm_\w{30,}+",
            r"dckr_pat_[\w-]{20,}+",
            r"SG\.[\w-]{16,}+\.[\w-]{16,}+",
            r"eyJ[\w-]{8,}+\.[\w-]{4,}+\.?[\w-]*+",
        )
    )
    + ")"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|token) +(?=[\w+/=.~-]{12,})(?=[^\s]*[\d=._-])[\w+/=.~-]++")
_USER_INFO = re.compile(r"(?<=://)[^\s/:@]*+:[^\s/@]++@")
_NAMED = re.compile(
    rf"(?i)(?<![A-Za-z])([\"']?(?:[\w.-]{{0,30}}[_.-])?(?:{_NAMES})[\"']?(?:=| ?: ?| ?=> ?| ?:= ?))"
    rf"(?:(?:bearer|basic) +)?{_VALUE}"
)
_OBJECT = re.compile(r"[A-Z][A-Za-z]*+[{(\[]")
"""How Java and Kotlin print an object, Token{a64f992 …}: a name of ours, not what it is made of."""
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_HINTS = re.compile(
    r"(?i)[@:=]|\d{4}|-----|_|eyJ|bearer|basic|token|akia|asia|ya29|xox|sk-|slack|glpat|npm|pypi|dapi"
)


def redact(text: str) -> str:
    """The text with every secret and personal datum masked. What is masked already stays as it is."""
    if not _HINTS.search(text):
        return text
    text = _FORMS.sub(MASK, text)
    text = _USER_INFO.sub(f"{MASK}@", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _NAMED.sub(_mask_named, text)
    text = _EMAIL.sub(MASK, text)
    return _CARD.sub(_mask_card, text)


def _mask_named(match: re.Match[str]) -> str:
    value = match[0][len(match[1]) :]
    spoken = value.strip("\"'") in ("", MASK, "<*>", "null", "None") or _OBJECT.match(value)
    return match[0] if spoken else match[1] + MASK


def _mask_card(match: re.Match[str]) -> str:
    digits = [int(c) for c in match[0] if c.isdigit()]
    return MASK if digits[0] in (2, 3, 4, 5, 6) and _luhn(digits) else match[0]


def _luhn(digits: list[int]) -> bool:
    """The check digit of ISO/IEC 7812-1."""
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
