#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The logs: one line for each transaction whatever a client sends and whoever
# is killed; renamed and removed files; and what they cost.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=view.sh
. "$(dirname "$0")/view.sh"

KILLS=12		# of workers and of the logger
REQUESTS=2000		# for counting system calls
CALLS_SLACK=60		# of connecting, and of waking the logger

need jq jq
view_setup

all=$tmp/log/all.json
text=$tmp/log/text
bad=$tmp/log/bad.json
custom=$tmp/log/custom

# Every line is one JSON object, and printable ASCII.
check_json() {
	LC_ALL=C grep -q '[^ -~]' "$1" && fail "$1 has odd bytes"
	jq -e -c '.["@timestamp"]' "$1" >"$tmp/jq.out" 2>"$tmp/jq.err" ||
	    fail "$1 is not JSON: $(head -n 1 "$tmp/jq.err")"
	[ "$(lines "$tmp/jq.out")" -eq "$(lines "$1")" ] ||
	    fail "$1 has lines that are not one object"
}

# Lines of transactions in a JSON log that meet a condition of jq.
count_json() {
	jq -c "select(.[\"event.dataset\"] == \"icapd.access\" and ($2))" \
	    "$1" | wc -l
}

# has_json N FILE CONDITION: so many of them; the logger writes one log after
# the other, and what is in one may not be in the next yet.
has_json() {
	[ "$(count_json "$2" "$3")" -ge "$1" ]
}

step "whatever is sent, one line that is valid"
# (a custom format has no blanks here, which the configuration is split at)
view_start "log $all all ecs" "log $text access text" \
    "log $bad access ecs errors blocked unscanned" \
    "log $custom access [%a]%>a|%un|%huo|%is" "id-header X-Transaction-ID"
n=0
send() {
	request "$@"
	n=$((n + 1))
	wait_until has_lines "$text" "$n" || fail "no line"
	[ "$(lines "$text")" -eq "$n" ] || fail "more than one line"
}
head_of 'GET http://example.com/plain HTTP/1.1'
send echo
grep -q -i '^X-Transaction-ID: [0-9a-f]\{16\}' "$tmp/raw.out" ||
    fail "no transaction id in the reply"
id=$(sed -n 's/^X-Transaction-ID: \([0-9a-f]*\).*/\1/p' "$tmp/raw.out")
grep -q "id=$id " "$text" || fail "the id is not in the log"
# and where there is no service, or no transaction
for line in 'REQMOD icap://127.0.0.1/none' 'OPTIONS icap://127.0.0.1/echo' \
    'EVIL icap://127.0.0.1/echo'; do
	printf '%s ICAP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n' \
	    "$line" >"$tmp/raw.in"
	start raw "$raw" "$icapd_port"
	reap "$started_pid"
	n=$((n + 1))
	wait_until has_lines "$text" "$n" || fail "no line of $line"
	id=$(sed -n 's/^X-Transaction-ID: \([0-9a-f]*\).*/\1/p' \
	    "$tmp/raw.out")
	[ -n "$id" ] || fail "no transaction id in the reply to $line"
	grep -q "id=$id " "$text" || fail "the id of $line is not in the log"
done
head_of 'GET http://example.com/"quote\\back</script> HTTP/1.1'
send echo
head_of 'GET http://example.com/\000nul\033[31mesc\177del HTTP/1.1'
send echo
head_of 'GET http://example.com/\377\376\303(\355\240\200\360\237\230\200 X'
send echo
head_of 'GET /\r{"@timestamp":"forged"}\rHTTP/1.1'
send echo
{
	printf 'X-Client-IP: 10.9.8.7"\r\n'
	printf 'X-Authenticated-User: ev"il\\\200user\r\n'
} >"$tmp/headers"
send echo "$tmp/headers"
{
	printf 'X-Client-IP: '
	head -c 60000 /dev/zero | tr '\0' '"'
	printf '\r\n'
} >"$tmp/headers"
send echo "$tmp/headers"
{
	printf 'GET http://example.com/'
	head -c 65536 /dev/zero | tr '\0' '\001'
} >"$tmp/head"
printf ' HTTP/1.1\r\n\r\n' >>"$tmp/head"
send echo
printf 'EVIL\033]0;"\\\r\nlog: forged\r\n\r\n' >"$tmp/raw.in"
start raw "$raw" "$icapd_port"
reap "$started_pid"
n=$((n + 1))
wait_until has_lines "$text" "$n" || fail "no line about a bad request"
wait_until has_json "$n" "$all" true || fail "not $n lines in $all"
wait_until has_lines "$custom" "$n" || fail "not $n lines in $custom"
errors=$(count_json "$all" '.["icap.status"] >= 400')
wait_until has_lines "$bad" "$errors" || fail "not $errors lines in $bad"
check_json "$all"
check_json "$bad"
[ "$(count_json "$all" true)" -eq "$n" ] || fail "not $n lines in $all"
[ "$(lines "$custom")" -eq "$n" ] || fail "not $n lines in $custom"
LC_ALL=C grep -q '[^ -~]' "$text" "$custom" && fail "odd bytes in text"
grep -q secret "$all" "$text" "$custom" && fail "a password is in a log"
grep -q '^{"@timestamp":"forged' "$all" && fail "a line was forged"
[ "$(count_json "$all" '.["client.ip"] != null')" -eq 0 ] ||
    fail "client.ip is what a client made up"

step "conditions, notes and what was not examined"
before=$(count_json "$bad" true)
head_of 'GET http://example.com/ HTTP/1.1'
printf 'X-Authenticated-User: %s\r\nX-Client-IP: 10.1.2.3\r\n' \
    V2luTlQ6Ly9ET00vYWxpY2U= >"$tmp/headers"
send block "$tmp/headers"
send fail
send echo
wait_until has_lines "$bad" $((before + 2)) || fail "two are missing"
[ "$(lines "$bad")" -eq $((before + 2)) ] || fail "one too many"
[ "$(count_json "$bad" '.["icap.verdict"] == "replaced" and
    .["event.type"][1] == "denied" and .["user.name"] == "DOM/alice" and
    .["client.ip"] == "10.1.2.3" and .["http.response.status_code"] == 403
    and .["icap.note.list"] == "a \"test\"\nlist"')" -eq 1 ] ||
    fail "the block is not described"
[ "$(count_json "$bad" '.["icap.unscanned"] == true and
    .["event.reason"] == "the scanner is away" and
    .["icap.status"] == 204')" -eq 1 ] || fail "unscanned is not said"
wait_until has "$custom" '|DOM/alice|http://example.com/|200$' ||
    fail "the custom format"

step "a transaction that kills its worker is logged"
may_fail=1 request crash
n=$((n + 1))
wait_until has_lines "$text" "$n" || fail "no line"
wait_until has_json 1 "$all" '.["icap.worker_died"] == true and
    .["icap.service"] == "crash" and
    .["url.original"] == "http://example.com/"' ||
    fail "it does not say what killed the worker"

step "stopping writes what is there"
load_start -c 2 -n 3000
reap "$load_pid"
exec 9>&-
view_stop
[ "$(lines "$text")" -eq $((n + 3000)) ] || fail "$(lines "$text") lines"
check_json "$all"

step "what left is in a custom format: heads, bytes, and the preview"
rm -f "$all" "$text" "$bad" "$custom"
view_start "log $custom access %is|%{ISTag}<ih|%<ho|%huo|%Oh|%Ob|%{8}bph"
head_of 'GET http://example.com/ HTTP/1.1'
request block
wait_until has_lines "$custom" 1 || fail "no line"
istag=$(sed -n 's/^ISTag: "\([^"]*\)".*/\1/p' "$tmp/raw.out")
at=$(sed -n 's/^Encapsulated: res-hdr=0, res-body=\([0-9]*\).*/\1/p' \
    "$tmp/raw.out")
[ -n "$istag" ] || fail "no ISTag in the reply"
[ "${at:-0}" -gt 0 ] || fail "no page in the reply"
# the body is "<h1>no</h1>"
printf '200|\\"%s\\"|HTTP/1.1\\x20403\\x20Forbidden|%s|%s|11|-\n' "$istag" \
    http://example.com/ $((at + 11)) >"$tmp/want"
diff "$tmp/want" "$custom" || fail "another line"
printf 'ABCD\200FGHIJKLMN' >"$tmp/body"
"${ICAPC:-${top_builddir:-.}/icapc}" respmod -f "$tmp/body" --preview 10 \
    --expect 204 "icap://127.0.0.1:$icapd_port/echo" >"$tmp/icapc.out" ||
    fail "icapc"
wait_until has_lines "$custom" 2 || fail "no line"
grep -q '^204|.*|HTTP/1.1.x20200.x20OK|.*|0|0|ABCD.x80FGH$' "$custom" ||
    fail "another line: $(tail -n 1 "$custom")"
view_stop
rm -f "$custom"

step "workers and logger killed under load: every answer has its line"
rm -f "$all" "$text" "$bad" "$custom"
view_start "workers 4" "log $all all ecs"
load_start -c 3 -i 1
round=0
while [ "$round" -lt "$KILLS" ]; do
	round=$((round + 1))
	seen=$(lines "$all")
	victim=$(icapd_workers | sed -n "$((round % 4 + 1))p")
	[ -z "$victim" ] || kill -KILL "$victim"
	old=$(helper logger)
	[ -z "$old" ] || kill -KILL "$old"
	wait_until has_lines "$all" $((seen + 100)) || fail "the log stopped"
done
load_stop
view_stop
check_json "$all"
good=$(count "$all" '"icap.status":204')
died=$(count "$all" '"icap.worker_died":true')
ids=$(sed -n 's/.*"transaction.id":"\([0-9a-f]*\)".*/\1/p' "$all" |
    sort -u | wc -l)
say "$ok answered, $good lines that say so, $died of dead workers"
[ "$good" -le "$ok" ] || fail "a line was written twice"
[ $((good + died)) -ge "$ok" ] || fail "a line was lost"
[ "$died" -le "$KILLS" ] || fail "more deaths in the log than there were"
[ "$ids" -eq "$(count "$all" '"transaction.id"')" ] || fail "ids are not unique"

step "a renamed log goes on in the old file until it is reopened"
rm -f "$all"
view_start "workers 4" "log $all access ecs"
load_start -c 2
wait_until has_lines "$all" 100 || fail "no lines"
mv "$all" "$all.1"
seen=$(lines "$all.1")
wait_until has_lines "$all.1" $((seen + 100)) || fail "the old file ended"
[ ! -e "$all" ] || fail "there is a new file already"
"$ctl" -r "$tmp/ctl" reopen || fail "icapctl reopen"
wait_until has_lines "$all" 100 || fail "no new file"
load_stop
view_stop
[ "$(cat "$all" "$all.1" | wc -l)" -eq "$ok" ] ||
    fail "$(cat "$all" "$all.1" | wc -l) lines for $ok transactions"
rm -f "$all" "$all.1"

step "a folder that is removed does not stop the service"
view_start "workers 2" "log $all access ecs"
load_start -c 2
wait_until has_lines "$all" 100 || fail "no lines"
# in one moment: the logger makes a file that is missing
mv "$tmp/log" "$tmp/log.gone"
rm -rf "$tmp/log.gone"
wait_until has "$tmp/icapd.err" "log $all: open" || fail "nothing is said"
is_losing() {
	"$ctl" -r "$tmp/ctl" -j status |
	    jq -e '.logs[0] | .failing and .lost > 1000' >"$tmp/losing"
}
wait_until is_losing || fail "the loss is not counted"
# still answered
"$t_builddir/ping" -p "$icapd_port" -n 10 count || fail "no service"
mkdir "$tmp/log" && chmod 1777 "$tmp/log"
wait_until has "$tmp/icapd.err" 'works again, [1-9][0-9]* lines were lost' ||
    fail "it does not recover"
wait_until has_lines "$all" 100 || fail "no new lines"
load_stop
view_stop
tail -n 1000 "$all" >"$bad"
check_json "$bad"
rm -f "$bad"

step "a reload changes the logs, and nothing is lost"
rm -f "$all" "$text"
view_start "workers 2" "log $all access ecs"
load_start -c 2 -i 1
wait_until has_lines "$all" 20 || fail "no lines"
printf '%s\n' "run-dir $tmp/ctl" "workers 2" "log $text access text" \
    >"$tmp/conf"
"$ctl" -r "$tmp/ctl" reload || fail "icapctl reload"
wait_until has_lines "$text" 20 || fail "the new log is not written"
load_stop
view_stop
[ $(($(lines "$all") + $(lines "$text"))) -eq "$ok" ] ||
    fail "$(lines "$all") and $(lines "$text") lines for $ok transactions"
rm -f "$all" "$text"

step "syslog: a line each, with its severity"
mkfifo "$tmp/notify.in"
start notify "$t_builddir/notify" "$tmp/syslog"
syslog_pid=$started_pid
exec 7>"$tmp/notify.in"
wait_until has "$tmp/notify.out" '^ready' || fail "notify is not ready"
chmod 777 "$tmp/syslog"
view_start "workers 2" "log syslog:$tmp/syslog all text"
head_of 'GET http://example.com/%%25s%%n HTTP/1.1'
request echo
request block
request fail
tag="[A-Z][a-z]* *[0-9]* [0-9:]* icapd\[[0-9]*]: 2"
wait_until has "$tmp/notify.out" "^<30>$tag.* echo 204 .*/%25s%n HTTP" ||
    fail "no line of a transaction"
wait_until has "$tmp/notify.out" "^<30>$tag.* block 200 " ||
    fail "no line of a block"
wait_until has "$tmp/notify.out" "^<28>$tag.* fail 204 .* UNSCANNED" ||
    fail "no warning of what was not examined"
wait_until has "$tmp/notify.out" "^<30>$tag.*listening on" ||
    fail "no event"
view_stop
wait_until has "$tmp/notify.out" "^<30>$tag.*stopped" ||
    fail "the last line is missing"
[ "$(count "$tmp/notify.out" ' id=')" -eq 3 ] ||
    fail "not one line for each transaction"
exec 7>&-
reap "$syslog_pid"
rm -f "$tmp/notify.in" "$tmp/syslog"

step "a line costs no system call"
if ! command -v strace >/dev/null 2>&1; then
	say "SKIP: no strace here (Debian: apt-get install strace)"
	exit 0
fi
view_start "workers 1" "log $all all ecs" "log $text access text"
start strace strace -c -f -o "$tmp/strace.count" -p "$(icapd_workers)"
strace_pid=$started_pid
is_attached() {
	[ "$(count "$tmp/strace.err" 'attached')" -ge 1 ] ||
	    ! is_running "$strace_pid"
}
wait_until is_attached || fail "strace does not attach"
if is_running "$strace_pid"; then
	"$t_builddir/ping" -p "$icapd_port" -n "$REQUESTS" count ||
	    fail "no service"
	kill -INT "$strace_pid"
	reap "$strace_pid"
	cat "$tmp/strace.count"
	calls=$(awk '$NF == "total" { print $4 }' "$tmp/strace.count")
	[ "$calls" -ge $((2 * REQUESTS)) ] || fail "strace missed requests"
	[ "$calls" -le $((2 * REQUESTS + REQUESTS / 10 + CALLS_SLACK)) ] ||
	    fail "$calls system calls for $REQUESTS requests"
else
	say "SKIP: strace cannot attach here"
	reap "$strace_pid"
fi
view_stop
