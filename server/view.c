/* SPDX-License-Identifier: ISC */
/*
 * What administrators get to see, as one thing: the rings of the logs and the
 * counters, and what of them a configuration asks for.  The master makes it
 * before the first fork and adds to it at each reload; every other process
 * inherits it.  Numbers of services stay what they are for as long as the
 * daemon runs, those of logs for as long as a configuration has them, so that
 * workers of two configurations can share them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devlog.h"
#include "logger.h"
#include "view.h"

struct view {
	struct rings		*rings;
	struct tally		*tally;

	/* the master's: configurations that have a log */
	unsigned int		 users[RING_LOGS];
	bool			 has_added;	/* view_has_added() */

	/* of this process */
	struct log_target	 target[CONF_LOGS_MAX + 1];
};

static struct view		*the_view;

/* For the logger's last round. */
static struct record_log	 orphan_log[CONF_LOGS_MAX];
static unsigned int		 orphan_nlogs;

struct view *
view_open(unsigned int max, const struct conf_view *conf, const char *path)
{
	struct view	*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return NULL;
	if ((v->tally = tally_open(max, path)) != NULL &&
	    (v->rings = rings_open(max, conf->log_ring,
	    &tally_head(v->tally)->logs)) != NULL)
		return the_view = v;
	if (v->tally != NULL)
		tally_close(v->tally);
	free(v);
	return NULL;
}

struct view *
view_get(void)
{
	return the_view;
}

struct rings *
view_rings(const struct view *v)
{
	return v->rings;
}

struct tally *
view_tally(const struct view *v)
{
	return v->tally;
}

static bool
conf_has_event_log(const struct conf_view *view)
{
	unsigned int	 i;

	for (i = 0; i < view->nlogs; i++)
		if (view->log[i].events)
			return true;
	return false;
}

/* The logs of a configuration.  Returns their number. */
static unsigned int
conf_list_logs(const struct conf *conf, const char *path[CONF_LOGS_MAX + 1])
{
	unsigned int	 i;

	for (i = 0; i < conf->view.nlogs; i++)
		path[i] = conf->view.log[i].path;
	/* a daemon in the background that says nothing helps nobody */
	if (conf->daemonise && !conf_has_event_log(&conf->view))
		path[i++] = DEVLOG_NAME;
	return i;
}

static void
view_del_logs(struct view *v, const char *const *path, unsigned int n)
{
	int	 log;

	while (n-- > 0)
		if ((log = rings_find_log(v->rings, path[n])) != -1 &&
		    v->users[log] > 0 && --v->users[log] == 0)
			rings_end_log(v->rings, (unsigned int)log);
}

int
view_add(struct view *v, struct conf *conf)
{
	const char	*path[CONF_LOGS_MAX + 1];
	unsigned int	 i, n = conf_list_logs(conf, path);
	int		 log;

	for (i = 0; i < n; i++) {
		if ((log = rings_add_log(v->rings, path[i])) == -1) {
			view_del_logs(v, path, i);
			return -1;
		}
		if (v->users[log]++ == 0)
			v->has_added = true;
	}
	for (i = 0; i < conf->nplans; i++)
		(void)tally_add_service(v->tally, conf->plan[i].path);
	if (vitals_add(&tally_head(v->tally)->vitals, &conf->wanted) == -1)
		log_warnx("too many different back-ends and numbers of "
		    "services since the start: not all of them are shown");
	return 0;
}

bool
view_has_added(const struct view *v)
{
	return v->has_added;
}

void
view_del(struct view *v, const struct conf *conf)
{
	const char	*path[CONF_LOGS_MAX + 1];

	view_del_logs(v, path, conf_list_logs(conf, path));
}

void
view_leave(struct view *v, unsigned int i, pid_t pid)
{
	ring_leave(v->rings, RING_WORKER + i, pid);
}

void
view_show(struct view *v, const struct conf *conf)
{
	v->has_added = false;
	vitals_show(&tally_head(v->tally)->vitals, &conf->wanted);
	view_use(v, RING_MASTER, conf);
}

void
view_use_place(struct view *v, unsigned int i)
{
	struct tally_place	*place = tally_place(v->tally, i);

	if (place != NULL)
		vital_use(place->own);
}

unsigned int
view_logs(struct view *v, const struct conf *conf,
    struct record_log log[CONF_LOGS_MAX])
{
	const struct conf_log	*c;
	unsigned int		 i, n = 0;
	int			 number;

	for (i = 0; i < conf->view.nlogs; i++) {
		c = &conf->view.log[i];
		if (!c->access || (number = rings_find_log(v->rings,
		    c->path)) == -1)
			continue;
		log[n].log = (uint16_t)number;
		log[n].form = c->form;
		log[n].format = c->compiled;
		log[n].only = c->only;
		log[n++].cut = conf->view.log_cut;
	}
	return n;
}

void
view_use(struct view *v, unsigned int ring, const struct conf *conf)
{
	const struct conf_view	*view = &conf->view;
	unsigned int		 i, n = 0;
	int			 number;

	for (i = 0; i < view->nlogs; i++) {
		if (!view->log[i].events || (number = rings_find_log(v->rings,
		    view->log[i].path)) == -1)
			continue;
		v->target[n].log = (uint16_t)number;
		v->target[n++].format = view->log[i].form == RECORD_ECS ?
		    LOG_FORMAT_ECS : LOG_FORMAT_TEXT;
	}
	if (n == 0 && conf->daemonise && (number = rings_find_log(v->rings,
	    DEVLOG_NAME)) != -1) {
		v->target[n].log = (uint16_t)number;
		v->target[n++].format = LOG_FORMAT_TEXT;
	}
	ring_take(v->rings, ring, getpid());
	log_use_ring(v->rings, ring, v->target, n, ring >= RING_WORKER);
}

static void
view_bury(struct rings *rs, unsigned int ring)
{
	struct tally_place	*place = tally_place(the_view->tally,
				    ring - RING_WORKER);

	if (place != NULL)
		place->died++;
	record_bury(rs, ring, orphan_log, orphan_nlogs);
}

void
view_run_logger(struct view *v, const struct conf *conf, pid_t master,
    uint64_t *jobs)
{
	orphan_nlogs = view_logs(v, conf, orphan_log);
	view_use(v, RING_LOGGER, conf);
	logger_run(v->rings, master, view_bury, jobs);
}
