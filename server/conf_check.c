/* SPDX-License-Identifier: ISC */
/*
 * What only this host can say about a configuration: are there the users and
 * folders it names, may they be written to, can the listeners be bound?
 * Called by conf.c.  It changes nothing: a listener is bound for a moment but
 * never listens, a socket's file is not touched.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "conf_build.h"

static int
parse_id(const char *text, uint32_t *id)
{
	struct slice	 s = { text, strlen(text) };
	uint64_t	 n;

	/* the last one means "leave it" to chown(2) */
	if (chars_parse_uint(s, UINT32_MAX - 1, &n) == -1)
		return -1;
	*id = (uint32_t)n;
	return 0;
}

static int
find_user(const char *name, uid_t *uid)
{
	const struct passwd	*pw;

	if ((pw = getpwnam(name)) == NULL)
		return parse_id(name, uid);
	*uid = pw->pw_uid;
	return 0;
}

static int
find_group(const char *name, gid_t *gid)
{
	const struct group	*gr;

	if ((gr = getgrnam(name)) == NULL)
		return parse_id(name, gid);
	*gid = gr->gr_gid;
	return 0;
}

/* Returns what workers may do, as far as it is known. */
static struct priv
check_users(struct conf_load *l)
{
	const struct conf	*conf = l->conf;
	struct priv		 priv = conf->priv;
	struct conf_where	 where = conf_where_of(l, "", "user");
	const char		*why;
	bool			 known = true;

	if (conf->user != NULL && getpwnam(conf->user) == NULL) {
		conf_error(&l->errors, where, "user \"%s\" is unknown: "
		    "expected a user of this host", conf->user);
		known = false;
	}
	if (conf->group != NULL && getgrnam(conf->group) == NULL) {
		conf_error(&l->errors, conf_where_of(l, "", "group"),
		    "group \"%s\" is unknown: expected a group of this host",
		    conf->group);
		known = false;
	}
	if (where.line == 0)
		where = conf_where_of(l, "", "chroot");
	if (priv_find_user(&priv, conf->user, conf->group, &why) == -1 &&
	    known)
		conf_error(&l->errors, where, "user \"%s\": %s: expected "
		    "another user", conf->user != NULL ? conf->user : "",
		    why);
	return priv;
}

/* owner = "user", "user:group" or ":group" */
static void
check_owner(struct conf_load *l, struct conf_listen *listen,
    struct conf_where where)
{
	const char	*colon = strchr(listen->owner, ':');
	const char	*user;

	user = colon == NULL ? listen->owner : arena_printf(l->arena, "%.*s",
	    (int)(colon - listen->owner), listen->owner);
	if (user[0] != '\0' && find_user(user, &listen->uid) == -1)
		conf_error(&l->errors, where, "listen owner \"%s\" is "
		    "unknown: expected a user of this host", user);
	if (colon != NULL && colon[1] != '\0' &&
	    find_group(colon + 1, &listen->gid) == -1)
		conf_error(&l->errors, where, "listen owner \"%s\": its "
		    "group is unknown: expected a group of this host",
		    listen->owner);
}

static bool
is_folder(const char *path)
{
	struct stat	 st;

	if (stat(path, &st) == -1)
		return false;
	if (S_ISDIR(st.st_mode))
		return true;
	errno = ENOTDIR;
	return false;
}

static void
check_folders(struct conf_load *l, const struct priv *priv)
{
	const struct conf	*conf = l->conf;
	struct conf_where	 where;
	const char		*spool = conf->spool_dir;

	/* the workers' way to it begins in their root directory */
	if (spool != NULL && conf->priv.chroot != NULL)
		spool = arena_printf(l->arena, "%s/%s", conf->priv.chroot,
		    spool);
	where = conf_where_of(l, "spool", "directory");
	if (conf->spool_dir == NULL)
		conf_error(&l->errors, where, "spool directory \"\": "
		    "expected an absolute path");
	else if (!is_folder(spool))
		conf_error(&l->errors, where, "spool directory \"%s\": %s: "
		    "expected a folder", conf->spool_dir, strerror(errno));
	else if (priv_access(priv, spool, W_OK | X_OK) == -1)
		conf_error(&l->errors, where, "spool directory \"%s\": %s: "
		    "expected a folder the workers can write to",
		    conf->spool_dir, strerror(errno));
	if (conf->priv.chroot != NULL && !is_folder(conf->priv.chroot))
		conf_error(&l->errors, conf_where_of(l, "", "chroot"),
		    "chroot \"%s\": %s: expected a folder", conf->priv.chroot,
		    strerror(errno));
	if (conf->run_dir != NULL && !conf_key_is_run_dir(conf->run_dir) &&
	    !is_folder(conf->run_dir))
		conf_error(&l->errors, conf_where_of(l, "", "run-dir"),
		    "run-dir \"%s\": %s: expected a folder", conf->run_dir,
		    strerror(errno));
}

static const char *
folder_of(struct conf_load *l, const char *path)
{
	const char	*slash = strrchr(path, '/');

	return slash == path ? "/" : arena_printf(l->arena, "%.*s",
	    (int)(slash - path), path);
}

/* The folder a file would be made in. */
static bool
check_parent(struct conf_load *l, struct conf_where where, const char *what,
    const char *path)
{
	if (is_folder(folder_of(l, path)))
		return true;
	conf_error(&l->errors, where, "%s \"%s\": %s: expected it in "
	    "a folder that exists", what, path, strerror(errno));
	return false;
}

/* Logs are written by the workers' user, who makes the file if need be. */
static void
check_log(struct conf_load *l, struct conf_where where, const char *path,
    const struct priv *priv)
{
	const char	*user = "this user";

	if (priv->is_drop)
		user = arena_printf(l->arena, "the workers' user %s",
		    priv->user);
	if (is_folder(path))
		conf_error(&l->errors, where, "log \"%s\": %s: expected a "
		    "file", path, strerror(EISDIR));
	else if (priv_access(priv, path, W_OK) == 0 ||
	    (errno == ENOENT && !check_parent(l, where, "log", path)))
		return;
	else if (errno != ENOENT)
		conf_error(&l->errors, where, "log \"%s\": %s: expected a "
		    "file that %s can write to", path, strerror(errno),
		    user);
	else if (priv_access(priv, folder_of(l, path), W_OK | X_OK) == -1)
		conf_error(&l->errors, where, "log \"%s\": %s: expected it "
		    "in a folder where %s can make files", path,
		    strerror(errno), user);
}

static void
check_logs(struct conf_load *l, const struct priv *priv)
{
	const struct conf_section	*s;
	unsigned int			 i;

	for (i = 0; i < l->text.nsections; i++) {
		s = &l->text.section[i];
		if (strcmp(s->type, "log") == 0 && s->title[0] == '/')
			check_log(l, s->where, s->title, priv);
	}
}

/* ---- listeners ---------------------------------------------------------- */

/* Does a daemon run by that pid file? */
static bool
is_running(const char *pid_file)
{
	char		 text[32];
	struct slice	 s = { text, 0 };
	uint64_t	 pid;
	ssize_t		 n;
	int		 fd;

	if (pid_file == NULL ||
	    (fd = open(pid_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1)
		return false;
	n = read(fd, text, sizeof(text));
	(void)close(fd);
	if (n <= 0)
		return false;
	while (s.len < (size_t)n && text[s.len] >= '0' && text[s.len] <= '9')
		s.len++;
	if (chars_parse_uint(s, INT32_MAX, &pid) == -1 || pid == 0)
		return false;
	return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

static int
try_bind(const struct addrinfo *ai)
{
	static const int	 on = 1;
	int			 fd, error, saved;

	fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC,
	    ai->ai_protocol);
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	error = bind(fd, ai->ai_addr, ai->ai_addrlen);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return error;
}

/* `what` begins what is said: a section, or also a key. */
static void
check_tcp(struct conf_load *l, const char *what,
    const struct conf_listen *listen, struct conf_where where, bool try,
    bool running)
{
	struct addrinfo	 hints, *res, *ai;
	int		 error;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	error = getaddrinfo(listen->host, listen->port, &hints, &res);
	if (error != 0) {
		conf_error(&l->errors, where, "%s \"%s\": %s: expected an "
		    "address or name of this host", what, listen->address,
		    gai_strerror(error));
		return;
	}
	error = -1;
	for (ai = res; try && ai != NULL && error == -1; ai = ai->ai_next)
		error = try_bind(ai);
	if (try && error == -1 && !(errno == EADDRINUSE && running))
		conf_error(&l->errors, where, "%s \"%s\": %s: expected an "
		    "address of this host and a port that is free", what,
		    listen->address, strerror(errno));
	freeaddrinfo(res);
}

/* Is somebody listening at that socket? */
static bool
is_answered(const char *path)
{
	struct sockaddr_un	 sun;
	bool			 answered;
	int			 fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path) ||
	    (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return false;
	/* a socket of another type that is bound says EPROTOTYPE */
	answered = connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 ||
	    errno == EPROTOTYPE;
	(void)close(fd);
	return answered;
}

static void
check_unix(struct conf_load *l, const struct conf_listen *listen,
    struct conf_where where, bool try, bool running)
{
	struct stat	 st;

	(void)check_parent(l, where, "listen", listen->path);
	if (lstat(listen->path, &st) == -1)
		return;
	if (!S_ISSOCK(st.st_mode))
		conf_error(&l->errors, where, "listen \"%s\": there is a "
		    "file: expected a socket or nothing", listen->address);
	else if (try && !running && is_answered(listen->path))
		conf_error(&l->errors, where, "listen \"%s\": %s: expected a "
		    "socket that is free", listen->address,
		    strerror(EADDRINUSE));
}

static void
check_status(struct conf_load *l, bool try, bool running)
{
#ifdef HAVE_LIBMICROHTTPD
	struct conf_listen	 listen;

	memset(&listen, 0, sizeof(listen));
	listen.address = l->conf->view.status_address;
	listen.host = l->conf->view.status_host;
	listen.port = l->conf->view.status_port;
	if (listen.host != NULL)
		check_tcp(l, "status address", &listen, conf_where_of(l,
		    "status", "address"), try, running);
#else
	(void)l;
	(void)try;
	(void)running;
#endif
}

static void
check_listeners(struct conf_load *l, bool try)
{
	const struct conf_section	*s;
	struct conf_listen		*listen;
	struct conf_where		 where;
	bool				 running;
	unsigned int			 i, n = 0;

	running = try && is_running(l->conf->pid_file);
	for (i = 0; i < l->text.nsections && n < l->conf->nlisten; i++) {
		s = &l->text.section[i];
		if (strcmp(s->type, "listen") != 0)
			continue;
		listen = &l->listen[n++];
		if (listen->path == NULL && listen->port == NULL)
			continue;		/* said already */
		if (listen->owner != NULL) {
			where = conf_section_find(s, "owner")->where;
			check_owner(l, listen, where);
		}
		if (listen->path != NULL)
			check_unix(l, listen, s->where, try, running);
		else
			check_tcp(l, "listen", listen, s->where, try, running);
	}
	/* the one that is there when none is configured */
	if (n == 0 && l->conf->nlisten == 1)
		check_tcp(l, "listen", l->listen, conf_where_of(l, "listen",
		    ""), try, running);
	check_status(l, try, running);
}

void
conf_check(struct conf_load *l, bool try_listeners)
{
	struct priv	 priv = check_users(l);

	check_folders(l, &priv);
	if (l->conf->pid_file != NULL)
		(void)check_parent(l, conf_where_of(l, "", "pidfile"),
		    "pidfile", l->conf->pid_file);
	check_logs(l, &priv);
	check_listeners(l, try_listeners);
}
