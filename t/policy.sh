#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What block lists decide in a daemon, apart from what is in them: what cannot
# be examined is refused and says why.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=listlib.sh
. "$(dirname "$0")/listlib.sh"

list_setup
log=$tmp/logs/access
mkdir "$tmp/logs"
chmod 1777 "$tmp/logs"	# workers write to it
expressions=no
! ldd "$ICAPD" | grep -q libpcre2 || expressions=yes

# is_refused SERVICE URL [OPTION...]: by ICAP itself
is_refused() {
	ir_service=$1 ir_url=$2
	shift 2
	"$icapc" reqmod -u "$ir_url" "$@" \
	    "icap://127.0.0.1:$icapd_port/$ir_service" >"$answer" 2>&1
	has "$answer" '^ICAP/1.0 500 '
}

# refuses REASON SERVICE URL [OPTION...]
refuses() {
	rs_reason=$1
	shift
	rs_before=$(count "$log" "$rs_reason")
	is_refused "$@" || fail "$2 is not refused: $(cat "$answer")"
	is_logged() {
		[ "$(count "$log" "$rs_reason")" -gt "$rs_before" ]
	}
	wait_until is_logged || fail "the log does not say $rs_reason"
}

# letters N: so many of them
letters() {
	head -c "$1" /dev/zero | tr '\0' a
}

step "a URL that is too long, or whose host is not sure, is not passed"
printf '%s\n' ads.example url.example/bad >"$tmp/ads"
chmod a+r "$tmp/ads"
cat >"$tmp/icapd.conf" <<-END
run-dir = "$tmp/board"
listen "127.0.0.1:0" { workers = 2 }
log "$log" { form = text }
blocklist ads {
	cache = "$tmp/cache"
	list "ads" { path = {"$tmp/ads"} }
}
service "/ads" { run = {ads} }
END
icapd_configured
passes ads "http://url.example/$(letters 8183)/../good"
blocks ads "http://url.example/$(letters 8184)/../bad"
refuses 'a URL that is too long' ads \
    "http://url.example/$(letters 8185)/../bad"
blocks ads "http://www.ads.example/$(letters 8191)"
refuses 'a URL that is too long' ads "http://fine.example/$(letters 8192)"
refuses 'a backslash before an @' ads 'http://fine.example\@ads.example/'
refuses 'more than one Host field' ads http://fine.example/ \
    -E 'Host: ads.example'
icapd_stop TERM

step "an expression that gives up does not decide, nor does a rule behind it"
if [ "$expressions" = yes ]; then
	mkdir "$tmp/slow"
	echo '(a+)+b|(a|aa)+c' >"$tmp/slow/expressions"
	chmod -R a+rX "$tmp/slow"
	cat >"$tmp/icapd.conf" <<-END
	run-dir = "$tmp/board"
	listen "127.0.0.1:0" { workers = 2 }
	log "$log" { form = text }
	blocklist slow {
		cache = "$tmp/cache"
		list "slow" { path = {"$tmp/slow"} }
		rule "all" { }
		rule "rest" {
			lists = {any}
			action = log
		}
	}
	service "/slow" { run = {slow} }
	service "/slow-pass" {
		run = {slow}
		on-error = pass
	}
	END
	icapd_configured
	slow=http://z.example/$(letters 4000)!c
	refuses 'an expression came to its limit' slow "$slow"
	passes slow-pass "$slow"
	passes slow http://z.example/xyz
	icapd_stop TERM
fi

say ok
