/* SPDX-License-Identifier: ISC */
/*
 * What a look-up in a compiled block list costs: `lookup FILE N` takes the
 * database that t/bench/lists.sh has made of d0.large.example to
 * d(N-1).large.example, and looks for names that are in it and names that are
 * not, in random order, the way a transaction does: URL, normal form, all
 * suffixes.  Prints nanoseconds of each and what opening took, in time of the
 * processor, as others may use the machine.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../services/blocklist_db.h"

#define ROUNDS	2000000

static double
now(void)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static unsigned int
run(struct blocklist_db *db, const char *fmt_what, unsigned int n,
    double *each)
{
	static struct weburl	 u;
	static const struct slice nowhere = { "", 0 };
	struct blocklist_match	 m[BLOCKLIST_MATCHES_MAX];
	char			 url[128];
	struct slice		 s = { url, 0 };
	double			 start = now(), made;
	unsigned int		 i, found = 0;
	uint32_t		 x = 1;

	/* first what making the URLs costs */
	for (i = 0; i < ROUNDS; i++) {
		x = x * 1664525 + 1013904223;
		s.len = (size_t)snprintf(url, sizeof(url),
		    "http://www.d%u.%s.example/index.html", x % n, fmt_what);
		found += s.len == 0;
	}
	made = now() - start;
	start = now();
	for (i = 0; i < ROUNDS; i++) {
		x = x * 1664525 + 1013904223;
		s.len = (size_t)snprintf(url, sizeof(url),
		    "http://www.d%u.%s.example/index.html", x % n, fmt_what);
		if (weburl_parse(&u, s, nowhere) == 0)
			found += blocklist_db_find(db, &u, m);
	}
	*each = (now() - start - made) / ROUNDS;
	return found;
}

int
main(int argc, char *argv[])
{
	struct blocklist_db	 db;
	const char		*error;
	double			 start, opened, hit, miss;
	unsigned int		 n, hits, misses;
	int			 fd;

	if (argc != 3)
		errx(2, "usage: lookup FILE N");
	n = (unsigned int)strtonum(argv[2], 1, 1000000000, &error);
	if (error != NULL)
		errx(2, "%s: %s", argv[2], error);
	if ((fd = open(argv[1], O_RDONLY | O_CLOEXEC)) == -1)
		err(1, "%s", argv[1]);
	start = now();
	if (blocklist_db_open(&db, fd, true) == -1)
		err(1, "%s", argv[1]);
	opened = now() - start;
	hits = run(&db, "large", n, &hit);
	misses = run(&db, "small", n, &miss);
	if (hits != ROUNDS || misses != 0)
		errx(1, "%u of %u found, and %u that are not there", hits,
		    ROUNDS, misses);
	(void)printf("open and check %.0f ms, listed %.0f ns, not listed "
	    "%.0f ns\n", opened / 1e6, hit, miss);
	return 0;
}
