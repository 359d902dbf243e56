# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # names shared with lib.sh and the tests
#
# Functions for the tests of what administrators see (logs.sh, ctl.sh,
# status.sh): viewd with a configuration, and requests no client would make.
# Read after lib.sh.

viewd=$t_builddir/viewd
raw=$t_builddir/raw
load=$t_builddir/load
ctl=${ICAPCTL:-${top_builddir:-.}/icapctl}

# view_setup: folders; workers and logger may run as somebody else.
view_setup() {
	setup
	for t_program in viewd raw load ctl; do
		eval "t_path=\$$t_program"
		[ -x "$t_path" ] || fail "$t_path: no such program"
		case $t_path in
		/*) ;;
		*) eval "$t_program=\$PWD/\$t_path" ;;
		esac
	done
	mkdir "$tmp/log" "$tmp/ctl" "$tmp/spool" "$tmp/run"
	chmod 1777 "$tmp/log" "$tmp/spool"
}

view_exec() {
	cd "$tmp/run" || exit 1
	TMPDIR=$tmp/spool
	export TMPDIR
	exec "$viewd" "$tmp/conf"
}

# view_start LINE...: viewd with these lines of configuration; sets icapd_pid
# and icapd_port.
view_start() {
	printf '%s\n' "run-dir $tmp/ctl" "$@" >"$tmp/conf"
	start icapd view_exec
	icapd_pid=$started_pid
	icapd_ready
}

# view_stop: in order, and nothing is left.
view_stop() {
	icapd_family=$(family "$icapd_pid")
	kill -TERM "$icapd_pid" || fail "viewd is gone already"
	icapd_ended 0
	[ -z "$(find "$tmp/ctl" ! -type d)" ] ||
	    fail "viewd left files in its run directory"
}

# helper NAME: the pid of an auxiliary process.
helper() {
	ps -A -o pid= -o ppid= -o args= | awk -v p="$icapd_pid" -v n="$1" '
	$2 == p && $0 ~ ": " n "( |$)" { print $1 }'
}

# request SERVICE [HEADER-FILE]: sends $tmp/head, a HTTP request head, as a
# REQMOD, with more ICAP headers; the reply is in $tmp/raw.out.
request() {
	{
		printf 'REQMOD icap://user:secret@127.0.0.1/%s ICAP/1.0\r\n' \
		    "$1"
		printf 'Host: 127.0.0.1\r\nAllow: 204\r\nConnection: close\r\n'
		[ $# -lt 2 ] || cat "$2"
		printf 'Encapsulated: req-hdr=0, null-body=%d\r\n\r\n' \
		    "$(wc -c <"$tmp/head")"
		cat "$tmp/head"
	} >"$tmp/raw.in"
	start raw "$raw" "$icapd_port"
	reap "$started_pid"
	[ "$status" -le "${may_fail:-0}" ] || fail "no reply"
}

# head_of TEXT: makes $tmp/head of a printf format.
head_of() {
	# shellcheck disable=SC2059
	printf "$1" >"$tmp/head"
	printf '\r\nHost: example.com\r\n\r\n' >>"$tmp/head"
}

# lines FILE: how many there are.
lines() {
	wc -l <"$1" 2>/dev/null || echo 0
}

has_lines() {
	[ "$(lines "$1")" -ge "$2" ]
}

# load_start ARGUMENT...: the load client; load_stop: ends it, and sets ok.
load_start() {
	[ -e "$tmp/load.in" ] || mkfifo "$tmp/load.in"
	start load "$load" -p "$icapd_port" "$@"
	load_pid=$started_pid
	exec 9>"$tmp/load.in"
	wait_until has "$tmp/load.out" '^running' || fail "no load"
}

load_stop() {
	exec 9>&-
	reap "$load_pid"
	# shellcheck disable=SC2034 # for the test that calls
	ok=$(sed -n 's/.*ok \([0-9]*\).*/\1/p' "$tmp/load.out" | tail -n 1)
	say "load: $(tail -n 1 "$tmp/load.out")"
	[ "${ok:-0}" -gt 0 ] || fail "no transaction was answered"
}
