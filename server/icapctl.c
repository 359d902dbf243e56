/* SPDX-License-Identifier: ISC */
/*
 * icapctl: shows what icapd does and tells it what to do.  It maps the board
 * and the counters read-only, which is the whole protocol for reading; a
 * command is a signal to the master, or to the process that looks after lists,
 * and its outcome is read back from the board.  So it needs no listener, works
 * while the daemon is too busy to answer anybody, and cannot disturb it.
 *
 * Exit status: 0 done, 1 failed, 2 usage, 3 no daemon runs.
 */
#include <sys/types.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../proto/stream.h"
#include "board.h"
#include "conf_key.h"
#include "health.h"
#include "tally.h"
#include "watch.h"

#define EXIT_FAILED	1
#define EXIT_USAGE	2
#define EXIT_ABSENT	3

/* How often the outcome of a command is looked for, milliseconds. */
#define TICK		20

/* So long the process that updates may take to start, milliseconds. */
#define WATCH_START	3000

/* For a command, if -t does not say otherwise, seconds. */
#define PATIENCE	120

struct ctl {
	const char		*run_dir;
	const char		*file;		/* -f, or NULL */
	bool			 json;
	int64_t			 patience;	/* ms */
	const struct board	*board;
	const struct board_head	*head;
	struct tally		*tally;
	pid_t			 master;
	char			**name;		/* what the command is about */
	int			 nnames;
	pid_t			 watch;
	unsigned int		 generation;	/* of its sources */
	uint64_t		 target[BOARD_SOURCES];	/* 0: not meant */
	struct snapshot		 now;
	struct snapshot		 before;
};

struct command {
	const char	*name;
	int		(*run)(struct ctl *c);
	bool		 is_offline;	/* needs no daemon */
	bool		 has_names;	/* may be followed by some */
};

static void usage(void) __attribute__((noreturn));
static void fail(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

static void
usage(void)
{
	(void)fputs("usage: icapctl [-j] [-f file] [-r directory] "
	    "[-t seconds] command [name ...]\n"
	    "commands: status workers services top reload reopen "
	    "update [name ...]\n"
	    "          stop upgrade check\n", stderr);
	exit(EXIT_USAGE);
}

static void
fail(int status, const char *fmt, ...)
{
	va_list	 ap;

	(void)fputs("icapctl: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(status);
}

static bool
is_alive(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* Maps what the daemon shows.  Returns 0, or -1 with *why. */
static int
ctl_map(struct ctl *c, const char **why)
{
	char	 path[PATH_MAX], counts[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", c->run_dir, BOARD_FILE) >=
	    (int)sizeof(path) || snprintf(counts, sizeof(counts), "%s/%s%s",
	    c->run_dir, BOARD_FILE, TALLY_SUFFIX) >= (int)sizeof(counts)) {
		*why = "the name is too long";
		return -1;
	}
	if ((c->board = board_map(path, why)) == NULL ||
	    (c->tally = tally_map(counts, why)) == NULL)
		return -1;
	c->head = board_see_head(c->board);
	c->master = c->head->master;
	return 0;
}

static void
ctl_attach(struct ctl *c)
{
	const char	*why;
	int		 status = EXIT_ABSENT;

	errno = 0;
	if (ctl_map(c, &why) == -1) {
		if (errno == EACCES || errno == EPERM)
			status = EXIT_FAILED;
		fail(status, "%s: %s/%s %s%s%s", status == EXIT_ABSENT ?
		    "no daemon is running" : "not allowed", c->run_dir,
		    BOARD_FILE, why, errno != 0 ? ": " : "", errno != 0 ?
		    strerror(errno) : "");
	}
	if (!is_alive(c->master))
		fail(EXIT_ABSENT, "no daemon is running: process %ld has "
		    "gone, and has left %s/%s behind", (long)c->master,
		    c->run_dir, BOARD_FILE);
}

static int
ctl_print_json(struct ctl *c)
{
	struct page	 p;

	page_init(&p);
	metrics_format_json(&p, &c->now);
	if (p.failed)
		fail(EXIT_FAILED, "out of memory");
	(void)fwrite(p.p, 1, p.len, stdout);
	free(p.p);
	return 0;
}

/* ---- showing ----------------------------------------------------------- */

static const char *
clock_text(int64_t when)
{
	static char	 text[32];
	time_t		 t = (time_t)when;
	struct tm	 tm;

	if (when == 0 || localtime_r(&t, &tm) == NULL)
		return "never";
	(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}

static const char *
reload_text(const struct board_head *head)
{
	switch ((enum board_reload)head->reload) {
	case BOARD_RELOAD_NONE:
		return "none since the start";
	case BOARD_RELOAD_RUNNING:
		return "under way";
	case BOARD_RELOAD_OK:
		return "succeeded";
	case BOARD_RELOAD_BAD:
		break;
	}
	return "FAILED";
}

/* Those that are not well; the rest is nothing to be told of. */
static void
print_bad_backends(const struct ctl *c)
{
	struct health	 h;
	unsigned int	 i = 0;

	while (health_next(&c->now, &i, &h))
		if (h.state != BACKEND_UP)
			(void)printf("back-end       %s: %s is %s%s%s%s%s\n",
			    h.service, h.name, vital_state_name(h.state),
			    h.since != 0 ? " since " : "", h.since != 0 ?
			    clock_text(h.since) : "", h.why[0] != '\0' ?
			    ": " : "", h.why);
}

static int
ctl_status(struct ctl *c)
{
	const struct board_head		*h = c->head;
	const struct ring_public	*logs = &tally_head(c->tally)->logs;
	unsigned int			 i;
	int64_t				 up;

	snapshot_take(&c->now, c->board, c->tally);
	if (c->json)
		return ctl_print_json(c);
	up = (c->now.now - h->started) / 1000;
	(void)printf("%s, pid %ld, %s\n", h->program, (long)c->master,
	    snapshot_is_ready(&c->now) ? "ready" : "NOT READY");
	(void)printf("started        %s, up %lld:%02lld:%02lld\n",
	    clock_text(h->started_time), (long long)up / 3600,
	    (long long)up / 60 % 60, (long long)up % 60);
	(void)printf("configuration  generation %u, ISTag %s\n",
	    h->generation, h->istag);
	(void)printf("last reload    %s%s%s%s%s\n", reload_text(h),
	    h->reload_time != 0 ? ", " : "", h->reload_time != 0 ?
	    clock_text(h->reload_time) : "", h->reload == BOARD_RELOAD_BAD ?
	    ": " : "", h->reload == BOARD_RELOAD_BAD ? h->reload_why : "");
	(void)printf("workers        %u:", c->now.workers);
	for (i = BOARD_STARTING; i <= BOARD_LEAVING; i++)
		(void)printf(" %u %s%s", c->now.by_state[i],
		    board_state_name((enum board_state)i),
		    i < BOARD_LEAVING ? "," : "\n");
	(void)printf("clients        %llu connections, %u waiting, %llu "
	    "refused, %llu told to come later\n",
	    (unsigned long long)c->now.connections, c->now.queued,
	    (unsigned long long)c->now.refused,
	    (unsigned long long)c->now.overload);
	(void)printf("transactions   %llu, %llu cut off by a death\n",
	    (unsigned long long)c->now.transactions,
	    (unsigned long long)c->now.sum.died);
	(void)printf("processes      %llu deaths, %llu hung, %llu idle "
	    "connections given up\n", (unsigned long long)h->deaths,
	    (unsigned long long)h->hung, (unsigned long long)h->parks);
	print_bad_backends(c);
	for (i = 0; i < logs->nlogs && i < RING_LOGS; i++) {
		if (!ring_log_is_used(&logs->log[i]))
			continue;
		(void)printf("log            %s: %llu lines, %llu lost%s\n",
		    logs->log[i].path,
		    (unsigned long long)logs->log[i].lines,
		    (unsigned long long)logs->log[i].lost,
		    logs->log[i].failing ? ", FAILS" : "");
	}
	if (logs->dropped > 0)
		(void)printf("events         %llu left out of the logs, which "
		    "had no room\n", (unsigned long long)logs->dropped);
	return 0;
}

static void
print_workers(const struct ctl *c, unsigned int most)
{
	const struct board_slot	*slot;
	unsigned int		 i, n = 0;

	(void)printf("%6s %8s %-9s %10s %4s %12s %13s\n", "worker", "pid",
	    "state", "since", "gen", "connections", "transactions");
	for (i = 0; i < c->head->nslots && n < most; i++) {
		slot = board_see_slot(c->board, i);
		if (slot->state == BOARD_FREE || slot->state >= BOARD_AUX)
			continue;
		n++;
		(void)printf("%6u %8d %-9s %8.1f s %4u %12llu %13llu\n", i,
		    slot->pid, board_state_name((enum board_state)
		    slot->state), (double)(c->now.now - slot->since) / 1000,
		    slot->generation, (unsigned long long)slot->connections,
		    (unsigned long long)slot->transactions);
	}
}

static int
ctl_workers(struct ctl *c)
{
	snapshot_take(&c->now, c->board, c->tally);
	if (c->json)
		return ctl_print_json(c);
	print_workers(c, UINT_MAX);
	return 0;
}

struct service_numbers {
	uint64_t	 n, blocked, unscanned, errors, done;
};

static struct service_numbers
service_numbers(const struct snapshot *s, unsigned int i)
{
	struct service_numbers		 v = { 0, 0, 0, 0, 0 };
	const struct tally_count	*k;
	unsigned int			 j;

	for (j = 0; j < s->sum.ncounts; j++) {
		k = &s->sum.count[j];
		if (k->key.service != i)
			continue;
		v.n += k->n;
		if ((k->key.flags & TALLY_BLOCKED) != 0)
			v.blocked += k->n;
		if ((k->key.flags & TALLY_UNSCANNED) != 0)
			v.unscanned += k->n;
		if (k->key.status == 0 || k->key.status >= 400)
			v.errors += k->n;
	}
	for (j = 0; j <= TALLY_BUCKETS; j++)
		v.done += s->sum.service[i].bucket[j];
	return v;
}

/* With `before` the numbers are those since then, per second. */
static void
print_services(const struct ctl *c, const struct snapshot *before)
{
	struct service_numbers	 v, w = { 0, 0, 0, 0, 0 };
	double			 t = 1, sum;
	const char		*name;
	unsigned int		 i, n = tally_head(c->tally)->nservices;

	if (before != NULL && c->now.now > before->now)
		t = (double)(c->now.now - before->now) / 1000;
	(void)printf("%-24s %13s %10s %10s %10s %10s\n", "service",
	    before == NULL ? "transactions" : "per second", "blocked",
	    "unscanned", "errors", "mean");
	for (i = 0; i < n && i < TALLY_SERVICES; i++) {
		name = tally_head(c->tally)->name[i];
		v = service_numbers(&c->now, i);
		sum = (double)c->now.sum.service[i].sum;
		if (before != NULL) {
			w = service_numbers(before, i);
			sum -= (double)before->sum.service[i].sum;
		}
		(void)printf("%s%-*s %13.0f %10.0f %10.0f %10.0f %7.2f ms\n",
		    i == 0 ? "" : "/", i == 0 ? 24 : 23, i == 0 ? "(none)" :
		    name, (double)(v.n - w.n) / t,
		    (double)(v.blocked - w.blocked) / t,
		    (double)(v.unscanned - w.unscanned) / t,
		    (double)(v.errors - w.errors) / t, v.done > w.done ?
		    sum / (double)(v.done - w.done) / 1000 : 0);
	}
}

static void
print_backends(const struct ctl *c)
{
	struct health	 h;
	unsigned int	 i = 0;

	if (c->now.nbackends > 0)
		(void)printf("\n%-15s %-31s %-7s  %s\n", "section",
		    "back-end", "state", "since");
	while (health_next(&c->now, &i, &h))
		(void)printf("%-15s %-31s %-7s  %-19s%s%s\n", h.service,
		    h.name, vital_state_name(h.state), h.since != 0 ?
		    clock_text(h.since) : "", h.why[0] != '\0' ? "  " : "",
		    h.why);
}

static void
print_numbers(const struct ctl *c)
{
	const struct vitals_number	*n;
	unsigned int			 i;
	int64_t				 value;

	if (c->now.nnumbers > 0)
		(void)printf("\n%-15s %-23s %15s\n", "section", "number",
		    "value");
	for (i = 0; i < c->now.nnumbers; i++) {
		n = health_number(&c->now, i, &value);
		(void)printf("%-15s %-23s %15lld\n", n->is.service,
		    n->is.name, (long long)value);
	}
}

static int
ctl_services(struct ctl *c)
{
	snapshot_take(&c->now, c->board, c->tally);
	if (c->json)
		return ctl_print_json(c);
	print_services(c, NULL);
	print_backends(c);
	print_numbers(c);
	return 0;
}

/* Until q or the end of the input; once where the output is no terminal. */
static int
ctl_top(struct ctl *c)
{
	struct pollfd	 pfd = { STDIN_FILENO, POLLIN, 0 };
	bool		 is_live = isatty(STDOUT_FILENO) == 1;
	char		 key;
	unsigned int	 i;

	snapshot_take(&c->before, c->board, c->tally);
	do {
		if (poll(&pfd, is_live, 1000) == 1 &&
		    (read(STDIN_FILENO, &key, 1) != 1 || key == 'q'))
			break;
		if (!is_alive(c->master))
			fail(EXIT_ABSENT, "the daemon has gone");
		snapshot_take(&c->now, c->board, c->tally);
		if (c->json) {
			(void)ctl_print_json(c);
		} else {
			if (is_live)
				(void)fputs("\033[H\033[J", stdout);
			(void)printf("%s  %.0f transactions/s  ",
			    c->head->program, (double)(c->now.transactions -
			    c->before.transactions) * 1000 / (double)
			    (c->now.now - c->before.now));
			for (i = BOARD_ACCEPT; i <= BOARD_SERVICE; i++)
				(void)printf("%u %s  ", c->now.by_state[i],
				    board_state_name((enum board_state)i));
			(void)printf("%u waiting\n\n", c->now.queued);
			print_services(c, &c->before);
			(void)printf("\n");
			print_workers(c, 20);
		}
		(void)fflush(stdout);
		c->before = c->now;
	} while (is_live);
	return 0;
}

/* ---- telling ----------------------------------------------------------- */

static void
ctl_signal(const struct ctl *c, int signo)
{
	if (kill(c->master, signo) == -1)
		fail(errno == ESRCH ? EXIT_ABSENT : EXIT_FAILED,
		    "process %ld: %s", (long)c->master, strerror(errno));
}

/* Waits until is_done(c) says so.  False when the time is over. */
static bool
ctl_wait(struct ctl *c, bool (*is_done)(struct ctl *c, uint64_t from),
    uint64_t from)
{
	int64_t	 end = stream_now() + c->patience;

	while (!is_done(c, from)) {
		if (stream_now() >= end)
			return false;
		(void)poll(NULL, 0, TICK);
	}
	return true;
}

static bool
is_reloaded(struct ctl *c, uint64_t from)
{
	if (!is_alive(c->master))
		fail(EXIT_ABSENT, "the daemon has gone");
	return __atomic_load_n(&c->head->reload, __ATOMIC_ACQUIRE) !=
	    BOARD_RELOAD_RUNNING && c->head->reloads_begun > from;
}

static int
ctl_reload(struct ctl *c)
{
	uint64_t	 from = c->head->reloads_begun;

	ctl_signal(c, SIGHUP);
	if (!ctl_wait(c, is_reloaded, from))
		fail(EXIT_FAILED, "no outcome within %lld s",
		    (long long)c->patience / 1000);
	if (c->json) {
		snapshot_take(&c->now, c->board, c->tally);
		(void)ctl_print_json(c);
	}
	if (c->head->reload != BOARD_RELOAD_OK) {
		if (!c->json)
			(void)fprintf(stderr, "%s\n", c->head->reload_why);
		return EXIT_FAILED;
	}
	if (!c->json)
		(void)printf("generation %u, %u workers\n",
		    c->head->generation, c->head->workers);
	return 0;
}

static bool
is_reopened(struct ctl *c, uint64_t from)
{
	if (!is_alive(c->master))
		fail(EXIT_ABSENT, "the daemon has gone");
	return __atomic_load_n(&tally_head(c->tally)->logs.reopened,
	    __ATOMIC_ACQUIRE) > from;
}

static int
ctl_reopen(struct ctl *c)
{
	const struct ring_public	*logs = &tally_head(c->tally)->logs;
	uint64_t			 from = logs->reopened;
	unsigned int			 i;
	int				 status = 0;

	ctl_signal(c, SIGUSR1);
	if (!ctl_wait(c, is_reopened, from))
		fail(EXIT_FAILED, "no outcome within %lld s",
		    (long long)c->patience / 1000);
	for (i = 0; i < logs->nlogs && i < RING_LOGS; i++)
		if (logs->log[i].failing) {
			(void)fprintf(stderr, "%s cannot be written\n",
			    logs->log[i].path);
			status = EXIT_FAILED;
		}
	if (status == 0)
		(void)printf("logs reopened\n");
	return status;
}

/* Texts on the board are cut. */
static bool
is_named(const char *shown, size_t size, const char *name, size_t len)
{
	return strlen(shown) == (len < size ? len : size - 1) &&
	    strncmp(shown, name, size - 1 < len ? size - 1 : len) == 0;
}

/* "section", "list" or "section/list" */
static bool
is_meant(const struct board_source *s, const char *name)
{
	size_t	 len = strlen(name), section = strlen(s->section);

	if (is_named(s->section, sizeof(s->section), name, len) ||
	    (s->name[0] != '\0' &&
	    is_named(s->name, sizeof(s->name), name, len)))
		return true;
	return len > section && strncmp(name, s->section, section) == 0 &&
	    name[section] == '/' && is_named(s->name, sizeof(s->name),
	    name + section + 1, len - section - 1);
}

static const struct board_source *
sources(const struct ctl *c, unsigned int *n)
{
	*n = __atomic_load_n(&c->head->nsources[c->generation % 2],
	    __ATOMIC_ACQUIRE);
	if (*n > BOARD_SOURCES)
		*n = BOARD_SOURCES;
	return board_see_sources(c->board, c->generation);
}

/* Until when what is meant has been looked at; false: nothing is. */
static bool
set_targets(struct ctl *c, const char *name)
{
	const struct board_source	*s;
	unsigned int			 i, n;
	uint64_t			 from;
	bool				 found = false;

	for (s = sources(c, &n), i = 0; i < n; i++) {
		if (name != NULL && !is_meant(&s[i], name))
			continue;
		found = true;
		from = __atomic_load_n(&s[i].updates, __ATOMIC_ACQUIRE);
		/* one under way (an odd number) may have begun too early */
		c->target[i] = (from + 3) & ~UINT64_C(1);
	}
	return found;
}

static bool
is_updated(struct ctl *c, uint64_t from)
{
	const struct board_source	*s;
	unsigned int			 i, n;

	(void)from;
	if (!is_alive(c->master))
		fail(EXIT_ABSENT, "the daemon has gone");
	if (c->head->watch[c->generation % 2] != c->watch ||
	    !is_alive(c->watch))
		fail(EXIT_FAILED, "process %ld, which does it, has ended",
		    (long)c->watch);
	for (s = sources(c, &n), i = 0; i < n; i++)
		if (c->target[i] != 0 && __atomic_load_n(&s[i].updates,
		    __ATOMIC_ACQUIRE) < c->target[i])
			return false;
	return true;
}

/* Once for each section that something is meant of, or 0 for all. */
static void
ask_update(const struct ctl *c)
{
	const struct board_source	*s;
	unsigned int			 i, k, n;
	union sigval			 value;

	for (s = sources(c, &n), i = 0; i < n; i++) {
		if (c->target[i] == 0)
			continue;
		for (k = 0; k < i; k++)
			if (c->target[k] != 0 && strcmp(s[k].section,
			    s[i].section) == 0)
				break;
		if (k < i)
			continue;
		value.sival_int = c->nnames == 0 ? 0 : (int)i + 1;
		if (sigqueue(c->watch, WATCH_UPDATE, value) == -1)
			fail(EXIT_FAILED, "process %ld: %s", (long)c->watch,
			    strerror(errno));
		if (c->nnames == 0)
			return;
	}
}

static const char *
outcome_text(const struct board_source *s)
{
	switch ((enum board_outcome)s->outcome) {
	case BOARD_SOURCE_UNCHANGED:
		return "unchanged";
	case BOARD_SOURCE_CHANGED:
		return "updated";
	case BOARD_SOURCE_FAILED:
		break;
	}
	return "FAILED";
}

static void
print_source(const struct board_source *s)
{
	bool	 failed = s->outcome == BOARD_SOURCE_FAILED;
	FILE	*fp = failed ? stderr : stdout;

	(void)fprintf(fp, "%s%s%s: %s", s->section, s->name[0] != '\0' ?
	    "/" : "", s->name, outcome_text(s));
	if (failed)
		(void)fprintf(fp, ", the old one stays in use: %s", s->why);
	else if (s->name[0] != '\0')
		(void)fprintf(fp, ", %llu %s",
		    (unsigned long long)s->entries, s->entries == 1 ?
		    "entry" : "entries");
	if (!failed && s->refused > 0)
		(void)fprintf(fp, ", %llu line%s refused, first %s",
		    (unsigned long long)s->refused, s->refused == 1 ? "" :
		    "s", s->why);
	(void)fputc('\n', fp);
}

static void
add_source(struct page *p, const struct board_source *s)
{
	page_addf(p, "%s\n{\"section\":\"", p->p[p->len - 1] != '[' ? "," : "");
	page_json(p, s->section);
	page_addf(p, "\",\"list\":\"");
	page_json(p, s->name);
	page_addf(p, "\",\"outcome\":\"%s\",\"entries\":%llu,"
	    "\"refused\":%llu,\"why\":\"", s->outcome ==
	    BOARD_SOURCE_FAILED ? "failed" : outcome_text(s),
	    (unsigned long long)s->entries, (unsigned long long)s->refused);
	page_json(p, s->why);
	page_addf(p, "\"}");
}

/* What became of those that were meant. */
static int
print_sources(const struct ctl *c)
{
	const struct board_source	*s;
	struct page			 p;
	unsigned int			 i, n;
	int				 status = 0;

	page_init(&p);
	page_addf(&p, "{\"sources\":[");
	for (s = sources(c, &n), i = 0; i < n; i++) {
		if (c->target[i] == 0)
			continue;
		if (s[i].outcome == BOARD_SOURCE_FAILED)
			status = EXIT_FAILED;
		if (c->json)
			add_source(&p, &s[i]);
		else
			print_source(&s[i]);
	}
	page_addf(&p, "]}\n");
	if (p.failed)
		fail(EXIT_FAILED, "out of memory");
	if (c->json)
		(void)fwrite(p.p, 1, p.len, stdout);
	free(p.p);
	return status;
}

/* Is there a process that does it?  After a start it is the last to come. */
static bool
has_watch(struct ctl *c)
{
	int64_t	 end = stream_now() + WATCH_START;

	do {
		c->generation = c->head->generation;
		c->watch = __atomic_load_n(&c->head->watch[
		    c->generation % 2], __ATOMIC_ACQUIRE);
		if (is_alive(c->watch))
			return true;
		(void)poll(NULL, 0, TICK);
	} while (stream_now() < end);
	return false;
}

static int
ctl_update(struct ctl *c)
{
	int	 i;

	if (!has_watch(c))
		fail(EXIT_FAILED, "no service has anything to update");
	if (c->nnames == 0)
		(void)set_targets(c, NULL);
	for (i = 0; i < c->nnames; i++)
		if (!set_targets(c, c->name[i]))
			fail(EXIT_FAILED, "%s: no service or list that can "
			    "be updated has this name", c->name[i]);
	ask_update(c);
	if (!ctl_wait(c, is_updated, 0))
		fail(EXIT_FAILED, "no outcome within %lld s",
		    (long long)c->patience / 1000);
	return print_sources(c);
}

static bool
is_stopped(struct ctl *c, uint64_t from)
{
	(void)from;
	return !is_alive(c->master);
}

static int
ctl_stop(struct ctl *c)
{
	ctl_signal(c, SIGTERM);
	if (!ctl_wait(c, is_stopped, 0))
		fail(EXIT_FAILED, "process %ld has not ended within %lld s",
		    (long)c->master, (long long)c->patience / 1000);
	(void)printf("stopped\n");
	return 0;
}

/* Another master has the board, or this one has said that it failed. */
static bool
is_upgraded(struct ctl *c, uint64_t from)
{
	const struct ring_recent	*r = tally_head(c->tally)->logs.recent;
	const char			*why;
	struct ctl			 next = *c;
	unsigned int			 i;

	for (i = 0; i < RING_RECENTS; i++)
		if (r[i].number > from && strstr(r[i].text, "upgrade ") !=
		    NULL && strstr(r[i].text, "failed") != NULL)
			fail(EXIT_FAILED, "%.200s", r[i].text);
	if (ctl_map(&next, &why) == -1)
		return false;
	if (next.master != c->master && is_alive(next.master)) {
		board_unmap(c->board);
		tally_close(c->tally);
		*c = next;
		return true;
	}
	board_unmap(next.board);
	tally_close(next.tally);
	return false;
}

static int
ctl_upgrade(struct ctl *c)
{
	const struct ring_recent	*r = tally_head(c->tally)->logs.recent;
	uint64_t			 top = 0;
	unsigned int			 i;

	for (i = 0; i < RING_RECENTS; i++)
		if (r[i].number > top)
			top = r[i].number;
	ctl_signal(c, SIGUSR2);
	if (!ctl_wait(c, is_upgraded, top))
		fail(EXIT_FAILED, "no outcome within %lld s",
		    (long long)c->patience / 1000);
	(void)printf("%s, pid %ld, %u workers\n", c->head->program,
	    (long)c->master, c->head->workers);
	return 0;
}

static int
ctl_check(struct ctl *c)
{
	if (c->file != NULL)
		(void)execlp("icapd", "icapd", "-n", "-f", c->file,
		    (char *)NULL);
	else
		(void)execlp("icapd", "icapd", "-n", (char *)NULL);
	fail(EXIT_FAILED, "icapd: %s", strerror(errno));
}

static const struct command	 commands[] = {
	{ "status", ctl_status, false, false },
	{ "workers", ctl_workers, false, false },
	{ "services", ctl_services, false, false },
	{ "top", ctl_top, false, false },
	{ "reload", ctl_reload, false, false },
	{ "reopen", ctl_reopen, false, false },
	{ "update", ctl_update, false, true },
	{ "stop", ctl_stop, false, false },
	{ "upgrade", ctl_upgrade, false, false },
	{ "check", ctl_check, true, false },
};

int
main(int argc, char *argv[])
{
	/* large, and mostly counters */
	static struct ctl	 c;
	static struct conf	 conf;
	const struct command	*command;
	const char		*error;
	size_t			 i;
	int			 ch;

	conf_key_init(&conf);
	c.run_dir = conf.run_dir != NULL ? conf.run_dir : RUN_DIR;
	c.patience = PATIENCE * 1000;
	while ((ch = getopt(argc, argv, "f:jr:t:")) != -1) {
		switch (ch) {
		case 'f':
			c.file = optarg;
			break;
		case 'j':
			c.json = true;
			break;
		case 'r':
			c.run_dir = optarg;
			break;
		case 't':
			c.patience = strtonum(optarg, 1, 86400, &error) *
			    1000;
			if (error != NULL)
				fail(EXIT_USAGE, "-t %s: seconds are %s",
				    optarg, error);
			break;
		default:
			usage();
		}
	}
	if (argc - optind < 1)
		usage();
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[optind], commands[i].name) == 0)
			break;
	if (i == sizeof(commands) / sizeof(commands[0]))
		usage();
	command = &commands[i];
	c.name = argv + optind + 1;
	c.nnames = argc - optind - 1;
	if (c.nnames > 0 && !command->has_names)
		usage();
	if (!command->is_offline)
		ctl_attach(&c);
	ch = command->run(&c);
	if (fflush(stdout) == EOF)
		fail(EXIT_FAILED, "standard output: %s", strerror(errno));
	return ch;
}
