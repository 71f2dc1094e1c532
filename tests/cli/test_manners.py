"""Places that cannot be written, readers that leave, options that clash: one line and the right status."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import VERBS

BAD_JSON = "/nope/x.json"


def environ(data: Path, **env: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "LANGFUSE_", "BAKEOFF_"))}
    return {**kept, "BAKEOFF_DATA": str(data), **env}


def bakeoff(data: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        env=environ(data, **env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["run", "serve"])
@pytest.mark.parametrize("place", ["a file", "below a file", "/proc/nope"])
def test_a_data_folder_that_cannot_be_written_is_said_in_one_line(
    tmp_path: Path, verb: str, place: str
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    data = {"a file": file, "below a file": file / "data"}.get(place, Path(place))
    done = bakeoff(data, verb)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert str(data) in done.stderr
    assert "BAKEOFF_DATA" in done.stderr
    assert file.read_text() == "mine"


def test_doctor_finds_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    done = bakeoff(file / "data", "doctor", "--json")
    assert done.returncode == 1
    (disk,) = [f for f in json.loads(done.stdout) if f["what"] == "disk"]
    assert disk["state"] == "problem"
    assert "cannot be written" in disk["text"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "serve"])
def test_json_into_nowhere_is_refused_before_anything_is_done(tmp_path: Path, verb: str) -> None:
    done = bakeoff(tmp_path / "data", verb, "--json", BAD_JSON)
    assert done.returncode == 2
    assert done.stderr == (
        f"bakeoff {verb}: --json {BAD_JSON}: cannot be written: No such file or directory\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_full_output_is_said_in_one_line(tmp_path: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "run", "--plan"],
            env=environ(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "bakeoff run: the output cannot be written: No space left on device\n"


def test_an_output_in_ascii_is_escaped(tmp_path: Path) -> None:
    assert bakeoff(tmp_path, "ingest").returncode == 0
    done = bakeoff(tmp_path, "sql", "select '한' as a", "--json", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert r"\ud55c" in done.stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--retry-failed",), "--retry-failed"),
        (("quick-start", "--resume", "R1"), "an experiment"),
        (("--resume", "R1", "--model", "sim-hasty"), "--model"),
        (("--resume", "R1", "--target", "simulator"), "--target"),
        (("--resume", "R1", "--workload", "low"), "--workload"),
        (("--resume", "R1", "--repeats", "2"), "--repeats"),
    ],
)
def test_options_that_would_change_nothing_are_refused(
    tmp_path: Path, words: tuple[str, ...], named: str
) -> None:
    done = bakeoff(tmp_path, "run", *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"bakeoff run: {named} ")


def test_ctrl_c_in_the_import_of_a_verb_is_one_line(tmp_path: Path) -> None:
    code = (
        "import sys, cli.main\n"
        "def interrupted(name): raise KeyboardInterrupt\n"
        "cli.main.importlib.import_module = interrupted\n"
        "sys.exit(cli.main.main(['run']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "bakeoff run: interrupted\n")


def test_ctrl_c_while_the_measuring_process_starts_leaves_no_traceback(tmp_path: Path) -> None:
    # A package that stands in front of Prefect and never ends its import, so that the moment is certain.
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "__init__.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nsignal.pause()\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "cli.child", "{}", "own"],
        env=environ(tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), root])),
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "No module named" in done.stderr:
        pytest.fail(done.stderr)
    assert (done.returncode, done.stdout, done.stderr) == (130, "interrupted\n", "")


@pytest.mark.real
def test_a_prefect_that_does_not_answer_is_named_with_its_variable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: every connection is refused.
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        done = bakeoff(tmp_path, "run", "--model", "sim-hasty", PREFECT_API_URL=url)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert url in done.stderr
    assert "PREFECT_API_URL" in done.stderr
    assert "--resume" not in done.stderr, "nothing has landed"


def test_a_run_that_is_alive_is_not_resumed(tmp_path: Path) -> None:
    run_id = "R20261121T023000Z-9f3a"
    environment = environ(tmp_path)
    code = (
        "from flows.setup import Request, prepare, run_row\nfrom warehouse.landing import land_run\n"
        f"run = prepare(Request(run_id={run_id!r}))\n"
        "land_run(run.landing_root, run_id=run.run_id, simulated=run.simulated, part='open-1', "
        "tables={'runs': [run_row(run)]})\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    with (tmp_path / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"4711 {run_id}")
        lock.flush()
        done = bakeoff(tmp_path, "run", "--resume", run_id)
    assert done.returncode == 2
    assert done.stderr == f"bakeoff run: run {run_id} is still running (process 4711)\n"
    (landed,) = (tmp_path / "landing" / run_id).glob("run/0/open-1/runs.parquet")
    landed.write_bytes(b"broken")
    done = bakeoff(tmp_path, "run", "--resume", run_id)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be resumed" in done.stderr


def test_what_is_shown_may_lose_its_reader() -> None:
    code = (
        "from cli.output import console\nshow = console(patient=True)\n"
        "show.print('first'); import sys; sys.stdin.readline()\n"
        "show.print('second'); show.print('third'); print('measured', file=sys.stderr)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as shown:
        assert shown.stdin
        assert shown.stdout
        assert shown.stderr
        assert shown.stdout.readline() == "first\n"
        shown.stdout.close()
        shown.stdin.write("\n")
        shown.stdin.close()
        told = shown.stderr.read()
    assert shown.returncode == 0
    assert told == "the output is closed; going on without showing it\nmeasured\n"


def test_tables_on_a_standard_error_that_is_no_terminal_are_not_cut() -> None:
    code = "from cli.output import console; console(stderr=True).print('x' * 150)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "x" * 150 + "\n")
