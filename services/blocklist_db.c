/* SPDX-License-Identifier: ISC */
/*
 * Looking up in a compiled block list.  Called by blocklist.c in workers, for
 * each transaction, and after compiling.  The file is a constant database
 * (libcdb) that all processes map, with a trailer behind it.  A look-up walks
 * the suffixes of the host where they lie, and the paths only of hosts that
 * have URLs in a list; it does not allocate.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "blocklist_db.h"

/* Parts of one path that are looked for. */
#define CUTS_MAX	64

/* Odd, with bits of no pattern (the golden ratio): spreads what is added. */
#define PRIME		UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t
mix(uint64_t lane, const unsigned char *p)
{
	uint64_t	 word;

	memcpy(&word, p, sizeof(word));
	lane = (lane ^ word) * PRIME;
	return lane ^ lane >> 29;
}

uint64_t
blocklist_sum(const void *p, size_t len)
{
	const unsigned char	*bytes = p;
	uint64_t		 lane[4], a = 1, b = 2, c = 3, d = 4;
	uint64_t		 all = len;
	size_t			 i, k;

	/* four of them, so that one need not wait for the other */
	for (i = 0; i + 32 <= len; i += 32) {
		a = mix(a, bytes + i);
		b = mix(b, bytes + i + 8);
		c = mix(c, bytes + i + 16);
		d = mix(d, bytes + i + 24);
	}
	lane[0] = a;
	lane[1] = b;
	lane[2] = c;
	lane[3] = d;
	for (; i < len; i++)
		lane[0] = (lane[0] ^ bytes[i]) * PRIME;
	for (k = 0; k < 4; k++) {
		all = (all ^ lane[k]) * PRIME;
		all ^= all >> 32;
	}
	return all;
}

static int
read_trailer(struct blocklist_trailer *t, int fd)
{
	struct stat	 st;

	if (fstat(fd, &st) == -1)
		return -1;
	errno = EINVAL;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(*t) ||
	    pread(fd, t, sizeof(*t), st.st_size - (off_t)sizeof(*t)) !=
	    (ssize_t)sizeof(*t))
		return -1;
	errno = EINVAL;
	if (memcmp(t->magic, BLOCKLIST_MAGIC, sizeof(t->magic)) != 0 ||
	    t->size != (uint64_t)st.st_size - sizeof(*t))
		return -1;
	return 0;
}

int
blocklist_db_open(struct blocklist_db *db, int fd, bool check)
{
	const void	*all;

	memset(db, 0, sizeof(*db));
	if (read_trailer(&db->trailer, fd) == -1)
		return -1;
	if (cdb_init(&db->cdb, fd) == -1)
		return -1;
	db->is_open = true;
	if (!check)
		return 0;
	all = cdb_get(&db->cdb, (unsigned int)db->trailer.size, 0);
	if (all == NULL || blocklist_sum(all, db->trailer.size) !=
	    db->trailer.sum) {
		blocklist_db_close(db);
		errno = EINVAL;
		return -1;
	}
	return 0;
}

void
blocklist_db_close(struct blocklist_db *db)
{
	if (db->is_open)
		cdb_free(&db->cdb);
	db->is_open = false;
}

/* The lists that hold this key, and whether there are URLs below it. */
static uint64_t
find(struct blocklist_db *db, const char *key, size_t len, bool *has_urls)
{
	const unsigned char	*value;
	uint64_t		 lists = 0;
	unsigned int		 i, n;

	if (cdb_find(&db->cdb, key, (unsigned int)len) <= 0)
		return 0;
	n = cdb_datalen(&db->cdb);
	if ((value = cdb_getdata(&db->cdb)) == NULL)
		return 0;
	for (i = 0; i < n; i++)
		if (value[i] == BLOCKLIST_HAS_URLS)
			*has_urls = true;
		else
			lists |= UINT64_C(1) << (value[i] % 64);
	return lists;
}

/* Ends of the parts of a path: before each slash, ";", the "?" and each "&". */
static unsigned int
find_cuts(const struct weburl *u, size_t *cut)
{
	unsigned int	 n = 0;
	bool		 is_query = false;
	size_t		 i;

	for (i = u->host_len + 1; i < u->len && n < CUTS_MAX; i++) {
		if (u->text[i] == '?')
			is_query = true;
		else if (u->text[i] != ';' &&
		    u->text[i] != (is_query ? '&' : '/'))
			continue;
		cut[n++] = i;
	}
	/* of one that is cut the end is none */
	if (!u->is_cut && u->text[u->len - 1] != '/')
		cut[n++] = u->len;
	return n;
}

static unsigned int
find_paths(struct blocklist_db *db, const struct weburl *u, size_t at,
    struct blocklist_match *m, unsigned int n)
{
	size_t		 cut[CUTS_MAX + 1];
	unsigned int	 i;
	bool		 unused;

	for (i = find_cuts(u, cut); i > 0 && n < BLOCKLIST_MATCHES_MAX; i--) {
		m[n].at = at;
		m[n].len = cut[i - 1] - at;
		m[n].lists = find(db, u->text + at, m[n].len, &unused);
		n += m[n].lists != 0;
	}
	return n;
}

/* Lists that have this domain as one of that kind. */
static uint64_t
find_special(struct blocklist_db *db, char kind, const char *p, size_t len)
{
	char	 key[WEBURL_HOST_MAX + 2];
	bool	 unused;

	if (len > WEBURL_HOST_MAX)
		return 0;
	key[0] = kind;
	memcpy(key + 1, p, len);
	return find(db, key, len + 1, &unused);
}

/* Takes the exceptions off the matches; returns how many are left. */
static unsigned int
except(struct blocklist_db *db, const struct weburl *u, uint64_t excepted,
    uint64_t final, struct blocklist_match *m, unsigned int n)
{
	unsigned int	 i, kept = 0;
	uint64_t	 important;

	for (i = 0; i < n; i++) {
		important = find_special(db, BLOCKLIST_KEY_IMPORTANT,
		    u->text + m[i].at, m[i].len);
		m[i].lists &= (~excepted | important) & ~final;
		if (m[i].lists != 0)
			m[kept++] = m[i];
	}
	return kept;
}

unsigned int
blocklist_db_find(struct blocklist_db *db, const struct weburl *u,
    struct blocklist_match *m)
{
	uint64_t	 excepted = 0, final = 0, lists;
	unsigned int	 n = 0;
	const char	*dot;
	size_t		 at = 0;
	bool		 has_urls;

	while (n < BLOCKLIST_MATCHES_MAX) {
		has_urls = false;
		lists = find(db, u->text + at, u->host_len - at, &has_urls);
		if (has_urls && u->len > u->host_len)
			n = find_paths(db, u, at, m, n);
		if (lists != 0 && n < BLOCKLIST_MATCHES_MAX) {
			m[n].lists = lists;
			m[n].at = at;
			m[n++].len = u->host_len - at;
		}
		lists = db->trailer.exceptions == 0 ? 0 : find_special(db,
		    BLOCKLIST_KEY_EXCEPTION, u->text + at, u->host_len - at);
		if (lists != 0)
			final |= find_special(db, BLOCKLIST_KEY_FINAL,
			    u->text + at, u->host_len - at);
		excepted |= lists;
		if (u->is_address || (dot = memchr(u->text + at, '.',
		    u->host_len - at)) == NULL)
			break;
		at = (size_t)(dot + 1 - u->text);
	}
	return excepted == 0 ? n : except(db, u, excepted, final, m, n);
}

const char *
blocklist_db_get_expression(struct blocklist_db *db, unsigned int i,
    size_t *len, unsigned int *list)
{
	const unsigned char	*value;
	char			 key[8];
	int			 n;

	n = snprintf(key, sizeof(key), "%c%04u", BLOCKLIST_KEY_EXPR, i);
	if (n < 0 || n >= (int)sizeof(key) ||
	    cdb_find(&db->cdb, key, (unsigned int)n) <= 0 ||
	    cdb_datalen(&db->cdb) < 1 ||
	    (value = cdb_getdata(&db->cdb)) == NULL)
		return NULL;
	*list = value[0];
	*len = cdb_datalen(&db->cdb) - 1;
	return (const char *)value + 1;
}

void
blocklist_db_get_about(struct blocklist_db *db, unsigned int list,
    struct blocklist_about *about, char *first)
{
	const char	*value;
	char		 key[2];
	size_t		 len;

	memset(about, 0, sizeof(*about));
	if (first != NULL)
		first[0] = '\0';
	key[0] = BLOCKLIST_KEY_ABOUT;
	key[1] = (char)list;
	if (!db->is_open || cdb_find(&db->cdb, key, sizeof(key)) <= 0 ||
	    (len = cdb_datalen(&db->cdb)) < sizeof(*about) ||
	    (value = cdb_getdata(&db->cdb)) == NULL)
		return;
	memcpy(about, value, sizeof(*about));
	len -= sizeof(*about);
	if (first == NULL || len >= BLOCKLIST_FIRST_MAX)
		return;
	memcpy(first, value + sizeof(*about), len);
	first[len] = '\0';
}

int
blocklist_db_get_source(struct blocklist_db *db, const char *path,
    uint64_t *entries)
{
	char		 key[PATH_MAX + 1];
	const void	*value;
	size_t		 len;

	key[0] = BLOCKLIST_KEY_SOURCE;
	len = strlcpy(key + 1, path, sizeof(key) - 1);
	if (!db->is_open || len >= sizeof(key) - 1 ||
	    cdb_find(&db->cdb, key, (unsigned int)len + 1) <= 0 ||
	    cdb_datalen(&db->cdb) != sizeof(*entries) ||
	    (value = cdb_getdata(&db->cdb)) == NULL)
		return -1;
	memcpy(entries, value, sizeof(*entries));
	return 0;
}

uint64_t
blocklist_db_get_count(struct blocklist_db *db, unsigned int list)
{
	struct blocklist_about	 about;

	blocklist_db_get_about(db, list, &about, NULL);
	return about.entries;
}
