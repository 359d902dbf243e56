#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The files of block lists: who owns the folder of what is compiled, that it
# is written to while the daemon runs, and that nothing in it is believed which
# somebody else could have put there. As root also: lists are read anew by a
# user without privileges, for workers in another root directory.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=listlib.sh
. "$(dirname "$0")/listlib.sh"

list_setup
user=$(id -un)
[ "$(id -u)" -ne 0 ] || user=nobody
db=$tmp/cache/blocklist-ads.cdb
mkdir "$tmp/lists"
echo ads.example >"$tmp/lists/ads"
chmod -R a+rX "$tmp/lists"

# configuration [LINE...]
configuration() {
	cat <<-END
	run-dir = "$tmp/board"
	user = "$user"
	listen "127.0.0.1:0" { workers = 2 }
	$(for co_line in "$@"; do echo "$co_line"; done)
	blocklist ads {
		cache = "$tmp/cache"
		list "ads" { path = {"$tmp/lists/ads"} }
	}
	service "/ads" { run = {ads} }
	END
}

# add_entry DOMAIN: by an editor, which makes a new file.
add_entry() {
	cp "$tmp/lists/ads" "$tmp/lists/next"
	echo "$1" >>"$tmp/lists/next"
	mv "$tmp/lists/next" "$tmp/lists/ads"
}

has_updated() {
	"$icapctl" -r "$tmp/board" update >"$tmp/update.out" 2>&1
}

is_blocked_there() {
	"$icapc" reqmod -u "$2" "icap://127.0.0.1:$icapd_port/$1" \
	    >"$answer" 2>&1 || :
	has "$answer" '^HTTP/1.1 403 '
}

# blocks_soon SERVICE URL: an old worker may still take a client
blocks_soon() {
	wait_until is_blocked_there "$@" ||
	    fail "$2 is not blocked: $(cat "$answer")"
}

# refused WHY: icapd -n says that of the folder.
refused() {
	configuration >"$tmp/icapd.conf"
	start check "$ICAPD" -n -f "$tmp/icapd.conf"
	reap "$started_pid"
	[ "$status" -eq 1 ] || fail "icapd -n ended with $status"
	has "$tmp/check.err" "cache: $1: expected" ||
	    fail "another message: $(cat "$tmp/check.err")"
}

# made_anew WHY: the database that is there is not used.
made_anew() {
	configuration >"$tmp/icapd.conf"
	icapd_configured
	has "$tmp/icapd.err" "$1" || fail "no word of that"
	blocks ads http://ads.example/
	icapd_stop TERM
}

step "the folder is made, for the workers' user"
configuration >"$tmp/icapd.conf"
icapd_configured
[ "$(stat -c '%U %a' "$tmp/cache")" = "$user 750" ] ||
    fail "it is of $(stat -c '%U %a' "$tmp/cache")"
blocks ads http://ads.example/
cat "/proc/$icapd_pid/maps" >"$tmp/maps"

step "lists that change are compiled into it, and used at the next start"
before=$(stat -c %i "$db")
add_entry new.example
wait_until has_updated || fail "icapctl: $(cat "$tmp/update.out")"
blocks ads http://new.example/
[ "$(stat -c %i "$db")" != "$before" ] || fail "the database is the old one"
[ "$(stat -c %U "$db")" = "$user" ] || fail "somebody else's: $(ls -l "$db")"
not has "$tmp/icapd.err" 'cannot write' || fail "it was made in memory"
icapd_stop TERM
before=$(stat -c %i "$db")
icapd_configured
blocks ads http://new.example/
[ "$(stat -c %i "$db")" = "$before" ] || fail "it was made anew"
icapd_stop TERM

step "its user passes through the folders above, whatever the umask"
sed "s,/cache,/made/below/cache," "$tmp/icapd.conf" >"$tmp/below.conf"
(umask 077 && "$ICAPD" -n -f "$tmp/below.conf") >"$tmp/below.out" 2>&1 ||
    fail "icapd -n: $(cat "$tmp/below.out")"
mode=$(stat -c %a "$tmp/made/below")
case $user,$mode in
"$(id -un)",700 | *,755) ;;
*) fail "$tmp/made/below is $mode" ;;
esac

step "a reload has the lists compiled by a child, as the workers' user"
# as the process that watches does not know this section, it is not first
more() {
	configuration "blocklist more {" "cache = \"$tmp/cache\"" \
	    "list \"more\" { path = {$1} } }" \
	    'service "/more" { run = {more} }' >"$tmp/icapd.conf"
}
printf '%s\n' more.example 'not an entry' >"$tmp/lists/more"
chmod a+r "$tmp/lists/more"
icapd_configured
more "\"$tmp/lists/more\""
"$icapctl" -r "$tmp/board" reload >"$tmp/reload.out" 2>&1 ||
    fail "icapctl: $(cat "$tmp/reload.out")"
has "$tmp/icapd.err" 'reload: info: .*"more": compiled 1 entries' ||
    fail "the child has not compiled it"
[ "$(count "$tmp/icapd.err" '"more": compiled')" -eq 1 ] ||
    fail "it was not the child alone"
[ "$(count "$tmp/icapd.err" 'lists/more:2: ')" -eq 1 ] ||
    fail "the line that is no entry is not told once"
more_db=$tmp/cache/blocklist-more.cdb
[ "$(stat -c %U "$more_db")" = "$user" ] ||
    fail "somebody else's: $(ls -l "$more_db")"
blocks_soon more http://more.example/
blocks ads http://ads.example/

step "what it finds wrong is told whole, and once"
more "\"$tmp/lists/none\", \"$tmp/lists/more\""
echo 'nonsense = yes' >>"$tmp/icapd.conf"
"$icapctl" -r "$tmp/board" reload >"$tmp/reload.out" 2>&1 &&
    fail "icapctl: $(cat "$tmp/reload.out")"
has "$tmp/reload.out" 'icapd.conf:[0-9]*: .*lists/none": No such file' ||
    fail "icapctl: $(cat "$tmp/reload.out")"
for word in 'lists/none": No such file' nonsense; do
	[ "$(count "$tmp/icapd.err" "reload: error: .*conf:[0-9]*: .*$word")" \
	    -eq 1 ] || fail "$word is not told once"
done
blocks more http://more.example/
icapd_stop TERM
rm "$more_db"

step "the memory of workers is no limit for who compiles"
cp "$tmp/lists/ads" "$tmp/lists/short"
configuration 'process { memory = 16M }' >"$tmp/icapd.conf"
# many_entries TLD: in place of the list
many_entries() {
	awk -v tld="$1" 'BEGIN {
		for (i = 0; i < 500000; i++)
			print "domain-number-" i "." tld
	}' >"$tmp/lists/next"
	mv "$tmp/lists/next" "$tmp/lists/ads"
}
# a sanitizer takes more than that from the start
if grep -q -E 'lib[atu][sb]san' "$tmp/maps"; then
	say "SKIP: built with a sanitizer"
else
	icapd_configured
	many_entries example
	wait_until has_updated || fail "icapctl: $(cat "$tmp/update.out")"
	blocks ads http://domain-number-499999.example/
	many_entries test
	"$icapctl" -r "$tmp/board" reload >"$tmp/reload.out" 2>&1 ||
	    fail "icapctl: $(cat "$tmp/reload.out")"
	blocks_soon ads http://domain-number-499999.test/
	icapd_stop TERM
fi
mv "$tmp/lists/short" "$tmp/lists/ads"

step "a folder that others can write to is refused"
chmod 770 "$tmp/cache"
refused "others can write to it"
chmod 777 "$tmp/cache"
refused "others can write to it"
chmod 750 "$tmp/cache"
mkdir "$tmp/open"
mv "$tmp/cache" "$tmp/open/cache"
chmod 777 "$tmp/open"
sed "s,/cache,/open/cache," "$tmp/icapd.conf" >"$tmp/open.conf"
start check "$ICAPD" -n -f "$tmp/open.conf"
reap "$started_pid"
has "$tmp/check.err" "others can put another one in its place" ||
    fail "another message: $(cat "$tmp/check.err")"
chmod 755 "$tmp/open"

step "and so is a symbolic link"
ln -s "$tmp/open/cache" "$tmp/cache"
refused "it is a symbolic link"
rm "$tmp/cache"
mv "$tmp/open/cache" "$tmp/cache"

step "a database that somebody else could have changed is made anew"
chmod 666 "$db"
made_anew "is not used and made anew: others can write to it"
ln "$db" "$tmp/second"
made_anew "is not used and made anew: it is no file with this one name"
rm -f "$tmp/second" "$db"
mkfifo "$db"
made_anew "is not used and made anew: it is no file with this one name"

step "one of other lists is found out, whole as it is"
echo harmless.example >"$tmp/lists/other"
sed 's,lists/ads,lists/other,; s,/cache,/other,' "$tmp/icapd.conf" \
    >"$tmp/other.conf"
start check "$ICAPD" -n -f "$tmp/other.conf"
reap "$started_pid"
[ "$status" -eq 0 ] || fail "icapd -n: $(cat "$tmp/check.err")"
cat "$tmp/other/blocklist-ads.cdb" >"$db"
made_anew 'compiled 2 entries'

if [ "$(id -u)" -ne 0 ]; then
	say "not root: other users and other root directories are left out"
	say ok
	exit 0
fi

step "root: a database of another user is made anew"
chown 12345 "$db"
made_anew "is not used and made anew: it belongs to another user"
chown 12345 "$tmp/cache"
refused "it belongs to another user"
chown "$user" "$tmp/cache"

step "root: a folder with other things in it is not given away"
rm -rf "$tmp/cache"
mkdir "$tmp/cache"
echo precious >"$tmp/cache/file"
made_anew 'compiled 2 entries'
[ "$(stat -c %U "$tmp/cache")" = root ] || fail "it was given away"

step "root: and a reload, whose child cannot write there, is not misled by it"
icapd_configured
passes ads http://unkept.example/
add_entry unkept.example
"$icapctl" -r "$tmp/board" reload >"$tmp/reload.out" 2>&1 ||
    fail "icapctl: $(cat "$tmp/reload.out")"
blocks_soon ads http://unkept.example/
# the process that watches may have been as fast
[ "$(count "$tmp/icapd.err" 'master: info: .*"ads": compiled 3 entries')" \
    -eq 1 ] || fail "the master has taken the old one for the new one"
icapd_stop TERM
rm -rf "$tmp/cache"

step "root: lists are read anew without privileges, outside a chroot"
mkdir -p "$tmp/root/dev" "$tmp/root/spool"
chmod 1777 "$tmp/root/spool"
configuration "chroot = \"$tmp/root\"" 'spool { directory = "/spool" }' \
    >"$tmp/icapd.conf"
# the search for leaks at the end of a process needs /proc
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
icapd_configured
unset ASAN_OPTIONS
workers=$(icapd_workers)
for worker in $workers; do
	[ "$(readlink "/proc/$worker/root")" = "$tmp/root" ] ||
	    fail "worker $worker has another root"
	[ "$(stat -c %U "/proc/$worker")" = "$user" ] ||
	    fail "worker $worker is somebody else"
done
blocks ads http://ads.example/
passes ads http://later.example/
before=$(stat -c %i "$db")
add_entry later.example
wait_until has_updated || fail "icapctl: $(cat "$tmp/update.out")"
answers=0
while [ "$answers" -lt 8 ]; do
	blocks_soon ads http://later.example/
	answers=$((answers + 1))
done
[ "$(icapd_workers)" = "$workers" ] || fail "workers have been replaced"
[ "$(stat -c %i "$db")" != "$before" ] || fail "the database is the old one"
kill -HUP "$icapd_pid"
wait_until has "$tmp/icapd.err" 'generation 2' || fail "no reload"
blocks_soon ads http://later.example/
icapd_stop TERM
[ -z "$(find "$tmp/root" -type f)" ] || fail "files are left in the root"
say ok
