"""Logs of invented systems with known templates, for measuring the miner on more than one kind of log.

The templates are in ``logs_corpus.txt``, each with its weight. ``{kind}`` is a variable; the true template
has ``<*>`` there.
The messages are written for this purpose, in the manner of the software they are named after.
"""

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Draw = Callable[[random.Random], str]


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


_NAMES = words(
    """
    alice bob carol dmitri elena farouk greta hiro ines jonas kofi lena marco nadia oskar priya quentin
    rosa sven tara umar vera wanda xavier yusuf zoe anders bruno chiara diego root admin deploy jenkins
    postgres backup svc_etl ci-runner guest nagios
    """
)
_HOSTS = words(
    """
    orion vega rigel atlas titan hermes apollo ceres juno pallas vesta hydra lyra draco cygnus aquila
    castor pollux mimas dione
    """
)
_TABLES = words(
    """
    orders customers invoices payments shipments line_items order_items raw_events dim_customer
    fct_sales stg_orders sessions page_views inventory products suppliers returns refunds users accounts
    """
)
_DAGS = words(
    """
    daily_sales load_orders refresh_dims export_finance sync_crm churn_model nightly_backup
    hourly_ingest
    """
)
_TASKS = words(
    """
    extract transform load validate notify publish dedupe merge_partitions build_report upload_to_s3
    """
)
_PODS = words(
    """
    checkout payments catalog search frontend billing inventory auth-proxy notifier gateway
    """
)
_CLASSES = words(
    """
    OrderService PaymentGateway InvoiceMapper CustomerRepository StockListener MailSender TokenFilter
    AuditTrail ReportBuilder PriceCalculator
    """
)
_FILES = words(
    """
    report.csv invoice.pdf scan.tiff data.parquet model.pkl users.json orders.avro image.png
    """
)


def _letters(n: int) -> Draw:
    return lambda r: "".join(r.choices(string.ascii_lowercase, k=n))


def _hex(n: int) -> Draw:
    return lambda r: "".join(r.choices("0123456789abcdef", k=n))


def _one(words: list[str]) -> Draw:
    return lambda r: r.choice(words)


def _int(low: int, high: int) -> Draw:
    return lambda r: str(r.randint(low, high))


def _uuid(r: random.Random) -> str:
    return "-".join(_hex(n)(r) for n in (8, 4, 4, 4, 12))


def _ip(r: random.Random) -> str:
    return f"10.{r.randint(0, 40)}.{r.randint(0, 255)}.{r.randint(1, 254)}"


def _day(r: random.Random) -> str:
    return f"2025-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}"


def _clock(r: random.Random) -> str:
    return f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:{r.randint(0, 59):02d}"


KINDS: dict[str, Draw] = {
    "int": _int(0, 99999),
    "small": _int(0, 12),
    "port": _int(1024, 65535),
    "pid": _int(100, 32000),
    "ms": _int(1, 4000),
    "float": lambda r: f"{r.random() * 100:.3f}",
    "pct": lambda r: f"{r.randint(0, 100)}%",
    "size": lambda r: f"{r.random() * 900:.1f} {r.choice(['KB', 'MB', 'GB'])}",
    "ip": _ip,
    "ipport": lambda r: f"{_ip(r)}:{r.randint(1024, 65535)}",
    "mac": lambda r: ":".join(_hex(2)(r) for _ in range(6)),
    "user": _one(_NAMES),
    "host": _one(_HOSTS),
    "fqdn": lambda r: f"{r.choice(_HOSTS)}.dc{r.randint(1, 4)}.example.com",
    "node": lambda r: f"{r.choice(_HOSTS)}{r.randint(1, 64):02d}",
    "email": lambda r: f"{r.choice(_NAMES)}@example.org",
    "uuid": _uuid,
    "hex8": _hex(8),
    "flags": lambda r: f"0x{_hex(8)(r)}",
    "null": lambda r: "null",
    "root": lambda r: "root",
    "action": lambda r: f"com.acme.intent.{_letters(8)(r)}",
    "hex16": _hex(16),
    "hex40": _hex(40),
    "addr": lambda r: f"0x{r.getrandbits(48):012x}",
    "token": lambda r: "".join(r.choices(string.ascii_letters + string.digits, k=20)),
    "word": _letters(9),
    "path": lambda r: f"/var/{r.choice(['lib', 'data', 'spool'])}/{_letters(6)(r)}/{r.choice(_FILES)}",
    "image": lambda r: f"registry.example.com/{r.choice(_PODS)}:{r.randint(1, 9)}.{r.randint(0, 20)}",
    "http": lambda r: "1.1",
    "replica": lambda r: f"{r.choice(_PODS)}-{_hex(10)(r)}",
    "rate": lambda r: f"{r.randint(1, 9)}/60s",
    "wpath": lambda r: f"C:\\Data\\{_letters(5)(r)}\\{r.choice(_FILES)}",
    "url": lambda r: (
        f"https://api.example.com/v{r.randint(1, 3)}/{r.choice(_TABLES)}?page={r.randint(1, 99)}"
    ),
    "route": lambda r: f"/api/v2/{r.choice(_TABLES)}/{r.randint(1, 9999)}",
    "bucket": lambda r: f"s3://acme-{r.choice(_PODS)}/{r.choice(_TABLES)}/dt={_day(r)}",
    "file": _one(_FILES),
    "table": _one(_TABLES),
    "schema": _one(words("public staging mart raw finance")),
    "dag": _one(_DAGS),
    "task": _one(_TASKS),
    "pod": lambda r: (
        f"{r.choice(_PODS)}-{_hex(9)(r)}-{''.join(r.choices('bcdfghjklmnpqrstvwxz2456789', k=5))}"
    ),
    "app": _one(_PODS),
    "cls": lambda r: f"com.acme.{r.choice(['order', 'pay', 'core'])}.{r.choice(_CLASSES)}",
    "topic": lambda r: f"{r.choice(_TABLES)}-{r.randint(0, 11)}",
    "eth": lambda r: f"{r.choice(['eth', 'bond', 'wlan'])}{r.randint(0, 7)}",
    "port_id": lambda r: f"GigabitEthernet{r.randint(0, 3)}/{r.randint(0, 47)}",
    "iso": lambda r: f"{_day(r)}T{_clock(r)}Z",
    "day": lambda r: _day(r),
    "ctime": lambda r: (
        f"{r.choice(['Mon', 'Tue', 'Fri'])} {r.choice(['Jan', 'Nov'])} 1{r.randint(0, 9)} {_clock(r)} 2025"
    ),
    "version": lambda r: f"{r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}",
    "bool": _one(["true", "false"]),
    "mailid": lambda r: "".join(r.choices("0123456789ABCDEF", k=10)),
    "kb": lambda r: f"KB{r.randint(2000000, 5999999)}",
    "pkg": lambda r: (
        f"Package_for_KB{r.randint(10**6, 10**7)}~31bf3856ad364e35~amd64~~6.1.1.{r.randint(0, 9)}"
    ),
    "bssid": lambda r: KINDS["mac"](r),
    "secs": lambda r: f"{r.random() * 1e6:.6f}",
    "attempt": lambda r: (
        f"attempt_{r.randint(10**12, 10**13)}_0001_m_{r.randint(0, 99):06d}_{r.randint(0, 3)}"
    ),
    "container": lambda r: f"container_{r.randint(10**12, 10**13)}_0001_01_{r.randint(0, 99):06d}",
    "proc": _one(words("Safari Mail Finder Dock Slack zoom.us Xcode iTerm2 Spotlight")),
    "bundle": lambda r: f"com.acme.{r.choice(words('keychain calendar drive photos updater suggestd'))}",
    "svc": _one(words("cron nginx docker sshd rsyslog chronyd postfix firewalld kubelet containerd")),
    "unit": lambda r: f"{r.choice(words('cron nginx docker sshd rsyslog chronyd postfix'))}.service",
    "person": _one(["Ann Lee", "Bo Chen", "Carl Fox", "Dee Ruiz", "Eve Moss"]),
    "dev": lambda r: f"sd{r.choice('abcdef')}{r.randint(1, 4)}",
    "pci": lambda r: f"0000:{r.randint(0, 99):02d}:{r.randint(0, 31):02d}.{r.randint(0, 7)}",
    "ptr": lambda r: f"@{r.getrandbits(32):08x}",
    "lang": _one(words("en de fr it pl")),
    "meth": _one(words("GET POST PUT")),
    "sensor": lambda r: f"{r.choice(['temp', 'hum', 'press'])}_{r.randint(1, 30)}",
    "dur": lambda r: r.choice(
        [f"{r.randint(1, 999)} ms", f"{r.random() * 50:.1f} s", f"{r.random():.1f} min"]
    ),
    "hostport": lambda r: f"{r.choice(_HOSTS)}:{r.randint(1000, 60000)}",
    "rack": lambda r: f"/default-rack/{r.choice(_HOSTS)}{r.randint(1, 99)}",
    "hdfs": lambda r: f"hdfs://{r.choice(_HOSTS)}:9000",
    "bp": lambda r: f"BP-{r.randint(1, 10**9)}-{_ip(r)}-{r.randint(1, 10**12)}",
    "blk": lambda r: f"blk_{r.randint(1, 10**9)}_{r.randint(1, 9999)}",
    "build": lambda r: f"lcy02-amd64-{r.randint(1, 99)}",
    "ext": _one(words("pdf png docx zip csv")),
    "exc": _one(words("java.io.IOException java.lang.NullPointerException java.net.ConnectException")),
}
"""How each sort of variable is drawn."""


def _systems() -> dict[str, list[tuple[int, str]]]:
    """Per system its templates and how often each appears, from the file beside this one."""
    systems: dict[str, list[tuple[int, str]]] = {}
    for line in (Path(__file__).parent / "logs_corpus.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            systems[line.strip("[]")] = []
        elif line:
            weight, template = line.split("|", 1)
            systems[next(reversed(systems))].append((int(weight), template))
    return systems


SYSTEMS = _systems()


@dataclass(frozen=True, slots=True)
class Corpus:
    """Messages of one system, and the true template of each."""

    name: str
    messages: list[str]
    truth: list[str]


def _split(template: str) -> Iterator[tuple[str, str | None]]:
    for text, kind, _, _ in string.Formatter().parse(template):
        yield text, kind


def corpus(name: str, lines: int = 2000, seed: int = 1) -> Corpus:
    """So many lines of a system; every template appears at least once."""
    r = random.Random(f"{name}{seed}")
    weights, templates = zip(*SYSTEMS[name], strict=True)
    chosen = [*templates, *r.choices(templates, weights, k=max(0, lines - len(templates)))]
    r.shuffle(chosen)
    messages, truth = [], []
    for template in chosen:
        message = true = ""
        for text, kind in _split(template):
            message += text
            true += text
            if kind is not None:
                message += KINDS[kind](r)
                true += "<*>"
        messages.append(message)
        truth.append(true)
    return Corpus(name, messages, truth)
