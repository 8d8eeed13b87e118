#!/usr/bin/env bash
# Runs for each submission. Results are written whatever happens.
root=${AUTOGRADER_ROOT:-/autograder}
python=${AUTOGRADER_PYTHON:-$root/venv/bin/python}
results=$root/results/results.json

quote() { # a text as JSON, without needing Python to work
  tr -cd '[:print:]\n' | sed 's/[\\"]/\\&/g' | awk '{printf "%s\\n", $0}'
}

mkdir -p "$root/results"
rm -rf "$results"
cd "$root/source" || exit 1
said=$("$python" -m checker grade "$root/submission" --single --format gradescope \
  --jobs 1 --timeout 420 -o "$results" 2>&1)
if [ ! -f "$results" ] || [ ! -s "$results" ]; then
  rm -rf "$results"
  said=$(printf %s "$said" | tail -c 2000 | quote)
  printf '{"score": 0, "visibility": "visible", "output": "%s"}\n' "$said" > "$results"
fi
