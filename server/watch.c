/* SPDX-License-Identifier: ISC */
/*
 * The process that looks after what services depend on: lists that are
 * replaced, engines that come and go.  Called by helpers.c in a child of the
 * master.  A poll may block, so no worker does it; what it finds is in shared
 * memory of the service, and the ISTags, which change with it, in shared
 * memory of the configuration.  It must not serve anybody.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "priv.h"
#include "watch.h"

/* Between two rounds, milliseconds. */
#define WATCH_PERIOD_MS	5000

/*
 * Before an update, milliseconds: the time of a file that was changed just
 * now does not tell yet whether it is changed once more.
 */
#define WATCH_REST_MS	200

static volatile sig_atomic_t	 watch_leave;
static volatile sig_atomic_t	 watch_asked;

static void
watch_on_term(int signo)
{
	(void)signo;
	watch_leave = 1;
}

static void
watch_on_update(int signo)
{
	(void)signo;
	watch_asked = 1;
}

bool
watch_is_wanted(const struct conf *conf)
{
	unsigned int	 i;

	for (i = 0; i < conf->ninstances; i++)
		if (conf->instance[i].is_open &&
		    conf->instance[i].service->poll != NULL)
			return true;
	return false;
}

/* These two get through only while we wait, so that none is missed. */
static void
watch_start_signals(sigset_t *waiting)
{
	struct sigaction	 sa;
	sigset_t		 blocked;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = watch_on_term;
	sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = watch_on_update;
	(void)sigaction(WATCH_UPDATE, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, WATCH_UPDATE);
	if (sigprocmask(SIG_SETMASK, &blocked, NULL) == -1)
		fatal(EXIT_CONFIG, "sigprocmask");
	sigemptyset(waiting);
}

static void
watch_poll_services(const struct conf *conf)
{
	const struct conf_instance	*instance;
	unsigned int			 i;

	for (i = 0; i < conf->ninstances; i++) {
		instance = &conf->instance[i];
		if (instance->is_open && instance->service->poll != NULL)
			instance->service->poll(instance->instance);
	}
}

static void
watch_poll(const struct conf *conf)
{
	watch_poll_services(conf);
	if (conf_make_istag(conf))
		log_info("ISTag is now %s", conf_get_istag(conf, NULL));
}

/*
 * Who asks says that the sources are complete: lists that are compiled only
 * when two polls saw the same are compiled in the second of these.
 */
static void
watch_update(const struct conf *conf, uint64_t *updates)
{
	watch_asked = 0;
	(void)__atomic_add_fetch(updates, 1, __ATOMIC_RELEASE);
	(void)poll(NULL, 0, WATCH_REST_MS);
	watch_poll(conf);
	watch_poll(conf);
	(void)__atomic_add_fetch(updates, 1, __ATOMIC_RELEASE);
}

void
watch_run(const struct conf *conf, pid_t master, uint64_t *updates)
{
	struct timespec	 period;
	sigset_t	 waiting;

	log_role("watch");
	watch_start_signals(&waiting);
	if (priv_follow(master) == -1)
		exit(0);
	__atomic_store_n(updates, 2, __ATOMIC_RELEASE);
	period.tv_sec = WATCH_PERIOD_MS / 1000;
	period.tv_nsec = WATCH_PERIOD_MS % 1000 * 1000000L;
	while (!watch_leave) {
		if (watch_asked)
			watch_update(conf, updates);
		else
			watch_poll(conf);
		if (ppoll(NULL, 0, &period, &waiting) == -1 && errno != EINTR)
			fatal(EXIT_SICK, "ppoll");
	}
	exit(0);
}

void
watch_probe(const struct conf *conf, FILE *fp)
{
	const struct service_backend	*b;
	struct vital_state		 state;
	unsigned int			 i;

	watch_poll_services(conf);
	for (i = 0; i < conf->wanted.nbackends; i++) {
		b = conf->wanted.backend[i];
		vital_get(b, &state);
		(void)fprintf(fp, "%s \"%s\": %s is %s%s%s%s\n", b->is.kind,
		    b->is.service, b->is.name, vital_state_name(
		    (enum backend_state)state.state), state.why[0] != '\0' ?
		    ": " : "", state.why, b->needed ? "" :
		    " (not needed)");
	}
}
