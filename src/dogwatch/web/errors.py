"""The one shape of what goes wrong, and which of our errors is which status."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from dogwatch.errors import (
    ConnectorError,
    ConsentError,
    DogwatchError,
    IncidentError,
    SettingsError,
    StoreError,
)

_CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
    429: "too_many_requests",
    500: "broken",
    502: "platform_failed",
    503: "store_unavailable",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for people and programs."""

    status: int
    message: str
    hint: str = ""
    retry_after: float | None = None

    @property
    def code(self) -> str:
        """One word for programs."""
        return _CODES.get(self.status, "error")

    def response(self) -> JSONResponse:
        """As the API says it."""
        told = {"error": {"code": self.code, "message": self.message, "hint": self.hint}}
        return JSONResponse(told, self.status, self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """What the status demands besides."""
        if self.status == 401:
            return {"www-authenticate": "Bearer"}
        return {} if self.retry_after is None else {"retry-after": str(max(1, round(self.retry_after)))}


class Refused(Exception):  # as all errors here, it is named for what happened
    """A request that is not let through; carries what to say."""

    def __init__(
        self, status: int, message: str, hint: str = "", *, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.problem = Problem(status, message, hint, retry_after)


def problem_of(error: Exception) -> Problem:
    """What to say of an error; of one that is not ours nothing but that it happened."""
    match error:
        case Refused():
            return error.problem
        case HTTPException():
            said = {404: "there is nothing here", 405: "this cannot be done here"}
            return Problem(error.status_code, said.get(error.status_code, error.detail.lower()))
        case IncidentError() | ConsentError():
            return Problem(409, error.message, error.hint)
        case SettingsError():
            return Problem(400, error.message, error.hint)
        case ConnectorError():
            return Problem(502, error.message, error.hint)
        case StoreError():
            return Problem(503, error.message, error.hint, retry_after=5)
        case DogwatchError():
            return Problem(500, error.message, error.hint)
        case _:
            kind = type(error).__name__
            return Problem(
                500, f"dogwatch itself broke ({kind})", "the log of dogwatch serve has the details"
            )
