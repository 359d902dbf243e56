/* SPDX-License-Identifier: ISC */
/*
 * Addresses of the hosts that blocked clients are sent to, so that those are
 * not blocked by address either.  Called by blocklist.c: looked up by the
 * process that polls, and compared by workers, who never wait for one.  The
 * addresses are in memory that all of them share, with a number that is odd
 * while they change: who finds it odd or another one afterwards looks again.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist_hosts.h"
#include "service.h"

/* A call waits so long for answers, ms; most come at once. */
#define PATIENCE_MS	200

struct shared {
	_Atomic uint32_t	 number;	/* odd: it is being written */
	_Atomic uint32_t	 n;
	_Atomic uint64_t	 address[BLOCKLIST_ADDRESSES_MAX][2];
	_Atomic uint32_t	 host[BLOCKLIST_ADDRESSES_MAX];	/* it is of */
};

struct host {
	char		 name[WEBURL_HOST_MAX + 1];
	unsigned char	 address[BLOCKLIST_ADDRESSES_MAX][16];
	unsigned int	 n;
	bool		 is_failing;
};

struct blocklist_hosts {
	const char		*section;
	struct shared		*shared;
	/* of the one that looks up */
	struct host		*host;
	unsigned int		 n;
	unsigned int		 next;		/* to be looked up */
	bool			 has_recalled;
	struct lookup		*lookup;
};

struct blocklist_hosts *
blocklist_hosts_new(const char *section, lookup_ask *ask)
{
	struct blocklist_hosts	*h;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	h->section = section;
	h->shared = mmap(NULL, sizeof(*h->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h->shared == MAP_FAILED) {
		free(h);
		return NULL;
	}
	if ((h->lookup = lookup_new(ask)) == NULL) {
		blocklist_hosts_free(h);
		return NULL;
	}
	return h;
}

void
blocklist_hosts_free(struct blocklist_hosts *h)
{
	if (h == NULL)
		return;
	lookup_free(h->lookup);
	(void)munmap(h->shared, sizeof(*h->shared));
	free(h->host);
	free(h);
}

int
blocklist_hosts_add(struct blocklist_hosts *h, const struct weburl *u)
{
	struct host	*grown;
	unsigned int	 i;

	if (u->is_address)
		return 0;
	for (i = 0; i < h->n; i++)
		if (strlen(h->host[i].name) == u->host_len &&
		    memcmp(h->host[i].name, u->text, u->host_len) == 0)
			return 0;
	grown = reallocarray(h->host, h->n + 1, sizeof(*grown));
	if (grown == NULL)
		return -1;
	h->host = grown;
	memset(&grown[h->n], 0, sizeof(grown[h->n]));
	memcpy(grown[h->n++].name, u->text, u->host_len);
	return 0;
}

/* ---- looking up ---------------------------------------------------------- */

/* Returns whether what is known of it is something else now. */
static bool
take_answer(const struct blocklist_hosts *h, struct host *host,
    const struct lookup_answer *a)
{
	bool	 changed;

	if (a->n <= 0) {
		if (!host->is_failing)
			service_warn("blocklist \"%s\": %s, the host of a "
			    "redirect: %s; the addresses known of it are %u",
			    h->section, host->name, a->why, host->n);
		host->is_failing = true;
		return false;
	}
	changed = (unsigned int)a->n != host->n ||
	    memcmp(a->address, host->address, sizeof(a->address)) != 0;
	if (host->is_failing)
		service_log("blocklist \"%s\": %s is found again",
		    h->section, host->name);
	host->is_failing = false;
	host->n = (unsigned int)a->n;
	memcpy(host->address, a->address, sizeof(host->address));
	return changed;
}

/* Plain stores in order: who reads in between finds the number odd. */
static void
share(struct blocklist_hosts *h)
{
	struct shared	*s = h->shared;
	uint64_t	 half[2];
	uint32_t	 number, n = 0;
	unsigned int	 i, k;

	/* one that died in here has left it odd */
	number = atomic_load(&s->number) | 1;
	atomic_store(&s->number, number);
	for (i = 0; i < h->n; i++)
		for (k = 0; k < h->host[i].n &&
		    n < BLOCKLIST_ADDRESSES_MAX; k++) {
			memcpy(half, h->host[i].address[k], sizeof(half));
			atomic_store(&s->address[n][0], half[0]);
			atomic_store(&s->address[n][1], half[1]);
			atomic_store(&s->host[n++], i);
		}
	atomic_store(&s->n, n);
	atomic_store(&s->number, number + 1);
}

/* What one before this one has found, which has died. */
static void
recall(struct blocklist_hosts *h)
{
	struct shared	*s = h->shared;
	struct host	*host;
	uint64_t	 half[2];
	uint32_t	 i, k, n = atomic_load(&s->n);

	h->has_recalled = true;
	/* in the midst of writing: who knows what that is */
	if (atomic_load(&s->number) % 2 != 0)
		return;
	for (i = 0; i < n && i < BLOCKLIST_ADDRESSES_MAX; i++) {
		if ((k = atomic_load(&s->host[i])) >= h->n)
			continue;
		host = &h->host[k];
		half[0] = atomic_load(&s->address[i][0]);
		half[1] = atomic_load(&s->address[i][1]);
		memcpy(host->address[host->n++], half, sizeof(half));
	}
}

bool
blocklist_hosts_look_up(struct blocklist_hosts *h)
{
	struct timespec			 until = lookup_until(PATIENCE_MS);
	const struct lookup_answer	*a;
	struct host			*host;
	bool				 changed = false;

	if (!h->has_recalled)
		recall(h);
	for (; h->next < h->n; h->next++) {
		host = &h->host[h->next];
		if ((a = lookup_take(h->lookup, host->name, &until)) == NULL)
			break;
		changed = take_answer(h, host, a) || changed;
	}
	if (changed)
		share(h);
	if (h->next < h->n)
		return false;
	h->next = 0;
	return true;
}

/* ---- in a transaction ---------------------------------------------------- */

static bool
find(const struct shared *s, const uint64_t *half)
{
	uint32_t	 i, n = atomic_load(&s->n);

	for (i = 0; i < n && i < BLOCKLIST_ADDRESSES_MAX; i++)
		if (atomic_load(&s->address[i][0]) == half[0] &&
		    atomic_load(&s->address[i][1]) == half[1])
			return true;
	return false;
}

bool
blocklist_hosts_has(const struct blocklist_hosts *h, const struct weburl *u)
{
	char		 text[INET6_ADDRSTRLEN + 8];
	unsigned char	 address[16] = { [10] = 0xff, [11] = 0xff };
	uint64_t	 half[2];
	uint32_t	 number;
	unsigned int	 tries = 0;
	bool		 is_v6 = u->text[0] == '[', found;
	size_t		 len = u->host_len;

	if (!u->is_address || u->is_invalid || h->n == 0 ||
	    len < 3 || len >= sizeof(text))
		return false;
	if (is_v6)
		len -= 2;
	memcpy(text, u->text + is_v6, len);
	text[len] = '\0';
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text,
	    is_v6 ? address : address + 12) != 1)
		return false;
	memcpy(half, address, sizeof(half));
	do {
		number = atomic_load(&h->shared->number);
		found = find(h->shared, half);
		/* a writer that died must not hold us up */
	} while ((number % 2 != 0 || atomic_load(&h->shared->number) !=
	    number) && ++tries < 1000);
	return found;
}
