"""Which words are English that programs speak, and which are probably names of something.

A word of this vocabulary is text until much speaks against it; any other word may be a name, and becomes a
variable as soon as a few different ones appear in the same place.
"""

import re
from functools import lru_cache


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def listed(text: str) -> tuple[str, ...]:
    """The words of a text in order."""
    return tuple(text.split())


_VOCABULARY = word_set(
    """
    a ability able abnormal abort about above abs absent absolute abstract abuse accelerate accept access
    accessible accidentally according account accumulate accurate ack acknowledge acpi acquire across act
    action activate active activity actual adapt adapters add addition additionally address adjacent adjust
    admit advance advantage affect after afterwards again against age agent aggregate ahead airplane alarm
    alert algorithm alias align alive all allocate allow almost alone along alongside alphanumeric already
    also alter alternate alternative although always am ambient ambiguous among amount ampere an analysis
    analyze ancestor anchor and annotate annotations announce anonymous another answer antenna any anymore
    anything anyway anywhere apart app appear appearance append applicability applicable application apply
    approach appropriate approve approximate arbitrarily arbitrary architecture archive are area argument
    arithmetic around array arrive as ascending ask aspects assert assertions assign assignments associate
    assume assumption async asynchronous at atomic attach attacks attempt attribute audible audience audio
    audit august auth authenticate authority authorization authorize auto automatic automatically autonomous
    availability available average avoid await aware away back backend background backlight backlog backoff
    backslash backup backward bad balance bandwidth bar barcode bare barrier base baseline basename basic
    basically basis basket batch battery be beacon bearer became because become been before begin behalf
    behave behavior behaviour behind being belong below benefit besides best beta better between beyond big
    bin binary bind bindings bios bit blank blob block blue bluetooth body bold boolean boost boot border
    both bottom bound boundary box braces brackets branch break bridge brightness bring broadcast broken
    broker browser bucket budget buffer bug build built bulk bundle bus busy but button by bye bypass byte
    cabinet cache calculate calendar calibrate call callback callers calorie came camera can cancel
    cancellation candidate cannot canonical cap capability capacity capitalized capture card care careful
    carrier carry case cast cat catalog catch category caught cause ceiling cell center central certain
    certificate chain chance change channel char character charge charset chassis check checkers checkpoint
    checksum child children chip choice choose chosen chunk cipher circuit circular circumstances claim
    class classic clause clean cleanup clear click client clock clone close closest closure cluster code
    coerce coherency coherent cold collapse collect collection collision colon colors column combination
    combine come comma command comment commit common communicate communication compact compare comparison
    compat compatibility compatible compilation compile complete complex compliance compliant complicated
    component compose composite compound compress computation compute concatenate concrete concurrency
    concurrent condition conf config configuration configure confirm conflict conform confusion congest
    conjunction connect connection consecutive consider consist consistency consistent console constant
    constraint construct constructors consult consume consumer consumption contact contain container content
    context contextual contiguous continuation continue continuous contract contrast contribute contributors
    control controller convenience convenient convention conversion convert cookie cooler coordinate
    coordinator coprocessor copy copyright core coroutines correct correspond corrupt cost could count
    counter counterpart course cover coverage cpu crash create creation credential criteria critical cross
    cs cumulative current cursor custom customization customize cut cycle daemon damage dangerous dash
    dashboard data database datagram datanode date datetime daughter day db dead deadline deadlock
    deallocate debug december decide decimal decision declaration declare decode decommission decompress
    decorate decrease decrypt dedicated deep default defer define definition degrade delay delegate delete
    deliberately delimited delimiter deliver delivery delta demand denied deny depend dependency dependent
    deploy deprecate depth dequeue derive descendant descending describe description descriptor deserialize
    design desired desktop despite destination destroy detach detail detect determine deterministic
    developer development device diagnose diagnostic diagram dialect dictionary did diff difference
    different differing differs difficult digest digit dim dimension dimm direct direction directive
    directory dirty disable disallow disappear discard discharge disconnect discount discouraged discover
    discovery discriminator discussion disk dispatch display dispose disposition distance distinct
    distinguish distribute distributions div divide division do document documentation does domain done door
    dot double down downgrade downlink download downstream drain draw drawn drive driven driver drop due
    dummy dump duplex duplicate duration during dynamic dynamically each eager earlier early easier easily
    easy ecc echo ed edge edit effect effective efficiency efficient effort either eject elapsed elect
    election element eligible ellipsis else elsewhere email embed emergency emit empty emulate enable
    encapsulates enclosed enclosing enclosure encode encodings encounter encrypt end endpoint enforce engine
    enough enqueue ensure enter entire entity entry entrypoint enum enumerate envelope environment ephemeral
    equal equivalent error escalate escape especially essential establish estimate et ethernet evaluate even
    event eventually ever every everything everywhere evict exact examine example exceed except exception
    exchange exclude exclusion exclusive execute execution executor exhausted exist existence exit expand
    expansion expect expensive experimental expiration expire expiry explain explanation explicit exponent
    exponential export expose express expressions extend extension external extra extract fabric fail
    failover failure fairly fake fall fallback false familiar family fan far fashion fast fatal fault favor
    feature february feed fetch few field figure file filename filesystem fill filter final finalize find
    fine fingerprint finish finite fire firewall firmware first fit five fix fixture flag flat flatten
    flavor flavour flexible flight float floor floppy flow flush focus fold folder follow follower footer
    for forbidden force foreground foreign forget fork form format forward found four fraction fragment
    frame framework free freeze frequency frequently fresh friday friendly from front frozen full fullname
    fully function functionality further fuse future gap garbage gateway gather gave general generate
    generators generic gesture get give given global go good goodbye got grace graceful grant graph greater
    green greet group grow guarantee guard guess guest guidance guide had half halt hand handle handler
    handshake handy hang happen hard hardware has hash have hd head header health healthy heap heartbeat
    heavily height held hello help helpers helpful hence here heuristic hexadecimal hi hibernate hidden hide
    hierarchy high highest hinge hint historical history hit hold home hook host hostnames hot hour how
    however http hub human hypervisor hyphen icon id idea idempotent identical identification identifier
    identify identity idle if ignite ignore illegal image immediate immutable implement implementation
    implicit imply import important impossible improve in inactive include inclusion inclusive incoming
    incompatible incomplete inconsistent incorrect increase increment incrementally indefinitely indent
    indentation independent index indicate indices indirect individual inference inferred infinite infinity
    info inform information ingest inherit inheritance init initial initialization initialize initiate
    inject inline inner innermost input insensitive insert inside inspect install installation instance
    instant instantiate instead instruction insufficient intact integer integrate integrations integrity
    intend intent intentional interact interactions interactive interest interface interim intermediate
    internal interpolated interpolation interpret interpretation interrupt intersection interval into
    introduced introspection invalid invalidate invariant inventory inverse invocation invoice invoke
    involve io ip irrelevant is isolate issue it item iterate iterations iterators its itself january job
    join journal july jump just keep kept kernel key keyboard keyguard keyword kill kind know knowledge
    known la label lack lag lane language laptop large largest last latch late latency latest latter launch
    layer layout lazy le lead leader leaf leak learn lease least leave left leftmost legacy legal length
    lens less let letters level lexer library license lid life lifecycle lifetime light lightning like limit
    limitation line linear link list listen listener literal little live lo load local locale locate
    location lock log logger logic login logout long longer longest look lookahead lookup loop loopback lose
    loss lost lot low lowercase lowest luminance machine machinery made magic magnetic mailbox main maintain
    maintenance major make malformed manage manager mandatory manifest manipulate manner manual many map
    mappings march margin mark markdown markers markup mask master match material math matter max maximum
    may maybe me mean meaningful meant measure mechanism media meet member membership memo memory mentioned
    merchant merge message met meta metadata method metric microphone microseconds middle middleware
    midplane midway might migrate milliseconds mimic min minimal minimum minor minus minute mirror mismatch
    miss mistake mix mixin mock mode model modem modern modification modifier modify module moment monday
    monitor month more most mount mouse move mr much multi multicast multiline multipart multiple must
    mutable mutate mutex mutually my na naive name namespace narrow native natural nature ne near nearest
    necessarily necessary need negative negotiate neighbor neither nested nesting network never new newest
    newline next nice no node non nonce none nonempty nonzero normal normalization normalize not notation
    note nothing notice notification notify november now nr null number numeric object observe obsolete
    obtain obvious occur occurrence octal october odd of off offer official offline offload offset often ok
    okay old oldest omit on once one online only onto opaque opcode open operand operate operation operator
    opportunity opposed opposite optimization optimize option optional or order ordinal ordinary orientation
    origin original originated originating os other otherwise our ourselves out outage outcome outer
    outermost outgoing output outside over overall overflow overhead overheat overlap overload overridden
    override overview overwrite overwritten own owner ownership pack package packet padding page pagination
    pair panic paragraph parallel parameter parent parentheses parenthesis parity parse part partial
    particular partition party pass password past patch path pathname pattern pause payload pc peer pend
    pending people per percent percentage perform performance perhaps period periodically peripheral
    permanent permission permit persist persistence persistent phase phone phrase physical pick piece pin
    ping pipe pipeline pixel place plain plaintext plan platform play please plug plugin plus
    podcast point polarity policy poll pool poor pop popular populate port portion position positive
    possibility possible possibly post postpone potential power powersave practice pre preceded precedence
    preceding precharge precise predefined predicate preempt prefer preference prefetch prefix preflight
    preparation prepare prepend presence present preserve press pressure pretty prevent preview previous
    primarily primary primitive print prior priority private privilege privileged probability probably probe
    problem proceed process processor produce producer product profile program progress prohibit project
    promote prompt propagate proper property propose protect protocol provide provider provision proximity
    proxy ps pt public publish pull punctuation purchase pure purge purpose push put qualifier qualify
    quality quarantine query question queue quick quiet quit quite quorum quota quotation quote race rack
    radio raid raise ramdisk ran random range rank rare rate rather ratio raw re reach react read reader
    ready real realm reason reassign reassociate rebalance reboot rebuild recalculate receive receiver
    recent reclaim recognize recommend reconcile reconfigure reconnect reconstruct record recover recovery
    recreate recurse recursive recv recycle red redirect reduce redundant refer reference reflect refresh
    refund refuse regarding regardless regenerate region register registration registry regular regulator
    reinitialize reject relate relation relationship relative relay release relevant reliable reliably
    relied relies reload relying remain remainder remember remote removal remove rename render renew reopen
    repair reparse repeat repeatedly replace replacements replay replica replicate replication reply report
    repository represent representation reproduce request require requirements reschedule reserve reset
    resize resolution resolve resource respect respective respond response responsibility responsible rest
    restart restore restrict restrictions resubmit result resume resync retain retire retransmission
    retransmit retrieval retrieve retry return reuse reverse revert review revision revoke rewind rewrite
    rewritten rich right risk roam role roll rollback room roots rotate rotor roughly round route router
    routine row rule run runtime rx safe safety said same sample sandbox sanity satisfy saturday save say
    scalar scale scan scavenge scenario schedule scheduler schema scheme scope score scoreboard scratchpad
    screen screenshot script scroll search second secondary secret section sector secure security see seek
    seem seen segment select self semantic semaphore send sender sense sensitive sensor sent sentinel
    separate separators september sequence sequential serial serialization serialize series serve server
    service session set setting setup sever severe severity sh shadow shall shallow shape shard share shell
    shift shipment short shortcut shortest shorthand should show shown shrink shuffle shut shutdown siblings
    side sign signal signature significant silence silent similar simple simplest simplify simply
    simultaneously since single sip sit site situation six size skip slash slave sleep slice slightly slot
    slow small smallest snapshot snippet so socket soft software sole solution some someone something
    sometimes somewhere soon sort source space span spare spawn speaker spec special specialized specific
    specifically specification specifier specify speed spelling spend spent spill spindle split spool spread
    square sram ssid stable stack stage stale stall stamp stand standalone standard standby start startup
    state stateful statement static statically statistic status stay step still stop storage store strategy
    stream strict string strip strong structural structure stub stuck stuff style sub subdirectory subject
    submit submodule subnet subprocess subscribe subscription subsequent subset substitute substitutions
    substring subsystem subtract subtree subtype succeed success successful sufficient suffix suggest
    suitable suite sum summary sunday super superclass superuser supervise supply support supposed suppress
    sure surface surrogate surrounding survive suspect suspend swap swipe switch symbol symbolic symlink
    symmetric sync synchronize synchronous syndrome syntax synthetic system tab table tablet tag take taken
    target task teardown technique telemetry tell temp temperature template temporarily temporary tenant
    term terminal terminate test tether text textual than that the their them themselves then there
    therefore thereof thermal these they thin thing think third this those though thought thread three
    threshold throttle through throughout throw thrown thursday thus tick ticket tied till time timeout
    timer timestamp timezone title to toast together toggle token told tolerate too took tool top topic
    torus total touch touchpad toward trace track traditional traffic trail transaction transceiver transfer
    transform transformation transient transition translate transmission transmit transparent transport trap
    traversal traverse treat tree tricky trigger trim triple trivial trouble true truncate trust try tuesday
    tune turbine turn twice two tx type typical ui ultimately un unable unaffected unambiguous unary
    unauthorized unavailable unbind unblock unbound unbuffered unchanged unclosed uncompressed unconfigure
    undefined under underlying underscore understand understood undo undocumented unexpected unhandled
    unhealthy unicast unified unify unimplemented uninstall unions unique unit universal unix unknown unless
    unlike unlimited unload unlock unmatched unmodified unmount unnamed unnecessary unpack unparsed unplug
    unquoted unreachable unrecognized unregister unrelated unresolved unsafe unset unsigned unspecified
    unstable unsubscribe unsupported until untouched untrusted unusable unused unusual unwrap up update
    upgrade uplink upload upon uppercase upstream uptime url us usage use useful user usual utilities
    utilization valid validate validators value variable variadic variant various vary vector vendor
    verbatim verbose verbosity verification verify versa version vertically very via vibrate video view
    viewport violate violation virtual visibility visible visit vm voltage volume vote vs wait wake wakeup
    walk wallpaper want warm warn warnings was watch watchdog watt way we weak web wednesday week weight
    well went were what whatever wheel when whenever where whereas whether which whichever while white
    whitespace who whole whose why wide widget width wifi wildcard will window wins wire wireless wish with
    within without wizard word work workaround worker workflow workspace world worth would wrap wrappers
    write writeback writer written wrong year yellow yes yet yield you your yourself zero zone
    """
)
"""Base forms; inflected forms are derived."""

LEVELS = word_set(
    """
    trace debug verbose info information notice warn warning error err severe critical crit alert fatal
    emerg panic
    """
)
"""Words that say how bad it is. Two of them in one place are two messages."""

GOOD = word_set(
    """
    ok success successful successfully succeeded passed pass completed complete done healthy up ready
    active started running accepted allowed granted enabled available online valid true
    """
)
BAD = word_set(
    """
    error fail failed failure failures failing aborted abort killed timeout crashed unhealthy down
    rejected denied refused dead cancelled canceled invalid unavailable offline exceeded lost broken
    corrupt
    """
)
"""A place where one line says a good word and another a bad one is not a variable."""

ACCOUNTS = word_set(
    """
    root admin administrator test tester guest nobody operator default user daemon support service
    backup news mail monitor system master manager public anonymous owner demo info web
    """
)
"""English words that are also names of accounts."""

SIZE_UNITS = word_set(
    """
    B kB KB MB GB TB PB KiB MiB GiB TiB K M G T bytes byte
    """
)
TIME_UNITS = word_set(
    """
    ns us µs ms s sec secs second seconds m min mins minute minutes h hr hour hours d day days
    """
)
"""Units that a program chooses by the size of the number before them."""

_SUFFIXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ies", ("y",)),
    ("ied", ("y",)),
    ("es", ("", "e")),
    ("s", ("",)),
    ("ed", ("", "e")),
    ("ing", ("", "e")),
    ("ion", ("", "e")),
    ("er", ("", "e")),
    ("or", ("", "e")),
    ("ly", ("", "e")),
    ("able", ("", "e")),
    ("al", ("",)),
    ("ment", ("",)),
    ("ity", ("",)),
    ("ness", ("",)),
)
_PARTS = re.compile(r"[-/'.&+]+")


@lru_cache(maxsize=100_000)
def is_english(word: str) -> bool:
    """Whether it is a word of the vocabulary, in any form, or several joined by a mark (``re-sync``)."""
    word = word.lower().strip(".!?*+-_#~")
    if word.isalpha():
        return len(word) == 1 or word in _VOCABULARY or _inflected(word)
    parts = [part for part in _PARTS.split(word) if part]
    return len(parts) > 1 and all(is_english(part) for part in parts)


_IDENTIFIER = re.compile(r"[\0\d_@/\\$#~]|[A-Za-z]\.[A-Za-z]")
_CAMEL = re.compile(r"[a-z][A-Z]")
_HUMPS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@lru_cache(maxsize=100_000)
def outcome_of(word: str) -> str:
    """A level as it is, ``good`` or ``bad`` for a word that says how it went (NodeNotReady); else empty."""
    lower = word.lower()
    if lower in LEVELS:
        return lower
    parts = {part.lower() for part in _HUMPS.findall(word)} | {lower}
    if parts & BAD or (parts & GOOD and parts & {"not", "un", "non"}):
        return "bad"
    return "good" if parts & GOOD else ""


@lru_cache(maxsize=100_000)
def weight(word: str) -> int:
    """How likely a word is a name: 0 it is English, 1 it is not, 2 it even has the form of an identifier."""
    if _IDENTIFIER.search(word):
        return 2
    if _CAMEL.search(word):
        return 1 if all(is_english(hump) for hump in _HUMPS.findall(word)) else 2
    return 0 if is_english(word) else 1


def _inflected(word: str) -> bool:
    for suffix, endings in _SUFFIXES:
        if not word.endswith(suffix):
            continue
        stem = word[: -len(suffix)]
        if any(stem + ending in _VOCABULARY for ending in endings):
            return True
        if len(stem) > 2 and stem[-1] == stem[-2] and stem[:-1] in _VOCABULARY:
            return True
    return False
