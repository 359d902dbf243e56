#!/bin/sh
# SPDX-License-Identifier: ISC
#
# nmap's icap-info asks for services of well-known names; it has to find those
# that are there, with what it understands of OPTIONS: Service and ISTag.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need nmap nmap
setup

step "nmap finds the service"
icapd_start -w 2
nmap -n -Pn -p "$icapd_port" --script +icap-info 127.0.0.1 >"$tmp/nmap.out" \
    2>"$tmp/nmap.err" || {
	cat "$tmp/nmap.out" "$tmp/nmap.err" >&2
	fail "nmap ended with $?"
}
if grep -q -i -e 'cannot\|could not\|failed' "$tmp/nmap.err"; then
	skip "nmap does not work here: $(head -n 1 "$tmp/nmap.err")"
fi
has "$tmp/nmap.out" ' icap-info:' || {
	cat "$tmp/nmap.out" >&2
	fail "it shows no ICAP server"
}
for line in '^|  */echo' 'Service: icapd' 'ISTag: "icapd-[0-9a-f]*"'; do
	has "$tmp/nmap.out" "$line" || {
		cat "$tmp/nmap.out" >&2
		fail "it shows no $line"
	}
done
for name in avscan srv_clamav url_check nmap; do
	! has "$tmp/nmap.out" "^|  */$name" ||
	    fail "it shows /$name, which is not there"
done
icapd_stop TERM
