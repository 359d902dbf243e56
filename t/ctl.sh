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
[ "$(id -u)" -ne 0 ] || need setpriv util-linux
view_setup

# Where on a board the master's pid is: behind the stem and other numbers.
BOARD_PID=296

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
for command in status workers services top recent reload reopen update stop \
    upgrade; do
	run 3 "$command"
	has "$tmp/ctl.err" 'no daemon is running' || fail "it does not say so"
	[ ! -s "$tmp/ctl.out" ] || fail "something on standard output"
	run 3 -j "$command"
	jq -e '.error | test("no daemon is running")' "$tmp/ctl.out" \
	    >"$tmp/jq.out" || fail "no error as JSON"
	[ ! -s "$tmp/ctl.err" ] || fail "something on standard error"
done
printf 'no board' >"$tmp/ctl/icapd.board"
run 3 status
rm -f "$tmp/ctl/icapd.board"

step "a board that one may not see is not the same as none"
as_nobody=
if [ "$(id -u)" -eq 0 ]; then
	as_nobody='setpriv --reuid 65534 --regid 65534 --clear-groups --'
fi
cp "$ctl" "$tmp/icapctl"
chmod 755 "$tmp"
mkdir "$tmp/shut"
: >"$tmp/shut/icapd.board"
chmod 000 "$tmp/shut"
for command in status check; do
	# shellcheck disable=SC2086 # a list of words
	start ctl $as_nobody "$tmp/icapctl" -r "$tmp/shut" "$command"
	reap "$started_pid"
	[ "$status" -eq 1 ] || fail "$command: status $status"
	has "$tmp/ctl.err" "not allowed: $tmp/shut/icapd.board" ||
	    fail "$command: not said"
done
chmod 700 "$tmp/shut"

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
# all_accept: a worker may not know yet that its client has gone
all_accept() {
	"$ctl" -r "$tmp/ctl" workers >"$tmp/accept"
	[ "$(count "$tmp/accept" ' accept ')" -eq 3 ]
}
wait_until all_accept || fail "not 3 workers"
run 0 workers
[ "$(count "$tmp/ctl.out" ' accept ')" -eq 3 ] || fail "not 3 workers"
run 0 services
has "$tmp/ctl.out" '^/echo  *10 .* <[0-9.]*  *<[0-9.]*$' || fail "services"
has "$tmp/ctl.out" '^/block  *0 .* -  *-$' || fail "durations of nothing"
run 0 -j services
jq -e '.services[] | select(.path == "echo") | .p50_us > 0 and
    .p99_us >= .p50_us' "$tmp/ctl.out" >"$tmp/jq.out" || fail "quantiles"
run 0 top
has "$tmp/ctl.out" ' transactions/s$' || fail "top has no rates of workers"
# nothing was asked in that second, whatever there was before
[ "$(count "$tmp/ctl.out" ' accept .* 0  *0$')" -eq 3 ] ||
    fail "top shows totals"

step "the last errors and blocks"
run 0 recent
[ ! -s "$tmp/ctl.out" ] || fail "there are none"
head_of 'GET http://example.com/nasty HTTP/1.1'
request block
has_recent() {
	"$ctl" -r "$tmp/ctl" recent >"$tmp/recent"
	has "$tmp/recent" '^20.*  blocked  .*http://example.com/nasty'
}
wait_until has_recent || fail "the block is not there"
run 0 -j recent
jq -e '.recent[0].kind == "blocked"' "$tmp/ctl.out" >"$tmp/jq.out" ||
    fail "nor as JSON"

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
jq -e '.generation == 2 and .reload.result == "failed" and
    .reload.failed == 1' "$tmp/ctl.out" >"$tmp/jq.out" ||
    fail "JSON does not know"
run 1 -j reload
jq -e '.reload.result == "failed" and .reload.failed == 2 and
    (.reload.why | test("conf:4: "))' "$tmp/ctl.out" >"$tmp/jq.out" ||
    fail "reload -j"
cp "$tmp/conf.good" "$tmp/conf"
run 0 reload
has "$tmp/ctl.out" '^generation 3, ' || fail "no third generation"
"$t_builddir/ping" -p "$icapd_port" -n 10 count || fail "no service"

step "counters outlive workers and reloads"
wait_until has_counted 21 || fail "not 20 transactions"
run 0 -j status
jq -e '.transactions == 21 and
    (.services[] | select(.path == "echo") | .transactions) == 20' \
    "$tmp/ctl.out" >"$tmp/jq.out" || fail "something is forgotten"

step "reopen"
mv "$tmp/log/access" "$tmp/log/access.1"
run 0 reopen
[ -e "$tmp/log/access" ] || fail "no new file when it returned"
run 0 -j reopen
jq -e '.logs[0].failing == false' "$tmp/ctl.out" >"$tmp/jq.out" ||
    fail "reopen -j"

step "upgrade"
echo "bogus line" >>"$tmp/conf"
run 1 upgrade
has "$tmp/ctl.err" 'upgrade failed' || fail "a failure is not said"
run 1 -j upgrade
jq -e '.error | test("^upgrade failed: the new binary")' "$tmp/ctl.out" \
    >"$tmp/jq.out" || fail "nor as JSON"
cp "$tmp/conf.good" "$tmp/conf"

step "upgrade, while clients ask for upgrades that have failed"
# Blocked, so that it gets among the last errors as they come.
head_of 'GET http://example.com/upgrade-failed/upgrade HTTP/1.1'
request block
(
	while [ ! -e "$tmp/enough" ]; do
		"$raw" "$icapd_port" <"$tmp/raw.in" >"$tmp/asked" 2>&1
	done
) &
asking=$!
started="$started $asking"
run 0 upgrade
: >"$tmp/enough"
reap "$asking"
has "$tmp/ctl.out" 'pid [0-9]*, 3 workers' || fail "no outcome"
new=$(sed -n 's/.*pid \([0-9]*\),.*/\1/p' "$tmp/ctl.out")
[ "$new" != "$icapd_pid" ] || fail "still the same"
wait_until is_gone "$icapd_pid" || fail "the old one does not go"
run 0 status
has "$tmp/ctl.out" "pid $new, ready" || fail "not the new one"

step "stop"
t_all="$new $(family "$new")"
run 0 -j stop
jq -e ".stopped and .pid == $new" "$tmp/ctl.out" >"$tmp/jq.out" ||
    fail "it does not say so"
# shellcheck disable=SC2086 # a list of pids
wait_until is_gone $t_all || fail "something is left"
run 3 status

# on_disk PROGRAM: it is what an upgrade runs
on_disk() {
	cp "$1" "$tmp/viewd.new"
	mv "$tmp/viewd.new" "$tmp/viewd"
}

# of_upgrade: the pid that icapctl has named
of_upgrade() {
	sed -n 's/.*, pid \([0-9]*\),.*/\1/p' "$tmp/ctl.out"
}

step "upgrade to another version"
nextd=$t_builddir/nextd
[ -x "$nextd" ] || fail "$nextd: no such program"
this=$viewd
viewd=$tmp/viewd
on_disk "$this"
view_start "workers 3"
cp "$tmp/conf" "$tmp/conf.good"
on_disk "$nextd"
run 0 upgrade
has "$tmp/ctl.out" '^icapd .*, board of another version of icapd$' ||
    fail "it does not say that it cannot read its board"
new=$(of_upgrade)
started="$started $new"
reap "$icapd_pid"
run 1 status
has "$tmp/ctl.err" "process $new: board of another version" ||
    fail "it shows what it cannot know"
run 0 -j upgrade
last=$new
new=$(jq .pid "$tmp/ctl.out")
started="$started $new"
wait_until is_gone "$last" || fail "the one before does not go"

step "upgrade from another version: a failure is told as it comes"
on_disk "$this"
echo "bogus line" >>"$tmp/conf"
run 1 -t 600 upgrade
has "$tmp/ctl.err" 'upgrade failed: the new binary .* exited with status' ||
    fail "it does not say what"
run 1 -t 600 -j upgrade
jq -e '.error | test("^upgrade failed: the new binary")' "$tmp/ctl.out" \
    >"$tmp/jq.out" || fail "nor as JSON"
cp "$tmp/conf.good" "$tmp/conf"
run 0 upgrade
has "$tmp/ctl.out" 'pid [0-9]*, 3 workers' || fail "no outcome"
last=$new
new=$(of_upgrade)
started="$started $new"
wait_until is_gone "$last" || fail "the one before does not go"

# has_failed N: so many upgrades have
has_failed() {
	[ "$(count "$tmp/icapd.err" 'upgrade failed: the new')" -ge "$1" ]
}

step "upgrade from before there was a stem: what cannot be known is said"
printf '\004' | dd of="$tmp/ctl/icapd.board" bs=1 seek=4 conv=notrunc \
    2>/dev/null
echo "bogus line" >>"$tmp/conf"
run 1 -t 1 upgrade
has "$tmp/ctl.err" "process $new is of a version that tells only its log" ||
    fail "it does not say so"
has "$tmp/ctl.err" 'no outcome within 1 s' || fail "it has an outcome"
# else the next one would come too early
wait_until has_failed 3 || fail "the upgrade does not fail"
cp "$tmp/conf.good" "$tmp/conf"
run 0 upgrade
last=$new
new=$(of_upgrade)
started="$started $new"
wait_until is_gone "$last" || fail "the one before does not go"
t_all="$new $(family "$new")"
run 0 stop
# shellcheck disable=SC2086 # a list of pids
wait_until is_gone $t_all || fail "something is left"
viewd=$this

step "no signal to a stranger that has got the number"
view_start "workers 2"
run 0 workers
t_all=$(family "$icapd_pid")
kill -KILL "$icapd_pid"
wait "$icapd_pid" 2>/dev/null
forget "$icapd_pid"
# shellcheck disable=SC2086 # a list of pids
wait_until is_gone $t_all || fail "workers outlive their master"
[ -s "$tmp/ctl/icapd.board" ] || fail "no board was left"
mkfifo "$tmp/stranger.in"
start stranger cat
stranger=$started_pid
exec 9>"$tmp/stranger.in"
# the numbers of a pid, lowest first
awk -v n="$stranger" 'BEGIN {
	for (i = 0; i < 4; i++) {
		printf("\\%03o", n % 256)
		n = int(n / 256)
	}
}' >"$tmp/octal"
# shellcheck disable=SC2059 # they are escapes
printf "$(cat "$tmp/octal")" | dd of="$tmp/ctl/icapd.board" bs=1 \
    seek="$BOARD_PID" conv=notrunc 2>/dev/null
for command in status stop reload reopen upgrade; do
	run 3 "$command"
	has "$tmp/ctl.err" 'no daemon is running' || fail "$command: not said"
done
is_running "$stranger" || fail "the stranger was ended"
exec 9>&-
reap "$stranger"
rm "$tmp/ctl/icapd.board" "$tmp/ctl/icapd.board.counts"

step "the same through the proxy: the info service, in the sandbox"
icapc=${ICAPC:-${top_builddir:-.}/icapc}
cat >"$tmp/info.conf" <<END
listen "127.0.0.1:0" { workers = 2 }
run-dir = "$tmp/ctl"
spool { directory = "$tmp/spool" }
service "/info" { run = {info, echo} }
END
# more than are counted by name
n=0
while [ "$n" -lt 70 ]; do
	n=$((n + 1))
	echo "service \"/s$n\" { run = {echo} }"
done >>"$tmp/info.conf"
# a name as long as "icapd: master $tmp/info.conf", which libbsd then ends with
# a space
mkdir "$tmp/as-long-as-titles"
ln -s "$ICAPD" "$tmp/as-long-as-titles/icapd"
ICAPD=$tmp/as-long-as-titles/icapd
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
grep -q '<td>/info</td>' "$tmp/info.out" || fail "the service is not in the page"
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
step "more paths than are counted by name"
for n in 1 69 70; do
	"$icapc" reqmod "icap://127.0.0.1:$icapd_port/s$n" \
	    >"$tmp/icapc.out" 2>&1 || fail "$(cat "$tmp/icapc.out")"
done
# paths_are_counted: a client may know of the end before it is counted
paths_are_counted() {
	info http://icapd.info/metrics
	has "$tmp/info.out" '^icapd_transactions_total{service="s1",.*} 1$' &&
	    has "$tmp/info.out" \
	    '^icapd_transactions_total{service="(others)",.*} 2$'
}
wait_until paths_are_counted || fail "/s69 and /s70 are not in the metrics"
has "$tmp/info.out" '^icapd_uncounted_transactions_total 0$' ||
    fail "what is not counted is not said"

[ -z "$(complaints)" ] || fail "complaints: $(complaints)"

step "check: the file of the daemon, and its program"
cp "$tmp/info.conf" "$tmp/info.good"
run 0 check
has "$tmp/ctl.out" '^configuration OK$' || fail "check"
run 0 -j check
jq -e ".ok and .configuration == \"$tmp/info.conf\"" "$tmp/ctl.out" \
    >"$tmp/jq.out" || fail "check -j"
echo 'wokers = 3' >>"$tmp/info.conf"
run 1 check
has "$tmp/ctl.err" "^$tmp/info.conf:[0-9]*: unknown key" || fail "no reason"
run 1 -j check
jq -e '.ok == false and (.messages[0] | test("unknown key"))' \
    "$tmp/ctl.out" >"$tmp/jq.out" || fail "check -j of a bad one"
run 0 -f "$tmp/info.good" check
run 1 -f "$tmp/nothing" check
cp "$tmp/info.good" "$tmp/info.conf"

step "what a reload has changed"
sed 's/{info, echo}/{echo, info}/' "$tmp/info.good" >"$tmp/info.conf"
run 0 reload
run 0 status
has "$tmp/ctl.out" '^new in 2  *service "/info": run = .*, was ' ||
    fail "status does not say what"
run 0 -j status
jq -e '.reload.changes[0] | test("service ./info.: run = ")' \
    "$tmp/ctl.out" >"$tmp/jq.out" || fail "nor as JSON"
info http://icapd.info/
grep -q 'new in 2</td><td class="text">service &quot;/info&quot;: run = ' \
    "$tmp/info.out" || fail "nor does the page"
echo 'wokers = 3' >>"$tmp/info.conf"
run 1 reload
run 0 status
has "$tmp/ctl.out" '^new in 2 ' || fail "a failed one has been taken for it"
info http://icapd.info/metrics
has "$tmp/info.out" '^icapd_failed_reloads_total 1$' || fail "not counted"
cp "$tmp/info.good" "$tmp/info.conf"

step "what a worker may write to the board makes nobody run anything else"
# (behind why the last reload has failed, which names it, too)
at=$(grep -a -b -o "$tmp/info.conf" "$tmp/ctl/icapd.board" | tail -n 1 |
    cut -d : -f 1)
printf '%s' "$tmp/info.evil" | dd of="$tmp/ctl/icapd.board" bs=1 seek="$at" \
    conv=notrunc 2>/dev/null
cp "$tmp/info.good" "$tmp/info.evil"
run 1 check
has "$tmp/ctl.err" 'cannot tell which file' || fail "it was believed"
icapd_family=$(family "$icapd_pid")
kill -TERM "$icapd_pid" || fail "icapd is gone already"
icapd_ended 0
