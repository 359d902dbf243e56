#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A reload is done by a child first, which may take its time, hang or die: the
# daemon goes on as if it were not there.  The child is held by a pipe from
# which it reads a byte before it ends, as "hold" in the configuration says.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=life.sh
. "$(dirname "$0")/life.sh"

icapctl=${ICAPCTL:-${top_builddir:-.}/icapctl}
life_setup
[ -x "$icapctl" ] || fail "$icapctl: no such program (make builds it)"
case $lifed in
/*) ;;
*) lifed=$PWD/$lifed ;;		# the upgrade executes it again
esac

# The test holds both ends, so nobody waits for the other to open his.
mkfifo "$tmp/hold"
chmod 644 "$tmp/hold"
exec 7<>"$tmp/hold"

configure() {
	conf workers "$1" hold "$tmp/hold" run-dir "$tmp/run"
}

# release: one child may end
release() {
	echo >&7
}

# is_held: there is a child that waits at the pipe; it is $child then
is_held() {
	child=$(ps -A -o pid= -o ppid= -o stat= -o args= | awk \
	    -v p="$icapd_pid" '
	    $2 == p && $3 !~ /^Z/ && /: reload \[compiling]/ { print $1 }')
	[ -n "$child" ] && open_files | grep -q -x "$tmp/hold"
}

wait_held() {
	wait_until is_held || fail "there is no child that does the reload"
}

# What $child has open, but for the three that everybody has.
open_files() {
	find "/proc/$child/fd" -type l ! -name '[012]' -printf '%l\n' \
	    2>/dev/null
}

# ctl_start: icapctl reload, which waits for the outcome
ctl_start() {
	start ctl "$icapctl" -r "$tmp/run" reload
	ctl_pid=$started_pid
}

# ctl_ended STATUS PATTERN: that was it
ctl_ended() {
	reap "$ctl_pid"
	[ "$status" -eq "$1" ] || fail "icapctl ended with $status, not $1"
	cat "$tmp/ctl.out" "$tmp/ctl.err" | grep -q -e "$2" ||
	    fail "icapctl: $(cat "$tmp/ctl.out" "$tmp/ctl.err")"
}

status_has() {
	"$icapctl" -r "$tmp/run" status >"$tmp/status" || fail "no status"
	has "$tmp/status" "$1" || fail "$(cat "$tmp/status")"
}

# has_replaced PID: as many workers as before, and that one is not among them
has_replaced() {
	[ "$(icapd_workers | wc -l)" -eq 4 ] && ! icapd_workers | grep -qx "$1"
}

# Has a worker replaced so that the master has seen what came before.
kill_worker() {
	killed=$(icapd_workers | head -n 1)
	kill -KILL "$killed"
	wait_until has_replaced "$killed" || fail "the worker is not replaced"
}

configure 4
life_start

step "a child does the reload, and has nothing open of the daemon's"
ctl_start
wait_held
open_files | grep -v -x -e "$tmp/hold" -e 'pipe:.*' >"$tmp/open"
[ ! -s "$tmp/open" ] || fail "it has $(cat "$tmp/open")"
status_has 'last reload  *under way'

step "workers are replaced meanwhile; what is sent to all is not for it"
first=$child
kill_worker
for signal in HUP INT USR1 USR2; do
	kill -"$signal" "$child"
done
kill_worker
is_held || fail "the child has gone"
[ "$child" = "$first" ] || fail "it is another child"

step "HUP meanwhile, three times: one more reload, not three"
kill -HUP "$icapd_pid"
kill -HUP "$icapd_pid"
kill -HUP "$icapd_pid"
kill_worker
release
wait_said 1 'reloaded: generation 2 replaces 1'
wait_held
[ "$child" != "$first" ] || fail "it is the same child"
release
wait_said 1 'reloaded: generation 3 replaces 2'
ctl_ended 0 '^generation [23], 4 workers'
ctl_start
wait_held
release
ctl_ended 0 '^generation 4, 4 workers'
[ "$(count "$tmp/icapd.err" 'master: info: reloading$')" -eq 3 ] ||
    fail "another number of reloads than 3"

step "the child is killed: the reload fails, nothing else does"
load_start through -i 1 -c 2
ctl_start
wait_held
kill -KILL "$child"
ctl_ended 1 "(pid $child) was killed by signal 9"
wait_said 1 'reload failed: .* was killed by signal 9 .*; generation 4 goes on'
status_has 'last reload  *FAILED.*was killed by signal 9'
"$icapctl" -r "$tmp/run" -j status | grep -q '"failed":1[,}]' ||
    fail "it is not counted"

step "it finds an error, or says nothing: the same, with its reason"
echo nonsense >>"$tmp/conf"
ctl_start
wait_held
release
ctl_ended 1 'conf:4: bad line$'
conf workers 4 hold "$tmp/no-such-file" run-dir "$tmp/run"
ctl_start
ctl_ended 1 'exited with status 1$'
status_has 'generation 4, '
[ "$(count "$tmp/icapd.err" 'reloaded: generation')" -eq 3 ] ||
    fail "it has reloaded"

step "USR2 meanwhile: the upgrade comes after the reload"
configure 4
ctl_start
wait_held
kill -USR2 "$icapd_pid"
load_stop through
nothing_lost
kill_worker
not said 1 'master: info: upgrading$' || fail "it does not wait"
release
wait_said 1 'reloaded: generation 5 replaces 4'
wait_said 1 'the new binary (pid [0-9]*) serves'
old=$icapd_pid
icapd_pid=$(sed -n 's/.*the new binary (pid \([0-9]*\)) serves.*/\1/p' \
    "$tmp/icapd.err")
started="$started $icapd_pid"
reap "$ctl_pid"
reap "$old"
[ "$status" -eq 0 ] || fail "the old binary ended with $status"

step "TERM meanwhile: it stops, the child with it"
kill -HUP "$icapd_pid"
wait_held
icapd_family=$(family "$icapd_pid")
kill -TERM "$icapd_pid"
wait_until is_gone "$icapd_pid" || fail "icapd does not end"
forget "$icapd_pid"
icapd_left_nothing

step "and so when the child stands still"
life_start
ctl_start
wait_held
kill -STOP "$child"
icapd_stop TERM
reap "$ctl_pid"
[ "$status" -ne 0 ] || fail "icapctl takes that for a reload"

step "the master is killed: the child ends"
life_start
kill -HUP "$icapd_pid"
wait_held
icapd_family=$(family "$icapd_pid")
kill -KILL "$icapd_pid"
reap "$icapd_pid"
# shellcheck disable=SC2086 # a list of pids
wait_until is_gone $icapd_family || fail "they do not end"
say ok
