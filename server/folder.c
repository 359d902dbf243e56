/* SPDX-License-Identifier: ISC */
/*
 * Folders that processes without privileges write to, and whose files are
 * believed at the next start.  Called while services are opened, by the
 * master, who may be root: so no link is followed to another place, nothing
 * is given away that holds something, and a folder in which others can put
 * files is refused rather than repaired.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"

/*
 * Makes those above the last one.  Our user has to pass through them, whatever
 * the umask of who starts us says.
 */
static int
make_parents(const char *path, const struct priv *priv)
{
	char	 part[PATH_MAX];
	size_t	 i;

	if (strlcpy(part, path, sizeof(part)) >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (i = 1; part[i] != '\0'; i++) {
		if (part[i] != '/' || strspn(part + i, "/") ==
		    strlen(part + i))
			continue;
		part[i] = '\0';
		if (mkdir(part, 0755) == 0) {
			if (priv->is_drop && chmod(part, 0755) == -1)
				return -1;
		} else if (errno != EEXIST)
			return -1;
		part[i] = '/';
	}
	return 0;
}

static bool
is_empty(int fd)
{
	struct dirent	*d;
	DIR		*dir;
	int		 copy;
	bool		 empty = true;

	if ((copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) ==
	    -1)
		return false;
	if ((dir = fdopendir(copy)) == NULL) {
		(void)close(copy);
		return false;
	}
	while (empty && (d = readdir(dir)) != NULL)
		empty = strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0;
	(void)closedir(dir);
	return empty;
}

/* Says who else could change what is in it, or NULL. */
static const char *
check(int fd, const struct stat *st, const struct priv *priv)
{
	struct stat	 above;

	if (st->st_uid != 0 && st->st_uid != geteuid() &&
	    (!priv->is_drop || st->st_uid != priv->uid))
		return "it belongs to another user";
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "others can write to it";
	if (fstatat(fd, "..", &above, 0) == -1 ||
	    (above.st_uid != 0 && above.st_uid != geteuid() &&
	    (!priv->is_drop || above.st_uid != priv->uid)) ||
	    ((above.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
	    (above.st_mode & S_ISVTX) == 0))
		return "others can put another one in its place";
	return NULL;
}

static int
give(int fd, const struct stat *st, const struct priv *priv)
{
	if (!priv->is_drop || st->st_uid == priv->uid || !is_empty(fd))
		return 0;
	if (fchown(fd, priv->uid, priv->gid) == -1)
		return -1;
	return fchmod(fd, 0750);
}

int
folder_open(const char *path, const struct priv *priv, const char **why)
{
	struct stat	 st;
	int		 fd, result = -1, saved;

	*why = NULL;
	if (make_parents(path, priv) == -1 ||
	    (mkdir(path, 0750) == -1 && errno != EEXIST))
		return -1;
	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		*why = "it is a symbolic link";
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && (*why = check(fd, &st, priv)) == NULL)
		result = give(fd, &st, priv);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return result;
}
