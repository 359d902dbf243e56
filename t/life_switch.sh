#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Changing what serves while it serves: reload, upgrade, stopping and starting
# with a socket that somebody else holds.  Under load from 16 connections none
# of them may cost a transaction.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=life.sh
. "$(dirname "$0")/life.sh"

CONNECTIONS=16
ROUNDS=5
CROSSED=2

life_setup
mkdir "$tmp/bin"
cp "$lifed" "$tmp/bin/lifed" || fail "cp"
lifed=$tmp/bin/lifed

# only_new PIDS...: none of these workers is left, and others serve
only_new() {
	# shellcheck disable=SC2086 # a list of pids
	is_gone $1 && has_workers "$2"
}

# The load client is served by whoever serves now, so much more.
load_goes_on() {
	load_once more -c 2 -n 200
	nothing_lost
}

# A request that crosses with the close of an idle connection has to be sent
# again; that is nobody's fault, and very rare.  Closing connections that are
# in use would show as one for most of them.
none_lost() {
	nothing_lost
	[ "$(figure retried)" -le "$CROSSED" ] ||
	    fail "$(figure retried) requests had to be sent again"
}

is_in_file() {
	[ "$(cat "$tmp/run/pid")" = "$1" ]
}

# of_upgrade N: the pid of the N-th new binary; ends with the test, too
of_upgrade() {
	sed -n 's/.*the new binary (pid \([0-9]*\)) serves.*/\1/p' \
	    "$tmp/icapd.err" | sed -n "$1p"
}

step "HUP under load, $ROUNDS times: nothing is lost"
conf workers 20
life_start
load_start reload -i 1 -c "$CONNECTIONS"
round=0
while [ "$round" -lt "$ROUNDS" ]; do
	round=$((round + 1))
	old=$(icapd_workers)
	kill -HUP "$icapd_pid"
	wait_said "$round" 'reloaded: generation'
	wait_until only_new "$old" 20 || fail "the old workers do not go"
done
load_stop reload
none_lost

step "HUP with a bad file: everything stays"
old=$(icapd_workers)
load_start bad -i 1 -c "$CONNECTIONS"
echo "nonsense" >>"$tmp/conf"
kill -HUP "$icapd_pid"
wait_said 1 'reload failed: .*conf:[0-9]*: bad line; generation [0-9]* goes on'
load_goes_on
[ "$(icapd_workers)" = "$old" ] || fail "the workers have changed"

step "HUP with a configuration whose workers do not start: the same"
conf workers 20 start sick
kill -HUP "$icapd_pid"
wait_said 1 'reload failed: a worker of the new generation did not start'
wait_until has_workers 20 || fail "other workers than before"
load_goes_on
[ "$(icapd_workers)" = "$old" ] || fail "the workers have changed"
conf workers 20 user icapd-has-no-such-user
kill -HUP "$icapd_pid"
wait_said 1 'reload failed: user icapd-has-no-such-user'
load_goes_on
load_stop bad
none_lost

step "HUP with another number of workers"
conf workers 4
kill -HUP "$icapd_pid"
wait_until has_workers 4 || fail "not 4 workers"
conf workers 30
kill -HUP "$icapd_pid"
wait_until has_workers 30 || fail "not 30 workers"
load_goes_on

step "HUP again and again: all that matters is that the last one counts"
conf workers 6
for round in 1 2 3 4 5 6 7 8 9 10; do
	kill -HUP "$icapd_pid"
done
wait_until has_workers 6 || fail "not 6 workers"
load_goes_on
icapd_stop TERM

step "HUP while a transaction is under way: it is finished"
conf workers 2
life_start
mkfifo "$tmp/half.in"
start half "$ping" -p "$icapd_port" half
half_pid=$started_pid
exec 7>"$tmp/half.in"
wait_until has "$tmp/half.out" '^half' || fail "no transaction begun"
kill -HUP "$icapd_pid"
wait_said 1 'reloaded: generation'
load_goes_on
is_running "$half_pid" || fail "the transaction was cut off"
echo go >&7
exec 7>&-
reap "$half_pid"
[ "$status" -eq 0 ] || fail "the transaction was not finished"
wait_until has_workers 2 || fail "not 2 workers"
icapd_stop TERM

step "USR2 under load: nothing is lost"
conf workers 20 pid-file "$tmp/run/pid" run-dir "$tmp/run"
life_start
# it says where it listens before it writes that
wait_until is_in_file "$icapd_pid" || fail "another pid in the file"
load_start upgrade -i 1 -c "$CONNECTIONS"
first=$icapd_pid
kill -USR2 "$icapd_pid"
wait_said 1 'the new binary (pid [0-9]*) serves'
icapd_pid=$(of_upgrade 1)
started="$started $icapd_pid"
reap "$first"
[ "$status" -eq 0 ] || fail "the old binary ended with $status"
is_in_file "$icapd_pid" || fail "the pid file does not name the new binary"
wait_until has_workers 20 || fail "not 20 workers"
load_goes_on

step "and once more"
second=$icapd_pid
kill -USR2 "$icapd_pid"
wait_said 2 'the new binary (pid [0-9]*) serves'
icapd_pid=$(of_upgrade 2)
started="$started $icapd_pid"
wait_until is_gone "$second" || fail "the old binary does not end"
load_goes_on
load_stop upgrade
none_lost
wait_until has_workers 20 || fail "not 20 workers"

step "USR2 with a broken binary: the old one serves on"
old=$(icapd_workers)
load_start broken -i 1 -c "$CONNECTIONS"
mv "$lifed" "$lifed.good"
printf '#!/bin/sh\nexit 3\n' >"$lifed"
chmod 755 "$lifed"
kill -USR2 "$icapd_pid"
wait_said 1 'upgrade failed: the new binary .* exited with status 3'
load_goes_on
rm "$lifed"
kill -USR2 "$icapd_pid"
wait_said 1 'upgrade failed: the new binary .* exited with status 78'
load_goes_on
mv "$lifed.good" "$lifed"
echo "nonsense" >>"$tmp/conf"
kill -USR2 "$icapd_pid"
wait_said 1 'upgrade failed: the new binary .* exited with status 1'
load_goes_on
conf workers 20 start sick pid-file "$tmp/run/pid" run-dir "$tmp/run"
kill -USR2 "$icapd_pid"
wait_said 2 'upgrade failed: the new binary .* exited with status 1'
load_goes_on
[ "$(icapd_workers)" = "$old" ] || fail "the workers have changed"
is_in_file "$icapd_pid" || fail "another pid in the file"
[ -s "$tmp/run/icapd.board" ] || fail "the board has gone"
load_stop broken
none_lost
icapd_family=$(family "$icapd_pid")
kill -TERM "$icapd_pid"
wait_until is_gone "$icapd_pid" || fail "icapd does not end"
icapd_left_nothing

step "stop and start with a socket of somebody else: nothing is lost"
conf workers 20
mkfifo "$tmp/activate.in"
start activate env TMPDIR="$tmp/spool" "$t_builddir/activate" "$lifed" \
    "$tmp/conf"
exec 7>"$tmp/activate.in"
wait_until has "$tmp/activate.out" '^port' || fail "no socket"
icapd_port=$(sed -n 's/^port //p' "$tmp/activate.out")

# instance N: the pid of the N-th daemon, once it serves
instance() {
	echo start >&7
	wait_until has_instance "$1" || fail "instance $1 is not there"
	icapd_pid=$(sed -n 's/^pid //p' "$tmp/activate.out" | sed -n "$1p")
	started="$started $icapd_pid"
	wait_until serves_instance "$1" || fail "instance $1 does not serve"
}

has_instance() {
	[ "$(count "$tmp/activate.out" '^pid')" -ge "$1" ]
}

serves_instance() {
	[ "$(count "$tmp/activate.err" 'listening on')" -ge "$1" ]
}

instance 1
load_start restart -i 1 -c "$CONNECTIONS"
for round in 2 3 4; do
	old=$icapd_pid
	kill -TERM "$icapd_pid"
	wait_until not_running "$old" || fail "it does not stop"
	instance "$round"
done
load_stop restart
none_lost

step "start the next before the last one is stopped"
load_start overlap -i 1 -c "$CONNECTIONS"
for round in 5 6; do
	old=$icapd_pid
	instance "$round"
	kill -TERM "$old"
	wait_until not_running "$old" || fail "it does not stop"
done
load_stop overlap
none_lost
kill -TERM "$icapd_pid"
exec 7>&-
wait_until not_running "$icapd_pid" || fail "it does not stop"
