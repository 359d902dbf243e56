/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: block lists of every form.  Whatever the bytes are, each entry
 * is a text that can be looked for, the numbers of entries and of lines that
 * are none add up, and what was compiled is whole and has every entry that was
 * read.  An input that begins with "~" is a folder's file of expressions.
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../services/blocklist_make.h"
#include "../services/blocklist_read.h"
#include "../services/expr.h"
#include "../services/notice.h"
#include "fuzz.h"

/* Entries that are looked for, bytes of them. */
#define KEPT_MAX	200
#define KEPT_SIZE	(sizeof(((struct weburl *)0)->text))

static char		 folder[64];
static int		 source = -1;

static char		 kept[KEPT_MAX][KEPT_SIZE];
static unsigned int	 nkept;
static unsigned long	 taken;
static unsigned long	 complaints;
static bool		 has_exceptions;

static void
silent(bool warning, const char *message)
{
	(void)warning;
	must(message[0] != '\0');
}

static void
remove_folder(void)
{
	char	 path[128];

	(void)snprintf(path, sizeof(path), "%s/expressions", folder);
	(void)unlink(path);
	(void)rmdir(folder);
}

/* One file for all inputs, with a name of its own and one in a folder. */
static void
set_up(void)
{
	char	 path[128], target[64];

	(void)strlcpy(folder, "/tmp/icapd-fuzz-list.XXXXXX", sizeof(folder));
	must(mkdtemp(folder) != NULL);
	must((source = memfd_create("list", MFD_CLOEXEC)) != -1);
	(void)snprintf(path, sizeof(path), "%s/expressions", folder);
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", source);
	must(symlink(target, path) == 0);
	must(atexit(remove_folder) == 0);
	notice_set(silent);
}

static int
on_entry(void *arg, enum blocklist_kind kind, const char *text, size_t len)
{
	size_t	 i;

	(void)arg;
	taken++;
	must(len > 0);
	if (kind == BLOCKLIST_EXPRESSION) {
		must(len <= BLOCKLIST_LINE_MAX);
		return 0;
	}
	must(len < KEPT_SIZE);
	for (i = 0; i < len; i++) {
		must(text[i] > ' ' && text[i] != 0x7f);
		must(text[i] < 'A' || text[i] > 'Z');
	}
	must(text[len - 1] != '/');
	if (kind == BLOCKLIST_EXCEPTION) {
		must(memchr(text, '/', len) == NULL);
		has_exceptions = true;
	} else if (nkept < KEPT_MAX) {
		memcpy(kept[nkept], text, len);
		kept[nkept++][len] = '\0';
	}
	return 0;
}

static void
on_bad(void *arg, const char *file, unsigned long line, const char *why)
{
	const struct blocklist_reader	*r = arg;

	must(file[0] != '\0' && why[0] != '\0');
	must(line > 0 && line <= r->line);
	complaints++;
}

static void
read_it(const char *path, size_t len)
{
	static struct blocklist_reader	 r;
	SHA2_CTX			 ctx;

	memset(&r, 0, sizeof(r));
	SHA256Init(&ctx);
	r.entry = on_entry;
	r.complain = on_bad;
	r.arg = &r;
	r.digest = &ctx;
	nkept = 0;
	taken = complaints = 0;
	has_exceptions = false;
	must(blocklist_read(&r, path) == 0);
	must(r.entries == taken && r.bad == complaints);
	must(r.line <= len + 1);
}

/* Each entry leads to itself. */
static void
look_up(struct blocklist_db *db)
{
	static struct weburl	 u;
	struct blocklist_match	 m[BLOCKLIST_MATCHES_MAX];
	struct slice		 s, nowhere = { "", 0 };
	unsigned int		 i, k, n;

	for (i = 0; i < nkept; i++) {
		s.p = kept[i];
		s.len = strlen(kept[i]);
		must(weburl_parse(&u, s, nowhere) == 0);
		/* what was cut off may end in the middle of something */
		if (s.len > u.host_len + WEBURL_PATH_MAX - 8)
			continue;
		n = blocklist_db_find(db, &u, m);
		must(n <= BLOCKLIST_MATCHES_MAX);
		if (has_exceptions)
			continue;
		for (k = 0; k < n; k++)
			if (m[k].at == 0 && m[k].len == s.len)
				break;
		must(k < n && m[k].lists == 1);
	}
}

static void
compile(char *path)
{
	static struct blocklist_list	 list;
	struct blocklist_sources	 s = { "fuzz", &list, 1, false, false };
	struct blocklist_fault		 fault;
	struct blocklist_db		 db;
	unsigned char			 stamp[BLOCKLIST_DIGEST_LEN] = { 0 };
	unsigned char			 digest[BLOCKLIST_DIGEST_LEN];
	const char			*text;
	size_t				 len;
	unsigned int			 i, of;
	int				 fd;

	list.name = list.category = "fuzz";
	list.path = &path;
	list.npaths = 1;
	must((fd = memfd_create("db", MFD_CLOEXEC)) != -1);
	if (blocklist_make(&s, fd, stamp, NULL, &fault) == -1) {
		must(fault.list == 0 && fault.path == 0);
		must(fault.why[0] != '\0');
	} else {
		must(blocklist_db_open(&db, fd, true) == 0);
		must(blocklist_make_digest(&s, digest, &fault) == 0);
		must(memcmp(digest, db.trailer.digest, sizeof(digest)) == 0);
		must(blocklist_db_get_count(&db, 0) <= taken);
		look_up(&db);
		for (i = 0; i < db.trailer.expressions; i++) {
			text = blocklist_db_get_expression(&db, i, &len, &of);
			must(text != NULL && of == 0 && len > 0);
		}
		blocklist_db_close(&db);
	}
	(void)close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char	 path[64];

	if (source == -1)
		set_up();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", source);
	if (len > 0 && data[0] == '~') {
		(void)strlcpy(path, folder, sizeof(path));
		data++;
		len--;
	}
	must(ftruncate(source, 0) == 0);
	must(len == 0 || pwrite(source, data, len, 0) == (ssize_t)len);
	read_it(path, len);
	compile(path);
	return 0;
}
