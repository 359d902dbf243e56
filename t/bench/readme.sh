#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Puts what `make bench` has found last into README: the table in the place of
# the one that is there, the plots into t/bench. Run by `make bench-readme`.

set -eu

bench=${top_builddir:-.}/t/bench
readme=${top_srcdir:-.}/README

[ -s "$bench/readme.txt" ] || {
	echo "readme.sh: no $bench/readme.txt: run make bench first" >&2
	exit 1
}
# The table is the indented lines after this one.
awk -v table="$bench/readme.txt" '
/`make bench-readme` puts it here:$/ {
	found = skipping = 1
	print
	print ""
	while ((getline line <table) > 0)
		print line
	print ""
	next
}
skipping && /^(\t|$)/ { next }
{
	skipping = 0
	print
}
END { exit !found }' "$readme" >"$readme.tmp" || {
	rm -f "$readme.tmp"
	echo "readme.sh: $readme has no place for the table" >&2
	exit 1
}
cat "$readme.tmp" >"$readme"
rm -f "$readme.tmp"
for type in svg png; do
	[ ! -e "$bench/plot.$type" ] ||
	    cp "$bench/plot.$type" "${top_srcdir:-.}/t/bench/rate.$type"
done
