"""Stage unload: make sure that no model is loaded, so that memory readings start from idle."""

from bench.errors import ServerDied
from tasks.session import CellSession, StageOutcome, StageYield
from tasks.stage import stage_task


def run_unload(session: CellSession) -> StageOutcome:
    """Unload whatever the server holds; an attached server that does not answer fails here."""
    return session.stage("unload", lambda: _unload(session))


def _unload(session: CellSession) -> StageYield:
    backend = session.backend
    if backend.alive():
        backend.unload(None)
        return StageYield(line="nothing is loaded" if backend.target.life == "managed" else "server answers")
    if backend.target.life == "attached":
        raise ServerDied(f"target {backend.target.name} does not answer at {backend.target.base_url}")
    return StageYield(line="server is not running yet")


unload = stage_task("unload", run_unload)
