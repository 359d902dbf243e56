#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Tier T0: what can be said about the tree without running the daemon's
# network side. Layers, headers, calls that style.md forbids, manual against
# --help, mandoc, shellcheck, blanks. Every check runs, each complaint names
# file and line; a check whose tool is missing is skipped with a notice, and
# the whole is a skip (77) only if nothing failed and something was left out.

set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
: "${top_builddir:=$top_srcdir}"
: "${ICAPD:=$top_builddir/icapd}"
: "${TEST_CC:=cc -D_GNU_SOURCE $(pkg-config --cflags libbsd-overlay)}"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
cd "$top_srcdir" || exit 1
LC_ALL=C
export LC_ALL

# complain WHAT: the lines on stdin, if any, are complaints about WHAT. It
# ends a pipe, so what it remembers has to be a file.
complain() {
	cat >"$tmp/complaints"
	if [ -s "$tmp/complaints" ]; then
		echo "FAIL: $1"
		sed 's/^/	/' "$tmp/complaints"
		echo "$1" >>"$tmp/bad"
	else
		echo "ok: $1"
	fi
}

# has TOOL WHAT: without TOOL, WHAT is left out.
has() {
	if command -v "$1" >/dev/null 2>&1; then
		return 0
	fi
	echo "SKIP: $2: $1 is not installed (apt-get install $1)"
	echo "$2" >>"$tmp/left_out"
	return 1
}

# code FILE...: the lines as FILE:LINE:TEXT with comments and strings blanked,
# so that a word in a comment is no call.
code() {
	awk '
	FNR == 1 { inside = 0 }
	{
		out = ""
		rest = $0
		while (rest != "") {
			if (inside) {
				if ((i = index(rest, "*/")) == 0) {
					rest = ""
				} else {
					rest = substr(rest, i + 2)
					inside = 0
				}
			} else if (match(rest,
			    /\/\*|\/\/|"([^"\\]|\\.)*"|'\''([^'\''\\]|\\.)*'\''/)) {
				out = out substr(rest, 1, RSTART - 1)
				token = substr(rest, RSTART, RLENGTH)
				rest = substr(rest, RSTART + RLENGTH)
				if (token == "/*")
					inside = 1
				else if (token == "//")
					rest = ""
				else
					out = out "\"\""
			} else {
				out = out rest
				rest = ""
			}
		}
		print FILENAME ":" FNR ":" out
	}' "$@"
}

# The files: C of the three layers, and every text we wrote.
sources=$(find proto services server client -name '*.[ch]' | sort)
tests=$(find t -name '*.[ch]' | sort)
scripts=$(for file in bootstrap .ci/run t/*.sh t/bench/*.sh; do
	echo "$file"
done)
texts="$sources $tests $scripts server/order.ld Makefile.am configure.ac README
    $(find man -name '*.[1-9]')"
[ -n "$sources" ] || echo "none found" | complain "there are sources"

# Includes, as FILE:LINE:LAYER/NAME. "buf.h" means the layer of the file, and
# "../proto/buf.h" is "proto/buf.h".
# shellcheck disable=SC2086
awk '/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	name = part[2]
	gsub(/(\.\.\/)+/, "", name)
	if (index(name, "/") == 0) {
		layer = FILENAME
		sub(/\/[^\/]*$/, "", layer)
		name = layer "/" name
	}
	print FILENAME ":" FNR ":" name
}' $sources >"$tmp/includes"

grep -E '^proto/[^:]*:[0-9]*:(services|server|icapd|t)/' "$tmp/includes" |
    complain "proto/ includes nothing of services/ or server/"
grep -E '^services/[^:]*:[0-9]*:(server|t)/' "$tmp/includes" |
    complain "services/ includes nothing of server/"
grep -E '^server/[^:]*:[0-9]*:t/' "$tmp/includes" |
    complain "server/ includes nothing of t/"
grep -E '^client/[^:]*:[0-9]*:(services|server|t)/' "$tmp/includes" |
    complain "client/ includes nothing of services/ or server/"

# Each header alone, first in its file, and twice. TEST_CC is a command line.
# shellcheck disable=SC2086
echo "$sources" | grep '\.h$' | while read -r header; do
	printf '#include "%s"\n#include "%s"\nextern int lint;\n' \
	    "$header" "$header" >"$tmp/alone.c"
	$TEST_CC -Werror -I"$top_builddir" -I"$top_srcdir" \
	    -fsyntax-only "$tmp/alone.c" 2>&1
done | complain "each header compiles alone"

# Calls. The first list is unsafe with bytes from the wire, the second belongs
# to one file each (style.md 18, 21, 22).
# shellcheck disable=SC2086
code $sources >"$tmp/code"
calls() {
	grep -E "(^|[^A-Za-z0-9_.>])($1)[[:blank:]]*\(" "$tmp/code"
}
calls 'strcpy|stpcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|alloca' |
    complain "no unbounded copies"
calls 'strto(l|ul|ll|ull|imax|umax|d|q)|ato[ifl]|atoll|s?scanf|fscanf|strtok' |
    complain "numbers and words are parsed by hand or by strtonum"
calls 'fork|vfork|waitpid|wait[34]?|waitid' | grep -v \
    '^server/\(master\|start\|icapctl\)\.c:' |
    complain "of the daemon only master.c and start.c fork and wait"
calls 'accept4?' | grep -v '^server/worker\.c:' |
    complain "only worker.c accepts"
calls 'set(res|re|e)?[ug]id|setgroups|initgroups|chroot' |
    grep -v '^server/priv\.c:' |
    complain "only priv.c changes ids"
calls 'v?syslog' | grep -v '^server/log\.c:' |
    complain "only log.c calls syslog"
calls 'sleep|usleep' | complain "nothing sleeps"

# The linker says nothing of a function that is no more.
sed -n 's/.*(\.text\.\([a-z0-9_]*\) .*/\1/p' server/order.ld >"$tmp/order"
[ -s "$tmp/order" ] || echo "server/order.ld: nothing" >"$tmp/order"
while read -r name; do
	grep -q "^$name(" proto/*.c services/*.c server/*.c ||
	    echo "server/order.ld: $name"
done <"$tmp/order" | complain "what server/order.ld lists are functions"
grep '^proto/' "$tmp/code" | grep -E ':[0-9]+:.*[^A-Za-z0-9_](log_[a-z]+|fatalx?|printf|fprintf|vfprintf|perror|warnx?|errx?)[[:blank:]]*\(' |
    complain "proto/ never logs"

# Form: SPDX first, a comment that says what the file is for, no damage.
for file in $sources; do
	head -n 1 "$file" | grep -q '^/\* SPDX-License-Identifier: ISC \*/$' ||
	    echo "$file:1: no SPDX line"
	case $file in
	*.c)
		head -n 12 "$file" | grep -q '^ \*' ||
		    echo "$file: no comment that says what it is for" ;;
	esac
done | complain "each source starts as style.md 2 says"

# shellcheck disable=SC2086
set -- $texts
{
	grep -Hn "[[:blank:]]$" "$@"
	grep -Hn "$(printf '\r')" "$@"
	# A TAB after a blank, and indentation by eight blanks.
	grep -Hn "^$(printf '\t')* \{1,\}$(printf '\t')" "$@"
	grep -Hn '^        ' "$@" | grep -v '^man/'
	for file in "$@"; do
		[ -z "$(tail -c 1 "$file")" ] || echo "$file: no newline at end"
	done
} 2>&1 | complain "no blanks at line ends, no broken TABs"
# shellcheck disable=SC2086
awk '{
	n = 0
	for (i = 1; i <= length($0); i++)
		n += substr($0, i, 1) == "\t" ? 8 - n % 8 : 1
	if (n > 80)
		print FILENAME ":" FNR ": " n " columns"
}' $sources $tests | complain "C stays within 80 columns"

# The manual against --help: the same options in both.
if "$ICAPD" --help >"$tmp/help" 2>&1; then
	grep -oE -e '(^|[^A-Za-z0-9-])--?[A-Za-z][A-Za-z-]*' "$tmp/help" |
	    sed 's/^[^-]*//' | awk '
	/^--/ { print; next }
	{ for (i = 2; i <= length($0); i++) print "-" substr($0, i, 1) }' |
	    sort -u >"$tmp/help.options"
	grep '^\.It Fl' man/icapd.8 | grep -oE 'Fl [A-Za-z-]+' |
	    sed 's/^Fl /-/' | sort -u >"$tmp/man.options"
	[ -s "$tmp/help.options" ] || echo "(none)" >"$tmp/help.options"
	comm -23 "$tmp/help.options" "$tmp/man.options" |
	    complain "each option of icapd --help is in icapd.8"
	comm -13 "$tmp/help.options" "$tmp/man.options" |
	    complain "each option of icapd.8 is in icapd --help"
else
	echo "it exits with $?" | complain "icapd --help works"
fi

if has mandoc "manuals"; then
	# Which other manuals this machine has is not our affair.
	for page in man/*.[1-9]; do
		mandoc -Tlint "$page" 2>&1 |
		    grep -Ev 'mandoc\.db|referenced manual not found'
	done | complain "mandoc finds nothing wrong"
fi
if has shellcheck "shell scripts"; then
	# 2031: that a subshell changes a variable for itself is its purpose.
	for script in $scripts; do
		shellcheck -x -P SCRIPTDIR -e 2031 -f gcc "$script" 2>&1
	done | complain "shellcheck finds nothing wrong"
fi

if [ -s "$tmp/bad" ]; then
	echo "lint: $(wc -l <"$tmp/bad") checks failed"
	exit 1
fi
if [ -s "$tmp/left_out" ]; then
	echo "lint: $(wc -l <"$tmp/left_out") checks were left out"
	exit 77
fi
