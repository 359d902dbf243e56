#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Idle connections, which proxies keep by the dozen, and more clients than
# workers: everybody comes to turn, nothing is lost, and who waits too long is
# told so.  Times are printed, and compared with nothing.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=life.sh
. "$(dirname "$0")/life.sh"

WORKERS=8
IDLE=200
PERSISTENT=16
EACH=10			# replies each of them has to get
FLOOD=30

life_setup

# has_busy N: so many workers have a connection
has_busy() {
	[ "$(ps -A -o ppid= -o args= | awk -v p="$icapd_pid" '
	    $1 == p && /worker.*busy/ { n++ } END { print n + 0 }')" -eq "$1" ]
}

step "$WORKERS workers, $IDLE connections that were used and are idle now"
conf workers "$WORKERS"
life_start
load_start idle -H -c "$IDLE"
idle_pid=$load_pid
exec 7>&8

step "a new client, again and again"
load_once new -1 -c 1 -n 1000
nothing_lost
say "p99 of a new client's 204: $(figure p99_us) us"
exec 7>&-
load_pid=$idle_pid
load_stop idle
nothing_lost

step "$PERSISTENT clients that send a request every 200 ms"
load_once persistent -c "$PERSISTENT" -i 200 -n $((PERSISTENT * EACH * 2))
nothing_lost
[ "$(figure least)" -ge "$EACH" ] ||
    fail "one of them had only $(figure least) replies"

step "$PERSISTENT clients that send one after the other"
load_once eager -c "$PERSISTENT" -n $((PERSISTENT * 1000))
nothing_lost
[ "$(figure least)" -ge 1 ] || fail "one of them was never served"
icapd_stop TERM

step "connections that never sent a byte take no worker"
conf workers 2
life_start
mkfifo "$tmp/silent.in"
start silent "$ping" -p "$icapd_port" -n 50 silent
silent_pid=$started_pid
exec 7>"$tmp/silent.in"
wait_until has "$tmp/silent.out" '^silent' || fail "no silent connections"
load_once beside -1 -c 2 -n 500
nothing_lost
exec 7>&-
reap "$silent_pid"
[ "$status" -eq 0 ] || fail "ping silent ended with $status"
icapd_stop TERM

step "a flood with every worker busy waits, and is served"
conf workers 2
life_start
load_once flood -1 -c "$FLOOD" -n $((FLOOD * 4)) -s slow
nothing_lost
[ "$(figure ok)" -eq $((FLOOD * 4)) ] || fail "not all were served"
icapd_stop TERM

# is_refused: with two workers that hang, of ten clients somebody is answered
# 503 and each is answered.  Nobody is, where the requests came so much later
# than the connections that all are just in time for who is to refuse them.
is_refused() {
	life_start
	start hung "$load" -p "$icapd_port" -c 2 -n 2 -s hang
	hung_pid=$started_pid
	wait_until has_busy 2 || fail "the workers are not busy"
	load_once refused -1 -c 10 -n 10
	[ $(($(figure busy) + $(figure ok))) -eq 10 ] ||
	    fail "not all were answered"
	wait_said 1 'clients have waited too long'
	[ "$(figure busy)" -eq 0 ] || return 0
	free_workers
	icapd_stop TERM
	return 1
}

# free_workers: of those that hang, by others
free_workers() {
	for victim in $(icapd_workers); do
		kill -KILL "$victim" 2>/dev/null
	done
	reap "$hung_pid"
}

step "who waits too long is answered 503"
conf workers 2 queue 300 run-dir "$tmp/run"
wait_until is_refused || fail "nobody is answered 503"

step "and served again when there are workers"
free_workers
# who is asked on a slow machine may wait for longer than that for a turn
conf workers 2 run-dir "$tmp/run"
kill -HUP "$icapd_pid"
wait_said 1 'reloaded: generation'
wait_until has_workers 2 || fail "not 2 workers"
load_once again -1 -c 2 -n 20
nothing_lost
icapd_stop TERM

step "the backlog is as long as it is told"
conf workers 1 backlog 5
life_start
if command -v ss >/dev/null 2>&1; then
	ss -Hltn "sport = :$icapd_port" >"$tmp/ss.out" 2>/dev/null
	[ "$(awk '{ print $3 }' "$tmp/ss.out")" = 5 ] || {
		cat "$tmp/ss.out" >&2
		fail "the backlog is not 5"
	}
else
	say "SKIP: no ss here (Debian: apt-get install iproute2)"
fi
icapd_stop TERM
