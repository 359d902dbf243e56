#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The conformance suite (t/*.it, by icapt) against icapd: with its defaults,
# and with few workers for what is about more connections than workers. The
# scripts that need a server configured otherwise are told to be skipped by
# icapt; t/CONFORMANCE says what shows their items.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

icapt=${ICAPT:-$t_builddir/icapt}
icapd_port=		# set by icapd_start
scripts=$(dirname "$0")
FEW=4			# workers

setup
[ -x "$icapt" ] || fail "$icapt: no such program (make check builds it)"

# wire OPTION... SCRIPT...: all pass
wire() {
	"$icapt" -p "$icapd_port" "$@" || fail "scripts failed"
}

step "the scripts, with the defaults of icapd"
icapd_start
wire -D limits "$scripts"/*.it
icapd_stop TERM

step "more connections than workers"
icapd_start -w "$FEW"
wire "$scripts/concurrent.it" "$scripts/idle.it" "$scripts/parked.it" \
    "$scripts/silent.it"
icapd_stop TERM

# Short enough to be waited for, far longer than a busy machine needs to go
# from one byte to the next.
step "timeouts, and what OPTIONS says of a configuration"
cat >"$tmp/icapd.conf" <<-'EOT'
	listen "127.0.0.1:0" {
		workers = 8
		defer-accept = off
	}
	timeouts {
		head = 2s
		body = 2s
		keep-alive = 2s
	}
	service "/echo" {
		run = {echo}
		x-include = {X-Client-IP, X-Authenticated-User}
		transfer-ignore = {html, gif}
	}
EOT
start icapd icapd_exec -d -f "$tmp/icapd.conf"
icapd_pid=$started_pid
wait_until icapd_is_up || fail "icapd is not ready"
icapd_port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' \
    "$tmp/icapd.err" | head -n 1)
[ -n "$icapd_port" ] || fail "icapd ended instead of listening"
wire -D timeouts -D x-include -D transfer "$scripts/timeouts.it" \
    "$scripts/options.it" "$scripts/options-include.it" \
    "$scripts/options-transfer.it"
icapd_stop TERM

step "services that do something"
cat >"$tmp/testd.conf" <<-'EOT'
	listen "127.0.0.1:0" {
		workers = 4
	}
	service "/echo" {
		run = {echo}
	}
	service "/block" {
		run = {block}
	}
	service "/header" {
		run = {header}
	}
	service "/late" {
		run = {late}
	}
	service "/prefix" {
		run = {prefix}
	}
	service "/chain" {
		run = {echo, header}
	}
	service "/read" {
		run = {read}
	}
	service "/reqmod" {
		run = {reqmod}
	}
EOT
ICAPD=$t_builddir/testd
case $ICAPD in
/*) ;;
*) ICAPD=$PWD/$ICAPD ;;
esac
[ -x "$ICAPD" ] || fail "$ICAPD: no such program (make check builds it)"
start icapd icapd_exec -d -f "$tmp/testd.conf"
icapd_pid=$started_pid
wait_until icapd_is_up || fail "testd is not ready"
icapd_port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' \
    "$tmp/icapd.err" | head -n 1)
[ -n "$icapd_port" ] || fail "testd ended instead of listening"
wire -D block=block -D edit=header -D late=late -D prefix=prefix \
    "$scripts/block.it" "$scripts/late.it" "$scripts/partial.it" \
    "$scripts/prefix.it"
wire -D reads=read -D reqmod=reqmod "$scripts/after-100-no-204.it" \
    "$scripts/method-405.it" "$scripts/preview-gone.it" \
    "$scripts/preview-then-100.it"
# C156: a chain that changes the head is like a service that does
wire -D edit=chain "$scripts/partial.it"
icapd_stop TERM
