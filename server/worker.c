/* SPDX-License-Identifier: ISC */
/*
 * A worker: blocks in accept(), serves one connection at a time.  Called by
 * master.c in the child after the fork, with all signals blocked.  Nothing
 * else accepts.  It must not fork, and what it does must be visible on its
 * slot of the board.
 *
 * Handlers set a flag and make the call that may be blocking return, wherever
 * the signal fell: /dev/null is put over the listener, and the tick of an
 * idle connection is cut short.
 *
 * A relief worker is one that the master starts when clients have waited too
 * long: it tells so many of them that nobody has time, and leaves.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/spool.h"
#include "admit.h"
#include "listen.h"
#include "log.h"
#include "priv.h"
#include "sandbox.h"
#include "session.h"
#include "worker.h"

/* After running out of descriptors or memory in accept, milliseconds. */
#define SICK_PAUSE_MS	100

/* Between two lines of a worker about clients it has turned away. */
#define TURN_AWAY_PAUSE_MS	1000

/* Bytes of the smallest page of memory; an alignment, nothing depends on it. */
#define WORKER_PAGE	4096

static struct session_signals	 worker_signals = { 0, 0, -1 };
static int			 worker_listener = -1;
static int			 worker_null = -1;
static struct board_slot	*worker_slot;

static void
worker_park(void)
{
	worker_signals.park = 1;
	if (worker_signals.idle != -1)
		stream_fd_wake(worker_signals.idle);
}

/* The master means one connection; it may be over, and another begun. */
static void
worker_on_park(int signo, siginfo_t *info, void *context)
{
	int	 saved = errno;

	(void)signo;
	(void)context;
	if (info->si_value.sival_int == (int)worker_slot->connections)
		worker_park();
	errno = saved;
}

static void
worker_on_leave(int signo, siginfo_t *info, void *context)
{
	int	 saved = errno;

	(void)signo;
	(void)info;
	(void)context;
	worker_signals.leave = 1;
	(void)dup2(worker_null, worker_listener);
	worker_park();
	errno = saved;
}

static void
worker_handle(int signo, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction	 sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = handler;
	sa.sa_flags = SA_SIGINFO;
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, WORKER_LEAVE);
	sigaddset(&sa.sa_mask, WORKER_PARK);
	if (sigaction(signo, &sa, NULL) == -1)
		fatal(EXIT_CONFIG, "sigaction");
}

static void
worker_start_signals(void)
{
	sigset_t	 none;

	worker_handle(WORKER_LEAVE, worker_on_leave);
	worker_handle(WORKER_PARK, worker_on_park);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	/* the terminal sends it to all of us; the master decides */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		fatal(EXIT_CONFIG, "sigprocmask");
}

/*
 * accept() failed.  Most errors mean that this client went away; a few that
 * the machine is out of something, which passes.
 */
static void
worker_accept_failed(void)
{
	static bool	 is_told;

	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		if (!is_told)
			log_warn("accept");
		is_told = true;
		(void)poll(NULL, 0, SICK_PAUSE_MS);
		break;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		if (!worker_signals.leave)
			fatal(EXIT_CONFIG, "accept");
		break;
	default:
		break;
	}
}

/*
 * A client is turned away before it has said anything: on the board, and in
 * the log, where a flood of them gets a line of each worker now and then.
 */
static void
worker_turn_away(struct session *ss, int fd, const char *why)
{
	static int64_t		 silent_until;
	static unsigned int	 untold;
	char			 peer[128];

	ss->slot->refused++;
	if (stream_now() < silent_until) {
		untold++;
		return;
	}
	listen_peer(fd, peer, sizeof(peer));
	log_info("client %s: turned away from %s: %s; %u others since the "
	    "last such line", peer, ss->listen->address, why, untold);
	silent_until = stream_now() + TURN_AWAY_PAUSE_MS;
	untold = 0;
}

/* Is this client welcome?  Says so if not. */
static bool
worker_admits(struct session *ss, const struct worker *w, int fd,
    const struct sockaddr_storage *from)
{
	const struct conf_listen	*l = ss->listen;
	struct board_slot		*slot = ss->slot;

	admit_read_peer(from, &slot->peer);
	if (!admit_is_allowed(&l->allow, &slot->peer)) {
		worker_turn_away(ss, fd, "it is not in allow");
		return false;
	}
	board_enter(slot, BOARD_IDLE, slot->since);
	if (l->max_per_client != 0 && slot->peer.family != 0 &&
	    board_count_peer(w->board, &slot->peer) > l->max_per_client) {
		worker_turn_away(ss, fd, "it has max-per-client connections");
		return false;
	}
	return true;
}

/* Has the client that was just accepted waited for too long? */
static bool
worker_is_overdue(const struct session *ss, int fd)
{
	struct tcp_info	 info;
	socklen_t	 len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return false;
	return info.tcpi_last_data_recv >= ss->conf->timeouts.queue;
}

static void
worker_serve(struct session *ss, const struct worker *w)
{
	struct sockaddr_storage	 from;
	socklen_t		 len;
	unsigned int		 relief = w->relief;
	int			 fd;

	while (!worker_signals.leave) {
		if (w->relief == 0)
			board_enter(ss->slot, BOARD_ACCEPT, stream_now());
		len = sizeof(from);
		from.ss_family = AF_UNSPEC;
		fd = accept4(worker_listener, (struct sockaddr *)&from, &len,
		    SOCK_CLOEXEC);
		if (fd == -1) {
			worker_accept_failed();
			continue;
		}
		worker_signals.park = 0;
		ss->slot->connections++;
		if (worker_signals.leave)
			worker_signals.park = 1;
		if (!worker_admits(ss, w, fd, &from))
			(void)close(fd);
		else if (w->relief == 0) {
			board_tell_short(w->board, w->number, w->ready);
			priv_title_state("busy");
			session_run(ss, fd);
			priv_title_state("idle");
		} else if (worker_is_overdue(ss, fd)) {
			ss->slot->overload++;
			session_refuse_busy(ss, fd);
			relief--;
		} else
			session_run(ss, fd);
		ss->slot->peer.family = 0;
		if (w->relief != 0 && relief == 0)
			break;
	}
}

/*
 * Can large bodies be kept?  Better to say so now than with the first one.
 * Returns whether their files need names.
 */
static bool
worker_check_spool(const char *dir)
{
	bool	 has_names;

	if (spool_check(dir, &has_names) == -1)
		fatal(EXIT_CONFIG, "cannot write to the spool directory %s",
		    dir);
	return has_names;
}

/* What a service needs in each process. */
static void
worker_start_services(const struct conf *conf)
{
	const struct txn_step	*step;
	unsigned int		 i, k;

	for (i = 0; i < conf->nplans; i++)
		for (k = 0; k < conf->plan[i].nsteps; k++) {
			step = &conf->plan[i].step[k];
			if (step->service->start != NULL &&
			    step->service->start(step->instance) == -1)
				fatal(EXIT_SICK, "service \"/%s\": %s does "
				    "not start", conf->plan[i].path,
				    step->service->name);
		}
}

static void
worker_stop_services(const struct conf *conf)
{
	const struct txn_step	*step;
	unsigned int		 i, k;

	for (i = 0; i < conf->nplans; i++)
		for (k = 0; k < conf->plan[i].nsteps; k++) {
			step = &conf->plan[i].step[k];
			if (step->service->stop != NULL)
				step->service->stop(step->instance);
		}
}

void
worker_run(const struct worker *w)
{
	/*
	 * Here, not on the stack: most of it is never touched.  What is
	 * touched begins together, and on a page of its own.
	 */
	static _Alignas(WORKER_PAGE) struct session ss;
	bool		 with_names;

	ss.conf = w->conf;
	ss.board = w->board;
	ss.slot = worker_slot = board_slot(w->board, w->number);
	ss.pool = w->pool;
	ss.listen = conf_listen_of(w->conf, ss.pool);
	ss.signals = &worker_signals;
	ss.number = w->number;
	worker_listener = ss.listener = w->listener;
	if ((worker_null = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1)
		fatal(EXIT_SICK, "/dev/null");
	priv_title(w->relief == 0 ? "worker %u [starting]" :
	    "worker %u [relief]", w->number);
	/* if the master dies nobody would supervise us */
	if (priv_follow(w->master) == -1)
		exit(0);
	worker_start_signals();
	priv_drop(&w->conf->priv, w->master);
	with_names = worker_check_spool(w->conf->spool_dir);
	if (session_init(&ss) == -1)
		fatal(EXIT_SICK, "session");
	worker_start_services(w->conf);
	if (w->conf->priv.sandbox && sandbox_enter(with_names) == -1)
		fatal(EXIT_CONFIG, "sandbox");
	if (w->relief == 0)
		priv_title("worker %u [idle]", w->number);
	if (board_tell(w->ready, BOARD_NEWS_READY, w->number) == -1)
		fatal(EXIT_SICK, "pipe to the master");
	worker_serve(&ss, w);
	board_enter(ss.slot, BOARD_LEAVING, stream_now());
	worker_stop_services(w->conf);
	exit(0);
}
