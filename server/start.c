/* SPDX-License-Identifier: ISC */
/*
 * Everything around the master: listeners that are opened or inherited, the
 * pid file, the background, who is told that we are ready, and the execution
 * of a new binary in our place.  Called by main.c with a complete
 * configuration.  It must not know what a worker does.
 *
 * A successor (SIGUSR2) is this program, executed by a child of the old
 * master with its listeners, by the same protocol by which a service manager
 * would start us, and up to three descriptors more: one to say that it is
 * ready, the pid file, whose lock is handed over with it, and the status
 * listener.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <libutil.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "board.h"
#include "conf_key.h"
#include "info.h"
#include "listen.h"
#include "log.h"
#include "master.h"
#include "notify.h"
#include "priv.h"
#include "sandbox.h"
#include "start.h"
#include "status.h"
#include "view.h"

/* The successor's descriptors, after the listeners. */
#define ENV_READY	"ICAPD_READY_FD"
#define ENV_PID_FILE	"ICAPD_PID_FILE_FD"

/* And, in words, whether the files of the listeners are to be removed. */
#define ENV_OWN_FILES	"ICAPD_OWN_FILES"

/* The first listener that is inherited (sd_listen_fds(3)). */
#define FIRST_FD	3

struct starting {
	const struct start	*start;
	int			 listener[BOARD_POOLS];
	unsigned int		 nlisteners;
	struct listen_file	 file[BOARD_POOLS];	/* of a unix socket */
	bool			 owns_files;	/* we, or one before us */
	char			*address[BOARD_POOLS];	/* as configured */
	unsigned int		 naddresses;
	/* copies: a configuration may be released before its end */
	char			*pid_file;	/* or NULL */
	char			*board;		/* its file, or NULL */
	char			*conf_file;	/* absolute, or NULL */
	struct pidfh		*pidfh;		/* our own pid file, or NULL */
	int			 pid_fd;	/* the file itself, or -1 */
	int			 ready_fd;	/* to the old master, or -1 */
	int			 launcher_fd;	/* to who started us, or -1 */
	bool			 is_successor;	/* that is not ready yet */
	bool			 is_released;	/* the master has taken conf */
	bool			 has_board;	/* we have made its file */
};

void
start_init(int argc, char *argv[])
{
	char	*name = strdup(argv[0]);

	if (name == NULL)
		fatal(1, "no memory");
	priv_init_title(argc, argv);
	/* the title is written over the original */
	argv[0] = name;
}

/* A descriptor that the old master has left us, or -1. */
static int
start_take_fd(const char *name)
{
	const char	*text = getenv(name), *error;
	int		 fd;

	if (text == NULL)
		return -1;
	fd = (int)strtonum(text, FIRST_FD, INT_MAX, &error);
	(void)unsetenv(name);
	if (error != NULL || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	return fd;
}

static void
start_find_files(struct starting *st)
{
	unsigned int	 i;

	for (i = 0; i < st->nlisteners; i++)
		listen_find_file(st->listener[i], &st->file[i]);
}

static int
start_listen(struct starting *st)
{
	const struct conf	*conf = st->start->conf;
	const struct conf_listen *l;
	const char		*why;
	unsigned int		 i;
	int			 n, bad;

	for (i = 0; i < conf->nlisten; i++)
		if ((st->address[i] = strdup(conf->listen[i].address)) == NULL)
			fatal(1, "strdup");
	st->naddresses = conf->nlisten;

	n = listen_inherit(st->listener, BOARD_POOLS, &bad, &why);
	if (n == -1) {
		log_errorx("inherited descriptor %d is %s", bad, why);
		return -1;
	}
	st->nlisteners = (unsigned int)n;
	if (n > 0) {
		if (st->owns_files)
			start_find_files(st);
		return 0;
	}
	st->owns_files = true;
	for (i = 0; i < conf->nlisten; i++) {
		l = &conf->listen[i];
		st->listener[i] = listen_open(l, &why);
		if (st->listener[i] == -1) {
			if (errno == 0)
				log_errorx("cannot listen on %s: %s",
				    l->address, why);
			else
				log_error("cannot listen on %s: %s",
				    l->address, why);
			return -1;
		}
		listen_find_file(st->listener[i], &st->file[i]);
		st->nlisteners++;
	}
	return 0;
}

/* The one of the daemon before us, if it is the same. */
static int
start_listen_status(struct starting *st)
{
	const char	*why;

	if (status_listen(st->start->conf, start_take_fd(STATUS_ENV),
	    &why) == 0)
		return 0;
	log_errorx("status: cannot listen on %s port %s: %s",
	    st->start->conf->view.status_host,
	    st->start->conf->view.status_port, errno != 0 ?
	    strerror(errno) : why);
	return -1;
}

/* While the listeners are open, so that the files are known to be theirs. */
static void
start_unlisten(void *arg)
{
	struct starting	*st = arg;
	unsigned int	 i;

	for (i = 0; st->owns_files && i < st->nlisteners; i++)
		listen_remove_file(&st->file[i]);
}

static int
start_lock(struct starting *st)
{
	const char	*path = st->pid_file;
	pid_t		 other = 0;

	if (path == NULL || st->pid_fd != -1)
		return 0;
	st->pidfh = pidfile_open(path, 0644, &other);
	if (st->pidfh == NULL) {
		if (errno == EEXIST && other > 0)
			log_errorx("already running, pid %ld (%s)",
			    (long)other, path);
		else if (errno == EEXIST || errno == EAGAIN ||
		    errno == EINVAL)
			log_errorx("already running, or starting (%s is "
			    "locked)", path);
		else
			log_error("pid file %s", path);
		return -1;
	}
	st->pid_fd = pidfile_fileno(st->pidfh);
	return 0;
}

static void
start_write_pid(const struct starting *st)
{
	char	 text[32];
	int	 n;

	if (st->pid_fd == -1)
		return;
	/* without a newline, which pidfile_open() would not read back */
	n = snprintf(text, sizeof(text), "%ld", (long)getpid());
	if (ftruncate(st->pid_fd, 0) == -1 ||
	    pwrite(st->pid_fd, text, (size_t)n, 0) != n)
		log_warn("pid file %s", st->pid_file);
}

/* Is the file with that name still the one that we have locked? */
static bool
start_owns_pid_file(const struct starting *st)
{
	struct stat	 named, ours;

	return stat(st->pid_file, &named) == 0 &&
	    fstat(st->pid_fd, &ours) == 0 && named.st_dev == ours.st_dev &&
	    named.st_ino == ours.st_ino;
}

static void
start_unlock(struct starting *st, bool keep)
{
	if (st->pid_fd == -1)
		return;
	if (!keep && st->pid_file != NULL && start_owns_pid_file(st))
		(void)unlink(st->pid_file);
	if (st->pidfh != NULL)
		(void)pidfile_close(st->pidfh);
	else
		(void)close(st->pid_fd);
}

/* Passes on what the daemon says until it is ready, or has ended. */
static void start_launch(pid_t pid, int text, int ready)
    __attribute__((noreturn));

static void
start_launch(pid_t pid, int text, int ready)
{
	struct pollfd	 pfd[2];
	char		 buf[4096];
	ssize_t		 n;
	int		 status;
	bool		 is_ready = false, is_over = false;

	while (!is_ready && !is_over) {
		pfd[0].fd = text;
		pfd[1].fd = ready;
		pfd[0].events = pfd[1].events = POLLIN;
		if (poll(pfd, 2, -1) == -1 && errno != EINTR)
			_exit(1);
		if (pfd[1].revents != 0) {
			is_ready = read(ready, buf, 1) == 1;
			is_over = !is_ready;
		}
		/* what was said before is there now */
		while ((n = read(text, buf, sizeof(buf))) > 0)
			(void)!write(STDERR_FILENO, buf, (size_t)n);
	}
	if (is_ready)
		_exit(0);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			_exit(1);
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ?
	    WEXITSTATUS(status) : 1);
}

/* Goes to the background; who has started us waits for `ready`. */
static int
start_daemonise(struct starting *st)
{
	int	 text[2], ready[2], null;
	pid_t	 pid;

	if (pipe2(text, O_CLOEXEC) == -1 || pipe2(ready, O_CLOEXEC) == -1 ||
	    fcntl(text[0], F_SETFL, O_NONBLOCK) == -1 ||
	    (null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1) {
		log_error("going to the background");
		return -1;
	}
	if ((pid = fork()) == -1) {
		log_error("fork");
		return -1;
	}
	if (pid > 0) {
		(void)close(text[1]);
		(void)close(ready[1]);
		start_launch(pid, text[0], ready[0]);
	}
	(void)close(text[0]);
	(void)close(ready[0]);
	if (setsid() == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDOUT_FILENO) == -1 ||
	    dup2(text[1], STDERR_FILENO) == -1) {
		log_error("going to the background");
		return -1;
	}
	(void)close(text[1]);
	(void)close(null);
	st->launcher_fd = ready[1];
	return 0;
}

/*
 * The name of the board while we are not ready: the one that serves has the
 * real name, and keeps it if we fail.
 */
static int
start_name_board(const struct starting *st, char *path, size_t size)
{
	int	 n = snprintf(path, size, "%s%s", st->board,
		    st->is_successor ? ".next" : "");

	return n > 0 && (size_t)n < size ? 0 : -1;
}

static int start_name_view(const struct starting *st, char *path,
    size_t size);
static pid_t start_find_holder(const struct starting *st);

/*
 * A successor takes the name of the board over from its parent.  Had that
 * died meanwhile, somebody else could have it.
 */
static void
start_rename_board(const struct starting *st)
{
	struct board_lock	 lock;
	char			 path[PATH_MAX], view[PATH_MAX], to[PATH_MAX];
	pid_t			 holder;

	(void)start_name_board(st, path, sizeof(path));
	(void)start_name_view(st, view, sizeof(view));
	(void)snprintf(to, sizeof(to), "%s%s", st->board, TALLY_SUFFIX);
	if (board_lock(&lock, st->board) == -1) {
		log_error("board %s", lock.path);
		return;
	}
	/* the board is last: who sees it sees the other, too */
	if ((holder = start_find_holder(st)) != 0)
		log_errorx("run-dir %s is in use by process %ld: icapctl does "
		    "not find this one", st->start->conf->run_dir,
		    (long)holder);
	else if (rename(view, to) == -1)
		log_warn("counters %s", to);
	else if (rename(path, st->board) == -1)
		log_warn("board %s", st->board);
	board_unlock(&lock);
}

/* The first worker is ready. */
static void
start_ready(void *arg)
{
	struct starting	*st = arg;
	int		 null;

	start_write_pid(st);
	if (st->board != NULL && st->is_successor)
		start_rename_board(st);
	st->is_successor = false;
	notify_send("MAINPID=%ld\nREADY=1\nSTATUS=serving", (long)getpid());
	if (st->ready_fd != -1) {
		(void)!write(st->ready_fd, "r", 1);
		(void)close(st->ready_fd);
		st->ready_fd = -1;
	}
	if (st->launcher_fd != -1) {
		(void)!write(st->launcher_fd, "r", 1);
		(void)close(st->launcher_fd);
		st->launcher_fd = -1;
		/* nobody reads it any more */
		if ((null = open("/dev/null", O_WRONLY | O_CLOEXEC)) != -1) {
			(void)dup2(null, STDERR_FILENO);
			(void)close(null);
		}
	}
}

/* Puts the descriptors to FIRST_FD and on, open for the new program. */
static int
start_move_fds(int *fds, int n)
{
	int	 i;

	for (i = 0; i < n; i++)
		if ((fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC,
		    FIRST_FD + n)) == -1)
			return -1;
	for (i = 0; i < n; i++)
		if (dup2(fds[i], FIRST_FD + i) == -1)
			return -1;
	return 0;
}

static int
start_set_number(const char *name, long n)
{
	char	 text[32];

	(void)snprintf(text, sizeof(text), "%ld", n);
	return setenv(name, text, 1);
}

/* Sockets are opened once: other addresses need another start. */
static int
start_check_listeners(const struct starting *st, const struct conf *next,
    char *why, size_t size)
{
	unsigned int	 i;

	for (i = 0; i < next->nlisten && i < st->naddresses; i++)
		if (strcmp(next->listen[i].address, st->address[i]) != 0)
			break;
	if (i == next->nlisten && i == st->naddresses)
		return 0;
	(void)snprintf(why, size, "listen \"%s\" cannot be changed by a "
	    "reload: expected the addresses of the start, in their order",
	    i < next->nlisten ? next->listen[i].address : st->address[i]);
	return -1;
}

/* Nobody has used it yet. */
static void
start_forget(struct starting *st, struct conf *conf)
{
	if (st->start->release != NULL)
		st->start->release(st->start->arg, conf);
}

/* The last check: it takes places for the logs. */
static int
start_check_logs(struct conf *next, char *why, size_t size)
{
	if (view_add(view_get(), next) == 0)
		return 0;
	if (errno == ENOSPC)
		(void)snprintf(why, size, "too many logs: expected at most %d, "
		    "with those of earlier configurations whose workers have "
		    "not finished", RING_LOGS);
	else
		(void)snprintf(why, size, "logs: %s", strerror(errno));
	return -1;
}

static int
start_load(struct starting *st, enum start_turn turn, struct conf **next,
    char *why, size_t size)
{
	if (st->start->reload(st->start->arg, turn, next, why, size) == -1)
		return -1;
	if (start_check_listeners(st, *next, why, size) == -1 ||
	    start_check(*next, why, size) == -1) {
		start_forget(st, *next);
		return -1;
	}
	return 0;
}

/*
 * What the child has left may be gone or replaced by now, or it could not
 * leave it: then its work was in vain.
 */
static int
start_reload(void *arg, uint64_t tag, struct conf **next, char *why,
    size_t size)
{
	struct starting	*st = arg;

	if (start_load(st, START_REHEARSED, next, why, size) == -1)
		return -1;
	if (conf_get_tag(*next) != tag) {
		start_forget(st, *next);
		if (start_load(st, START_ALONE, next, why, size) == -1)
			return -1;
	}
	if (start_check_logs(*next, why, size) == -1) {
		start_forget(st, *next);
		return -1;
	}
	return 0;
}

static int
start_rehearse(void *arg, uint64_t *tag, char *why, size_t size)
{
	struct starting	*st = arg;
	struct conf	*next;

	if (st->start->reload(st->start->arg, START_REHEARSAL, &next, why,
	    size) == -1)
		return -1;
	*tag = conf_get_tag(next);
	start_forget(st, next);
	return 0;
}

static void
start_release(void *arg, struct conf *conf)
{
	struct starting	*st = arg;

	view_del(view_get(), conf);
	start_forget(st, conf);
}

static void
start_upgrade(void *arg, int fd)
{
	struct starting	*st = arg;
	int		 fds[BOARD_POOLS + 3], n = 0;

	for (; n < (int)st->nlisteners; n++)
		fds[n] = st->listener[n];
	if (start_set_number("LISTEN_FDS", n) == -1 ||
	    start_set_number("LISTEN_PID", getpid()) == -1 ||
	    start_set_number(ENV_READY, FIRST_FD + n) == -1)
		return;
	fds[n++] = fd;
	if (st->pid_fd != -1) {
		if (start_set_number(ENV_PID_FILE, FIRST_FD + n) == -1)
			return;
		fds[n++] = st->pid_fd;
	}
	if (status_listener() != -1) {
		if (start_set_number(STATUS_ENV, FIRST_FD + n) == -1)
			return;
		fds[n++] = status_listener();
	}
	if (st->owns_files && setenv(ENV_OWN_FILES, "yes", 1) == -1)
		return;
	if (notify_address() != NULL &&
	    setenv("NOTIFY_SOCKET", notify_address(), 1) == -1)
		return;
	if (start_move_fds(fds, n) == -1)
		return;
	(void)execvp(st->start->argv[0], st->start->argv);
}

int
start_check(struct conf *conf, char *why, size_t size)
{
	const char	*reason;

	if (priv_find_user(&conf->priv, conf->user, conf->group,
	    &reason) == -1) {
		(void)snprintf(why, size, "user %s, group %s: %s",
		    conf->user != NULL ? conf->user : "(default)",
		    conf->group != NULL ? conf->group : "(default)", reason);
		return -1;
	}
	if (conf->priv.sandbox && sandbox_init() == -1) {
		(void)snprintf(why, size, "sandbox: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* Who holds the board with our name, but for our parent, if we succeed it. */
static pid_t
start_find_holder(const struct starting *st)
{
	int	 fd;
	pid_t	 holder;

	if ((fd = open(st->board, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	holder = board_find_holder(fd);
	(void)close(fd);
	return st->is_successor && holder == getppid() ? 0 : holder;
}

/*
 * Takes the lock and sees whether the folder is ours to use.  One that nobody
 * has configured may be missing, or taken.
 */
static int
start_check_board(struct starting *st, struct board_lock *lock)
{
	const char	*dir = st->start->conf->run_dir;
	bool		 is_wanted;
	pid_t		 holder;

	if (st->board == NULL)
		return 0;
	is_wanted = !conf_key_is_run_dir(dir);
	if (board_lock(lock, st->board) == -1) {
		if (is_wanted) {
			log_error("board %s", lock->path);
			return -1;
		}
		log_info("run-dir %s: %s: icapctl does not find this daemon",
		    dir, strerror(errno));
	} else if ((holder = start_find_holder(st)) == 0)
		return 0;
	else if (is_wanted) {
		log_errorx("run-dir %s is in use by process %ld", dir,
		    (long)holder);
		return -1;
	} else
		log_info("run-dir %s is in use by process %ld: icapctl does "
		    "not find this one", dir, (long)holder);
	free(st->board);
	st->board = NULL;
	return 0;
}

static struct board *
start_make_board(struct starting *st)
{
	char		 path[PATH_MAX];
	struct board	*b;

	if (st->board == NULL) {
		if ((b = board_open(CONF_PROCESSES_MAX, NULL)) == NULL)
			log_error("board");
		return b;
	}
	if (start_name_board(st, path, sizeof(path)) == -1) {
		log_errorx("board: name of the run directory is too long");
		return NULL;
	}
	if ((b = board_open(CONF_PROCESSES_MAX, path)) == NULL)
		log_error("board %s", path);
	st->has_board = b != NULL;
	return b;
}

/* Of those who start at the same moment one makes it; the others find it. */
static struct board *
start_board(struct starting *st)
{
	struct board_lock	 lock = { .fd = -1 };
	struct board		*b = NULL;

	if (start_check_board(st, &lock) == 0)
		b = start_make_board(st);
	board_unlock(&lock);
	return b;
}

static void
start_remove_board(const struct starting *st)
{
	struct board_lock	 lock;
	char			 path[PATH_MAX];

	/* else whoever comes next could lose counters he has just made */
	if (!st->has_board || board_lock(&lock, st->board) == -1)
		return;
	/* the counters go with the board, whose lock tells whose they are */
	if (start_name_board(st, path, sizeof(path)) == 0 &&
	    board_remove(path) &&
	    start_name_view(st, path, sizeof(path)) == 0)
		(void)unlink(path);
	board_unlock(&lock);
}

/* What administrators see: the same name as the board, and a suffix. */
static int
start_name_view(const struct starting *st, char *path, size_t size)
{
	int	 n = snprintf(path, size, "%s%s%s", st->board,
		    st->is_successor ? ".next" : "", TALLY_SUFFIX);

	return n > 0 && (size_t)n < size ? 0 : -1;
}

static int
start_view(const struct starting *st)
{
	struct conf	*conf = st->start->conf;
	char		 path[PATH_MAX];
	struct view	*v;

	if (st->board != NULL && start_name_view(st, path,
	    sizeof(path)) == -1) {
		log_errorx("name of the run directory is too long");
		return -1;
	}
	v = view_open(CONF_PROCESSES_MAX, &conf->view,
	    st->board != NULL ? path : NULL);
	if (v == NULL || view_add(v, conf) == -1) {
		log_error("logs and counters");
		return -1;
	}
	view_use(v, RING_MASTER, conf);
	return 0;
}

static enum master_end
start_master(struct starting *st)
{
	struct master_setup	 setup;

	memset(&setup, 0, sizeof(setup));
	setup.conf = st->start->conf;
	if ((setup.board = start_board(st)) == NULL || start_view(st) == -1)
		return MASTER_FAILED;
	if (st->conf_file != NULL)
		(void)strlcpy(board_head(setup.board)->conf_file,
		    st->conf_file, sizeof(board_head(setup.board)->conf_file));
	info_use(setup.board);
	setup.listener = st->listener;
	setup.nlisteners = st->nlisteners;
	setup.is_successor = st->is_successor;
	setup.unlisten = start_unlisten;
	setup.ready = start_ready;
	if (st->start->reload != NULL) {
		setup.reload = start_reload;
		setup.rehearse = start_rehearse;
	}
	setup.compare = st->start->compare;
	setup.release = start_release;
	setup.upgrade = start_upgrade;
	setup.arg = st;
	st->is_released = true;
	/* else each worker would read the time zone, from its own root */
	tzset();
	return master_run(&setup);
}

static int
start_init_names(struct starting *st)
{
	const struct conf	*conf = st->start->conf;
	char			 why[256];

	if (start_check(st->start->conf, why, sizeof(why)) == -1) {
		log_errorx("%s", why);
		return -1;
	}
	if (conf->file != NULL)
		st->conf_file = realpath(conf->file, NULL);
	if ((conf->pid_file != NULL &&
	    (st->pid_file = strdup(conf->pid_file)) == NULL) ||
	    (conf->run_dir != NULL && asprintf(&st->board, "%s/%s",
	    conf->run_dir, BOARD_FILE) == -1)) {
		log_error("no memory");
		return -1;
	}
	return 0;
}

static enum master_end
start_all(struct starting *st)
{
	if (start_init_names(st) == -1)
		return MASTER_FAILED;
	if (start_lock(st) == -1 || start_listen(st) == -1 ||
	    start_listen_status(st) == -1)
		return MASTER_FAILED;
	/* a successor is in the background already, and nobody waits for it */
	if (st->start->conf->daemonise && !st->is_successor &&
	    start_daemonise(st) == -1)
		return MASTER_FAILED;
	/* icapctl looks for it where nobody but the master can write */
	priv_title("master%s%s", st->conf_file != NULL ? " " : "",
	    st->conf_file != NULL ? st->conf_file : "");
	return start_master(st);
}

int
start_run(const struct start *s)
{
	struct starting	 st;
	enum master_end	 end;
	unsigned int	 i;

	memset(&st, 0, sizeof(st));
	st.start = s;
	st.launcher_fd = -1;
	st.ready_fd = start_take_fd(ENV_READY);
	st.pid_fd = start_take_fd(ENV_PID_FILE);
	st.is_successor = st.ready_fd != -1;
	st.owns_files = st.is_successor && getenv(ENV_OWN_FILES) != NULL;
	(void)unsetenv(ENV_OWN_FILES);
	if (notify_init() == -1)
		log_warnx("NOTIFY_SOCKET is not the address of a socket");
	end = start_all(&st);
	if (end != MASTER_REPLACED)
		start_remove_board(&st);
	if (end != MASTER_REPLACED && !st.is_successor)
		start_unlisten(&st);
	/* one that never got ready leaves it to the one that serves */
	start_unlock(&st, end == MASTER_REPLACED || st.is_successor);
	if (!st.is_released && s->release != NULL)
		s->release(s->arg, s->conf);
	for (i = 0; i < st.naddresses; i++)
		free(st.address[i]);
	free(st.pid_file);
	free(st.board);
	free(st.conf_file);
	return end == MASTER_FAILED ? 1 : 0;
}
