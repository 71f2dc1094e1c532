"""What can go wrong between rows and the warehouse; every message is one line, fit for a user's eyes."""


class WarehouseError(Exception):
    """The warehouse could not do what was asked; nothing was changed in it."""


class LandingError(WarehouseError):
    """Rows could not be landed, or a landing could not be read; no half-written landing stays behind."""


class WarehouseLocked(WarehouseError):
    """Another process holds the warehouse; `pid` is that process, None if unknown."""

    def __init__(self, message: str, *, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class NotAWarehouse(WarehouseError):
    """The file is not a DuckDB database, or it is one with other people's tables."""


class WarehouseMissing(WarehouseError):
    """There is no file, and reading does not make one."""


class WarehouseNewer(WarehouseError):
    """The file was written by a newer version than this one."""


class QueryError(WarehouseError):
    """A query is unknown, lacks a parameter, or the database refused it."""


def one_line(error: BaseException) -> str:
    """The message of a DuckDB or system error as one line of at most 300 characters, without hints."""
    text = str(error) or type(error).__name__
    return " ".join(text.split("\n\nLINE ")[0].split())[:300]
