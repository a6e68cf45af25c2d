#!/bin/sh
# PyJSONCanvas, the JSON Canvas library on PyPI, refuses boards without edges.
#
# Version: PyJSONCanvas 1.0.2 (PyPI), Python 3.11.
# Guess:   the format's specification calls both top-level lists optional, so a
#          library for it reads a board of notes alone, and the empty board {}.
# Seen:    each of the two is a KeyError that names the missing list. A board that
#          has an empty list of edges is read.
# So:      a writer of JSON Canvas puts both lists into every file.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check PyJSONCanvas==1.0.2
cat >seen.py <<'END'
import json
from pyjsoncanvas import Canvas

note = {"id": "a", "type": "text", "text": "plan", "x": 0, "y": 0, "width": 200, "height": 100}
for board in ({}, {"nodes": [note]}, {"nodes": [note], "edges": []}):
    try:
        print(f"{sorted(board)}: {len(Canvas.from_json(json.dumps(board)).nodes)} nodes")
    except KeyError as missing:
        print(f"{sorted(board)}: KeyError {missing}")
END
venv/bin/python seen.py >seen.txt
cat >expected.txt <<'END'
[]: KeyError 'nodes'
['nodes']: KeyError 'edges'
['edges', 'nodes']: 1 nodes
END
if ! diff expected.txt seen.txt; then
    echo "changed: the lines above differ"
    exit 1
fi
echo "as seen: a board without edges is refused"
