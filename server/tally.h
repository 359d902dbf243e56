/* SPDX-License-Identifier: ISC */
#ifndef SERVER_TALLY_H
#define SERVER_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring.h"
#include "vitals.h"

/*
 * Counters of what was done, kept by place and not by process: they only
 * grow, until the daemon is stopped.  In a file where icapctl(8) can map it.
 */
#define TALLY_MAGIC	0x594c4c54u	/* "TLLY" in memory */
#define TALLY_VERSION	3
#define TALLY_SUFFIX	".counts"	/* of the name of the board */

#define TALLY_SERVICES	64	/* paths there can be; 0 is "none of them" */
#define TALLY_OTHERS	(TALLY_SERVICES - 1)	/* all for which is no room */
#define TALLY_NAME	64
#define TALLY_COUNTS	120	/* combinations a worker can count */
#define TALLY_REASONS	24
#define TALLY_REASON	56
#define TALLY_BUCKETS	16

/* Upper bounds of the latency buckets, microseconds. */
uint32_t tally_bound(unsigned int bucket);

enum tally_verdict { TALLY_NONE, TALLY_UNCHANGED, TALLY_EDITED,
    TALLY_REWRITTEN, TALLY_REPLACED, TALLY_FAILED, TALLY_DIED,
    TALLY_VERDICTS };

/* What transactions are counted by. */
struct tally_key {
	uint8_t		 service;
	uint8_t		 method;	/* enum icap_method */
	uint8_t		 verdict;	/* enum tally_verdict */
	uint8_t		 flags;		/* TALLY_UNSCANNED and its like */
	uint16_t	 status;	/* of ICAP */
	uint16_t	 used;		/* 1 */
};

#define TALLY_UNSCANNED	0x01u
#define TALLY_BLOCKED	0x02u
#define TALLY_CUT	0x04u	/* when the client had a part of it */

struct tally_count {
	struct tally_key key;
	uint64_t	 n;
};

/* REQMOD and RESPMOD of one service. */
struct tally_service {
	uint64_t	 bucket[TALLY_BUCKETS + 1];	/* not cumulative */
	uint64_t	 sum;		/* microseconds, all */
	uint64_t	 sum_serve;	/* and before the reply began */
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
};

struct tally_reason {
	char		 text[TALLY_REASON];
	uint64_t	 n;
};

/*
 * One place; its worker alone writes.  It begins at a page, and the first one
 * is all that is touched with up to a dozen services.
 */
struct tally_place {
	uint64_t		 other;		/* no room in count[] */
	uint64_t		 died;		/* transactions cut off */
	struct tally_count	 count[TALLY_COUNTS];
	struct tally_service	 service[TALLY_SERVICES];
	struct tally_reason	 reason[TALLY_REASONS];	/* of refusals */
	uint64_t		 own[VITAL_CELLS];	/* services' */
} __attribute__((aligned(4096)));

struct tally_head {
	uint32_t		 magic;
	uint32_t		 version;
	uint64_t		 size;		/* of the region */
	uint32_t		 max;		/* places */
	uint32_t		 nservices;
	char			 name[TALLY_SERVICES][TALLY_NAME];
	struct ring_public	 logs;
	struct vitals		 vitals;
};

struct tally;

/*
 * Maps a tally for at most max places, shared with children; in a new file
 * if path is not NULL.  NULL with errno.
 */
struct tally *tally_open(unsigned int max, const char *path);

/* Maps that of another process, to be read.  NULL with *why. */
struct tally *tally_map(const char *path, const char **why);
void	 tally_close(struct tally *t);

struct tally_head *tally_head(struct tally *t);

/* For the master: the number of a path; too many are TALLY_OTHERS. */
unsigned int tally_add_service(struct tally *t, const char *path);

/* The same for everybody, who asks only for what was added. */
unsigned int tally_find_service(struct tally *t, const char *path);

/* The place, to be written by its worker. */
struct tally_place *tally_place(struct tally *t, unsigned int i);

/* Its counters, or NULL where nothing was ever counted. */
const struct tally_place *tally_see(struct tally *t, unsigned int i);

/* The paths by number, as texts that end.  Returns how many there are. */
unsigned int tally_copy_names(struct tally *t,
	    char name[TALLY_SERVICES][TALLY_NAME]);

/* One transaction of at most this much is over.  Times in microseconds. */
struct tally_event {
	struct tally_key	 key;
	int64_t			 duration;
	int64_t			 serve;
	uint64_t		 bytes_in;
	uint64_t		 bytes_out;
};
void	 tally_add(struct tally_place *p, const struct tally_event *event);
void	 tally_refuse(struct tally_place *p, const char *why);

/* All places together; the caller frees nothing. */
struct tally_sum {
	uint64_t		 other;
	uint64_t		 died;
	unsigned int		 ncounts;
	struct tally_count	 count[1024];
	unsigned int		 nreasons;
	struct tally_reason	 reason[64];
	struct tally_service	 service[TALLY_SERVICES];
	uint64_t		 own[VITAL_CELLS];
};
void	 tally_sum(struct tally *t, struct tally_sum *sum);

const char *tally_verdict_name(enum tally_verdict verdict);

#endif
