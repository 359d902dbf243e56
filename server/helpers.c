/* SPDX-License-Identifier: ISC */
/*
 * The list of auxiliary processes that the master keeps running beside the
 * workers, in the order in which they are started.  Called by master.c.  To
 * add one see struct master_aux in master.h; this is the line to write.
 */
#include <stddef.h>

#include "helpers.h"
#include "priv.h"
#include "status.h"
#include "view.h"
#include "watch.h"

/*
 * None needs to be in the workers' root directory, as logs are outside; and to
 * compile a list takes more memory than to serve.
 */
static void
helper_drop(const struct worker *w)
{
	struct priv	 priv = w->conf->priv;

	priv.chroot = NULL;
	priv.memory = 0;
	priv_drop(&priv, w->master);
}

static void
helper_run_logger(const struct worker *w)
{
	helper_drop(w);
	priv_title("logger");
	/* one that dies at its work is replaced at once, like a worker */
	view_run_logger(view_get(), w->conf, w->master,
	    &board_slot(w->board, w->number)->connections);
}

static void
helper_run_status(const struct worker *w)
{
	helper_drop(w);
	priv_title("status");
	view_use(view_get(), RING_STATUS, w->conf);
	status_run(w->conf, w->board, view_get(), w->master);
}

static void
helper_run_watch(const struct worker *w)
{
	helper_drop(w);
	priv_title("watch");
	view_use(view_get(), RING_WATCH, w->conf);
	view_use_place(view_get(), w->number);
	watch_run(w->conf, w->master, w->board, w->generation);
}

static const struct master_aux	 helpers[] = {
	{ .name = "logger", .run = helper_run_logger, .is_last = true },
	{ .name = "status", .run = helper_run_status,
	    .is_wanted = status_is_wanted, .keep = status_listener,
	    .is_single = true },
	{ .name = "watch", .run = helper_run_watch,
	    .is_wanted = watch_is_wanted },
	{ .name = NULL }
};

const struct master_aux *
helper_list(void)
{
	return helpers;
}
