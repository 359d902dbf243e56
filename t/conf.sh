#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The configuration file, seen from outside. Each t/conf/bad-*.conf is wrong in
# the ways its .expected says, in those words and in that order; what is right
# survives the way through -nn unchanged; what depends on the host (a port that
# is taken, a file that may not be read) is made here; and a daemon serves what
# its file says, with ISTags that change when and only when they should.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

setup
icapc=${ICAPC:-${top_builddir:-.}/icapc}
case $icapc in
/*) ;;
*) icapc=$PWD/$icapc ;;
esac
[ -x "$icapc" ] || fail "$icapc: no such program (make builds it)"
files=${top_srcdir:-$(dirname "$0")/..}/t/conf
files=$(cd "$files" && pwd) || fail "no t/conf"
has_status=no
if grep -q '^#define HAVE_LIBMICROHTTPD' "${top_builddir:-.}/config.h"; then
	has_status=yes
fi
cd "$files" || fail "no t/conf"

# The services that are built in are not the same everywhere.
any_list() {
	sed 's/expected one of .*/expected one of LIST/'
}

# check STATUS FILE: icapd -n, output in check.out and check.err
check() {
	start check "$ICAPD" -n -f "$2"
	reap "$started_pid"
	[ "$status" -eq "$1" ] || {
		cat "$tmp/check.err" >&2
		fail "icapd -n -f $2: status $status instead of $1"
	}
}

# refused TEXT...: the file $tmp/x.conf is, with this one line
refused() {
	check 1 "$tmp/x.conf"
	[ ! -s "$tmp/check.out" ] || fail "something on standard output"
	printf '%s\n' "$tmp/x.conf$*" >"$tmp/want"
	diff "$tmp/want" "$tmp/check.err" || fail "another message"
}

step "each wrong file is told all that is wrong"
for file in bad-*.conf; do
	name=${file%.conf}
	[ -e "$name.expected" ] || fail "there is no $name.expected"
	check 1 "$file"
	[ ! -s "$tmp/check.out" ] || fail "$file: something on standard output"
	any_list <"$tmp/check.err" >"$tmp/got"
	diff -u "$name.expected" "$tmp/got" || fail "$file: other messages"
done
for file in bad-*.expected; do
	[ -e "${file%.expected}.conf" ] || fail "$file is for nothing"
done

step "the same without -n"
start check "$ICAPD" -d -f bad-ranges.conf
reap "$started_pid"
[ "$status" -eq 1 ] || fail "status $status instead of 1"
any_list <"$tmp/check.err" >"$tmp/got"
diff -u bad-ranges.expected "$tmp/got" || fail "other messages"

step "what is right is OK, and survives its way through -nn"
check 0 good.conf
[ "$(cat "$tmp/check.out")" = "configuration OK" ] || fail "it does not say so"
[ ! -s "$tmp/check.err" ] || fail "something on standard error"
"$ICAPD" -nn -f good.conf >"$tmp/one.conf" || fail "-nn fails"
"$ICAPD" -nn -f "$tmp/one.conf" >"$tmp/two.conf" || fail "-nn of -nn fails"
diff -u "$tmp/one.conf" "$tmp/two.conf" || fail "-nn of -nn is another"
diff -u good.effective "$tmp/one.conf" || fail "it was not understood"

step "every key is in the file with all keys"
# Services differ from one build to the next.
"$ICAPD" -l | cut -f 1 >"$tmp/services"
"$ICAPD" --list-keys | grep -v -w -f "$tmp/services" | cut -f 2 | sort -u |
    while read -r key; do
	grep -q "^[[:blank:]]*$key = " "$tmp/one.conf" || echo "$key"
done >"$tmp/missing"
[ ! -s "$tmp/missing" ] || fail "-nn has not:" "$(cat "$tmp/missing")"

step "the environment"
mkdir "$tmp/spool"
chmod 1777 "$tmp/spool"
ICAPD_TEST_SPOOL=$tmp/spool "$ICAPD" -nn -f good.conf >"$tmp/three.conf" ||
    fail "-nn fails"
grep -q "^	directory = \"$tmp/spool\"\$" "$tmp/three.conf" ||
    fail "the variable has no effect"

step "texts with all that has a meaning"
# shellcheck disable=SC2016 # it is not for the shell to expand
strange='${HOME} "#'
mkdir -m 1777 "$tmp/$strange"
cat >"$tmp/x.conf" <<END
listen "127.0.0.1:0" { }
service "/x" { run = {echo} }
spool { directory = '$tmp/$strange' }
END
check 0 "$tmp/x.conf"
"$ICAPD" -nn -f "$tmp/x.conf" >"$tmp/one.conf" || fail "-nn fails"
"$ICAPD" -nn -f "$tmp/one.conf" >"$tmp/two.conf" || fail "-nn of -nn fails"
cmp "$tmp/one.conf" "$tmp/two.conf" || fail "-nn of -nn is another"

step "files that cannot be read"
start check "$ICAPD" -n -f "$tmp/none.conf"
reap "$started_pid"
[ "$status" -eq 1 ] || fail "a missing file: status $status instead of 1"
echo "cannot read $tmp/none.conf: No such file or directory:" \
    "expected a readable file" >"$tmp/want"
diff "$tmp/want" "$tmp/check.err" || fail "another message"
mkdir "$tmp/folder"
start check "$ICAPD" -n -f "$tmp/folder"
reap "$started_pid"
[ "$status" -eq 1 ] || fail "a folder: status $status instead of 1"
printf 'echo main { }\n' >"$tmp/secret.conf"
printf 'include("secret.conf")\nservice "/x" { run = {echo} }\n' >"$tmp/x.conf"
if [ "$(id -u)" -ne 0 ]; then
	chmod 0 "$tmp/secret.conf"
	refused ":1: cannot read $tmp/secret.conf: Permission denied:" \
	    "expected a readable file"
	chmod 600 "$tmp/secret.conf"
fi
printf 'user = a\000b\n' >"$tmp/secret.conf"
refused ":1: cannot read $tmp/secret.conf: it holds a NUL byte:" \
    "expected a readable file"

step "logs that could not be written"
mkdir "$tmp/shut" "$tmp/open"
who="this user"
if [ "$(id -u)" -eq 0 ]; then
	chmod 777 "$tmp/open"
	who="the workers' user nobody"
	printf 'user = nobody\ngroup = "%s"\n' "$(id -g -n nobody)" \
	    >"$tmp/head.conf"
else
	chmod 555 "$tmp/shut"
	: >"$tmp/head.conf"
fi
# log_at PATH: a configuration with that log, in its first line
log_at() {
	{
		printf 'log "%s" { }\n' "$1"
		cat "$tmp/head.conf"
		echo 'listen "127.0.0.1:0" { workers = 1 }'
		echo 'service "/x" { run = {echo} }'
	} >"$tmp/x.conf"
}
log_at "$tmp/open/log"
check 0 "$tmp/x.conf"
[ ! -e "$tmp/open/log" ] || fail "a check has made the log"
log_at "$tmp/open"
refused ":1: log \"$tmp/open\": Is a directory: expected a file"
log_at "$tmp/shut/log"
refused ":1: log \"$tmp/shut/log\": Permission denied: expected it in a" \
    "folder where $who can make files"
: >"$tmp/open/log"
chmod 444 "$tmp/open/log"
log_at "$tmp/open/log"
refused ":1: log \"$tmp/open/log\": Permission denied: expected a file that" \
    "$who can write to"
# and a daemon does not start without it, for its lines would be lost
start check "$ICAPD" -d -f "$tmp/x.conf"
reap "$started_pid"
[ "$status" -eq 1 ] || fail "it starts: status $status instead of 1"
diff "$tmp/want" "$tmp/check.err" || fail "another message at the start"
chmod 755 "$tmp/shut"

step "files that include each other are not read for ever"
i=0
while [ "$i" -lt 20 ]; do
	echo "include(\"deep$((i + 1)).conf\")" >"$tmp/deep$i.conf"
	i=$((i + 1))
done
echo >"$tmp/deep20.conf"
cat >"$tmp/x.conf" <<'END'
include("deep0.conf")
service "/x" { run = {echo} }
END
check 1 "$tmp/x.conf"
echo "$tmp/deep14.conf:1: $tmp/deep15.conf is included too deep: expected at" \
    "most 16 files within each other" >"$tmp/want"
diff "$tmp/want" "$tmp/check.err" || fail "another message"

step "more errors than anybody reads"
i=0
while [ "$i" -lt 400 ]; do
	echo "nothing$i = $i"
	i=$((i + 1))
done >"$tmp/x.conf"
check 1 "$tmp/x.conf"
[ "$(wc -l <"$tmp/check.err")" -gt 100 ] || fail "too few messages"
[ "$(wc -l <"$tmp/check.err")" -lt 400 ] || fail "too many messages"

step "wrong usage"
for options in "-f x.conf echo" "-p 1344" "--workers 3 -f x.conf"; do
	# shellcheck disable=SC2086 # several options
	start check "$ICAPD" $options
	reap "$started_pid"
	[ "$status" -eq 2 ] || fail "icapd $options: status $status, not 2"
	grep -q '^usage: ' "$tmp/check.err" || fail "icapd $options: no usage"
done

# serve FILE: a daemon with that file; sets icapd_pid and icapd_port
serve() {
	icapd_launch -d -f "$1"
}

# options PATH: the OPTIONS reply, in options.out
options() {
	"$icapc" options "icap://127.0.0.1:$icapd_port$1" \
	    >"$tmp/options.out" 2>&1 || {
		cat "$tmp/options.out" >&2
		fail "no OPTIONS of $1"
	}
}

# says FIELD VALUE
says() {
	tr -d '\r' <"$tmp/options.out" | grep -q -i -x " *$1: $2" || {
		cat "$tmp/options.out" >&2
		fail "OPTIONS does not say $1: $2"
	}
}

istag() {
	tr -d '\r' <"$tmp/options.out" | sed -n 's/.*ISTag: "\(.*\)".*/\1/p'
}

cat >"$tmp/served.conf" <<END
listen "127.0.0.1:0" { workers = 3 }
spool { directory = "$tmp/spool" }
echo main { }
service "/one" { run = {main} preview = 77 options-ttl = 5m }
service "/two/three" {
	run = {main, echo}
	preview = 0
	transfer-ignore = {jpg, png}
	x-include = {X-Client-IP, X-Authenticated-User}
}
service "/four" { run = {main} preview = none }
END

step "a daemon serves what its file says"
serve "$tmp/served.conf"
options /one
says Preview 77
says Options-TTL 300
says Max-Connections 3
says Transfer-Preview '\*'
one=$(istag)
[ -n "$one" ] || fail "no ISTag"
options /two/three
says Preview 0
says Transfer-Ignore 'jpg, png'
says X-Include 'X-Client-IP, X-Authenticated-User'
two=$(istag)
options /four
! grep -q -i 'preview' "$tmp/options.out" || fail "/four wants a preview"
"$icapc" options "icap://127.0.0.1:$icapd_port/none" >"$tmp/options.out" 2>&1 &&
    fail "there is /none"

step "a port that is taken"
cat >"$tmp/x.conf" <<END
service "/x" { run = {echo} }

listen "127.0.0.1:$icapd_port" { }
END
refused ":3: listen \"127.0.0.1:$icapd_port\": Address already in use:" \
    "expected an address of this host and a port that is free"

cat >"$tmp/status.conf" <<END
service "/x" { run = {echo} }
listen "127.0.0.1:0" { }
status {
	address = "127.0.0.1:$icapd_port"
}
END
if [ "$has_status" = yes ]; then
	mv "$tmp/x.conf" "$tmp/y.conf"
	cp "$tmp/status.conf" "$tmp/x.conf"
	refused ":4: status address \"127.0.0.1:$icapd_port\": Address" \
	    "already in use: expected an address of this host and a port" \
	    "that is free"
	mv "$tmp/y.conf" "$tmp/x.conf"
fi

step "but not by the daemon that the pid file names"
echo "$icapd_pid" >"$tmp/test.pid"
for file in x status; do
	echo "pidfile = \"$tmp/test.pid\"" >>"$tmp/$file.conf"
	check 0 "$tmp/$file.conf"
done
icapd_stop TERM

step "the same ISTags again"
serve "$tmp/served.conf"
options /one
[ "$(istag)" = "$one" ] || fail "the ISTag of /one has changed"
options /two/three
[ "$(istag)" = "$two" ] || fail "the ISTag of /two/three has changed"
icapd_stop TERM

step "another ISTag for what may decide otherwise, and only there"
sed '/"\/one"/s/preview = 77/preview = 78 shadow = yes/' "$tmp/served.conf" \
    >"$tmp/x.conf"
serve "$tmp/x.conf"
options /one
says Preview 78
[ "$(istag)" != "$one" ] || fail "the ISTag of /one has not changed"
options /two/three
[ "$(istag)" = "$two" ] || fail "the ISTag of /two/three has changed"

step "a reload says what it changes, and nothing else"
changes() {
	sed -n -e 's/\\"/"/g' \
	    -e 's/.*"message":"reload: \(.*\)","ecs.version.*/\1/p' \
	    "$tmp/icapd.err"
}
kill -HUP "$icapd_pid"
wait_until has "$tmp/icapd.err" 'generation 2 replaces 1' || fail "no reload"
[ "$(changes)" = "nothing in the configuration has changed" ] ||
    fail "$(changes)"
{
	sed '/"\/one"/s/preview = 78/preview = 79/' "$tmp/x.conf"
	echo 'service "/new" { run = {echo} }'
} >"$tmp/y.conf"
mv "$tmp/y.conf" "$tmp/x.conf"
kill -HUP "$icapd_pid"
wait_until has "$tmp/icapd.err" 'generation 3 replaces 2' || fail "no reload"
changes >"$tmp/got"
cat >"$tmp/want" <<'END'
nothing in the configuration has changed
service "/one": preview = 79, was 78
service "/new" is new
END
diff "$tmp/want" "$tmp/got" || fail "other changes"
icapd_stop TERM

say "ok"
