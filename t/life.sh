# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154 # variables of lib.sh
#
# Functions for the tests of the life of the processes, life_*.sh, on top of
# lib.sh: the daemon is lifed, whose services misbehave on request, the client
# is load, which says what became of every transaction.  Each test runs as who
# it is, and as root once more with workers that are nobody.

lifed=${LIFED:-$t_builddir/lifed}
load=${LOAD:-$t_builddir/load}
ping=${PING:-$t_builddir/ping}

life_setup() {
	setup
	for t_tool in "$lifed" "$load" "$ping"; do
		[ -x "$t_tool" ] ||
		    fail "$t_tool: no such program (make check builds it)"
	done
	mkdir "$tmp/spool" "$tmp/run"
	chmod 1777 "$tmp/spool"
	chmod 755 "$tmp"
}

# conf [NAME VALUE]...: writes the configuration
conf() {
	: >"$tmp/conf"
	while [ "$#" -gt 0 ]; do
		echo "$1 $2" >>"$tmp/conf"
		shift 2
	done
}

life_exec() {
	TMPDIR=$tmp/spool
	export TMPDIR
	exec "$lifed" "$tmp/conf"
}

# life_start: the daemon with $tmp/conf in the foreground; sets icapd_pid and
# icapd_port.
life_start() {
	start icapd life_exec
	icapd_pid=$started_pid
	wait_until icapd_is_up || fail "icapd is not ready"
	is_running "$icapd_pid" || fail "icapd ended instead of listening"
	life_find_port
	wait_until icapd_is_settled || fail "icapd's workers do not start"
}

life_find_port() {
	icapd_port=$(sed -n \
	    's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' \
	    "$tmp/icapd.err" | tail -n 1)
	[ -n "$icapd_port" ] || fail "icapd does not say where it listens"
}

# said N PATTERN: the daemon has said that so often
said() {
	[ "$(count "$tmp/icapd.err" "$2")" -ge "$1" ]
}

wait_said() {
	wait_until said "$1" "$2" || fail "icapd does not say $1 times: $2"
}

# load_start NAME OPTION...: a load client in the background
load_start() {
	lo_name=$1
	shift
	[ -e "$tmp/$lo_name.in" ] || mkfifo "$tmp/$lo_name.in"
	start "$lo_name" "$load" -p "$icapd_port" -v "$@"
	load_pid=$started_pid
	exec 8>"$tmp/$lo_name.in"
	wait_until has "$tmp/$lo_name.out" '^running' ||
	    fail "the clients are not all served"
}

# load_stop NAME: it finishes; its figures are in $figures
load_stop() {
	exec 8>&-
	reap "$load_pid"
	[ "$status" -eq 0 ] || fail "load ended with $status"
	load_figures "$1"
}

load_figures() {
	figures=$(sed -n '/^sent /p' "$tmp/$1.out")
	[ -n "$figures" ] || fail "load has no figures"
	say "$1: $figures"
}

# load_once NAME OPTION...: to its end, with -n
load_once() {
	lo_name=$1
	shift
	start "$lo_name" "$load" -p "$icapd_port" -v "$@"
	reap "$started_pid"
	[ "$status" -eq 0 ] || fail "load ended with $status"
	load_figures "$lo_name"
}

# figure NAME: of the last run
figure() {
	echo "$figures" | awk -v name="$1" '
	{ for (i = 1; i < NF; i += 2) if ($i == name) print $(i + 1) }'
}

nothing_lost() {
	[ "$(figure lost)" -eq 0 ] || fail "$(figure lost) transactions lost"
	[ "$(figure busy)" -eq 0 ] || fail "$(figure busy) answered 503"
	[ "$(figure ok)" -gt 0 ] || fail "nothing served"
}

# not_running PID: it has ended
not_running() {
	! is_running "$1"
}

has_zombie() {
	ps -A -o ppid= -o stat= |
	    awk -v p="$icapd_pid" '$1 == p && $2 ~ /^Z/ { z = 1 }
	    END { exit !z }'
}

# has_workers N: that many, no zombie
has_workers() {
	[ "$(icapd_workers | wc -l)" -eq "$1" ] && ! has_zombie
}
