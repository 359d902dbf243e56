#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Block lists in a daemon: what is decided, that a list that is replaced is
# used (blocklist_load.sh: under load), that a database which is damaged is
# made anew and a list that cannot be read is no empty one; and with a real
# Squid, what a browser sees of it.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=listlib.sh
. "$(dirname "$0")/listlib.sh"

ENTRIES=${ENTRIES:-100000}	# of the large list
FORMS=12			# it has them in

list_setup
expressions=no
! ldd "$ICAPD" | grep -q libpcre2 || expressions=yes

step "lists of every form"
mkdir "$tmp/lists" "$tmp/lists/ut1"
cat >"$tmp/lists/ads" <<-'END'
	# domains and URLs
	ads.example
	http://url.example/bad/
	0.0.0.0 hosts.example localhost
	||adblock.example^
	address=/dnsmasq.example/0.0.0.0
	this line is none
	allowed.example
	127.0.0.1
	127.0.0.2
END
echo ut1.example >"$tmp/lists/ut1/domains"
[ "$expressions" = no ] || echo 'casino[0-9]' >"$tmp/lists/ut1/expressions"
echo allowed.example >"$tmp/lists/allow"
awk -v n="$ENTRIES" -v forms="$FORMS" 'BEGIN {
	form[0] = "%s"
	form[1] = "0.0.0.0 %s"
	form[2] = "||%s^$important"
	form[3] = "address=/%s/0.0.0.0"
	form[4] = "*.%s"
	form[5] = "http://user@%s:8080/\r"
	form[6] = "local-zone: \"%s.\" always_nxdomain"
	form[7] = "%s. 300 IN CNAME ."
	form[8] = "\t.%s  # why"
	form[9] = "::\tlocalhost %s"
	form[10] = "%s.:443"
	form[11] = "D%%2E%s"
	for (i = 0; i < n; i++)
		printf(form[i % forms] "\n", "d" i ".large.example")
}' >"$tmp/lists/large"
chmod -R a+rX "$tmp/lists"

configuration() {
	cat <<-END
	run-dir = "$tmp/board"
	listen "127.0.0.1:0" { workers = 4 }
	log "-" { }
	blocklist ads {
		cache = "$tmp/cache"
		list "ads" {
			path = {"$tmp/lists/ads"}
			category = "Advertising"
		}
		list "ut1" { path = {"$tmp/lists/ut1"} }
		list "large" { path = {"$tmp/lists/large"} }
		list "allow" {
			path = {"$tmp/lists/allow"}
			allow = yes
		}
		rule "boss" {
			users = {boss}
			action = allow
		}
		rule "ut1" {
			lists = {ut1}
			redirect = "http://localhost/why?c=%{category}&u=%{url}"
		}
		rule "rest" { }
	}
	headers tidy {
		rule "mark" {
			action = set
			name = X-Marked
			value = "%{host}"
		}
	}
	service "/ads" { run = {ads} }
	service "/chain" { run = {ads, tidy} }
	END
}
configuration >"$tmp/icapd.conf"
icapd_configured
has "$tmp/icapd.err" "ads:7: more than a domain" ||
    fail "the line that is no entry is not told"
blocks ads http://www.ads.example/
blocks ads http://url.example/bad/x
passes ads http://url.example/good
blocks ads http://HOSTS.example.:8080/
blocks ads http://adblock.example/
blocks ads ads.example:443 -m CONNECT
blocks ads http://dnsmasq.example/
blocks ads "http://d$((ENTRIES - 1)).large.example/"
passes ads "http://d$ENTRIES.large.example/"
form=0 middle=$((ENTRIES / 2))
middle=$((middle - middle % FORMS))
while [ "$form" -lt "$((FORMS - 1))" ]; do
	blocks ads "http://d$form.large.example/"
	blocks ads "http://x.D$((middle + form)).Large.example./"
	form=$((form + 1))
done
passes ads http://d11.large.example/
blocks ads http://d.d11.large.example/
passes ads http://large.example/
passes ads http://allowed.example/
passes ads http://fine.example/
passes ads http://ads.example/ -H 'X-Authenticated-User: boss'
ask ads 'http://ut1.example/?a=<b>'
has "$answer" '^Location: http://localhost/why?c=ut1&u=http%3A%2F%2Fut1.example%2F%3Fa%3D%3Cb%3E' ||
    fail "no redirect: $(cat "$answer")"
wait_until has "$tmp/icapd.out" '"denied".*ut1\.example' ||
    fail "who is sent elsewhere is said to be allowed"
wait_until is_passed ads http://127.0.0.1/x ||
    fail "the address of the redirect's host is blocked"
blocks ads http://127.0.0.2/x
if [ "$expressions" = yes ]; then
	ask ads http://casino1.example/
	has "$answer" '^HTTP/1.1 302 ' || fail "the expression is not used"
fi

step "a chain in one round trip"
blocks chain http://ads.example/
ask chain http://fine.example/
has "$answer" '^X-Marked: fine.example' || fail "the second did not run"

step "a list that is replaced is used by every worker, without a reload"
sed 's/d0\.large/new.large/' "$tmp/lists/large" >"$tmp/lists/next"
mv "$tmp/lists/next" "$tmp/lists/large"
answers=0
is_new() {
	is_blocked ads http://new.large.example/ &&
	    is_passed ads http://d0.large.example/
}
wait_until is_new || fail "the new list is not used"
while [ "$answers" -lt 12 ]; do
	is_new || fail "a worker uses the old list"
	answers=$((answers + 1))
done

step "icapctl update: it is used when the command ends"
# The process that does it may still be at its start.
has_updated() {
	"$icapctl" -r "$tmp/board" update >"$tmp/update.out" 2>&1
}
wait_until has_updated || fail "icapctl: $(cat "$tmp/update.out")"
entries=8
# put_entry: one more; the process that watches may find it by itself, just
# before it is asked to
put_entry() {
	entries=$((entries + 1))
	entry=n$entries.update.example
	passes ads "http://$entry/"
	cp "$tmp/lists/ads" "$tmp/lists/next"
	echo "$entry" >>"$tmp/lists/next"
	mv "$tmp/lists/next" "$tmp/lists/ads"
	has_updated || fail "icapctl: $(cat "$tmp/update.out")"
	blocks ads "http://$entry/"
	has "$tmp/update.out" "^ads/ads: updated, $entries entries, 1 line refused, first .*/ads:7: more than a domain or URL\$"
}
for _ in first second; do
	wait_until put_entry || fail "ads: $(cat "$tmp/update.out")"
done
has "$tmp/update.out" "^ads/large: unchanged, $ENTRIES entries$" ||
    fail "large: $(cat "$tmp/update.out")"
kill -0 "$icapd_pid" || fail "the daemon has gone"

# ctl_update STATUS NAME...
ctl_update() {
	cu_status=$1
	shift
	start update "$icapctl" -r "$tmp/board" $json update "$@"
	reap "$started_pid"
	[ "$status" -eq "$cu_status" ] ||
	    fail "update $*: $status: $(cat "$tmp/update.out" \
	    "$tmp/update.err")"
}

step "icapctl update NAME: a list, a section, one of each, none"
json=
ctl_update 0 large
[ "$(cat "$tmp/update.out")" = "ads/large: unchanged, $ENTRIES entries" ] ||
    fail "large: $(cat "$tmp/update.out")"
ctl_update 0 ads
[ "$(count "$tmp/update.out" '^ads/[a-z0-9]*: unchanged')" -eq 4 ] ||
    fail "ads is the section: $(cat "$tmp/update.out")"
ctl_update 0 ads/ut1 allow
[ "$(sed 's/:.*//' "$tmp/update.out" | tr '\n' ' ')" = \
    "ads/ut1 ads/allow " ] || fail "two: $(cat "$tmp/update.out")"
for name in nothing ads/nothing ads/ /ads ut1/ads ''; do
	ctl_update 1 "$name"
	has "$tmp/update.err" "$name: no service or list" ||
	    fail "$name: $(cat "$tmp/update.err")"
done
json=-j
ctl_update 0 ut1 large
if command -v jq >/dev/null; then
	jq -e '.sources | length == 2 and .[1].list == "large" and
	    .[1].section == "ads" and .[1].outcome == "unchanged" and
	    .[1].entries == '"$ENTRIES"' and .[1].refused == 0' \
	    "$tmp/update.out" >"$tmp/jq.out" ||
	    fail "JSON: $(cat "$tmp/update.out")"
fi
json=

step "icapctl update: a list that is none fails, and the old one stays"
mv "$tmp/lists/ads" "$tmp/lists/good"
head -c 5000 "$ICAPD" >"$tmp/lists/ads"
chmod a+r "$tmp/lists/ads"
for again in first second; do
	ctl_update 1 ads/ads
	has "$tmp/update.err" '^ads/ads: FAILED, the old one stays in use: .*/ads: ' ||
	    fail "$again: $(cat "$tmp/update.err")"
done
ctl_update 1 large
has "$tmp/update.err" '^ads/large: FAILED.* list "ads" cannot be read$' ||
    fail "large: $(cat "$tmp/update.err")"
json=-j
ctl_update 1 ads/ads
has "$tmp/update.out" '"outcome":"failed"' || fail "JSON: another outcome"
json=
blocks ads "http://$entry/"
mv "$tmp/lists/good" "$tmp/lists/ads"
ctl_update 0
has "$tmp/update.out" "^ads/ads: unchanged, $entries entries" ||
    fail "ads: $(cat "$tmp/update.out")"

step "a list that goes away leaves the old one in use"
mv "$tmp/lists/ads" "$tmp/lists/gone"
wait_until has "$tmp/icapd.err" 'lists/ads: No such file.*stays in use' ||
    fail "nobody says so"
blocks ads http://ads.example/
kill -HUP "$icapd_pid"
wait_until has "$tmp/icapd.err" 'path ".*lists/ads": No such file' ||
    fail "the reload is not refused"
blocks ads http://ads.example/
mv "$tmp/lists/gone" "$tmp/lists/ads"

step "one that empties is no empty list, neither at a reload nor at a start"
cp "$tmp/lists/ads" "$tmp/lists/good"
: >"$tmp/lists/ads"
wait_until has "$tmp/icapd.err" 'it has become empty, and had .* stays in use' ||
    fail "nobody says so"
is_stale() {
	"$icapctl" -r "$tmp/board" services >"$tmp/services.out"
	has "$tmp/services.out" 'stale.*lists/ads: it has become empty'
}
wait_until is_stale ||
    fail "it is not stale: $(cat "$tmp/services.out")"
blocks ads http://ads.example/
kill -HUP "$icapd_pid"
wait_until has "$tmp/icapd.err" 'path ".*lists/ads": it has become empty' ||
    fail "the reload is not refused"
blocks ads http://ads.example/
icapd_stop TERM
start check "$ICAPD" -n -f "$tmp/icapd.conf"
reap "$started_pid"
[ "$status" -eq 1 ] || fail "icapd -n ended with $status"
mv "$tmp/lists/good" "$tmp/lists/ads"

step "at a start it is an error, and not an empty list"
mv "$tmp/lists/ads" "$tmp/lists/gone"
start check "$ICAPD" -n -f "$tmp/icapd.conf"
reap "$started_pid"
[ "$status" -eq 1 ] || fail "icapd -n ended with $status"
has "$tmp/check.err" '^[^ ]*icapd.conf:7: list ads: path ".*lists/ads": No such file' ||
    fail "another message: $(cat "$tmp/check.err")"
head -c 5000 "$ICAPD" >"$tmp/lists/ads"
start check "$ICAPD" -n -f "$tmp/icapd.conf"
reap "$started_pid"
[ "$status" -eq 1 ] || fail "a binary list: icapd -n ended with $status"
mv "$tmp/lists/gone" "$tmp/lists/ads"

step "a damaged database is made anew"
for damage in truncate overwrite; do
	db=$tmp/cache/blocklist-ads.cdb
	if [ "$damage" = truncate ]; then
		head -c 100000 "$db" >"$tmp/db"
	else
		{ head -c 100000 "$db"; echo damage; tail -c +100008 "$db"; } \
		    >"$tmp/db"
	fi
	cat "$tmp/db" >"$db"
	configuration >"$tmp/icapd.conf"
	icapd_configured
	has "$tmp/icapd.err" 'is damaged and is made anew' ||
	    fail "$damage: it was not found out"
	blocks ads http://ads.example/
	icapd_stop TERM
done

step "a database that is right is used as it is"
before=$(stat -c '%i %Y' "$db")
configuration >"$tmp/icapd.conf"
icapd_configured
[ "$(stat -c '%i %Y' "$db")" = "$before" ] || fail "it was made anew"
blocks ads http://ads.example/
icapd_stop TERM

# ---- with a browser and a proxy --------------------------------------------

# shellcheck source=squidlib.sh
. "$(dirname "$0")/squidlib.sh"
need curl curl

HUGE=100000000		# bytes of a download

# Names that have no address here are asked for too.
squid_access="hosts_file $tmp/hosts
http_access allow all"

squid_more() {
	squid_icap ads req resp
}

via() {
	squid_curl "$@"
}

step "Squid: pages that are allowed"
echo '127.0.0.1 fine.example allowed.example' >"$tmp/hosts"
origin_start
configuration >"$tmp/icapd.conf"
icapd_configured
squid_start
via -o "$tmp/body" "http://fine.example:$origin_port/size/5000/1" ||
    fail "curl ended with $?"
"$origin" -g 5000 1 | cmp - "$tmp/body" || fail "it came changed"
via -o "$tmp/body" "http://fine.example:$origin_port/size/$HUGE/2" ||
    fail "curl ended with $?"
"$origin" -g "$HUGE" 2 | cmp - "$tmp/body" || fail "it came changed"
via -o "$tmp/body" "http://allowed.example:$origin_port/size/50/1" ||
    fail "curl ended with $?"
"$origin" -g 50 1 | cmp - "$tmp/body" || fail "it came changed"
via -p -o "$tmp/body" "http://fine.example:$origin_port/size/500/1" ||
    fail "no tunnel to an allowed host: curl ended with $?"

step "Squid: the page that says no"
via -D "$tmp/head" -o "$tmp/body" "http://ads.example/<script>" ||
    fail "curl ended with $?"
has "$tmp/head" '^HTTP/1.1 403 ' || fail "no 403: $(cat "$tmp/head")"
has "$tmp/body" Advertising || fail "the page does not name the category"
has "$tmp/body" 'http://ads.example/&lt;script&gt;' ||
    fail "the page does not name the URL: $(cat "$tmp/body")"
not has "$tmp/body" '<script>' || fail "the page is not escaped"

step "Squid: a redirect"
via -D "$tmp/head" -o /dev/null "http://ut1.example/x" ||
    fail "curl ended with $?"
has "$tmp/head" '^HTTP/1.1 302 ' || fail "no 302: $(cat "$tmp/head")"
has "$tmp/head" '^Location: http://localhost/why?c=ut1&u=http%3A%2F%2Fut1.example%2Fx' ||
    fail "another place: $(cat "$tmp/head")"

step "Squid: CONNECT is refused by its host"
via -D "$tmp/head" -o /dev/null "https://www.ads.example/" 2>"$tmp/curl.err" &&
    fail "the tunnel was made"
has "$tmp/head" '^HTTP/1.1 403 ' || fail "no 403: $(cat "$tmp/head")"

squid_stop
icapd_stop TERM
origin_stop
say ok
