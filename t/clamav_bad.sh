#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The clamav service with a clamd that does not answer, or not as it should: no
# scan goes on past the end of the transaction, when there would be nobody left
# to say what is to become of the body; nothing that an engine says but OK to
# this question is clean; and what was not scanned is counted, in all and for
# each reason.  (Each limit of time is in clamav_slow.sh.)

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"
# shellcheck source=avlib.sh
. "$(dirname "$0")/avlib.sh"

floor=$t_builddir/bench/floor
for program in "$origin" "$floor" "$t_builddir/badclamd"; do
	[ -x "$program" ] || fail "$program: no such program (make check)"
done
setup
clamd_setup
"$origin" -g 20000 3 >"$tmp/clean"

bad_start

# config TRANSACTION: how long one may take, and what all tests need
config() {
	cat <<-END
	listen "127.0.0.1:0" { workers = 20 defer-accept = off }
	timeouts { head = $1 transaction = $1 grace = 1s }
	log "-" { form = text }
	service "/info" { run = {info} }
	END
}

# engine NAME ENGINE KEY...: its deadlines are those that are set, and others
# are far away.
engine() {
	e_name=$1 e_engine=$2
	shift 2
	cat <<-END
	clamav "$e_name" {
		engines = {"$e_engine"}
		cache = no
		connect-timeout = 1m
		write-timeout = 1m
		reply-timeout = 1m
		$*
	}
	service "/$e_name" { run = {"$e_name"} }
	END
}

# policies NAME ENGINE KEY...: as unscanned() of avlib.sh wants them
policies() {
	p_name=$1 p_engine=$2
	shift 2
	for policy in block pass fail; do
		case $policy in
		block) engine "av-$p_name" "$p_engine" "$@" ;;
		*) engine "$policy-$p_name" "$p_engine" \
		    "on-unscanned = $policy" "$@" ;;
		esac
	done
}

# How often, as the metrics say: all, and for a reason.
counted() {
	rm -f "$tmp/metrics"
	"$icapc" reqmod -u http://icapd.info/metrics -o "$tmp/metrics" \
	    "icap://127.0.0.1:$icapd_port/info" >"$tmp/c.out" 2>&1
	awk -v name="$1" 'index($0, name) == 1 { sum += $NF }
	END { print sum + 0 }' "$tmp/metrics"
}

# unscanned_counted REASON FILE KIND: and four are counted
unscanned_counted() {
	reason=$(echo "$1" | tr - _)
	all=$(counted icapd_unscanned_total)
	why=$(counted "icapd_service_clamav_unscanned_${reason}_total")
	unscanned "$@"
	[ "$(counted icapd_unscanned_total)" -eq $((all + 4)) ] ||
	    fail "icapd_unscanned_total is not $all + 4:" \
	        "$(grep unscanned "$tmp/metrics")"
	[ "$(counted "icapd_service_clamav_unscanned_${reason}_total")" -eq \
	    $((why + 4)) ] || fail "unscanned_$reason is not $why + 4:" \
	        "$(grep unscanned "$tmp/metrics")"
}

unix=unix:$tmp/clamd.sock

step "a scan cannot be longer than a transaction"
for time in 5s 4001ms 1h; do
	{
		config 4s
		engine wrong "$unix" "scan-timeout = $time"
	} >"$tmp/wrong.conf"
	! "$ICAPD" -n -f "$tmp/wrong.conf" >"$tmp/wrong.said" 2>&1 ||
	    fail "$time is taken"
	has "$tmp/wrong.said" "scan-timeout \"$time\": expected at most .* 4 s" ||
	    fail "$time: $(cat "$tmp/wrong.said")"
done
for time in 4s 3999ms; do
	{
		config 4s
		engine right "$unix" "scan-timeout = $time"
	} >"$tmp/right.conf"
	"$ICAPD" -n -f "$tmp/right.conf" >"$tmp/right.said" 2>&1 ||
	    fail "$time: $(cat "$tmp/right.said")"
done

step "an engine is silent until the end of the transaction"
clamd_start
{
	config 4s
	policies late "unix:$tmp/bad/mute"
	engine good "$unix"
} >"$tmp/icapd.conf"
icapd_serve
unscanned_counted timeout "$tmp/clean" -late
clean good "$tmp/clean"
infected good "$tmp/eicar"
! has "$tmp/icapd.err" 'killed\|died' || fail "a worker was killed"
[ "$(count "$tmp/icapd.out" WORKER-DIED)" -eq 0 ] ||
    fail "a worker was killed in its transaction"
icapd_stop TERM

step "each reason is counted"
{
	config 1m
	policies scan "unix:$tmp/bad/mute" 'scan-timeout = 1s'
	policies down "unix:$tmp/none.sock"
	policies full "unix:$tmp/bad/full" |
	    sed 's/connect-timeout = 1m/connect-timeout = 300ms/'
	policies large "$unix" 'max-size = 100'
	policies error "unix:$tmp/bad/garbage"
	policies good "$unix"
} >"$tmp/icapd.conf"
icapd_serve
unscanned_counted timeout "$tmp/clean" -scan
unscanned_counted down "$tmp/clean" -down
unscanned_counted down "$tmp/clean" -full
unscanned_counted too-large "$tmp/clean" -large
unscanned_counted error "$tmp/clean" -error
unscanned_counted encoded "$tmp/clean" -good -E 'Content-Encoding: br'
unscanned_counted form "$tmp/clean" -good \
    -E 'Content-Type: multipart/form-data; boundary=XX'
unscanned_counted partial "$tmp/clean" -good -E 'Content-Range: bytes 0-1/9'
icapd_stop TERM
end "$clamd_pid"
forget "$clamd_pid"

# garbage TEXT: as printf %b has it; an engine that says that to everything
garbage() {
	printf %b "$1" >"$tmp/garbage"
	start floor "$floor" -w 4 -r "$tmp/garbage" reply
	floor_pid=$started_pid
	wait_until has "$tmp/floor.out" '^port [1-9]' ||
	    fail "the engine is not ready"
	{
		config 1m
		policies garbage \
		    "127.0.0.1:$(sed -n 's/^port //p' "$tmp/floor.out")" |
		    sed 's/-timeout = 1m/-timeout = 300ms/'
	} >"$tmp/icapd.conf"
	icapd_serve
	all=$(counted icapd_unscanned_total)
	unscanned '[a-z]*' "$tmp/eicar" -garbage
	[ "$(counted icapd_unscanned_total)" -eq $((all + 4)) ] ||
	    fail "icapd_unscanned_total is not $all + 4"
	icapd_stop TERM
	end "$floor_pid"
	forget "$floor_pid"
}

step "answers that are none"
garbage 'OK\0'
garbage '1: stream: OK\0'
garbage '2: stream: OK\n'
garbage 'stream: OK\0'
garbage 'HTTP/1.1 200 OK\r\n\r\n'
garbage '\0\0\0\0'
garbage '1: ClamAV 1.4.3/0/x\0002: stream: O\0'
garbage '\0377\0376\0001'

step "the end"
bad_end
say ok
