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
 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "worker.h"

/* After running out of descriptors or memory in accept, milliseconds. */
#define SICK_PAUSE_MS	100

static struct session_signals	 worker_signals = { 0, -1 };
static volatile sig_atomic_t	 worker_leave;
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
	worker_leave = 1;
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
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_warn("accept");
		(void)poll(NULL, 0, SICK_PAUSE_MS);
		break;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		if (!worker_leave)
			fatal(EXIT_CONFIG, "accept");
		break;
	default:
		break;
	}
}

static void
worker_serve(struct session *ss, const struct worker *w)
{
	int	 fd;

	while (!worker_leave) {
		board_enter(ss->slot, BOARD_ACCEPT, stream_now());
		fd = accept4(worker_listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd == -1) {
			worker_accept_failed();
			continue;
		}
		worker_signals.park = 0;
		ss->slot->connections++;
		if (worker_leave)
			worker_signals.park = 1;
		board_enter(ss->slot, BOARD_IDLE, ss->slot->since);
		board_tell_short(w->board, w->number, w->ready);
		session_run(ss, fd);
	}
}

void
worker_run(const struct worker *w)
{
	static const char	 ready = BOARD_NEWS_READY;
	struct session		 ss;

	log_role("worker %u", w->number);
	memset(&ss, 0, sizeof(ss));
	ss.conf = w->conf;
	ss.board = w->board;
	ss.slot = worker_slot = board_slot(w->board, w->number);
	ss.signals = &worker_signals;
	worker_listener = ss.listener = w->listener;
	if ((worker_null = open("/dev/null", O_RDONLY | O_CLOEXEC)) == -1)
		fatal(EXIT_SICK, "/dev/null");
	/* if the master dies nobody would supervise us */
	if (prctl(PR_SET_PDEATHSIG, WORKER_LEAVE) == -1)
		fatal(EXIT_CONFIG, "prctl");
	worker_start_signals();
	if (getppid() != w->master)
		exit(0);
	if (session_init(&ss) == -1)
		fatal(EXIT_SICK, "session");
	if (write(w->ready, &ready, 1) == -1 && errno != EAGAIN)
		fatal(EXIT_SICK, "pipe to the master");
	worker_serve(&ss, w);
	board_enter(ss.slot, BOARD_LEAVING, stream_now());
	exit(0);
}
