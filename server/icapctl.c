/* SPDX-License-Identifier: ISC */
/*
 * icapctl: shows what icapd does and tells it what to do.  It maps the board
 * and the counters read-only, which is the whole protocol for reading; a
 * command is a signal to the master, or to the process that looks after lists,
 * and its outcome is read back from the board.  So it needs no listener, works
 * while the daemon is too busy to answer anybody, and cannot disturb it.
 *
 * Workers, which talk to clients, can write to the board.  So who is signalled
 * and what is executed comes from the kernel (the lock on the board, /proc),
 * never from what is in it.
 *
 * Exit status: 0 done, 1 failed, 2 usage, 3 no daemon runs.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
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
#include "log.h"
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
	int			 fd;		/* of the board */
	const struct board	*board;		/* NULL: of another version */
	const struct board_head	*live;		/* what is waited for */
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
	bool		 is_blind;	/* does without what the board says */
};

/* -j: errors, too. */
static bool	 fails_in_json;

static void usage(void) __attribute__((noreturn));
static void fail(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

static void
usage(void)
{
	(void)fputs("usage: icapctl [-j] [-f file] [-r directory] "
	    "[-t seconds] command [name ...]\n"
	    "commands: status workers services top recent check\n"
	    "          reload reopen update [name ...] stop upgrade\n",
	    stderr);
	exit(EXIT_USAGE);
}

static void
fail(int status, const char *fmt, ...)
{
	struct page	 p;
	char		 text[1024];
	va_list		 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (fails_in_json) {
		page_init(&p);
		page_addf(&p, "{\"error\":\"");
		page_json(&p, text);
		page_addf(&p, "\"}\n");
		(void)fwrite(p.p, 1, p.len, stdout);
	} else
		(void)fprintf(stderr, "icapctl: %s\n", text);
	exit(status);
}

/* The daemon still runs: its file may be left, its lock is not. */
static bool
is_held(const struct ctl *c)
{
	return board_find_holder(c->fd) == c->master;
}

/* Finds the daemon.  Returns 0, or -1 with *why and perhaps errno. */
static int
ctl_find(struct ctl *c, const char **why)
{
	char	 path[PATH_MAX];

	*why = "has too long a name";
	errno = 0;
	if (snprintf(path, sizeof(path), "%s/%s", c->run_dir, BOARD_FILE) >=
	    (int)sizeof(path))
		return -1;
	*why = "cannot be opened";
	if ((c->fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	if ((c->master = board_find_holder(c->fd)) > 0)
		return 0;
	*why = c->master == 0 ? "is left over, its process has gone" :
	    "belongs to a process that cannot be seen from here";
	(void)close(c->fd);
	errno = c->master == 0 ? 0 : EPERM;
	return -1;
}

static bool
is_forbidden(void)
{
	return errno == EACCES || errno == EPERM;
}

/* After ctl_find(). */
static void fail_find(const struct ctl *c, const char *why)
    __attribute__((noreturn));

static void
fail_find(const struct ctl *c, const char *why)
{
	bool	 forbidden = is_forbidden();

	fail(forbidden ? EXIT_FAILED : EXIT_ABSENT, "%s: %s/%s %s%s%s",
	    forbidden ? "not allowed" : "no daemon is running", c->run_dir,
	    BOARD_FILE, why, errno != 0 ? ": " : "", errno != 0 ?
	    strerror(errno) : "");
}

/* Maps what the daemon shows.  Returns 0, or -1 with *why. */
static int
ctl_map(struct ctl *c, const char **why)
{
	char	 counts[PATH_MAX];

	*why = "the name is too long";
	if (snprintf(counts, sizeof(counts), "%s/%s%s", c->run_dir,
	    BOARD_FILE, TALLY_SUFFIX) >= (int)sizeof(counts))
		return -1;
	if ((c->board = board_map(c->fd, why)) == NULL)
		return -1;
	if ((c->tally = tally_map(counts, why)) == NULL) {
		board_unmap(c->board);
		c->board = NULL;
		return -1;
	}
	c->live = board_see_head(c->board);
	return 0;
}

static void
ctl_attach(struct ctl *c, bool is_blind)
{
	const char	*why;

	if (ctl_find(c, &why) == -1)
		fail_find(c, why);
	/* a package may have been upgraded, and the daemon not yet */
	if (ctl_map(c, &why) == -1 && !is_blind)
		fail(EXIT_FAILED, "process %ld: %s; `icapctl upgrade' or a "
		    "restart replaces it", (long)c->master, why);
}

static void
ctl_detach(struct ctl *c)
{
	if (c->board != NULL) {
		board_unmap(c->board);
		tally_close(c->tally);
	}
	(void)close(c->fd);
}

static int
print_page(struct page *p)
{
	if (p->failed)
		fail(EXIT_FAILED, "out of memory");
	(void)fwrite(p->p, 1, p->len, stdout);
	free(p->p);
	return 0;
}

static int
ctl_print_json(struct ctl *c)
{
	struct page	 p;

	page_init(&p);
	metrics_format_json(&p, &c->now);
	return print_page(&p);
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

/* What came with the last reload that succeeded. */
static void
print_changes(const struct board_head *h)
{
	const char	*text = h->changes;
	size_t		 len;

	for (; h->reloads > 0 && *text != '\0'; text += len +
	    (text[len] == '\n')) {
		len = strcspn(text, "\n");
		(void)printf("new in %-7u %.*s\n", h->generation, (int)len,
		    text);
	}
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
	const struct board_head		*h = &c->now.head;
	const struct ring_public	*logs = &c->now.logs;
	unsigned int			 i;
	int64_t				 up;

	snapshot_take(&c->now, c->board, c->tally);
	if (c->json)
		return ctl_print_json(c);
	up = board_age(c->now.now, h->started) / 1000;
	(void)printf("%s, pid %ld, %s\n", h->stem.program, (long)c->master,
	    snapshot_is_ready(&c->now) ? "ready" : "NOT READY");
	(void)printf("started        %s, up %lld:%02lld:%02lld\n",
	    clock_text(h->started_time), (long long)up / 3600,
	    (long long)up / 60 % 60, (long long)up % 60);
	(void)printf("configuration  generation %u, ISTag %s%s%s\n",
	    h->generation, h->istag, h->conf_file[0] != '\0' ? ", " : "",
	    h->conf_file);
	(void)printf("last reload    %s%s%s%s%s\n", reload_text(h),
	    h->reload_time != 0 ? ", " : "", h->reload_time != 0 ?
	    clock_text(h->reload_time) : "", h->reload == BOARD_RELOAD_BAD ?
	    ": " : "", h->reload == BOARD_RELOAD_BAD ? h->reload_why : "");
	print_changes(h);
	(void)printf("workers        %u:", c->now.workers);
	for (i = BOARD_STARTING; i <= BOARD_LEAVING; i++)
		(void)printf(" %u %s%s", c->now.by_state[i],
		    board_state_name(i),
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
	for (i = 0; i < logs->nlogs; i++) {
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

/* What the worker of a place had counted when `top' looked before. */
struct worker_numbers {
	int32_t		 pid;
	uint64_t	 connections;
	uint64_t	 transactions;
};

static struct worker_numbers
worker_numbers(const struct board_slot *slot)
{
	struct worker_numbers	 n;

	n.pid = slot->pid;
	n.connections = slot->connections;
	n.transactions = slot->transactions;
	return n;
}

/* With `last`, by place, the numbers are those since then, per second. */
static void
print_workers(const struct ctl *c, struct worker_numbers *last,
    unsigned int most)
{
	struct board_slot	 slot;
	struct worker_numbers	 now, was = { 0, 0, 0 };
	unsigned int		 i, n = 0, places = board_places(c->board);
	double			 t = 1;

	if (last != NULL && c->now.now > c->before.now)
		t = (double)(c->now.now - c->before.now) / 1000;
	(void)printf("%6s %8s %-9s %10s %4s %14s %14s\n", "worker", "pid",
	    "state", "since", "gen", last != NULL ? "connections/s" :
	    "connections", last != NULL ? "transactions/s" : "transactions");
	for (i = 0; i < places; i++) {
		board_copy_slot(c->board, i, &slot);
		now = worker_numbers(&slot);
		if (last != NULL) {
			was = last[i];
			last[i] = now;
			if (was.pid != now.pid)
				was.connections = was.transactions = 0;
		}
		if (slot.state == BOARD_FREE || slot.state >= BOARD_AUX ||
		    n++ >= most)
			continue;
		(void)printf("%6u %8d %-9s %8.1f s %4u %14.0f %14.0f\n", i,
		    now.pid, board_state_name(slot.state),
		    (double)board_age(c->now.now, slot.since) / 1000,
		    slot.generation,
		    (double)(now.connections - was.connections) / t,
		    (double)(now.transactions - was.transactions) / t);
	}
}

static int
ctl_workers(struct ctl *c)
{
	snapshot_take(&c->now, c->board, c->tally);
	if (c->json)
		return ctl_print_json(c);
	print_workers(c, NULL, UINT_MAX);
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

/* Durations are known to the bounds of their buckets. */
static void
print_quantile(const struct tally_service *v, double q)
{
	char		 text[32] = "-";
	uint32_t	 us = metrics_quantile(v, q);

	if (us == UINT32_MAX)
		(void)snprintf(text, sizeof(text), ">%g",
		    (double)tally_bound(TALLY_BUCKETS - 1) / 1000);
	else if (us != 0)
		(void)snprintf(text, sizeof(text), "<%g", (double)us / 1000);
	(void)printf(" %6s", text);
}

/* With `before` the numbers are those since then, per second. */
static void
print_services(const struct ctl *c, const struct snapshot *before)
{
	struct service_numbers	 v, w = { 0, 0, 0, 0, 0 };
	struct tally_service	 times;
	bool			 is_path;
	double			 t = 1;
	const char		*name;
	unsigned int		 i, b;

	if (before != NULL && c->now.now > before->now)
		t = (double)(c->now.now - before->now) / 1000;
	(void)printf("%-16s %12s %9s %9s %8s %8s %6s %6s\n", "service",
	    before == NULL ? "transactions" : "per second", "blocked",
	    "unscanned", "errors", "mean ms", "50 %", "99 %");
	for (i = 0; i < c->now.nservices; i++) {
		name = c->now.service[i];
		v = service_numbers(&c->now, i);
		times = c->now.sum.service[i];
		if (before != NULL) {
			w = service_numbers(before, i);
			times.sum -= before->sum.service[i].sum;
			for (b = 0; b <= TALLY_BUCKETS; b++)
				times.bucket[b] -=
				    before->sum.service[i].bucket[b];
		}
		is_path = i != 0 && i != TALLY_OTHERS;
		(void)printf("%s%-*s %12.0f %9.0f %9.0f %8.0f %8.2f", is_path ?
		    "/" : "", is_path ? 15 : 16, i == 0 ? "(none)" : name,
		    (double)(v.n - w.n) / t,
		    (double)(v.blocked - w.blocked) / t,
		    (double)(v.unscanned - w.unscanned) / t,
		    (double)(v.errors - w.errors) / t, v.done > w.done ?
		    (double)times.sum / (double)(v.done - w.done) / 1000 : 0);
		print_quantile(&times, 0.5);
		print_quantile(&times, 0.99);
		(void)printf("\n");
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
	struct vitals_number	 n;
	unsigned int		 i;
	int64_t			 value;

	if (c->now.nnumbers > 0)
		(void)printf("\n%-15s %-23s %15s\n", "section", "number",
		    "value");
	for (i = 0; i < c->now.nnumbers; i++) {
		value = health_number(&c->now, i, &n);
		(void)printf("%-15s %-23s %15lld\n", n.is.service, n.is.name,
		    (long long)value);
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
	unsigned int	 i, places = board_places(c->board);
	struct board_slot	 slot;
	struct worker_numbers	*last;

	last = calloc(board_max(c->board), sizeof(*last));
	if (last == NULL)
		fail(EXIT_FAILED, "out of memory");
	snapshot_take(&c->before, c->board, c->tally);
	for (i = 0; i < places; i++) {
		board_copy_slot(c->board, i, &slot);
		last[i] = worker_numbers(&slot);
	}
	do {
		if (poll(&pfd, is_live, 1000) == 1 &&
		    (read(STDIN_FILENO, &key, 1) != 1 || key == 'q'))
			break;
		if (!is_held(c))
			fail(EXIT_ABSENT, "the daemon has gone");
		snapshot_take(&c->now, c->board, c->tally);
		if (c->json) {
			(void)ctl_print_json(c);
		} else {
			if (is_live)
				(void)fputs("\033[H\033[J", stdout);
			(void)printf("%s  %.0f transactions/s  ",
			    c->now.head.stem.program,
			    (double)(c->now.transactions -
			    c->before.transactions) * 1000 / (double)
			    (c->now.now - c->before.now));
			for (i = BOARD_ACCEPT; i <= BOARD_SERVICE; i++)
				(void)printf("%u %s  ", c->now.by_state[i],
				    board_state_name(i));
			(void)printf("%u waiting\n\n", c->now.queued);
			print_services(c, &c->before);
			(void)printf("\n");
			print_workers(c, last, 20);
		}
		(void)fflush(stdout);
		c->before = c->now;
	} while (is_live);
	free(last);
	return 0;
}

/* The last errors and blocks, the newest first. */
static int
ctl_recent(struct ctl *c)
{
	struct ring_recent	 r;
	struct page		 p;
	uint64_t		 k = 0;

	snapshot_take(&c->now, c->board, c->tally);
	if (c->json) {
		page_init(&p);
		page_addf(&p, "{");
		metrics_format_recent(&p, &c->now);
		page_addf(&p, "}\n");
		return print_page(&p);
	}
	while (recent_next(&c->now, &k, &r))
		(void)printf("%s  %-7s  %s\n", clock_text(r.when),
		    r.kind == RING_BLOCKED ? recent_kind(&r) :
		    log_level_name((enum log_level)r.level), r.text);
	return 0;
}

/* ---- telling ----------------------------------------------------------- */

static void
ctl_signal(const struct ctl *c, int signo)
{
	if (!is_held(c))
		fail(EXIT_ABSENT, "the daemon has gone");
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
	if (!is_held(c))
		fail(EXIT_ABSENT, "the daemon has gone");
	return __atomic_load_n(&c->live->reload, __ATOMIC_ACQUIRE) !=
	    BOARD_RELOAD_RUNNING && c->live->reloads_begun > from;
}

static int
ctl_reload(struct ctl *c)
{
	const struct board_head	*h = &c->now.head;
	uint64_t		 from = c->live->reloads_begun;

	ctl_signal(c, SIGHUP);
	if (!ctl_wait(c, is_reloaded, from))
		fail(EXIT_FAILED, "no outcome within %lld s",
		    (long long)c->patience / 1000);
	snapshot_take(&c->now, c->board, c->tally);
	if (c->json)
		(void)ctl_print_json(c);
	if (h->reload != BOARD_RELOAD_OK) {
		if (!c->json)
			(void)fprintf(stderr, "%s\n", h->reload_why);
		return EXIT_FAILED;
	}
	if (!c->json)
		(void)printf("generation %u, %u workers\n", h->generation,
		    h->workers);
	return 0;
}

static bool
is_reopened(struct ctl *c, uint64_t from)
{
	if (!is_held(c))
		fail(EXIT_ABSENT, "the daemon has gone");
	return __atomic_load_n(&tally_head(c->tally)->logs.reopened,
	    __ATOMIC_ACQUIRE) > from;
}

static int
ctl_reopen(struct ctl *c)
{
	const struct ring_public	*logs = &c->now.logs;
	uint64_t			 from;
	unsigned int			 i;
	int				 status = 0;

	from = tally_head(c->tally)->logs.reopened;
	ctl_signal(c, SIGUSR1);
	if (!ctl_wait(c, is_reopened, from))
		fail(EXIT_FAILED, "no outcome within %lld s",
		    (long long)c->patience / 1000);
	snapshot_take(&c->now, c->board, c->tally);
	for (i = 0; i < logs->nlogs; i++)
		if (logs->log[i].failing) {
			if (!c->json)
				(void)fprintf(stderr, "%s cannot be "
				    "written\n", logs->log[i].path);
			status = EXIT_FAILED;
		}
	if (c->json)
		(void)ctl_print_json(c);
	else if (status == 0)
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

/* Copies source i; false behind the last one. */
static bool
source(const struct ctl *c, unsigned int i, struct board_source *s)
{
	return board_copy_source(c->board, c->generation, i, s) > i;
}

/* How often it has been looked at, live. */
static uint64_t
source_updates(const struct ctl *c, unsigned int i)
{
	return __atomic_load_n(&board_see_sources(c->board,
	    c->generation)[i].updates, __ATOMIC_ACQUIRE);
}

/* Until when what is meant has been looked at; false: nothing is. */
static bool
set_targets(struct ctl *c, const char *name)
{
	struct board_source	 s;
	unsigned int		 i;
	uint64_t		 from;
	bool			 found = false;

	for (i = 0; source(c, i, &s); i++) {
		if (name != NULL && !is_meant(&s, name))
			continue;
		found = true;
		from = source_updates(c, i);
		/* one under way (an odd number) may have begun too early */
		c->target[i] = (from + 3) & ~UINT64_C(1);
	}
	return found;
}

/* Is that a process of the daemon, by the kernel's word? */
static bool
is_child(const struct ctl *c, pid_t pid)
{
	char	 path[64], parent[64], text[2048];
	ssize_t	 n;
	int	 fd;

	(void)snprintf(parent, sizeof(parent), "\nPPid:\t%ld\n",
	    (long)c->master);
	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, parent) != NULL;
}

/*
 * Is that the process that looks after lists?  Workers may write to the board:
 * what it names is at most another child of the master.
 */
static bool
is_watching(const struct ctl *c, pid_t pid)
{
	struct board_slot	 slot;
	unsigned int		 i, places = board_places(c->board);

	for (i = 0; pid > 0 && is_held(c) && i < places; i++) {
		board_copy_slot(c->board, i, &slot);
		if (slot.pid == pid && slot.state == BOARD_AUX)
			return is_child(c, pid);
	}
	return false;
}

static bool
is_updated(struct ctl *c, uint64_t from)
{
	unsigned int	 i;

	(void)from;
	if (!is_held(c))
		fail(EXIT_ABSENT, "the daemon has gone");
	if (c->live->watch[c->generation % 2] != c->watch ||
	    !is_watching(c, c->watch))
		fail(EXIT_FAILED, "process %ld, which does it, has ended",
		    (long)c->watch);
	for (i = 0; i < BOARD_SOURCES; i++)
		if (c->target[i] != 0 && source_updates(c, i) < c->target[i])
			return false;
	return true;
}

/* Once for each section that something is meant of, or 0 for all. */
static void
ask_update(const struct ctl *c)
{
	struct board_source	 s, other;
	unsigned int		 i, k;
	union sigval		 value;

	for (i = 0; source(c, i, &s); i++) {
		if (c->target[i] == 0)
			continue;
		for (k = 0; k < i && source(c, k, &other); k++)
			if (c->target[k] != 0 && strcmp(other.section,
			    s.section) == 0)
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
	struct board_source	 s;
	struct page		 p;
	unsigned int		 i;
	int			 status = 0;

	page_init(&p);
	page_addf(&p, "{\"sources\":[");
	for (i = 0; source(c, i, &s); i++) {
		if (c->target[i] == 0)
			continue;
		if (s.outcome == BOARD_SOURCE_FAILED)
			status = EXIT_FAILED;
		if (c->json)
			add_source(&p, &s);
		else
			print_source(&s);
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
		c->generation = c->live->generation;
		c->watch = __atomic_load_n(&c->live->watch[
		    c->generation % 2], __ATOMIC_ACQUIRE);
		if (is_watching(c, c->watch))
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
	return !is_held(c);
}

static int
ctl_stop(struct ctl *c)
{
	ctl_signal(c, SIGTERM);
	if (!ctl_wait(c, is_stopped, 0))
		fail(EXIT_FAILED, "process %ld has not ended within %lld s",
		    (long)c->master, (long long)c->patience / 1000);
	if (c->json)
		(void)printf("{\"stopped\":true,\"pid\":%ld}\n",
		    (long)c->master);
	else
		(void)printf("stopped\n");
	return 0;
}

/*
 * Another master has the board, which it takes when it is ready, or this one
 * has said that it failed.
 */
static bool
is_upgraded(struct ctl *c, uint64_t from)
{
	const char		*why;
	struct board_stem	 stem;
	struct ctl		 next = *c;
	bool			 is_there = is_held(c);

	if (board_read_stem(c->fd, &stem) == 0 && stem.upgrades_failed > from)
		fail(EXIT_FAILED, "upgrade failed: %s", stem.upgrade_why);
	next.board = NULL;
	if (ctl_find(&next, &why) == -1) {
		if (!is_there)
			fail(EXIT_ABSENT, "the daemon has gone");
		return false;
	}
	if (next.master != c->master) {
		ctl_detach(c);
		*c = next;
		return true;
	}
	ctl_detach(&next);
	if (!is_there)
		fail(EXIT_FAILED, "process %ld has ended", (long)c->master);
	return false;
}

/* It serves; what it is doing is another question. */
static int
print_upgraded(struct ctl *c)
{
	const char		*why;
	struct board_stem	 stem;
	bool			 has_stem;

	if (ctl_map(c, &why) == 0) {
		snapshot_take(&c->now, c->board, c->tally);
		if (c->json)
			return ctl_print_json(c);
		(void)printf("%s, pid %ld, %u workers\n",
		    c->now.head.stem.program, (long)c->master,
		    c->now.head.workers);
		return 0;
	}
	has_stem = board_read_stem(c->fd, &stem) == 0;
	if (c->json)
		(void)printf("{\"pid\":%ld}\n", (long)c->master);
	else
		(void)printf("%s, pid %ld, %s\n", has_stem ? stem.program :
		    "icapd", (long)c->master, why);
	return 0;
}

static int
ctl_upgrade(struct ctl *c)
{
	struct board_stem	 stem;
	uint64_t		 from = 0;

	if (board_read_stem(c->fd, &stem) == 0)
		from = stem.upgrades_failed;
	else
		(void)fprintf(stderr, "icapctl: process %ld is of a version "
		    "that tells only its log if this fails; waiting for the "
		    "new one\n", (long)c->master);
	ctl_signal(c, SIGUSR2);
	if (!ctl_wait(c, is_upgraded, from))
		fail(EXIT_FAILED, "no outcome within %lld s",
		    (long long)c->patience / 1000);
	return print_upgraded(c);
}

/* ---- checking ----------------------------------------------------------- */

/* The program of a process, or -1. */
static int
find_program(pid_t pid, char *dst, size_t size)
{
	static const char	 gone[] = " (deleted)";
	char			 path[64], *end;
	ssize_t			 n;

	(void)snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);
	if ((n = readlink(path, dst, size - 1)) == -1)
		return -1;
	dst[n] = '\0';
	/* what has taken the name since is what a restart would run */
	if ((size_t)n > sizeof(gone) && strcmp(end = dst + n -
	    (sizeof(gone) - 1), gone) == 0)
		*end = '\0';
	return 0;
}

/* The icapd that was installed with us. */
static int
find_beside(char *dst, size_t size)
{
	char	*slash;

	if (find_program(getpid(), dst, size) == -1 ||
	    (slash = strrchr(dst, '/')) == NULL)
		return -1;
	slash[1] = '\0';
	return strlcat(dst, "icapd", size) < size ? 0 : -1;
}

/*
 * libbsd ends a title with a space where it is just as long as the name that
 * the program was started by.
 */
static void
cut_space(char *file, const char *is)
{
	size_t	 len = strlen(file);

	if (len == 0 || file[len - 1] != ' ')
		return;
	if (is != NULL ? strcmp(file, is) != 0 : access(file, F_OK) == -1)
		file[len - 1] = '\0';
}

/*
 * The configuration of the running daemon is in the title of its process,
 * "icapd: master FILE".  A title may have been cut: then the board says more.
 */
static int
find_file(const struct ctl *c, char *dst, size_t size)
{
	static const char	 mark[] = ": master ";
	struct board_head	 head;
	char			 path[64], *file;
	ssize_t			 n;
	int			 fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/cmdline",
	    (long)c->master);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	n = read(fd, dst, size - 1);
	(void)close(fd);
	dst[n > 0 ? n : 0] = '\0';
	if ((file = strstr(dst, mark)) == NULL)
		return -1;
	file += sizeof(mark) - 1;
	if (c->board != NULL) {
		board_copy_head(c->board, &head);
		cut_space(file, head.conf_file);
		if (strcmp(file, head.conf_file) != 0)
			return -1;
	} else
		cut_space(file, NULL);
	(void)memmove(dst, file, strlen(file) + 1);
	return 0;
}

/* Runs it with its output in *text.  Returns its exit status. */
static int
run_into(char *const argv[], struct page *text)
{
	char	 buf[4096];
	int	 fd[2], status;
	ssize_t	 n;
	pid_t	 pid;

	if (pipe(fd) == -1 || (pid = fork()) == -1)
		fail(EXIT_FAILED, "%s: %s", argv[0], strerror(errno));
	if (pid == 0) {
		(void)dup2(fd[1], STDOUT_FILENO);
		(void)dup2(fd[1], STDERR_FILENO);
		(void)close(fd[0]);
		(void)close(fd[1]);
		(void)execv(argv[0], argv);
		(void)dprintf(STDERR_FILENO, "%s: %s\n", argv[0],
		    strerror(errno));
		_exit(EXIT_FAILED);
	}
	(void)close(fd[1]);
	while ((n = read(fd[0], buf, sizeof(buf))) > 0)
		page_add(text, buf, (size_t)n);
	(void)close(fd[0]);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			fail(EXIT_FAILED, "waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

static int
print_check(char *const argv[])
{
	struct page	 said, p;
	char		*line, *rest;
	int		 status;

	page_init(&said);
	page_init(&p);
	status = run_into(argv, &said);
	page_addf(&p, "{\"program\":\"");
	page_json(&p, argv[0]);
	page_addf(&p, "\",\"configuration\":\"");
	page_json(&p, argv[2] != NULL ? argv[3] : "");
	page_addf(&p, "\",\"ok\":%s,\"messages\":[", status == 0 ? "true" :
	    "false");
	for (rest = said.p; rest != NULL && *rest != '\0';) {
		line = strsep(&rest, "\n");
		page_addf(&p, "%s\"", line == said.p ? "" : ",");
		page_json(&p, line);
		page_addf(&p, "\"");
	}
	page_addf(&p, "]}\n");
	free(said.p);
	(void)print_page(&p);
	return status;
}

/*
 * The file that a reload would read, with the program that an upgrade would
 * run: those of the daemon if there is one, else what is installed beside us.
 */
static int
ctl_check(struct ctl *c)
{
	static char	 program[PATH_MAX], file[PATH_MAX];
	char		 check[] = "-n", with[] = "-f";
	char		*argv[] = { program, check, with, file, NULL };
	const char	*why;
	bool		 is_running = ctl_find(c, &why) == 0;

	if (is_running)
		(void)ctl_map(c, &why);
	else if (c->file == NULL && is_forbidden())
		fail_find(c, why);
	if (c->file != NULL) {
		if (strlcpy(file, c->file, sizeof(file)) >= sizeof(file))
			fail(EXIT_FAILED, "-f: the name is too long");
	} else if (!is_running)
		argv[2] = NULL;
	else if (find_file(c, file, sizeof(file)) == -1)
		fail(EXIT_FAILED, "process %ld: cannot tell which file it was "
		    "started with: expected -f", (long)c->master);
	if ((!is_running ||
	    find_program(c->master, program, sizeof(program)) == -1 ||
	    access(program, X_OK) == -1) &&
	    find_beside(program, sizeof(program)) == -1)
		fail(EXIT_FAILED, "/proc: %s", strerror(errno));
	if (c->json)
		return print_check(argv);
	(void)execv(argv[0], argv);
	fail(EXIT_FAILED, "%s: %s", argv[0], strerror(errno));
}

static const struct command	 commands[] = {
	{ .name = "status", .run = ctl_status },
	{ .name = "workers", .run = ctl_workers },
	{ .name = "services", .run = ctl_services },
	{ .name = "top", .run = ctl_top },
	{ .name = "recent", .run = ctl_recent },
	{ .name = "check", .run = ctl_check, .is_offline = true },
	{ .name = "reload", .run = ctl_reload },
	{ .name = "reopen", .run = ctl_reopen },
	{ .name = "update", .run = ctl_update, .has_names = true },
	{ .name = "stop", .run = ctl_stop, .is_blind = true },
	{ .name = "upgrade", .run = ctl_upgrade, .is_blind = true },
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
	c.run_dir = conf.run_dir;
	c.patience = PATIENCE * 1000;
	while ((ch = getopt(argc, argv, "f:jr:t:")) != -1) {
		switch (ch) {
		case 'f':
			c.file = optarg;
			break;
		case 'j':
			c.json = fails_in_json = true;
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
		ctl_attach(&c, command->is_blind);
	ch = command->run(&c);
	if (fflush(stdout) == EOF)
		fail(EXIT_FAILED, "standard output: %s", strerror(errno));
	return ch;
}
