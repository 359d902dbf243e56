#!/bin/sh
# SPDX-License-Identifier: ISC
#
# icapctl: what it shows, what it has done and how it says how that ended.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=view.sh
. "$(dirname "$0")/view.sh"

need jq jq
view_setup

# run STATUS ARGUMENT...: icapctl, output in ctl.out and ctl.err
run() {
	t_expect=$1
	shift
	start ctl "$ctl" -r "$tmp/ctl" "$@"
	reap "$started_pid"
	[ "$status" -eq "$t_expect" ] || {
		cat "$tmp/ctl.out" "$tmp/ctl.err" >&2
		fail "icapctl $*: status $status instead of $t_expect"
	}
}

step "usage"
run 2
run 2 bogus
run 2 status more
run 2 -t 0 status
run 2 -t many status
run 2 -x status
has "$tmp/ctl.err" '^usage: ' || fail "no usage"

step "no daemon"
for command in status workers services top reload reopen update stop \
    upgrade; do
	run 3 "$command"
	has "$tmp/ctl.err" 'no daemon is running' || fail "it does not say so"
	[ ! -s "$tmp/ctl.out" ] || fail "something on standard output"
done
printf 'no board' >"$tmp/ctl/icapd.board"
run 3 status
rm -f "$tmp/ctl/icapd.board"

step "what is shown"
view_start "workers 3" "log $tmp/log/access access ecs"
"$t_builddir/ping" -p "$icapd_port" -n 10 count || fail "no service"
# has_counted N: a client may know of the end before it is counted
has_counted() {
	"$ctl" -r "$tmp/ctl" status >"$tmp/counted"
	has "$tmp/counted" "^transactions   $1,"
}
wait_until has_counted 10 || fail "no transactions in status"
run 0 status
has "$tmp/ctl.out" "pid $icapd_pid, ready" || fail "status"
run 0 -j status
jq -e ".pid == $icapd_pid and .transactions == 10 and .ready and
    (.workers | length) == 3 and
    (.services[] | select(.path == \"echo\") | .transactions) == 10" \
    "$tmp/ctl.out" >"$tmp/jq.out" || fail "status as JSON"
run 0 workers
[ "$(count "$tmp/ctl.out" ' accept ')" -eq 3 ] || fail "not 3 workers"
run 0 services
has "$tmp/ctl.out" '^/echo  *10 ' || fail "services"
run 0 top
has "$tmp/ctl.out" 'transactions/s' || fail "top"

step "update"
run 1 update
has "$tmp/ctl.err" 'no service has anything to update' ||
    fail "it does not say that nobody does it"

step "reload"
run 0 reload
has "$tmp/ctl.out" '^generation 2, 3 workers$' || fail "no outcome"
run 0 status
has "$tmp/ctl.out" 'generation 2,' || fail "status does not know"
cp "$tmp/conf" "$tmp/conf.good"
echo "bogus line" >>"$tmp/conf"
run 1 reload
has "$tmp/ctl.err" "^$tmp/conf:4: " || fail "file and line are not said"
[ ! -s "$tmp/ctl.out" ] || fail "something on standard output"
run 0 status
has "$tmp/ctl.out" 'last reload    FAILED' || fail "status does not know"
run 0 -j status
jq -e '.generation == 2 and .reload.result == "failed"' "$tmp/ctl.out" \
    >"$tmp/jq.out" || fail "JSON does not know"
cp "$tmp/conf.good" "$tmp/conf"
run 0 reload
has "$tmp/ctl.out" '^generation 3, ' || fail "no third generation"
"$t_builddir/ping" -p "$icapd_port" -n 10 count || fail "no service"

step "counters outlive workers and reloads"
wait_until has_counted 20 || fail "not 20 transactions"
run 0 -j status
jq -e '.transactions == 20 and
    (.services[] | select(.path == "echo") | .transactions) == 20' \
    "$tmp/ctl.out" >"$tmp/jq.out" || fail "something is forgotten"

step "reopen"
mv "$tmp/log/access" "$tmp/log/access.1"
run 0 reopen
[ -e "$tmp/log/access" ] || fail "no new file when it returned"

step "upgrade"
echo "bogus line" >>"$tmp/conf"
run 1 upgrade
has "$tmp/ctl.err" 'upgrade failed' || fail "a failure is not said"
cp "$tmp/conf.good" "$tmp/conf"
run 0 upgrade
has "$tmp/ctl.out" 'pid [0-9]*, 3 workers' || fail "no outcome"
new=$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' "$tmp/ctl.out")
[ "$new" != "$icapd_pid" ] || fail "still the same"
wait_until is_gone "$icapd_pid" || fail "the old one does not go"
run 0 status
has "$tmp/ctl.out" "pid $new, ready" || fail "not the new one"

step "stop"
t_all="$new $(family "$new")"
run 0 stop
has "$tmp/ctl.out" '^stopped$' || fail "it does not say so"
# shellcheck disable=SC2086 # a list of pids
wait_until is_gone $t_all || fail "something is left"
run 3 status

step "the same through the proxy: the info service, in the sandbox"
icapc=${ICAPC:-${top_builddir:-.}/icapc}
cat >"$tmp/info.conf" <<END
listen "127.0.0.1:0" { workers = 2 }
run-dir = "$tmp/ctl"
spool { directory = "$tmp/spool" }
service "/info" { run = {info, echo} }
END
icapd_launch -d -f "$tmp/info.conf"
# info URL [OPTION...]: the HTTP response into $tmp/info.out
info() {
	t_url=$1
	shift
	rm -f "$tmp/info.out"
	"$icapc" reqmod -v -t 20 -u "$t_url" -o "$tmp/info.out" "$@" \
	    "icap://127.0.0.1:$icapd_port/info" >"$tmp/info.said" 2>&1
	has "$tmp/info.said" '^< ICAP/1.0 20' || {
		cat "$tmp/info.said" >&2
		fail "no answer for $t_url"
	}
}
for u in http://icapd.info/ http://ICAPD.Info:80 'http://icapd.info/?n=1'; do
	info "$u"
	has "$tmp/info.said" '^< HTTP/1.1 200 ' || fail "no page for $u"
	has "$tmp/info.said" '^< Content-Type: text/html; charset=utf-8' ||
	    fail "no HTML for $u"
	has "$tmp/info.out" '^</html>' || fail "no whole page for $u"
done
has "$tmp/info.out" '<td>/info</td>' || fail "the service is not in the page"
info http://icapd.info/status.json
jq -e ".pid == $icapd_pid and (.workers | length) == 2" "$tmp/info.out" \
    >"$tmp/jq.out" || fail "/status.json of the info service"
info http://icapd.info/metrics
has "$tmp/info.out" '^icapd_log_waits_total' || fail "/metrics is cut short"
info http://icapd.info/nope
has "$tmp/info.said" '^< HTTP/1.1 404 ' || fail "a page that is not there"
info http://icapd.info/ -m DELETE
has "$tmp/info.said" '^< HTTP/1.1 405 ' || fail "not only GET and HEAD"
for u in http://icapd.info.example/ http://noticapd.info/ \
    'http://example.com/?http://icapd.info/' http://icapd.info@example.com/; do
	info "$u"
	has "$tmp/info.said" '^< ICAP/1.0 204 ' || fail "not let through: $u"
done
[ -z "$(complaints)" ] || fail "complaints: $(complaints)"
icapd_family=$(family "$icapd_pid")
kill -TERM "$icapd_pid" || fail "icapd is gone already"
icapd_ended 0
