#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The clamav service with engines that have no room, take nothing, say nothing
# or talk nonsense: each of its four time-outs is what ends a scan while the
# others are far away, and the body is treated as the configuration says, with
# a line in the log that names the time-out, and a number.  No clamd is needed.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=avlib.sh
. "$(dirname "$0")/avlib.sh"

[ -x "$t_builddir/badclamd" ] || fail "no badclamd (make check builds it)"
setup
"$ICAPD" -l | grep -q '^clamav' || fail "icapd has no clamav"
head -c 20000 /dev/zero >"$tmp/clean"
# more than any socket holds
head -c 20000000 /dev/zero >"$tmp/large"
bad_start

# kind NAME ENGINE KEY [TIME]: three services, whose time-outs are long but for
# KEY; a scan has to get as far as its engine in that TIME
kind() {
	for policy in block pass fail; do
		name=$policy
		[ $policy != block ] || name=av
		section "$name-$1" $policy "$2" "cache = no write-timeout = 10m" |
		    sed -e 's/timeout = .*s$/timeout = 10m/' \
		    -e "s/$3 = 10m/$3 = ${4:-300ms}/"
	done
}
{
	cat <<-'END'
	listen "127.0.0.1:0" { workers = 4 }
	timeouts { transaction = 30m }
	log "-" { form = text }
	status { address = "127.0.0.1:0" }
	END
	kind connect "unix:$tmp/bad/full" connect-timeout
	kind connect-stream "stream:$tmp/bad/full" connect-timeout
	kind connect-tcp "127.0.0.1:$bad_port" connect-timeout
	kind write "stream:$tmp/bad/deaf" write-timeout
	kind reply "unix:$tmp/bad/mute" reply-timeout
	kind reply-stream "stream:$tmp/bad/mute" reply-timeout
	kind scan "unix:$tmp/bad/mute" scan-timeout 1s
	kind scan-stream "stream:$tmp/bad/mute" scan-timeout 1s
	kind scan-write "stream:$tmp/bad/deaf" scan-timeout 1s
	kind scan-connect "unix:$tmp/bad/full" scan-timeout
	kind garbage "unix:$tmp/bad/garbage" none
	kind garbage-stream "stream:$tmp/bad/garbage" none
} >"$tmp/icapd.conf"
icapd_serve

# said KIND TEXT: the log gives that reason, for one body at least
said() {
	logged "-$1 .*unscanned=\"$2\"" 1 ||
	    fail "$1: the log does not say $2"
}

# asked KIND TEXT: one more body, and the log has given that reason
asked() {
	"$icapc" respmod -f "$tmp/clean" "icap://127.0.0.1:$icapd_port/av-$1" \
	    >/dev/null 2>&1
	logged "-$1 .*unscanned=\"$2\"" 1
}

step "connect-timeout"
for kind in connect connect-stream connect-tcp; do
	unscanned down "$tmp/clean" -$kind
	# one now and then finds out, be it the process that watches
	wait_until asked $kind 'down: connect: connect-timeout' ||
	    fail "nobody asks it"
	# and others do not wait for it
	wait_until asked $kind 'down: no engine has answered lately' ||
	    fail "all ask it"
done

step "write-timeout"
unscanned timeout "$tmp/large" -write
said write 'timeout: send: write-timeout'

step "reply-timeout"
for kind in reply reply-stream; do
	unscanned timeout "$tmp/clean" -$kind
	said $kind 'timeout: reply: reply-timeout'
done

step "scan-timeout"
for kind in scan scan-stream; do
	unscanned timeout "$tmp/clean" -$kind
	said $kind 'timeout: reply: scan-timeout'
done
unscanned timeout "$tmp/large" -scan-write
said scan-write 'timeout: send: scan-timeout'
# unless the process that watches has found it silent before
unscanned '\(timeout\|down\)' "$tmp/clean" -scan-connect

step "garbage"
for kind in garbage garbage-stream; do
	unscanned error "$tmp/clean" -$kind
	# the second request of the session if it was asked for its version
	said $kind 'error: [12]: all is well'
done

step "each of them is counted"
is_listening() {
	has "$tmp/icapd.err" 'status on 127\|without libmicrohttpd'
}
wait_until is_listening || fail "no status listener"
if has "$tmp/icapd.err" 'without libmicrohttpd' ||
    ! command -v curl >/dev/null 2>&1; then
	say "left out: no curl, or built without libmicrohttpd" >&2
else
	url=$(sed -n 's/.*status on \(127\.0\.0\.1:[0-9]*\).*/http:\/\/\1/p' \
	    "$tmp/icapd.err" | tail -n 1)
	curl -s "$url/metrics" >"$tmp/got" || fail "no numbers"
	n=$(count "$tmp/icapd.out" 'unscanned="')
	has "$tmp/got" "^icapd_unscanned_total $n\$" ||
	    fail "$n: $(grep '^icapd_unscanned' "$tmp/got")"
fi

step "the end"
bad_end
icapd_stop TERM
say ok
