#!/bin/sh
# tldraw refuses an index that ends in zero, and one of a single letter.
#
# Version: @tldraw/utils 5.4.2 (npm), on Node.js 20.
# Guess:   an index is a text that sorts shapes. A writer that needs the order alone
#          counts a1, a2, ... a9, a10, or uses the letters a to z.
# Seen:    a1 to a9 are valid, a10 and a single letter are not: the part behind the
#          first letter is a fraction, so a10 would be a second name of a1. After a9
#          comes aA, after aZ comes aa, and after az comes b00.
# So:      a writer of .tldr files counts in base 62 with a length that the first
#          letter names. The parser of files refuses a whole file for one such index.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund --no-save @tldraw/utils@5.4.2
cat >seen.cjs <<'END'
const { validateIndexKey } = require('@tldraw/utils')
for (const index of ['a1', 'a9', 'a10', 'aA', 'aZ', 'aa', 'az', 'z', 'A', 'b00', 'b01']) {
  let said = 'valid'
  try {
    validateIndexKey(index)
  } catch (error) {
    said = error.message
  }
  console.log(`${index}: ${said}`)
}
console.log(['a9', 'aA', 'aZ', 'aa', 'az', 'b00'].sort().join(' '))
END
node seen.cjs >seen.txt
cat >expected.txt <<'END'
a1: valid
a9: valid
a10: invalid index: a10
aA: valid
aZ: valid
aa: valid
az: valid
z: invalid index: z
A: invalid index: A
b00: valid
b01: valid
a9 aA aZ aa az b00
END
if ! diff expected.txt seen.txt; then
    echo "changed: the lines above differ"
    exit 1
fi
echo "as seen: a10 is refused, and aA follows a9"
