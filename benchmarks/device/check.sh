#!/usr/bin/env bash
# One page on how mtlattack does on this machine's GPU, or on its CPU where there is none: from nothing, some eight
# minutes. `check.sh [FOLDER]` writes FOLDER/page.md and what it is made of; default: device-check in the current folder.
# What follows the folder goes to check.py.
# With MTLATTACK_PYTHON set to a Python that has mtlattack and its test extra, nothing is installed.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$(mkdir -p "${1:-device-check}" && cd "${1:-device-check}" && pwd)
shift || true
python=${MTLATTACK_PYTHON:-}
if [ -z "$python" ]; then
  python3 -m venv "$out/environment"
  python="$out/environment/bin/python"
  "$python" -m pip install --quiet -e "$root[test]"
fi
exec "$python" "$root/benchmarks/device/check.py" --out "$out" "$@"
