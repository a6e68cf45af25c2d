#!/bin/sh
# tldraw's sync drops the second of two concurrent appends to one text, while of
# two concurrent rewrites it keeps the second.
#
# Version: @tldraw/sync-core 5.4.2 (npm), on Node.js 20.
# Guess:   a record's field is a register. Of two concurrent changes the one that
#          the server takes last wins, whatever the two texts look like.
# Seen:    a text that begins with the old text travels as an append with the old
#          length. The server's own function ignores an append whose length does
#          not fit, without an error. So the first append wins, and a rewrite wins
#          over both. An array behaves in the same way.
# So:      whether a late writer wins or loses depends on where the letters stand.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund --no-save @tldraw/sync-core@5.4.2 react@19.3.1 react-dom@19.3.1
cat >seen.cjs <<'END'
const { applyObjectDiff, diffRecord } = require('@tldraw/sync-core')
const both = (old, first, second) => {
  const [one, two] = [first, second].map((next) => diffRecord(old, next))
  return JSON.stringify([one, two, applyObjectDiff(applyObjectDiff(old, one), two)])
}
const old = { text: 'plan' }
console.log(both(old, { text: 'plan A' }, { text: 'plan B' }))
console.log(both(old, { text: 'A plan' }, { text: 'B plan' }))
console.log(both(old, { text: 'plan A' }, { text: 'B plan' }))
console.log(both({ list: [1] }, { list: [1, 2] }, { list: [1, 3] }))
END
node seen.cjs >seen.txt
cat >expected.txt <<'END'
[{"text":["append"," A",4]},{"text":["append"," B",4]},{"text":"plan A"}]
[{"text":["put","A plan"]},{"text":["put","B plan"]},{"text":"B plan"}]
[{"text":["append"," A",4]},{"text":["put","B plan"]},{"text":"B plan"}]
[{"list":["append",[2],1]},{"list":["append",[3],1]},{"list":[1,2]}]
END
if ! diff expected.txt seen.txt; then
    echo "changed: the lines above differ"
    exit 1
fi
echo "as seen: the second append is dropped, the second rewrite wins"
