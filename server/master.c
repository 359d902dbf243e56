/* SPDX-License-Identifier: ISC */
/*
 * The master: forks workers, reaps and replaces them, parks idle ones when a
 * client waits, and stops them all.  Called by main.c.  Only this file forks,
 * waits and kills.  It touches no byte that a client sent.
 *
 * All its signals stay blocked; they are read from a descriptor, and poll()
 * is the one place where it waits.  So there are no handlers and no races.
 */
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/stream.h"
#include "listen.h"
#include "master.h"
#include "respawn.h"
#include "worker.h"

/*
 * While a client waits and every worker is taken, the master looks this often
 * whether one has become idle, milliseconds.
 */
#define SHORT_TICK_MS	2

enum master_state {
	MASTER_SERVING,
	MASTER_DRAINING,	/* workers were told to leave */
	MASTER_KILLING		/* and could not wait */
};

struct master_slot {
	struct respawn_slot	 respawn;
	pid_t			 pid;		/* 0: to be filled at `due` */
	int64_t			 due;
	int64_t			 started;
};

struct master {
	const struct conf	*conf;
	struct board		*board;
	struct master_slot	*slot;
	struct respawn		 respawn;
	enum master_state	 state;
	int64_t			 deadline;	/* of draining */
	unsigned int		 running;
	bool			 announced;
	bool			 is_short;	/* watch the listener */
	int			 listener;
	int			 signals;
	int			 news[2];	/* pipe: workers tell */
	sigset_t		 mask;
};

static void
master_open_signals(struct master *m)
{
	static const int	 mine[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP,
				    SIGUSR1, SIGUSR2, SIGPIPE };
	size_t			 i;

	sigemptyset(&m->mask);
	for (i = 0; i < sizeof(mine) / sizeof(mine[0]); i++)
		sigaddset(&m->mask, mine[i]);
	if (sigprocmask(SIG_BLOCK, &m->mask, NULL) == -1)
		fatal(1, "sigprocmask");
	m->signals = signalfd(-1, &m->mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signals == -1)
		fatal(1, "signalfd");
}

/* In the child: what a worker keeps, and nothing else. */
static void
master_become_worker(struct master *m, unsigned int i, pid_t master)
{
	struct worker	 w;

	(void)close(m->signals);
	(void)close(m->news[0]);
	memset(&w, 0, sizeof(w));
	w.conf = m->conf;
	w.board = m->board;
	w.number = i;
	w.listener = m->listener;
	w.ready = m->news[1];
	w.master = master;
	worker_run(&w);
}

static void
master_fork(struct master *m, unsigned int i, int64_t now)
{
	struct board_slot	*b = board_slot(m->board, i);
	pid_t			 master = getpid(), pid;

	memset(b, 0, sizeof(*b));
	b->service = -1;
	board_enter(b, BOARD_STARTING, now);
	switch (pid = fork()) {
	case -1:
		log_error("worker %u: fork", i);
		board_enter(b, BOARD_FREE, now);
		m->slot[i].due = now + RESPAWN_DELAY_MIN;
		return;
	case 0:
		b->pid = getpid();
		master_become_worker(m, i, master);
	}
	b->pid = pid;
	m->slot[i].pid = pid;
	m->slot[i].started = now;
	m->running++;
}

/* Fills the slots that are due.  Returns when the next one is, or -1. */
static int64_t
master_fill(struct master *m, int64_t now)
{
	unsigned int	 i;
	int64_t		 next = -1;

	if (m->state != MASTER_SERVING)
		return -1;
	for (i = 0; i < m->conf->workers; i++) {
		if (m->slot[i].pid != 0)
			continue;
		if (m->slot[i].due <= now)
			master_fork(m, i, now);
		if (m->slot[i].pid == 0 &&
		    (next == -1 || m->slot[i].due < next))
			next = m->slot[i].due;
	}
	return next;
}

/* One line that says which, why, after what, and what comes next. */
static void
master_obituary(const struct master *m, unsigned int i, int status,
    const struct board_slot *b, int64_t now)
{
	const struct master_slot	*slot = &m->slot[i];
	char				 how[64], next[64];

	if (WIFSIGNALED(status))
		(void)snprintf(how, sizeof(how), "killed by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(how, sizeof(how), "exited with status %d",
		    WEXITSTATUS(status));
	if (slot->due <= now)
		(void)snprintf(next, sizeof(next), "at once");
	else
		(void)snprintf(next, sizeof(next), "in %.1f s",
		    (double)(slot->due - now) / 1000);
	log_warnx("worker %u (pid %ld) %s in state %s after %llu transactions, "
	    "%.1f s; respawn %s", i, (long)slot->pid, how,
	    board_state_name((enum board_state)b->state),
	    (unsigned long long)b->transactions,
	    (double)(now - slot->started) / 1000, next);
}

static void
master_bury(struct master *m, unsigned int i, int status, int64_t now)
{
	struct master_slot	*slot = &m->slot[i];
	struct board_slot	*b = board_slot(m->board, i);
	struct respawn_death	 death;

	memset(&death, 0, sizeof(death));
	death.now = now;
	death.age = now - slot->started;
	death.connections = b->connections;
	death.transactions = b->transactions;
	death.retired = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	death.sick = WIFEXITED(status) &&
	    (WEXITSTATUS(status) == EXIT_SICK ||
	    WEXITSTATUS(status) == EXIT_CONFIG);
	slot->due = respawn_due(&m->respawn, &slot->respawn, &death);
	if (m->state == MASTER_SERVING) {
		board_head(m->board)->deaths++;
		master_obituary(m, i, status, b, now);
	}
	slot->pid = 0;
	m->running--;
	board_enter(b, BOARD_FREE, now);
}

/* Reaps until there is nothing left to reap. */
static void
master_reap(struct master *m)
{
	unsigned int	 i;
	pid_t		 pid;
	int		 status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < m->conf->workers; i++)
			if (m->slot[i].pid == pid)
				break;
		if (i == m->conf->workers)
			log_warnx("process %ld is none of ours", (long)pid);
		else
			master_bury(m, i, status, stream_now());
	}
}

static void
master_kill_all(const struct master *m, int signo)
{
	unsigned int	 i;

	for (i = 0; i < m->conf->workers; i++)
		if (m->slot[i].pid != 0)
			(void)kill(m->slot[i].pid, signo);
}

static void
master_stop(struct master *m, int signo)
{
	if (signo == SIGTERM && m->state == MASTER_SERVING) {
		log_info("stopping: %u workers finish what they do",
		    m->running);
		m->state = MASTER_DRAINING;
		m->deadline = stream_now() + m->conf->timeouts.stop;
		master_kill_all(m, WORKER_LEAVE);
	} else {
		if (m->state != MASTER_KILLING)
			log_info("stopping at once");
		m->state = MASTER_KILLING;
		m->deadline = 0;
		master_kill_all(m, SIGKILL);
	}
	/* nobody else shall connect to a queue that is not served */
	if (m->listener != -1)
		(void)close(m->listener);
	m->listener = -1;
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
		default:
			log_debug("signal %u ignored", info.ssi_signo);
			break;
		}
	}
}

/* A worker is ready, or has taken the last free place. */
static void
master_take_news(struct master *m)
{
	char	 news[512], name[128];
	ssize_t	 n, i;

	while ((n = read(m->news[0], news, sizeof(news))) > 0)
		for (i = 0; i < n; i++) {
			if (news[i] == BOARD_NEWS_SHORT)
				m->is_short = true;
			else if (!m->announced && m->listener != -1) {
				m->announced = true;
				listen_name(m->listener, name, sizeof(name));
				log_info("listening on %s", name);
			}
		}
}

/*
 * Every worker has a connection.  If a client waits (`waiting`), the one
 * whose connection is idle longest gives it up, and the others announce a
 * close with their next reply, so that everybody comes to turn.
 */
static void
master_relieve(struct master *m, bool waiting)
{
	struct board_head	*head = board_head(m->board);
	struct board_slot	*b;
	union sigval		 which;
	int			 i;

	if (board_has_free(m->board, 0)) {
		/* a free worker is about to take it */
		if (!waiting)
			m->is_short = false;
		head->waiting = 0;
		return;
	}
	head->waiting = waiting;
	if (!waiting || (i = board_find_idle(m->board)) == -1)
		return;
	head->parks++;
	b = board_slot(m->board, (unsigned int)i);
	which.sival_int = (int)b->connections;
	(void)sigqueue(m->slot[i].pid, WORKER_PARK, which);
}

/* Waits for something to happen, at most until `next` (-1: for ever). */
static void
master_wait(struct master *m, int64_t next)
{
	struct pollfd	 pfd[3];
	int64_t		 left = -1;
	nfds_t		 n = 2;

	if (m->state == MASTER_DRAINING && (next == -1 || m->deadline < next))
		next = m->deadline;
	if (next != -1) {
		left = next - stream_now();
		if (left < 0)
			left = 0;
		if (left > RESPAWN_DELAY_MAX)
			left = RESPAWN_DELAY_MAX;
	}
	/* whoever waited may have been served: look again soon */
	if (board_head(m->board)->waiting && (left == -1 ||
	    left > SHORT_TICK_MS))
		left = SHORT_TICK_MS;
	pfd[0].fd = m->signals;
	pfd[1].fd = m->news[0];
	pfd[0].events = pfd[1].events = POLLIN;
	pfd[2].revents = 0;
	if (m->is_short && m->listener != -1) {
		pfd[2].fd = m->listener;
		pfd[2].events = POLLIN;
		n = 3;
	}
	if (poll(pfd, n, (int)left) == -1 && errno != EINTR)
		fatal(1, "poll");
	master_take_signals(m);
	master_take_news(m);
	if (n == 3 && m->listener != -1) {
		master_relieve(m, (pfd[2].revents & POLLIN) != 0);
		if ((pfd[2].revents & POLLIN) != 0) {
			/* give the worker a moment before looking again */
			pfd[0].events = POLLIN;
			(void)poll(pfd, 1, SHORT_TICK_MS);
		}
	}
}

int
master_run(const struct conf *conf, int listener)
{
	struct master	 m;
	int64_t		 next;

	memset(&m, 0, sizeof(m));
	m.conf = conf;
	m.listener = listener;
	m.slot = calloc(conf->workers, sizeof(*m.slot));
	if (m.slot == NULL || (m.board = board_open(conf->workers)) == NULL)
		fatal(1, "board");
	if (pipe2(m.news, O_CLOEXEC | O_NONBLOCK) == -1)
		fatal(1, "pipe");
	master_open_signals(&m);
	while (m.state == MASTER_SERVING || m.running > 0) {
		next = master_fill(&m, stream_now());
		master_wait(&m, next);
		if (m.state == MASTER_DRAINING && m.running > 0 &&
		    stream_now() >= m.deadline) {
			log_warnx("%u workers did not finish in time",
			    m.running);
			master_stop(&m, SIGKILL);
		}
	}
	log_info("stopped");
	free(m.slot);
	return 0;
}
