/* SPDX-License-Identifier: ISC */
/*
 * Privileges: who a process is, what it may open, whom it follows.  Called by
 * worker.c and auxiliary processes in the child, and for the look-up of the
 * user by start.c before the first fork.  Only this file changes ids.
 * Whatever cannot be given up is fatal; nothing here can be undone.
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "priv.h"

/* A worker has a listener, a client, a pipe, a spool, and what services use. */
#define FILES	256

void
priv_init(struct priv *p)
{
	memset(p, 0, sizeof(*p));
	p->sandbox = true;
	p->files = FILES;
}

static int
priv_set_user(struct priv *p, const struct passwd *pw, const struct group *gr)
{
	p->is_drop = true;
	p->uid = pw->pw_uid;
	p->gid = gr != NULL ? gr->gr_gid : pw->pw_gid;
	if (strlcpy(p->user, pw->pw_name, sizeof(p->user)) >= sizeof(p->user))
		return -1;
	p->ngroups = PRIV_GROUPS_MAX;
	return getgrouplist(pw->pw_name, p->gid, p->group, &p->ngroups);
}

int
priv_find_user(struct priv *p, const char *user, const char *group,
    const char **why)
{
	static const char *const	 candidates[] = { "icapd", "_icapd",
					    "nobody" };
	const struct passwd		*pw = NULL;
	const struct group		*gr = NULL;
	size_t				 i;

	p->is_drop = false;
	if (geteuid() != 0) {
		/* ourselves is who we are already */
		*why = "only root can run workers as another user";
		if (user != NULL && ((pw = getpwnam(user)) == NULL ||
		    pw->pw_uid != getuid()))
			return -1;
		*why = "only root can change the root directory";
		return p->chroot == NULL ? 0 : -1;
	}
	*why = "no such user";
	if (user != NULL)
		pw = getpwnam(user);
	else
		for (i = 0; i < sizeof(candidates) / sizeof(candidates[0]) &&
		    pw == NULL; i++)
			pw = getpwnam(candidates[i]);
	if (pw == NULL)
		return -1;
	*why = "no such group";
	if (group != NULL && (gr = getgrnam(group)) == NULL)
		return -1;
	*why = "too many groups";
	if (priv_set_user(p, pw, gr) == -1)
		return -1;
	*why = "workers must not run as root";
	return p->uid != 0 ? 0 : -1;
}

int
priv_access(const struct priv *p, const char *path, int mode)
{
	gid_t	*mine, gid = getegid();
	uid_t	 uid = geteuid();
	int	 n, result = -1, saved;

	if (!p->is_drop)
		return faccessat(AT_FDCWD, path, mode, AT_EACCESS);
	if ((n = getgroups(0, NULL)) == -1 ||
	    (mine = reallocarray(NULL, (size_t)n + 1, sizeof(*mine))) == NULL ||
	    (n = getgroups(n, mine)) == -1)
		fatal(EXIT_CONFIG, "getgroups");
	if (setgroups((size_t)p->ngroups, p->group) == 0 &&
	    setegid(p->gid) == 0 && seteuid(p->uid) == 0)
		result = faccessat(AT_FDCWD, path, mode, AT_EACCESS);
	saved = errno;
	if (seteuid(uid) == -1 || setegid(gid) == -1 ||
	    setgroups((size_t)n, mine) == -1)
		fatal(EXIT_CONFIG, "root privileges are gone");
	free(mine);
	errno = saved;
	return result;
}

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int
priv_close_others(int *keep, unsigned int n)
{
	unsigned int	 from = STDERR_FILENO + 1, i;

	qsort(keep, n, sizeof(*keep), by_number);
	for (i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if ((unsigned int)keep[i] > from &&
		    close_range(from, (unsigned int)keep[i] - 1, 0) == -1)
			return -1;
		from = (unsigned int)keep[i] + 1;
	}
	return close_range(from, UINT_MAX, 0);
}

int
priv_follow(pid_t master)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1)
		return -1;
	return getppid() == master ? 0 : -1;
}

static void
priv_change_user(const struct priv *p)
{
	uid_t	 r, e, s;
	gid_t	 gr, ge, gs;

	if (setgroups((size_t)p->ngroups, p->group) == -1)
		fatal(EXIT_CONFIG, "setgroups");
	if (p->chroot != NULL && (chroot(p->chroot) == -1 ||
	    chdir("/") == -1))
		fatal(EXIT_CONFIG, "chroot %s", p->chroot);
	if (setresgid(p->gid, p->gid, p->gid) == -1)
		fatal(EXIT_CONFIG, "setresgid %ld", (long)p->gid);
	if (setresuid(p->uid, p->uid, p->uid) == -1)
		fatal(EXIT_CONFIG, "setresuid %ld", (long)p->uid);
	if (getresuid(&r, &e, &s) == -1 || getresgid(&gr, &ge, &gs) == -1 ||
	    r != p->uid || e != p->uid || s != p->uid ||
	    gr != p->gid || ge != p->gid || gs != p->gid)
		fatalx(EXIT_CONFIG, "user or group did not change");
	if (setresuid(0, 0, 0) != -1)
		fatalx(EXIT_CONFIG, "root privileges can be regained");
}

static void
priv_limit(int what, const char *name, uint64_t value)
{
	struct rlimit	 rl;

	if (getrlimit(what, &rl) == -1)
		fatal(EXIT_CONFIG, "getrlimit %s", name);
	/* never above what we were given */
	if (rl.rlim_max != RLIM_INFINITY && value > rl.rlim_max)
		value = rl.rlim_max;
	rl.rlim_cur = rl.rlim_max = value;
	if (setrlimit(what, &rl) == -1)
		fatal(EXIT_CONFIG, "setrlimit %s", name);
}

void
priv_drop(const struct priv *p, pid_t master)
{
	if (p->is_drop)
		priv_change_user(p);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal(EXIT_CONFIG, "no_new_privs");
	if (p->files != 0)
		priv_limit(RLIMIT_NOFILE, "files", p->files);
	if (p->memory != 0)
		priv_limit(RLIMIT_DATA, "memory", p->memory);
	if (!p->core)
		priv_limit(RLIMIT_CORE, "core", 0);
	else if (p->is_drop && prctl(PR_SET_DUMPABLE, 1) == -1)
		fatal(EXIT_CONFIG, "core files");
	/* the change of the user has cleared it */
	if (priv_follow(master) == -1)
		exit(0);
}

/* Where libbsd writes the title to, and the state in it, or NULL. */
static char	*title_area;
static char	*title_state;

void
priv_init_title(int argc, char *argv[])
{
	title_area = argv[0];
	setproctitle_init(argc, argv, environ);
}

void
priv_title(const char *fmt, ...)
{
	char	 title[1024];	/* one may name a file */
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(title, sizeof(title), fmt, ap);
	va_end(ap);
	setproctitle("%s", title);
	title_state = title_area == NULL ? NULL : strstr(title_area, title);
	if (title_state != NULL)
		title_state = strchr(title_state, '[');
}

void
priv_title_state(const char *state)
{
	size_t	 len = strlen(state);

	if (title_state != NULL && strcspn(title_state + 1, "]") == len)
		memcpy(title_state + 1, state, len);
}
