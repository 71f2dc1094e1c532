#!/bin/sh
# Makes .venv from the lock file. Needs Python 3.11+; gets uv into .tools/ if it is not on the PATH.
# A second call is quick: the stamp says for which lock file and extras .venv was made.
set -eu
cd "$(dirname "$0")/.."
UV_VERSION=0.13.8
extras="${1:---dev}"

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    say "setup: no Python 3.11 or newer found; install one, or set PYTHON to it"
    exit 1
}

find_uv() {
    if command -v uv >/dev/null 2>&1; then
        command -v uv
        return
    fi
    uv=".tools/uv/bin/uv"
    if [ ! -x "$uv" ]; then
        say "setup: uv is not installed; putting uv $UV_VERSION into .tools/"
        if ! "$1" -m venv .tools/uv >/dev/null 2>&1; then
            rm -rf .tools/uv
            if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
                say "setup: this Python has no venv; installing the package python3-venv"
                { apt-get update -qq && apt-get install -y -qq python3-venv; } >/dev/null 2>&1 || true
            fi
            if ! "$1" -m venv .tools/uv >/dev/null 2>&1; then
                say "setup: $1 cannot make a virtual environment; install python3-venv, or uv, and try again"
                exit 1
            fi
        fi
        .tools/uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" >&2
    fi
    printf '%s\n' "$PWD/$uv"
}

get_bubblewrap() {
    command -v bwrap >/dev/null 2>&1 && return
    if [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "setup: installing bubblewrap, which isolates the code that models write"
        { apt-get update -qq && apt-get install -y -qq bubblewrap; } >/dev/null 2>&1 || true
    fi
    command -v bwrap >/dev/null 2>&1 ||
        say "setup: bubblewrap is missing: correctness and the quality total will be NULL; install the package bubblewrap"
}

python=$(find_python)
stamp=.venv/.bakeoff-setup
want="$python $(cksum uv.lock pyproject.toml | tr '\n' ' ')"
get_bubblewrap
for done_for in --dev "$extras"; do
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$done_for $want" ]; then
        exit 0
    fi
done
uv=$(find_uv "$python")
# The system's certificates, as everything else here uses them: a company's proxy has its own.
export UV_SYSTEM_CERTS=true UV_NATIVE_TLS=true
started=$(date +%s)
say "setup: installing the locked packages into .venv"
"$uv" sync --quiet --frozen "$extras" --python "$python"
printf '%s\n' "$extras $want" >"$stamp"
say "setup: done in $(($(date +%s) - started)) s, .venv is $(du -sm .venv | cut -f1) MB"
