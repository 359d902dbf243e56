# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2034
#
# icapc for the tests of it: runs it and looks at what it says, and servers
# that answer what they are told to (t/bench/floor).  Read after lib.sh.

icapc=${ICAPC:-${top_builddir:-.}/icapc}
floor=${FLOOR:-$t_builddir/bench/floor}

# c STATUS OPTION...: icapc has to exit with STATUS; output in c.out, c.err
c() {
	c_status=$1
	shift
	start c "$icapc" "$@"
	reap "$started_pid"
	[ "$status" -eq "$c_status" ] ||
	    fail "icapc $*: status $status instead of $c_status"
	if grep -E 'Sanitizer|runtime error:' "$tmp/c.err" >&2; then
		fail "icapc $*: a sanitizer reports the above"
	fi
}

# says PATTERN, complains PATTERN: on standard output, on standard error
says() {
	has "$tmp/c.out" "$1" || fail "icapc does not say: $1"
}

complains() {
	has "$tmp/c.err" "$1" || fail "icapc does not complain: $1"
}

# odd REPLY [OPTION...]: a server, $odd, that answers REPLY, a format of
# printf(1)
odd() {
	# shellcheck disable=SC2059	# it is one
	printf "$1" >"$tmp/reply"
	shift
	rm -f "$tmp/floor.out"
	start floor "$floor" "$@" -r "$tmp/reply" reply
	odd_pid=$started_pid
	wait_until has "$tmp/floor.out" '^port [1-9]' ||
	    fail "the odd server is not ready"
	odd=icap://127.0.0.1:$(sed -n 's/^port //p' "$tmp/floor.out")/odd
}

odd_end() {
	end "$odd_pid"
	forget "$odd_pid"
}

# client_setup: as setup, and both programs are there
client_setup() {
	setup
	for program in "$icapc" "$floor"; do
		[ -x "$program" ] ||
		    fail "$program: no such program (make check builds it)"
	done
}
