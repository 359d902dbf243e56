#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Workers that die: killed under load, by a client that knows how, hung, or at
# their start.  What is lost, who pays for it, and what the master says.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=life.sh
. "$(dirname "$0")/life.sh"

KILLS=50
CRASHES=100

life_setup

step "$KILLS busy workers are killed: at most one transaction each"
conf workers 8
life_start
wait_until has_workers 8 || fail "not 8 workers"
load_start killed -c 6
round=0
while [ "$round" -lt "$KILLS" ]; do
	# a busy one; the load keeps six of eight busy
	victim=$(ps -A -o pid= -o ppid= -o args= | awk -v p="$icapd_pid" '
	    $2 == p && /worker.*busy/ { print $1; exit }')
	[ -n "$victim" ] || continue
	round=$((round + 1))
	kill -KILL "$victim" 2>/dev/null || fail "worker $victim is gone"
	wait_until has "$tmp/icapd.err" "pid $victim).*signal 9" ||
	    fail "no obituary of $victim"
	[ "$(count "$tmp/icapd.err" "pid $victim)")" -eq 1 ] ||
	    fail "not one line about the death of $victim"
done
load_stop killed
[ "$(figure ok)" -gt 0 ] || fail "nothing served"
gone=$(($(figure lost) + $(figure retried)))
[ "$gone" -le "$KILLS" ] || fail "$gone transactions for $KILLS kills"
[ "$(count "$tmp/icapd.err" "signal 9.*respawn at once")" -eq "$KILLS" ] ||
    fail "not all were replaced at once"
wait_until has_workers 8 || fail "not 8 workers, or a zombie"

step "a client that crashes workers does not slow others"
load_start others -i 1 -c 4
load_once crasher -1 -c 1 -n "$CRASHES" -s crash
[ "$(figure lost)" -eq "$CRASHES" ] || fail "not every request crashed one"
load_stop others
nothing_lost
wait_said "$CRASHES" "signal 6.*in service \"/crash\".*respawn at once"
wait_until has_workers 8 || fail "not 8 workers, or a zombie"
icapd_stop TERM

step "a hung transaction is killed, its service named"
conf workers 2 transaction 3000 grace 2000
life_start
start hung "$load" -p "$icapd_port" -c 1 -n 1 -s hang
reap "$started_pid"
load_figures hung
[ "$(figure lost)" -eq 1 ] || fail "the hung transaction was answered"
wait_said 1 'hung for [0-9.]* s in service "/hang"'
wait_until has_workers 2 || fail "not 2 workers"
load_once after -c 2 -n 100
nothing_lost
icapd_stop TERM

step "a transaction that takes its time is left alone"
conf workers 2 transaction 300000 grace 10000
life_start
start hung "$load" -p "$icapd_port" -c 1 -n 1 -s hang
hung_pid=$started_pid
load_once after -c 1 -n 100 -s slow
nothing_lost
is_running "$hung_pid" || fail "it was killed before its time"
icapd_stop INT
reap "$hung_pid"

step "a crash loop at the start is throttled, and given up"
conf workers 4 start crash
start icapd life_exec
icapd_pid=$started_pid
reap "$icapd_pid"
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/icapd.err" "no worker can be started" || fail "it does not say so"
# three rounds of four
[ "$(count "$tmp/icapd.err" "signal 9")" -le 12 ] || fail "too many forks"
has "$tmp/icapd.err" "respawn in 1.0 s" || fail "no delay of 1 s"
has "$tmp/icapd.err" "respawn in 2.0 s" || fail "no delay of 2 s"

step "so is a service that cannot start"
conf workers 4 start sick
start icapd life_exec
reap "$started_pid"
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/icapd.err" "does not start: Connection refused" ||
    fail "the reason is not told"
has "$tmp/icapd.err" "exited with status 75" || fail "not as being sick"

step "and one that hangs in its start"
conf workers 1 start hang transaction 100 grace 100
start icapd life_exec
reap "$started_pid"
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/icapd.err" "killed, for it hung for .* in state starting" ||
    fail "the reason is not told"

step "a worker that cannot start like this ends the start at once"
conf workers 4 start config
start icapd life_exec
reap "$started_pid"
[ "$status" -eq 1 ] || fail "status $status instead of 1"
[ "$(count "$tmp/icapd.err" "exited with status 78")" -le 4 ] ||
    fail "it tried again"

step "a spool that cannot be written is told at the start"
conf workers 1 spool /proc
start icapd life_exec
reap "$started_pid"
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/icapd.err" "cannot write to the spool directory /proc" ||
    fail "the reason is not told"

step "an idle daemon whose workers are killed says so and goes on"
conf workers 2
life_start
wait_until has_workers 2 || fail "not 2 workers"
load_once first -c 2 -n 10
for victim in $(icapd_workers); do
	kill -KILL "$victim"
done
wait_said 2 'signal 9'
load_once second -c 2 -n 10
nothing_lost
icapd_stop TERM

step "the master is killed: no worker is left"
conf workers 4
life_start
wait_until has_workers 4 || fail "not 4 workers"
load_start orphan -i 1 -c 2
icapd_family=$(family "$icapd_pid")
kill -KILL "$icapd_pid"
icapd_ended 137
load_stop orphan

step "1000 connections leave no descriptor"
conf workers 2
life_start
worker=$(icapd_workers | head -n 1)
[ -n "$worker" ] || fail "there is no worker"
load_once warm -1 -c 2 -n 100
nothing_lost
# who is served twice by both workers: the connections before are closed
load_once warm -c 2 -n 100
if [ -r "/proc/$worker/fd" ]; then
	before=$(find "/proc/$worker/fd" | wc -l)
	load_once many -1 -c 2 -n 1000
	nothing_lost
	load_once many -c 2 -n 100
	after=$(find "/proc/$worker/fd" | wc -l)
	# one connection may not be closed yet
	[ "$after" -le $((before + 1)) ] ||
	    fail "$before descriptors before, $after after"
fi
icapd_stop TERM
