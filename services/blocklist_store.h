/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_BLOCKLIST_STORE_H
#define SERVICES_BLOCKLIST_STORE_H

#include "blocklist_make.h"

/*
 * Opens the database of these sources: the one in the cache folder where it
 * is whole and theirs, else one that is compiled and put there.  Where it
 * cannot be put there it has no name and lives in memory.  *stamp tells the
 * state of the sources.  `before` as for blocklist_make(); NULL: what is in
 * the folder.  Returns a descriptor for reading, or -1 and the fault.
 */
int	 blocklist_store_open(const struct blocklist_sources *s,
	    const char *cache, struct blocklist_db *before,
	    struct blocklist_db *db, unsigned char *stamp,
	    struct blocklist_fault *fault);

/* Path of the database of a section; returns 0, or -1 if it is too long. */
int	 blocklist_store_path(const char *cache, const char *section,
	    char *path, size_t size);

#endif
