"""The process in which a run measures: takes Ctrl-C from its first moment on, and then runs `cli.measure`.

Started by `bakeoff run` with the request and with whose Prefect server it is; its output is a log file, its
progress a file that the display follows.
"""

import importlib
import signal
import sys


def main() -> int:
    """Run the request; exit 0 if the flow ended Completed, 130 after Ctrl-C."""
    try:
        # A shell that starts us in the background has SIGINT ignored, and we would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Imported here and not above: it takes seconds, in which Ctrl-C must not end in a traceback.
        return int(importlib.import_module("cli.measure").measure(*sys.argv[1:3]))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        return 130


if __name__ == "__main__":
    sys.exit(main())
