/* SPDX-License-Identifier: ISC */
/*
 * Verdicts of the engines, kept for a while: what was scanned once need not
 * be scanned again while the databases are the same.  Called by clamav.c.
 * All workers share it without a lock: an entry has a turn that is odd while
 * it is written, who finds it odd or changed looks away, and a miss is never
 * wrong.  It must not hold anything but clean and infected: that an engine
 * was down is no property of a body.
 */
#include <sys/mman.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clamav_cache.h"

#ifdef HAVE_LIBCRYPTO
#include <openssl/evp.h>
#endif

/* Entries that one digest may be in. */
#define WAYS		4

/* A threat with a longer name is not kept, bytes; an entry is 128. */
#define NAME_MAX_KEPT	68

struct entry {
	_Atomic uint32_t	 turn;
	uint32_t		 result;
	uint64_t		 version;	/* 0: empty */
	int64_t			 expires;
	unsigned char		 key[CLAMAV_DIGEST];
	char			 name[NAME_MAX_KEPT];
};

struct clamav_cache {
	size_t			 size;		/* of the mapping */
	size_t			 nsets;
	int64_t			 time;
	_Atomic uint64_t	 entries;
	struct entry		 entry[];
};

/* ---- the digest --------------------------------------------------------- */

#ifdef HAVE_LIBCRYPTO

struct clamav_digest {
	EVP_MD		*md;
	EVP_MD_CTX	*ctx;
};

struct clamav_digest *
clamav_digest_new(void)
{
	struct clamav_digest	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	/* fetched here: to find it takes longer than to use it */
	d->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	d->ctx = EVP_MD_CTX_new();
	if (d->md == NULL || d->ctx == NULL) {
		clamav_digest_free(d);
		errno = ENOTSUP;
		return NULL;
	}
	return d;
}

void
clamav_digest_free(struct clamav_digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	EVP_MD_free(d->md);
	free(d);
}

int
clamav_digest_start(struct clamav_digest *d)
{
	return EVP_DigestInit_ex2(d->ctx, d->md, NULL) == 1 ? 0 : -1;
}

int
clamav_digest_add(struct clamav_digest *d, const void *p, size_t len)
{
	return EVP_DigestUpdate(d->ctx, p, len) == 1 ? 0 : -1;
}

int
clamav_digest_end(struct clamav_digest *d, unsigned char key[CLAMAV_DIGEST])
{
	return EVP_DigestFinal_ex(d->ctx, key, NULL) == 1 ? 0 : -1;
}

#else

struct clamav_digest *
clamav_digest_new(void)
{
	errno = ENOTSUP;
	return NULL;
}

void
clamav_digest_free(struct clamav_digest *d)
{
	(void)d;
}

int
clamav_digest_start(struct clamav_digest *d)
{
	(void)d;
	return -1;
}

int
clamav_digest_add(struct clamav_digest *d, const void *p, size_t len)
{
	(void)d;
	(void)p;
	(void)len;
	return -1;
}

int
clamav_digest_end(struct clamav_digest *d, unsigned char key[CLAMAV_DIGEST])
{
	(void)d;
	(void)key;
	return -1;
}

#endif

/* ---- the cache ---------------------------------------------------------- */

struct clamav_cache *
clamav_cache_new(size_t entries, int64_t time)
{
	struct clamav_cache	*c;
	size_t			 nsets = (entries + WAYS - 1) / WAYS, size;

	if (nsets == 0)
		nsets = 1;
	if (nsets > SIZE_MAX / 2 / (WAYS * sizeof(struct entry))) {
		errno = ENOMEM;
		return NULL;
	}
	size = sizeof(*c) + nsets * WAYS * sizeof(struct entry);
	c = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return NULL;
	c->size = size;
	c->nsets = nsets;
	c->time = time;
	return c;
}

void
clamav_cache_free(struct clamav_cache *c)
{
	if (c != NULL)
		(void)munmap(c, c->size);
}

/* The first of the entries that the digest may be in. */
static struct entry *
cache_set(struct clamav_cache *c, const unsigned char *key)
{
	uint64_t	 n;

	memcpy(&n, key, sizeof(n));
	return &c->entry[n % c->nsets * WAYS];
}

/* Copies an entry.  Returns false while somebody writes it. */
static bool
entry_read(struct entry *e, struct entry *copy)
{
	uint32_t	 turn = atomic_load(&e->turn);

	if (turn % 2 == 1)
		return false;
	copy->result = e->result;
	copy->version = e->version;
	copy->expires = e->expires;
	memcpy(copy->key, e->key, sizeof(copy->key));
	memcpy(copy->name, e->name, sizeof(copy->name));
	atomic_thread_fence(memory_order_acquire);
	return atomic_load(&e->turn) == turn;
}

bool
clamav_cache_find(struct clamav_cache *c,
    const unsigned char key[CLAMAV_DIGEST], uint64_t version, int64_t now,
    struct clamd_verdict *v)
{
	struct entry	*e = cache_set(c, key), copy;
	unsigned int	 i;

	for (i = 0; i < WAYS; i++) {
		if (!entry_read(&e[i], &copy) || copy.version != version ||
		    version == 0 || copy.expires <= now ||
		    memcmp(copy.key, key, CLAMAV_DIGEST) != 0)
			continue;
		if (copy.result != CLAMD_CLEAN &&
		    copy.result != CLAMD_INFECTED)
			continue;
		v->result = copy.result == CLAMD_CLEAN ? CLAMD_CLEAN :
		    CLAMD_INFECTED;
		copy.name[sizeof(copy.name) - 1] = '\0';
		(void)strlcpy(v->text, copy.name, sizeof(v->text));
		return true;
	}
	return false;
}

/*
 * The entry to write: that of this digest, or the one that ends first.  One
 * that is being written is left alone: who died in there will not end it.
 * NULL: there is none.
 */
static struct entry *
cache_victim(struct entry *set, const unsigned char *key)
{
	struct entry	*e = NULL;
	unsigned int	 i;

	for (i = 0; i < WAYS; i++) {
		if (atomic_load(&set[i].turn) % 2 == 1)
			continue;
		if (memcmp(set[i].key, key, CLAMAV_DIGEST) == 0)
			return &set[i];
		if (e == NULL || set[i].expires < e->expires)
			e = &set[i];
	}
	return e;
}

bool
clamav_cache_add(struct clamav_cache *c,
    const unsigned char key[CLAMAV_DIGEST], uint64_t version, int64_t now,
    const struct clamd_verdict *v)
{
	struct entry	*e = cache_victim(cache_set(c, key), key);
	uint32_t	 turn;
	bool		 is_lost;

	if ((v->result != CLAMD_CLEAN && v->result != CLAMD_INFECTED) ||
	    version == 0 || e == NULL || strlen(v->text) >= sizeof(e->name))
		return false;
	turn = atomic_load(&e->turn);
	if (turn % 2 == 1 ||
	    !atomic_compare_exchange_strong(&e->turn, &turn, turn + 1))
		return false;		/* somebody else is at it */
	atomic_thread_fence(memory_order_release);
	if (e->version == 0)
		atomic_fetch_add(&c->entries, 1);
	is_lost = e->version == version && e->expires > now &&
	    memcmp(e->key, key, CLAMAV_DIGEST) != 0;
	e->result = v->result;
	e->version = version;
	e->expires = now + c->time;
	memcpy(e->key, key, CLAMAV_DIGEST);
	(void)strlcpy(e->name, v->text, sizeof(e->name));
	atomic_store(&e->turn, turn + 2);
	return is_lost;
}

uint64_t
clamav_cache_entries(const struct clamav_cache *c)
{
	return atomic_load(&c->entries);
}
