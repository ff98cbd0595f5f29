"""Lines to shapes: everything that is a value by its own look becomes one variable byte.

The work is done by one big expression over many lines at once. Three conventions make that fast:

* A *key* is a line after one ``bytes.translate``: every digit is ``0`` and every control character a blank,
  so that most lines of a log have a key that was seen before. A key is as long as its line.
* A *shape* is a key after masking: ``VAR`` for every value, runs of ``0`` and of blanks shortened to one.
* A ``0`` that is left in a shape belongs to a word (``ssh2``, ``L3``, ``eth0``); the digits that stood there
  decide later whether it is part of the text or a value (see ``shapes``).

Every expression is possessive or bounded, so that no input takes more than linear time.
"""

import re

VAR = b"\0"
"""One variable in a shape. Cannot come from a line: control characters have become blanks."""

LONGEST = 4096
"""Bytes of a line that are looked at; the rest belongs to its last variable."""

_BLANK, _ZERO, _NEWLINE = 32, 48, 10
KEY_TABLE = bytes(
    _BLANK if (b < _BLANK and b != _NEWLINE) or b == 127 else _ZERO if 49 <= b <= 57 else b
    for b in range(256)
)
"""The translation from line to key."""

_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*+"
_WEEKDAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*+"
_CLOCK = rb"0{1,2}:00(?::00(?:[.,]0++)?)?(?: ?[AP]M)?"
_HEX = rb"[0a-fA-F]"
_TLD = (
    rb"(?:com|net|org|edu|gov|mil|info|biz|local|internal|lan"
    rb"|(?:com|co|net|org|ac|edu|gov|ne|or|go)\.[a-z]{2}"
    rb"|de|fr|uk|jp|cn|ru|br|nl|eu|ca|au|ch|se|kr|tw|it|es|pl)"
)

_WORDS = (
    # a date with a clock, as ctime, syslog, RFC 3339, Apache and their relatives write it
    _WEEKDAY
    + rb",? (?:"
    + _MONTH
    + rb" +0{1,2}|0{1,2} "
    + _MONTH
    + rb"),?(?: 0000)? "
    + _CLOCK
    + rb"(?: (?:[A-Z]{3,4}|[+-]0000))?(?: 0000)?(?!\w)",
    _MONTH + rb" +0{1,2}(?:,? 0000)?,? " + _CLOCK + rb"(?: 0000)?(?!\w)",
    # words that are values wherever they stand; hexadecimal digits without a decimal one
    rb"(?:[tT](?:rue|RUE)|[fF](?:alse|ALSE)|[nN](?:ull|ULL)|root|ROOT)(?![\w.-])",
    rb"[a-f]{8,}+(?!\w)",
)
"""Values that look like words; everything else is tried only where there is more than a plain word."""

_VALUES = (
    rb"0000[-/.]00[-/.]00(?:[T ]00:?00(?::?00(?:[.,:]0++)?)?(?:Z| ?[+-]00:?00)?)?(?!\w)",
    rb"0{1,2}[-/ ](?:" + _MONTH + rb"|0{1,2})[-/ ]0000(?:[: ]" + _CLOCK + rb")?(?: [+-]0000)?(?!\w)",
    # URL, e-mail address
    rb"[A-Za-z][A-Za-z0+.-]*+://(?:[^ \n\"'<>,;:)\]}.]|[,;:)\]}.](?=[^ \n\"'<>,;:)\]}.]))++",
    rb"[\w.+-]++@(?:[\w-]++\.)++[A-Za-z]{2,}+(?!\w)",
    # host name, IPv4 address with port or prefix, UUID, MAC address, IPv6 address
    rb"\w++(?:[.-]\w++)*\." + _TLD + rb"(?::0++)?(?![\w]|[.-]\w)",
    rb"(?=[A-Za-z_-]*+0)[\w-]++(?:\.[\w-]++)+\.[a-z]{2}(?![\w.-])",
    # a host's name before its address or its port, as Java writes both
    rb"[A-Za-z][\w.-]*+/0++(?:\.0++){3}(?::0++)?(?!\w)",
    rb"(?=[A-Za-z_-]*+0)[A-Za-z][\w-]*+(?:\.[\w-]++)*+:0{4,5}(?![\w:-]|\.\w)",
    rb"(?:::ffff:|/)?0++(?:\.0++){3}(?::0++)?(?:/0++)?(?!\w)",
    _HEX + rb"{8}-(?:" + _HEX + rb"{4}-){3}" + _HEX + rb"{12}(?!\w)",
    _HEX + rb"{2}(?:[:-]" + _HEX + rb"{2}){5,}+(?!\w)",
    rb"(?=[:a-fA-F]*+0)" + _HEX + rb"{1,4}(?:::?" + _HEX + rb"{1,4}){3,7}(?![\w:])",
    # paths: Windows, UNC, absolute, relative with two slashes or with a dot
    rb"[A-Za-z]:\\[^ \n\"'<>|,;)\]]*+",
    rb"\\\\[^ \n\"'<>|,;)\]]++",
    rb"(?<==)/(?![^ \n])",
    rb"(?<![/<.])(?:~|\.{1,2})?/(?=[\w.@%+~$#*{}?-])(?:[\w@%+~$#*\\{}&?!-]|/|[:=](?=[\w/.])|\.(?=[\w/-]))*+",
    rb"[\w.-]++(?:/[\w.@%+~$#-]++){2,}+",
    rb"[\w-]++(?:\.[\w-]++)++/[\w.$-]*+\w",
    rb"[\w-]++/\.?(?!0)[\w-]*+(?:\.[\w$-]++)++",
    # numbers: hexadecimal, versions, everything that begins with a digit
    rb"0[xX]" + _HEX + rb"++(?!\w)",
    rb"v?0++(?:\.0\w*+)++(?:[-_+~](?:0|rc|alpha|beta|snapshot|SNAPSHOT|release|RELEASE|final|dev|git|el|p)[\w.]*+)*+",
    rb"(?:[-+]|(?<= )[<>~])?0\w*+(?:[.:/]0\w*+|,000(?!\w))*+%?",
    rb"(?<!\.)[-+]?\.0++(?!\w)",
    rb"(?=[a-fA-F]*+0)(?:[0a-f]{4,}+|[0A-F]{4,}+)(?!\w)",
    # packages with all that identifies them: name~key~architecture~~version
    rb"(?=[\w.-]++~)(?=[A-Za-z_.~-]{0,64}+0)[\w.-]++(?:~++[\w.-]*+)++",
    # Kubernetes pods; identifiers: blk_0, rdd_0_0, attempt_0_m_0, R0-M0-N0, and random letters and digits
    rb"[a-z][a-z0-]*?-[0a-f]{8,10}-[a-z0]{5}(?![\w-])",
    rb"(?=[A-Za-z_-]*+0\w*+-[A-Za-z_-]*+0)[\w-]++",
    rb"[A-Za-z]\w*?_-?0\w*+(?:[.-]0\w*+)*+",
    rb"(?=(?:[A-Za-z]*+0++[A-Za-z]++){2})\w{8,}+",
)
_MASK = re.compile(
    rb"(?<!\w)(?:(?![A-Za-z]++[ \n,;)\]])(?:" + rb"|".join(_VALUES) + rb")|" + rb"|".join(_WORDS) + rb")"
)
_DIGITS = re.compile(rb"00++")
_BLANKS = re.compile(rb"  ++")
_JOINED = re.compile(rb"\0(?:(?:[.:/#@_]?|-\0-(?=\0))\0)+|\0(?:,? ?\0){8,}+")


def to_shapes(keys: list[bytes]) -> list[bytes]:
    """The shape of each key. Keys hold no newline; the answer has the same length and order."""
    text = _MASK.sub(VAR, b"\n".join(keys))
    text = _BLANKS.sub(b" ", _DIGITS.sub(b"0", text))
    return _JOINED.sub(VAR, text).split(b"\n")


_ZEROS = re.compile(rb"0++")


def soft_digits(key: bytes) -> list[tuple[int, int]]:
    """Where, as (start, end), the digits of a key stand that are still in its shape, in order."""
    masked = _MASK.sub(lambda match: VAR * len(match[0]), key)
    return [match.span() for match in _ZEROS.finditer(masked)]


_MARKS = re.compile(rb"([ ,;:=()\[\]{}<>\"'|]+)")


def split_shape(shape: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The words of a shape and the blanks and marks between them, of which there is one less."""
    parts = _MARKS.split(shape)
    return tuple(parts[::2]), tuple(parts[1::2])
