"""Logs of twelve invented systems with known templates, for measuring the miner on more than one kind of log.

Each line of a system is ``weight | template``. ``{kind}`` is a variable; its true template has ``<*>`` there.
The messages are written for this purpose, in the manner of the software they are named after.
"""

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Draw = Callable[[random.Random], str]

_NAMES = (
    "alice bob carol dmitri elena farouk greta hiro ines jonas kofi lena marco nadia oskar priya quentin rosa sven tara "
    "umar vera wanda xavier yusuf zoe anders bruno chiara diego root admin deploy jenkins postgres backup svc_etl "
    "ci-runner guest nagios"
).split()
_HOSTS = (
    "orion vega rigel atlas titan hermes apollo ceres juno pallas vesta hydra lyra draco cygnus aquila castor pollux "
    "mimas dione"
).split()
_TABLES = (
    "orders customers invoices payments shipments line_items order_items raw_events dim_customer fct_sales stg_orders "
    "sessions page_views inventory products suppliers returns refunds users accounts"
).split()
_DAGS = "daily_sales load_orders refresh_dims export_finance sync_crm churn_model nightly_backup hourly_ingest".split()
_TASKS = (
    "extract transform load validate notify publish dedupe merge_partitions build_report upload_to_s3".split()
)
_PODS = "checkout payments catalog search frontend billing inventory auth-proxy notifier gateway".split()
_CLASSES = (
    "OrderService PaymentGateway InvoiceMapper CustomerRepository StockListener MailSender TokenFilter AuditTrail "
    "ReportBuilder PriceCalculator"
).split()
_FILES = "report.csv invoice.pdf scan.tiff data.parquet model.pkl users.json orders.avro image.png".split()


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
    "bucket": lambda r: (
        f"s3://acme-{r.choice(_PODS)}/{r.choice(_TABLES)}/dt=2025-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}"
    ),
    "file": _one(_FILES),
    "table": _one(_TABLES),
    "schema": _one(["public", "staging", "mart", "raw", "finance"]),
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
    "iso": lambda r: (
        f"2025-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}T{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:{r.randint(0, 59):02d}Z"
    ),
    "day": lambda r: f"2025-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}",
    "ctime": lambda r: (
        f"{r.choice(['Mon', 'Tue', 'Fri'])} {r.choice(['Jan', 'Mar', 'Nov'])} {r.randint(10, 28)} {r.randint(10, 23)}:{r.randint(10, 59)}:{r.randint(10, 59)} 2025"
    ),
    "version": lambda r: f"{r.randint(1, 9)}.{r.randint(0, 20)}.{r.randint(0, 9)}",
    "bool": _one(["true", "false"]),
    "mailid": lambda r: "".join(r.choices("0123456789ABCDEF", k=10)),
    "kb": lambda r: f"KB{r.randint(2000000, 5999999)}",
    "pkg": lambda r: (
        f"Package_for_KB{r.randint(2000000, 5999999)}~31bf3856ad364e35~amd64~~{r.randint(6, 10)}.{r.randint(0, 3)}.1.{r.randint(0, 9)}"
    ),
}

SYSTEMS: dict[str, str] = {
    "auth": """
        300|Accepted publickey for {user} from {ip} port {port} ssh2
        200|Failed password for {user} from {ip} port {port} ssh2
        80|Connection closed by authenticating user {user} {ip} port {port}
        60|session opened for user {user} by (uid={small})
        60|session closed for user {user}
        40|{user} : TTY=pts/{small} ; PWD={path} ; USER=root ; COMMAND={path}
        30|New session {int} of user {user}.
        30|Removed session {int}.
        25|Started Session {int} of user {user}.
        10|Server listening on 0.0.0.0 port {port}.
        8|Received signal {small}; terminating.
        6|error: kex_exchange_identification: Connection closed by remote host
        5|maximum authentication attempts exceeded for invalid user {user} from {ip} port {port} ssh2 [preauth]
        4|pam_limits: could not set limit for '{user}'
        2|Could not load host key: {path}
        1|sshd shutdown complete""",
    "database": """
        300|duration: {float} ms statement: SELECT
        250|connection received: host={ip} port={port}
        250|connection authorized: user={user} database={schema} SSL enabled
        120|disconnection: session time: {float} user={user} database={schema} host={ip} port={port}
        60|checkpoint starting: time
        60|checkpoint complete: wrote {int} buffers ({pct}); {small} WAL file(s) added, {small} removed, {small} recycled
        50|duplicate key value violates unique constraint "{table}_pkey"
        40|relation "{table}" does not exist at character {int}
        40|automatic vacuum of table "{schema}.{table}": index scans: {small}
        40|automatic analyze of table "{schema}.{table}"
        30|permission denied for table {table}
        20|password authentication failed for user "{user}"
        20|deadlock detected
        15|process {pid} detected deadlock while waiting for ShareLock on transaction {int} after {float} ms
        10|canceling statement due to statement timeout
        10|could not receive data from client: Connection reset by peer
        8|unexpected EOF on client connection with an open transaction
        6|terminating connection due to administrator command
        3|database system was shut down at {iso}
        3|database system is ready to accept connections
        2|received fast shutdown request
        1|aborting any active transactions""",
    "kubelet": """
        300|"SyncLoop (PLEG): event for pod" pod="{app}/{pod}" event="{hex8}"
        150|Started container {app}
        150|Created container {app}
        120|Pulling image "{image}"
        110|Successfully pulled image "{image}" in {float}s
        90|Readiness probe failed: HTTP probe failed with statuscode: {int}
        80|Back-off restarting failed container {app} in pod {pod}
        60|Scaled up replica set {replica} to {small}
        60|Scaled down replica set {replica} to {small}
        50|Killing container {app}: FailedPostStartHook
        40|Successfully assigned {app}/{pod} to {node}
        30|Node {node} status is now: NodeReady
        20|Node {node} status is now: NodeNotReady
        20|MountVolume.SetUp failed for volume "{word}" : secret "{word}" not found
        15|{small}/{small} nodes are available: {small} Insufficient memory, {small} Insufficient cpu
        10|Error: ErrImagePull
        10|Error: ImagePullBackOff
        5|Liveness probe failed: dial tcp {ipport}: connect: connection refused
        5|Deleted pod: {pod}
        4|Created pod: {pod}
        1|Starting kubelet.""",
    "scheduler": """
        300|Dependencies all met for <TaskInstance: {dag}.{task} scheduled__{iso} [queued]>
        200|Executing <Task(PythonOperator): {task}> on {iso}
        200|Marking task as SUCCESS. dag_id={dag}, task_id={task}, execution_date={iso}
        60|Marking task as FAILED. dag_id={dag}, task_id={task}, execution_date={iso}
        40|Marking task as UP_FOR_RETRY. dag_id={dag}, task_id={task}, execution_date={iso}
        200|Task exited with return code {small}
        120|Starting attempt {small} of {small}
        80|Running on host {fqdn}
        60|Job {int}: Subtask {task}
        50|Filling up the DagBag from {path}
        30|Setting next_dagrun for {dag} to {iso}
        30|Sending TaskInstanceKey for {dag} to executor with priority {small} and queue default
        20|Received executor event with state success for task instance {dag}
        10|Received executor event with state failed for task instance {dag}
        10|Heartbeat recovered after {float} seconds
        8|DAG {dag} is missing and will be deactivated.
        5|Exiting gracefully upon receiving signal {small}
        5|Adopting or resetting orphaned tasks for active dag runs
        2|Starting the scheduler
        1|Launched DagFileProcessorManager with pid: {pid}""",
    "shop": """
        300|Order {int} created for customer {email} total {float} EUR
        200|Payment {uuid} authorized by {cls}
        60|Payment {uuid} declined: insufficient funds
        40|Payment {uuid} declined: card expired
        120|HTTP {word} request to {url} completed in {ms} ms
        100|Cache miss for key {table}:{int}
        80|Cache hit for key {table}:{int}
        60|Retrying {cls} in {ms} ms (attempt {small} of {small})
        50|Circuit breaker {app} is OPEN
        50|Circuit breaker {app} is CLOSED
        40|Feature flag {word} evaluated to {bool} for user {user}
        30|Consumer group {app} rebalanced, assigned partitions [{topic}, {topic}]
        30|Offset commit failed on partition {topic} at offset {int}: The coordinator is not available.
        20|java.net.SocketTimeoutException: Read timed out
        20|java.sql.SQLTransientConnectionException: {word} - Connection is not available, request timed out after {ms}ms.
        10|Bean {word} of type [{cls}] is not eligible for getting processed by all BeanPostProcessors
        8|Started ShopApplication in {float} seconds (process running for {float})
        5|Tomcat started on port {port} with context path ''
        3|Shutting down ExecutorService
        1|HikariPool-{small} - Shutdown initiated...""",
    "phone": """
        300|acquire lock={int}, flags={flags}, tag="{word}", name={cls}, ws={null}, uid={int}, pid={pid}
        250|release lock={int}, flags={flags}, tag="{word}", name={cls}, ws={null}, uid={int}, pid={pid}
        100|setSystemUiVisibility vis={hex8} mask={hex8} oldVal={hex8} newVal={hex8} diff={hex8}
        80|interceptKeyTq keycode={small} interactive={bool} keyguardActive={bool} policyFlags={hex8}
        80|battery level changed from {small} to {small}
        60|onReceive action: {action}
        60|startActivity called from uid {int} for {cls}
        50|screen brightness set to {small}
        40|WifiStateMachine: handleMessage what={int} arg1={small} arg2={small}
        30|calculated steps total={int} delta={small}
        20|bluetooth device {mac} bonded
        20|bluetooth device {mac} disconnected
        10|GC freed {int} objects, {int} bytes in {ms}ms
        8|Slow operation: {ms}ms so far, now at startProcess: done starting proc!
        4|low memory: no more background processes
        1|boot completed""",
    "switch": """
        300|%LINK-3-UPDOWN: Interface {port_id}, changed state to up
        200|%LINK-3-UPDOWN: Interface {port_id}, changed state to down
        200|%SEC-6-IPACCESSLOGP: list {int} denied tcp {ip}({port}) -> {ip}({port}), {small} packet
        80|%SEC-6-IPACCESSLOGP: list {int} permitted udp {ip}({port}) -> {ip}({port}), {small} packets
        60|%SYS-5-CONFIG_I: Configured from console by {user} on vty0 ({ip})
        50|%OSPF-5-ADJCHG: Process {small}, Nbr {ip} on {port_id} from LOADING to FULL, Loading Done
        40|%OSPF-5-ADJCHG: Process {small}, Nbr {ip} on {port_id} from FULL to DOWN, Neighbor Down: Dead timer expired
        30|%DHCPD-4-PING_CONFLICT: DHCP address conflict: server pinged {ip}.
        30|MAC address {mac} learned on {eth} vlan {int}
        20|MAC address {mac} moved from {eth} to {eth}
        10|Temperature of sensor {small} is {small}C, threshold {small}C
        5|Fan {small} failed
        5|Fan {small} recovered
        2|Power supply {small} removed
        1|Reload requested by {user} on console""",
    "servicing": """
        300|Session: {int}_{int} initialized by client WindowsUpdateAgent.
        200|Read out cached package applicability for package: {pkg}, ApplicableState: {small}, CurrentState:{small}
        150|Warning: Unrecognized packageExtended attribute.
        120|Expecting attribute name [HRESULT = {flags} - CBS_E_MANIFEST_INVALID_ITEM]
        100|Failed to get next element [HRESULT = {flags} - CBS_E_MANIFEST_INVALID_ITEM]
        80|SQM: Upload requested for report: PackageChangeBegin_{pkg}, session id: {int}, sample type: Standard
        60|Loaded Servicing Stack v{version} with Core: {wpath}
        50|Appl: Evaluating package applicability for package {pkg}, applicable state: Installed
        40|Starting TrustedInstaller initialization.
        40|Ending TrustedInstaller initialization.
        30|Starting the TrustedInstaller main loop.
        30|NonStart: Checking to ensure startup processing was not required.
        20|Reboot mark refs: {small}
        20|Idle processing thread terminated normally
        10|Scavenge: Starts
        10|Scavenge: Completed, disposition: 0X{small}
        5|No startup processing required, TrustedInstaller service was not set as autostart
        3|Reporting package change for package: {pkg}, current: Staged, pending: Default, start: Staged, applicable: Installed, target: Installed
        1|TrustedInstaller service starts successfully.""",
    "mail": """
        300|{mailid}: from=<{email}>, size={int}, nrcpt={small} (queue active)
        250|{mailid}: to=<{email}>, relay={fqdn}[{ip}]:25, delay={float}, status=sent (250 2.0.0 Ok: queued as {mailid})
        60|{mailid}: to=<{email}>, relay=none, delay={float}, status=deferred (connect to {fqdn}[{ip}]:25: Connection timed out)
        200|connect from {fqdn}[{ip}]
        200|disconnect from {fqdn}[{ip}]
        150|{mailid}: removed
        100|{mailid}: client={fqdn}[{ip}]
        80|{mailid}: message-id=<{email}>
        30|NOQUEUE: reject: RCPT from {fqdn}[{ip}]: 554 5.7.1 Service unavailable
        20|warning: hostname {fqdn} does not resolve to address {ip}: Name or service not known
        10|lost connection after {word} from {fqdn}[{ip}]
        5|statistics: max connection rate {rate} for (smtp:{ip}) at {ctime}
        3|statistics: max cache size {small} at {ctime}
        1|daemon started -- version {version}, configuration {path}""",
    "compute": """
        300|[instance: {uuid}] VM Started (Lifecycle Event)
        200|[instance: {uuid}] VM Paused (Lifecycle Event)
        200|[instance: {uuid}] VM Stopped (Lifecycle Event)
        150|{ip} "GET {route} HTTP/{http}" status: {int} len: {int} time: {float}
        100|{ip} "POST {route} HTTP/{http}" status: {int} len: {int} time: {float}
        60|{ip} "DELETE {route} HTTP/{http}" status: {int} len: {int} time: {float}
        80|[instance: {uuid}] Took {float} seconds to spawn the instance on the hypervisor.
        60|[instance: {uuid}] Took {float} seconds to build instance.
        50|[instance: {uuid}] Attempting claim: memory {int} MB, disk {int} GB, vcpus {small} CPU
        50|[instance: {uuid}] Claim successful
        40|image {uuid} at ({path}): checking
        40|image {uuid} at ({path}): in use: on this node {small} local, {small} on other nodes sharing this instance storage
        20|Removable base files: {path} {path}
        20|Final resource view: name={node} phys_ram={int}MB used_ram={int}MB phys_disk={int}GB used_disk={int}GB total_vcpus={small} used_vcpus={small} pci_stats=[]
        10|Compute_service record updated for {node}:{fqdn}
        5|Unknown base file: {path}
        2|Connecting to AMQP server on {host}:5672
        1|Loading compute driver '{word}'""",
    "etl": """
        300|Copied {int} rows from {schema}.{table} to {bucket} in {float} s
        200|Partition {day} of {table} written: {size}
        120|Model {schema}.{table} OK created incremental model in {float}s
        40|Model {schema}.{table} ERROR creating incremental model in {float}s
        100|{small} of {small} START sql table model {schema}.{table} ............ [RUN]
        100|{small} of {small} OK created sql table model {schema}.{table} ............ [SELECT {int} in {float}s]
        60|Schema drift in {table}: column {word} added
        40|Schema drift in {table}: column {word} removed
        40|Job {dag} finished with status SUCCEEDED after {ms} s
        20|Job {dag} finished with status FAILED after {ms} s
        20|Row count of {table} is {int}, expected at least {int}
        15|Access denied for principal {email} on {bucket}
        10|Upload of {file} failed: no route to host
        10|Upload of {file} failed: disk quota exceeded
        10|Skipping {path}: not modified since {iso}
        5|Vacuumed {table}, {int} files removed
        3|Loaded configuration from {path}
        1|Nothing to do""",
    "proxy": """
        300|{fqdn}:{port} open through proxy {fqdn}:{port} HTTPS
        250|{fqdn}:{port} close, {int} bytes sent, {int} bytes received, lifetime {small}:{small}
        150|{fqdn}:{port} close, {int} bytes ({size}) sent, {int} bytes ({size}) received, lifetime {small}:{small}
        60|{fqdn}:{port} error : Could not connect through proxy {fqdn}:{port} - Proxy server cannot establish a connection with the target, status code {int}
        100|upstream {app} selected server {node} weight={small} conns={int}
        80|health check for {app}/{node} succeeded, reason: Layer7 check passed, code: {int}, check duration: {ms}ms
        40|health check for {app}/{node} failed, reason: Layer4 timeout, check duration: {ms}ms
        20|Server {app}/{node} is DOWN, reason: Layer4 connection problem
        20|Server {app}/{node} is UP, reason: Layer7 check passed
        10|backend {app} has no server available!
        5|certificate for {fqdn} expires in {small} days
        2|worker process {pid} exited with code {small}
        1|reloading configuration""",
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Messages of one system, and the true template of each."""

    name: str
    messages: list[str]
    truth: list[str]


def _parts(template: str) -> Iterator[tuple[str, str | None]]:
    return ((text, kind) for text, kind, _, _ in ((a, b, None, None) for a, b in _split(template)))


def _split(template: str) -> Iterator[tuple[str, str | None]]:
    for text, kind, _, _ in string.Formatter().parse(template):
        yield text, kind


def corpus(name: str, lines: int = 2000, seed: int = 1) -> Corpus:
    """So many lines of a system; every template appears at least once."""
    r = random.Random(f"{name}{seed}")
    rows = [line.strip().split("|", 1) for line in SYSTEMS[name].strip().splitlines()]
    weights, templates = [int(weight) for weight, _ in rows], [template for _, template in rows]
    chosen = templates + r.choices(templates, weights, k=max(0, lines - len(templates)))
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
