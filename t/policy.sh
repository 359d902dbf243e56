#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What block lists and header rules decide in a daemon, apart from what is in
# lists: what cannot be examined is refused and says why, and the example of
# icapd.conf(5) does what is written above it.

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

step "a URL of any length is looked for; one whose host is not sure fails"
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
service "/ads-pass" {
	run = {ads}
	on-error = pass
}
END
icapd_configured
passes ads "http://url.example/$(letters 8183)/../good"
blocks ads "http://url.example/$(letters 8184)/../bad"
blocks ads "http://url.example/$(letters 8185)/../bad"
blocks ads "http://url.example/bad/$(letters 14000)"
passes ads "http://url.example/bad$(letters 14000)"
blocks ads "http://www.ads.example/$(letters 8191)"
blocks ads "http://www.ads.example/$(letters 8192)"
blocks ads "http://ads.example/?$(letters 8200)"
passes ads "http://fine.example/$(letters 8192)"
blocks ads-pass "http://ads.example/$(letters 8192)"
passes ads-pass "http://url.example/$(letters 8192)"
refuses 'a backslash before an @' ads 'http://fine.example\@ads.example/'
refuses 'more than one Host field' ads http://fine.example/ \
    -E 'Host: fine.example' -E 'Host: ads.example'
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

# ---- the example of icapd.conf(5) -------------------------------------------

manual=${top_srcdir:-$(dirname "$0")/..}/man/icapd.conf.5
mkdir -p "$tmp/lists/ut1/games"
echo ads.example >"$tmp/lists/ads.txt"
echo good.ads.example >"$tmp/lists/allowed.txt"
echo games.example >"$tmp/lists/ut1/games/domains"
chmod -R a+rX "$tmp/lists"
awk '
/^\.Sh / { examples = $2 == "EXAMPLES" }
/^\.Bd / { copy = examples; text = ""; next }
/^\.Ed/ && copy && text ~ /\nblocklist / { printf("%s", text) }
/^\.Ed/ { copy = 0 }
copy { text = text $0 "\n" }
' "$manual" >"$tmp/example"
has "$tmp/example" '"mon-fri 08:00-17:00"' || fail "the manual has no example"

# day N: of the week, N days from now
day() {
	case $((($(date +%w) + $1) % 7)) in
	0) echo sun ;;
	1) echo mon ;;
	2) echo tue ;;
	3) echo wed ;;
	4) echo thu ;;
	5) echo fri ;;
	6) echo sat ;;
	esac
}

# example FROM TO: the daemon with it, but working days counted from today
example() {
	sed -e 's/127\.0\.0\.1:1344/127.0.0.1:0/' \
	    -e "s,/etc/icapd/lists/,$tmp/lists/," \
	    -e "s,^blocklist.*,&\n\tcache = \"$tmp/cache\"," \
	    -e "s/mon-fri 08:00-17:00/$(day "$1")-$(day "$2") 00:00-24:00/" \
	    "$tmp/example" >"$tmp/icapd.conf"
	cat >>"$tmp/icapd.conf" <<-END
	run-dir = "$tmp/board"
	log "$log" { }
	END
	icapd_configured
}

# says PATTERN...: the answer does
says() {
	for sy_pattern; do
		has "$answer" "$sy_pattern" ||
		    fail "no $sy_pattern: $(cat "$answer")"
	done
}

# logged WORD...: a line of the log has them all
logged() {
	cp "$log" "$tmp/lines"
	for lg_word; do
		grep -F -e "$lg_word" "$tmp/lines" >"$tmp/these"
		mv "$tmp/these" "$tmp/lines"
	done
	[ -s "$tmp/lines" ]
}

helpdesk="X-Authenticated-Groups: $(printf helpdesk | base64)"

step "the example: advertising is blocked for all, but what is allowed is not"
# From yesterday to tomorrow: midnight may pass meanwhile.
example 6 1
for user in '' "$helpdesk"; do
	blocks web http://www.ads.example/ ${user:+-H "$user"}
	says '^X-Response-Desc: Advertising$'
	passes web http://www.good.ads.example/ ${user:+-H "$user"}
done

step "the example: in working hours games are elsewhere, not for the helpdesk"
ask web http://games.example/x
says '^HTTP/1.1 302 ' \
    '^Location: http://intranet.example/no?url=http%3A%2F%2Fgames.example%2Fx$'
ask web http://games.example/y -H "X-Authenticated-Groups: $(printf staff |
    base64)"
says '^HTTP/1.1 302 '
passes web http://games.example/z -H "$helpdesk"
wait_until logged '"url.original":"http://games.example/z"' \
    '"icap.note.action":"log"' '"icap.note.rule":"helpdesk"' ||
    fail "it is not logged: $(cat "$log")"

step "the example: video is blocked for a network"
# answered TYPE CLIENT: a response
answered() {
	"$icapc" respmod -s 1000 -E "Content-Type: $1" -H "X-Client-IP: $2" \
	    "icap://127.0.0.1:$icapd_port/web" >"$answer" 2>&1 || :
}
answered video/mp4 10.20.1.1
says '^HTTP/1.1 403 '
for what in 'video/mp4 10.21.1.1' 'text/html 10.20.1.1'; do
	# shellcheck disable=SC2086 # two words
	answered $what
	says '^HTTP/1.1 200 ' "^X-Filtered-For: ${what#* }\$" \
	    '^body of 1000 bytes, the same'
done

step "the example: a field less in a request, one more in a response"
ask web http://fine.example/ -E 'Referer: http://x.example/' -E 'X-Mine: 1'
says '^GET http://fine.example/ ' '^X-Mine: 1$'
not has "$answer" '^Referer' || fail "Referer is still there"
not has "$answer" '^X-Filtered-For' || fail "a request is marked"
passes web http://fine.example/ -E 'X-Mine: 1'
icapd_stop TERM

step "the example: after hours games pass"
example 2 5
passes web http://games.example/
blocks web http://www.ads.example/
icapd_stop TERM

say ok
