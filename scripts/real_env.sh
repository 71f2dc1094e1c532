#!/bin/sh
# Make .venv-real: the environment of the real model server that `make test-real` measures.
#
# It holds torch and `transformers[serving]` (about 1.2 GB with a CPU build of torch), apart from the product's
# own environment, which stays small. Nothing is installed outside .venv-real; a second call returns at once.
#
# Environment:
#   TORCH_INDEX_URL  Package index for torch, passed to pip as --index-url for torch only. Plain pip gives a CUDA
#                    build of several GB on Linux; set this to an index of CPU builds to avoid that. Not set:
#                    pip's own configuration decides. To change the build later, delete .venv-real first.
#   PYTHON           Interpreter to make the environment with, 3.11 or newer (default: the product's, else python3).
#   UV               uv, used to make the environment where Python has no ensurepip (default: uv, if there is one).
set -eu

TORCH=torch==2.13.0
TRANSFORMERS='transformers[serving]==5.23.0'

cd "$(dirname "$0")/.."
venv=.venv-real
stamp=$venv/bakeoff-stamp
wanted="$TORCH $TRANSFORMERS"

if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    echo "$venv is ready: $wanted"
    exit 0
fi

if [ -z "${PYTHON:-}" ]; then
    if [ -x .venv/bin/python ]; then PYTHON=.venv/bin/python; else PYTHON=python3; fi
fi
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "real_env: $PYTHON is not Python 3.11 or newer; set PYTHON to one" >&2
    exit 2
}

now_s() { date +%s; }
started_s=$(now_s)

# The stamp is written last, so a folder without the right one is what an interrupted or older call left.
rm -rf "$venv"
if ! "$PYTHON" -m venv "$venv" >/dev/null 2>&1; then
    rm -rf "$venv"
    "${UV:-uv}" venv --quiet --seed --python "$PYTHON" "$venv" || {
        echo "real_env: $PYTHON cannot make a virtual environment (no ensurepip) and uv is not there either" >&2
        exit 1
    }
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

echo "installing $TORCH into $venv"
# shellcheck disable=SC2086 # unquoted on purpose: nothing, or two words
pip install -qq ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} "$TORCH"
echo "installing $TRANSFORMERS into $venv ($(du -sh "$venv" | cut -f1) so far, $(($(now_s) - started_s)) s)"
# torch again as a constraint: nothing may swap the build that was just chosen.
pip install -qq "$TORCH" "$TRANSFORMERS"

build=$("$venv/bin/python" -c 'import torch, transformers
cuda = torch.version.cuda or "none"
print(f"torch {torch.__version__} (CUDA: {cuda}), transformers {transformers.__version__}")')
printf '%s' "$wanted" >"$stamp"
echo "$venv is ready: $build, $(du -sh "$venv" | cut -f1), $(($(now_s) - started_s)) s"
