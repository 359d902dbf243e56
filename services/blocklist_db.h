/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_BLOCKLIST_DB_H
#define SERVICES_BLOCKLIST_DB_H

#include <sys/types.h>

#include <cdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "weburl.h"

/* Lists of one section: their set is a number. */
#define BLOCKLIST_LISTS_MAX	64

/* Matches that one look-up can have. */
#define BLOCKLIST_MATCHES_MAX	32

#define BLOCKLIST_DIGEST_LEN	32

/*
 * What stands behind the database itself.  A file that does not end in one is
 * not complete; sum is of all that is before it.
 */
struct blocklist_trailer {
	uint64_t	 size;		/* of the file without this */
	unsigned char	 stamp[BLOCKLIST_DIGEST_LEN];	/* not in sum */
	unsigned char	 digest[BLOCKLIST_DIGEST_LEN];	/* of the sources */
	unsigned char	 names[BLOCKLIST_DIGEST_LEN];	/* of their paths */
	uint64_t	 entries;	/* of all lists, as `about` has them */
	uint64_t	 exceptions;
	uint64_t	 expressions;
	uint64_t	 sum;
	char		 magic[8];	/* last, as the file is written so */
};

#define BLOCKLIST_MAGIC		"icapdBL4"

/* Keys that are no URL begin with one of these. */
#define BLOCKLIST_KEY_EXCEPTION	'!'
#define BLOCKLIST_KEY_EXPR	'\1'	/* and a number of four digits */
#define BLOCKLIST_KEY_ABOUT	'\2'	/* and a byte, the list */
#define BLOCKLIST_KEY_IMPORTANT	'\3'	/* and a host, like an exception */
#define BLOCKLIST_KEY_FINAL	'\4'	/* the same */
#define BLOCKLIST_KEY_SOURCE	'\5'	/* and a path */

/* Value: a byte for each list, and this where URLs of the host are listed. */
#define BLOCKLIST_HAS_URLS	0x80

/* What is known of a list.  Its record is this and the text behind it. */
struct blocklist_about {
	uint64_t	 entries;	/* lines of its sources */
	uint64_t	 refused;	/* lines that are none */
	unsigned char	 digest[BLOCKLIST_DIGEST_LEN];	/* of its sources */
};

/* The first line that was refused: "file:line: why", bytes. */
#define BLOCKLIST_FIRST_MAX	320

/* A database, mapped.  Read only; each process has its own struct. */
struct blocklist_db {
	struct cdb			 cdb;
	bool				 is_open;
	struct blocklist_trailer	 trailer;
};

/* What a part of a URL was found in. */
struct blocklist_match {
	uint64_t	 lists;
	size_t		 at;		/* in the text of the URL */
	size_t		 len;
};

/*
 * Maps the database behind fd, which stays the caller's.  With check all of it
 * is read and compared with its sum.  Returns 0, or -1 with errno (EINVAL: it
 * is not complete or not what was written).
 */
int	 blocklist_db_open(struct blocklist_db *db, int fd, bool check);
void	 blocklist_db_close(struct blocklist_db *db);

/*
 * Looks for all parts of a URL that are listed: its host, the domains above
 * it, and the paths that lead to it, the longest first.  Returns how many
 * there are, at most BLOCKLIST_MATCHES_MAX.
 */
unsigned int blocklist_db_find(struct blocklist_db *db,
	    const struct weburl *u, struct blocklist_match *m);

/* Expression number i: its text and its list; NULL when there is none. */
const char *blocklist_db_get_expression(struct blocklist_db *db,
	    unsigned int i, size_t *len, unsigned int *list);

/*
 * What is known of a list, and (BLOCKLIST_FIRST_MAX bytes, or NULL) the first
 * line that was refused.  Zeroes where there is no such list.
 */
void	 blocklist_db_get_about(struct blocklist_db *db, unsigned int list,
	    struct blocklist_about *about, char *first);

/*
 * Entries that were in that file or folder.  Returns 0, or -1 when it was not
 * among the sources.
 */
int	 blocklist_db_get_source(struct blocklist_db *db, const char *path,
	    uint64_t *entries);

/* Entries that a list has, lines of the source. */
uint64_t blocklist_db_get_count(struct blocklist_db *db, unsigned int list);

/* The sum of a trailer: finds damage, keeps no secret. */
uint64_t blocklist_sum(const void *p, size_t len);

#endif
