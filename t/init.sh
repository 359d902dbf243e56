#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The init script, by its actions and the exit statuses of the LSB: it starts
# a daemon that serves, finds it again, reloads it, and leaves a running one
# alone when the configuration has become wrong.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

setup
script=${top_builddir:-.}/rc/icapd.init
[ -f "$script" ] || fail "$script: no such script (make builds it)"
case $script in
/*) ;;
*) script=$PWD/$script ;;
esac

# The daemon leaves us, so it has to be found by its pid file.
cleanup_hook="kill_daemon $tmp/icapd.pid"

mkdir "$tmp/spool"
chmod 1777 "$tmp/spool"
cat >"$tmp/default" <<END
DAEMON='$ICAPD'
CONFIG='$tmp/icapd.conf'
PIDFILE='$tmp/icapd.pid'
END
ICAPD_DEFAULTS=$tmp/default
export ICAPD_DEFAULTS

right() {
	cat >"$tmp/icapd.conf" <<-END
	pidfile = "$tmp/icapd.pid"
	listen "127.0.0.1:0" { workers = 2 }
	spool { directory = "$tmp/spool" }
	service "/echo" { run = {echo} }
	END
}

wrong() {
	echo 'wokers = 3' >>"$tmp/icapd.conf"
}

# init STATUS ACTION: output in init.out
init() {
	status=0
	sh "$script" "$2" >"$tmp/init.out" 2>&1 </dev/null || status=$?
	[ "$status" -eq "$1" ] || {
		cat "$tmp/init.out" >&2
		fail "$2: status $status instead of $1"
	}
}

# pid: of the daemon
pid() {
	cat "$tmp/icapd.pid"
}

right
step "nothing runs yet"
init 3 status
init 0 stop
init 7 reload
init 0 try-restart
init 3 status
init 2 nonsense
init 0 configtest

step "start with a wrong file"
wrong
init 1 configtest
grep -q 'icapd.conf:5: unknown key "wokers"' "$tmp/init.out" ||
    fail "configtest does not say what is wrong"
init 1 start
grep -q 'icapd.conf:5: unknown key "wokers"' "$tmp/init.out" ||
    fail "start does not say what is wrong"
init 3 status
right

step "start"
init 0 start
init 0 status
first=$(pid)
is_running "$first" || fail "it does not run"
init 0 start
[ "$(pid)" = "$first" ] || fail "a second start has started another one"
init 0 configtest

step "a wrong file leaves it alone"
wrong
init 6 reload
init 6 restart
init 6 force-reload
init 0 status
[ "$(pid)" = "$first" ] || fail "it is another one now"
right

step "reload, restart"
init 0 reload
init 0 force-reload
[ "$(pid)" = "$first" ] || fail "a reload has started another one"
init 0 restart
second=$(pid)
[ "$second" != "$first" ] || fail "a restart has not"
is_gone "$first" || fail "the first one is still there"
init 0 try-restart
third=$(pid)
is_gone "$second" || fail "the second one is still there"

step "stop"
init 0 stop
is_gone "$third" || fail "it still runs"
init 3 status
init 0 stop

step "a stale pid file"
echo 1 >"$tmp/icapd.pid"
init 1 status
init 0 force-reload
init 0 status
init 0 stop
[ ! -s "$tmp/icapd.pid" ] || fail "the pid file is left"

say "ok"
