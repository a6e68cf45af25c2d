#!/bin/sh
# Yjs: Y.UndoManager takes back other people's changes when their updates are
# applied without an origin.
#
# Version: yjs 13.6.33 (npm), on Node.js 20.
# Guess:   the manager tracks the origin null, which local edits have. An update
#          that comes in by Y.applyUpdate is not local, so it is not tracked.
# Seen:    the origin of an update that is applied without one is null as well.
#          The manager then tracks it, and undo removes the other person's text.
#          With any origin, undo brings back one's own deletion only.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund --no-save yjs@13.6.33
cat >seen.cjs <<'END'
const Y = require('yjs')
const undone = (...origin) => {
  const [ada, ben] = [1, 2].map((id) => Object.assign(new Y.Doc(), { clientID: id }))
  const exchange = () => {
    Y.applyUpdate(ada, Y.encodeStateAsUpdate(ben), ...origin)
    Y.applyUpdate(ben, Y.encodeStateAsUpdate(ada), ...origin)
  }
  ada.getText('note').insert(0, 'one two')
  exchange()
  const manager = new Y.UndoManager(ada.getText('note'), { captureTimeout: 0 })
  ada.getText('note').delete(0, 4)
  exchange()
  ben.getText('note').insert(3, ' by Ben')
  exchange()
  manager.undo()
  exchange()
  return ada.getText('note').toString()
}
console.log(`without an origin: ${undone()}`)
console.log(`with an origin: ${undone('network')}`)
END
node seen.cjs >seen.txt
cat >expected.txt <<'END'
without an origin: two
with an origin: one two by Ben
END
if ! diff expected.txt seen.txt; then
    echo "changed: the lines above differ"
    exit 1
fi
echo "as seen: undo removed what Ben wrote"
