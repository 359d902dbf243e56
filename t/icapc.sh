#!/bin/sh
# SPDX-License-Identifier: ISC
#
# icapc against icapd, and against servers that answer what no server should:
# what it says, what it exits with, and that a load finds every reply that is
# not like the first. The odd servers are t/bench/floor, which sends the same
# bytes for whatever it receives.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clientlib.sh
. "$(dirname "$0")/clientlib.sh"

# bad REPLY WHY: a respmod finds out WHY the reply is bad
bad() {
	odd "$1"
	c 5 respmod -v -s 5 "$odd"
	complains '^< '
	complains "^icapc: bad reply: .*$2"
	odd_end
}

# once_more REPLY STATUS OPTION...: a transaction with an odd server
once_more() {
	om_reply=$1 om_status=$2
	shift 2
	odd "$om_reply"
	c "$om_status" "$@" "$odd"
	odd_end
}

client_setup

step "command lines that are wrong"
uri=icap://127.0.0.1:1/echo
for line in "" "options" "$uri" "fetch $uri" "options $uri $uri" \
    "options http://127.0.0.1/echo" "options icap://" \
    "options icap://127.0.0.1:99999999/" "options --insecure $uri" \
    "options --cacert /dev/null $uri" "options --servername x $uri" \
    "options --nonsense $uri" "options -c 0 $uri" "options -c x $uri" \
    "options -d 0 $uri" "options -d 1.2345 $uri" "options -d -1 $uri" \
    "options -n 0 $uri" "options -H none $uri" "reqmod -s 1Q $uri" \
    "reqmod -s 99999999G $uri" "reqmod --chunk 0 -s 1 $uri" \
    "reqmod --preview 1 $uri" "reqmod -s 1 -f /dev/null $uri" \
    "reqmod -u www.example.com $uri" "reqmod -u http://a@b -m G,T $uri" \
    "reqmod -H :x $uri" "reqmod -E a/b:x $uri" \
    "reqmod --expect 42 $uri" "reqmod -c 1 -v $uri" "reqmod -t 0 $uri"; do
	# shellcheck disable=SC2086	# words
	c 2 $line
	complains '^usage: icapc '
	[ ! -s "$tmp/c.out" ] || fail "icapc $line: something on stdout"
done
tab=$(printf '\t') lf='
'
for option in "-Hx: 1${lf}y" "-Ex: 1${lf}y" "-uhttp://a b/" \
    "-uhttp://a/${tab}" "-Hx y: 1" "-mG T" -u; do
	c 2 reqmod "$option" "$uri"
done
c 0 --help
says '^usage: icapc '
if [ -n "${top_srcdir:-}" ]; then
	# each option it shows is in the manual
	grep -oE -e ' --?[A-Za-z0-9][A-Za-z0-9-]*' "$tmp/c.out" >"$tmp/help"
	while read -r option; do
		has "$top_srcdir/man/icapc.1" "Fl ${option#-}" ||
		    fail "$option is not in icapc(1)"
	done <"$tmp/help"
fi
c 0 --version
says '^icapc [0-9]'

step "a server that cannot be reached, a file that cannot be read"
c 1 options "$uri"
complains '^icapc: 127\.0\.0\.1 port 1: Connection refused$'
c 1 reqmod -f "$tmp/nothing" "$uri"
complains 'nothing: No such file'

icapd_start -w 4
uri=icap://127.0.0.1:$icapd_port/echo

step "options"
c 0 options "$uri"
says '^options after [0-9.]* ms$'
says '^ICAP/1\.0 200 OK$'
says '^Methods: .*REQMOD'
[ ! -s "$tmp/c.err" ] || fail "something on standard error"
if [ -c /dev/full ]; then
	start c sh -c 'exec "$@" >/dev/full' - "$icapc" options "$uri"
	reap "$started_pid"
	[ "$status" -eq 1 ] || fail "status $status with a full output"
	complains '^icapc: standard output: '
fi
c 1 respmod -s 3 -o "$tmp/no/folder" "$uri"
complains '^icapc: .*/no/folder: '
c 0 options -v "$uri"
complains '^> OPTIONS icap://.* ICAP/1\.0$'
complains '^< ICAP/1\.0 200 OK$'
c 4 options "icap://127.0.0.1:$icapd_port/no-such-service"
says '^refused after'
says '^ICAP/1\.0 404 '

step "reqmod and respmod, with and without 204, body and preview"
printf 'a body of 20 bytes\r\n' >"$tmp/body"
for method in reqmod respmod; do
	c 0 $method "$uri"
	says '^unchanged after'
	says '^ICAP/1\.0 204 '
	c 0 $method --no-204 --echo "$uri"
	says '^ICAP/1\.0 200 '
	c 0 $method -f "$tmp/body" --no-204 --echo -o "$tmp/result" "$uri"
	says '^body of 20 bytes, the same as the one sent$'
	cmp "$tmp/body" "$tmp/result" || fail "-o wrote another body"
	c 0 $method -f "$tmp/body" -o - "$uri"
	cmp "$tmp/body" "$tmp/c.out" || fail "-o - wrote another body"
	for size in 0 1 1023 1024 1025 65536 65537 300000; do
		c 0 $method -s "$size" --expect 204 "$uri"
		c 0 $method -s "$size" --no-204 --echo --chunk 999 "$uri"
		c 0 $method -s "$size" --no-204 --preview 1K --expect 204 \
		    "$uri"
		c 0 $method -s "$size" --no-204 --preview 0 --expect 204 \
		    "$uri"
	done
	c 0 $method -s 300000 --no-204 --echo --close "$uri"
	says '^Connection: close$'
done
c 0 reqmod -v -u http://icapc.test/path -m PUT -s 3000 -H 'X-Icap: 1' \
    -E 'X-Http: 2' --preview 1K "$uri"
complains '^> PUT http://icapc\.test/path HTTP/1\.1$'
complains '^> Host: icapc\.test$'
complains '^> X-Icap: 1$'
complains '^> X-Http: 2$'
complains '^> Preview: 1024$'
wait_until has "$tmp/icapd.out" '^PUT http://icapc\.test/path HTTP/1\.1$' ||
    fail "icapd has not seen the request"
c 0 reqmod -f - "$uri" # standard input is empty
cp "$tmp/body" "$tmp/c.in"
c 0 reqmod --no-204 --echo -f - -o - "$uri"
cmp "$tmp/body" "$tmp/c.out" || fail "-f -: another body"
rm "$tmp/c.in"
c 0 respmod --preview 0 -v "$uri" # and no body
complains '^> Preview: 0$'
complains 'null-body='

step "Host: with the port, without a password, or as it is wanted"
c 0 reqmod -v -u http://user:pw@h.test:81/p@q "$uri"
complains "^> Host: 127\\.0\\.0\\.1:$icapd_port\$"
complains '^> Host: h\.test:81$'
[ "$(count "$tmp/c.err" '^> Host:')" -eq 2 ] || fail "another Host"
c 0 reqmod -v -H 'host: a.test' -E 'HOST: b.test' -s 3 \
    -E 'content-length: 3' "$uri"
complains '^> host: a\.test$'
complains '^> HOST: b\.test$'
[ "$(count "$tmp/c.err" '^> [Hh][Oo]')" -eq 2 ] || fail "a Host too many"
[ "$(count "$tmp/c.err" '^> [Cc]ontent-')" -eq 1 ] || fail "a length too many"
c 5 respmod --expect 200 "$uri"
complains 'bad reply: another status than expected'

step "206, from icapd if it offers it"
c 0 options "$uri"
if has "$tmp/c.out" '^Allow: .*206'; then
	c 0 respmod -s 3000 --206 --no-204 --echo "$uri"
fi

step "loads without errors"
# load OPTION...: on 3 connections, all replies checked
load() {
	c 0 respmod -c 3 -n 300 --terse "$@" "$uri"
	says '^transactions 300$'
	says '^errors 0$'
	[ ! -s "$tmp/c.err" ] || fail "load $*: something on standard error"
}
load --expect 204
says '^connects 3$'
load -s 64K --no-204 --echo
load -s 64K --preview 1K --expect 204
load --close
says '^connects 300$'
start c "$icapc" reqmod -c 2 -d 600 -u http://interrupted.test/ "$uri"
wait_until has "$tmp/icapd.out" '^GET http://interrupted\.test/' ||
    fail "the load does not begin"
load_runs() {
	[ "$(count "$tmp/icapd.out" '^GET http://interrupted\.test/')" -gt 9 ]
}
wait_until load_runs || fail "the load does not go on"
kill -INT "$started_pid"
reap "$started_pid"
[ "$status" -eq 0 ] || fail "an interrupted load: status $status"
says '^transactions  [1-9]'
says '^errors  *0$'
c 0 options -c 2 -d 2 "$uri"
says '^errors  *0$'
says '^latency .* p99.9 [0-9.]* '
icapd_stop TERM
[ -z "$(complaints)" ] || {
	complaints >&2
	fail "icapd complains as above"
}

step "IPv6"
if grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null; then
	cat >"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = 2 }
	listen "[::1]:0" { workers = 2 }
	service "/echo" { run = echo }
	END
	icapd_serve
	wait_until has "$tmp/icapd.err" 'listening on \[::1\]:[1-9]' ||
	    fail "icapd does not listen on ::1"
	port=$(sed -n 's/.*listening on \[::1\]:\([0-9]*\).*/\1/p' \
	    "$tmp/icapd.err")
	c 0 respmod -v -s 3 --no-204 --echo "icap://[::1]:$port/echo"
	complains "^> Host: \\[::1\\]:$port\$"
	c 0 respmod -c 2 -n 20 --echo "icap://[::1]:$port/echo"
	# of several addresses the one that answers is taken
	c 0 options "icap://localhost:$icapd_port/echo"
	c 0 options -c 2 -n 20 "icap://localhost:$icapd_port/echo"
	icapd_stop TERM
else
	say "left out: there is no ::1 here"
fi

step "replies that are none"
head='ICAP/1.0 200 OK\r\nISTag: "x"\r\n'
http='HTTP/1.1 200 OK\r\n\r\n' # 19 bytes
bad 'HTTP/1.1 200 OK\r\n\r\n' 'not an ICAP reply'
bad '\026\003\001' 'not an ICAP reply'
bad 'ICAP/1.0 2x0 OK\r\n\r\n' 'malformed status line'
bad 'ICAP/1.0 200 OK\nISTag: "x"\r\n\r\n' 'malformed status line'
bad "$head"'\r\n' 'no Encapsulated'
bad "$head"'a b: c\r\n\r\n' 'blank in or after a field name'
bad 'ICAP/1.0 204 OK\r\nISTag: x\r\n\r\n' 'malformed ISTag'
bad 'ICAP/1.0 204 OK\r\nEncapsulated: null-body=0\r\n\r\n' 'no ISTag'
bad "$head"'Encapsulated: null-body=0\r\n\r\n' 'without a message'
bad "$head"'Encapsulated: res-hdr=0, res-body=18\r\n\r\n'"$http" \
    'does not end where Encapsulated says'
bad "$head"'Encapsulated: res-hdr=1, res-body=20\r\n\r\n'"$http" \
    'first offset in Encapsulated'
bad "$head"'Encapsulated: res-hdr=0, res-body=19\r\n\r\n'"$http"'5\r\nhello0' \
    'chunk longer than its size'
bad "$head"'Encapsulated: res-hdr=0, res-body=19\r\n\r\n'"$http"'zz\r\n' \
    'chunk'
bad "$head"'Encapsulated: res-hdr=0, res-body=19\r\n\r\n'"$http"'0\r\n\r\nx' \
    'bytes after the reply'
bad "$head"'Encapsulated: res-hdr=0, res-body=19\r\n\r\n'"$http"\
'0; use-original-body=0\r\n\r\n' 'use-original-body without a 206'
bad 'ICAP/1.0 206 Partial\r\nISTag: "x"\r\n'\
'Encapsulated: res-hdr=0, res-body=19\r\n\r\n'"$http"\
'0; use-original-body=6\r\n\r\n' 'use-original-body beyond the body'
bad 'ICAP/1.0 100 Continue\r\n\r\n' '100 Continue that was not asked for'

step "the dialogue shows what is bad"
odd 'ICAP/1.1 200 OK\r\nBad Field: x\r\n\r\n'
c 5 options -v "$odd"
complains '^< ICAP/1\.1 200 OK$'
complains '^< Bad Field: x$'
odd_end
odd "$head"'Encapsulated: res-hdr=0, res-body=18\r\n\r\n'"$http"
c 5 respmod -v "$odd"
complains '^< HTTP/1\.1 200 OK$'
odd_end
odd "$head"'Encapsulated: res-hdr=0, res-body=19\r\n\r\n'"$http"'9\r\nhello' -c
c 1 respmod -v "$odd"
complains '^< HTTP/1\.1 200 OK$'
complains '^< \[5 bytes of a body\]$'
odd_end
odd 'ICAP/1.1 204 OK\r\nISTag: "x"\r\n\r\n'
c 0 options -v "$odd"
complains '^< ICAP/1\.1 204 OK$'
odd_end

step "replies that mean something"
partial='ICAP/1.0 206 Partial\r\nISTag: "x"\r\n'\
'Encapsulated: res-hdr=0, res-body=19\r\n\r\n'"$http"
once_more "$partial"'3\r\nHEY\r\n0; use-original-body=3\r\n\r\n' 0 \
    respmod --206 -f "$tmp/body" -o "$tmp/result"
says '^changed after'
says '^body of 3 bytes, then 17 bytes of the original$'
printf 'HEYody of 20 bytes\r\n' | cmp - "$tmp/result" ||
    fail "206: another body"
once_more "$partial"'0; use-original-body=0\r\n\r\n' 0 \
    respmod --206 -f "$tmp/body" -o - --expect 206
cmp "$tmp/body" "$tmp/c.out" || fail "206: not the original body"
once_more "$head"'Encapsulated: res-hdr=0, res-body=26\r\n\r\n'\
'HTTP/1.1 403 Forbidden\r\n\r\n2\r\nno\r\n0\r\nX: y\r\n\r\n' 3 reqmod
says '^blocked after'
says '^X: y$'
once_more "$head"'Encapsulated: res-hdr=0, null-body=26\r\n\r\n'\
'HTTP/1.1 403 Forbidden\r\n\r\n' 3 respmod
once_more "$head"'Encapsulated: res-hdr=0, null-body=22\r\n\r\n'\
'HTTP/1.1 302 Found\r\n\r\n' 3 respmod
says '^blocked after'
once_more "$head"'Encapsulated: res-hdr=0, null-body=26\r\n\r\n'\
'HTTP/1.1 403 Forbidden\r\n\r\n' 5 respmod --echo
complains 'the HTTP head came back changed'
once_more "$head"'Encapsulated: res-hdr=0, null-body=26\r\n\r\n'\
'HTTP/1.1 200 \033[1mOK\033[m\r\n\r\n' 0 respmod
says '^HTTP/1\.1 200 \\033\[1mOK\\033\[m$'
once_more 'ICAP/1.0 503 \033[1mno\r\n\r\n' 5 options
once_more 'ICAP/1.0 503 Busy\r\n\r\n' 4 options
says '^ICAP/1\.0 503 Busy$'
once_more 'ICAP/1.0 204 OK\r\nISTag: "x"\r\nX: 1,\r\n 2\r\n\r\n' 0 options
says '^X: 1, .*2$'

step "a server that says nothing, or not all"
once_more 'ICAP/1.0 204' 1 options -t 0.2
complains 'server is too slow'
odd '' -c
c 1 options "$odd"
complains 'server closed without a reply'
odd_end

step "a load that runs out of descriptors, and says whose fault that is"
odd 'ICAP/1.0 204 OK\r\nISTag: "x"\r\n\r\n' -w 80
# shellcheck disable=SC2016
start c sh -c 'ulimit -n 30 && exec "$@"' - \
    "$icapc" options -c 64 -n 200 "$odd"
reap "$started_pid"
[ "$status" -eq 1 ] || fail "status $status instead of 1"
complains '^icapc: [0-9]* times: too many open files on this side$'
odd_end

step "a load that finds errors"
# It closes each connection after the reply without a word: every second
# transaction of a connection fails.
odd 'ICAP/1.0 204 OK\r\nISTag: "x"\r\n\r\n' -c
c 1 options -n 20 --terse "$odd"
says '^transactions 10$'
says '^errors 10$'
complains '^icapc: [0-9]* times: '
odd_end
