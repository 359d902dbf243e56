/* SPDX-License-Identifier: ISC */
/*
 * What was done: transactions by service, method, verdict and status, with
 * their times and bytes.  Each worker writes to its own place (report.c),
 * whoever shows the numbers adds the places up (metrics.c, icapctl.c).  A
 * place outlives its worker, so nothing ever counts backwards.  No locks: a
 * sum may miss what is being counted at this moment.
 *
 * A worker that was taken over can write anything anywhere here.  Where things
 * are, and which path has which number, each process knows by itself; the
 * rest is only shown, and bounded when it is read.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "../proto/request.h"
#include "tally.h"

static const uint32_t	 bound[TALLY_BUCKETS] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 2500000, 5000000, 10000000
};

static const char *const verdict_name[TALLY_VERDICTS] = {
	[TALLY_NONE] = "none",
	[TALLY_UNCHANGED] = "unchanged",
	[TALLY_EDITED] = "edited",
	[TALLY_REWRITTEN] = "rewritten",
	[TALLY_REPLACED] = "replaced",
	[TALLY_FAILED] = "failed",
	[TALLY_DIED] = "died",
};

struct tally {
	struct tally_head	*head;
	uint8_t			*touched;	/* by place: was it written? */
	struct tally_place	*place;
	size_t			 size;
	unsigned int		 max;		/* places */

	/* of who has made it, and of those it forks */
	unsigned int		 nservices;
	char			 name[TALLY_SERVICES][TALLY_NAME];
};

static size_t
align(size_t n)
{
	return (n + 4095) & ~(size_t)4095;
}

static void
tally_lay_out(struct tally *t, void *region, unsigned int max)
{
	t->size = align(sizeof(*t->head) + max) + max * sizeof(*t->place);
	t->max = max;
	if (region == NULL)
		return;			/* its size is all that is wanted */
	t->head = region;
	t->touched = (uint8_t *)region + sizeof(*t->head);
	t->place = (void *)((char *)region + align(sizeof(*t->head) + max));
}

static int
tally_open_file(const char *path, size_t size)
{
	int	 fd;

	/* a reader of the old one keeps it */
	if (unlink(path) == -1 && errno != ENOENT)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0640);
	if (fd != -1 && ftruncate(fd, (off_t)size) == -1) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

struct tally *
tally_open(unsigned int max, const char *path)
{
	struct tally	*t;
	void		*region;
	int		 fd = -1;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	tally_lay_out(t, NULL, max);
	if (path != NULL && (fd = tally_open_file(path, t->size)) == -1) {
		free(t);
		return NULL;
	}
	region = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED |
	    MAP_NORESERVE | (fd == -1 ? MAP_ANONYMOUS : 0), fd, 0);
	if (fd != -1)
		(void)close(fd);
	if (region == MAP_FAILED) {
		free(t);
		return NULL;
	}
	tally_lay_out(t, region, max);
	t->head->version = TALLY_VERSION;
	t->head->size = t->size;
	t->head->max = max;
	t->head->nservices = t->nservices = 1;
	t->head->magic = TALLY_MAGIC;
	return t;
}

struct tally *
tally_map(const char *path, const char **why)
{
	struct tally		*t;
	struct tally_head	*head;
	struct stat		 st;
	uint32_t		 max;
	int			 fd;

	*why = "cannot be opened";
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return NULL;
	*why = "is not the file of a daemon of this version";
	head = MAP_FAILED;
	if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(*head))
		head = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
		    fd, 0);
	(void)close(fd);
	if (head == MAP_FAILED)
		return NULL;
	max = __atomic_load_n(&head->max, __ATOMIC_RELAXED);
	if (head->magic == TALLY_MAGIC && head->version == TALLY_VERSION &&
	    head->size == (uint64_t)st.st_size && max <= 1u << 20 &&
	    (t = calloc(1, sizeof(*t))) != NULL) {
		tally_lay_out(t, head, max);
		if (t->size == (size_t)st.st_size)
			return t;
		free(t);
	}
	(void)munmap(head, (size_t)st.st_size);
	return NULL;
}

void
tally_close(struct tally *t)
{
	(void)munmap(t->head, t->size);
	free(t);
}

struct tally_head *
tally_head(struct tally *t)
{
	return t->head;
}

unsigned int
tally_find_service(struct tally *t, const char *path)
{
	char		 name[TALLY_NAME];
	unsigned int	 i;

	(void)strlcpy(name, path, sizeof(name));
	for (i = 1; i < t->nservices; i++)
		if (strcmp(t->name[i], name) == 0)
			return i;
	return t->nservices == TALLY_SERVICES ? TALLY_OTHERS : 0;
}

unsigned int
tally_add_service(struct tally *t, const char *path)
{
	struct tally_head	*h = t->head;
	unsigned int		 i = tally_find_service(t, path);

	if (i != 0)
		return i;
	i = t->nservices++;
	/* no path has parentheses */
	(void)strlcpy(t->name[i], i == TALLY_OTHERS ? "(others)" : path,
	    sizeof(t->name[i]));
	memcpy(h->name[i], t->name[i], sizeof(h->name[i]));
	__atomic_store_n(&h->nservices, t->nservices, __ATOMIC_RELEASE);
	return i;
}

unsigned int
tally_copy_names(struct tally *t, char name[TALLY_SERVICES][TALLY_NAME])
{
	uint32_t	 n = __atomic_load_n(&t->head->nservices,
			    __ATOMIC_ACQUIRE);
	unsigned int	 i;

	memcpy(name, t->head->name, sizeof(t->head->name));
	for (i = 0; i < TALLY_SERVICES; i++)
		chars_clean(name[i], TALLY_NAME, '\0');
	return n < TALLY_SERVICES ? n : TALLY_SERVICES;
}

struct tally_place *
tally_place(struct tally *t, unsigned int i)
{
	if (i >= t->max)
		return NULL;
	t->touched[i] = 1;
	return &t->place[i];
}

const struct tally_place *
tally_see(struct tally *t, unsigned int i)
{
	/* to read a hole would make it real */
	if (i >= t->max || t->touched[i] == 0)
		return NULL;
	return &t->place[i];
}

static bool
is_same_key(const struct tally_key *a, const struct tally_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

void
tally_add(struct tally_place *p, const struct tally_event *e)
{
	static unsigned int	 last;		/* found there before */
	struct tally_service	*s;
	unsigned int		 i;

	if (!is_same_key(&p->count[last].key, &e->key)) {
		for (i = 0; i < TALLY_COUNTS && p->count[i].key.used; i++)
			if (is_same_key(&p->count[i].key, &e->key))
				break;
		if (i == TALLY_COUNTS) {
			p->other++;
			return;
		}
		if (!p->count[i].key.used)
			p->count[i].key = e->key;
		last = i;
	}
	p->count[last].n++;
	s = &p->service[e->key.service];
	s->bytes_in += e->bytes_in;
	s->bytes_out += e->bytes_out;
	/* latencies are of messages: OPTIONS has none */
	if (e->key.verdict == TALLY_NONE)
		return;
	for (i = 0; i < TALLY_BUCKETS; i++)
		if (e->duration <= (int64_t)bound[i])
			break;
	s->bucket[i]++;
	s->sum += (uint64_t)e->duration;
	s->sum_serve += (uint64_t)e->serve;
}

void
tally_refuse(struct tally_place *p, const char *why)
{
	struct tally_reason	*r;
	unsigned int		 i;

	for (i = 0; i < TALLY_REASONS - 1; i++) {
		r = &p->reason[i];
		if (r->n == 0)
			(void)strlcpy(r->text, why, sizeof(r->text));
		else if (strncmp(r->text, why, sizeof(r->text) - 1) != 0)
			continue;
		r->n++;
		return;
	}
	r = &p->reason[i];
	(void)strlcpy(r->text, "other", sizeof(r->text));
	r->n++;
}

static void
sum_counts(struct tally_sum *sum, const struct tally_place *p)
{
	struct tally_count	 c;
	unsigned int		 i, k;

	for (i = 0; i < TALLY_COUNTS; i++) {
		memcpy(&c, &p->count[i], sizeof(c));
		if (c.key.used == 0)
			break;
		if (c.key.service >= TALLY_SERVICES)
			c.key.service = TALLY_OTHERS;
		if (c.key.method > ICAP_UNKNOWN)
			c.key.method = ICAP_UNKNOWN;
		for (k = 0; k < sum->ncounts; k++)
			if (is_same_key(&sum->count[k].key, &c.key))
				break;
		if (k == sizeof(sum->count) / sizeof(sum->count[0])) {
			sum->other += c.n;
			continue;
		}
		if (k == sum->ncounts) {
			sum->count[k].key = c.key;
			sum->count[k].n = 0;
			sum->ncounts++;
		}
		sum->count[k].n += c.n;
	}
}

static void
sum_reasons(struct tally_sum *sum, const struct tally_place *p)
{
	struct tally_reason	 r;
	unsigned int		 i, k;

	for (i = 0; i < TALLY_REASONS; i++) {
		memcpy(&r, &p->reason[i], sizeof(r));
		if (r.n == 0)
			continue;
		chars_clean(r.text, sizeof(r.text), '\0');
		for (k = 0; k < sum->nreasons; k++)
			if (strcmp(sum->reason[k].text, r.text) == 0)
				break;
		if (k == sizeof(sum->reason) / sizeof(sum->reason[0]))
			continue;
		if (k == sum->nreasons) {
			sum->reason[k] = r;
			sum->nreasons++;
		} else
			sum->reason[k].n += r.n;
	}
}

void
tally_sum(struct tally *t, struct tally_sum *sum)
{
	const struct tally_place	*p;
	const struct tally_service	*s;
	unsigned int			 i, k, b, n;

	memset(sum, 0, sizeof(*sum));
	n = __atomic_load_n(&t->head->nservices, __ATOMIC_ACQUIRE);
	if (n > TALLY_SERVICES)
		n = TALLY_SERVICES;
	for (i = 0; i < t->max; i++) {
		if ((p = tally_see(t, i)) == NULL)
			continue;
		sum->other += p->other;
		sum->died += p->died;
		for (k = 1; k < vitals_numbers(&t->head->vitals); k++)
			sum->own[k] += __atomic_load_n(&p->own[k],
			    __ATOMIC_RELAXED);
		sum_counts(sum, p);
		sum_reasons(sum, p);
		for (k = 0; k < n; k++) {
			s = &p->service[k];
			for (b = 0; b <= TALLY_BUCKETS; b++)
				sum->service[k].bucket[b] += s->bucket[b];
			sum->service[k].sum += s->sum;
			sum->service[k].sum_serve += s->sum_serve;
			sum->service[k].bytes_in += s->bytes_in;
			sum->service[k].bytes_out += s->bytes_out;
		}
	}
}

uint32_t
tally_bound(unsigned int bucket)
{
	return bound[bucket];
}

const char *
tally_verdict_name(enum tally_verdict verdict)
{
	return verdict < TALLY_VERDICTS ? verdict_name[verdict] : "unknown";
}
