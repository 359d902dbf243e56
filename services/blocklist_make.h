/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_BLOCKLIST_MAKE_H
#define SERVICES_BLOCKLIST_MAKE_H

#include "blocklist_db.h"
#include "service.h"

/* Room for what is wrong with a source. */
#define BLOCKLIST_WHY_MAX	512

/* One list of a section: all that is in its files. */
struct blocklist_list {
	const char	*name;
	const char	*category;
	char		**path;
	unsigned int	 npaths;
	bool		 allow;
	bool		 may_be_empty;
	struct service_backend *backend;	/* for people */
};

/* What a database is made of. */
struct blocklist_sources {
	const char		*section;
	struct blocklist_list	*list;
	unsigned int		 nlists;
	bool			 is_again;	/* what is odd has been told */
	bool			 is_rehearsed;	/* see service_setup */
};

/* What went wrong: in which list, at which path of it, and how. */
struct blocklist_fault {
	unsigned int	 list;
	unsigned int	 path;
	bool		 is_of_source;	/* and there until that changes */
	char		 why[BLOCKLIST_WHY_MAX];
};

/*
 * Digest of what can be told without reading the sources: when it is the
 * same, they are.  All zeroes where one changed in this very moment.  Returns
 * 0, or -1 and the fault when one is not there.
 */
int	 blocklist_make_stamp(const struct blocklist_sources *s,
	    unsigned char *stamp, struct blocklist_fault *fault);

/* Digest of which they are, list by list, whatever is in them. */
void	 blocklist_make_names(const struct blocklist_sources *s,
	    unsigned char *names);

/*
 * Digest of all their bytes and of how these are read.  Returns 0, or -1 and
 * the fault.
 */
int	 blocklist_make_digest(const struct blocklist_sources *s,
	    unsigned char *digest, struct blocklist_fault *fault);

/*
 * Compiles them into the empty file fd.  Lines that are no entries are told
 * in the log and left out; a file of which nothing is left is a fault, and so
 * is, where `before` is not NULL, one that has become empty since then, unless
 * its list may be.
 * Returns 0, or -1 and the fault.
 */
int	 blocklist_make(const struct blocklist_sources *s, int fd,
	    const unsigned char *stamp, struct blocklist_db *before,
	    struct blocklist_fault *fault);

#endif
