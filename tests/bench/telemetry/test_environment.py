"""What a run was measured on, as far as it can be known."""

import json
import platform
import subprocess

from bench.environment import read_environment


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


def test_environment_names_host_system_and_packages(tmp_path):
    environment = read_environment(config_hash="abc", root=tmp_path)
    assert environment.config_hash == "abc"
    assert environment.python_version == platform.python_version()
    assert environment.cpu_count >= 1
    assert environment.memory_mib > 100
    assert environment.kernel == platform.release()
    assert environment.bakeoff_version
    packages = json.loads(environment.packages)
    assert packages["psutil"]
    assert list(packages) == sorted(packages)


def test_commit_is_known_in_a_checkout_and_dirt_is_told(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    clean = read_environment(config_hash="", root=tmp_path)
    assert len(clean.commit_sha) == 40
    assert clean.commit_dirty is False
    (tmp_path / "file").write_text("2")
    dirty = read_environment(config_hash="", root=tmp_path)
    assert (dirty.commit_sha, dirty.commit_dirty) == (clean.commit_sha, True)


def test_folder_inside_somebody_elses_checkout_has_no_commit_of_ours(tmp_path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    (tmp_path / "installed").mkdir()
    environment = read_environment(config_hash="", root=tmp_path / "installed")
    assert (environment.commit_sha, environment.commit_dirty) == (None, None)


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_environment(config_hash="", root=tmp_path).commit_sha is None


def test_gpu_facts_come_from_the_library(tmp_path, nvml_stub, with_nvml):
    code = f"""
from pathlib import Path
from bench.environment import read_environment
e = read_environment(config_hash="", root=Path({str(tmp_path)!r}))
result = [e.gpu_names, e.gpu_driver_version, e.gpu_cuda_version]
"""
    assert with_nvml(nvml_stub(), code) == [["Stub H100", "Stub T4"], "575.51.03", "12.9"]
