#!/usr/bin/env bash
# Runs once, when Gradescope builds the autograder: Python 3.11 and the course's packages.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
# Without it submissions run as another user: see docs/instructors.md.
command -v bwrap >/dev/null || {
  apt-get update && apt-get install -y bubblewrap
} || echo "bubblewrap is not installed"
python=python3
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  apt-get update && apt-get install -y python3.11 python3.11-venv
  python=python3.11
fi
"$python" -c 'import ensurepip' 2>/dev/null || {
  apt-get update && apt-get install -y python3-venv
}
"$python" -m venv "$root/venv"
"$root/venv/bin/pip" install -r "$root/source/requirements.txt" \
  -c "$root/source/constraints.txt"
