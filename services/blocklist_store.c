/* SPDX-License-Identifier: ISC */
/*
 * Compiled lists on disk.  Called by blocklist.c when it is opened and when a
 * source has changed.  A database comes to its name by rename() only when it
 * is complete and on the disk, so whoever opens it sees a whole one or an
 * older one; what a crash or a bad disk leaves is found by its sum.  Names of
 * temporary files are those of the process, so two builders do not meet.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blocklist_store.h"
#include "service.h"

#define PREFIX		"blocklist-"
#define SUFFIX		".cdb"

/* A temporary file so old belongs to a builder that died, seconds. */
#define LEFT_BEHIND	(60 * 60)

int
blocklist_store_path(const char *cache, const char *section, char *path,
    size_t size)
{
	char	 name[3 * 64 + 1];
	size_t	 n = 0;

	/* a title is any text, a name of a file is not */
	for (; *section != '\0'; section++) {
		if (n + 4 > sizeof(name))
			return -1;
		if (chars_span(section, 1, CHARS_TOKEN) == 1 &&
		    *section != '%' && *section != '.')
			name[n++] = *section;
		else
			n += (size_t)snprintf(name + n, sizeof(name) - n,
			    "%%%02x", (unsigned char)*section);
	}
	name[n] = '\0';
	n = (size_t)snprintf(path, size, "%s/" PREFIX "%s" SUFFIX, cache,
	    name);
	return n < size ? 0 : -1;
}

/* Removes what builders that died have left. */
static void
clean_folder(const char *cache)
{
	struct dirent	*d;
	struct stat	 st;
	DIR		*dir;

	if ((dir = opendir(cache)) == NULL)
		return;
	while ((d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
		    strstr(d->d_name, SUFFIX ".") != NULL &&
		    fstatat(dirfd(dir), d->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    st.st_mtime < time(NULL) - LEFT_BEHIND)
			(void)unlinkat(dirfd(dir), d->d_name, 0);
	(void)closedir(dir);
}

/*
 * The stamp is not part of the sum, so that it can be set alone.  Not by its
 * name: who owns the folder could give that to another file of ours.
 */
static void
write_stamp(int fd, const char *path, const struct blocklist_db *db,
    const unsigned char *stamp)
{
	/* if it fails the sources are read again, that is all */
	if (pwrite(fd, stamp, BLOCKLIST_DIGEST_LEN,
	    (off_t)(db->trailer.size +
	    offsetof(struct blocklist_trailer, stamp))) == -1 &&
	    errno != EBADF)
		service_log("blocklist: %s: %s", path, strerror(errno));
}

/* Says why it is none that we have made, or NULL. */
static const char *
check_owner(int fd, const char *cache)
{
	struct stat	 st, folder;

	if (fstat(fd, &st) == -1 || stat(cache, &folder) == -1)
		return strerror(errno);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return "it is no file with this one name";
	if (st.st_uid != 0 && st.st_uid != geteuid() &&
	    st.st_uid != folder.st_uid)
		return "it belongs to another user";
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "others can write to it";
	return NULL;
}

/* Opens the one that is there, if it is whole. */
static int
open_whole(const struct blocklist_sources *s, const char *cache,
    const char *path, struct blocklist_db *db)
{
	const char	*why;
	int		 fd;

	/* a pipe must not make us wait */
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1 && (errno == EACCES || errno == EROFS))
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
		    O_NONBLOCK);
	if (fd == -1)
		return -1;
	if ((why = check_owner(fd, cache)) != NULL) {
		service_warn("blocklist \"%s\": %s is not used and made "
		    "anew: %s", s->section, path, why);
		(void)close(fd);
		return -1;
	}
	if (blocklist_db_open(db, fd, true) == -1) {
		service_warn("blocklist \"%s\": %s is damaged and is made "
		    "anew", s->section, path);
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Is it that of the sources as they are now? */
static bool
is_right(const struct blocklist_sources *s, int fd, const char *path,
    const unsigned char *stamp, const struct blocklist_db *db)
{
	static const unsigned char	 never[BLOCKLIST_DIGEST_LEN];
	unsigned char			 digest[BLOCKLIST_DIGEST_LEN];
	struct blocklist_fault		 ignored;

	if (memcmp(db->trailer.stamp, stamp, BLOCKLIST_DIGEST_LEN) == 0 &&
	    memcmp(stamp, never, BLOCKLIST_DIGEST_LEN) != 0)
		return true;
	if (blocklist_make_digest(s, digest, &ignored) == -1 ||
	    memcmp(db->trailer.digest, digest, BLOCKLIST_DIGEST_LEN) != 0)
		return false;
	write_stamp(fd, path, db, stamp);
	return true;
}

static int
open_temporary(const char *cache, const char *path, char *temporary,
    size_t size, const char *section, bool is_again)
{
	int	 fd = -1, n;

	n = snprintf(temporary, size, "%s.%ld", path, (long)getpid());
	if (n > 0 && (size_t)n < size &&
	    (mkdir(cache, 0750) == 0 || errno == EEXIST)) {
		clean_folder(cache);
		(void)unlink(temporary);
		fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
		    O_NOFOLLOW, 0644);
	}
	if (fd != -1)
		return fd;
	if (!is_again)
		service_warn("blocklist \"%s\": cannot write to %s: %s; the "
		    "lists are compiled again at the next start", section,
		    cache, strerror(errno));
	temporary[0] = '\0';
	return memfd_create("blocklist", MFD_CLOEXEC);
}

static int
make(const struct blocklist_sources *s, const char *cache, const char *path,
    struct blocklist_db *before, const unsigned char *stamp,
    struct blocklist_fault *fault)
{
	char	 temporary[PATH_MAX];
	int	 fd;

	memset(fault, 0, sizeof(*fault));
	fd = open_temporary(cache, path, temporary, sizeof(temporary),
	    s->section, s->is_again);
	if (fd == -1) {
		(void)strlcpy(fault->why, strerror(errno),
		    sizeof(fault->why));
		return -1;
	}
	if (blocklist_make(s, fd, stamp, before, fault) == 0) {
		if (temporary[0] == '\0' || rename(temporary, path) == 0)
			return fd;
		(void)snprintf(fault->why, sizeof(fault->why),
		    "%.300s: %s", path, strerror(errno));
	}
	if (temporary[0] != '\0')
		(void)unlink(temporary);
	(void)close(fd);
	return -1;
}

/*
 * The same file to read only: workers get it, and must not be able to change
 * what all others look into.
 */
static int
reopen(int fd)
{
	char	 path[32];
	int	 copy;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((copy = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return fd;
	(void)close(fd);
	return copy;
}

/*
 * What another process has just made or found right.  What has changed since
 * is found by its stamp, later.
 */
static int
open_rehearsed(const struct blocklist_sources *s, const char *cache,
    const char *path, struct blocklist_db *db)
{
	unsigned char	 names[BLOCKLIST_DIGEST_LEN];
	int		 fd;

	if ((fd = open_whole(s, cache, path, db)) == -1)
		return -1;
	blocklist_make_names(s, names);
	if (memcmp(db->trailer.names, names, sizeof(names)) == 0)
		return reopen(fd);
	blocklist_db_close(db);
	(void)close(fd);
	return -1;
}

int
blocklist_store_open(const struct blocklist_sources *s, const char *cache,
    struct blocklist_db *before, struct blocklist_db *db,
    unsigned char *stamp, struct blocklist_fault *fault)
{
	struct blocklist_db	 stored = { .is_open = false };
	char			 path[PATH_MAX - 32];
	int			 fd;

	memset(fault, 0, sizeof(*fault));
	if (blocklist_store_path(cache, s->section, path, sizeof(path)) ==
	    -1) {
		(void)strlcpy(fault->why, "the name of the section is too "
		    "long", sizeof(fault->why));
		return -1;
	}
	if (s->is_rehearsed &&
	    (fd = open_rehearsed(s, cache, path, db)) != -1) {
		memcpy(stamp, db->trailer.stamp, BLOCKLIST_DIGEST_LEN);
		return fd;
	}
	if (blocklist_make_stamp(s, stamp, fault) == -1)
		return -1;
	if ((fd = open_whole(s, cache, path, &stored)) != -1) {
		if (is_right(s, fd, path, stamp, &stored)) {
			*db = stored;
			return reopen(fd);
		}
		(void)close(fd);
		if (before == NULL)
			before = &stored;
	}
	fd = make(s, cache, path, before, stamp, fault);
	blocklist_db_close(&stored);
	if (fd == -1)
		return -1;
	if (blocklist_db_open(db, fd, false) == -1) {
		(void)snprintf(fault->why, sizeof(fault->why), "%.300s: %s",
		    path, strerror(errno));
		(void)close(fd);
		return -1;
	}
	service_log("blocklist \"%s\": compiled %llu entries of %u lists",
	    s->section, (unsigned long long)db->trailer.entries, s->nlists);
	return reopen(fd);
}
