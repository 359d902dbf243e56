#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What is installed fits together: the programs, the sample configuration, the
# init script and the manuals all mean the same folders. README's own sequence
# from `make install` to `icapctl reload` is run with a prefix of its own.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

setup
need make make
: "${top_srcdir:=$(dirname "$0")/..}"
: "${top_builddir:=.}"
: "${LIBRARY_CC:=cc}"
prefix=$tmp/prefix
run=$tmp/var/run
src=$tmp/src

# The daemon leaves us, so it has to be found by its pid file.
cleanup_hook="kill_daemon $run/icapd/icapd.pid"

# quiet COMMAND...: what it says is shown if it fails
quiet() {
	# The make that runs this test is not to be waited for by another.
	(unset MAKEFLAGS MAKELEVEL MFLAGS && "$@") >"$tmp/quiet" 2>&1 || {
		tail -n 30 "$tmp/quiet" >&2
		fail "$*"
	}
}

# configure OPTION...: in a folder of its own; not optimized, to be quick
configure() {
	mkdir -p "$tmp/build"
	cd "$tmp/build" || fail "$tmp/build"
	quiet "$src/configure" -q -C CC="${LIBRARY_CC%% *}" CFLAGS=-O0 "$@"
}

step "the source, built for another prefix"
here=$PWD
cd "$top_builddir" || fail "$top_builddir"
quiet make -s distdir distdir="$src"
cd "$here" || fail "$here"
configure --prefix="$prefix" --runstatedir="$run"
quiet make -s

step "README's sequence"
# An administrator who needs another port and folder for bodies, no more.
mkdir -p "$tmp/bin" "$tmp/spool"
chmod 1777 "$tmp/spool"
chmod 755 "$tmp"
cat >"$tmp/bin/edit" <<END
#!/bin/sh
sed -e 's/127\.0\.0\.1:1344/127.0.0.1:0/' \
    -e 's,^#\(.directory = \).*,\1"$tmp/spool",' "\$1" >"\$1.new" &&
    mv "\$1.new" "\$1"
END
chmod 755 "$tmp/bin/edit"
awk '/^As a daemon/ { found = 1 }
/^[A-Z]/ && told { exit }
found && /^\t/ { told = 1; print }' "$src/README" |
    sed -e "s,/usr/local,$prefix," -e "s,/run/icapd,$run/icapd," \
    >"$tmp/sequence"
[ "$(wc -l <"$tmp/sequence")" -ge 7 ] || fail "README has none"
PATH=$prefix/sbin:$PATH
EDITOR=$tmp/bin/edit
export PATH EDITOR
quiet sh -e "$tmp/sequence"
has "$tmp/quiet" '^configuration OK$' || fail "icapd -n"
has "$tmp/quiet" '^icapd .*, pid [0-9]*, ready$' || fail "icapctl status"
has "$tmp/quiet" '^generation 2, 64 workers$' || fail "icapctl reload"

step "the init script and the manuals mean the same daemon"
ICAPD_DEFAULTS=$tmp/none
export ICAPD_DEFAULTS
init=$prefix/share/icapd/rc/icapd.init
quiet sh "$init" status
quiet icapctl check
icapctl -j check >"$tmp/check" || fail "icapctl -j check"
has "$tmp/check" "\"configuration\":\"$prefix/etc/icapd/icapd.conf\"" ||
    fail "check looks at another file"
has "$tmp/check" "\"program\":\"$prefix/sbin/icapd\"" ||
    fail "check runs another program"
for file in man5/icapd.conf.5 man8/icapctl.8 man8/icapd.8; do
	has "$prefix/share/man/$file" "$run/icapd" || fail "$file does not"
	grep -n '[^r]/run/icapd' "$prefix/share/man/$file" &&
	    fail "$file names another folder"
done
has "$prefix/share/icapd/rc/icapd.logrotate" "$run/icapd/icapd.pid" ||
    fail "the logrotate file does not"

step "the package is replaced under the running daemon"
pid=$(cat "$run/icapd/icapd.pid")
quiet make -s install
printf 'log "%s" {\n\taccess = no\n\tevents = yes\n}\n' "$tmp/log/events" \
    >>"$prefix/etc/icapd/icapd.conf"
mkdir "$tmp/log"
chmod 1777 "$tmp/log"
quiet icapctl check
quiet icapctl upgrade
wait_until is_gone "$pid" || fail "the old one does not end"
pid=$(cat "$run/icapd/icapd.pid")

step "the logs are opened again, also where icapctl finds no board"
sed -n '/postrotate/,/endscript/{/script/d;/postrotate/d;p}' \
    "$prefix/share/icapd/rc/icapd.logrotate" >"$tmp/rotate"
has "$tmp/rotate" 'icapctl reopen' || fail "nothing is run"
mv "$run/icapd/icapd.board" "$run/icapd/board"
mv "$tmp/log/events" "$tmp/log/events.1"
quiet sh "$tmp/rotate"
wait_until test -e "$tmp/log/events" || fail "they were not"
mv "$run/icapd/board" "$run/icapd/icapd.board"

step "the upgrade of a daemon without a board leaves the board of another"
sed "s,^pidfile.*,pidfile = \"$tmp/second.pid\"," \
    "$prefix/etc/icapd/icapd.conf" >"$tmp/second.conf"
start icapd icapd -d -f "$tmp/second.conf"
second=$started_pid
wait_until has "$tmp/icapd.err" "is in use by process $pid: icapctl does" ||
    fail "it does not say that it has no board"
is_second() {
	[ -s "$tmp/second.pid" ] && [ "$(cat "$tmp/second.pid")" = "$second" ]
}
wait_until is_second || fail "the second is not ready"
kill -USR2 "$second"
wait_until is_gone "$second" || fail "the second is not upgraded"
reap "$second"
second=$(cat "$tmp/second.pid")
started="$started $second"
icapctl status >"$tmp/status" || fail "icapctl status"
has "$tmp/status" "pid $pid, ready" || fail "its board was taken"
second_pids="$second $(family "$second")"
kill -TERM "$second"
# shellcheck disable=SC2086 # a list of pids
wait_until is_gone $second_pids || fail "the second does not end"
icapctl status >"$tmp/status" || fail "its board was removed"

step "stop"
pids="$pid $(family "$pid")"
quiet sh "$init" stop
# shellcheck disable=SC2086 # a list of pids
wait_until is_gone $pids || fail "something is left"
[ -z "$(find "$run" ! -type d)" ] || fail "left:" "$(find "$run" ! -type d)"
icapctl status >"$tmp/out" 2>&1
[ $? -eq 3 ] || fail "icapctl does not say that there is none"
quiet icapctl check

step "without a run directory it runs, and says what is missing"
rmdir "$run/icapd"
sed -i '/^pidfile/d' "$prefix/etc/icapd/icapd.conf"
cd "$tmp" || fail "$tmp"
start icapd icapd -d
icapd_pid=$started_pid
wait_until icapd_is_up || fail "it is not up"
is_running "$icapd_pid" || fail "it does not start"
has "$tmp/icapd.err" "run-dir $run/icapd: .*icapctl does not find this" ||
    fail "it does not say that icapctl will not find it"
end "$icapd_pid"
forget "$icapd_pid"

step "uninstall leaves what was changed"
cd "$tmp/build" || fail "$tmp/build"
quiet make -s uninstall
left=$(find "$prefix" ! -type d)
[ "$left" = "$prefix/etc/icapd/icapd.conf" ] || fail "left:" "$left"

step "as distributions configure it, and as nobody says anything: /run"
for options in '--prefix=/usr --sysconfdir=/etc --localstatedir=/var' ''; do
	# shellcheck disable=SC2086 # a list of words
	configure $options
	quiet make -s rc/icapd.conf rc/icapd.init rc/icapd.logrotate
	for file in conf init logrotate; do
		has "rc/icapd.$file" '[^r]/run/icapd/icapd\.pid' ||
		    fail "icapd.$file with $options"
	done
	has Makefile '^runstatedir = /run$' ||
	    fail "the programs look elsewhere with $options"
done

say "ok"
