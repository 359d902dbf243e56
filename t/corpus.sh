#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Tier T4: plays each corpus once through its fuzz target. An input that made
# a target fail once stays in its corpus, so that this fails if it does again.

set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
: "${top_builddir:=$top_srcdir}"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
status=0

for target in "$top_srcdir"/t/fuzz_*.c; do
	name=$(basename "$target" .c)
	corpus=$top_srcdir/t/corpus/${name#fuzz_}
	[ "$name" = fuzz_main ] && continue
	case $name in
	fuzz_list|fuzz_rule)
		# built only with the block lists
		[ -x "$top_builddir/t/$name" ] || continue
		;;
	esac
	# files, not the folder: libFuzzer would go on from there
	set -- "$corpus"/*
	[ "$name" != fuzz_conf ] || set -- "$@" "$top_srcdir"/t/conf/*.conf
	if [ ! -e "$1" ]; then
		echo "FAIL: $name: no input in $corpus"
		status=1
	elif "$top_builddir/t/$name" "$@" >"$tmp/log" 2>&1; then
		echo "ok: $name: $# inputs"
	else
		echo "FAIL: $name; its last lines:"
		tail -n 30 "$tmp/log" | sed 's/^/	/'
		status=1
	fi
done
exit "$status"
