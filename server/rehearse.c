/* SPDX-License-Identifier: ISC */
/*
 * The process that does a reload before the master does: reads the new
 * configuration, opens its services, and has them read their lists, which
 * come from elsewhere.  Called by master.c in a child.  Lists that have to be
 * compiled take long, and who wrote them may have found a fault in what reads
 * them; so here they cost a reload at most.  What it compiles it leaves in the
 * cache folder, where the master finds it; what it says is in the log before
 * it ends.  Nothing else of it remains, and it must not wait for the master.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "priv.h"
#include "rehearse.h"
#include "view.h"

static pid_t	 rehearse_master;

/* It has nothing to finish, and a signal to all processes is not for it. */
static void
rehearse_start_signals(void)
{
	sigset_t	 none;

	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGUSR2, SIG_IGN);
	(void)signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		fatal(EXIT_CONFIG, "sigprocmask");
}

int
rehearse_drop(const struct conf *conf)
{
	struct priv	 priv = conf->priv;
	const char	*why;

	/* conf_check.c tells what is wrong with the user */
	if (priv_find_user(&priv, conf->user, conf->group, &why) == -1)
		return -1;
	/* like the process that watches the lists */
	priv.chroot = NULL;
	priv.memory = 0;
	/* what the workers inherit is opened here */
	priv.files = 0;
	priv_drop(&priv, rehearse_master);
	return 0;
}

void
rehearse_run(int (*load)(void *arg, uint64_t *tag, char *why, size_t size),
    void *arg, const struct conf *conf, pid_t master, int fd)
{
	struct rehearsal	 told;
	int			 keep[1] = { fd }, result;

	memset(&told, 0, sizeof(told));
	log_role("reload");
	priv_title("reload [compiling]");
	rehearse_start_signals();
	rehearse_master = master;
	if (priv_follow(master) == -1)
		exit(0);
	if (priv_close_others(keep, 1) == -1)
		fatal(EXIT_SICK, "closing descriptors");
	view_use(view_get(), RING_RELOAD, conf);
	result = load(arg, &told.tag, told.why, sizeof(told.why));
	if (write(fd, &told, sizeof(told)) != (ssize_t)sizeof(told))
		fatal(EXIT_SICK, "telling the master");
	exit(result == 0 ? 0 : EXIT_CONFIG);
}
