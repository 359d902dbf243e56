#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The processes of icapd, seen from outside: command line, workers that are
# killed, a master that is killed, draining, stopping at once, clients that go
# away, what a transaction costs in system calls and an idle worker in memory.
# Each part starts a daemon of its own; none may leave anything behind.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

WORKERS=3
REQUESTS=1000		# of the strace part
CALLS_SLACK=60		# calls of accepting, closing, going idle, and strace
IDLE_KIB=100		# private dirty memory of an idle worker

ping=${PING:-$t_builddir/ping}
setup
[ -x "$ping" ] || fail "$ping: no such program (make check builds it)"

# once OPTION...: icapd run to its end, with $status, once.out and once.err
once() {
	start once "$ICAPD" "$@"
	reap "$started_pid"
}

# usage_error OPTION...
usage_error() {
	once "$@"
	[ "$status" -eq 2 ] || fail "icapd $*: status $status instead of 2"
	grep -q -i '^usage: .*icapd' "$tmp/once.err" ||
	    fail "icapd $*: no usage on standard error"
	[ ! -s "$tmp/once.out" ] ||
	    fail "icapd $*: something on standard output"
}

# serves [COUNT]: a new client gets its answers.
serves() {
	"$ping" -p "$icapd_port" -n "${1:-1}" count ||
	    fail "a new client is not served"
}

# all_there N: that many workers, no zombie
all_there() {
	[ "$(icapd_workers | wc -l)" -eq "$1" ] &&
	    [ "$(children "$icapd_pid" | wc -l)" -ge "$1" ] &&
	    ! has_zombie
}

has_zombie() {
	ps -A -o ppid= -o stat= |
	    awk -v p="$icapd_pid" '$1 == p && $2 ~ /^Z/ { z = 1 }
	    END { exit !z }'
}

# is_child PID: still a child of the daemon, if only as a zombie
is_child() {
	children "$icapd_pid" | grep -q -x "$1"
}

# descriptors PID: how many are open; is_back PID N: no more than N
descriptors() {
	find "/proc/$1/fd" | wc -l
}

is_back() {
	[ "$(descriptors "$1")" -le "$2" ]
}

# idle_start, half_start: clients of ping.c; they are where they say when
# these return.  A line to descriptor 8 lets the second one go on.
idle_start() {
	start idle "$ping" -p "$icapd_port" idle
	idle_pid=$started_pid
	wait_until has "$tmp/idle.out" '^idle' || fail "no idle connection"
}

half_start() {
	[ -e "$tmp/half.in" ] || mkfifo "$tmp/half.in"
	start half "$ping" -p "$icapd_port" half
	half_pid=$started_pid
	exec 8>"$tmp/half.in"
	wait_until has "$tmp/half.out" '^half' || fail "no transaction begun"
}

half_finish() {
	echo go >&8
	exec 8>&-
	reap "$half_pid"
	{ [ "$status" -eq 0 ] && has "$tmp/half.out" '^done'; } ||
	    fail "the transaction under way was not finished"
}

# The transaction has no chance: its client sees the connection end.
half_lost() {
	exec 8>&-
	reap "$half_pid"
	[ "$status" -eq 1 ] || fail "the transaction ended with $status"
}

# patient_start: with a transaction under way it would wait for an hour.
patient_start() {
	cat >"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = $WORKERS }
	timeouts { stop = 1h body = 1h transaction = 1h }
	service "/echo" { run = {echo} }
	END
	icapd_serve
}

idle_closed() {
	reap "$idle_pid"
	{ [ "$status" -eq 0 ] && has "$tmp/idle.out" '^closed'; } ||
	    fail "the idle connection was not closed in order"
}

step "command line"
for option in -h --help; do
	once "$option"
	[ "$status" -eq 0 ] || fail "icapd $option: status $status"
	grep -q -i '^usage: ' "$tmp/once.out" ||
	    fail "icapd $option: no usage on standard output"
done
once --version
[ "$status" -eq 0 ] || fail "icapd --version: status $status"
has "$tmp/once.out" '^icapd [0-9]' || fail "icapd --version: no version"
once -l
[ "$status" -eq 0 ] || fail "icapd -l: status $status"
has "$tmp/once.out" '^echo' || fail "icapd -l: no echo"

step "bad options"
usage_error --bogus
usage_error -Z echo
usage_error --port
usage_error --port http echo
usage_error --port 65536 echo
usage_error --port -1 echo
usage_error --workers 0 echo
usage_error --workers many echo
usage_error --log-format xml echo
usage_error one two

step "a port that is taken"
icapd_start --workers "$WORKERS"
wait_until all_there "$WORKERS" || fail "not $WORKERS workers"
once --host 127.0.0.1 --port "$icapd_port" echo
[ "$status" -eq 1 ] || fail "status $status instead of 1"
[ "$(wc -l <"$tmp/once.err")" -eq 1 ] || fail "not one line"
has "$tmp/once.err" "$icapd_port" || fail "the line does not name the port"
[ ! -s "$tmp/once.out" ] || fail "something on standard output"
serves

step "a worker is killed"
for round in 1 2; do
	victim=$(icapd_workers | head -n 1)
	kill -KILL "$victim"
	wait_until not is_child "$victim" || fail "worker $victim not reaped"
	wait_until all_there "$WORKERS" || fail "no replacement"
	obituary="pid $victim).*signal 9"
	wait_until has "$tmp/icapd.err" "$obituary" || fail "no obituary"
	[ "$(count "$tmp/icapd.err" "pid $victim)")" -eq 1 ] ||
	    fail "not one line about the death of $victim"
	serves 10
done

icapd_stop TERM
[ ! -s "$tmp/icapd.out" ] || fail "something on standard output"

step "a client that disappears is no error"
icapd_start --workers 1
lines=$(wc -l <"$tmp/icapd.err")
worker=$(icapd_workers)
for round in 1 2 3; do
	"$ping" -p "$icapd_port" gone >"$tmp/gone.out" ||
	    fail "the large echo failed"
	# There is one worker: when it serves again, it is done with the last.
	serves
done
[ "$(icapd_workers)" = "$worker" ] || fail "the worker did not live"
sed "1,${lines}d" "$tmp/icapd.err" >"$tmp/new"
[ ! -s "$tmp/new" ] || {
	cat "$tmp/new" >&2
	fail "icapd says the above"
}

step "no descriptor is lost"
if [ -d "/proc/$worker/fd" ]; then
	before=$(descriptors "$worker")
	round=0
	while [ "$round" -lt 50 ]; do
		round=$((round + 1))
		serves
	done
	wait_until is_back "$worker" "$before" ||
	    fail "$before descriptors before, $(descriptors "$worker") now"
fi
icapd_stop TERM

step "titles say who is busy"
# titles_are BUSY IDLE: so many workers of each sort
titles_are() {
	ps -A -o ppid= -o args= | awk -v p="$icapd_pid" \
	    -v busy="$1" -v idle="$2" '
	$1 == p && /worker [0-9]+ \[busy\]/ { b++ }
	$1 == p && /worker [0-9]+ \[idle\]/ { i++ }
	END { exit !(b + 0 == busy && i + 0 == idle) }'
}
icapd_start --workers 2
wait_until titles_are 0 2 || fail "not two idle workers"
half_start
wait_until titles_are 1 1 || fail "nobody is busy"
half_finish
wait_until titles_are 0 2 || fail "somebody is still busy"
icapd_stop TERM

step "TERM drains"
patient_start
idle_start
half_start
icapd_family=$(family "$icapd_pid")
kill -TERM "$icapd_pid"
idle_closed
is_running "$icapd_pid" || fail "icapd did not wait for the transaction"
is_running "$half_pid" || fail "the transaction was cut off"
half_finish
icapd_ended 0

step "a second TERM stops at once"
patient_start
idle_start
half_start
icapd_family=$(family "$icapd_pid")
kill -TERM "$icapd_pid"
idle_closed
is_running "$icapd_pid" || fail "icapd did not wait for the transaction"
kill -TERM "$icapd_pid"
icapd_ended 0
half_lost

step "INT stops at once"
patient_start
idle_start
half_start
icapd_stop INT
half_lost
reap "$idle_pid"

step "TERM without clients"
icapd_start --workers "$WORKERS"
icapd_stop TERM

step "a master that is killed leaves no worker"
icapd_start --workers "$WORKERS"
wait_until all_there "$WORKERS" || fail "not $WORKERS workers"
idle_start
icapd_family=$(family "$icapd_pid")
kill -KILL "$icapd_pid"
icapd_ended 137
reap "$idle_pid"

# is_light PID: it has no more memory of its own; it is idle a moment after its
# client has got the reply.
is_light() {
	dirty=$(awk '/^Private_Dirty:/ { print $2 }' "/proc/$1/smaps_rollup")
	[ "$dirty" -le "$IDLE_KIB" ]
}

step "an idle worker's memory"
icapd_start --workers 2
serves 10
serves 10
if grep -q -E 'lib[atu][sb]san' "/proc/$icapd_pid/maps" 2>/dev/null; then
	say "SKIP: built with a sanitizer"
elif [ -r "/proc/$icapd_pid/smaps_rollup" ]; then
	for worker in $(icapd_workers); do
		wait_until is_light "$worker" ||
		    fail "$dirty KiB are more than $IDLE_KIB"
		say "worker $worker: $dirty KiB private dirty"
	done
else
	say "SKIP: no smaps_rollup here"
fi
icapd_stop TERM

# calls NAME...: how often the system calls of these names were made
calls() {
	awk -v names=" $* " '
	$NF ~ /^[a-z]/ && index(names, " " $NF " ") { n += $4 }
	END { print n + 0 }' "$tmp/strace.count"
}

is_attached() {
	[ "$(count "$tmp/strace.err" 'attached')" -ge "$1" ] ||
	    ! is_running "$strace_pid"
}

step "a kept-alive 204 is one recv and one send"
icapd_start --workers 2
wait_until all_there 2 || fail "not 2 workers"
if ! command -v strace >/dev/null 2>&1; then
	say "SKIP: no strace here (Debian: apt-get install strace)"
else
	workers=$(icapd_workers | tr '\n' ',')
	start strace strace -c -f -o "$tmp/strace.count" -p "${workers%,}"
	strace_pid=$started_pid
	wait_until is_attached 2 || fail "strace does not attach"
	if is_running "$strace_pid"; then
		serves "$REQUESTS"
		kill -INT "$strace_pid"
		reap "$strace_pid"
		cat "$tmp/strace.count"
		max=$((REQUESTS + CALLS_SLACK))
		[ "$(calls recvfrom recvmsg read readv)" -ge "$REQUESTS" ] ||
		    fail "strace missed the requests"
		[ "$(calls recvfrom recvmsg read readv)" -le "$max" ] ||
		    fail "more than one read a request"
		[ "$(calls sendto sendmsg write writev)" -le "$max" ] ||
		    fail "more than one write a request"
		[ "$(calls total)" -le $((max + REQUESTS)) ] ||
		    fail "other calls than one read and one write"
	else
		say "SKIP: strace cannot attach here"
		reap "$strace_pid"
	fi
fi
icapd_stop TERM

# starved: a worker has said so.  A connection that comes while strace attaches
# ends the call a worker is in without being seen: one more makes the next.
starved() {
	serves
	has "$tmp/icapd.err" 'Cannot allocate memory'
}

# Without the sandbox, to which the call that strace spoils is a foreign one.
step "no memory at accept"
cat >"$tmp/memory.conf" <<-END
	listen "127.0.0.1:0" { workers = 2 }
	process { sandbox = no }
	service "/echo" { run = {echo} }
END
if ! command -v strace >/dev/null 2>&1; then
	say "SKIP: no strace here (Debian: apt-get install strace)"
else
	start icapd icapd_exec -d -f "$tmp/memory.conf"
	icapd_pid=$started_pid
	wait_until icapd_is_up || fail "icapd is not ready"
	icapd_port=$(sed -n \
	    's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' \
	    "$tmp/icapd.err" | head -n 1)
	wait_until all_there 2 || fail "not 2 workers"
	before=$(icapd_workers)
	# the calls of each worker after the one it is in
	start strace strace -f -o "$tmp/strace.calls" -e trace=accept4 \
	    -e inject=accept4:error=ENOMEM:when=2..3 \
	    -p "$(echo "$before" | tr '\n' ',' | sed 's/,$//')"
	strace_pid=$started_pid
	wait_until is_attached 2 || fail "strace does not attach"
	if is_running "$strace_pid"; then
		wait_until starved ||
		    fail "a worker without memory says nothing"
		serves 2
		serves 2
		[ "$(icapd_workers)" = "$before" ] || fail "a worker has gone"
		kill -INT "$strace_pid"
	else
		say "SKIP: strace cannot attach here"
	fi
	reap "$strace_pid"
	icapd_stop TERM
fi
