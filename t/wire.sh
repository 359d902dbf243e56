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
	"$icapt" -t 60 -p "$icapd_port" "$@" || fail "scripts failed"
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

step "one worker"
icapd_start -w 1
wire "$scripts/linger.it"
icapd_stop TERM

# serve NAME: the daemon with the configuration that $tmp/NAME.conf holds
serve() {
	icapd_launch -d -f "$tmp/$1.conf"
}

# Short enough to be waited for, far longer than a busy machine needs to go
# from one byte to the next.
step "timeouts, and what OPTIONS says of a configuration"
cat >"$tmp/timeouts.conf" <<-'EOT'
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
serve timeouts
wire -D timeouts -D no-defer -D x-include -D transfer \
    "$scripts/timeouts.it" "$scripts/timeout-silent.it" \
    "$scripts/options.it" "$scripts/options-include.it" \
    "$scripts/options-transfer.it"
icapd_stop TERM

if "$ICAPD" -l | grep -q '^blocklist'; then
	step "block lists and header rules"
	echo 'ads.example' >"$tmp/ads"
	echo '%{url} %{category}' >"$tmp/page.html"
	chmod a+r "$tmp/ads" "$tmp/page.html"
	cat >"$tmp/lists.conf" <<-EOT
		listen "127.0.0.1:0" {
			workers = 4
		}
		blocklist ads {
			cache = "$tmp/cache"
			template = "$tmp/page.html"
			list "ads" {
				path = {"$tmp/ads"}
				category = "Advertising"
			}
			rule "all" { }
		}
		headers tidy {
			rule "set" {
				action = set
				name = X-Tidy
				value = "%{host}"
			}
			rule "remove" {
				action = remove
				name = Server
			}
			rule "rename" {
				action = rename
				name = X-Old
				to = X-New
			}
		}
		service "/echo" { run = {echo} }
		service "/ads" { run = {ads} }
		service "/tidy" { run = {tidy} }
		service "/chain" { run = {ads, tidy} }
	EOT
	serve lists
	wire -D ads=ads -D tidy=tidy -D chain=chain \
	    "$scripts/blocklist.it" "$scripts/headers.it"
	icapd_stop TERM
fi

ICAPD=${TESTD:-$t_builddir/testd}
case $ICAPD in
/*) ;;
*) ICAPD=$PWD/$ICAPD ;;
esac
[ -x "$ICAPD" ] || fail "$ICAPD: no such program (make check builds it)"

step "services that do something"
{
	cat <<-'EOT'
		listen "127.0.0.1:0" {
			workers = 4
		}
		service "/chain" {
			run = {echo, header}
		}
		service "/pass" {
			run = {fail}
			on-error = pass
		}
		service "/withhold" {
			run = {fail}
			on-error = block
		}
		service "/behind" {
			run = {header, script}
		}
		service "/script-pass" {
			run = {script}
			on-error = pass
		}
		service "/script-withhold" {
			run = {script}
			on-error = block
		}
	EOT
	for name in block echo fail header late prefix read reqmod script; do
		echo "service \"/$name\" { run = {$name} }"
	done
} >"$tmp/services.conf"
serve services
wire -D block=block -D edit=header -D late=late -D prefix=prefix \
    -D reads=read -D reqmod=reqmod -D fail=fail -D pass=pass \
    -D withhold=withhold -D script=script \
    "$scripts/after-100-no-204.it" "$scripts/block.it" \
    "$scripts/failing.it" "$scripts/late.it" "$scripts/method-405.it" \
    "$scripts/partial.it" "$scripts/prefix.it" "$scripts/preview-gone.it" \
    "$scripts/preview-then-100.it" "$scripts/told.it" \
    "$scripts/unscanned.it"
wire -D script=script -D pass=script-pass -D withhold=script-withhold \
    -D behind=behind "$scripts/release.it"
# C156: a chain that changes the head is like a service that does
wire -D edit=chain "$scripts/partial.it"
icapd_stop TERM

step "bodies that are too large to be kept"
cat >"$tmp/small.conf" <<-'EOT'
	listen "127.0.0.1:0" {
		workers = 4
	}
	spool {
		memory = 16k
		limit = 64k
	}
	service "/echo" { run = {echo} }
	service "/small" { run = {read} }
EOT
serve small
wire -D small=small "$scripts/too-large.it"
icapd_stop TERM
