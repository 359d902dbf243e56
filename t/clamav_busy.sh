#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The clamav service with a clamd that has one thread and a short queue: while
# the thread is busy, and with more clients than there is room for, each body
# gets a verdict or is treated as the configuration says, and each client an
# answer.  And a clamd that is killed when it is shown to have a body: in its
# hands, in its queue, half of it.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"
# shellcheck source=avlib.sh
. "$(dirname "$0")/avlib.sh"

BIG=60		# MiB: some seconds of work
MANY=100	# clients at a time

[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"
setup
clamd_setup 'MaxQueue 2'

"$origin" -g 20000 3 >"$tmp/clean"
head -c $((BIG * 1048576)) /dev/zero >"$tmp/big"
cat "$tmp/eicar" >>"$tmp/big"
head -c 1000000 /dev/zero >"$tmp/medium"
cat "$tmp/eicar" >>"$tmp/medium"
# The same whatever was the reason, so that icapc tells it from all else.
echo 'This is withheld.' >"$tmp/page.txt"

step "clamd with one thread"
clamd_threads=1
clamd_tcp_start
unix=unix:$tmp/clamd.sock
pages="template = \"$tmp/page.txt\" unscanned-template = \"$tmp/page.txt\""
{
	cat <<-'END'
	listen "127.0.0.1:0" { workers = 210 defer-accept = off }
	log "-" { form = text }
	END
	for kind in unix stream tcp; do
		case $kind in
		unix) engine=$unix ;;
		stream) engine=stream:$tmp/clamd.sock ;;
		tcp) engine=127.0.0.1:$clamd_port ;;
		esac
		section $kind block "$engine" "cache = no $pages"
		section hasty-$kind block "$engine" "cache = no $pages" |
		    sed 's/reply-timeout = .*/reply-timeout = 300ms/'
		section slow-$kind block "$engine" "cache = no" |
		    sed 's/timeout = .*/timeout = 1m/'
		section pass-$kind pass "$engine" "cache = no" |
		    sed 's/timeout = .*/timeout = 1m/'
	done
} >"$tmp/icapd.conf"
# a session that is kept takes one of the places
sed 's/keep = 5/keep = 0/' "$tmp/icapd.conf" >"$tmp/x"
mv "$tmp/x" "$tmp/icapd.conf"
icapd_serve
for kind in unix stream tcp; do
	clean "$kind" "$tmp/clean"
	infected "$kind" "$tmp/eicar"
done

# load NAME PATH FILE URL CLIENTS N: in the background
load() {
	l_name=$1
	start "$l_name" "$icapc" respmod -c "$5" -n "$6" -f "$3" -u "$4" \
	    "icap://127.0.0.1:$icapd_port/$2"
}

# has_body: clamd has a body of icapd open, so it is at work on it
has_body() {
	find "/proc/$clamd_pid/fd" -lname '*icapd body*' -o \
	    -lname "$tmp/spool/*" 2>/dev/null | grep -q .
}

# heals: the process that watches may have found clamd silent, as its thread
# was busy, and nobody asks it until that process has heard of it again
heals() {
	wait_until is_up "$kind" || fail "$kind: icapd does not heal"
}

# all_blocked PATH N: so many bodies with EICAR came, and each was withheld
all_blocked() {
	wait_until logged " $1 .*http://bad.example/" "$2" ||
	    fail "not all were answered"
	[ "$(count "$tmp/icapd.out" \
	    " $1 .* replaced .*http://bad.example/")" -eq "$2" ] ||
	    fail "not all were withheld"
}

# all_answered PATH N: each clean body passed or was found to be unscanned
all_answered() {
	wait_until logged " $1 .*http://good.example/" "$2" ||
	    fail "not all were answered"
	ok=$(count "$tmp/icapd.out" " $1 .* unchanged .*http://good.example/")
	no=$(count "$tmp/icapd.out" \
	    " $1 .* replaced .*http://good.example/.*unscanned=")
	[ $((ok + no)) -eq "$2" ] || fail "$ok + $no are not $2"
	say "$1: of $2 clean bodies $no were not scanned"
}

step "its thread is busy"
start big "$icapc" respmod -f "$tmp/big" \
    "icap://127.0.0.1:$icapd_port/slow-unix"
big=$started_pid
wait_until has_body || fail "clamd never has the body"
for kind in unix stream tcp; do
	load bad-$kind hasty-$kind "$tmp/eicar" http://bad.example/ 10 20
	eval "bad_$kind=\$started_pid"
	load good-$kind hasty-$kind "$tmp/clean" http://good.example/ 10 20
	eval "good_$kind=\$started_pid"
done
for kind in unix stream tcp; do
	eval "reap \$bad_$kind"
	[ "$status" -eq 0 ] || fail "$kind: some came through or failed"
	# these may be answered in two ways, so the log is what counts
	eval "reap \$good_$kind"
done
reap "$big"
[ "$status" -eq 3 ] || fail "the body that it had: status $status"
has "$tmp/big.out" Threat=Eicar-Test || fail "EICAR was not found"
for kind in unix stream tcp; do
	# one is sent before each load begins
	all_blocked hasty-$kind 21
	all_answered hasty-$kind 21
	heals
	clean "$kind" "$tmp/clean"
	infected "$kind" "$tmp/eicar"
done

step "$MANY clients, and a queue of two"
for kind in unix stream tcp; do
	load bad $kind "$tmp/eicar" http://bad.example/ $((MANY / 2)) 300
	bad=$started_pid
	load good $kind "$tmp/clean" http://good.example/ $((MANY / 2)) 300
	good=$started_pid
	reap "$bad"
	[ "$status" -eq 0 ] || fail "$kind: some came through or failed"
	reap "$good"
	all_blocked $kind 301
	all_answered $kind 301
	heals
	clean "$kind" "$tmp/clean"
	infected "$kind" "$tmp/eicar"
done

# ---- killed ---------------------------------------------------------------

# killed: now, and what has become of the one that waits
killed() {
	is_running "$mid" || fail "it has its answer already"
	kill -KILL "$clamd_pid"
	reap "$clamd_pid"
	reap "$mid"
}

# caught: clamd does nothing from here on, and has a body; it may have done
# with the last one before we came to stop it
caught() {
	start mid "$icapc" respmod -f "$tmp/big" \
	    "icap://127.0.0.1:$icapd_port/$path"
	mid=$started_pid
	wait_until has_body || fail "clamd never has the body"
	kill -STOP "$clamd_pid"
	! has_body || return 0
	kill -CONT "$clamd_pid"
	reap "$mid"
	return 1
}

step "killed with a body in its hands"
for path in slow-unix pass-unix; do
	wait_until caught || fail "clamd was too fast"
	killed
	if [ $path = slow-unix ]; then
		[ "$status" -eq 3 ] || fail "status $status instead of 3"
		has "$tmp/mid.out" Threat=Unscanned.down ||
		    fail "it is not said to be down"
	else
		[ "$status" -eq 0 ] || fail "status $status instead of 0"
		wait_until logged ' pass-unix .*unscanned="down' 1 ||
		    fail "the log does not say that it was not scanned"
	fi
	clamd_start
done

# Bytes that clamd has not read yet wait at its port.
has_queue() {
	awk -v port=":$(printf '%04X' "$clamd_port")" '
	$2 ~ port "$" && $4 == "01" && $5 !~ /:00000000$/ { found = 1 }
	END { exit !found }' /proc/net/tcp
}

step "killed with half of a body in its queue"
kill -STOP "$clamd_pid"
start mid "$icapc" respmod -f "$tmp/medium" \
    "icap://127.0.0.1:$icapd_port/slow-tcp"
mid=$started_pid
wait_until has_queue || fail "clamd never has the body"
killed
[ "$status" -eq 3 ] || fail "status $status instead of 3"
has "$tmp/mid.out" Threat=Unscanned.down || fail "it is not said to be down"
clamd_start
for kind in unix stream tcp; do
	heals
	clean "$kind" "$tmp/clean"
	infected "$kind" "$tmp/medium"
done

step "the end"
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
