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
    am cs db ed et hd hi id io ip la le lo me mr my na ne nr os pc ps pt re rx sh tx ui un us vm vs we a
    abnormal abort about above absent accept access account ack acknowledge acquire across act action
    activate activity actual add address adjust admit after again against age agent ahead alarm alert
    alias alive all allocate allow already also always ambient among an analyze and announce anonymous
    another answer any appear append application apply approve archive are argument array as ask assert
    assign associate async at attach attempt attribute audit auth authenticate authorize auto automatic
    availability available average avoid await aware back background backlog backup bad balance
    bandwidth bar barrier base baseline basic batch be because become been before begin being below best
    between beyond bind bit blank block body boolean boot both bottom bound branch break bridge bring
    broadcast broken broker browser buffer bug build bulk bus busy but button by bye byte cache
    calculate calibrate call callback can cancel candidate cannot capability capacity capture card
    carrier case cast catch caught cause ceiling cell center certificate chain change channel char
    character charge check checkpoint checksum child children choose chunk circuit class clean cleanup
    clear click client clock clone close cluster code coherent cold collect collection collision column
    combine come command comment commit common communicate communication compact compare compatible
    compile complete component compress compute concurrent condition conf config configuration configure
    confirm conflict connect connection consider consistent console constraint construct consume
    consumer contact contain container content context continue control controller convert coordinate
    coordinator copy core correct corrupt cost could count counter cover cpu crash create creation
    credential critical cross current cursor custom cut cycle daemon damage dashboard data database
    datanode date day dead deadline deadlock deallocate debug decide declare decode decommission
    decompress decrease decrypt deep default defer define degrade delay delegate delete deliver delta
    demand denied deny depend dependency deploy deprecate depth dequeue derive describe descriptor
    destination destroy detach detail detect determine device diagnostic diff different digest dim
    direct direction directory dirty disable disappear discard disconnect discover discovery disk
    dispatch display dispose disposition do does domain done door down downgrade download drain drive
    driver drop due dump duplicate duration during dynamic each early edge edit effect either eject
    elapsed elect election element eligible else email emergency emit empty enable encode encounter
    encrypt end endpoint engine enough enqueue ensure enter entire entity entry enum environment equal
    error escalate establish estimate evaluate event ever every evict exact exceed except exception
    exchange exclude exclusive execute execution executor exist exit expand expect expire explicit
    export express extend extension external extra extract fail failover failure fall fallback false fan
    far fast fatal fault feature fetch few field file fill filter final find fine finish fire firmware
    first fit fix flag flight float flow flush folder follow follower for force foreground fork form
    format forward found fragment frame free freeze frequency fresh from full function future gateway
    gather general generate get give global go good goodbye got grace graceful grant graph green greet
    group grow guarantee guest guide half halt hand handle handler handshake hang happen hard hardware
    hash have head header health healthy heap heartbeat height hello help here hidden high history hit
    hold home hook host hot hour how http identification identifier identify identity idle if ignore
    illegal image immediate implement import impossible in inactive include incoming incompatible
    incomplete inconsistent incorrect increase increment index indicate info inform information ingest
    inherit init initial initialize initiate inject inline inner input insert inside inspect install
    instance instant instead instruction insufficient integer integrity intend interact interface
    interim internal interpret interrupt interval into invalid invalidate inventory invoke io is isolate
    issue it item iterate its job join journal jump just keep kernel key kill kind know label lack lag
    last late latency latest launch layer layout lead leader leak lease least leave left length less let
    level library license life lifecycle like limit line link list listen listener little live load
    local locate location lock log logger login logout long longer look loop lose loss lost low machine
    main maintain maintenance make malformed manage manager manual map mark mask master match max
    maximum may mean measure media member memory merge message metadata method metric middle migrate min
    minimum minor minute mirror miss mode model modify module monitor more most mount move multi
    multiple must mutex name namespace native need negative negotiate neighbor nested network never new
    next no node non none normal not note nothing notice notification notify now null number object
    observe obsolete obtain occur of off offer offline offset ok okay old on once one online only open
    operate operation operator optimize option optional or order origin original other otherwise out
    outage outer outgoing output over overall overflow overload override overwrite own owner pack
    package packet page pair panic parallel parameter parent parity parse part partial partition party
    pass password patch path pattern pause payload peer pend pending per percent perform performance
    period permanent permission permit persist phase physical pick ping pipe pipeline plan platform play
    please plugin point policy poll pool poor pop port portion position possible post power pre preempt
    prefer prefix prepare present press pressure prevent previous primary print prior priority private
    privilege privileged problem proceed process processor produce producer product profile program
    progress prohibit promote prompt propagate property propose protect protocol provide provider
    provision proxy public publish pull purge push put query question queue quick quiet quit quorum
    quota raise random range rank rate rather ratio raw reach react read reader ready real realm reason
    reassign rebalance reboot rebuild recalculate receive receiver recent reclaim recognize recommend
    reconcile reconfigure reconnect record recover recovery recreate recv recycle red redirect reduce
    redundant refer reference refresh refuse region register registration registry reinitialize reject
    relate relation relay release reload remain remote remove rename render renew reopen repair repeat
    replace replay replica replicate replication reply report repository represent request require
    reschedule reserve reset resize resolve resource respond response rest restart restore restrict
    resubmit result resume retain retire retransmission retransmit retrieve retry return reuse reverse
    revert review revoke rewrite right role roll rollback rotate route router row rule run runtime safe
    same sample sanity save scale scan schedule scheduler schema scope screen script search second
    secondary section sector secure security see seek segment select self semaphore send sender sense
    sensor separate sequence serial serve server service session set setting setup sever severe severity
    shall shape shard share short should show shrink shut shutdown side sign signal signature silent
    similar simple since single size skip slave sleep slice slot slow small snapshot so socket soft
    software some soon source space spawn special specific specify speed spend spent spill split spread
    stable stack stage stale stall stand standby start startup state statement static statistic status
    stay step still stop storage store stream strict string strong structure stuck sub subject submit
    subscribe subscription subsequent succeed success sufficient suggest suitable summary super
    supervise supply support suppress suspect suspend swap switch symbol sync synchronize syntax system
    table tag take target task tell temp temperature template temporary term terminate test text than
    that the their them then there therefore these they thing this thread threshold throttle through
    throw tick till time timeout timer timestamp to toggle token tolerate too took tool top topic total
    touch trace track traffic trail transaction transfer transform transient transition translate
    transmit transport trap traverse tree trigger trim trouble true truncate trust try tune turn two
    type unable unauthorized unavailable unbind unblock unchanged unconfigure undefined under undo
    unexpected unhandled unhealthy unimplemented uninstall unique unit unknown unless unload unlock
    unmount unreachable unrecognized unregister unresolved unsafe unset unstable unsubscribe unsupported
    until untrusted unused unusual up update upgrade upload upon upstream uptime url usage use user
    utilization valid validate value variable various verification verify version very via video view
    violate violation virtual visible volume vote wait wake want warm warn was watch watchdog way weak
    weight well were what when where whether which while whole wide width will window wire with within
    without word work worker workflow workspace world would wrap write writer wrong yellow yes yet yield
    you your zero zone
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
