# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# Functions for the tests of block lists with a daemon: one that runs as
# $tmp/icapd.conf says, and what it answers. Read behind lib.sh; list_setup
# stands in the place of setup.

answer=			# the ICAP answer of the last request

list_setup() {
	setup
	icapc=${ICAPC:-${top_builddir:-.}/icapc}
	icapctl=${ICAPCTL:-${top_builddir:-.}/icapctl}
	for ls_program in "$icapc" "$icapctl"; do
		[ -x "$ls_program" ] ||
		    fail "$ls_program: no such program (make builds it)"
	done
	"$ICAPD" -l | grep -q '^blocklist' ||
	    skip "icapd is built without blocklist"
	answer=$tmp/answer
}

# icapd as $tmp/icapd.conf says
icapd_configured() {
	mkdir -p "$tmp/board"
	icapd_serve --log-format text
}

# ask SERVICE URL [OPTION...]: the ICAP answer is in $answer
ask() {
	ask_service=$1 ask_url=$2
	shift 2
	"$icapc" reqmod -u "$ask_url" "$@" \
	    "icap://127.0.0.1:$icapd_port/$ask_service" >"$answer" 2>&1 || :
	has "$answer" '^ICAP/1.0 20[04] ' ||
	    fail "$ask_url: icapc: $(cat "$answer")"
}

# passes, blocks SERVICE URL [OPTION...]
is_passed() {
	ask "$@"
	grep -q '^ICAP/1.0 204 ' "$answer"
}

passes() {
	is_passed "$@" || fail "$2 does not pass: $(cat "$answer")"
}

is_blocked() {
	ask "$@"
	grep -q '^HTTP/1.1 403 ' "$answer"
}

blocks() {
	is_blocked "$@" || fail "$2 is not blocked: $(cat "$answer")"
}
