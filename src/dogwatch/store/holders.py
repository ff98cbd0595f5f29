"""Which process is it, and is it dead for certain? Leases are held under such names."""

import hashlib
import os
import re
import socket
import uuid
from pathlib import Path

_HOLDER = re.compile(r"(?P<host>.+) pid (?P<pid>\d+) (?P<space>[0-9a-f]{4})(?P<own>[0-9a-f]{4})")


def new_holder() -> str:
    """A name for this process that no other one has: host, process id, a mark of the space in which process
    ids count, and chance."""
    return f"{socket.gethostname()} pid {os.getpid()} {_space()}{uuid.uuid4().hex[:4]}"


def certainly_dead(holder: str) -> bool:
    """Whether the process is gone. False wherever that cannot be known: on another host or in a container
    of its own."""
    told = _HOLDER.fullmatch(holder)
    if told is None or told["host"] != socket.gethostname() or told["space"] != _space():
        return False
    pid = int(told["pid"])
    if pid == os.getpid():
        return False  # it may be us, by another name
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether it has ended and its parent has not noticed yet (proc_pid_stat(5), the state)."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return told.rpartition(")")[2].split()[:1] == ["Z"]


def _space() -> str:
    """A mark of the boot and of the space of process ids; containers have their own."""
    parts: list[str] = []
    for path, read in (
        ("/proc/sys/kernel/random/boot_id", Path.read_text),
        ("/proc/self/ns/pid", os.readlink),
    ):
        try:
            parts.append(str(read(Path(path))))
        except OSError:
            parts.append("")
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:4]
