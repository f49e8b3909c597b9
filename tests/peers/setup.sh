#!/bin/sh
# Makes the Python environment of tests/peers.rs and tests/syntax.rs in target/peers, with what requirements.txt pins.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../../target/peers

# A copy of the pins tells what was installed; it is written last.
cmp -s "$here/requirements.txt" "$venv/installed.txt" && exit 0
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 -r "$here/requirements.txt"
cp "$here/requirements.txt" "$venv/installed.txt"
