"""What befalls a request on its way, in words for people."""

import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


def place(url: "httpx2.URL") -> str:
    """Host and port, the latter if it is not the usual one."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host if url.port is None else f"{host}:{url.port}"


def why_no_connection(error: BaseException) -> str:
    """What to look at where no connection came about."""
    for link in chain(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return "its certificate is not trusted here: SSL_CERT_FILE may name the authority that signed it"
        if isinstance(link, ssl.SSLError):
            return "it speaks no TLS that we know: check https:// and the port"
        if isinstance(link, socket.gaierror | UnicodeError):
            return "no such host: check the URL and DNS"
        if isinstance(link, ConnectionRefusedError):
            return "nothing listens there: check host and port, and that it runs"
    return "check the URL, DNS and the way out"


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it came from."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
