/* SPDX-License-Identifier: ISC */
/*
 * The master: forks workers, reaps and replaces them, parks idle ones when a
 * client waits, kills hung ones, replaces all of them when it is told to
 * reload, and stops them all.  Called by start.c.  Only this file waits and
 * kills.  It touches no byte that a client sent.
 *
 * All its signals stay blocked; they are read from a descriptor, and poll()
 * is the one place where it waits.  So there are no handlers and no races.
 *
 * Who decides what: respawn.c when a place is filled again, roster.c which
 * place that is, queue.c who has waited too long.
 */
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../proto/stream.h"
#include "helpers.h"
#include "listen.h"
#include "master.h"
#include "notify.h"
#include "priv.h"
#include "queue.h"
#include "rehearse.h"
#include "respawn.h"
#include "roster.h"
#include "view.h"
#include "worker.h"

/*
 * While a client waits and every worker is taken, the master looks this often
 * whether one has become idle, milliseconds.
 */
#define SHORT_TICK_MS	2

/*
 * Only a connection that has been idle for so long is given up, milliseconds.
 * A client that sends request after request is told to close by its next
 * reply, and loses nothing; to close its connection between two of them could
 * cross with the next.
 */
#define PARK_IDLE_MS	20

/* Looks for hung transactions at least this often, milliseconds. */
#define WATCH_MAX_MS	5000

/* Clients that one relief worker refuses before it goes again. */
#define RELIEF_MAX	1000

/* Longest time an executed new binary may take to get ready, milliseconds. */
#define UPGRADE_MS	60000

/* For auxiliary processes to end after the workers have, milliseconds. */
#define HELPERS_MS	5000

/* Large for malloc, bytes; but not so large that it maps it. */
#define SORT_SIZE	(64 * 1024)

enum master_state {
	MASTER_SERVING,
	MASTER_DRAINING,	/* workers were told to leave */
	MASTER_KILLING		/* and could not wait */
};

/* A listener and what is known about those who wait there. */
struct pool {
	int		 listener;
	struct queue	 queue;
	bool		 is_short;	/* watch the listener */
	bool		 has_waiting;	/* a client was there when last seen */
	unsigned int	 relief;	/* relief workers running */
	uint64_t	 accepted;	/* by processes that have ended */
};

struct master {
	const struct master_setup *setup;
	struct board		*board;
	struct board_head	*head;
	struct roster		 roster;
	struct generation	*gen;		/* the current one */
	struct generation	*next;		/* of a reload under way */
	struct generation	*newest;	/* all of them, linked */
	struct respawn		 respawn;
	struct respawn		 respawn_aux;
	struct respawn_watch	 watch;
	struct pool		 pool[BOARD_POOLS];
	unsigned int		 npools;

	enum master_state	 state;
	enum master_end		 end;
	int64_t			 deadline;	/* of draining */
	int64_t			 next_watch;
	bool			 announced;
	bool			 reload_again;
	char			 changes[2048];	/* of the reload under way */

	pid_t			 rehearsal;	/* of a reload, or 0 */
	int			 rehearsal_fd;	/* why it failed */

	bool			 upgrade_later;	/* one was asked for */
	pid_t			 upgrade;	/* the new binary, or 0 */
	int			 upgrade_fd;
	int64_t			 upgrade_until;

	int			 signals;
	int			 news[2];	/* pipe: processes tell */
	sigset_t		 mask;
	sigset_t		 old_mask;
};

static void
master_open_signals(struct master *m)
{
	static const int	 mine[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP,
				    SIGUSR1, SIGUSR2 };
	struct sigaction	 sa;
	size_t			 i;

	/* standard error may be a pipe that nobody reads any more */
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_IGN;
	if (sigaction(SIGPIPE, &sa, NULL) == -1)
		fatal(1, "sigaction");
	sigemptyset(&m->mask);
	for (i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		sigaddset(&m->mask, mine[i]);
	if (sigprocmask(SIG_BLOCK, &m->mask, &m->old_mask) == -1)
		fatal(1, "sigprocmask");
	m->signals = signalfd(-1, &m->mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals == -1)
		fatal(1, "signalfd");
}

/* In the child: what a process keeps, and nothing else. */
static void
master_become(const struct master *m, const struct place *p, unsigned int i,
    pid_t master)
{
	struct worker		 w;
	int			 keep[3 + CONF_KEEP_MAX];
	unsigned int		 n = 0, k;

	memset(&w, 0, sizeof(w));
	w.conf = p->gen->conf;
	w.board = m->board;
	w.number = i;
	w.pool = p->pool;
	w.generation = p->gen->number;
	w.relief = p->relief;
	w.listener = -1;
	w.ready = m->news[1];
	w.master = master;
	keep[n++] = w.ready;
	if (p->aux == NULL) {
		w.listener = m->pool[p->pool].listener;
		keep[n++] = w.listener;
	} else if (p->aux->keep != NULL && p->aux->keep() != -1)
		keep[n++] = p->aux->keep();
	for (k = 0; k < w.conf->nkeep; k++)
		keep[n++] = w.conf->keep[k];
	if (priv_close_others(keep, n) == -1)
		fatal(EXIT_SICK, "closing descriptors");
	if (p->aux != NULL) {
		log_role("%s", p->aux->name);
		p->aux->run(&w);
	} else {
		log_role("worker %u", i);
		worker_run(&w);
	}
	exit(0);
}

static void
master_fork(struct master *m, unsigned int i, int64_t now)
{
	struct place		*p = &m->roster.place[i];
	struct board_slot	*b = board_slot(m->board, i);
	const struct place	 me = *p;	/* for the child */
	pid_t			 master = getpid(), pid;

	memset(b, 0, sizeof(*b));
	b->service = -1;
	b->generation = p->gen->number;
	b->pool = p->pool;
	b->started = now;
	m->head->nslots = m->roster.n;
	board_enter(b, p->aux != NULL ? BOARD_AUX : BOARD_STARTING, now);
	switch (pid = fork()) {
	case -1:
		log_error("worker %u: fork", i);
		board_enter(b, BOARD_FREE, now);
		p->due = now + RESPAWN_DELAY_MIN;
		return;
	case 0:
		b->pid = getpid();
		master_become(m, &me, i, master);
	}
	b->pid = pid;
	roster_enter(&m->roster, i, pid, now);
	m->head->forks++;
}

/* Fills the places that are due.  Returns when the next one is, or -1. */
static int64_t
master_fill(struct master *m, int64_t now)
{
	struct place	*p;
	unsigned int	 i;
	int64_t		 next = -1;

	if (m->state != MASTER_SERVING)
		return -1;
	for (i = 0; i < m->roster.n; i++) {
		p = &m->roster.place[i];
		if (p->pid != 0 || !p->is_wanted)
			continue;
		if (p->due <= now)
			master_fork(m, i, now);
		if (p->pid == 0 && (next == -1 || p->due < next))
			next = p->due;
	}
	return next;
}

static void
master_tell(struct master *m, unsigned int i, int signo)
{
	struct place	*p = &m->roster.place[i];

	if (p->pid == 0)
		return;
	if (signo == WORKER_LEAVE) {
		if (p->is_leaving)
			return;
		p->is_leaving = true;
	}
	(void)kill(p->pid, signo);
}

static void
master_tell_all(struct master *m, int signo, bool aux)
{
	unsigned int	 i;

	for (i = 0; i < m->roster.n; i++)
		if ((m->roster.place[i].aux != NULL) == aux)
			master_tell(m, i, signo);
}

/* Tells auxiliary processes; returns how many of them run. */
static unsigned int
master_tell_helpers(struct master *m, int signo, bool last)
{
	const struct place	*p;
	unsigned int		 i, n = 0;

	for (i = 0; i < m->roster.n; i++) {
		p = &m->roster.place[i];
		if (p->pid == 0 || p->aux == NULL || p->aux->is_last != last)
			continue;
		if (signo != 0)
			master_tell(m, i, signo);
		n++;
	}
	return n;
}

/* Adds n processes of one kind to a generation; they are due at once. */
static int
master_want(struct master *m, struct generation *gen, unsigned int n,
    unsigned int pool, const struct master_aux *aux)
{
	struct place	*p;
	int		 i;

	while (n-- > 0) {
		if ((i = roster_add(&m->roster, gen)) == -1)
			return -1;
		p = &m->roster.place[i];
		p->pool = pool;
		p->aux = aux;
		p->is_wanted = true;
	}
	return 0;
}

/*
 * A large request makes malloc join and sort what is free.  Here it does so
 * once; else in each worker, which gets a copy of every page that is touched
 * on the way.
 */
static void
master_sort_heap(void)
{
	void *volatile	 p = malloc(SORT_SIZE);

	/* volatile: the compiler would drop both calls */
	free(p);
}

static struct generation *
master_new_generation(struct master *m, struct conf *conf)
{
	struct generation	*gen;
	unsigned int		 i;

	if ((gen = calloc(1, sizeof(*gen))) == NULL)
		fatal(1, "calloc");
	gen->conf = conf;
	gen->older = m->newest;
	m->newest = gen;
	gen->number = m->gen != NULL ? m->gen->number + 1 : 1;
	for (i = 0; i < m->npools; i++)
		if (master_want(m, gen, conf_listen_of(conf, i)->workers, i,
		    NULL) == -1)
			break;
	if (i < m->npools)
		log_warnx("no room for all workers of generation %u: too many "
		    "old ones have not finished", gen->number);
	master_sort_heap();
	return gen;
}

static struct place *
master_find_helper(struct master *m, const struct master_aux *aux)
{
	unsigned int	 i;

	for (i = 0; i < m->roster.n; i++)
		if (m->roster.place[i].aux == aux)
			return &m->roster.place[i];
	return NULL;
}

/*
 * Those auxiliary processes that the configuration wants.  One that runs
 * already knows only its own configuration, so it is started again.
 */
static void
master_want_helpers(struct master *m)
{
	const struct master_aux	*aux;
	struct place		*p;
	bool			 wanted;

	for (aux = helper_list(); aux->name != NULL; aux++) {
		wanted = aux->is_wanted == NULL ||
		    aux->is_wanted(m->gen->conf);
		p = master_find_helper(m, aux);
		/* the daemon before us has it */
		if (aux->is_single && m->setup->is_successor && !m->announced)
			continue;
		if (p == NULL && wanted)
			(void)master_want(m, m->gen, 1, 0, aux);
		else if (p != NULL) {
			p->is_wanted = wanted;
			master_tell(m, (unsigned int)(p - m->roster.place),
			    WORKER_LEAVE);
			if (p->pid == 0)
				p->gen = m->gen;
		}
	}
}

/* Those of which there can be but one; true: the other one has ended its. */
static void
master_pass_helpers(struct master *m, bool to_us)
{
	const struct master_aux	*aux;
	struct place		*p;

	for (aux = helper_list(); aux->name != NULL; aux++) {
		if (!aux->is_single)
			continue;
		p = master_find_helper(m, aux);
		if (to_us && p == NULL && (aux->is_wanted == NULL ||
		    aux->is_wanted(m->gen->conf)))
			(void)master_want(m, m->gen, 1, 0, aux);
		if (!to_us && p != NULL) {
			p->is_wanted = false;
			master_tell(m, (unsigned int)(p - m->roster.place),
			    WORKER_LEAVE);
		}
	}
}

/* The last process of a generation that has been replaced is gone. */
static void
master_release(struct master *m, struct generation *gen)
{
	struct generation	**p;

	if (gen == m->gen || gen == m->next || gen->running > 0)
		return;
	log_debug("generation %u has gone", gen->number);
	for (p = &m->newest; *p != NULL; p = &(*p)->older)
		if (*p == gen) {
			*p = gen->older;
			break;
		}
	if (m->setup->release != NULL)
		m->setup->release(m->setup->arg, gen->conf);
	free(gen);
}

/* No worker of that generation is replaced any more. */
static void
master_retire(struct master *m, struct generation *gen)
{
	struct place	*p;
	unsigned int	 i;

	for (i = 0; i < m->roster.n; i++) {
		p = &m->roster.place[i];
		if (p->gen != gen || p->aux != NULL)
			continue;
		p->is_wanted = false;
		if (p->pid == 0)
			roster_del(&m->roster, i);
	}
}

static void
master_say_reload(struct master *m, enum board_reload result, const char *why)
{
	struct timespec	 ts;

	(void)snprintf(m->head->reload_why, sizeof(m->head->reload_why), "%s",
	    why);
	m->head->reload_time = (int64_t)time(NULL);
	if (result == BOARD_RELOAD_BAD)
		m->head->reloads_failed++;
	__atomic_store_n(&m->head->reload, (uint32_t)result,
	    __ATOMIC_RELEASE);
	if (result == BOARD_RELOAD_RUNNING)
		__atomic_fetch_add(&m->head->reloads_begun, 1,
		    __ATOMIC_RELEASE);
	/* to the microsecond, or it seems older than the request */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (result == BOARD_RELOAD_RUNNING)
		notify_send("RELOADING=1\nMONOTONIC_USEC=%lld",
		    (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	else
		notify_send("READY=1\nSTATUS=%s", result == BOARD_RELOAD_OK ?
		    "serving" : "serving, the last reload failed");
}

static void
master_show_conf(struct master *m)
{
	(void)snprintf(m->head->istag, sizeof(m->head->istag), "%s",
	    conf_get_istag(m->gen->conf, NULL));
	m->head->workers = m->gen->conf->workers;
	view_show(view_get(), m->gen->conf);
	__atomic_store_n(&m->head->generation, m->gen->number,
	    __ATOMIC_RELEASE);
}

/* The first worker of the new generation is ready: it is the current one. */
static void
master_commit(struct master *m)
{
	struct generation	*old = m->gen;

	m->gen = m->next;
	m->next = NULL;
	master_retire(m, old);
	master_show_conf(m);
	m->head->reloads++;
	(void)strlcpy(m->head->changes, m->changes, sizeof(m->head->changes));
	master_say_reload(m, BOARD_RELOAD_OK, "");
	log_info("reloaded: generation %u replaces %u", m->gen->number,
	    old->number);
	master_want_helpers(m);
	master_release(m, old);
}

/* The new generation cannot start; the old one never stopped. */
static void
master_abort(struct master *m, const char *why)
{
	struct generation	*bad = m->next;
	unsigned int		 i;

	log_errorx("reload failed: %s; generation %u goes on serving", why,
	    m->gen->number);
	m->next = NULL;
	master_retire(m, bad);
	for (i = 0; i < m->roster.n; i++)
		if (m->roster.place[i].gen == bad)
			master_tell(m, i, WORKER_LEAVE);
	master_say_reload(m, BOARD_RELOAD_BAD, why);
	master_release(m, bad);
}

/* Nothing of the new configuration is there yet. */
static void
master_fail_reload(struct master *m, const char *why)
{
	log_errorx("reload failed: %s; generation %u goes on serving", why,
	    m->gen->number);
	master_say_reload(m, BOARD_RELOAD_BAD, why);
}

/* What was rehearsed is done. */
static void
master_load(struct master *m, uint64_t tag)
{
	struct conf	*conf;
	char		 why[256] = "bad configuration";

	if (m->setup->reload(m->setup->arg, tag, &conf, why,
	    sizeof(why)) == -1) {
		master_fail_reload(m, why);
		return;
	}
	m->changes[0] = '\0';
	if (m->setup->compare != NULL)
		m->setup->compare(m->gen->conf, conf, m->changes,
		    sizeof(m->changes));
	/* the last of all is the logger; another one knows the new logs */
	if (view_has_added(view_get()))
		(void)master_tell_helpers(m, WORKER_LEAVE, true);
	m->next = master_new_generation(m, conf);
}

/*
 * A child loads the new configuration first: what that takes, or breaks, is
 * not the master's.
 */
static void
master_rehearse(struct master *m)
{
	pid_t	 master = getpid(), pid;
	int	 fd[2];

	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) == -1) {
		master_fail_reload(m, strerror(errno));
		return;
	}
	switch (pid = fork()) {
	case -1:
		master_fail_reload(m, strerror(errno));
		(void)close(fd[0]);
		(void)close(fd[1]);
		return;
	case 0:
		rehearse_run(m->setup->rehearse, m->setup->arg, m->gen->conf,
		    master, fd[1]);
	}
	(void)close(fd[1]);
	m->rehearsal = pid;
	m->rehearsal_fd = fd[0];
}

/* That child has ended, and has said in the log what is wrong. */
static void
master_bury_rehearsal(struct master *m, int status)
{
	struct rehearsal	 told;
	char			*why = told.why;
	long			 pid = m->rehearsal;
	bool			 is_told;

	memset(&told, 0, sizeof(told));
	is_told = read(m->rehearsal_fd, &told, sizeof(told)) ==
	    (ssize_t)sizeof(told);
	told.why[sizeof(told.why) - 1] = '\0';
	(void)close(m->rehearsal_fd);
	m->rehearsal = 0;
	if (m->state != MASTER_SERVING)
		return;
	if (is_told && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		master_load(m, told.tag);
		return;
	}
	if (WIFSIGNALED(status))
		(void)snprintf(why, sizeof(told.why), "the process that reads "
		    "the new configuration (pid %ld) was killed by signal %d "
		    "(%s)", pid, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (why[0] == '\0')
		(void)snprintf(why, sizeof(told.why), "the process that reads "
		    "the new configuration (pid %ld) exited with status %d",
		    pid, WEXITSTATUS(status));
	master_fail_reload(m, why);
}

static void
master_reload(struct master *m)
{
	if (m->state != MASTER_SERVING)
		return;
	if (m->setup->reload == NULL) {
		log_warnx("there is nothing to reload");
		master_say_reload(m, BOARD_RELOAD_RUNNING, "");
		master_say_reload(m, BOARD_RELOAD_BAD, "there is nothing to "
		    "reload");
		return;
	}
	/* one at a time; who comes meanwhile wants what is there then */
	if (m->rehearsal != 0 || m->next != NULL || !m->announced) {
		m->reload_again = true;
		return;
	}
	m->reload_again = false;
	log_info("reloading");
	master_say_reload(m, BOARD_RELOAD_RUNNING, "");
	master_rehearse(m);
}

/*
 * A worker got ready: one of the old generation at the same listener, if
 * there is one left, may go.  When all are ready all may.
 */
static void
master_relay(struct master *m, unsigned int i)
{
	const struct place	*p;
	unsigned int		 k;
	bool			 all = true;
	int			 old = -1;

	for (k = 0; k < m->roster.n; k++) {
		p = &m->roster.place[k];
		if (p->aux != NULL || p->pool != m->roster.place[i].pool)
			continue;
		if (p->gen == m->gen && p->is_wanted && !p->is_ready)
			all = false;
		if (p->gen != m->gen && p->pid != 0 && !p->is_leaving)
			old = (int)k;
		if (old != -1 && !all)
			break;
	}
	if (old == -1)
		return;
	master_tell(m, (unsigned int)old, WORKER_LEAVE);
	for (k = 0; all && k < m->roster.n; k++) {
		p = &m->roster.place[k];
		if (p->aux == NULL && p->gen != NULL && p->gen != m->gen &&
		    p->pool == m->roster.place[i].pool)
			master_tell(m, k, WORKER_LEAVE);
	}
}

static void
master_take_ready(struct master *m, unsigned int i)
{
	struct place	*p = &m->roster.place[i];
	char		 name[128];
	unsigned int	 k;

	/* of a process that was reaped before its news were read */
	if (p->pid == 0 || p->is_ready)
		return;
	p->is_ready = true;
	if (p->aux != NULL || p->relief > 0 || m->state != MASTER_SERVING)
		return;
	if (p->gen == m->next)
		master_commit(m);
	if (!m->announced) {
		m->announced = true;
		for (k = 0; k < m->npools; k++) {
			listen_name(m->pool[k].listener, name, sizeof(name));
			log_info("listening on %s", name);
		}
		if (m->setup->ready != NULL)
			m->setup->ready(m->setup->arg);
		if (m->setup->is_successor)
			master_pass_helpers(m, true);
	}
	master_relay(m, i);
}

/* One line that says which, why, after what, and what comes next. */
static void
master_obituary(const struct master *m, unsigned int i, int status,
    const struct board_slot *b, int64_t now)
{
	const struct place	*p = &m->roster.place[i];
	const struct conf	*conf = p->gen->conf;
	char			 who[64], how[128], what[384] = "", next[64];

	if (p->aux != NULL)
		(void)snprintf(who, sizeof(who), "%s", p->aux->name);
	else
		(void)snprintf(who, sizeof(who), "worker %u", i);
	if (p->is_hung)
		(void)snprintf(how, sizeof(how), "killed, for it hung for "
		    "%.1f s", (double)board_age(now, b->since) / 1000);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		(void)snprintf(how, sizeof(how), "killed by the sandbox: a "
		    "system call that is not allowed");
	else if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "killed by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(how, sizeof(how), "exited with status %d",
		    WEXITSTATUS(status));
	if (p->aux == NULL && b->state == BOARD_SERVICE && b->service >= 0 &&
	    (unsigned int)b->service < conf->nplans)
		(void)snprintf(what, sizeof(what), " in service \"/%.256s\"",
		    conf->plan[b->service].path);
	else if (p->aux == NULL)
		(void)snprintf(what, sizeof(what), " in state %s",
		    board_state_name(b->state));
	if (!p->is_wanted)
		(void)snprintf(next, sizeof(next), "none");
	else if (p->due <= now)
		(void)snprintf(next, sizeof(next), "at once");
	else
		(void)snprintf(next, sizeof(next), "in %.1f s",
		    (double)(p->due - now) / 1000);
	log_warnx("%s (pid %ld) %s%s after %llu transactions, "
	    "%.1f s; respawn %s", who, (long)p->pid, how, what,
	    (unsigned long long)b->transactions,
	    (double)(now - p->started) / 1000, next);
}

/* No worker has ever done its job, and none will. */
static bool
master_is_hopeless(const struct master *m, const struct place *p, int status)
{
	if (m->announced || p->aux != NULL || m->state != MASTER_SERVING)
		return false;
	return respawn_is_hopeless(&m->respawn) ||
	    (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG);
}

static void
master_bury(struct master *m, unsigned int i, int status, int64_t now)
{
	struct place		*p = &m->roster.place[i];
	struct board_slot	 b;
	struct generation	*gen = p->gen;
	struct respawn_death	 death;
	bool			 asked, hopeless, failed;

	board_copy_slot(m->board, i, &b);
	asked = WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	    (p->is_leaving || p->relief > 0);
	memset(&death, 0, sizeof(death));
	death.now = now;
	/* one that never got ready was never healthy, however long it took */
	if (p->is_ready || p->aux != NULL)
		death.age = now - p->started;
	death.connections = b.connections;
	death.transactions = b.transactions;
	death.retired = asked;
	death.sick = WIFEXITED(status) &&
	    (WEXITSTATUS(status) == EXIT_SICK ||
	    WEXITSTATUS(status) == EXIT_CONFIG);
	/* what a new generation does is no news about the current one */
	failed = gen == m->next && p->aux == NULL && !asked;
	if (p->is_wanted && !failed)
		p->due = respawn_due(p->aux != NULL ? &m->respawn_aux :
		    &m->respawn, &p->respawn, &death);
	if (m->state == MASTER_SERVING && !asked) {
		m->head->deaths++;
		if (failed)
			p->is_wanted = false;
		master_obituary(m, i, status, &b, now);
	}
	hopeless = master_is_hopeless(m, p, status);
	if (p->relief > 0)
		m->pool[p->pool].relief--;
	/* what auxiliary processes count is no client's */
	if (p->aux == NULL)
		m->pool[p->pool].accepted += b.connections;
	board_bury(m->board, i, p->aux == NULL, now);
	view_leave(view_get(), i, p->pid);
	roster_leave(&m->roster, i);
	/* auxiliary processes get the new configuration with their next life */
	if (p->aux != NULL && p->is_wanted)
		p->gen = m->gen;
	if (!p->is_wanted)
		roster_del(&m->roster, i);
	if (failed && m->next != NULL)
		master_abort(m, "a worker of the new generation did not start");
	else
		master_release(m, gen);
	if (hopeless) {
		log_errorx("no worker can be started, giving up");
		m->end = MASTER_FAILED;
		m->state = MASTER_KILLING;
		master_tell_all(m, SIGKILL, false);
	}
}

static void master_fail_upgrade(struct master *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* For icapctl; last is what it waits for. */
static void
master_fail_upgrade(struct master *m, const char *fmt, ...)
{
	struct board_stem	*stem = &m->head->stem;
	char			 why[sizeof(stem->upgrade_why)];
	va_list			 ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)strlcpy(stem->upgrade_why, why, sizeof(why));
	log_errorx("upgrade failed: %s", why);
	__atomic_fetch_add(&stem->upgrades_failed, 1, __ATOMIC_RELEASE);
}

/* The new binary has ended without having got ready. */
static void
master_bury_upgrade(struct master *m, int status)
{
	char	 how[64];

	if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "was killed by signal %d",
		    WTERMSIG(status));
	else
		(void)snprintf(how, sizeof(how), "exited with status %d",
		    WEXITSTATUS(status));
	if (m->state == MASTER_SERVING) {
		master_fail_upgrade(m, "the new binary (pid %ld) %s; this one "
		    "goes on serving", (long)m->upgrade, how);
		notify_send("MAINPID=%ld\nREADY=1\nSTATUS=serving, the last "
		    "upgrade failed", (long)getpid());
	}
	m->upgrade = 0;
	(void)close(m->upgrade_fd);
	m->upgrade_fd = -1;
}

/* Reaps until there is nothing left to reap. */
static void
master_reap(struct master *m)
{
	pid_t	 pid;
	int	 status, i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->upgrade)
			master_bury_upgrade(m, status);
		else if (pid == m->rehearsal)
			master_bury_rehearsal(m, status);
		else if ((i = roster_find(&m->roster, pid)) != -1)
			master_bury(m, (unsigned int)i, status, stream_now());
		else
			log_debug("process %ld is none of ours", (long)pid);
	}
}

static void
master_stop(struct master *m, int signo)
{
	unsigned int	 i;

	if (signo == SIGTERM && m->state == MASTER_SERVING) {
		log_info("stopping: %u workers finish what they do",
		    roster_count_workers(&m->roster));
		if (m->end != MASTER_REPLACED)
			notify_send("STOPPING=1");
		m->state = MASTER_DRAINING;
		m->deadline = stream_now() + m->gen->conf->timeouts.stop;
		master_tell_all(m, WORKER_LEAVE, false);
	} else {
		if (m->state != MASTER_KILLING)
			log_info("stopping at once");
		m->state = MASTER_KILLING;
		m->deadline = 0;
		master_tell_all(m, SIGKILL, false);
	}
	/* it has nothing to finish, and may stand still */
	if (m->rehearsal != 0)
		(void)kill(m->rehearsal, SIGKILL);
	if (m->setup->unlisten != NULL && m->end != MASTER_REPLACED)
		m->setup->unlisten(m->setup->arg);
	/* nobody else shall connect to a queue that is not served */
	for (i = 0; i < m->npools; i++) {
		if (m->pool[i].listener != -1)
			(void)close(m->pool[i].listener);
		m->pool[i].listener = -1;
	}
}

/* Executes the new binary beside this one, which goes on serving. */
static void
master_start_upgrade(struct master *m)
{
	int	 fd[2];
	pid_t	 pid;

	if (m->upgrade != 0) {
		log_warnx("an upgrade is under way already");
		return;
	}
	/* the outcome of a reload comes first */
	m->upgrade_later = m->rehearsal != 0;
	if (m->upgrade_later)
		return;
	if (m->state != MASTER_SERVING || !m->announced ||
	    m->setup->upgrade == NULL) {
		master_fail_upgrade(m, "this program %s", !m->announced ?
		    "is not ready itself" : m->state != MASTER_SERVING ?
		    "is about to end" : "cannot be upgraded");
		return;
	}
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) == -1) {
		master_fail_upgrade(m, "pipe: %s", strerror(errno));
		return;
	}
	log_info("upgrading");
	switch (pid = fork()) {
	case -1:
		master_fail_upgrade(m, "fork: %s", strerror(errno));
		(void)close(fd[0]);
		(void)close(fd[1]);
		return;
	case 0:
		(void)sigprocmask(SIG_SETMASK, &m->old_mask, NULL);
		m->setup->upgrade(m->setup->arg, fd[1]);
		log_error("the new binary cannot be executed");
		_exit(EXIT_CONFIG);
	}
	(void)close(fd[1]);
	m->upgrade = pid;
	m->upgrade_fd = fd[0];
	m->upgrade_until = stream_now() + UPGRADE_MS;
}

/* The new binary serves, or it has closed its end and will be reaped. */
static void
master_take_upgrade(struct master *m)
{
	char	 byte;
	ssize_t	 n;

	if (m->upgrade == 0 || m->upgrade_fd == -1)
		return;
	n = read(m->upgrade_fd, &byte, 1);
	if (n == 1 && m->state == MASTER_SERVING) {
		log_info("the new binary (pid %ld) serves", (long)m->upgrade);
		m->end = MASTER_REPLACED;
		m->upgrade = 0;
		(void)close(m->upgrade_fd);
		m->upgrade_fd = -1;
		master_pass_helpers(m, false);
		master_stop(m, SIGTERM);
	} else if (n == 0) {
		(void)close(m->upgrade_fd);
		m->upgrade_fd = -1;
		m->upgrade_until = 0;
		(void)kill(m->upgrade, SIGKILL);
	}
}

static void
master_take_signals(struct master *m)
{
	struct signalfd_siginfo	 info;

	while (read(m->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			master_reap(m);
			break;
		case SIGTERM:
		case SIGINT:
			master_stop(m, (int)info.ssi_signo);
			break;
		case SIGHUP:
			master_reload(m);
			break;
		case SIGUSR1:
			master_tell_all(m, SIGUSR1, true);
			break;
		case SIGUSR2:
			master_start_upgrade(m);
			break;
		default:
			log_debug("signal %u ignored", info.ssi_signo);
			break;
		}
	}
}

/* A process is ready, or a worker has taken the last free place. */
static void
master_take_news(struct master *m)
{
	unsigned char	 news[170 * BOARD_NEWS_SIZE];
	unsigned int	 who;
	ssize_t		 n, i;

	while ((n = read(m->news[0], news, sizeof(news))) > 0)
		for (i = 0; i + BOARD_NEWS_SIZE <= n; i += BOARD_NEWS_SIZE) {
			who = (unsigned int)news[i + 1] << 8 | news[i + 2];
			if (who >= m->roster.n)
				continue;
			if (news[i] == BOARD_NEWS_SHORT)
				m->pool[m->roster.place[who].pool].is_short =
				    true;
			else
				master_take_ready(m, who);
		}
}

/* Clients in the kernel's queue of a listener. */
static unsigned int
pool_count_waiting(const struct pool *pool)
{
	struct tcp_info	 info;
	socklen_t	 len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(pool->listener, IPPROTO_TCP, TCP_INFO, &info,
	    &len) == -1)
		return 1;
	return info.tcpi_unacked;
}

static uint64_t
master_count_accepted(struct master *m, unsigned int pool)
{
	const struct place	*p;
	uint64_t		 n = m->pool[pool].accepted;
	unsigned int		 i;

	for (i = 0; i < m->roster.n; i++) {
		p = &m->roster.place[i];
		if (p->pid != 0 && p->aux == NULL && p->pool == pool)
			n += board_slot(m->board, i)->connections;
	}
	return n;
}

/* Clients have waited too long: somebody tells them. */
static void
master_start_relief(struct master *m, unsigned int k, unsigned int n)
{
	int	 i;

	if ((i = roster_add(&m->roster, m->gen)) == -1)
		return;
	m->roster.place[i].pool = k;
	m->roster.place[i].relief = n < RELIEF_MAX ? n : RELIEF_MAX;
	log_warnx("%u clients have waited too long", n);
	master_fork(m, (unsigned int)i, stream_now());
	if (m->roster.place[i].pid == 0)
		roster_del(&m->roster, (unsigned int)i);
	else
		m->pool[k].relief++;
}

/* There are free workers again, so nobody is to be refused. */
static void
master_stop_relief(struct master *m, unsigned int k)
{
	unsigned int	 i;

	for (i = 0; i < m->roster.n; i++)
		if (m->roster.place[i].relief > 0 &&
		    m->roster.place[i].pool == k)
			master_tell(m, i, WORKER_LEAVE);
}

/*
 * Every worker of a listener has a connection.  If a client waits, the one
 * whose connection is idle longest gives it up, and the others announce a
 * close with their next reply, so that everybody comes to turn.  Who still
 * waits too long is told so.
 */
static void
master_relieve(struct master *m, unsigned int k)
{
	struct pool	*pool = &m->pool[k];
	int64_t		 limit = m->gen->conf->timeouts.queue, now;
	unsigned int	 waiting, overdue;
	union sigval	 which;
	uint64_t	 accepted;
	int		 i;

	/* whoever has taken a place after this will say so */
	if (!pool->has_waiting)
		pool->is_short = false;
	if (roster_has_free(&m->roster, m->board, k)) {
		/* a free worker is about to take it */
		if (pool->relief > 0)
			master_stop_relief(m, k);
		m->head->waiting[k] = m->head->queued[k] = 0;
		queue_reset(&pool->queue);
		return;
	}
	pool->is_short = true;
	m->head->waiting[k] = pool->has_waiting;
	if (!pool->has_waiting) {
		m->head->queued[k] = 0;
		queue_reset(&pool->queue);
		return;
	}
	now = stream_now();
	if ((i = roster_find_idle(&m->roster, m->board, m->gen, k)) != -1 &&
	    board_age(now, board_slot(m->board, (unsigned int)i)->since) >=
	    PARK_IDLE_MS) {
		m->head->parks++;
		which.sival_ptr = NULL;	/* the whole of it is sent */
		which.sival_int = (int)board_slot(m->board,
		    (unsigned int)i)->connections;
		(void)sigqueue(m->roster.place[i].pid, WORKER_PARK, which);
	}
	waiting = pool_count_waiting(pool);
	accepted = master_count_accepted(m, k);
	m->head->queued[k] = waiting;
	queue_note(&pool->queue, now, accepted, waiting, limit);
	if (limit > 0 && pool->relief == 0 && (overdue =
	    queue_overdue(&pool->queue, now, accepted, limit)) > 0)
		master_start_relief(m, k, overdue);
}

/*
 * Is that worker long over its time?  A transaction has a deadline of its
 * own; starting and leaving must not take longer than one may.
 */
static bool
master_is_hung(const struct place *p, const struct board_slot *b, int64_t now)
{
	const struct conf_timeouts	*t = &p->gen->conf->timeouts;

	/* what is on the board may be anything: nothing is added to it */
	switch (b->state) {
	case BOARD_READING:
	case BOARD_SERVICE:
		return now - t->grace >= b->deadline;
	case BOARD_STARTING:
	case BOARD_LEAVING:
		return now - t->grace - t->transaction >= b->since;
	default:
		return false;
	}
}

/* Kills workers that hang. */
static void
master_watch(struct master *m, int64_t now)
{
	struct place		*p;
	const struct conf	*conf = m->gen->conf;
	int64_t			 period;
	unsigned int		 i;

	period = (conf->timeouts.transaction + conf->timeouts.grace) / 4;
	if (period > WATCH_MAX_MS)
		period = WATCH_MAX_MS;
	if (now < m->next_watch)
		return;
	m->next_watch = now + period;
	if (!respawn_may_kill(&m->watch, now, period, conf->timeouts.grace))
		return;
	for (i = 0; i < m->roster.n; i++) {
		p = &m->roster.place[i];
		if (p->pid == 0 || p->aux != NULL || p->is_hung ||
		    !master_is_hung(p, board_slot(m->board, i), now))
			continue;
		p->is_hung = true;
		m->head->hung++;
		(void)kill(p->pid, SIGKILL);
	}
}

/* When has something to be done, at the latest? */
static int64_t
master_next(const struct master *m, int64_t next)
{
	if (next == -1 || m->next_watch < next)
		next = m->next_watch;
	if (m->state == MASTER_DRAINING && m->deadline < next)
		next = m->deadline;
	if (m->upgrade != 0 && m->upgrade_until != 0 &&
	    m->upgrade_until < next)
		next = m->upgrade_until;
	return next;
}

/* Waits for something to happen, at most until `next`. */
static void
master_wait(struct master *m, int64_t next)
{
	struct pollfd	 pfd[3 + BOARD_POOLS];
	unsigned int	 k;
	nfds_t		 n = 3;
	int64_t		 left = next - stream_now();
	bool		 is_waiting = false;

	pfd[0].fd = m->signals;
	pfd[1].fd = m->news[0];
	pfd[2].fd = m->upgrade_fd;	/* -1 is ignored */
	pfd[0].events = pfd[1].events = pfd[2].events = POLLIN;
	for (k = 0; k < m->npools; k++) {
		pfd[n].fd = m->pool[k].is_short ? m->pool[k].listener : -1;
		pfd[n].revents = 0;
		/* one that has a client already is looked at by the tick */
		pfd[n].events = POLLIN;
		if (m->pool[k].is_short && m->pool[k].has_waiting) {
			pfd[n].fd = -1;
			if (left > SHORT_TICK_MS)
				left = SHORT_TICK_MS;
		}
		n++;
	}
	if (left < 0)
		left = 0;
	if (poll(pfd, n, (int)left) == -1 && errno != EINTR)
		fatal(1, "poll");
	master_take_signals(m);
	master_take_news(m);
	master_take_upgrade(m);
	for (k = 0; k < m->npools; k++) {
		if (!m->pool[k].is_short || m->pool[k].listener == -1)
			continue;
		pfd[3 + k].fd = m->pool[k].listener;
		is_waiting = poll(&pfd[3 + k], 1, 0) == 1;
		m->pool[k].has_waiting = is_waiting;
		master_relieve(m, k);
	}
}

/* What happens by time alone. */
static void
master_tick(struct master *m)
{
	int64_t	 now = stream_now();

	master_watch(m, now);
	if (m->upgrade_later && m->rehearsal == 0)
		master_start_upgrade(m);
	if (m->reload_again && m->announced && m->next == NULL &&
	    m->rehearsal == 0)
		master_reload(m);
	if (m->state == MASTER_DRAINING && now >= m->deadline) {
		log_warnx("%u workers did not finish in time",
		    roster_count_workers(&m->roster));
		master_stop(m, SIGKILL);
	}
	if (m->upgrade != 0 && m->upgrade_until != 0 &&
	    now >= m->upgrade_until) {
		log_errorx("the new binary (pid %ld) does not get ready",
		    (long)m->upgrade);
		m->upgrade_until = 0;
		(void)kill(m->upgrade, SIGKILL);
	}
}

/* The workers have gone: now those who served them. */
static void
master_stop_helpers(struct master *m, bool last)
{
	int64_t	 until = stream_now() + HELPERS_MS;

	(void)master_tell_helpers(m, WORKER_LEAVE, last);
	while (master_tell_helpers(m, 0, last) > 0) {
		if (stream_now() >= until) {
			log_warnx("auxiliary processes do not end");
			(void)master_tell_helpers(m, SIGKILL, last);
			until += HELPERS_MS;
		}
		master_wait(m, until);
	}
}

static void
master_init(struct master *m, const struct master_setup *setup)
{
	unsigned int	 i;

	memset(m, 0, sizeof(*m));
	m->setup = setup;
	m->board = setup->board;
	m->head = board_head(m->board);
	m->upgrade_fd = -1;
	m->npools = setup->nlisteners;
	for (i = 0; i < m->npools; i++)
		m->pool[i].listener = setup->listener[i];
	if (roster_init(&m->roster, board_max(m->board)) == -1)
		fatal(1, "mmap");
	if (pipe2(m->news, O_CLOEXEC | O_NONBLOCK) == -1)
		fatal(1, "pipe");
	master_open_signals(m);
	/* these have no start that could be given up */
	m->respawn_aux.healthy = true;
	m->head->master = getpid();
	m->head->started = stream_now();
	m->head->started_time = (int64_t)time(NULL);
	(void)snprintf(m->head->stem.program, sizeof(m->head->stem.program),
	    "icapd %s", PACKAGE_VERSION);
}

/* No process is left, so nobody uses a configuration. */
static void
master_fini(struct master *m)
{
	struct generation	*gen = m->gen, *next = m->next;

	m->gen = m->next = NULL;
	if (next != NULL)
		master_release(m, next);
	master_release(m, gen);
	roster_fini(&m->roster);
	(void)close(m->signals);
	(void)close(m->news[0]);
	(void)close(m->news[1]);
}

enum master_end
master_run(const struct master_setup *setup)
{
	struct master	 m;
	int64_t		 next;

	master_init(&m, setup);
	m.gen = master_new_generation(&m, setup->conf);
	master_show_conf(&m);
	master_want_helpers(&m);
	while (m.state == MASTER_SERVING ||
	    roster_count_workers(&m.roster) > 0) {
		next = master_fill(&m, stream_now());
		master_wait(&m, master_next(&m, next));
		master_tick(&m);
	}
	/* nobody is served any more; the logger still writes it */
	log_info("stopped");
	master_stop_helpers(&m, false);
	master_stop_helpers(&m, true);
	if (m.upgrade != 0) {
		(void)kill(m.upgrade, SIGTERM);
		(void)close(m.upgrade_fd);
	}
	master_fini(&m);
	return m.end;
}
