#!/bin/sh
# SPDX-License-Identifier: ISC
#
# icapd.conf(5) against the tables of icapd: each key is in both, with the
# same type, default, range, and answer to whether a reload applies it; and
# the examples of the manual, the sample file, and each service's section are
# such that icapd takes them.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

setup
source=${top_srcdir:-$(dirname "$0")/..}
manual=$source/man/icapd.conf.5
sample=${top_builddir:-.}/rc/icapd.conf
LC_ALL=C

# same MANUAL TABLES: what the two say is the same, but that what is not built
# in is in the manual all the same.
same() {
	if "$ICAPD" -l | grep -q '^blocklist'; then
		cp "$1" "$tmp/built"
	else
		grep -v '^blocklist' "$1" >"$tmp/built"
	fi
	diff "$tmp/built" "$2" >"$tmp/diff" || {
		sed -n -e 's/^</only in the manual:/p' \
		    -e 's/^>/only in icapd:/p' "$tmp/diff" >&2
		fail "the manual and icapd differ"
	}
}

step "the keys of the manual and of icapd"
# Both as: section key type default range reload.  Keys of services follow
# behind, in lists inside of "Sections of services".
# Sections within those of services are another step.
# Where it runs is configured at the build; the manual has the usual place.
"$ICAPD" --list-keys | awk -F '\t' -v OFS='\t' '
$2 == "run-dir" { sub(/".*\/icapd"/, "\"/run/icapd\"") }
{ print }' >"$tmp/keys"
awk -F '\t' '$3 != "section" && $1 !~ / /' "$tmp/keys" | sort >"$tmp/tables"
[ -s "$tmp/tables" ] || fail "icapd --list-keys prints nothing"
awk '
/^\.Ss / {
	section = $2
	if ($0 == ".Ss Top level")
		section = ""
	if ($0 == ".Ss Sections of services")
		services = 1
}
/^\.It Ic / && services && NF == 3 { section = $3 }
/^\.It Ic .* No = Ar / {
	key = $3
	type = $7
	if (type == "{text,")
		type = "list"
	if (type == "{network,")
		type = "networks"
}
/^Default .*, reload (yes|no)\.$/ {
	value = $0
	sub(/^Default /, "", value)
	reload = value
	sub(/.*, reload /, "", reload)
	sub(/\.$/, "", reload)
	sub(/, reload (yes|no)\.$/, "", value)
	range = ""
	if ((i = index(value, ", range ")) > 0) {
		range = substr(value, i + 8)
		value = substr(value, 1, i - 1)
	}
	printf("%s\t%s\t%s\t%s\t%s\t%s\n", section, key, type, value, range,
	    reload)
	key = "(none)"
}' "$manual" | sort >"$tmp/manual"
same "$tmp/manual" "$tmp/tables"

step "the keys of sections within those of services"
# Both as: service section key kind, which is list, number or text; defaults
# are said in sentences there.
awk -F '\t' '$1 ~ / / && $3 != "section" {
	print $1, $2, $3 ~ /^(list|number)$/ ? $3 : "text"
}' "$tmp/keys" | sort >"$tmp/inner"
[ -s "$tmp/inner" ] || fail "there are none"
awk '
/^\.Ss / { services = $0 == ".Ss Sections of services"; inner = "" }
/^\.It Ic / && services && NF == 3 { service = $3; inner = "" }
/^\.Ic [a-z]+ Qq Ar name No { \.\.\. }$/ && services { inner = $2 }
/^\.It Cm .* No = / && inner != "" {
	kind = / Pf { / ? "list" : $NF ~ /^(number|size)$/ ? "number" : "text"
	for (i = 3; $i != "No"; i++)
		if ($i != ",")
			print service, inner, $i, kind
}' "$manual" | sort >"$tmp/manual.inner"
same "$tmp/manual.inner" "$tmp/inner"

step "each service is in the manual"
"$ICAPD" -l | while IFS='	' read -r name summary; do
	grep -q "^\.It Ic $name\$" "$manual" || echo "$name ($summary)"
done >"$tmp/missing"
[ ! -s "$tmp/missing" ] || fail "not there:" "$(cat "$tmp/missing")"

# Folders, users and addresses of an example are not those of this host.
anywhere() {
	sed -e '/^user = /d' -e '/^group = /d' -e '/^pidfile = /d' \
	    -e '/^run-dir = /d' -e '/^[[:blank:]]*directory = /d' \
	    -e '/^include(/d' -e 's/\[2001:db8::7\]:1344/[::1]:0/' \
	    -e 's/127\.0\.0\.1:1344/127.0.0.1:0/' \
	    -e "s,/etc/icapd/lists/,$tmp/lists/," \
	    -e "s,^blocklist.*,&\n\tcache = \"$tmp/cache\"," "$1"
}

# accepts FILE
accepts() {
	"$ICAPD" -n -f "$1" >"$tmp/check.out" 2>&1 || {
		cat "$1" "$tmp/check.out" >&2
		fail "icapd does not take it"
	}
}

step "icapd takes the examples of the manual"
# the lists that they name
mkdir -p "$tmp/lists/ut1/games"
echo ads.example | tee "$tmp/lists/ads.txt" "$tmp/lists/allowed.txt" \
    >"$tmp/lists/ut1/games/domains"
awk -v dir="$tmp" '
/^\.Sh / { examples = $2 == "EXAMPLES" }
examples && /^\.Ed/ { copy = 0 }
copy { print >file }
examples && /^\.Bd / { copy = 1; file = dir "/example" ++n ".text" }
' "$manual"
[ -s "$tmp/example1.text" ] || fail "there are none"
for text in "$tmp"/example*.text; do
	if grep -q '^blocklist' "$text" && ! "$ICAPD" -l | grep -q '^blocklist'
	then
		continue
	fi
	anywhere "$text" >"$text.conf"
	# the one without a listener wants a port that may be taken
	grep -q '^listen' "$text" ||
	    echo 'listen "127.0.0.1:0" { }' >>"$text.conf"
	accepts "$text.conf"
done

step "icapd takes the sample file, and it shows every key"
anywhere "$sample" >"$tmp/sample.conf"
accepts "$tmp/sample.conf"
# Keys of services are left to the manual.
"$ICAPD" -l | cut -f 1 >"$tmp/services"
grep -v -w -f "$tmp/services" "$tmp/tables" | cut -f 2 | sort -u |
    while read -r key; do
	grep -q "^[#[:blank:]]*$key = " "$sample" || echo "$key"
done >"$tmp/missing"
[ ! -s "$tmp/missing" ] || fail "it has not:" "$(cat "$tmp/missing")"

step "and with every key that it shows, it says the same"
# What is commented out are the defaults.
"$ICAPD" -nn -f "$tmp/sample.conf" >"$tmp/one"
sed 's/^#\([[:blank:]]*[a-z-]* = \)/\1/' "$tmp/sample.conf" >"$tmp/all.raw"
anywhere "$tmp/all.raw" >"$tmp/all.conf"
accepts "$tmp/all.conf"
"$ICAPD" -nn -f "$tmp/all.conf" >"$tmp/two"
diff "$tmp/one" "$tmp/two" || fail "a default of the sample file is none"

say "ok"
