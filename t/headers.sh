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

BIG=1073741824		# bytes of the response that must not pass icapd

setup
icapc=${ICAPC:-${top_builddir:-.}/icapc}
case $icapc in
/*) ;;
*) icapc=$PWD/$icapc ;;
esac

squid_config() {
	cat <<-END
	http_port 127.0.0.1:$1
	visible_hostname localhost
	pid_filename $tmp/squid/squid.pid
	coredump_dir $tmp/squid
	cache_log $tmp/squid/cache.log
	access_log none
	cache deny all
	cache_mem 0 MB
	memory_cache_shared off
	pinger_enable off
	netdb_filename none
	max_filedescriptors 1024
	shutdown_lifetime 0 seconds
	dns_nameservers 127.0.0.1
	http_access allow all
	icap_enable on
	icap_preview_enable on
	icap_206_enable on
	icap_service_failure_limit -1
	icap_service req reqmod_precache icap://127.0.0.1:$icapd_port/tidy bypass=off
	icap_service resp respmod_precache icap://127.0.0.1:$icapd_port/tidy bypass=off
	adaptation_access req allow all
	adaptation_access resp allow all
	adaptation_send_client_ip on
	logformat icapt %icap::to %icap::Hs %icap::rm %icap::<st %ru
	icap_log stdio:$tmp/squid/icap.log icapt
	END
	if [ "$(id -u)" -eq 0 ]; then
		echo "cache_effective_user $(squid_user)"
	fi
}

via() {
	curl -q -sS --max-time 60 -x "http://127.0.0.1:$squid_port" "$@" \
	    9>&- || fail "curl $* ended with $?"
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
mkdir -p "$tmp/spool" "$tmp/run"
chmod 1777 "$tmp/spool"
start icapd icapd_exec -d --log-format text -f "$tmp/icapd.conf"
icapd_pid=$started_pid
wait_until icapd_is_up || fail "icapd is not ready"
icapd_port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' \
    "$tmp/icapd.err" | head -n 1)
[ -n "$icapd_port" ] || fail "icapd ended instead of listening"
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
    "http://127.0.0.1:$origin_port/size/3000000/7"
has "$tmp/head" '^X-Seen: 200' || fail "no mark: $(cat "$tmp/head")"
"$origin" -g 3000000 7 | cmp - "$tmp/body" || fail "it came changed"
squid_stop
has "$tmp/squid/icap.log" '^ICAP_PART_ECHO 206 RESPMOD .*/size/3000000/7' ||
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
