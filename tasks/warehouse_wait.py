"""Open the warehouse when whoever has it lets it go: a query of a person takes seconds, a run took hours."""

import time
from pathlib import Path

from warehouse.store import Warehouse, WarehouseLocked, open_warehouse

WAIT_S = 10.0
"""How long the end of a run waits for a warehouse that another process has open."""

_POLL_S = 0.2


def open_when_free(path: Path, *, read_only: bool = False, wait_s: float = WAIT_S) -> Warehouse:
    """Open the warehouse, trying for up to `wait_s` seconds while another process has it open.

    Raises:
        WarehouseLocked: it was still open there when the time was up.
        WarehouseError: as for `open_warehouse`, at once.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return open_warehouse(path, read_only=read_only)
        except WarehouseLocked:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_S)
