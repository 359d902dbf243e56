#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The clamav service as nobody, in a root directory of its own: clamd's socket
# is reached from there, for bodies in memory and in files, as far as its
# permissions let nobody in, and what clamd says is heard by the process that
# watches it as well.  Only root can do this.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"
# shellcheck source=avlib.sh
. "$(dirname "$0")/avlib.sh"

[ "$(id -u)" -eq 0 ] || skip "only root can change the root directory"
[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"
setup
clamd_setup
root=$tmp/root
mkdir -p "$root/spool" "$root/run"
chmod 1777 "$root/spool"
clamd_socket=$root/run/clamd.sock
group=$(id -gn nobody)

"$origin" -g 20000 3 >"$tmp/clean"
"$origin" -g 3000000 4 >"$tmp/large"
cp "$tmp/large" "$tmp/large.eicar"
cat "$tmp/eicar" >>"$tmp/large.eicar"

{
	cat <<-END
	user = nobody
	chroot = "$root"
	spool { directory = "/spool" }
	listen "127.0.0.1:0" { workers = 8 }
	log "-" { form = text }
	END
	section av block unix:/run/clamd.sock "cache = no"
	section fail fail unix:/run/clamd.sock "cache = no"
	section pass pass unix:/run/clamd.sock "cache = no"
	# where it is for those who are outside
	section av-outside block "unix:$clamd_socket" "cache = no"
	section fail-outside fail "unix:$clamd_socket" "cache = no"
	section pass-outside pass "unix:$clamd_socket" "cache = no"
} >"$tmp/icapd.conf"

step "a socket for the group of nobody"
cat >"$clamd_more" <<END
LocalSocketMode 660
LocalSocketGroup $group
END
clamd_start
# the search for leaks at the end of a process needs /proc
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
icapd_serve
for worker in $(icapd_workers); do
	[ "$(readlink "/proc/$worker/root")" = "$root" ] ||
	    fail "worker $worker has another root"
	grep -q "^Uid:.$(id -u nobody)" "/proc/$worker/status" ||
	    fail "worker $worker is somebody else"
done
for file in clean large; do
	clean av "$tmp/$file"
done
for file in eicar large.eicar; do
	infected av "$tmp/$file"
done
[ -z "$(ls "$root/spool")" ] || fail "bodies are left in the spool"

step "the path is that inside"
unscanned down "$tmp/eicar" -outside
wait_until has "$tmp/icapd.err" "clamd unix:$clamd_socket: does not answer" ||
    fail "the log does not say so"
! has "$tmp/icapd.err" "clamd unix:/run/clamd.sock: does not answer" ||
    fail "the log says that it does not answer"

step "a socket for root alone"
end "$clamd_pid"
forget "$clamd_pid"
echo 'LocalSocketMode 600' >"$clamd_more"
clamd_start
unscanned down "$tmp/eicar"
wait_until has "$tmp/icapd.err" "clamd unix:/run/clamd.sock: does not" ||
    fail "the log does not say so"

step "the end"
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
