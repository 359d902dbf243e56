# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# Functions for the tests with processes: a temporary folder, icapd on a free
# port, waiting for conditions, and an end that leaves nothing behind.  Read
# by the scripts of this folder with `. "$(dirname "$0")/lib.sh"`, run by
# `make check`, or by hand in the build folder.
#
# The environment may name the daemon (ICAPD) and the folder for temporary
# files (TMPDIR, unless it is too long for the address of a socket).  KEEP=1
# keeps the test's folder.  Nothing here may end a process that the test did
# not start, nor leave one that it did.

# Polls of wait_until, and the pause between two: two minutes in all.  It
# only bounds how long a failing test takes; no test depends on it.
POLLS=2400
PAUSE=0.05

test_name=$(basename "$0" .sh)
ICAPD=${ICAPD:-${top_builddir:-.}/icapd}
t_builddir=${top_builddir:-.}/t
origin=${ORIGIN:-$t_builddir/origin}
tmp=
started=	# pids that cleanup has to end
steps=0
cleanup_hook=:	# a command for what the test itself has to remove

say() {
	echo "$test_name: $*"
}

# A numbered step: the last one on the output is the one that failed.
step() {
	steps=$((steps + 1))
	say "$steps: $*"
}

fail() {
	say "FAIL: $*" >&2
	exit 1
}

skip() {
	say "SKIP: $*" >&2
	exit 77
}

# need PROGRAM PACKAGE: skips the test where the program is missing.
need() {
	command -v "$1" >/dev/null 2>&1 ||
	    skip "no $1 here (Debian: apt-get install $2)"
}

# Makes the temporary folder ($tmp) and arms the trap that removes it.
setup() {
	need ps procps
	[ -x "$ICAPD" ] || fail "$ICAPD: no such program (set ICAPD)"
	case $ICAPD in
	/*) ;;
	*) ICAPD=$PWD/$ICAPD ;;
	esac
	# What a test says of modes is not the business of the user's mask.
	umask 022
	# A socket's address has 107 bytes; 40 are for what is in TMPDIR.
	t_dir=${TMPDIR:-/tmp}
	[ ${#t_dir} -le 40 ] || t_dir=/tmp
	tmp=$(mktemp -d "$t_dir/icapd-$test_name.XXXXXX") ||
	    fail "mktemp"
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 141' PIPE
	trap 'exit 143' TERM
	# Programs may run as somebody else; they must get through to theirs.
	chmod 711 "$tmp"
	# A proxy of the user's shell is no business of the tests.
	unset http_proxy HTTP_PROXY https_proxy all_proxy ALL_PROXY
	unset no_proxy NO_PROXY
	LC_ALL=C
	export LC_ALL
}

# Runs at every end: stops what is left, shows the logs of a failed test.
cleanup() {
	status=$?
	trap - EXIT
	trap '' HUP INT TERM PIPE
	POLLS=100
	for t_pid in $started; do
		end "$t_pid"
	done
	$cleanup_hook
	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
		for t_file in "$tmp"/*.err "$tmp"/*.out "$tmp"/*/*.log; do
			[ -s "$t_file" ] || continue
			echo "--- $t_file (its last lines)" >&2
			tail -n 30 "$t_file" >&2
		done
	fi
	if [ -n "${KEEP:-}" ]; then
		say "kept $tmp" >&2
	else
		rm -rf "$tmp"
	fi
	exit "$status"
}

# wait_until COMMAND...: polls until the command succeeds.
wait_until() {
	t_polls=0
	until "$@"; do
		t_polls=$((t_polls + 1))
		[ "$t_polls" -lt "$POLLS" ] || return 1
		sleep "$PAUSE"
	done
}

# not COMMAND...: `!` is no command, wait_until needs one.
not() {
	! "$@"
}

# has FILE PATTERN: a line of the file matches.
has() {
	grep -q -e "$2" "$1" 2>/dev/null
}

# count FILE PATTERN: how many lines match.
count() {
	grep -c -e "$2" "$1" || :
}

# is_running PID: it exists and is no zombie.
is_running() {
	case $(ps -o stat= -p "$1" 2>/dev/null) in
	'' | Z*) return 1 ;;
	esac
}

# is_gone PID...: none of them runs. One ps for all: there may be hundreds.
is_gone() {
	! ps -o stat= -p "$(echo "$*" | tr -s ' ' ,)" 2>/dev/null |
	    grep -q '^[^Z]'
}

# children PID: its children, zombies too.
children() {
	ps -A -o pid= -o ppid= | awk -v p="$1" '$2 == p { print $1 }'
}

# family PID: all its descendants.
family() {
	ps -A -o pid= -o ppid= | awk -v p="$1" '
	{ parent[$1] = $2 }
	END {
		for (pid in parent)
			for (up = parent[pid]; up in parent; up = parent[up])
				if (up == p) {
					print pid
					break
				}
	}'
}

# start NAME COMMAND...: in the background, output in NAME.out and NAME.err,
# standard input from NAME.in if that exists; the pid is in $started_pid.
start() {
	t_name=$1
	shift
	t_in=/dev/null
	[ ! -e "$tmp/$t_name.in" ] || t_in=$tmp/$t_name.in
	# Emptied here, as nobody may find what an earlier one has written.
	: >"$tmp/$t_name.out"
	: >"$tmp/$t_name.err"
	"$@" <"$t_in" >>"$tmp/$t_name.out" 2>>"$tmp/$t_name.err" \
	    8>&- 9>&- &
	started_pid=$!
	started="$started $started_pid"
}

# reap PID: waits until it has ended, forgets it; $status is its exit status.
reap() {
	wait_until is_gone "$1" || fail "process $1 does not end"
	status=0
	wait "$1" 2>/dev/null || status=$?
	forget "$1"
}

forget() {
	t_left=
	for t_pid in $started; do
		[ "$t_pid" = "$1" ] || t_left="$t_left $t_pid"
	done
	started=$t_left
}

# end PID: by TERM, and by KILL if that does not help, with its descendants.
end() {
	t_members="$1 $(family "$1")"
	kill -TERM "$1" 2>/dev/null || :
	# shellcheck disable=SC2086 # a list of pids
	wait_until is_gone $t_members ||
	    kill -KILL $t_members 2>/dev/null || :
	wait "$1" 2>/dev/null || :
}

# icapd_start [OPTION...]: the daemon on a free port with the service "echo";
# sets icapd_pid and icapd_port.  Its temporary files go to a folder of their
# own, it runs in another: both have to be empty at its end.
icapd_start() {
	icapd_launch --host 127.0.0.1 --port 0 "$@" echo
}

# icapd_serve [OPTION...]: the daemon as $tmp/icapd.conf says, which has it
# listen on 127.0.0.1:0; sets the same.
# shellcheck disable=SC2120
icapd_serve() {
	icapd_launch -d "$@" -f "$tmp/icapd.conf"
}

# icapd_launch OPTION...: $ICAPD with these and nothing else; sets icapd_pid
# and icapd_port.
icapd_launch() {
	mkdir -p "$tmp/spool" "$tmp/run"
	# Workers of root are somebody else.
	chmod 1777 "$tmp/spool"
	start icapd icapd_exec "$@"
	icapd_pid=$started_pid
	icapd_ready
}

# Waits for it, and asks its log for the port.
icapd_ready() {
	wait_until icapd_is_up || fail "icapd is not ready"
	icapd_port=$(sed -n \
	    's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' \
	    "$tmp/icapd.err" | head -n 1)
	[ -n "$icapd_port" ] || fail "icapd ended instead of listening"
	wait_until icapd_is_settled || fail "icapd's workers do not start"
}

# icapd_is_settled: whatever it has forked is what it is to be.  It listens
# with the first worker that is ready; others may still be at their start then,
# with another user, no sandbox, and the title of the master.
icapd_is_settled() {
	ps -A -o ppid= -o stat= -o args= | awk -v p="$icapd_pid" '
	$1 == p && $2 !~ /^Z/ && (/: master/ || /\[starting]/) { n++ }
	END { exit n > 0 }'
}

icapd_exec() {
	cd "$tmp/run" || exit 1
	TMPDIR=$tmp/spool
	export TMPDIR
	exec "$ICAPD" "$@"
}

# Up, or beyond hope.
icapd_is_up() {
	has "$tmp/icapd.err" 'listening on 127\.0\.0\.1:[1-9]' ||
	    ! is_running "$icapd_pid"
}

# icapd_workers: the pids of its workers that are ready, as their titles say.
icapd_workers() {
	ps -A -o pid= -o ppid= -o stat= -o args= | awk -v p="$icapd_pid" '
	$2 == p && $3 !~ /^Z/ && /: worker [0-9]+ \[(idle|busy)]/ { print $1 }'
}

# icapd_stop SIGNAL: stops it and checks what it leaves: exit status 0, no
# process, no pid file, no temporary file, no report of a sanitizer.
icapd_stop() {
	icapd_family=$(family "$icapd_pid")
	kill -"$1" "$icapd_pid" || fail "icapd is gone already"
	icapd_ended 0
}

# icapd_ended STATUS: the second half of icapd_stop, after another signal.
icapd_ended() {
	reap "$icapd_pid"
	[ "$status" -eq "$1" ] ||
	    fail "icapd ended with status $status, not $1"
	icapd_left_nothing
}

# Needs icapd_family from before the end.
icapd_left_nothing() {
	# shellcheck disable=SC2086 # a list of pids
	wait_until is_gone $icapd_family ||
	    fail "icapd left processes of" $icapd_family
	t_left=$(find "$tmp/spool" "$tmp/run" ! -type d)
	[ -z "$t_left" ] || fail "icapd left files:" "$t_left"
	for t_file in /run/icapd*.pid /var/run/icapd*.pid; do
		[ ! -f "$t_file" ] || ! grep -q -x "$icapd_pid" "$t_file" ||
		    fail "icapd left its pid file $t_file"
	done
	if grep -E 'Sanitizer|runtime error:' "$tmp/icapd.err" >&2; then
		fail "a sanitizer reports the above"
	fi
}

# kill_daemon FILE: for cleanup_hook, ends the daemon whose pid file this is;
# cleanup knows only what the test has started.
kill_daemon() {
	t_pid=$(cat "$1" 2>/dev/null) || return 0
	case $t_pid in
	'' | *[!0-9]*) return 0 ;;
	esac
	kill -KILL "$t_pid" 2>/dev/null || :
	wait_until is_gone "$t_pid" || :
}

# complaints: the lines of icapd that are worse than a notice, in the ECS
# form that is the default.
complaints() {
	grep -E '"(warn|warning|error|alert|critical|crit|emerg|fatal|panic)"' \
	    "$tmp/icapd.err" || :
}

# origin_start [OPTION...]: the HTTP origin server; sets origin_port.  It ends
# when file descriptor 9, the other end of its standard input, is closed.
# shellcheck disable=SC2120
origin_start() {
	[ -p "$tmp/origin.in" ] || mkfifo "$tmp/origin.in"
	start origin "$origin" "$@"
	origin_pid=$started_pid
	exec 9>"$tmp/origin.in"
	wait_until has "$tmp/origin.out" '^port [1-9]' ||
	    fail "the origin server is not ready"
	# shellcheck disable=SC2034 # for the test that calls
	origin_port=$(sed -n 's/^port //p' "$tmp/origin.out")
}

origin_stop() {
	exec 9>&-
	reap "$origin_pid"
	[ "$status" -eq 0 ] || fail "the origin server ended with $status"
	[ ! -s "$tmp/origin.err" ] || fail "the origin server complained"
}
