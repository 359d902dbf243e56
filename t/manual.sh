#!/bin/sh
# SPDX-License-Identifier: ISC
#
# icapd_service(3) against the header it documents: the same functions with
# the same arguments, every verdict and every member of a service, and an
# example that is the program of that name. Nothing is run.

set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
: "${TEST_CC:=cc -D_GNU_SOURCE}"
page=$top_srcdir/man/icapd_service.3
header=$top_srcdir/services/service.h
example=$top_srcdir/examples/upper.c

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
LC_ALL=C
export LC_ALL

# complain WHAT: the lines on stdin, if any, are wrong
complain() {
	cat >"$tmp/complaints"
	if [ -s "$tmp/complaints" ]; then
		echo "FAIL: $1"
		sed 's/^/	/' "$tmp/complaints"
		: >"$tmp/bad"	# a variable would be the pipeline's
	else
		echo "ok: $1"
	fi
}

# The functions of the synopsis as C.
awk '
/^\.Sh / { inside = $2 == "SYNOPSIS" }
!inside { next }
/^\.Ft / {
	type = substr($0, 5)
	gsub(/"/, "", type)
}
/^\.Fn / {
	n = split(substr($0, 5), word, "\"")
	name = word[1]
	args = ""
	if (n == 1)			# one argument without blanks
		n = split(name, part, " ")
	sub(/ .*/, "", name)
	for (i = 2; i <= n; i += 2)
		args = args (args == "" ? "" : ", ") word[i]
	print type " " name "(" args ");"
}
/^\.Fo / { name = $2; args = "" }
/^\.Fa / {
	arg = substr($0, 5)
	gsub(/"/, "", arg)
	args = args (args == "" ? "" : ", ") arg
}
/^\.Fc/ { print type " " name "(" args ");" }' "$page" >"$tmp/manual.c"
sed 's/(.*//; s/.*[ *]//' "$tmp/manual.c" | sort >"$tmp/manual.names"

# Those of the header: all that may stand before a parenthesis at the left.
awk '
/^\/\*/ { comment = 1 }
{
	if (!comment && match($0, /^[a-z][a-z0-9_ ]*[ \t*]+[a-z_]+\(/)) {
		name = substr($0, 1, RLENGTH - 1)
		sub(/.*[ \t*]/, "", name)
		print name
	}
}
/\*\// { comment = 0 }' "$header" | sort >"$tmp/header.names"
[ "$(wc -l <"$tmp/header.names")" -gt 20 ] ||
    echo "$header" | complain "the header has functions"

comm -23 "$tmp/header.names" "$tmp/manual.names" |
    complain "each function of service.h is in the manual"
comm -13 "$tmp/header.names" "$tmp/manual.names" |
    complain "each function of the manual is in service.h"
uniq -d "$tmp/manual.names" | complain "each is there once"

# Declared again as the manual has it: another type does not compile.
# shellcheck disable=SC2086 # a command line
{
	echo "#include \"$header\""
	cat "$tmp/manual.c"
} >"$tmp/both.c"
# shellcheck disable=SC2086 # a command line
(cd "${top_builddir:-.}" && $TEST_CC -I. -fsyntax-only "$tmp/both.c" 2>&1) |
    grep 'error' | complain "they have the same arguments in both"

# What is described, each function and word by name.
sed '1,/^\.Sh DESCRIPTION/d' "$page" >"$tmp/text"
while read -r name; do
	grep -qE "^\.Fn $name( |\$)" "$tmp/text" || echo "$name"
done <"$tmp/header.names" | complain "each function is described"
sed -n '/^enum verdict {/,/^}/p' "$header" |
    sed -n 's/.*\(VERDICT_[A-Z]*\).*/\1/p' | while read -r name; do
	grep -q "^\.It Dv $name\$" "$tmp/text" || echo "$name"
done | complain "each verdict is described"
sed -n '/^enum backend_state {/,/^}/p' "$header" |
    sed -n 's/^	\(BACKEND_[A-Z]*\).*/\1/p' >"$tmp/states"
[ "$(wc -l <"$tmp/states")" -ge 4 ] ||
    echo "$header" | complain "a back-end has states"
while read -r name; do
	grep -q "^\.It Dv $name\$" "$tmp/text" || echo "$name"
done <"$tmp/states" | complain "each state of a back-end is described"
sed -n '/^struct service_setup {/,/^}/p' "$header" |
    sed -n 's/^	[a-z][^;]*[*	 ]\([a-z]*\);.*/\1/p
	s/.*(\*\([a-z_]*\))(.*/\1/p' | sort >"$tmp/members"
[ "$(wc -l <"$tmp/members")" -ge 8 ] ||
    echo "$header" | complain "a setup has members"
while read -r name; do
	grep -qE "^\.(It )?Fa (.*[*\" ])?$name(\"|\)| |\$)" "$tmp/text" ||
	    echo "$name"
done <"$tmp/members" | complain "each member of a setup is described"
sed -n '/^struct service {/,/^}/p' "$header" |
    sed -n 's/^	[a-z][^;]*[*	 ]\([a-z]*\);.*/\1/p
	s/.*(\*\([a-z]*\))(.*/\1/p' | sort >"$tmp/members"
[ "$(wc -l <"$tmp/members")" -ge 10 ] ||
    echo "$header" | complain "a service has members"
while read -r name; do
	grep -qE "^\.It Fa (.*[*\" ])?$name(\"|\)|\$)" "$tmp/text" ||
	    echo "$name"
done <"$tmp/members" | complain "each member of a service is described"

# The example is the program that t/library.sh builds and runs.
sed -n '/^\.Sh EXAMPLES/,/^\.Sh ERRORS/p' "$page" |
    sed '1,/^\.Bd /d; /^\.Ed/,$d; s/\\e/\\/g' >"$tmp/example.c"
sed -n '/^#include/,$p' "$example" | diff "$tmp/example.c" - |
    complain "the example is examples/upper.c"
[ ! -e "$tmp/bad" ]
