#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The life of a log, of the daemon as it is configured: one that takes no
# bytes holds up neither the service nor the others, one that is taken away
# is forgotten, and whoever dies or is late still has its line.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=view.sh
. "$(dirname "$0")/view.sh"

ENOUGH=2000		# transactions whose lines no pipe and no ring holds
RELOADS=40		# more than there are places for logs
PLACES=32		# those

ping=$t_builddir/ping
need jq jq
view_setup

# configure LINE...
configure() {
	{
		cat <<-END
		run-dir = "$tmp/ctl"
		spool { directory = "$tmp/spool" }
		listen "127.0.0.1:0" { workers = 4 }
		service "/echo" { run = {echo} }
		END
		printf '%s\n' "$@"
	} >"$tmp/icapd.conf"
}

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

# status_is FILTER: so says `icapctl -j status`
status_is() {
	"$ctl" -r "$tmp/ctl" -j status >"$tmp/status" 2>"$tmp/status.err" &&
	    jq -e "$1" "$tmp/status" >"$tmp/jq.out"
}

log_of() {
	echo ".logs[] | select(.path == \"$1\")"
}

ask() {
	"$ping" -p "$icapd_port" -n "${1:-1}" count || fail "no service"
}

# has_asked FILE: and the line is there.  An old worker may be the one to
# answer while it has not heard of a reload.
has_asked() {
	ask 1
	[ "$(lines "$1")" -ge 1 ]
}

# half_start N: a transaction that worker n is in until half_stop N; file
# descriptor 6 + n.
half_start() {
	rm -f "$tmp/half$1.in"
	mkfifo "$tmp/half$1.in"
	start "half$1" "$ping" -p "$icapd_port" half
	eval "half$1=$started_pid"
	eval "exec $((2 + $1))>\"\$tmp/half$1.in\""
	wait_until has "$tmp/half$1.out" '^half' || fail "nothing has begun"
}

# retired: no old worker waits for a client any more, so that the next one is
# served by a new worker.
retired() {
	status_is '[.workers[] | select(.state != "service") | .generation] |
	    unique | length == 1'
}

half_stop() {
	eval "echo go >&$((2 + $1))"
	eval "exec $((2 + $1))>&-"
	eval "reap \"\$half$1\""
}

step "standard output that nobody reads, and a fifo without a reader"
access=$tmp/log/access
configure 'log "-" {}' "log \"$tmp/log/fifo\" {}" \
    "log \"$access\" { form = text }"
mkfifo "$tmp/pipe" "$tmp/log/fifo"
chmod 666 "$tmp/log/fifo"
# both ends, so that it has a reader, who reads nothing
exec 8<>"$tmp/pipe"
stalled_exec() {
	exec >"$tmp/pipe"
	icapd_exec "$@"
}
start icapd stalled_exec -d -f "$tmp/icapd.conf"
icapd_pid=$started_pid
icapd_ready
ask "$ENOUGH"
wait_until has_lines "$access" "$ENOUGH" || fail "the file is held up"
[ "$(lines "$access")" -eq "$ENOUGH" ] || fail "$(lines "$access") lines"
wait_until status_is "$(log_of -) | .failing and .lost > 0" ||
    fail "nothing is lost in standard output"
wait_until status_is "$(log_of "$tmp/log/fifo") | .failing and .lost > 0" ||
    fail "nothing is lost in the fifo"
status_is "$(log_of "$access") | .failing or .lost > 0 | not" ||
    fail "the file fails"
wait_until has "$tmp/icapd.err" 'log -: takes no lines' || fail "it does not say so"
status_is '.log_dropped == 0' || fail "an event had no room"
run 1 reopen
has "$tmp/ctl.err" "$tmp/log/fifo cannot be written" || fail "no reason"

step "both work again with a reader"
start reader cat "$tmp/pipe"
reader=$started_pid
start fifo cat "$tmp/log/fifo"
fifo_reader=$started_pid
wait_until status_is '[.logs[] | .failing] | any | not' ||
    fail "they do not recover"
ask 10
# shellcheck disable=SC2034 # for icapd_ended
icapd_family=$(family "$icapd_pid")
kill -TERM "$icapd_pid"
exec 8>&-
icapd_ended 0
reap "$reader"
reap "$fifo_reader"
for out in reader fifo; do
	jq -c '.["@timestamp"]' "$tmp/$out.out" >"$tmp/jq.out" ||
	    fail "no JSON from $out"
	[ "$(lines "$tmp/jq.out")" -eq "$(lines "$tmp/$out.out")" ] ||
	    fail "$out has halves of lines"
	[ "$(lines "$tmp/$out.out")" -ge 10 ] || fail "$out has no lines"
done
[ "$(lines "$access")" -eq $((ENOUGH + 10)) ] || fail "lines in the file"
rm -f "$access"

# syslogd_start: one that keeps what it reads in notify.out; sets syslogd
syslogd_start() {
	rm -f "$tmp/syslog"
	start notify "$t_builddir/notify" "$tmp/syslog"
	syslogd=$started_pid
	wait_until has "$tmp/notify.out" '^ready' || fail "no syslogd"
	chmod 777 "$tmp/syslog"
}

step "a syslogd that stands still, and one that is restarted"
syslog=syslog:$tmp/syslog
mkfifo "$tmp/notify.in"
exec 7<>"$tmp/notify.in"
syslogd_start
configure "log \"$syslog\" { form = text }" \
    "log \"$access\" { form = text }"
icapd_serve
ask 1
wait_until has "$tmp/notify.out" ' id=' || fail "no line in syslog"
kill -STOP "$syslogd"
ask "$ENOUGH"
wait_until has_lines "$access" $((ENOUGH + 1)) || fail "the file is held up"
wait_until status_is "$(log_of "$syslog") | .failing and .lost > 0" ||
    fail "nothing is lost in syslog"
has "$tmp/icapd.err" "log $syslog: takes no lines" || fail "it does not say so"
run 1 reopen
kill -CONT "$syslogd"
wait_until status_is "$(log_of "$syslog") | .failing | not" ||
    fail "it does not recover"
has "$tmp/icapd.err" "log $syslog: works again, [1-9][0-9]* lines" ||
    fail "the loss is not said"
before=$(count "$tmp/notify.out" ' id=')
ask 1
# all that was kept, and this one
syslog_has_all() {
	n=$("$ctl" -r "$tmp/ctl" -j status | jq "$(log_of "$syslog") | .lines")
	[ "$(count "$tmp/notify.out" ' id=')" -eq "$n" ] &&
	    [ "$n" -gt "$before" ] &&
	    status_is "$(log_of "$syslog") | .lines + .lost == $ENOUGH + 2"
}
wait_until syslog_has_all || fail "lines are missing"
# nobody is there for a while: nothing is lost
lost=$(jq "$(log_of "$syslog") | .lost" "$tmp/status")
kill -KILL "$syslogd"
reap "$syslogd"
ask 5
wait_until status_is "$(log_of "$syslog") | .failing" || fail "it works"
syslogd_start
wait_until status_is "$(log_of "$syslog") | .failing | not" ||
    fail "it does not find the new one"
ask 1
has_six() {
	[ "$(count "$tmp/notify.out" ' id=')" -eq 6 ]
}
wait_until has_six || fail "lines were lost with the old one"
status_is "$(log_of "$syslog") | .lost == $lost" || fail "some were given up"
# nor does the end wait for it
kill -STOP "$syslogd"
ask "$ENOUGH"
icapd_stop TERM
has "$tmp/icapd.err" "log $syslog: [1-9][0-9]* lines were lost" ||
    fail "what was lost at the end is not said"
exec 7>&-
kill -KILL "$syslogd"
reap "$syslogd"
rm -f "$access" "$tmp/notify.in" "$tmp/syslog"

step "a log of another name with each reload"
configure "log \"$tmp/log/name0\" {}"
icapd_serve
n=0
while [ "$n" -lt "$RELOADS" ]; do
	n=$((n + 1))
	configure "log \"$tmp/log/name$n\" {}"
	run 0 reload
	wait_until has_asked "$tmp/log/name$n" || fail "no line in log $n"
done
wait_until status_is '.logs | length == 1' || fail "old logs stay"

step "one that is no longer configured does not fail"
mkdir "$tmp/gone"
chmod 1777 "$tmp/gone"
configure "log \"$tmp/gone/access\" {}"
run 0 reload
wait_until has_asked "$tmp/gone/access" || fail "no line"
# in one moment: the logger makes a file that is missing
mv "$tmp/gone" "$tmp/gone.gone"
rm -rf "$tmp/gone.gone"
configure "log \"$access\" {}"
run 0 reload
wait_until status_is '.logs | length == 1' || fail "the old log stays"
rm -f "$tmp/log"/name*
run 0 reopen
status_is "$(log_of "$access") | .failing | not" || fail "it fails"
[ -z "$(find "$tmp/log" -name 'name*')" ] || fail "an old log is made anew"

step "no place for another log: the reload fails and says so"
# logs N: as many as one configuration may have
logs() {
	for k in 1 2 3 4 5 6 7 8; do
		echo "log \"$tmp/log/many$1-$k\" {}"
	done
}
for n in 1 2 3 4; do
	configure "$(logs "$n")"
	# each generation has a transaction that ends when we say so
	[ "$n" -eq 1 ] || half_start $((n - 1))
	run 0 reload
	wait_until retired || fail "old workers stay"
done
[ "$(jq '.logs | length' "$tmp/status")" -le "$PLACES" ] || fail "too many"
half_start 4
configure "log \"$tmp/log/late\" {}"
run 1 reload
has "$tmp/ctl.err" 'too many logs: expected at most 32' ||
    fail "another reason: $(cat "$tmp/ctl.err")"
wait_until has "$tmp/icapd.err" 'reload failed: too many logs' ||
    fail "the log does not say it"
[ ! -e "$tmp/log/late" ] || fail "there is a log of it"
wait_until has_asked "$tmp/log/many4-8" || fail "no line in the old logs"
for n in 1 2 3 4; do
	half_stop "$n"
done
wait_until status_is '.logs | length == 8' || fail "old logs stay"
run 0 reload
wait_until has_asked "$tmp/log/late" || fail "no line"
icapd_stop TERM
rm -f "$tmp/log"/*

step "events of a failed reload are in the log that is in use"
event=$tmp/log/events
configure "log \"$event\" { events = yes }"
icapd_serve
if grep -q -a __asan_init "$ICAPD"; then
	say "SKIP: a sanitizer takes more memory than workers may have here"
else
	configure "log \"$event.next\" { events = yes }" \
	    'process { memory = 16M }' 'limits { http-heads = 64M }'
	run 1 reload
	wait_until has "$event" 'reload failed: a worker' || fail "not there"
	victim=$(icapd_workers | head -n 1)
	kill -KILL "$victim"
	wait_until has "$event" "pid $victim.*killed by signal 9" ||
	    fail "nor is a death after it"
	if has "$event.next" 'reload failed'; then
		fail "it is in the log that was refused"
	fi
	# nor does that one keep its place: a logger was told of it at once
	wait_until status_is '.logs | length == 1' || fail "it stays"
	[ -e "$event.next" ] || fail "nobody has looked at it"
fi

step "the line of a worker of an old configuration that is killed"
configure "log \"$access\" {}" "log \"$event\" { events = yes }"
run 0 reload
wait_until retired || fail "old workers stay"
half_start 1
in_service() {
	old=$("$ctl" -r "$tmp/ctl" -j status |
	    jq '.workers[] | select(.state == "service") | .pid')
	[ -n "$old" ]
}
wait_until in_service || fail "nobody is in a service"
run 0 reload
kill -KILL "$old"
wait_until has "$access" '"icap.worker_died":true' || fail "no line"
wait_until status_is '.cut_off == 1' || fail "it is not counted"
exec 3>&-
reap "${half1:?}"
icapd_stop TERM
[ "$(count "$access" '"icap.worker_died":true')" -eq 1 ] || fail "twice"
rm -f "$tmp/log"/*

step "without a log a death is counted and shown"
view_start "workers 2"
head_of 'GET http://example.com/ HTTP/1.1'
may_fail=1 request crash
wait_until status_is '.cut_off == 1 and ([.recent[].text |
    select(test("^crash: .*died.* example.com|^crash: .*died.*http://ex"))] |
    length) == 1' || fail "it is not: $(cat "$tmp/status")"
view_stop

step "at a stop the logger is told last: others may have something to say"
"$ICAPD" -l | grep -q '^blocklist' || {
	say "SKIP: icapd has no blocklist, so nobody has"
	exit 0
}
# is_told PID: a TERM waits for it, which is stopped.
is_told() {
	case $(sed -n 's/^S[hi][dg]Pnd:.*\([0-9a-f]\)...$/\1/p' \
	    "/proc/$1/status" 2>/dev/null) in
	*[4567cdef]*) ;;
	*) return 1 ;;
	esac
}
echo one.example >"$tmp/list"
chmod 644 "$tmp/list"
configure "log \"$event\" { events = yes }" \
    "blocklist ads { cache = \"$tmp/cache\"" \
    "list \"one\" { path = {\"$tmp/list\"} } }" \
    'service "/ads" { run = {ads} }'
icapd_serve
logger=$(helper logger)
[ -n "$logger" ] || fail "no logger"
has_watch() {
	watch=$(helper watch)
	[ -n "$watch" ] && "$ctl" -r "$tmp/ctl" update >"$tmp/update.out" 2>&1
}
wait_until has_watch || fail "nobody watches the list"
kill -STOP "$watch" "$logger"
# shellcheck disable=SC2034 # for icapd_ended
icapd_family=$(family "$icapd_pid")
kill -TERM "$icapd_pid"
wait_until is_told "$watch" || fail "nobody tells the watch process"
if is_told "$logger" && is_running "$watch"; then
	fail "the logger is to leave before others have"
fi
kill -CONT "$watch" "$logger"
icapd_ended 0
has "$event" stopped || fail "the end is not in the log"
