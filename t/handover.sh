#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What one daemon leaves to the next: the status listener, which answers
# through an upgrade and a crash of its process; the file of a unix socket,
# which stays for a new binary and goes at a stop; and a run directory, which
# only one can have.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need curl curl
need jq jq
setup
ctl=${ICAPCTL:-${top_builddir:-.}/icapctl}
ping=$t_builddir/ping
for tool in "$ctl" "$ping"; do
	[ -x "$tool" ] || fail "$tool: no such program"
done
mkdir "$tmp/ctl" "$tmp/log"
chmod 1777 "$tmp/log"
sock=$tmp/ctl/icapd.sock

# configure STATUS-ADDRESS
configure() {
	cat >"$tmp/icapd.conf" <<-END
	run-dir = "$tmp/ctl"
	pidfile = "$tmp/ctl/pid"
	listen "127.0.0.1:0" { workers = 2 }
	listen "unix:$sock" { workers = 2 }
	log "$tmp/log/events" {
		access = no
		events = yes
		form = text
	}
	status { address = "$1" }
	service "/echo" { run = {echo} }
	END
}

# said PATTERN: in the log of events
said() {
	has "$tmp/log/events" "$1"
}

# Sets icapd_pid, icapd_port and url.
handover_start() {
	: >"$tmp/log/events"
	chmod 666 "$tmp/log/events"
	icapd_serve
	wait_until said 'status on 127.0.0.1:[1-9]\|without libmicrohttpd' ||
	    fail "no status listener"
	url=$(sed -n 's|.*status on \(127\.0\.0\.1:[0-9]*\).*|http://\1|p' \
	    "$tmp/log/events" | head -n 1)
}

# pid_at URL: of the daemon that answers there
pid_at() {
	curl -s -S --max-time 20 "$1/status.json" | jq .pid
}

helper() {
	ps -A -o pid= -o ppid= -o args= | awk -v p="$icapd_pid" -v n="$1" '
	$2 == p && $0 ~ ": " n "( |$)" { print $1 }'
}

configure 127.0.0.1:0
handover_start
has_status=yes
if said 'without libmicrohttpd'; then
	say "SKIP: the status listener, as there is no libmicrohttpd here"
	has_status=no
fi
[ -S "$sock" ] || fail "no socket"

if [ "$has_status" = yes ]; then
	step "the status process is killed: its address stays"
	old=$(helper status)
	[ -n "$old" ] || fail "there is no status process"
	kill -KILL "$old"
	[ "$(pid_at "$url")" = "$icapd_pid" ] || fail "no answer"
	[ "$(helper status)" != "$old" ] || fail "it was not killed"
fi

step "an upgrade while the old binary has work left"
first=$icapd_pid
first_status=$(helper status)
[ "$has_status$first_status" != yes ] || fail "there is no status process"
mkfifo "$tmp/half.in"
start half "$ping" -p "$icapd_port" -s echo half
half_pid=$started_pid
exec 7>"$tmp/half.in"
wait_until has "$tmp/half.out" '^half' || fail "no transaction begun"
"$ctl" -r "$tmp/ctl" upgrade >"$tmp/upgrade" 2>&1 ||
    fail "$(cat "$tmp/upgrade")"
second=$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' "$tmp/upgrade")
started="$started $second"
is_running "$first" || fail "the old one did not wait"
if [ "$has_status" = yes ]; then
	# told to end, it may answer the first of these still
	wait_until is_gone "$first_status" ||
	    fail "the old status process goes on"
	for n in 1 2 3 4 5 6 7 8; do
		[ "$(pid_at "$url")" = "$second" ] ||
		    fail "answer $n is not of the new one"
	done
fi
is_running "$first" || fail "the old one did not wait for its transaction"
echo go >&7
exec 7>&-
reap "$half_pid"
[ "$status" -eq 0 ] || fail "the transaction was not finished"
reap "$first"
[ "$status" -eq 0 ] || fail "the old one ended with $status"
[ -S "$sock" ] || fail "the old one has taken the socket with it"
"$ctl" -r "$tmp/ctl" -j status >"$tmp/status" || fail "no status"
jq -e ".pid == $second and .deaths == 0" "$tmp/status" >"$tmp/jq.out" ||
    fail "the new one had deaths"
# the one above was killed by us
[ "$(count "$tmp/log/events" ' status (pid [0-9]*) ')" -le 1 ] ||
    fail "$(grep ' status (pid' "$tmp/log/events")"

if [ "$has_status" = yes ]; then
	step "an upgrade to another address, and to none"
	icapd_pid=$second
	sed 's/127\.0\.0\.1:0" }/[::1]:0" }/' "$tmp/icapd.conf" >"$tmp/new"
	[ ! -e /proc/net/if_inet6 ] || cp "$tmp/new" "$tmp/icapd.conf"
	"$ctl" -r "$tmp/ctl" upgrade >"$tmp/upgrade" 2>&1 ||
	    fail "$(cat "$tmp/upgrade")"
	third=$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' "$tmp/upgrade")
	started="$started $third"
	wait_until is_gone "$second" || fail "the second one does not end"
	if [ -e /proc/net/if_inet6 ]; then
		wait_until said 'status on \[::1\]:[1-9]' ||
		    fail "not at the new address"
		curl -s --max-time 20 "$url/healthz" && fail "still at the old"
	fi
	sed '/^status/d' "$tmp/icapd.conf" >"$tmp/new"
	cp "$tmp/new" "$tmp/icapd.conf"
	"$ctl" -r "$tmp/ctl" upgrade >"$tmp/upgrade" 2>&1 ||
	    fail "$(cat "$tmp/upgrade")"
	second=$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' "$tmp/upgrade")
	started="$started $second"
	wait_until is_gone "$third" || fail "the third one does not end"

	step "a reload neither adds the listener nor removes it"
	answers() {
		url=$(sed -n 's|.*status on \(127\.0\.0\.1:[0-9]*\).*|\1|p' \
		    "$tmp/log/events" | tail -n 1)
		[ -n "$url" ] && [ "$(pid_at "$url")" = "$icapd_pid" ]
	}
	icapd_pid=$second
	: >"$tmp/log/events"
	echo 'status { address = "127.0.0.1:0" }' >>"$tmp/icapd.conf"
	"$ctl" -r "$tmp/ctl" reload >"$tmp/reload" || fail "no reload"
	wait_until said 'status: the listener takes a restart' ||
	    fail "it does not say that it does not"
	[ -z "$(helper status)" ] || fail "it was added"
	"$ctl" -r "$tmp/ctl" upgrade >"$tmp/upgrade" 2>&1 ||
	    fail "$(cat "$tmp/upgrade")"
	icapd_pid=$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' "$tmp/upgrade")
	started="$started $icapd_pid"
	wait_until is_gone "$second" || fail "the fourth one does not end"
	second=$icapd_pid
	wait_until answers || fail "an upgrade does not add it"
	sed '/^status/d' "$tmp/icapd.conf" >"$tmp/new"
	cp "$tmp/new" "$tmp/icapd.conf"
	"$ctl" -r "$tmp/ctl" reload >"$tmp/reload" || fail "no reload"
	wait_until said 'status: the listener stays until a restart' ||
	    fail "it does not say that it does not remove it"
	wait_until answers || fail "it is open, and nobody answers"
fi

step "another daemon with the same run directory does not start"
sed -e '/^pidfile/d' -e '/^listen "unix/d' -e '/^status/d' \
    "$tmp/icapd.conf" >"$tmp/other.conf"
start other icapd_exec -d -f "$tmp/other.conf"
reap "$started_pid"
[ "$status" -ne 0 ] || fail "it has started"
grep -q "run-dir $tmp/ctl is in use by process $second" "$tmp/other.err" \
    "$tmp/log/events" || fail "it does not say why"
"$ctl" -r "$tmp/ctl" status >"$tmp/status" || fail "the first is not found"

step "a stop removes the socket of this daemon"
icapd_family="$second $(family "$second")"
"$ctl" -r "$tmp/ctl" stop >"$tmp/stop" || fail "it does not stop"
# shellcheck disable=SC2086 # a list of pids
wait_until is_gone $icapd_family || fail "something is left"
[ -z "$(find "$tmp/ctl" ! -type d)" ] ||
    fail "left:" "$(find "$tmp/ctl" ! -type d)"

step "but not what somebody else has put in its place"
configure 127.0.0.1:0
handover_start
rm "$sock"
: >"$sock"
icapd_stop TERM
[ -f "$sock" ] || fail "it has removed another file"
rm "$sock"

step "a start that fails leaves none"
origin_start
cat >"$tmp/icapd.conf" <<END
listen "unix:$sock" { workers = 2 }
listen "127.0.0.1:$origin_port" { workers = 2 }
service "/echo" { run = {echo} }
END
start icapd icapd_exec -d -f "$tmp/icapd.conf"
reap "$started_pid"
[ "$status" -eq 1 ] || fail "it has started"
has "$tmp/icapd.err" 'Address already in use' || fail "it does not say why"
[ ! -e "$sock" ] || fail "it has left its socket"
origin_stop

say "ok"
