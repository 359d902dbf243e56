/* SPDX-License-Identifier: ISC */
/*
 * Compiles lists into a database.  Called by blocklist_store.c when a source
 * has changed, in the master at the start, later in the child that does a
 * reload and in the process that watches; never in a worker.  All entries are
 * collected in memory first, as one that is in several lists becomes one
 * record, and as repetitions would make look-ups slow.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blocklist_make.h"
#include "blocklist_read.h"
#include "bytes.h"
#include "expr.h"
#include "idn.h"
#include "service.h"

/* Lines of one list that are named in the log; the others are counted. */
#define COMPLAINTS_MAX	5

#define EXPRESSIONS_MAX	10000	/* of all lists; each costs its own match */
#define EXPRESSION_LEN	4096	/* bytes of one */

/*
 * A source that changed so lately may change again unseen, nanoseconds: some
 * file systems count whole seconds, the others ticks.
 */
#define RACY		INT64_C(100000000)
#define RACY_SECONDS	(20 * RACY)

/*
 * Says what a digest is of.  To be changed with the format, and whenever a
 * line is read in another way than before: what was compiled is used as long
 * as its digest is right.
 */
#define DIGEST_OF	"icapd blocklist 3 " PACKAGE_VERSION

struct entry {
	uint64_t	 lists;
	uint32_t	 key;		/* in keys */
	uint16_t	 len;
	bool		 has_urls;
};

struct maker {
	const struct blocklist_sources *s;
	struct blocklist_fault	*fault;
	struct blocklist_db	*before;	/* or NULL */
	struct bytes		 keys;
	struct entry		*entry;
	uint32_t		 n;
	uint32_t		 size;
	uint32_t		*slot;		/* number of an entry, + 1 */
	uint32_t		 nslots;	/* power of two */
	struct cdb_make		 cdb;
	struct blocklist_trailer trailer;
	struct blocklist_reader	*r;
	unsigned int		 list;		/* that is being read */
	unsigned int		 path;		/* of it */
	uint64_t		 in_path;	/* entries */
	bool			 is_folder;
	unsigned int		 complaints;
	struct blocklist_about	 about;		/* of that list */
	char			 first[BLOCKLIST_FIRST_MAX];
};

static int
fail(struct blocklist_fault *fault, unsigned int list, unsigned int path,
    const char *why)
{
	fault->list = list;
	fault->path = path;
	fault->is_of_source = false;
	(void)strlcpy(fault->why, why, sizeof(fault->why));
	return -1;
}

/* ---- without compiling --------------------------------------------------- */

/* All that decides what bytes mean, beside themselves. */
static void
begin_digest(SHA2_CTX *ctx)
{
	unsigned char	 built_in[2];

	built_in[0] = (unsigned char)idn_is_built_in();
	built_in[1] = expr_is_built_in();
	SHA256Init(ctx);
	SHA256Update(ctx, (const unsigned char *)DIGEST_OF,
	    sizeof(DIGEST_OF));
	SHA256Update(ctx, built_in, sizeof(built_in));
}

int
blocklist_make_stamp(const struct blocklist_sources *s, unsigned char *stamp,
    struct blocklist_fault *fault)
{
	SHA2_CTX	 ctx;
	int64_t		 last = 0, now;
	struct timespec	 ts;
	unsigned int	 i, k;

	begin_digest(&ctx);
	for (i = 0; i < s->nlists; i++) {
		for (k = 0; k < s->list[i].npaths; k++)
			if (blocklist_stamp(&ctx, s->list[i].path[k],
			    &last) == -1)
				return fail(fault, i, k, strerror(errno));
		SHA256Update(&ctx, (const unsigned char *)"\n", 1);
	}
	SHA256Final(stamp, &ctx);
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	now = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
	if (last > now - (last % 1000000000 == 0 ? RACY_SECONDS : RACY))
		memset(stamp, 0, BLOCKLIST_DIGEST_LEN);
	return 0;
}

void
blocklist_make_names(const struct blocklist_sources *s, unsigned char *names)
{
	SHA2_CTX	 ctx;
	const char	*path;
	unsigned int	 i, k;

	begin_digest(&ctx);
	for (i = 0; i < s->nlists; i++) {
		for (k = 0; k < s->list[i].npaths; k++) {
			path = s->list[i].path[k];
			SHA256Update(&ctx, (const unsigned char *)path,
			    strlen(path) + 1);
		}
		/* no path is empty */
		SHA256Update(&ctx, (const unsigned char *)"", 1);
	}
	SHA256Final(names, &ctx);
}

/* Reads all sources; with m what they hold goes there. */
static int
read_lists(const struct blocklist_sources *s, struct maker *m,
    struct blocklist_reader *r, unsigned char *digest,
    struct blocklist_fault *fault);

int
blocklist_make_digest(const struct blocklist_sources *s,
    unsigned char *digest, struct blocklist_fault *fault)
{
	struct blocklist_reader	*r;
	int			 result;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return fail(fault, 0, 0, strerror(errno));
	fault->why[0] = '\0';
	result = read_lists(s, NULL, r, digest, fault);
	free(r);
	return result;
}

/* ---- entries ------------------------------------------------------------- */

static uint32_t
slot_of(const struct maker *m, const char *key, size_t len)
{
	uint32_t	 hash = cdb_hash(key, (unsigned int)len);

	/* its low bits are those of the last letters */
	hash = (hash ^ (hash >> 15)) * UINT32_C(0x2c1b3c6d);
	return (hash ^ (hash >> 12)) & (m->nslots - 1);
}

/* Makes room for one more entry. */
static int
grow(struct maker *m)
{
	struct entry	*entry;
	uint32_t	*slot, size = m->size > 0 ? 2 * m->size : 1024, i, k;

	if (size < m->size || size > UINT32_MAX / 4) {
		errno = EFBIG;
		return -1;
	}
	entry = reallocarray(m->entry, size, sizeof(*entry));
	if (entry == NULL)
		return -1;
	m->entry = entry;
	m->size = size;
	if ((slot = calloc((size_t)2 * size, sizeof(*slot))) == NULL)
		return -1;
	free(m->slot);
	m->slot = slot;
	m->nslots = 2 * size;
	for (i = 0; i < m->n; i++) {
		k = slot_of(m, m->keys.p + entry[i].key, entry[i].len);
		while (slot[k] != 0)
			k = (k + 1) & (m->nslots - 1);
		slot[k] = i + 1;
	}
	return 0;
}

/* The entry of that key; a new one where there was none. */
static struct entry *
get(struct maker *m, const char *key, size_t len)
{
	struct entry	*e;
	uint32_t	 k;

	if (m->n == m->size && grow(m) == -1)
		return NULL;
	for (k = slot_of(m, key, len); m->slot[k] != 0;
	    k = (k + 1) & (m->nslots - 1)) {
		e = &m->entry[m->slot[k] - 1];
		if (e->len == len &&
		    memcmp(m->keys.p + e->key, key, len) == 0)
			return e;
	}
	if (m->keys.len > UINT32_MAX - len) {
		errno = EFBIG;
		return NULL;
	}
	e = &m->entry[m->n];
	memset(e, 0, sizeof(*e));
	e->key = (uint32_t)m->keys.len;
	e->len = (uint16_t)len;
	if (bytes_add(&m->keys, key, len) == -1)
		return NULL;
	m->slot[k] = ++m->n;
	return e;
}

/* Expressions go into the database at once. */
static int
add_expression(struct maker *m, const char *text, size_t len)
{
	char		 value[1 + EXPRESSION_LEN], key[8];
	int		 n;

	n = snprintf(key, sizeof(key), "%c%04u", BLOCKLIST_KEY_EXPR,
	    (unsigned int)m->trailer.expressions++);
	value[0] = (char)m->list;
	memcpy(value + 1, text, len);
	return cdb_make_add(&m->cdb, key, (unsigned int)n, value,
	    (unsigned int)len + 1);
}

static void
complain(void *arg, const char *file, unsigned long line, const char *why)
{
	struct maker	*m = arg;

	if (m->complaints == 0)
		(void)snprintf(m->first, sizeof(m->first), "%s:%lu: %s", file,
		    line, why);
	if (m->complaints++ < COMPLAINTS_MAX && !m->s->is_again)
		service_warn("blocklist \"%s\": %s:%lu: %s", m->s->section,
		    file, line, why);
}

static int
take_expression(struct maker *m, const char *text, size_t len)
{
	struct blocklist_reader	*r = m->r;
	struct expr		*e;
	char			 why[EXPR_WHY_MAX];

	if (len > EXPRESSION_LEN)
		(void)strlcpy(why, "longer than 4 KiB", sizeof(why));
	else if (m->trailer.expressions >= EXPRESSIONS_MAX)
		(void)strlcpy(why, "more than 10000 expressions",
		    sizeof(why));
	else if ((e = expr_new(text, len, EXPR_NOCASE, why)) != NULL) {
		expr_free(e);
		return add_expression(m, text, len);
	} else if (!expr_is_built_in()) {
		errno = ENOTSUP;
		return -1;
	}
	r->entries--;
	r->bad++;
	complain(m, r->file, r->line, why);
	return 0;
}

/* A record of a host beside that which it may have as an entry. */
static int
take_special(struct maker *m, char kind, const char *host, size_t len)
{
	char		 key[WEBURL_HOST_MAX + 2];
	struct entry	*e;

	key[0] = kind;
	memcpy(key + 1, host, len);
	if ((e = get(m, key, len + 1)) == NULL)
		return -1;
	e->lists |= UINT64_C(1) << m->list;
	return 0;
}

static int
take(void *arg, enum blocklist_kind kind, const char *text, size_t len)
{
	struct maker	*m = arg;
	struct entry	*e;
	uint64_t	 bit = UINT64_C(1) << m->list;
	size_t		 host;

	if (kind == BLOCKLIST_EXPRESSION)
		return take_expression(m, text, len);
	host = strcspn(text, "/?");
	if (host > len)
		host = len;
	if (kind == BLOCKLIST_EXCEPTION || kind == BLOCKLIST_FINAL) {
		m->trailer.exceptions++;
		if (kind == BLOCKLIST_FINAL && take_special(m,
		    BLOCKLIST_KEY_FINAL, text, host) == -1)
			return -1;
		return take_special(m, BLOCKLIST_KEY_EXCEPTION, text, host);
	}
	if (kind == BLOCKLIST_IMPORTANT &&
	    take_special(m, BLOCKLIST_KEY_IMPORTANT, text, host) == -1)
		return -1;
	if ((e = get(m, text, len)) == NULL)
		return -1;
	e->lists |= bit;
	if (host == len)
		return 0;
	if ((e = get(m, text, host)) == NULL)
		return -1;
	e->has_urls = true;
	return 0;
}

/* ---- reading ------------------------------------------------------------- */

/* What is wrong with a file, or all of a folder; says which it is in there. */
static int
fail_source(struct maker *m, const char *source, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
fail_source(struct maker *m, const char *source, const char *fmt, ...)
{
	const char	*path = m->s->list[m->list].path[m->path];
	const char	*name = strrchr(source, '/');
	char		 why[BLOCKLIST_WHY_MAX];
	int		 n = 0;
	va_list		 ap;

	if (strcmp(source, path) != 0 && name != NULL)
		n = snprintf(why, sizeof(why), "%s: ", name + 1);
	va_start(ap, fmt);
	(void)vsnprintf(why + n, sizeof(why) - (size_t)n, fmt, ap);
	va_end(ap);
	(void)fail(m->fault, m->list, m->path, why);
	m->fault->is_of_source = true;
	errno = EINVAL;
	return -1;
}

/* What it has become, where it is there. */
#define EMPTY	"become empty"

/* There is nothing in it.  Was there ever? */
static int
check_empty(struct maker *m, const char *source, const char *what)
{
	const struct blocklist_list	*l = &m->s->list[m->list];
	uint64_t			 before = 0;

	if (l->may_be_empty)
		return 0;
	if (m->before != NULL && blocklist_db_get_source(m->before, source,
	    &before) == 0 && before == 0)
		return 0;
	if (before > 0)
		return fail_source(m, source, "it has %s, and had %llu "
		    "entries: expected some, or empty = yes in list \"%s\"",
		    what, (unsigned long long)before, l->name);
	if (strcmp(what, EMPTY) == 0)
		service_warn("blocklist \"%s\": list \"%s\": %s is empty",
		    m->s->section, l->name, source);
	return 0;
}

/* For the next time. */
static int
write_source(struct maker *m, const char *source, uint64_t entries)
{
	char	 key[PATH_MAX + 1];
	size_t	 len;

	key[0] = BLOCKLIST_KEY_SOURCE;
	len = strlcpy(key + 1, source, sizeof(key) - 1);
	if (len >= sizeof(key) - 1) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return cdb_make_add(&m->cdb, key, (unsigned int)len + 1, &entries,
	    sizeof(entries));
}

/* The reader has come to the end of a file, which must not hide in others. */
static int
end_file(void *arg, enum blocklist_file kind)
{
	struct maker			*m = arg;
	const struct blocklist_reader	*r = m->r;

	m->is_folder = r->file != m->s->list[m->list].path[m->path];
	m->in_path += r->entries;
	m->about.entries += r->entries;
	m->about.refused += r->bad;
	if (kind == BLOCKLIST_LINES && r->entries == 0 && r->bad > 0)
		return fail_source(m, r->file, "none of its %lu lines is "
		    "an entry: expected domains or URLs, one a line", r->bad);
	/* in a large one there is an entry by chance */
	if (r->binary > r->entries)
		return fail_source(m, r->file, "it is no text: %lu lines "
		    "with control characters, %lu entries", r->binary,
		    r->entries);
	if (kind == BLOCKLIST_MISSING)
		return check_empty(m, r->file, "gone");
	if (r->entries == 0 && check_empty(m, r->file, EMPTY) == -1)
		return -1;
	return write_source(m, r->file, r->entries);
}

static int
read_path(const char *path, struct maker *m, struct blocklist_reader *r)
{
	if (m == NULL)
		return blocklist_read(r, path);
	m->in_path = 0;
	if (blocklist_read(r, path) == -1)
		return -1;
	if (!m->is_folder)
		return 0;
	/* its files may be others than before, as it may have been a file */
	if (m->in_path == 0 && check_empty(m, path, "nothing in it") == -1)
		return -1;
	return write_source(m, path, m->in_path);
}

static int
read_one_list(const struct blocklist_list *l, unsigned int i,
    struct maker *m, struct blocklist_reader *r,
    struct blocklist_fault *fault)
{
	unsigned int	 k;
	int		 saved;

	for (k = 0; k < l->npaths; k++) {
		if (m != NULL)
			m->path = k;
		if (read_path(l->path[k], m, r) == 0)
			continue;
		if (fault->why[0] != '\0')
			return -1;
		saved = errno;
		(void)fail(fault, i, k,
		    saved == EINVAL ? "it is no file" :
		    saved == ENOTSUP ? "it has expressions, and icapd "
		    "was built without PCRE2" : strerror(saved));
		fault->is_of_source = saved == EINVAL || saved == ENOTSUP ||
		    saved == EACCES || saved == EFBIG;
		return -1;
	}
	return 0;
}

/* Says in the database what the list was. */
static int
write_about(struct maker *m, const unsigned char *digest)
{
	char		 value[sizeof(m->about) + sizeof(m->first)], key[2];
	size_t		 len = strlen(m->first);

	m->trailer.entries += m->about.entries;
	memcpy(m->about.digest, digest, sizeof(m->about.digest));
	memcpy(value, &m->about, sizeof(m->about));
	memcpy(value + sizeof(m->about), m->first, len);
	key[0] = BLOCKLIST_KEY_ABOUT;
	key[1] = (char)m->list;
	return cdb_make_add(&m->cdb, key, sizeof(key), value,
	    (unsigned int)(sizeof(m->about) + len));
}

static int
read_lists(const struct blocklist_sources *s, struct maker *m,
    struct blocklist_reader *r, unsigned char *digest,
    struct blocklist_fault *fault)
{
	SHA2_CTX	 all, one;
	unsigned char	 of_list[BLOCKLIST_DIGEST_LEN];
	unsigned int	 i;

	begin_digest(&all);
	r->digest = &one;
	for (i = 0; i < s->nlists; i++) {
		if (m != NULL) {
			m->list = i;
			m->complaints = 0;
			m->first[0] = '\0';
			memset(&m->about, 0, sizeof(m->about));
		}
		SHA256Init(&one);
		if (read_one_list(&s->list[i], i, m, r, fault) == -1)
			return -1;
		SHA256Final(of_list, &one);
		SHA256Update(&all, of_list, sizeof(of_list));
		if (m == NULL)
			continue;
		if (m->complaints > COMPLAINTS_MAX && !s->is_again)
			service_warn("blocklist \"%s\": list \"%s\": %llu "
			    "lines in all are no entries", s->section,
			    s->list[i].name,
			    (unsigned long long)m->about.refused);
		if (write_about(m, of_list) == -1)
			return -1;
	}
	SHA256Final(digest, &all);
	return 0;
}

/* ---- writing ------------------------------------------------------------- */

static int
write_entries(struct maker *m)
{
	unsigned char	 value[BLOCKLIST_LISTS_MAX + 1];
	const struct entry *e;
	unsigned int	 n, k;
	uint32_t	 i;

	for (i = 0; i < m->n; i++) {
		e = &m->entry[i];
		n = 0;
		for (k = 0; k < m->s->nlists; k++)
			if ((e->lists >> k & 1) != 0)
				value[n++] = (unsigned char)k;
		if (e->has_urls)
			value[n++] = BLOCKLIST_HAS_URLS;
		if (cdb_make_add(&m->cdb, m->keys.p + e->key, e->len, value,
		    n) == -1)
			return -1;
	}
	return 0;
}

static int
write_trailer(struct maker *m, int fd)
{
	struct blocklist_trailer	*t = &m->trailer;
	struct stat			 st;
	void				*all;

	if (fstat(fd, &st) == -1)
		return -1;
	t->size = (uint64_t)st.st_size;
	all = mmap(NULL, t->size, PROT_READ, MAP_SHARED, fd, 0);
	if (all == MAP_FAILED)
		return -1;
	t->sum = blocklist_sum(all, t->size);
	(void)munmap(all, t->size);
	memcpy(t->magic, BLOCKLIST_MAGIC, sizeof(t->magic));
	if (pwrite(fd, &m->trailer, sizeof(m->trailer), st.st_size) !=
	    (ssize_t)sizeof(m->trailer))
		return -1;
	/*
	 * No fsync(2): on a disk that is busy it takes minutes, in which no
	 * other list is looked at.  What a crash of the system spoils does
	 * not have its sum, and is made anew.
	 */
	return 0;
}

static void
maker_free(struct maker *m)
{
	bytes_free(&m->keys);
	free(m->entry);
	free(m->slot);
	free(m);
}

int
blocklist_make(const struct blocklist_sources *s, int fd,
    const unsigned char *stamp, struct blocklist_db *before,
    struct blocklist_fault *fault)
{
	struct blocklist_reader	*r;
	struct maker		*m;
	char			 why[BLOCKLIST_WHY_MAX];
	bool			 is_begun, is_finished = false;
	int			 result = -1;

	if ((m = calloc(1, sizeof(*m))) == NULL ||
	    (r = calloc(1, sizeof(*r))) == NULL) {
		free(m);
		return fail(fault, 0, 0, strerror(errno));
	}
	m->s = s;
	m->fault = fault;
	m->before = before;
	m->r = r;
	r->entry = take;
	r->complain = complain;
	r->end = end_file;
	r->arg = m;
	fault->why[0] = '\0';
	memcpy(m->trailer.stamp, stamp, BLOCKLIST_DIGEST_LEN);
	blocklist_make_names(s, m->trailer.names);
	if ((is_begun = cdb_make_start(&m->cdb, fd) == 0) &&
	    read_lists(s, m, r, m->trailer.digest, fault) == 0 &&
	    write_entries(m) == 0 &&
	    (is_finished = cdb_make_finish(&m->cdb) == 0) &&
	    write_trailer(m, fd) == 0)
		result = 0;
	else if (fault->why[0] == '\0') {
		(void)snprintf(why, sizeof(why), "the database cannot be "
		    "written: %s", strerror(errno));
		(void)fail(fault, 0, 0, why);
	}
	/* gives its memory back; what it writes is not used */
	if (is_begun && !is_finished)
		(void)cdb_make_finish(&m->cdb);
	free(r);
	maker_free(m);
	return result;
}
