"""The `bakeoff` command: finds the verb, and turns a user's mistake into one line."""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from flows.yaml_lines import ConfigError

VERBS: dict[str, str] = {
    "run": "measure an experiment's cells and land them in the warehouse",
    "report": "write a run's HTML report",
    "select": "pick a model under limits on latency, quality and VRAM",
    "sql": "query the warehouse",
    "ingest": "take waiting landings into the warehouse",
    "discover": "list the servers that listen on this machine, and their models",
    "doctor": "check what this machine can measure, and how to fix what it cannot",
    "serve": "run the Prefect server, a worker and the deployments until Ctrl-C",
}
"""Verb -> what it does; the module is `cli.VERB`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Returns:
        0 if it did what was asked and it holds, 1 if not, 2 for wrong use, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    name = f"bakeoff {words[0]}" if words and words[0] in VERBS else "bakeoff"
    try:
        write_anything()
        status = run_verb(words)
        if sys.stdout is not None:
            sys.stdout.flush()  # Here, where a full disk still can be said; Python would flush too late.
        return status
    except ConfigError as error:
        return fail(f"{name}: {error}", 2)
    except KeyboardInterrupt:
        return fail(f"{name}: interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has gone (`bakeoff sql … | head`); nothing is left to say.
        discard_output()
        return 1
    except OSError as error:
        discard_output()
        why = error.strerror or str(error) or type(error).__name__
        if error.filename is None:
            return fail(f"{name}: the output cannot be written: {why}", 1)
        return fail(f"{name}: {os.fsdecode(error.filename)}: {why}", 2)


def run_verb(words: Sequence[str]) -> int:
    """Import a verb's module, read its options and run it; its exit status."""
    parser = argparse.ArgumentParser(
        prog="bakeoff",
        description="Which model, on which server, with which settings, should we serve?",
        epilog="\n".join(f"  {verb:<9} {text}" for verb, text in VERBS.items())
        + "\n\nexample: bakeoff run quick-start        bakeoff VERB --help explains one verb",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=VERBS, metavar="VERB", help="one of the verbs below")
    verb = parser.parse_args(words[:1]).verb
    # Imported here and not above: `sql` must not wait for what only `run` needs.
    module = importlib.import_module(f"cli.{verb}")
    verb_parser = argparse.ArgumentParser(
        prog=f"bakeoff {verb}",
        description=module.__doc__,
        epilog=module.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(verb_parser)
    args = verb_parser.parse_args(words[1:])
    check_writable(getattr(args, "json", None))
    try:
        return int(module.run(args))
    except module.FAILURES as error:
        return fail(f"bakeoff {verb}: {error}", 1)


def check_writable(file: str | None) -> None:
    """Make sure that a file can be written before anything is measured for it.

    Raises:
        ConfigError: it cannot.
    """
    if file in (None, "-"):
        return
    new = not os.path.exists(file)
    try:
        with open(file, "a", encoding="utf-8"):
            pass
        if new:
            os.unlink(file)
    except OSError as error:
        raise ConfigError(f"--json {file}: cannot be written: {error.strerror}") from None


def write_anything() -> None:
    """Write text that the terminal's encoding lacks escaped, and send output that is closed nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  open until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Send what is still to come on standard output nowhere, so that Python's last flush is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def fail(line: str, status: int) -> int:
    """Say why, in one line on standard error; returns the exit status."""
    print(line, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
