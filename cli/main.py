"""The `bakeoff` command: finds the verb, and turns a user's mistake into one line."""

import argparse
import importlib
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
    try:
        return int(module.run(verb_parser.parse_args(words[1:])))
    except ConfigError as error:
        print(f"bakeoff {verb}: {error}", file=sys.stderr)
        return 2
    except module.FAILURES as error:
        print(f"bakeoff {verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"bakeoff {verb}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`bakeoff sql … | head`); nothing is left to say.
        sys.stderr.close()
        return 1


if __name__ == "__main__":
    sys.exit(main())
