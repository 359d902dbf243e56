#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The trickle of the clamav service, with a real clamd that hangs (SIGSTOP)
# and a signature of our own: the client gets some of a response while nobody
# knows, and then all of it or, in the middle of a chunk, a reset.  Through
# Squid, where there is one, a download that is cut is an error for curl.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"

icapt=${ICAPT:-$t_builddir/icapt}
icapc=${ICAPC:-${top_builddir:-.}/icapc}
for program in "$icapt" "$icapc" "$origin"; do
	[ -x "$program" ] || fail "$program: no such program (make check)"
done
setup
clamd_setup

# section NAME KEY...
section() {
	s_name=$1
	shift
	cat <<-END
	clamav "$s_name" {
		engines = {"unix:$tmp/clamd.sock"}
		cache = no
		$*
	}
	service "/$s_name" { run = {"$s_name"} }
	END
}

# In one go, or bit by bit.
once='trickle = "5000/10ms" trickle-max = 5000'
bits='trickle = "500/10ms" trickle-max = 5000'
mkdir "$tmp/heads"
chmod 1777 "$tmp/heads"
{
	echo "log \"$tmp/heads/log\" { format = \"%is %<ho\" }"
	cat <<-'END'
	listen "127.0.0.1:0" { workers = 8 defer-accept = off }
	log "-" { form = text }
	service "/info" { run = {info} }
	service "/echo" { run = {echo} }
	END
	section once "$once"
	section bits "$bits"
	section stream "$once" | sed 's/unix:/stream:/'
	section small "$bits" 'max-size = 50000'
	section block "$once" 'reply-timeout = 2s'
	section pass "$once" 'reply-timeout = 2s' 'on-unscanned = pass'
} >"$tmp/icapd.conf"

# begin SERVICE EXPECTATIONS METHOD BODY: icapt begins a transaction
begin() {
	case $3 in
	RESPMOD)
		heads='req-hdr "GET http://h.example/ HTTP/1.1^^"'
		heads="$heads res-hdr \"HTTP/1.1 200 OK^^\" res-body"
		;;
	REQMOD)
		heads='req-hdr "POST http://h.example/ HTTP/1.1^^" req-body'
		;;
	esac
	{
		echo "request $3 uri \"icap://\$A/$1\" + \"Allow: 204\" \\"
		echo "    $heads data $4"
		printf '%b\n' "$2"
	} >"$tmp/it.it"
	start it "$icapt" -v -t 60 -p "$icapd_port" -s echo "$tmp/it.it"
	it_pid=$started_pid
}

# finish: it was as expected
finish() {
	reap "$it_pid"
	[ "$status" -eq 0 ] || {
		cat "$tmp/it.it" "$tmp/it.out" >&2
		fail "not as expected"
	}
}

# stopped: once the process that watches has found all well, for what it has
# found silent nobody asks
stopped() {
	wait_until all_up || fail "icapd does not heal"
	kill -STOP "$clamd_pid"
}

all_up() {
	info '/readyz?verbose'
	has "$tmp/info" ': up since' && ! has "$tmp/info" ': down since'
}

# info PATH: of the info service, into $tmp/info
info() {
	rm -f "$tmp/info"
	"$icapc" reqmod -u "http://icapd.info$1" -o "$tmp/info" \
	    "icap://127.0.0.1:$icapd_port/info" >"$tmp/info.out" 2>&1
}

# It goes on once the client has its part: the first of the expectations, which
# stand from line 3 on.
goes_on() {
	wait_until has "$tmp/it.out" '^   line 4:' || fail "nothing came"
	kill -CONT "$clamd_pid"
}

logged() {
	wait_until has "$tmp/icapd.out" "$1" || {
		cat "$tmp/icapd.out" >&2
		fail "the log does not say $1"
	}
}

clean='60000*"clean "'
bad="40000*\"x\"'$eicar'"

step "what trickle may say"
for word in 1k 1k/ /5s 0/5s 1k/9ms 2M/5s 1k/2h 1kb/5s -1/5s; do
	{
		cat "$tmp/icapd.conf"
		section wrong "trickle = \"$word\""
	} >"$tmp/wrong.conf"
	! "$ICAPD" -n -f "$tmp/wrong.conf" >"$tmp/wrong.said" 2>&1 ||
	    fail "$word is taken"
	has "$tmp/wrong.said" "trickle \"$word\": expected" ||
	    fail "$word: $(cat "$tmp/wrong.said")"
done

step "what is infected is cut, and said to be"
clamd_start
icapd_serve
for service in once stream; do
	stopped
	begin $service 'part 5000\ncut 5000' RESPMOD "$bad"
	goes_on
	finish
	logged " $service 200 replaced .* CUT why=\"cut after 5000 bytes\" threat=\"Eicar-Test.UNOFFICIAL\""
done

step "bit by bit"
stopped
begin bits 'part 3000\nbroken' RESPMOD "$bad"
goes_on
finish
logged ' bits 200 replaced .* CUT why="cut after [0-9]* bytes"'

step "what is clean comes whole"
for service in once bits stream; do
	stopped
	begin $service 'part 5000\nE200\nsize 360000' RESPMOD "$clean"
	goes_on
	finish
	begin $service 'E-any 200,204\nalive' RESPMOD "$clean"
	finish
done
logged ' once 200 unchanged '

# the head that left is logged, though the verdict is unchanged
has_heads() {
	[ "$(count "$tmp/heads/log" 'HTTP/1\.1.x20200.x20OK$')" -ge 3 ]
}
wait_until has_heads ||
    fail "the heads are not in the log: $(cat "$tmp/heads/log")"

step "what could not be scanned is cut, or passes"
stopped
begin block 'cut 5000' RESPMOD "$clean"
finish
logged ' block 200 replaced .* UNSCANNED CUT why="timeout: .*; cut after 5000 bytes"'
kill -CONT "$clamd_pid"
stopped
begin pass 'E200\nsize 360000' RESPMOD "$clean"
finish
logged ' pass 200 unchanged .* UNSCANNED why="timeout: '
kill -CONT "$clamd_pid"

step "a part stays one when the worker is killed"
stopped
begin once 'part 5000\nbroken' RESPMOD "$clean"
wait_until has "$tmp/it.out" '^   line 4:' || fail "nothing came"
# shellcheck disable=SC2046 # pids
kill -KILL $(icapd_workers)
finish
kill -CONT "$clamd_pid"

step "what becomes too large on its way is cut"
# it comes slowly: icapt has sent only half when the first bytes are back
cat >"$tmp/it.it" <<'END'
request RESPMOD uri "icap://$A/small" \
    req-hdr "GET http://h.example/ HTTP/1.1^^" \
    res-hdr "HTTP/1.1 200 OK^^" res-body \
    raw "7530^"30000*"x" want 60000*"x"
part 500
send "^7530^"30000*"x" "^0^^"
broken
END
start it "$icapt" -v -t 60 -p "$icapd_port" -s echo "$tmp/it.it"
it_pid=$started_pid
finish
logged ' small 200 replaced .* UNSCANNED CUT why="too-large: .*; cut after '

step "no part of a request, nor of what is small"
begin once 'E200' REQMOD "$bad"
finish
has "$tmp/it.out" '^ < c: HTTP/1.1 403 ' || fail "no page for a request"
begin once 'E200' RESPMOD "'$eicar'"
finish
has "$tmp/it.out" '^ < c: HTTP/1.1 403 ' || fail "no page"

step "the metrics count it"
# a client knows of the end before it is counted
five_cut() {
	info /metrics
	has "$tmp/info" '^icapd_cut_total 5$'
}
wait_until five_cut || fail "not 5 were cut: $(grep cut_total "$tmp/info")"

step "the end"
icapd_stop TERM
end "$clamd_pid"
forget "$clamd_pid"
say ok
