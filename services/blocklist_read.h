/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_BLOCKLIST_READ_H
#define SERVICES_BLOCKLIST_READ_H

#include <sys/types.h>

#include <sha2.h>
#include <stddef.h>

#include "weburl.h"

/* Longer lines are no entries, bytes. */
#define BLOCKLIST_LINE_MAX	8192

enum blocklist_kind {
	BLOCKLIST_ENTRY,	/* "host" or "host/path", in its normal form */
	BLOCKLIST_IMPORTANT,	/* a host, whatever exceptions there are */
	BLOCKLIST_EXCEPTION,	/* a host this list is not meant for */
	BLOCKLIST_FINAL,	/* the same, also from what is important */
	BLOCKLIST_EXPRESSION	/* as it is written */
};

/* What a file turned out to be. */
enum blocklist_file {
	BLOCKLIST_LINES,
	BLOCKLIST_EXPRESSIONS,
	BLOCKLIST_MISSING	/* of a folder, which need not have all */
};

/* Reads the files of a list.  Zeroed, then the first part is filled in. */
struct blocklist_reader {
	/* Takes an entry.  Returns 0, or -1 with errno, which ends it. */
	int		 (*entry)(void *arg, enum blocklist_kind kind,
			    const char *text, size_t len);
	/* Hears of each line that is no entry, or NULL. */
	void		 (*complain)(void *arg, const char *file,
			    unsigned long line, const char *why);
	/*
	 * Hears of the end of each file, of which the rest tells; or NULL.
	 * Returns 0, or -1 with errno, which ends it.
	 */
	int		 (*end)(void *arg, enum blocklist_file kind);
	void		*arg;
	SHA2_CTX	*digest;	/* of all bytes, and of what they are */

	/* of the file that is being read */
	unsigned long	 entries;
	unsigned long	 bad;		/* lines that are no entries */
	unsigned long	 binary;	/* of those: that are no text */

	const char	*file;
	unsigned long	 line;
	struct weburl	 url;
};

/*
 * Reads a file, or a folder with files `domains`, `urls` and `expressions`,
 * in any of the forms that icapd.conf(5) names.  entry NULL: only for the
 * digest.  Returns 0, or -1 with errno (ENOENT also for a folder without any
 * of the three).
 */
int	 blocklist_read(struct blocklist_reader *r, const char *path);

/*
 * Adds what can be told of a path without reading it (sizes, times) to a
 * digest, and the time of the last change (nanoseconds) to *last.  Returns
 * 0, or -1.
 */
int	 blocklist_stamp(SHA2_CTX *stamp, const char *path, int64_t *last);

#endif
