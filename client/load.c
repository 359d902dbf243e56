/* SPDX-License-Identifier: ISC */
/*
 * The load generator: so many connections, each sends the next request when
 * the reply to the one before is complete.  Called by icapc.c after once.c
 * has made one transaction, whose outcome is the pattern for all others.
 *
 * What is measured is the server, so this must cost little: one epoll, edge
 * triggered; one send and one recv for a small transaction; one look at the
 * clock, which ends one transaction and begins the next; no copies.
 */
#include <sys/epoll.h>
#include <sys/resource.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"
#include "load.h"

/* Events taken from the kernel at once. */
#define LOAD_EVENTS	256

/* How often time-outs and the progress line are looked after, ms. */
#define LOAD_TICK	250

/* Kinds of errors that are counted apart. */
#define LOAD_KINDS	16

/* So many errors without a good reply between them: the server is gone. */
#define LOAD_ERRORS_MAX	1000

struct load_conn {
	struct talk	 talk;		/* first: load_event() casts */
	struct load	*load;
	bool		 busy;		/* a transaction is under way */
	int64_t		 since;		/* it began, ns */
	uint64_t	 http;		/* bytes seen of its reply */
	uint64_t	 body;
};

struct load_error {
	const char	*why;
	uint64_t	 count;
};

struct load {
	const struct plan	*plan;
	const struct addrinfo	*ai;
	const struct message	*m;
	const struct demand	*demand;
	const struct outcome	*pattern;
	struct talks		 talks;
	struct load_conn	*conn;
	unsigned int		 busy;		/* transactions under way */
	int			 epoll;
	int64_t			 start;		/* ns */
	int64_t			 end;		/* begin none after this, ns */
	int64_t			 last;		/* end of the last one, ns */
	int64_t			 tick;		/* next look around, ns */
	int64_t			 shown;		/* last progress line, ns */
	uint64_t		 shown_done;
	uint64_t		 begun;
	uint64_t		 done;
	uint64_t		 errors;
	uint64_t		 errors_in_row;
	uint64_t		 connects;
	struct load_error	 error[LOAD_KINDS];
	struct latency		 latency;
};

static volatile sig_atomic_t	 load_interrupted;

static void
load_on_signal(int signo)
{
	(void)signo;
	load_interrupted = 1;
}

static int64_t
load_now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int
load_differs(struct talk *t, const char *why)
{
	t->why = why;
	return -1;
}

static int
load_check_head(const struct load *load, struct talk *t)
{
	const struct outcome	*o = load->pattern;

	if (t->answer.status == 100)
		return 0;
	if (t->answer.status != o->status)
		return load_differs(t, "another status than the first reply");
	if (t->answer.encap.body != o->encap.body ||
	    (load->demand->echo &&
	    (t->answer.encap.req_hdr != o->encap.req_hdr ||
	    t->answer.encap.res_hdr != o->encap.res_hdr)))
		return load_differs(t,
		    "another Encapsulated than the first reply");
	return 0;
}

/* Each byte is compared with the one of the pattern. */
static int
load_event(struct talk *t, enum answer_event event, struct slice s)
{
	struct load_conn	*c = (struct load_conn *)t;
	const struct outcome	*o = c->load->pattern;

	switch (event) {
	case ANSWER_HEAD:
		return load_check_head(c->load, t);
	case ANSWER_HTTP:
		if (c->load->demand->echo && (c->http + s.len > o->http.len ||
		    memcmp(s.p, o->http.p + c->http, s.len) != 0))
			return load_differs(t,
			    "another HTTP head than the first reply");
		c->http += s.len;
		return 0;
	case ANSWER_BODY:
		if (c->body + s.len > o->body.len ||
		    memcmp(s.p, o->body.p + c->body, s.len) != 0)
			return load_differs(t,
			    "another body than the first reply");
		c->body += s.len;
		return 0;
	case ANSWER_END:
		if (t->answer.status == 100)
			return 0;
		if (c->body != o->body.len ||
		    t->answer.chunk.has_original != o->has_original ||
		    t->answer.chunk.original != o->original)
			return load_differs(t,
			    "a shorter body than the first reply");
		return 0;
	default:
		return 0;
	}
}

static void
load_count_error(struct load *load, const char *why)
{
	unsigned int	 i;

	load->errors++;
	load->errors_in_row++;
	for (i = 0; i < LOAD_KINDS - 1 && load->error[i].why != NULL; i++)
		if (strcmp(load->error[i].why, why) == 0)
			break;
	/* the last place is for all the others */
	load->error[i].why = i == LOAD_KINDS - 1 ? "other errors" : why;
	load->error[i].count++;
}

static bool
load_is_over(const struct load *load, int64_t now)
{
	return load_interrupted || load->errors_in_row >= LOAD_ERRORS_MAX ||
	    (load->plan->transactions != 0 &&
	    load->begun >= load->plan->transactions) ||
	    (load->end != 0 && now >= load->end);
}

static int
load_connect(struct load *load, struct load_conn *c)
{
	struct epoll_event	 ev;

	if (talk_open(&c->talk, load->ai) == -1)
		return -1;
	load->connects++;
	memset(&ev, 0, sizeof(ev));
	ev.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	ev.data.ptr = c;
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->talk.fd, &ev) == -1) {
		talk_close(&c->talk);
		return -1;
	}
	return 0;
}

/* The transaction under way has ended, well or not. */
static void
load_end(struct load *load, struct load_conn *c, enum talk_result result,
    int64_t now)
{
	c->busy = false;
	load->busy--;
	load->last = now;
	if (result == TALK_DONE) {
		load->done++;
		load->errors_in_row = 0;
		latency_add(&load->latency, (uint64_t)(now - c->since));
		if (!load->plan->reconnect && !c->talk.answer.close)
			return;
	} else
		load_count_error(load, c->talk.why != NULL ? c->talk.why :
		    "connection failed");
	talk_close(&c->talk);
}

/*
 * Begins the next transaction of a connection, or several if they end at
 * once, unless the time is over.
 */
static void
load_begin(struct load *load, struct load_conn *c, int64_t now)
{
	enum talk_result	 result;

	while (!load_is_over(load, now)) {
		load->begun++;
		load->busy++;
		c->busy = true;
		c->since = now;
		c->http = c->body = 0;
		talk_begin(&c->talk, load->m, load->plan->reconnect);
		if (c->talk.fd == -1 && load_connect(load, c) == -1)
			result = TALK_BAD;
		else
			result = talk_send(&c->talk);
		if (result == TALK_MORE)
			return;
		now = load_now();
		load_end(load, c, result, now);
	}
	/* idle: the server shall not take it for a client that waits */
	talk_close(&c->talk);
}

static void
load_serve(struct load *load, struct load_conn *c, uint32_t events)
{
	enum talk_result	 result = TALK_MORE;
	int64_t			 now;

	if (!c->busy)
		return;
	if ((events & EPOLLOUT) != 0 && c->talk.sent < c->talk.end)
		result = talk_send(&c->talk);
	if (result == TALK_MORE && (c->talk.tls != NULL ||
	    (events & ~(uint32_t)EPOLLOUT) != 0))
		result = talk_recv(&c->talk,
		    (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	if (result == TALK_MORE)
		return;
	now = load_now();
	load_end(load, c, result, now);
	load_begin(load, c, now);
}

static void
load_show_progress(struct load *load, int64_t now)
{
	double	 rate;

	if (!load->plan->progress || now - load->shown < 1000000000)
		return;
	rate = (double)(load->done - load->shown_done) /
	    (double)(now - load->shown) * 1e9;
	fprintf(stderr, "\r%4lld s  %10.0f/s  %llu done  %llu errors\033[K",
	    (long long)(now - load->start) / 1000000000, rate,
	    (unsigned long long)load->done, (unsigned long long)load->errors);
	load->shown = now;
	load->shown_done = load->done;
}

/* Now and then: servers that hang, the person who waits. */
static void
load_look_around(struct load *load, int64_t now)
{
	struct load_conn	*c;
	unsigned int		 i;

	load->tick = now + LOAD_TICK * 1000000;
	load_show_progress(load, now);
	for (i = 0; i < load->plan->connections; i++) {
		c = &load->conn[i];
		if (c->busy && now - c->since >
		    load->demand->timeout * 1000000) {
			c->talk.why = "server is too slow";
			load_end(load, c, TALK_BAD, now);
			load_begin(load, c, now);
		}
	}
}

static void
load_loop(struct load *load)
{
	struct epoll_event	 ev[LOAD_EVENTS];
	int64_t			 now;
	unsigned int		 i;
	int			 n, k;

	for (i = 0; i < load->plan->connections; i++)
		load_begin(load, &load->conn[i], load_now());
	while (load->busy > 0) {
		n = epoll_wait(load->epoll, ev, LOAD_EVENTS, LOAD_TICK);
		for (k = 0; k < n; k++)
			load_serve(load, ev[k].data.ptr, ev[k].events);
		now = n > 0 ? load->last : load_now();
		if (n < 1 || now >= load->tick)
			load_look_around(load, load_now());
	}
	if (load->plan->progress)
		fprintf(stderr, "\r\033[K");
}

struct load_sum {
	double		 seconds;
	double		 rate;
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
	double		 cpu;		/* of this process, seconds */
};

static void
load_add_up(const struct load *load, struct load_sum *sum)
{
	struct rusage	 ru;
	unsigned int	 i;

	memset(sum, 0, sizeof(*sum));
	sum->seconds = (double)(load->last - load->start) / 1e9;
	if (sum->seconds > 0)
		sum->rate = (double)load->done / sum->seconds;
	for (i = 0; i < load->plan->connections; i++) {
		sum->bytes_in += load->conn[i].talk.bytes_in;
		sum->bytes_out += load->conn[i].talk.bytes_out;
	}
	if (getrusage(RUSAGE_SELF, &ru) == 0)
		sum->cpu = (double)(ru.ru_utime.tv_sec +
		    ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec +
		    ru.ru_stime.tv_usec) / 1e6;
}

static const struct {
	const char	*name;
	unsigned int	 per_100000;
} percentiles[] = {
	{ "p50", 50000 },
	{ "p90", 90000 },
	{ "p99", 99000 },
	{ "p99.9", 99900 },
	{ "p99.99", 99990 },
};

#define NPERCENTILES	(sizeof(percentiles) / sizeof(percentiles[0]))

static void
load_report_terse(const struct load *load)
{
	const struct latency	*l = &load->latency;
	struct load_sum		 sum;
	size_t			 i;

	load_add_up(load, &sum);
	printf("status %d\n", load->pattern->status);
	printf("seconds %.6f\n", sum.seconds);
	printf("transactions %llu\n", (unsigned long long)load->done);
	printf("rate %.1f\n", sum.rate);
	printf("errors %llu\n", (unsigned long long)load->errors);
	printf("connects %llu\n", (unsigned long long)load->connects);
	printf("sent %llu\n", (unsigned long long)sum.bytes_out);
	printf("received %llu\n", (unsigned long long)sum.bytes_in);
	printf("mean_us %.3f\n", l->count == 0 ? 0.0 :
	    (double)l->sum / (double)l->count / 1e3);
	for (i = 0; i < NPERCENTILES; i++)
		printf("%s_us %.3f\n", percentiles[i].name, (double)
		    latency_find(l, percentiles[i].per_100000) / 1e3);
	printf("max_us %.3f\n", (double)l->max / 1e3);
	printf("own_cpu %.6f\n", sum.cpu);
}

static void
load_report(const struct load *load)
{
	const struct latency	*l = &load->latency;
	struct load_sum		 sum;
	size_t			 i;

	load_add_up(load, &sum);
	printf("%u connection%s, %.2f s, each reply %d and checked\n",
	    load->plan->connections, load->plan->connections == 1 ? "" : "s",
	    sum.seconds, load->pattern->status);
	printf("transactions  %llu, %.0f/s\n", (unsigned long long)load->done,
	    sum.rate);
	printf("connections   %llu opened\n",
	    (unsigned long long)load->connects);
	printf("sent          %llu bytes, %.1f MB/s\n",
	    (unsigned long long)sum.bytes_out, sum.seconds > 0 ?
	    (double)sum.bytes_out / sum.seconds / 1e6 : 0.0);
	printf("received      %llu bytes, %.1f MB/s\n",
	    (unsigned long long)sum.bytes_in, sum.seconds > 0 ?
	    (double)sum.bytes_in / sum.seconds / 1e6 : 0.0);
	printf("latency       mean %.3f", l->count == 0 ? 0.0 :
	    (double)l->sum / (double)l->count / 1e6);
	for (i = 0; i < NPERCENTILES; i++)
		printf("  %s %.3f", percentiles[i].name, (double)
		    latency_find(l, percentiles[i].per_100000) / 1e6);
	printf("  max %.3f ms\n", (double)l->max / 1e6);
	printf("own CPU time  %.2f s\n", sum.cpu);
	printf("errors        %llu\n", (unsigned long long)load->errors);
}

static void
load_report_errors(const struct load *load)
{
	unsigned int	 i;

	for (i = 0; i < LOAD_KINDS && load->error[i].why != NULL; i++)
		fprintf(stderr, "icapc: %llu times: %s\n",
		    (unsigned long long)load->error[i].count,
		    load->error[i].why);
	if (load->errors_in_row >= LOAD_ERRORS_MAX)
		fprintf(stderr, "icapc: gave up\n");
}

/* Room for all connections, if the system lets us have it. */
static void
load_raise_limit(void)
{
	struct rlimit	 rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

static int
load_init(struct load *load)
{
	unsigned int	 i;

	load_raise_limit();
	if (talks_init(&load->talks) == -1 ||
	    (load->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
		return -1;
	load->talks.event = load_event;
	load->talks.tls = load->demand->tls;
	load->conn = calloc(load->plan->connections, sizeof(*load->conn));
	if (load->conn == NULL)
		return -1;
	for (i = 0; i < load->plan->connections; i++) {
		talk_init(&load->conn[i].talk, &load->talks);
		load->conn[i].load = load;
	}
	return 0;
}

static void
load_fini(struct load *load)
{
	unsigned int	 i;

	for (i = 0; i < load->plan->connections; i++)
		talk_fini(&load->conn[i].talk);
	free(load->conn);
	talks_fini(&load->talks);
	(void)close(load->epoll);
}

int
load_run(const struct plan *plan, const struct addrinfo *ai,
    const struct message *m, const struct demand *demand,
    const struct outcome *pattern)
{
	static struct load	 load;
	struct sigaction	 sa;

	load.plan = plan;
	load.ai = ai;
	load.m = m;
	load.demand = demand;
	load.pattern = pattern;
	if (load_init(&load) == -1) {
		fprintf(stderr, "icapc: %s\n", strerror(errno));
		return ICAPC_FAILED;
	}
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = load_on_signal;
	sa.sa_flags = (int)SA_RESETHAND;	/* a second one ends us */
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	load.start = load.last = load.shown = load_now();
	if (plan->duration != 0)
		load.end = load.start + plan->duration * 1000000;
	load_loop(&load);
	if (plan->terse)
		load_report_terse(&load);
	else
		load_report(&load);
	load_report_errors(&load);
	load_fini(&load);
	return load.errors > 0 ? ICAPC_FAILED : ICAPC_OK;
}
