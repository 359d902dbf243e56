#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Starting: the background and its status, the pid file, inherited sockets,
# telling a service manager; and what a worker is then: who, with which files,
# in which sandbox, for which clients.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=life.sh
. "$(dirname "$0")/life.sh"

life_setup
notify=$t_builddir/notify
activate=$t_builddir/activate

# background: lifed is run to the end of its start; $status, icapd_pid
background() {
	start launch life_exec
	reap "$started_pid"
	cp "$tmp/launch.err" "$tmp/icapd.err"
}

# in_background: it has started, and serves
in_background() {
	background
	[ "$status" -eq 0 ] || fail "the start ended with $status"
	icapd_pid=$(cat "$tmp/run/pid")
	started="$started $icapd_pid"
	life_find_port
	wait_until icapd_is_settled || fail "the workers do not start"
	load_once served -c 2 -n 10
	nothing_lost
}

# stop_background: TERM, and nothing is left
stop_background() {
	icapd_family=$(family "$icapd_pid")
	kill -TERM "$icapd_pid"
	wait_until not_running "$icapd_pid" || fail "it does not stop"
	icapd_left_nothing
}

# notified N LINE: it has come so often
notified() {
	[ "$(count "$tmp/notify.out" "^$2")" -ge "$1" ]
}

is_admitted() {
	load_once again -c 1 -n 1
	[ "$(figure ok)" -eq 1 ]
}

step "in the background: 0 when the first worker is ready"
conf workers 2 daemonise 1 pid-file "$tmp/run/pid" run-dir "$tmp/run"
in_background
[ -s "$tmp/run/icapd.board" ] || fail "no board"
session=$(ps -o sess= -p "$icapd_pid" | tr -d ' ')
[ "$session" = "$icapd_pid" ] || fail "no session of its own"
for fd in 0 1 2; do
	[ "$(readlink "/proc/$icapd_pid/fd/$fd")" = /dev/null ] ||
	    fail "descriptor $fd is not /dev/null"
done

step "a second start says which pid is running"
cp "$tmp/run/pid" "$tmp/pid.before"
background
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/icapd.err" "already running, pid $icapd_pid " || fail "no pid"
cmp "$tmp/run/pid" "$tmp/pid.before" || fail "it has touched the pid file"
stop_background

step "a stale pid file, and one with something else in it"
echo 1 >"$tmp/run/pid"
in_background
stop_background
echo "this is no pid" >"$tmp/run/pid"
in_background

step "a pid file that is not ours any more stays"
mv "$tmp/run/pid" "$tmp/pid.moved"
echo 4711 >"$tmp/run/pid"
kill -TERM "$icapd_pid"
wait_until not_running "$icapd_pid" || fail "it does not stop"
[ "$(cat "$tmp/run/pid")" = 4711 ] || fail "the file of another has gone"
rm "$tmp/run/pid"

step "a start that fails is a failure in the foreground"
conf workers 2 daemonise 1 pid-file "$tmp/run/pid" start config
background
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/icapd.err" "no worker can be started" || fail "no reason"
[ ! -e "$tmp/run/pid" ] || fail "it left its pid file"
conf workers 2 daemonise 1 pid-file "$tmp/run/no/pid"
background
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/icapd.err" "pid file $tmp/run/no/pid" || fail "no reason"
conf workers 2 daemonise 1 run-dir "$tmp/run/no"
background
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/icapd.err" "board $tmp/run/no/icapd.board" || fail "no reason"

step "a board of another version is replaced"
printf 'CAPB\0\0\0\0 something old' >"$tmp/run/icapd.board"
conf workers 2 daemonise 1 pid-file "$tmp/run/pid" run-dir "$tmp/run"
in_background
[ "$(wc -c <"$tmp/run/icapd.board")" -gt 4096 ] || fail "no board"
stop_background

step "a descriptor that is no socket is told"
conf workers 1
mkfifo "$tmp/activate.in"
start activate "$activate" -b "$lifed" "$tmp/conf"
activate_pid=$started_pid
exec 7>"$tmp/activate.in"
echo start >&7
exec 7>&-
reap "$activate_pid"
has "$tmp/activate.out" '^status 1' || fail "it starts all the same"
has "$tmp/activate.err" 'inherited descriptor 3 is not a socket' ||
    fail "no reason"

step "a service manager is told"
for address in "$tmp/notify.socket" "@icapd-test-$$"; do
	rm -f "$tmp/notify.in" "$tmp/notify.out"
	mkfifo "$tmp/notify.in"
	start notify "$notify" "$address"
	notify_pid=$started_pid
	exec 7>"$tmp/notify.in"
	wait_until has "$tmp/notify.out" '^ready' || fail "notify is not ready"
	conf workers 1
	NOTIFY_SOCKET=$address
	export NOTIFY_SOCKET
	life_start
	unset NOTIFY_SOCKET
	wait_until has "$tmp/notify.out" '^READY=1' || fail "no READY=1"
	has "$tmp/notify.out" "^MAINPID=$icapd_pid" || fail "no MAINPID"
	kill -HUP "$icapd_pid"
	wait_until has "$tmp/notify.out" '^RELOADING=1' || fail "no RELOADING"
	wait_said 1 'reloaded: generation'
	wait_until notified 2 READY=1 || fail "not ready again"
	kill -USR2 "$icapd_pid"
	wait_said 1 'the new binary (pid [0-9]*) serves'
	next=$(sed -n 's/.*new binary (pid \([0-9]*\)) serves.*/\1/p' \
	    "$tmp/icapd.err")
	started="$started $next"
	reap "$icapd_pid"
	wait_until has "$tmp/notify.out" "^MAINPID=$next" ||
	    fail "no MAINPID of the new binary"
	kill -TERM "$next"
	wait_until has "$tmp/notify.out" '^STOPPING=1' || fail "no STOPPING"
	wait_until not_running "$next" || fail "it does not stop"
	[ "$(count "$tmp/notify.out" '^STOPPING=1')" -eq 1 ] ||
	    fail "STOPPING for an upgrade"
	exec 7>&-
	reap "$notify_pid"
done

step "titles"
conf workers 2
life_start
titles() {
	ps -A -o ppid= -o args= | awk -v p="$icapd_pid" '
	    $1 == p && /worker/ { $1 = ""; sub(/[ .]+$/, ""); print }' |
	    sort
}
has_titles() {
	[ "$(titles | tr -d '\n')" = "$1" ]
}
wait_until has_titles " lifed: worker 0 [idle] lifed: worker 1 [idle]" || {
	titles >&2
	fail "other titles"
}
ps -o args= -p "$icapd_pid" | grep -q '^lifed: master' ||
    fail "no title of the master"

step "a worker's files: a list of names"
for worker in $(icapd_workers); do
	ls -l "/proc/$worker/fd" >"$tmp/fds" 2>/dev/null || continue
	# three standard ones, the listener, the pipe, /dev/null
	[ "$(grep -c -- '->' "$tmp/fds")" -eq 6 ] || {
		cat "$tmp/fds" >&2
		fail "other descriptors"
	}
done

# proc_is FIELD VALUE...: that line of each worker's status
proc_is() {
	pi_field=$1
	shift
	for worker in $(icapd_workers); do
		# shellcheck disable=SC2046 # words
		set -- "$*" $(sed -n "s/^$pi_field://p" "/proc/$worker/status")
		pi_want=$1
		shift
		[ "$*" = "$pi_want" ] ||
		    fail "worker $worker: $pi_field is $*, not $pi_want"
		set -- "$pi_want"
	done
}

step "no new privileges, no core files, few descriptors"
proc_is NoNewPrivs 1
for worker in $(icapd_workers); do
	awk '/^Max core file size/ && $5 != "0" { bad = 1 }
	    /^Max open files/ && $4 != "256" { bad = 1 }
	    END { exit bad }' "/proc/$worker/limits" || {
		cat "/proc/$worker/limits" >&2
		fail "other limits"
	}
done
has_sandbox=no
if grep -q '^Seccomp:.*2' "/proc/$(icapd_workers | head -n 1)/status"; then
	has_sandbox=yes
	proc_is Seccomp 2
fi
icapd_stop TERM

if [ "$(id -u)" -eq 0 ]; then
	step "root: workers are nobody, and cannot get back"
	conf workers 2 user nobody
	life_start
	uid=$(id -u nobody) gid=$(id -g nobody)
	proc_is Uid "$uid $uid $uid $uid"
	proc_is Gid "$gid $gid $gid $gid"
	proc_is Groups "$(id -G nobody)"
	proc_is CapPrm 0000000000000000
	proc_is CapEff 0000000000000000
	load_once dropped -c 2 -n 10
	nothing_lost
	icapd_family=$(family "$icapd_pid")
	kill -KILL "$icapd_pid"
	icapd_ended 137		# the parent-death signal outlives the change

	step "root: a changed root directory"
	mkdir -p "$tmp/root/dev" "$tmp/root/spool"
	chmod 1777 "$tmp/root/spool"
	conf workers 2 user nobody chroot "$tmp/root" spool /spool
	# the search for leaks at the end of a process needs /proc
	ASAN_OPTIONS=detect_leaks=0
	export ASAN_OPTIONS
	life_start
	unset ASAN_OPTIONS
	for worker in $(icapd_workers); do
		[ "$(readlink "/proc/$worker/root")" = "$tmp/root" ] ||
		    fail "worker $worker has another root"
	done
	load_once chrooted -c 2 -n 10
	nothing_lost
	icapd_stop TERM

	step "root: what cannot be dropped to ends the start"
	for user in root icapd-has-no-such-user; do
		conf workers 2 user "$user"
		start icapd life_exec
		reap "$started_pid"
		[ "$status" -eq 1 ] || fail "user $user: status $status"
		has "$tmp/icapd.err" "user $user" || fail "no reason"
	done
	conf workers 2 chroot "$tmp/none"
	start icapd life_exec
	reap "$started_pid"
	[ "$status" -eq 1 ] || fail "status $status instead of 1"
	has "$tmp/icapd.err" "chroot $tmp/none" || fail "no reason"
else
	step "an ordinary user: what only root can do ends the start"
	for line in "user root" "chroot $tmp"; do
		conf workers 2
		echo "$line" >>"$tmp/conf"
		start icapd life_exec
		reap "$started_pid"
		[ "$status" -eq 1 ] || fail "$line: status $status"
		has "$tmp/icapd.err" "only root can" || fail "no reason"
	done
	conf workers 2 user "$(id -un)"
	life_start
	load_once served -c 2 -n 10
	nothing_lost
	icapd_stop TERM
fi

if [ "$has_sandbox" = yes ]; then
	step "the sandbox: what a service may do"
	conf workers 2
	life_start
	load_once allowed -c 1 -n 10 -s allowed
	nothing_lost
	for service in exec fork write kill; do
		step "the sandbox: $service dies of it"
		load_once "$service" -c 1 -n 1 -s "$service"
		[ "$(figure lost)" -eq 1 ] || fail "the worker lives"
		wait_said 1 "killed by the sandbox: .*in service \"/$service\""
	done
	[ -z "$(find "$tmp/spool" -type f)" ] || fail "it has written"
	load_once after -c 2 -n 10
	nothing_lost
	icapd_stop TERM

	step "the sandbox can be switched off"
	conf workers 2 sandbox 0
	life_start
	load_once write -c 1 -n 1 -s write
	nothing_lost
	[ -n "$(find "$tmp/spool" -type f)" ] || fail "it has not written"
	rm -f "$tmp/spool/written"
	icapd_stop TERM
else
	say "SKIP: no sandbox is built in"
fi

step "clients that are not allowed are closed"
conf workers 2 allow 192.0.2.0/24 allow ::1 run-dir "$tmp/run"
life_start
load_once refused -c 1 -n 5
[ "$(figure lost)" -eq 5 ] || fail "they are served"
wait_until has "$tmp/icapd.err" \
    'client 127\.0\.0\.1:[0-9]*: turned away from .*: it is not in allow' ||
    fail "nobody says who was turned away, and why"
icapd_stop TERM
conf workers 2 allow 192.0.2.0/24 allow 127.0.0.0/8
life_start
load_once allowed -c 2 -n 10
nothing_lost
icapd_stop TERM

step "connections of one client are limited"
conf workers 8 per-client 3
life_start
load_start three -H -c 3
load_once fourth -c 1 -n 5
[ "$(figure lost)" -eq 5 ] || fail "a fourth connection is served"
wait_until has "$tmp/icapd.err" \
    'turned away from .*: it has max-per-client connections' ||
    fail "nobody says that the limit was hit"
load_stop three
nothing_lost
wait_until is_admitted || fail "a place that was left is not given again"
icapd_stop TERM

step "no descriptor is left for a client: it is served when there is one"
conf workers 1 files 20 start files
# the search for leaks at the end of a process needs descriptors
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
life_start
unset ASAN_OPTIONS
start waiting "$load" -p "$icapd_port" -v -c 1 -n 1
waiting_pid=$started_pid
wait_said 1 'accept: Too many open files'
worker=$(icapd_workers)
is_running "$waiting_pid" || fail "the client was sent away"
conf workers 1
kill -HUP "$icapd_pid"
reap "$waiting_pid"
load_figures waiting
nothing_lost
wait_until not_running "$worker" || fail "the old worker does not go"
[ "$(count "$tmp/icapd.err" 'Too many open files')" -eq 1 ] ||
    fail "it was told more than once"
has "$tmp/icapd.err" 'respawn' && fail "the worker died of it"
icapd_stop TERM
