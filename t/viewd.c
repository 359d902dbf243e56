/* SPDX-License-Identifier: ISC */
/*
 * icapd with logs, a status listener and services that block, fail and
 * crash, for the tests of what administrators see (logs.sh, ctl.sh,
 * status.sh).  Everything but main() and the services is the daemon's.
 *
 *	viewd FILE
 *
 * FILE has one "name value" a line; reloading reads it again.  A line that
 * is none of these is bad configuration:
 *
 *	port N, workers N, run-dir PATH, pid-file PATH, id-header NAME
 *	status PORT
 *	log PATH access|events|all ecs|text|FORMAT CONDITIONS
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/conf_key.h"
#include "../server/rehearse.h"
#include "../server/start.h"
#include "../services/service.h"

#define PLANS	(sizeof(services) / sizeof(services[0]))
#define TEXTS	64

struct setting {
	struct conf		 conf;		/* first: it is released */
	struct conf_listen	 listen;
	struct txn_plan		 plan[16];
	struct txn_step		 step[16];
	uint64_t		 tag[17];
	struct conf_istag	 istag[17];
	char			 text[TEXTS][256];
	unsigned int		 ntexts;
};

static enum verdict
serve_echo(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	return VERDICT_UNCHANGED;
}

static enum verdict
serve_block(struct txn *txn, void *instance)
{
	static const char	 page[] = "<h1>no</h1>";

	(void)instance;
	txn_note(txn, "list", "a \"test\"\nlist");
	if (txn_respond(txn, 403, "text/html", page, sizeof(page) - 1) == -1)
		return txn_fail(txn, "cannot respond");
	return VERDICT_REPLACED;
}

static enum verdict
serve_fail(struct txn *txn, void *instance)
{
	(void)instance;
	return txn_fail(txn, "the scanner is away");
}

static enum verdict
serve_crash(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	raise(SIGKILL);
	return VERDICT_NONE;
}

#define SERVICE(word) {							\
	.name = #word, .summary = "for the tests",			\
	.methods = SERVICE_REQMOD | SERVICE_RESPMOD, .preview = -1,	\
	.serve = serve_ ## word,					\
}

static const struct service	 services[] = {
	SERVICE(echo), SERVICE(block), SERVICE(fail), SERVICE(crash),
};

static char *
setting_keep(struct setting *s, const char *value)
{
	char	*text;

	if (s->ntexts == TEXTS)
		errx(1, "too many texts");
	text = s->text[s->ntexts++];
	(void)snprintf(text, sizeof(s->text[0]), "%s", value);
	return text;
}

static int
setting_add_log(struct setting *s, char *value)
{
	struct conf_log	*log = &s->conf.view.log[s->conf.view.nlogs];
	const char	*path, *what, *form, *only, *why, *at;

	path = strsep(&value, " ");
	what = strsep(&value, " ");
	form = strsep(&value, " ");
	if (form == NULL || s->conf.view.nlogs++ == CONF_LOGS_MAX)
		return -1;
	log->path = setting_keep(s, path);
	log->access = strcmp(what, "events") != 0;
	log->events = strcmp(what, "access") != 0;
	if (strcmp(form, "ecs") == 0)
		log->form = RECORD_ECS;
	else if (strcmp(form, "text") == 0)
		log->form = RECORD_TEXT;
	else {
		log->form = RECORD_CUSTOM;
		if ((log->compiled = record_parse_format(form, &why,
		    &at)) == NULL)
			return -1;
	}
	while ((only = strsep(&value, " ")) != NULL) {
		if (strcmp(only, "errors") == 0)
			log->only |= RECORD_ERRORS;
		else if (strcmp(only, "blocked") == 0)
			log->only |= RECORD_BLOCKED;
		else if (strcmp(only, "unscanned") == 0)
			log->only |= RECORD_UNSCANNED;
		else
			return -1;
	}
	return 0;
}

static int
setting_add(struct setting *s, const char *name, char *value)
{
	const char	*error = NULL;

	if (strcmp(name, "port") == 0)
		s->listen.port = setting_keep(s, value);
	else if (strcmp(name, "workers") == 0)
		s->conf.workers = s->listen.workers =
		    (unsigned int)strtonum(value, 1, 100, &error);
	else if (strcmp(name, "run-dir") == 0)
		s->conf.run_dir = setting_keep(s, value);
	else if (strcmp(name, "pid-file") == 0)
		s->conf.pid_file = setting_keep(s, value);
	else if (strcmp(name, "id-header") == 0)
		s->conf.view.id_header = setting_keep(s, value);
	else if (strcmp(name, "status") == 0) {
		s->conf.view.status_host = "127.0.0.1";
		s->conf.view.status_port = setting_keep(s, value);
	} else if (strcmp(name, "log") == 0)
		return setting_add_log(s, value);
	else
		return -1;
	return error == NULL ? 0 : -1;
}

static struct setting *
setting_read(const char *path, char *why, size_t size)
{
	struct setting	*s;
	char		 line[512], *value;
	unsigned int	 i, n = 0;
	FILE		*fp;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		err(1, NULL);
	conf_key_init(&s->conf);
	s->conf.run_dir = NULL;
	conf_key_init_listen(&s->listen);
	s->listen.address = s->listen.host = "127.0.0.1";
	s->listen.port = "0";
	s->listen.workers = s->conf.workers = 2;
	s->conf.listen = &s->listen;
	s->conf.nlisten = 1;
	for (i = 0; i < PLANS; i++) {
		s->step[i].service = &services[i];
		s->plan[i].path = services[i].name;
		s->plan[i].step = &s->step[i];
		s->plan[i].nsteps = 1;
		s->plan[i].options_ttl = 60;
		if (services[i].serve == serve_fail)
			s->plan[i].on_error = ON_ERROR_PASS;
		plan_finish(&s->plan[i]);
		s->tag[i] = i + 1;
	}
	s->conf.tag = s->tag;
	s->conf.istag = s->istag;
	s->conf.plan = s->plan;
	s->conf.nplans = PLANS;
	if ((fp = fopen(path, "r")) == NULL)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), fp) != NULL) {
		n++;
		line[strcspn(line, "\n")] = '\0';
		if ((value = strchr(line, ' ')) != NULL)
			*value++ = '\0';
		if (value == NULL || setting_add(s, line, value) == -1) {
			(void)snprintf(why, size, "%s:%u: what is \"%.64s\"?",
			    path, n, line);
			(void)fclose(fp);
			free(s);
			return NULL;
		}
	}
	(void)fclose(fp);
	return s;
}

static int
reload(void *arg, enum start_turn turn, struct conf **next, char *why,
    size_t size)
{
	struct setting	*s = setting_read(arg, why, size);

	if (s == NULL)
		return -1;
	if (turn == START_REHEARSAL)
		(void)rehearse_drop(&s->conf);
	*next = &s->conf;
	return 0;
}

static void
release(void *arg, struct conf *conf)
{
	unsigned int	 i;

	(void)arg;
	for (i = 0; i < conf->view.nlogs; i++)
		record_free_format(conf->view.log[i].compiled);
	free(conf);
}

int
main(int argc, char *argv[])
{
	struct start	 start;
	struct setting	*s;
	char		 why[512];

	start_init(argc, argv);
	if (argc != 2)
		errx(2, "usage: viewd file");
	if ((s = setting_read(argv[1], why, sizeof(why))) == NULL)
		errx(1, "%s", why);
	log_init(LOG_FORMAT_ECS, LOG_LEVEL_INFO);
	log_role("master");
	memset(&start, 0, sizeof(start));
	start.argv = argv;
	start.conf = &s->conf;
	start.reload = reload;
	start.release = release;
	start.arg = argv[1];
	return start_run(&start);
}
