#!/bin/sh
# SPDX-License-Identifier: ISC
#
# icapc with icaps URIs, through a HAProxy that ends TLS in front of icapd,
# with certificates made here: one that is right, one of another name, one
# that has expired, and none.  A program without TLS refuses such URIs.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clientlib.sh
. "$(dirname "$0")/clientlib.sh"
PATH=$PATH:/usr/sbin:/sbin

activate=$t_builddir/activate

# certificate NAME DAYS SUBJECTALTNAME: $tmp/NAME.pem, with its key; it is its
# own authority, and may be of yesterday
certificate() {
	{
		openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$1" \
		    -keyout "$tmp/$1.key" -out "$tmp/$1.new" \
		    -addext "subjectAltName=$3" &&
		    openssl x509 -in "$tmp/$1.new" -signkey "$tmp/$1.key" \
			-days "$2" -out "$tmp/$1.crt"
	} 2>"$tmp/openssl.log" ||
	    fail "openssl makes no certificate: $(cat "$tmp/openssl.log")"
	cat "$tmp/$1.crt" "$tmp/$1.key" >"$tmp/$1.pem"
}

# front NAME [OPTIONS]: a HAProxy with that certificate, on a port the kernel
# chose; sets front_pid and tls, the URI of echo
front() {
	cat >"$tmp/$1.cfg" <<-END
	defaults
		mode tcp
		timeout connect 60s
		timeout client 60s
		timeout server 60s
	listen icaps
		bind fd@3 ssl crt $tmp/$1.pem ${2:-}
		server icapd 127.0.0.1:$icapd_port
	END
	echo >"$tmp/$1.in"
	start "$1" "$activate" haproxy -db -f "$tmp/$1.cfg"
	activate_pid=$started_pid
	wait_until has "$tmp/$1.out" '^pid ' || fail "no HAProxy"
	front_pid=$(sed -n 's/^pid //p' "$tmp/$1.out")
	started="$front_pid $started"
	tls=icaps://127.0.0.1:$(sed -n 's/^port //p' "$tmp/$1.out")/echo
}

front_end() {
	end "$front_pid"
	forget "$front_pid"
	reap "$activate_pid"
}

client_setup
if "$icapc" options -t 1 icaps://127.0.0.1:1/ 2>&1 |
    grep -q 'built without TLS'; then
	c 2 options icaps://127.0.0.1/echo
	skip "icapc was built without TLS (Debian: apt-get install libssl-dev)"
fi
need openssl openssl
need haproxy haproxy
[ -x "$activate" ] || fail "$activate: no such program (make check builds it)"

icapd_start -w 8
certificate good 2 'DNS:icapd.test, IP:127.0.0.1'
certificate named 2 'DNS:icapd.test'
certificate expired -1 'DNS:icapd.test, IP:127.0.0.1'

step "a certificate that is right"
front good
c 0 options --cacert "$tmp/good.crt" "$tls"
says '^ICAP/1\.0 200 OK$'
[ ! -s "$tmp/c.err" ] || fail "something on standard error"
c 0 options -v --cacert "$tmp/good.crt" --servername icapd.test "$tls"
complains '^> \[TLSv1\.[23]\]$'
for method in reqmod respmod; do
	for size in 0 1 16384 16385 3000000; do
		c 0 $method -s "$size" --no-204 --echo \
		    --cacert "$tmp/good.crt" "$tls"
		c 0 $method -s "$size" --no-204 --preview 1K --expect 204 \
		    --cacert "$tmp/good.crt" "$tls"
	done
done
c 0 respmod --close --no-204 --echo --cacert "$tmp/good.crt" "$tls"

step "one that nobody vouches for, another name, a file that is none"
c 1 options "$tls"
complains '^icapc: 127\.0\.0\.1 port [0-9]*: self.signed certificate$'
c 1 options --cacert "$tmp/good.crt" --servername other.test "$tls"
complains ': hostname mismatch$'
c 0 options --insecure --servername other.test "$tls"
c 1 options --cacert "$tmp/nothing" "$tls"
complains '^icapc: .*/nothing: '
c 1 options --cacert "$tmp/good.key" "$tls"
complains '^icapc: .*/good\.key: '

step "loads"
for option in --close --echo "-s 64K --no-204 --echo" \
    "-s 64K --no-204 --echo --close" "-s 2M --preview 1K --no-204"; do
	# shellcheck disable=SC2086	# words
	c 0 respmod -c 3 -n 120 --terse --cacert "$tmp/good.crt" $option "$tls"
	says '^transactions 120$'
	says '^errors 0$'
	[ ! -s "$tmp/c.err" ] || fail "load $option: something on stderr"
done

step "a load whose server stops in the middle"
start load "$icapc" reqmod -c 4 -d 2 -t 0.3 --close --insecure \
    -u http://load.test/ "$tls"
wait_until has "$tmp/icapd.out" '^GET http://load\.test/' || fail "the load does not begin"
kill -STOP "$front_pid"
reap "$started_pid"
kill -CONT "$front_pid"
[ "$status" -eq 1 ] || fail "status $status instead of 1"
has "$tmp/load.err" 'server is too slow' || fail "no word of it"
front_end

step "a certificate without the address"
front named
c 1 options --cacert "$tmp/named.crt" "$tls"
complains ': IP address mismatch$'
c 0 options --cacert "$tmp/named.crt" --servername icapd.test "$tls"
c 0 options --insecure "$tls"
front_end

step "a certificate that has expired"
front expired
c 1 options --cacert "$tmp/expired.crt" "$tls"
complains ': certificate has expired$'
c 0 options --insecure "$tls"
front_end

step "TLS 1.2 is spoken, 1.1 is not"
front good "no-tlsv13"
c 0 respmod -v -s 100K --no-204 --echo --cacert "$tmp/good.crt" "$tls"
complains '^> \[TLSv1\.2\]$'
front_end
front good "ciphers ALL:@SECLEVEL=0 ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.1"
c 1 options --cacert "$tmp/good.crt" "$tls"
complains ' port [0-9]*: .'
front_end

step "servers without TLS: one that answers, closes, says nothing"
odd 'ICAP/1.0 400 Bad request\r\n\r\n'
c 1 options --insecure "icaps${odd#icap}"
complains 'the server does not speak TLS'
odd_end
odd '' -c
c 1 options --insecure "icaps${odd#icap}"
complains 'server closed in the TLS handshake'
odd_end
odd ''
c 1 options --insecure -t 0.2 "icaps${odd#icap}"
complains 'server is too slow'
odd_end
c 1 options icaps://127.0.0.1:1/echo
complains '^icapc: 127\.0\.0\.1 port 1: Connection refused$'
icapd_stop TERM
