/* SPDX-License-Identifier: ISC */
/*
 * icapd with a configuration of its own and services that do what no service
 * should, for the tests of its processes (life.sh).  Everything but main() is
 * the daemon's.
 *
 *	lifed FILE
 *
 * FILE has one "name value" a line; reloading reads it again.  A line of
 * another kind is bad configuration.  Every service below is served at its
 * name, with the argument in the query of the URI where one is meant.
 */

#include <sys/socket.h>

#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../services/list.h"
#include "../server/conf_key.h"
#include "../server/rehearse.h"
#include "../server/start.h"

#define PLANS	(sizeof(services) / sizeof(services[0]))
#define NETS	8

/* A configuration and all that it points to. */
struct setting {
	struct conf		 conf;		/* first: it is released */
	struct txn_plan		 plan[16];
	uint64_t		 tag[17];
	struct conf_istag	 istag[17];
	struct txn_step		 step[16];
	struct admit_net	 net[NETS];
	struct conf_listen	 listen;
	char			 text[16][256];
	unsigned int		 ntexts;
};

/* What workers do when they start: "start" in FILE. */
static char	 start_with[32];

/* A reload reads a byte from there before the master does: "hold" in FILE. */
static char	 hold[256];

static int
life_start(void *instance)
{
	(void)instance;
	if (strcmp(start_with, "crash") == 0)
		raise(SIGKILL);
	if (strcmp(start_with, "config") == 0)
		exit(EXIT_CONFIG);
	while (strcmp(start_with, "hang") == 0)
		(void)poll(NULL, 0, -1);
	/* eats all descriptors there may be */
	while (strcmp(start_with, "files") == 0)
		if (open("/dev/null", O_RDONLY) == -1)
			return 0;
	errno = ECONNREFUSED;
	return strcmp(start_with, "sick") == 0 ? -1 : 0;
}

static enum verdict
serve_echo(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	return VERDICT_UNCHANGED;
}

static enum verdict
serve_crash(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	abort();
}

static enum verdict
serve_hang(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	while (poll(NULL, 0, -1) <= 0)
		continue;
	return VERDICT_NONE;
}

/* Takes 20 ms. */
static enum verdict
serve_slow(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	(void)poll(NULL, 0, 20);
	return VERDICT_UNCHANGED;
}

static enum verdict
serve_exec(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	(void)execl("/bin/true", "true", (char *)NULL);
	return VERDICT_UNCHANGED;
}

static enum verdict
serve_fork(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	if (fork() == 0)
		_exit(0);
	return VERDICT_UNCHANGED;
}

static enum verdict
serve_write(struct txn *txn, void *instance)
{
	char	 path[300];
	int	 fd;

	(void)txn;
	(void)instance;
	(void)snprintf(path, sizeof(path), "%s/written", getenv("TMPDIR"));
	if ((fd = open(path, O_WRONLY | O_CREAT, 0600)) != -1)
		(void)close(fd);
	return VERDICT_UNCHANGED;
}

static enum verdict
serve_kill(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	(void)kill(getppid(), 0);
	return VERDICT_UNCHANGED;
}

/* What a service may do: read a file, use the spool, ask another. */
static enum verdict
serve_allowed(struct txn *txn, void *instance)
{
	char	 byte;
	int	 fd;

	(void)txn;
	(void)instance;
	if ((fd = open("/dev/null", O_RDONLY)) == -1 ||
	    read(fd, &byte, 1) != 0 || close(fd) == -1)
		return VERDICT_FAILED;
	fd = open(getenv("TMPDIR"), O_TMPFILE | O_RDWR, 0600);
	if (fd == -1 && errno != EOPNOTSUPP)
		return VERDICT_FAILED;
	if (fd != -1 && (write(fd, "x", 1) != 1 || close(fd) == -1))
		return VERDICT_FAILED;
	if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1 || close(fd) == -1)
		return VERDICT_FAILED;
	return VERDICT_UNCHANGED;
}

#define SERVICE(word) {							\
	.name = #word, .summary = "for the tests",			\
	.methods = SERVICE_REQMOD | SERVICE_RESPMOD, .preview = -1,	\
	.start = life_start, .serve = serve_ ## word,			\
}

static const struct service	 services[] = {
	SERVICE(echo), SERVICE(crash), SERVICE(hang), SERVICE(slow),
	SERVICE(exec), SERVICE(fork), SERVICE(write), SERVICE(kill),
	SERVICE(allowed),
};

/* Milliseconds, counts and the like. */
struct number {
	const char	*name;
	size_t		 offset;
};

static const struct number	 numbers[] = {
	{ "transaction", offsetof(struct conf, timeouts.transaction) },
	{ "grace", offsetof(struct conf, timeouts.grace) },
	{ "queue", offsetof(struct conf, timeouts.queue) },
	{ "stop", offsetof(struct conf, timeouts.stop) },
	{ "keep-alive", offsetof(struct conf, timeouts.keep_alive) },
};

static const struct number	 texts[] = {
	{ "pid-file", offsetof(struct conf, pid_file) },
	{ "run-dir", offsetof(struct conf, run_dir) },
	{ "user", offsetof(struct conf, user) },
	{ "group", offsetof(struct conf, group) },
	{ "chroot", offsetof(struct conf, priv.chroot) },
	{ "spool", offsetof(struct conf, spool_dir) },
};

/* One line of the file.  Returns 0, or -1 when it means nothing. */
static int
setting_add(struct setting *s, const char *name, const char *value)
{
	const char	*error = NULL, *why;
	char		*text;
	long long	 n;
	size_t		 i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(name, texts[i].name) == 0) {
			if (s->ntexts == 16)
				return -1;
			text = s->text[s->ntexts++];
			(void)snprintf(text, sizeof(s->text[0]), "%s", value);
			memcpy((char *)&s->conf + texts[i].offset, &text,
			    sizeof(text));
			return 0;
		}
	if (strcmp(name, "host") == 0 || strcmp(name, "port") == 0) {
		if (s->ntexts == 16)
			return -1;
		text = s->text[s->ntexts++];
		(void)snprintf(text, sizeof(s->text[0]), "%s", value);
		if (name[0] == 'h')
			s->listen.host = text;
		else
			s->listen.port = text;
		return 0;
	}
	if (strcmp(name, "start") == 0)
		return strlcpy(start_with, value, sizeof(start_with)) <
		    sizeof(start_with) ? 0 : -1;
	if (strcmp(name, "hold") == 0)
		return strlcpy(hold, value, sizeof(hold)) < sizeof(hold) ?
		    0 : -1;
	if (strcmp(name, "allow") == 0) {
		if (s->listen.allow.n == NETS || admit_parse_net(value,
		    &s->net[s->listen.allow.n++], &why) == -1)
			return -1;
		s->listen.allow.net = s->net;
		return 0;
	}
	n = strtonum(value, 0, 1000000000000, &error);
	if (error != NULL)
		return -1;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(name, numbers[i].name) == 0) {
			int64_t	 ms = n;

			memcpy((char *)&s->conf + numbers[i].offset, &ms,
			    sizeof(ms));
			return 0;
		}
	if (strcmp(name, "workers") == 0)
		s->conf.workers = s->listen.workers = (unsigned int)n;
	else if (strcmp(name, "backlog") == 0)
		s->listen.backlog = (int)n;
	else if (strcmp(name, "per-client") == 0)
		s->listen.max_per_client = (unsigned int)n;
	else if (strcmp(name, "daemonise") == 0)
		s->conf.daemonise = n != 0;
	else if (strcmp(name, "sandbox") == 0)
		s->conf.priv.sandbox = n != 0;
	else if (strcmp(name, "files") == 0)
		s->conf.priv.files = (uint64_t)n;
	else
		return -1;
	return 0;
}

static void
wait_at_hold(void)
{
	char	 byte;
	int	 fd;

	if (hold[0] == '\0')
		return;
	if ((fd = open(hold, O_RDONLY | O_CLOEXEC)) == -1 ||
	    read(fd, &byte, 1) != 1)
		err(1, "%s", hold);
	(void)close(fd);
}

static int
setting_load(void *arg, enum start_turn turn, struct conf **next, char *why,
    size_t size)
{
	const char	*path = arg;
	struct setting	*s;
	char		 line[512], *value;
	FILE		*fp;
	unsigned int	 i, n = 0;
	int		 result = 0;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return -1;
	conf_key_init(&s->conf);
	s->conf.run_dir = NULL;
	conf_key_init_listen(&s->listen);
	s->listen.address = s->listen.host = "127.0.0.1";
	s->listen.port = "0";
	s->conf.listen = &s->listen;
	s->conf.nlisten = 1;
	start_with[0] = hold[0] = '\0';
	for (i = 0; i < PLANS; i++) {
		s->step[i].service = &services[i];
		s->plan[i].path = services[i].name;
		s->plan[i].step = &s->step[i];
		s->plan[i].nsteps = 1;
		plan_finish(&s->plan[i]);
		s->tag[i] = i + 1;
	}
	s->conf.plan = s->plan;
	s->conf.tag = s->tag;
	s->conf.istag = s->istag;
	s->conf.nplans = PLANS;
	if ((fp = fopen(path, "re")) == NULL) {
		(void)snprintf(why, size, "%s: %s", path, strerror(errno));
		free(s);
		return -1;
	}
	while (result == 0 && fgets(line, sizeof(line), fp) != NULL) {
		n++;
		line[strcspn(line, "\n")] = '\0';
		if ((value = strchr(line, ' ')) != NULL)
			*value++ = '\0';
		if (value == NULL || setting_add(s, line, value) == -1) {
			(void)snprintf(why, size, "%s:%u: bad line", path, n);
			result = -1;
		}
	}
	(void)fclose(fp);
	if (turn == START_REHEARSAL && rehearse_drop(&s->conf) == 0)
		wait_at_hold();
	if (result == -1)
		free(s);
	else
		*next = &s->conf;
	return result;
}

static void
setting_release(void *arg, struct conf *conf)
{
	(void)arg;
	free((struct setting *)(void *)conf);
}

int
main(int argc, char *argv[])
{
	struct start	 start;
	char		 why[256];

	start_init(argc, argv);
	log_init(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_role("master");
	if (argc != 2)
		errx(2, "usage: lifed file");
	memset(&start, 0, sizeof(start));
	start.argv = argv;
	start.arg = argv[1];
	start.reload = setting_load;
	start.release = setting_release;
	if (setting_load(start.arg, START_ALONE, &start.conf, why,
	    sizeof(why)) == -1)
		errx(1, "%s", why);
	return start_run(&start);
}
