#!/bin/sh
# SPDX-License-Identifier: ISC
#
# t/CONFORMANCE has one line for each number, in order; every file it names
# exists; and it agrees with the numbers on top of the scripts, both ways. A
# script that Makefile.am does not list would be missing in the tarball.

set -u
cd "$(dirname "$0")" || exit 1
LC_ALL=C
export LC_ALL

LAST=311		# the highest number

{
	awk '/^# C[0-9][0-9][0-9]( C[0-9][0-9][0-9])*$/ {
		if (FNR == 1)
			for (i = 2; i <= NF; i++)
				print "claim", FILENAME, $i
		else
			print "late", FILENAME
	}' ./*.it
	for file in *.it *.sh *.c; do
		echo "file $file"
	done
	sed -n 's,^	t/\([a-z0-9-]*\.it\).*,made \1,p' ../Makefile.am
	sed -n 's/^C/line C/p' CONFORMANCE
	grep -v -e '^#' -e '^C[0-9][0-9][0-9] ' -e '^$' CONFORMANCE |
	    sed 's/^/odd /'
} | awk -v last="$LAST" '
function complain(text) {
	print "CONFORMANCE: " text
	bad = 1
}
$1 == "file" { exists[$2] = 1 }
$1 == "made" { made[$2] = 1 }
$1 == "odd" { complain("cannot read: " $0) }
$1 == "late" { complain($2 ": its numbers are not on its first line") }
$1 == "claim" {
	sub(/^\.\//, "", $2)
	if (($2, $3) in claimed)
		complain($2 " claims " $3 " twice")
	claimed[$2, $3] = 1
	claims[$2]++
}
$1 == "line" {
	count++
	if ($2 != sprintf("C%03d", count))
		complain($2 " where C" sprintf("%03d", count) " belongs")
	if ($3 == "-") {
		if (NF < 4)
			complain($2 " has no reason")
		next
	}
	if (NF < 3)
		complain($2 " has neither test nor reason")
	for (i = 3; i <= NF; i++) {
		if (!($i in exists))
			complain($2 " names " $i ", which does not exist")
		listed[$i, $2] = 1
		if ($i ~ /\.it$/ && !(($i, $2) in claimed))
			complain($2 " names " $i ", which does not claim it")
	}
}
END {
	if (count != last)
		complain(count + 0 " numbers instead of " last)
	for (key in claimed)
		if (!(key in listed)) {
			split(key, part, SUBSEP)
			complain(part[1] " claims " part[2] \
			    ", which does not name it")
		}
	for (name in exists)
		if (name ~ /\.it$/ && !(name in claims))
			complain(name " claims no number")
	for (name in exists)
		if (name ~ /\.it$/ && !(name in made))
			complain(name " is not in Makefile.am")
	if (!bad)
		print "CONFORMANCE: " count " numbers, complete and true"
	exit bad
}'
