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
#include <unistd.h>

#include "../services/notice.h"
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

/* What it works with, and where it tells. */
struct watch {
	const struct conf	*conf;
	struct board_head	*head;
	struct board_source	*source;
	uint32_t		 n;		/* sources there are */
	uint32_t		*shown;		/* the same, for others */
	const char		*section;	/* that is being looked at */
	bool			 is_asked;	/* else it is the first round */
};

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

/* They are taken one by one, between two rounds. */
static void
watch_start_signals(sigset_t *taken)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	/* one that is ignored is not waited for either */
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(WATCH_UPDATE, SIG_DFL);
	sigemptyset(taken);
	sigaddset(taken, SIGTERM);
	sigaddset(taken, WATCH_UPDATE);
	if (sigprocmask(SIG_SETMASK, taken, NULL) == -1)
		fatal(EXIT_CONFIG, "sigprocmask");
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

/* The source of that name; made where there was none.  NULL: no room. */
static struct board_source *
watch_find_source(struct watch *w, const char *name)
{
	struct board_source	*s;
	uint32_t		 i;

	for (i = 0; i < w->n; i++)
		if (strncmp(w->source[i].section, w->section,
		    sizeof(s->section) - 1) == 0 &&
		    strncmp(w->source[i].name, name,
		    sizeof(s->name) - 1) == 0)
			return &w->source[i];
	if (i == BOARD_SOURCES)
		return NULL;
	s = &w->source[i];
	memset(s, 0, sizeof(*s));
	(void)strlcpy(s->section, w->section, sizeof(s->section));
	(void)strlcpy(s->name, name, sizeof(s->name));
	w->n = i + 1;
	__atomic_store_n(w->shown, w->n, __ATOMIC_RELEASE);
	return s;
}

static void
watch_tell(void *arg, const struct service_outcome *o)
{
	struct watch		*w = arg;
	struct board_source	*s = watch_find_source(w, o->name);

	if (s == NULL)
		return;
	s->entries = o->entries;
	s->refused = o->refused;
	s->outcome = o->failed ? BOARD_SOURCE_FAILED : o->changed ?
	    BOARD_SOURCE_CHANGED : BOARD_SOURCE_UNCHANGED;
	(void)strlcpy(s->why, o->why, sizeof(s->why));
}

/* One that knows no update is polled once more than it needs. */
static void
watch_update_poll(struct watch *w, const struct conf_instance *instance)
{
	const struct service	*service = instance->service;
	struct service_outcome	 o = { .name = "", .why = "" };
	char			 before[256] = "", after[256] = "";

	if (service->version != NULL)
		service->version(instance->instance, before, sizeof(before));
	if (w->is_asked) {
		service->poll(instance->instance);
		service->poll(instance->instance);
	}
	if (service->version != NULL)
		service->version(instance->instance, after, sizeof(after));
	o.changed = strcmp(before, after) != 0;
	watch_tell(w, &o);
}

static void
watch_update_instance(struct watch *w, const struct conf_instance *instance)
{
	struct service_report	 report = { watch_tell, w };
	uint32_t		 i, n = w->n;

	w->section = instance->name;
	for (i = 0; i < n; i++)
		if (strncmp(w->source[i].section, w->section,
		    sizeof(w->source[i].section) - 1) == 0)
			(void)__atomic_fetch_or(&w->source[i].updates, 1,
			    __ATOMIC_ACQ_REL);
	if (instance->service->update != NULL)
		instance->service->update(instance->instance, &report);
	else
		watch_update_poll(w, instance);
	for (i = 0; i < n; i++)
		if (w->source[i].updates % 2 != 0)
			(void)__atomic_add_fetch(&w->source[i].updates, 1,
			    __ATOMIC_RELEASE);
}

/* Section NULL: all of them. */
static void
watch_update(struct watch *w, const char *section)
{
	const struct conf_instance	*instance;
	unsigned int			 i;

	if (w->is_asked)
		(void)poll(NULL, 0, WATCH_REST_MS);
	for (i = 0; i < w->conf->ninstances; i++) {
		instance = &w->conf->instance[i];
		if (!instance->is_open || instance->service->poll == NULL)
			continue;
		if (section == NULL || strncmp(instance->name, section,
		    sizeof(w->source[0].section) - 1) == 0)
			watch_update_instance(w, instance);
	}
	if (conf_make_istag(w->conf))
		log_info("ISTag is now %s", conf_get_istag(w->conf, NULL));
}

void
watch_run(const struct conf *conf, pid_t master, struct board *board,
    unsigned int generation)
{
	struct watch	 w;
	struct timespec	 period;
	sigset_t	 taken;
	siginfo_t	 info;
	int32_t		 self;
	int		 signo;

	log_role("watch");
	watch_start_signals(&taken);
	if (priv_follow(master) == -1)
		exit(0);
	w.conf = conf;
	w.head = board_head(board);
	w.source = board_sources(board, generation);
	w.n = 0;
	w.shown = &w.head->nsources[generation % 2];
	*w.shown = 0;
	/* so that the board says what there is */
	w.is_asked = false;
	watch_update(&w, NULL);
	w.is_asked = true;
	__atomic_store_n(&w.head->watch[generation % 2], (int32_t)getpid(),
	    __ATOMIC_RELEASE);
	watch_poll(conf);
	period.tv_sec = WATCH_PERIOD_MS / 1000;
	period.tv_nsec = WATCH_PERIOD_MS % 1000 * 1000000L;
	while ((signo = sigtimedwait(&taken, &info, &period)) != SIGTERM) {
		if (signo == -1) {
			if (errno != EAGAIN && errno != EINTR)
				fatal(EXIT_SICK, "sigtimedwait");
			watch_poll(conf);
		} else if (info.si_code != SI_QUEUE ||
		    info.si_value.sival_int <= 0 ||
		    info.si_value.sival_int > (int)w.n)
			watch_update(&w, NULL);
		else
			watch_update(&w, w.source[
			    info.si_value.sival_int - 1].section);
	}
	self = (int32_t)getpid();
	(void)__atomic_compare_exchange_n(&w.head->watch[generation % 2],
	    &self, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
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
