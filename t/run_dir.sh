#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Many daemons are started at the same moment with one run directory: exactly
# one serves, the others say which one it is and end with their status.  And
# again, when the one before has gone.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

setup
ctl=${ICAPCTL:-${top_builddir:-.}/icapctl}
[ -x "$ctl" ] || fail "$ctl: no such program"
daemons=12
rounds=4
mkdir "$tmp/ctl" "$tmp/spool" "$tmp/run"
chmod 1777 "$tmp/spool"
mkfifo "$tmp/gate"
cat >"$tmp/icapd.conf" <<END
run-dir = "$tmp/ctl"
listen "127.0.0.1:0" { workers = 1 }
service "/echo" { run = {echo} }
END

# All wait for the end of the gate, which comes when the last of them, and
# this shell, have closed their writing side: whoever comes late is waited for.
race_exec() {
	exec 7>&-
	read -r _ <&6 && exit 99
	exec 6<&-
	icapd_exec -d -f "$tmp/icapd.conf"
}

# Those of $racers that run; one is left, and it serves.
one_serves() {
	left=
	for pid in $racers; do
		! is_running "$pid" || left="$left $pid"
	done
	left=${left# }
	case $left in
	'') fail "none of them serves" ;;
	*' '*) return 1 ;;
	esac
	"$ctl" -r "$tmp/ctl" status >"$tmp/status" 2>/dev/null &&
	    has "$tmp/status" ", pid $left, ready"
}

round=0
while [ "$((round += 1))" -le "$rounds" ]; do
	step "$daemons daemons at once, round $round"
	exec 7<>"$tmp/gate"
	exec 6<"$tmp/gate"
	racers=
	i=0
	while [ "$((i += 1))" -le "$daemons" ]; do
		start "racer$i" race_exec
		racers="$racers $started_pid"
	done
	exec 7>&- 6<&-
	wait_until one_serves || fail "these are left: $left"
	i=0
	for pid in $racers; do
		i=$((i + 1))
		[ "$pid" -ne "$left" ] || continue
		reap "$pid"
		[ "$status" -eq 1 ] || fail "$pid ended with $status"
		has "$tmp/racer$i.err" \
		    "run-dir $tmp/ctl is in use by process $left" ||
		    fail "$pid does not say who has it"
	done
	# its counters are its own, too
	"$ctl" -r "$tmp/ctl" services >"$tmp/services" ||
	    fail "no counters"
	has "$tmp/services" '^/echo' || fail "the counters of another"
	"$ctl" -r "$tmp/ctl" stop >"$tmp/stop" || fail "it does not stop"
	reap "$left"
	[ "$status" -eq 0 ] || fail "it ended with $status"
	[ -z "$(find "$tmp/ctl" ! -type d)" ] ||
	    fail "left:" "$(find "$tmp/ctl" ! -type d)"
done
