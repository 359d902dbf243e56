#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The library as its users have it: installed into a folder of its own, found
# by pkg-config, built with one line, run, and talked to. The manual's example
# is that very program. The header pleases a C++ compiler too.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

setup
need pkg-config pkg-config
need make make
: "${top_srcdir:=$(dirname "$0")/..}"
: "${top_builddir:=.}"
: "${LIBRARY_CC:=cc}"
icapc=$t_builddir/../icapc
[ -x "$icapc" ] || fail "$icapc: no such program (make builds it)"

step "make install into a temporary folder"
# The make that runs this test is not to be waited for by the one it starts.
(
	unset MAKEFLAGS MAKELEVEL MFLAGS
	cd "$top_builddir" && make -s install DESTDIR="$tmp/root"
) >"$tmp/install.out" 2>&1 || {
	cat "$tmp/install.out" >&2
	fail "make install"
}
pc=$(find "$tmp/root" -name icapd.pc)
[ -n "$pc" ] || fail "icapd.pc is not installed"
PKG_CONFIG_PATH=${pc%/*}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
prefix=$tmp/root$(pkg-config --variable=prefix icapd)
for file in "$prefix/include/icapd/service.h" "$prefix/lib/libicapd.a"; do
	[ -s "$file" ] || fail "$file is not installed"
done

step "the manuals name the folders of this installation"
conf=$(find "$tmp/root" -name icapd.conf)
[ -n "$conf" ] || fail "no configuration is installed"
# the sample beside the init script is found too: the other is meant
conf=$(printf '%s\n' "$conf" | grep '/icapd/icapd\.conf$')
has "$prefix/share/man/man8/icapd.8" "^\.It Pa ${conf#"$tmp/root"}$" ||
    fail "icapd.8 does not name ${conf#"$tmp/root"}"
[ "$(find "$prefix/include" -type f | wc -l)" -eq 1 ] ||
    fail "more than one header is installed"

# flags OPTION...: what pkg-config says of the library where it is now
flags() {
	pkg-config --define-variable=prefix="$prefix" "$@" icapd
}

step "the example builds with one line"
cat "$top_srcdir/examples/upper.c" >"$tmp/run.c"
# shellcheck disable=SC2046,SC2086 # lists of words
(cd "$tmp" && $LIBRARY_CC -Wall -Wextra -Werror -o upper run.c \
    $(flags --cflags --libs)) || fail "the example does not build"

step "it has its own service and no other"
[ "$("$tmp/upper" -l)" = "upper	writes text in capitals" ] ||
    fail "icapd -l shows something else"

step "it is an ICAP server"
ICAPD=$tmp/upper
icapd_launch --host 127.0.0.1 --port 0 -w 2 shout
uri=icap://127.0.0.1:$icapd_port/shout

# talk TYPE: sends $tmp/sent as a response of that type
talk() {
	rm -f "$tmp/got"
	"$icapc" respmod -f "$tmp/sent" -o "$tmp/got" \
	    -E "Content-Type: $1" "$uri" >"$tmp/icapc.out" 2>&1 ||
	    { cat "$tmp/icapc.out" >&2; fail "icapc"; }
}

# Longer than what a service can write before the reply begins.
awk 'BEGIN {
	for (i = 0; i < 20000; i++)
		print "line " i " of a text"
}' >"$tmp/sent"
talk "text/plain; charset=utf-8"
tr '[:lower:]' '[:upper:]' <"$tmp/sent" | cmp - "$tmp/got" ||
    fail "the text does not come back in capitals"
talk "image/png"
has "$tmp/icapc.out" 204 || fail "something else than text was touched"
"$icapc" reqmod "$uri" >"$tmp/icapc.out" 2>&1 &&
    fail "it serves REQMOD, which it does not say"
icapd_stop TERM

step "a service of somebody else's has back-ends and numbers, too"
cat >"$tmp/run.c" <<-'EOT'
	#include <stdlib.h>
	#include <icapd/service.h>
	struct shop {
		struct service_backend	*store;
		struct service_counter	*seen;
		struct service_gauge	*level;
	};
	static int
	shop_open(const struct service_setup *setup, void **instance)
	{
		struct shop	*s = malloc(sizeof(*s));

		s->store = setup->backend(setup, "store", 1);
		s->seen = setup->counter(setup, "seen", "What was seen.");
		s->level = setup->gauge(setup, "level_metres", "How high.");
		if (setup->counter(setup, "seen", "What was seen.") != s->seen)
			setup->error(setup, "the same is another one");
		service_gauge_set(s->level, -3);
		*instance = s;
		return 0;
	}
	static enum verdict
	shop_serve(struct txn *txn, void *instance)
	{
		struct shop	*s = instance;

		(void)txn;
		service_count(s->seen, 10);
		service_backend_set(s->store, BACKEND_UP, "as of %d", 1969);
		return VERDICT_UNCHANGED;
	}
	static const struct service shop = {
		.name = "corner-shop", .summary = "for the tests",
		.methods = SERVICE_REQMOD, .preview = -1,
		.open = shop_open, .serve = shop_serve, .close = free,
	};
	int
	main(int argc, char *argv[])
	{
		const struct service *const	 services[] = { &shop, NULL };

		return icapd_main(argc, argv, services);
	}
EOT
# shellcheck disable=SC2046,SC2086 # lists of words
(cd "$tmp" && $LIBRARY_CC -Wall -Wextra -Werror -o shop run.c \
    $(flags --cflags --libs)) || fail "it does not build"
mkdir "$tmp/ctl"
cat >"$tmp/shop.conf" <<-EOT
	listen "127.0.0.1:0" { workers = 2 }
	run-dir = "$tmp/ctl"
	service "/shop" { run = {"corner-shop"} }
EOT
ICAPD=$tmp/shop
icapd_launch -d -f "$tmp/shop.conf"
# shown PATTERN: a line of icapctl services
shown() {
	"$prefix/sbin/icapctl" -r "$tmp/ctl" services >"$tmp/shown" 2>&1
	has "$tmp/shown" "$1" || {
		cat "$tmp/shown" >&2
		fail "icapctl does not show $1"
	}
}
shown '^corner-shop  *store  *unknown *$'
shown '^corner-shop  *level_metres  *-3$'
"$prefix/sbin/icapctl" -r "$tmp/ctl" status >"$tmp/shown"
has "$tmp/shown" 'NOT READY$' || fail "ready without a store"
for _ in 1 2 3; do
	"$icapc" reqmod "icap://127.0.0.1:$icapd_port/shop" \
	    >"$tmp/icapc.out" 2>&1 || fail "$(cat "$tmp/icapc.out")"
done
shown '^corner-shop  *store  *up  *20.*  as of 1969$'
shown '^corner-shop  *seen  *30$'
icapd_stop TERM

step "a C++ compiler takes the header"
cxx=
for word in c++ g++ clang++; do
	if command -v "$word" >/dev/null 2>&1; then
		cxx=$word
		break
	fi
done
if [ -z "$cxx" ]; then
	say "left out: no C++ compiler here (Debian: apt-get install g++)"
	exit 0
fi
cat >"$tmp/header.cc" <<-'EOT'
	#include <icapd/service.h>
	static verdict serve(txn *t, void *) {
		return txn_fail(t, "a test");
	}
	int main(int argc, char *argv[]) {
		service s = service();
		s.name = s.summary = "cxx";
		s.methods = SERVICE_REQMOD;
		s.serve = serve;
		const service *const services[] = { &s, NULL };
		return icapd_main(argc, argv, services);
	}
EOT
# shellcheck disable=SC2046 # a list of words
"$cxx" -Wall -Wextra -Werror -fsyntax-only $(flags --cflags) \
    "$tmp/header.cc" || fail "it does not"
