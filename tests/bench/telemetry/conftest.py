"""A compiled stand-in for NVIDIA's library, used by readers in a process of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

IN_CI = os.environ.get("CI") == "true"  # read before any fixture scrubs the environment
SOURCE = Path(__file__).parent / "nvml_stub.c"


@pytest.fixture(scope="session")
def nvml_stub(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile the stub with the given macros; the folder to put on the library path."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        reason = "no C compiler (cc, gcc, clang) to compile the stand-in for libnvidia-ml.so.1"
        if IN_CI:
            pytest.fail(f"{reason}; CI must have one")
        pytest.skip(reason)
    built: dict[tuple[str, ...], Path] = {}

    def build(*macros: str) -> Path:
        if macros not in built:
            folder = tmp_path_factory.mktemp("nvml")
            flags = [f"-D{macro}" for macro in macros]
            library = folder / "libnvidia-ml.so.1"
            subprocess.run(
                [compiler, "-shared", "-fPIC", "-Wall", "-Werror", *flags, "-o", str(library), str(SOURCE)],
                check=True,
            )
            built[macros] = folder
        return built[macros]

    return build


@pytest.fixture
def with_nvml() -> Callable[..., Any]:
    """Run Python code with a library folder first on the loader's path; what its `result` is, by way of JSON."""

    def run(folder: Path | None, code: str, **env: str) -> Any:
        root = Path(__file__).parents[3]
        done = subprocess.run(
            [sys.executable, "-c", f"{code}\nimport json\nprint(json.dumps(result))"],
            env={"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(folder or ""), **env},
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
