"""Numbers and codes that platforms print, and the class of cause that their documentation gives each.

Sources: SQLSTATE (SQL standard, PostgreSQL A, ODBC), MySQL and SQL Server error numbers, Oracle's ORA
codes, HTTP status codes (RFC 9110), Snowflake's six-digit codes, ClickHouse's ``ErrorCodes``, Entra's AADSTS
codes, errno, exit codes.
Every pattern here has bounded repetition, so matching is linear in the text.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dogwatch.model.cause_class import CauseClass

AUTH, DATA, BUG, LOCK = (
    CauseClass.auth_permission,
    CauseClass.bad_data,
    CauseClass.code_bug,
    CauseClass.concurrency_lock,
)
CONFIG, DOWN, NET, FAULT = (
    CauseClass.config_error,
    CauseClass.dependency_outage,
    CauseClass.network_timeout,
    CauseClass.platform_fault,
)
QUOTA, FULL, DRIFT, GONE = (
    CauseClass.quota_rate_limit,
    CauseClass.resource_exhaustion,
    CauseClass.schema_drift,
    CauseClass.upstream_missing,
)

Meaning = tuple[CauseClass, int]
"""Class and strength."""


@dataclass(frozen=True)
class CodeHit:
    """A code found in a text."""

    cause_class: CauseClass
    strength: int
    rule: str
    start: int
    end: int


def _table(*rows: tuple[str, CauseClass, int]) -> dict[str, Meaning]:
    return {code: (cause, strength) for codes, cause, strength in rows for code in codes.split()}


SQLSTATE = _table(
    ("08 08000 08003 08006 08007", NET, 2),
    ("08001 08004 57P01 57P02 57P03", DOWN, 2),
    ("08P01 08S01 HYT00 HYT01 57P05 25P03", NET, 3),
    ("0A", BUG, 2),
    ("21 22 23 44", DATA, 3),
    ("25006 F0 IM002 IM003 55000", CONFIG, 3),
    ("25 26 34 2F 38 39 07 0Z 20", BUG, 2),
    ("28 42501", AUTH, 4),
    ("3D 3F", GONE, 3),
    ("40 55P03 55006", LOCK, 4),
    ("42", BUG, 3),
    ("42000", BUG, 1),
    ("42P01 42S02", GONE, 4),
    ("42704 58P01 P0002 02", GONE, 3),
    ("42703 42S22 42804 42P16 42846 42S21 42701", DRIFT, 3),
    ("42P07 42710 42S01 42P06 42P04", BUG, 3),
    ("53", FULL, 4),
    ("54", FULL, 2),
    ("57014", NET, 2),
    ("57P04", GONE, 3),
    ("58", FAULT, 2),
    ("72", FULL, 3),
    ("HV", DOWN, 1),
    ("XX", FAULT, 3),
)
"""Whole states first, then their two-character class."""

MYSQL = _table(
    ("1044 1045 1095 1130 1142 1143 1227 1370 1396 1410 1698 1820 1862 3118 3159", AUTH, 4),
    ("1046 1153 1193 1231 1251 1290 1298 1336 1419 1785 1786 1836 2026 2059 2061 3098", CONFIG, 3),
    ("1048 1062 1169 1216 1217 1263 1264 1265 1292 1300 1364 1365 1366 1367 1406", DATA, 4),
    ("1411 1416 1451 1452 1526 1557 1586 1690 1761 3140 3141 3819 4025", DATA, 4),
    ("1049 1051 1109 1146 1236", GONE, 4),
    ("1054 1136 1166 1058 1060 1072 1091 1110", DRIFT, 3),
    ("1052 1055 1056 1064 1066 1093 1111 1140 1149 1241 1242 1248 1305 1318 1327 1582", BUG, 4),
    ("1005 1006 1007 1050 1061 1068 1304 1359", BUG, 2),
    ("1020 1099 1100 1205 1206 1213 1223 1614 1637 3058 3572", LOCK, 4),
    ("1021 1037 1038 1040 1041 1114 1135 1436 3170", FULL, 4),
    ("1129", AUTH, 3),
    ("1203 1226", QUOTA, 4),
    ("1158 1159 1160 1161 1184 1189 1190 1317 1969 2005 2006 2013 2055 3024", NET, 4),
    ("1053 1077 1079 2002 2003 2004", DOWN, 3),
    ("1034 1035 1194 1195 1712 1815 1872", FAULT, 3),
)

SQL_SERVER = _table(
    ("229 230 262 297 300 916 4060 15247 18452 18456 18470 18486 18487 18488 40532 40615 47073", AUTH, 4),
    ("102 103 105 137 156 170 174 195 201 214 2812 8120 8144 8145 8146 8178", BUG, 3),
    ("208 3701 4902 4701", GONE, 4),
    ("207 213 110 109 121 4924 8101 206", DRIFT, 4),
    ("220 232 241 242 245 248 257 295 512 515 544 547 2601 2627 2628 4863 4864 8114 8115 8134 8152", DATA, 4),
    ("701 802 1101 1105 5149 8645 8651 9002 40544", FULL, 4),
    ("1204 1205 1222 3960 3961 5061 41302 41305 41325 41839", LOCK, 4),
    ("10928 10929 40501 40549 40550 40551 40552 40553 49918 49919 49920 10936", QUOTA, 4),
    ("-2 53 64 233 258 10053 10054 10060 11001", NET, 3),
    ("40143 40197 40540 40613 42108 42109 10061 5011", DOWN, 4),
    ("823 824 825 3624 605", FAULT, 4),
    ("3906 3908 468 4064", CONFIG, 3),
)

ORACLE = _table(
    ("01004 01005 01017 01031 01045 28000 28001 28002 28009 41900 41901", AUTH, 4),
    ("00001 00932 01400 01401 01407 01426 01427 01438 01476 01722 01830 01839 01840 01841 01843", DATA, 4),
    ("01847 01858 01861 01862 02290 02291 02292 02293 02437 06502 12899 22835 30926 01489", DATA, 4),
    ("00017 00018 00020 00257 01000 01536 01555 01628 01631 01632 01652 01653 01654 01691 01692", FULL, 4),
    ("01693 04030 04031 04036 12516 12518 12519 12520 19809 19815 27102 30036", FULL, 4),
    ("02391 02392 02395", QUOTA, 4),
    ("00054 00060 00104 02049 04020 04021 08176 08177 14411 30006", LOCK, 4),
    ("00900 00901 00903 00905 00906 00907 00908 00909 00911 00917 00918 00921 00922 00923", BUG, 4),
    ("00926 00928 00933 00936 00937 00955 00957 00972 00979 01008 01036 01745 01747", BUG, 4),
    ("01756 01789 06550 06553 04061 04063 04068 06508", BUG, 3),
    ("00904 00913 00947", DRIFT, 4),
    ("00942 01403 02019 01435 04043 06564 22288 29283 08103 01291 01292", GONE, 4),
    ("00600 07445 00603 01578 00227", FAULT, 4),
    ("01033 01034 01089 01090 01092 01109 01219 12521 12526 12527 12528 12541 27101", DOWN, 4),
    ("00028 01012 01013 02396 02399 03113 03114 03135", NET, 4),
    ("03136 12170 12535 12537 12545 12547 12560 12570", NET, 4),
    ("12571 12592 12606 12609 12543 17002 17410", NET, 4),
    ("12154 12504 12505 12514 12162 12533 28040 28759 28860 29024 01950 12638 12650 12705 12569", CONFIG, 4),
)

SNOWFLAKE = _table(
    ("000606 090073 090105 090106 090107 251001 251005 251006 251007 251008 250003", CONFIG, 4),
    ("000603 300002 300010 370001 000707", FAULT, 4),
    ("000604 000630", NET, 3),
    ("000625 000628 000639 000629", LOCK, 4),
    ("000904 100080 001789 002057", DRIFT, 4),
    ("001003 001007 001044 000979 002140 002141 100132 100183 100357 000938", BUG, 3),
    ("002003 002043 091016 091003 253006", GONE, 3),
    ("003001 003540 003007", AUTH, 4),
    ("390100 390101 390102 390103 390104 390110 390111 390112 390114 390144 390186 390189 390195", AUTH, 4),
    ("390201 390302 390303 390318 390422 390432", AUTH, 4),
    ("100016 100035 100038 100039 100040 100041 100046 100051 100065 100069 100071 100072 100078", DATA, 4),
    ("100082 100088 100089 100090 100096 100097 100144 100145 100152", DATA, 4),
    ("001757 002049", QUOTA, 2),
)

HTTP = _table(
    ("400 406 411 414 416 417 431 505", CONFIG, 1),
    ("401 403 407 511", AUTH, 3),
    ("404 410", GONE, 3),
    ("405 415 501", BUG, 2),
    ("408 504 524 598 599", NET, 3),
    ("409 412", LOCK, 2),
    ("423", LOCK, 3),
    ("413", QUOTA, 2),
    ("422", DATA, 2),
    ("402 429 420", QUOTA, 4),
    ("500 520", DOWN, 2),
    ("502 503 521 522 523 529 530", DOWN, 3),
    ("507", FULL, 3),
)

AADSTS = _table(
    ("90002 90023 500011 50011 900023 70011 650057", CONFIG, 4),
    ("700016 50001 50194 65005 90014 900144 900971 50059", CONFIG, 4),
    ("90033 90012 90055 50087", DOWN, 4),
    ("50196", QUOTA, 4),
    ("90036 50000", FAULT, 3),
)
"""What is not listed is about who may sign in: ``auth_permission``."""

EXIT = _table(
    ("137 -9 9", FULL, 3),
    ("139 -11 134 -6 -7 135", BUG, 3),
    ("143 -15 15", FAULT, 2),
    ("126", CONFIG, 3),
    ("127", CONFIG, 3),
    ("124", NET, 3),
)

ERRNO = _table(
    ("1 13", AUTH, 4),
    ("2", GONE, 4),
    ("5 30", FAULT, 3),
    ("11 16 35", LOCK, 3),
    ("12 23 24 28 122", FULL, 4),
    ("32 101 103 104 110 113 54 60 65 10053 10054 10060 11001 -2 -3 -5", NET, 4),
    ("61 111 10061", DOWN, 4),
    ("98 48", CONFIG, 4),
    ("22", BUG, 1),
)

Lookup = Callable[[str], Meaning | None]


def _sqlstate(code: str) -> Meaning | None:
    return SQLSTATE.get(code) or SQLSTATE.get(code[:2])


def _aadsts(code: str) -> Meaning | None:
    return AADSTS.get(code, (AUTH, 4))


CLICKHOUSE = _table(
    ("6 26 27 32 33 38 40 41 69 72 117 131 246 321 349 407 469", DATA, 4),
    ("10 16 20 44 47 53 70 122 386 352", DRIFT, 4),
    ("42 43 46 48 62 63 184 215 306", BUG, 4),
    ("49 999 1000 1001 1002", FAULT, 2),
    ("36 50 56 73 115 164 242 344 392 450 452 701", CONFIG, 3),
    ("60 81 107 218 232 336", GONE, 4),
    ("158 173 203 241 243 252 307 396 439", FULL, 4),
    ("192 193 194 195 291 497 516", AUTH, 4),
    ("198 159 160 209 210 394", NET, 4),
    ("201 202", QUOTA, 4),
    ("216 473 517", LOCK, 4),
    ("225 279 285 319", DOWN, 4),
)

_STATE = r"(?=[0-9A-Z]{0,4}\d)([0-9A-Z]{5})"
"""Five characters, at least one of them a digit, so that a word of five capitals is none."""
_MADE_UP = r"(?i:(?:sql ?)?state(?: code)?)\W{0,3}S0\d{3}\b"
"""The JDBC driver of SQL Server makes up such a state of the error's own, which shows whose number stands
beside it, whatever language the server speaks."""
_VENDOR = r"(?i:(?:vendor|error) ?code)"
_HTTP_NAMES = r"http/\d(?:\.\d)?|http(?: status| error| code| response)?|status(?: ?code)?|response(?: code)?"
_EXIT_NAMES = r"exit(?:ed)?(?: with)? ?(?:code|status|value)|exitcode|return ?code"
_PATTERNS: tuple[tuple[str, re.Pattern[str], Lookup], ...] = tuple(
    (name, re.compile(pattern), lookup)
    for name, pattern, lookup in (
        ("SQLSTATE", r"(?i:sql ?state)(?i: code)?[^\w\n]{0,4}\[?" + _STATE + r"\b", _sqlstate),
        ("SQLSTATE", r"(?i:error|fatal)[^\w\n]{1,3}" + _STATE + r"(?=[:\s)\]])", _sqlstate),
        ("SQLSTATE", r"[(\[]" + _STATE + r"[)\]]", _sqlstate),
        ("MySQL error", r"(?i:error(?: code| number|no)?|errno|code)[^\w\n]{1,3}([1-4]\d{3})\b", MYSQL.get),
        ("MySQL error", r"\(([1-4]\d{3}), ?[\"'b]", MYSQL.get),
        ("SQL Server error", r"\b(?i:msg) (\d{2,5})\b", SQL_SERVER.get),
        ("SQL Server error", r"(?i:sql ?(?:server )?error(?: ?number)?)\W{0,3}(\d{2,5})\b", SQL_SERVER.get),
        ("SQL Server error", r"\bError Number:(\d{2,5}),State:\d{1,3},Class:\d", SQL_SERVER.get),
        ("SQL Server error", _MADE_UP + r"\W{1,4}" + _VENDOR + r"\W{0,3}(\d{2,5})\b", SQL_SERVER.get),
        ("SQL Server error", _VENDOR + r"\W{0,3}(\d{2,5})\W{1,4}" + _MADE_UP, SQL_SERVER.get),
        ("Oracle error", r"\b(?:ORA|TNS)-(\d{5})\b", ORACLE.get),
        ("Snowflake error", r"\b(\d{6}) ?(?:\([0-9A-Z]{5}\)|:)", SNOWFLAKE.get),
        ("ClickHouse error", r"\bcode: (\d{1,4}), message:", CLICKHOUSE.get),
        ("ClickHouse error", r"\bCode: (\d{1,4})\. DB::", CLICKHOUSE.get),
        ("AADSTS", r"\bAADSTS(\d{4,9})\b", _aadsts),
        ("exit code", r"(?i:" + _EXIT_NAMES + r")[^\w\n-]{0,3}(-?\d{1,3})\b", EXIT.get),
        ("exit code", r"\bError:? {1,2}(12[4-7]|13[4-9]|143)\b", EXIT.get),
        ("errno", r"(?i:errno|os error|winerror)\W{0,2}(-?\d{1,5})\b", ERRNO.get),
        ("HTTP status", r"(?i:" + _HTTP_NAMES + r")\W{1,4}([45]\d\d)\b(?![.:]\d)", HTTP.get),
        ("HTTP status", r"(?i:returned|error(?: code)?|code)\W{1,4}([45]\d\d)\b(?![.:]\d)", HTTP.get),
        ("HTTP status", r"(?<![\w.:])([45]\d\d) (?=(?:[A-Z][a-z]+ ){0,2}[A-Z][a-z]+)", HTTP.get),
    )
)


def find_codes(text: str) -> Iterator[CodeHit]:
    """Every known code in a raw (not normalised) text; of each code the last occurrence."""
    for name, pattern, lookup in _PATTERNS:
        last: dict[str, CodeHit] = {}
        for match in pattern.finditer(text):
            meaning = lookup(match[1])
            if meaning is not None:
                cause, strength = meaning
                last[match[1]] = CodeHit(cause, strength, f"{name} {match[1]}", match.start(), match.end())
        yield from last.values()
