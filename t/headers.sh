#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Header rules with a real Squid: the origin sees what rules for requests have
# made, the client what rules for responses have; a large response passes
# without its body going through icapd.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=squidlib.sh
. "$(dirname "$0")/squidlib.sh"
need curl curl

HUGE=100000000		# bytes of a download
BIG=1073741824		# bytes of the response that must not pass icapd

setup
icapc=${ICAPC:-${top_builddir:-.}/icapc}
case $icapc in
/*) ;;
*) icapc=$PWD/$icapc ;;
esac

squid_more() {
	squid_icap tidy req resp
	echo icap_206_enable on
}

via() {
	squid_curl "$@" || fail "curl $* ended with $?"
}

step "requests and responses through Squid"
cat >"$tmp/icapd.conf" <<-'END'
	listen "127.0.0.1:0" { workers = 4 }
	headers tidy {
		rule "who" {
			on = {request}
			action = set
			name = X-From
			value = "%{client-ip} for %{host}"
		}
		rule "agent" {
			on = {request}
			methods = {GET}
			action = remove
			name = User-Agent
		}
		rule "server" {
			on = {response}
			action = rename
			name = Server
			to = X-Was-Served-By
		}
		rule "powered" {
			on = {response}
			types = {"text/*"}
			action = remove
			name = X-Powered-By
		}
		rule "seen" {
			on = {response}
			paths = {"/size/*"}
			action = set
			name = X-Seen
			value = "%{status}"
		}
		rule "found" {
			on = {response}
			status = {404}
			action = add
			name = X-Missing
			value = "yes"
		}
	}
	service "/tidy" { run = {tidy} }
END
origin_start
icapd_serve --log-format text
squid_start
via -D "$tmp/head" -o "$tmp/body" -H 'X-Odd:  two  blanks' \
    "http://127.0.0.1:$origin_port/head"
has "$tmp/body" '^X-From: 127.0.0.1 for 127.0.0.1' ||
    fail "the origin does not see it: $(cat "$tmp/body")"
not has "$tmp/body" '^User-Agent:' || fail "a field was not removed"
has "$tmp/body" '^X-Odd: *two  blanks' || fail "another field has changed"
has "$tmp/head" '^X-Was-Served-By: origin' ||
    fail "the client does not see it: $(cat "$tmp/head")"
not has "$tmp/head" '^Server:' || fail "a field was not renamed"
not has "$tmp/head" '^X-Powered-By:' || fail "a field was not removed"
not has "$tmp/head" '^X-Missing:' || fail "a condition does not hold back"
via -D "$tmp/head" -o /dev/null "http://127.0.0.1:$origin_port/nothing"
has "$tmp/head" '^X-Missing: yes' || fail "a condition does not let through"

step "a large body goes on without passing icapd"
via -D "$tmp/head" -o "$tmp/body" \
    "http://127.0.0.1:$origin_port/size/$HUGE/7"
has "$tmp/head" '^X-Seen: 200' || fail "no mark: $(cat "$tmp/head")"
"$origin" -g "$HUGE" 7 | cmp - "$tmp/body" || fail "it came changed"
squid_stop
has "$tmp/squid/icap.log" "^ICAP_PART_ECHO 206 RESPMOD .*/size/$HUGE/7" ||
    fail "no 206: $(cat "$tmp/squid/icap.log")"
origin_stop

step "a response of 1 GiB costs its preview"
"$icapc" respmod -u http://big.example/ -s "$BIG" --206 --preview 0 \
    "icap://127.0.0.1:$icapd_port/tidy" >"$tmp/answer" 2>&1 ||
    fail "icapc: $(cat "$tmp/answer")"
has "$tmp/answer" '^ICAP/1.0 204' ||
    fail "not unchanged: $(cat "$tmp/answer")"
"$icapc" respmod -u http://big.example/ -s "$BIG" --206 --preview 0 \
    -E 'Server: x' \
    "icap://127.0.0.1:$icapd_port/tidy" >"$tmp/answer" 2>&1 ||
    fail "icapc: $(cat "$tmp/answer")"
has "$tmp/answer" '^ICAP/1.0 206 ' || fail "no 206: $(cat "$tmp/answer")"
has "$tmp/answer" '^X-Was-Served-By: x' || fail "$(cat "$tmp/answer")"
icapd_stop TERM
say ok
