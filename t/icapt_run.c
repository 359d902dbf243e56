/* SPDX-License-Identifier: ISC */
/*
 * The statements of a script, one function each in a table, and the loop
 * that runs them. Called by icapt.c for each script. A statement that finds
 * the server wrong notes it with icapt_fail and ends its case; the script
 * goes on with the next case, so that one run tells everything. A statement
 * that is itself wrong ends the run (RUN_ERROR).
 * Nothing here waits but inside icapt_conn.c, which gives up in time;
 * "delay" only makes the client slow and asserts nothing.
 */
#include <errno.h>
#include <poll.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icapt_conn.h"
#include "icapt_run.h"

#define CONNS		256
#define LOOPS		16
#define DAMAGE_SEED	0x1ca9u	/* "mutate" does the same in every run */
#define ANSWERS_MAX	16	/* to one damaged request */

enum { ST_OK = 0, ST_FAIL = -1, ST_ERROR = -2, ST_SKIP = -3 };

struct loop {
	int		 begin;		/* the line of each or repeat */
	const char	*name;
	struct text	*word;		/* of each */
	uint64_t	 n;
	uint64_t	 i;
};

struct run {
	struct icapt			*ic;
	struct script			*script;
	const struct run_server		*server;
	const struct run_define		*define;
	int				 ndefine;
	struct line			*line;
	int				 nline;
	int				 pc;
	struct loop			 loop[LOOPS];
	int				 nloop;
	struct conn			*conn[CONNS];
	int				 nconn;
	const char			*current;
	const char			*title;	/* of the case */
	struct text			 report;
	int				 nfail;
};

struct statement {
	const char	*name;
	int		 args;		/* at least */
	int		 begins;	/* a case of its own */
	int		 (*run)(struct run *, const struct text *, int);
};

static int	 error(struct run *, const char *, const char *);
static void	 close_all(struct run *);
static struct conn *conn_find(struct run *);
static struct conn *conn_need(struct run *);
static struct conn *conn_fresh(struct run *);
static int	 request_parse(struct run *, struct msg *,
		    const struct text *, int);
static int	 status_in(const char *, int);
static int	 expect_ok(struct run *, struct conn *);
static int	 expect_answered(struct run *, struct conn *);
static int	 finish(struct run *, struct conn *);
static int	 check_error(struct run *, struct conn *, const char *, int);
static struct text reading_uri(struct icapt *);
static int	 match(struct run *, const char *, const char *, int *);
static int	 step(struct run *);

static int
error(struct run *r, const char *what, const char *arg)
{
	script_error(r->script, r->line[r->pc].no, "%s%s%s", what,
	    arg == NULL ? "" : ": ", arg == NULL ? "" : arg);
	return ST_ERROR;
}

/* Connections. */

static void
close_all(struct run *r)
{
	int	 i;

	for (i = 0; i < r->nconn; i++) {
		conn_close(r->conn[i], 0);
		free(r->conn[i]);
	}
	r->nconn = 0;
	r->current = "c";
}

static struct conn *
conn_find(struct run *r)
{
	int	 i;

	for (i = 0; i < r->nconn; i++)
		if (strcmp(r->conn[i]->name, r->current) == 0)
			return r->conn[i];
	return NULL;
}

/* The current connection, opened if need be. */
static struct conn *
conn_need(struct run *r)
{
	struct conn	*c = conn_find(r);

	if (c == NULL) {
		if (r->nconn == CONNS) {
			(void)icapt_fail(r->ic, "fewer connections",
			    "too many in the script");
			return NULL;
		}
		if ((c = calloc(1, sizeof(*c))) == NULL)
			abort();
		snprintf(c->name, sizeof(c->name), "%s", r->current);
		c->fd = -1;
		c->ic = r->ic;
		r->conn[r->nconn++] = c;
	}
	if (c->fd == -1 && conn_open(r->ic, c) == -1)
		return NULL;
	return c;
}

static struct conn *
conn_fresh(struct run *r)
{
	close_all(r);
	return conn_need(r);
}

/* Control. */

static int
st_needs(struct run *r, const struct text *w, int n)
{
	const struct run_server	*s = r->server;
	uint64_t		 v;
	int			 i;

	if (strcmp(w[0].p, "preview") == 0) {
		if (n != 2 || number_parse(w[1].p, &v) == -1)
			return error(r, "needs preview n", NULL);
		return s->preview >= (int64_t)v ? ST_OK : ST_SKIP;
	}
	if (strcmp(w[0].p, "100") == 0)
		return s->has100 ? ST_OK : ST_SKIP;
	if (strcmp(w[0].p, "204") == 0)
		return s->has204 ? ST_OK : ST_SKIP;
	if (strcmp(w[0].p, "206") == 0)
		return s->has206 ? ST_OK : ST_SKIP;
	if (strcmp(w[0].p, "REQMOD") == 0)
		return s->reqmod ? ST_OK : ST_SKIP;
	if (strcmp(w[0].p, "RESPMOD") == 0)
		return s->respmod ? ST_OK : ST_SKIP;
	if (strcmp(w[0].p, "config") != 0 || n != 2)
		return error(r, "no such need", w[0].p);
	for (i = 0; i < r->ndefine; i++)
		if (strcmp(r->define[i].name, w[1].p) == 0)
			return ST_OK;
	return ST_SKIP;
}

static int
st_strict(struct run *r, const struct text *w, int n)
{
	(void)w;
	(void)n;
	r->ic->form = 1;
	return ST_OK;
}

static int
st_case(struct run *r, const struct text *w, int n)
{
	(void)n;
	close_all(r);
	r->title = w[0].p;
	return ST_OK;
}

static int
st_set(struct run *r, const struct text *w, int n)
{
	(void)n;
	script_set(r->script, w[0].p, w[1]);
	return ST_OK;
}

static int
loop_begin(struct run *r, struct loop l)
{
	l.begin = r->pc;
	l.i = 0;
	if (l.n == 0) {
		r->pc = r->line[r->pc].match;
		return ST_OK;
	}
	r->loop[r->nloop++] = l;
	script_set(r->script, l.name, l.word != NULL ? l.word[0] :
	    icapt_text(r->ic, "0", 1));
	return ST_OK;
}

static int
st_each(struct run *r, const struct text *w, int n)
{
	struct loop	 l;
	size_t		 size = (size_t)(n - 1) * sizeof(*w);

	memset(&l, 0, sizeof(l));
	l.name = w[0].p;
	l.n = (uint64_t)(n - 1);
	l.word = icapt_alloc(r->ic, size);
	memcpy(l.word, w + 1, size);
	return loop_begin(r, l);
}

static int
st_repeat(struct run *r, const struct text *w, int n)
{
	struct loop	 l;

	(void)n;
	memset(&l, 0, sizeof(l));
	l.name = "i";
	if (number_parse(w[0].p, &l.n) == -1)
		return error(r, "a bad number", w[0].p);
	return loop_begin(r, l);
}

static int
st_end(struct run *r, const struct text *w, int n)
{
	struct loop	*l = &r->loop[r->nloop - 1];

	(void)w;
	(void)n;
	if (++l->i == l->n) {
		r->nloop--;
		return ST_OK;
	}
	script_set(r->script, l->name, l->word != NULL ? l->word[l->i] :
	    icapt_textf(r->ic, "%llu", (unsigned long long)l->i));
	r->pc = l->begin;
	return ST_OK;
}

static int
st_conn(struct run *r, const struct text *w, int n)
{
	(void)n;
	r->current = w[0].p;
	return conn_need(r) == NULL ? ST_FAIL : ST_OK;
}

static int
st_delay(struct run *r, const struct text *w, int n)
{
	uint64_t	 ms;

	(void)n;
	if (number_parse(w[0].p, &ms) == -1 || ms > 600000)
		return error(r, "a bad number", w[0].p);
	(void)poll(NULL, 0, (int)ms);
	return ST_OK;
}

static int
st_shut(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);

	(void)w;
	(void)n;
	return c == NULL ? ST_FAIL : conn_shut(c);
}

static int
conn_end(struct run *r, int reset)
{
	struct conn	*c = conn_need(r);

	if (c == NULL)
		return ST_FAIL;
	conn_close(c, reset);
	return ST_OK;
}

static int
st_reset(struct run *r, const struct text *w, int n)
{
	(void)w;
	(void)n;
	return conn_end(r, 1);
}

static int
st_close(struct run *r, const struct text *w, int n)
{
	(void)w;
	(void)n;
	return conn_end(r, 0);
}

static int
st_open(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_find(r);

	(void)w;
	(void)n;
	if (c != NULL)
		conn_close(c, 0);
	return conn_need(r) == NULL ? ST_FAIL : ST_OK;
}

/* Sending. */

static int
request_parse(struct run *r, struct msg *m, const struct text *w, int n)
{
	const char	*why;

	if (msg_parse(r->ic, m, w, n, &why) == -1)
		return error(r, why, NULL);
	return ST_OK;
}

static int
st_send(struct run *r, const struct text *w, int n)
{
	struct conn	*c;
	struct text	 t = { NULL, 0 };
	uint64_t	 by = 0;
	int		 i = 0;

	if (n > 2 && strcmp(w[0].p, "by") == 0) {
		if (number_parse(w[1].p, &by) == -1)
			return error(r, "a bad number", w[1].p);
		i = 2;
	}
	for (; i < n; i++)
		t = icapt_join(r->ic, t, w[i]);
	if ((c = conn_need(r)) == NULL)
		return ST_FAIL;
	return conn_send(c, t.p, t.n, by);
}

static int
st_request(struct run *r, const struct text *w, int n)
{
	struct conn	*c;
	struct msg	 m;

	if (request_parse(r, &m, w, n) != ST_OK)
		return ST_ERROR;
	if ((c = conn_need(r)) == NULL)
		return ST_FAIL;
	return conn_request(c, &m);
}

static int
st_continue(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);

	(void)w;
	(void)n;
	if (c == NULL)
		return ST_FAIL;
	if (!c->paused)
		return error(r, "there is nothing to continue", NULL);
	return conn_continue(c);
}

/* Answers. */

static int
status_in(const char *list, int status)
{
	char	 s[16];

	snprintf(s, sizeof(s), "%d", status);
	return list_has(list, s);
}

/* A positive answer that is legal for the request. */
static int
expect_ok(struct run *r, struct conn *c)
{
	enum conn_result	 res;
	struct reply		*a = &c->reply;

	for (;;) {
		if ((res = conn_read(c)) != CONN_REPLY)
			return conn_fail(c, res, "a positive answer");
		if (a->status != 100)
			break;
		if (!c->paused)
			return conn_fail(c, res, c->cont ?
			    "no second 100" : "no 100, all was sent");
		if (reply_check_any(r->ic, a) == -1 || conn_continue(c) == -1)
			return ST_FAIL;
	}
	if (strcmp(c->msg.method.p, "OPTIONS") == 0)
		return reply_check_options(r->ic, a, &c->msg);
	if (a->status == 204)
		return reply_check_204(r->ic, a, &c->msg, c->cont);
	if (a->status == 206)
		return reply_check_206(r->ic, a, &c->msg, c->cont);
	if (a->status != 200)
		return conn_fail(c, res, "a positive answer");
	if (reply_check_200(r->ic, a, &c->msg) == -1)
		return ST_FAIL;
	return reply_check_echo(r->ic, a, &c->msg);
}

static int
expect_answered(struct run *r, struct conn *c)
{
	enum conn_result	 res;

	(void)r;
	c->has_msg = 0;
	if ((res = conn_read(c)) != CONN_REPLY || c->reply.status != 200)
		return conn_fail(c, res, "the answer to the oracle");
	return conn_check_closed(c);
}

static int
announces_close(const struct conn *c)
{
	const struct field	*f = reply_find(&c->reply, "Connection");

	return f != NULL && list_has(f->value, "close");
}

/*
 * After a positive answer: the oracle, or the announced end. A server may
 * announce it whenever it likes.
 */
static int
finish(struct run *r, struct conn *c)
{
	if (announces_close(c))
		return conn_check_closed(c);
	if (c->msg.close)
		return icapt_fail(r->ic, "Connection: close", "%s",
		    c->reply.head.p);
	if (!c->probed && conn_probe(c) == -1)
		return ST_FAIL;
	return expect_answered(r, c);
}

/*
 * An error: one of the statuses. The connection ends if must is set, or if
 * that was announced; otherwise the oracle is answered.
 */
static int
check_error(struct run *r, struct conn *c, const char *list, int must)
{
	struct reply	*a = &c->reply;
	int		 closing = announces_close(c);

	if (!status_in(list, a->status))
		return icapt_fail(r->ic, list, "%s", a->head.p);
	if (reply_check_any(r->ic, a) == -1)
		return ST_FAIL;
	if (must && !closing && r->ic->form)
		return icapt_fail(r->ic, "Connection: close", "%s",
		    a->head.p);
	if (must || closing || c->msg.close)
		return conn_check_closed(c);
	if (!c->probed && conn_probe(c) == -1)
		return ST_FAIL;
	return expect_answered(r, c);
}

static int
st_ok(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);

	(void)w;
	(void)n;
	if (c == NULL)
		return ST_FAIL;
	if (!c->has_msg)
		return error(r, "no request was sent", NULL);
	return expect_ok(r, c);
}

static int
st_accept(struct run *r, const struct text *w, int n)
{
	struct conn	*c;
	struct msg	 m;

	if (request_parse(r, &m, w, n) != ST_OK)
		return ST_ERROR;
	m.probe = 1;
	if ((c = conn_fresh(r)) == NULL || conn_request(c, &m) == -1 ||
	    expect_ok(r, c) == -1)
		return ST_FAIL;
	return finish(r, c);
}

/* Read an answer that need not be positive; a legal 100 is obeyed. */
static enum conn_result
read_final(struct conn *c)
{
	enum conn_result	 res;

	while ((res = conn_read(c)) == CONN_REPLY && c->reply.status == 100 &&
	    c->paused)
		if (conn_continue(c) == -1)
			break;
	return res;
}

static int
is_begun_200(const struct conn *c)
{
	return c->reply.head.p != NULL && c->reply.status == 200 &&
	    strcmp(c->reply.body, "null-body") != 0;
}

static int
st_reject(struct run *r, const struct text *w, int n)
{
	struct conn		*c;
	struct msg		 m;
	enum conn_result	 res;

	if (request_parse(r, &m, w + 1, n - 1) != ST_OK)
		return ST_ERROR;
	m.probe = 1;
	if ((c = conn_fresh(r)) == NULL || conn_request(c, &m) == -1)
		return ST_FAIL;
	res = read_final(c);
	if (res == CONN_REPLY)
		return check_error(r, c, w[0].p, 1);
	if (res == CONN_BROKEN && is_begun_200(c))
		return ST_OK;
	if (res == CONN_END && list_has(w[0].p, "none"))
		return ST_OK;
	return conn_fail(c, res, w[0].p);
}

static int
st_refuse(struct run *r, const struct text *w, int n)
{
	struct conn		*c;
	struct msg		 m;
	enum conn_result	 res;

	if (request_parse(r, &m, w + 1, n - 1) != ST_OK)
		return ST_ERROR;
	m.probe = 1;
	if ((c = conn_fresh(r)) == NULL || conn_request(c, &m) == -1)
		return ST_FAIL;
	if ((res = read_final(c)) != CONN_REPLY)
		return conn_fail(c, res, w[0].p);
	return check_error(r, c, w[0].p, 0);
}

static int
st_either(struct run *r, const struct text *w, int n)
{
	struct conn		*c;
	struct msg		 m;
	enum conn_result	 res;

	if (request_parse(r, &m, w + 1, n - 1) != ST_OK)
		return ST_ERROR;
	m.probe = 1;
	if ((c = conn_fresh(r)) == NULL || conn_request(c, &m) == -1)
		return ST_FAIL;
	res = read_final(c);
	if (res == CONN_BROKEN && is_begun_200(c))
		return ST_OK;
	if (res != CONN_REPLY)
		return conn_fail(c, res, "an answer");
	if (c->reply.status == 200 || c->reply.status == 204) {
		if (reply_check_any(r->ic, &c->reply) == -1)
			return ST_FAIL;
		return finish(r, c);
	}
	return check_error(r, c, w[0].p, 0);
}

/* The rest goes with the preview, though nobody has asked for it. */
static int
st_early(struct run *r, const struct text *w, int n)
{
	struct conn		*c;
	struct msg		 m;
	struct feed		 f;
	struct text		 t;
	enum conn_result	 res;

	if (request_parse(r, &m, w, n) != ST_OK)
		return ST_ERROR;
	if (!msg_has_rest(&m))
		return error(r, "there is no rest", NULL);
	if ((c = conn_fresh(r)) == NULL)
		return ST_FAIL;
	msg_feed(r->ic, &m, &f);
	t = feed_text(r->ic, &f);
	msg_feed_rest(r->ic, &m, &f);
	t = icapt_join(r->ic, t, feed_text(r->ic, &f));
	c->msg = m;
	c->has_msg = 1;
	if (conn_send(c, t.p, t.n, 0) == -1)
		return ST_FAIL;
	if ((res = conn_read(c)) != CONN_REPLY)
		return conn_fail(c, res, "an answer");
	if (c->reply.status == 100) {
		c->cont = 1;
		if (reply_check_any(r->ic, &c->reply) == -1 ||
		    expect_ok(r, c) == -1)
			return ST_FAIL;
		return finish(r, c);
	}
	if (c->reply.status != 204 && c->reply.status != 200)
		return conn_fail(c, CONN_REPLY, "100, or 200 or 204");
	c->has_msg = 0;
	if ((res = conn_read(c)) != CONN_REPLY || c->reply.status != 400)
		return conn_fail(c, res, "400 to the rest");
	return conn_check_closed(c);
}

/* Sweeps. */

/* Send the bytes at once (0), one by one (-1) or split after k. */
static int
send_split(struct conn *c, const struct msg *m, struct text t, long k)
{
	c->msg = *m;
	c->has_msg = 1;
	c->paused = msg_has_rest(m);
	c->cont = c->reading = 0;
	c->probed = !c->paused && !m->close;
	if (k == 0)
		return conn_send(c, t.p, t.n, 0);
	if (k == -1)
		return conn_send(c, t.p, t.n, 1);
	if (conn_send(c, t.p, (size_t)k, t.n) == -1)
		return -1;
	return conn_send(c, t.p + k, t.n - (size_t)k, 0);
}

static int
sweep_fail(struct run *r, long k)
{
	char	 buf[sizeof(r->ic->got)];

	snprintf(buf, sizeof(buf), "%s", r->ic->got);
	if (k == -1)
		snprintf(r->ic->got, sizeof(r->ic->got),
		    "sent byte by byte: %.900s", buf);
	else if (k > 0)
		snprintf(r->ic->got, sizeof(r->ic->got),
		    "at offset %ld: %.900s", k, buf);
	return ST_FAIL;
}

static int
st_sweep(struct run *r, const struct text *w, int n)
{
	struct conn	*c;
	struct msg	 m;
	struct feed	 f;
	struct text	 t, first = { NULL, 0 }, a;
	long		 k;

	if (request_parse(r, &m, w, n) != ST_OK)
		return ST_ERROR;
	m.probe = 1;
	msg_feed(r->ic, &m, &f);
	t = feed_text(r->ic, &f);
	if (!msg_has_rest(&m) && !m.close)
		t = icapt_join(r->ic, t, conn_probe_text(r->ic));
	for (k = 0; k < (long)t.n; k = k == 0 ? -1 : k == -1 ? 1 : k + 1) {
		if ((c = conn_fresh(r)) == NULL ||
		    send_split(c, &m, t, k) == -1 || expect_ok(r, c) == -1)
			return sweep_fail(r, k);
		a = reply_canon(r->ic, &c->reply);
		if (k == 0)
			first = a;
		else if (a.n != first.n || memcmp(a.p, first.p, a.n) != 0) {
			(void)icapt_fail(r->ic, first.p, "%s", a.p);
			return sweep_fail(r, k);
		}
		if (finish(r, c) == -1)
			return sweep_fail(r, k);
	}
	return ST_OK;
}

static int
st_truncate(struct run *r, const struct text *w, int n)
{
	struct conn		*c;
	struct msg		 m;
	struct feed		 f;
	struct text		 t;
	enum conn_result	 res;
	size_t			 k;

	if (request_parse(r, &m, w, n) != ST_OK)
		return ST_ERROR;
	msg_feed(r->ic, &m, &f);
	t = feed_text(r->ic, &f);
	for (k = 0; k < t.n + (size_t)msg_has_rest(&m); k++) {
		if ((c = conn_fresh(r)) == NULL)
			return sweep_fail(r, (long)k);
		if (conn_send(c, t.p, k, 0) == -1 || conn_shut(c) == -1)
			return sweep_fail(r, (long)k);
		c->msg = m;
		res = conn_read(c);
		if (k == t.n && res == CONN_REPLY && c->reply.status < 300)
			res = conn_read(c);	/* the preview was whole */
		if (res == CONN_END ||
		    (res == CONN_BROKEN && is_begun_200(c)))
			continue;
		if (res != CONN_REPLY || !status_in("400,408",
		    c->reply.status)) {
			(void)conn_fail(c, res, "400, 408 or the end");
			return sweep_fail(r, (long)k);
		}
		if (conn_check_closed(c) == -1)
			return sweep_fail(r, (long)k);
	}
	return ST_OK;
}

static uint32_t
damage_next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* One to three faults: a bit, a byte, one more, one less, a repeated run. */
static struct text
damage(struct icapt *ic, struct text t, uint32_t *x)
{
	static const char	 odd[] = "\0\r\n :;=,0x-+9\"\t\x80\xff";
	struct text		 d;
	size_t			 at, run;
	int			 faults;

	d = icapt_text(ic, t.p, t.n);
	for (faults = 1 + (int)(damage_next(x) % 3); faults > 0; faults--) {
		at = damage_next(x) % d.n;
		run = 1 + damage_next(x) % 8;
		if (run > d.n - at)
			run = d.n - at;
		switch (damage_next(x) % 6) {
		case 0:
			d.p[at] ^= (char)(1 << damage_next(x) % 8);
			break;
		case 1:
			d.p[at] = (char)damage_next(x);
			break;
		case 2:
			d.p[at] = odd[damage_next(x) % (sizeof(odd) - 1)];
			break;
		case 3:
			t = icapt_text(ic, d.p, at + run);
			t.p[at] = odd[damage_next(x) % (sizeof(odd) - 1)];
			d = icapt_join(ic, t, icapt_text(ic, d.p + at,
			    d.n - at));
			break;
		case 4:
			if (d.n <= run)
				break;
			t = icapt_text(ic, d.p, at);
			d = icapt_join(ic, t, icapt_text(ic, d.p + at + run,
			    d.n - at - run));
			break;
		default:
			t = icapt_text(ic, d.p, at + run);
			d = icapt_join(ic, t, icapt_text(ic, d.p + at,
			    d.n - at));
			break;
		}
		if (d.n == 0)
			break;
	}
	return d;
}

static int
st_mutate(struct run *r, const struct text *w, int n)
{
	struct conn		*c;
	struct msg		 m;
	struct feed		 f;
	struct text		 t, d;
	enum conn_result	 res;
	uint64_t		 i, times;
	uint32_t		 x = DAMAGE_SEED;
	char			 buf[600];
	int			 answers;

	if (number_parse(w[0].p, &times) == -1)
		return error(r, "a bad number", w[0].p);
	if (request_parse(r, &m, w + 1, n - 1) != ST_OK)
		return ST_ERROR;
	msg_feed(r->ic, &m, &f);
	t = feed_text(r->ic, &f);
	for (i = 0; i < times; i++) {
		d = damage(r->ic, t, &x);
		if ((c = conn_fresh(r)) == NULL)
			return ST_FAIL;
		if (conn_send(c, d.p, d.n, 0) == -1 || conn_shut(c) == -1)
			return ST_FAIL;
		for (answers = 0; (res = conn_read(c)) == CONN_REPLY &&
		    answers < ANSWERS_MAX; answers++)
			;
		if (res == CONN_END ||
		    (res == CONN_BROKEN && is_begun_200(c)))
			continue;
		(void)conn_fail(c, res, "well-formed answers, then the end");
		snprintf(buf, sizeof(buf), "%.500s", r->ic->got);
		return icapt_fail(r->ic, "well-formed answers, then the end",
		    "%s, for: %s", buf, icapt_escape(buf, sizeof(buf) / 2,
		    d.p, d.n));
	}
	return ST_OK;
}

/* Expecting. */

/* Read an answer for a statement of that name. */
static struct conn *
answer(struct run *r, const char *expected)
{
	struct conn		*c = conn_need(r);
	enum conn_result	 res;

	if (c == NULL)
		return NULL;
	if ((res = conn_read(c)) == CONN_REPLY)
		return c;
	(void)conn_fail(c, res, expected);
	return NULL;
}

static int
st_e100(struct run *r, const struct text *w, int n)
{
	struct conn	*c = answer(r, "100");

	(void)w;
	(void)n;
	if (c == NULL)
		return ST_FAIL;
	if (c->reply.status != 100)
		return conn_fail(c, CONN_REPLY, "100");
	return reply_check_any(r->ic, &c->reply);
}

static int
st_e200(struct run *r, const struct text *w, int n)
{
	struct conn	*c = answer(r, "200");

	if (c == NULL || reply_check_200(r->ic, &c->reply, &c->msg) == -1)
		return ST_FAIL;
	if (n > 0 && strcmp(w[0].p, "echo") == 0)
		return reply_check_echo(r->ic, &c->reply, &c->msg);
	return ST_OK;
}

static int
st_e204(struct run *r, const struct text *w, int n)
{
	struct conn	*c = answer(r, "204");

	(void)w;
	(void)n;
	if (c == NULL || reply_check_204(r->ic, &c->reply, &c->msg,
	    c->cont) == -1)
		return ST_FAIL;
	if (c->n > 0 && !c->probed && !c->msg.then.n)
		return conn_check_closed(c);	/* tells the bytes */
	return ST_OK;
}

static int
st_e206(struct run *r, const struct text *w, int n)
{
	struct conn	*c = answer(r, "206");

	(void)w;
	(void)n;
	return c == NULL ? ST_FAIL : reply_check_206(r->ic, &c->reply,
	    &c->msg, c->cont);
}

static int
st_e4xx(struct run *r, const struct text *w, int n)
{
	struct conn	*c = answer(r, w[0].p);

	(void)n;
	return c == NULL ? ST_FAIL : check_error(r, c, w[0].p, 1);
}

static int
st_eany(struct run *r, const struct text *w, int n)
{
	struct conn	*c = answer(r, n > 0 ? w[0].p : "an answer");

	if (c == NULL || reply_check_any(r->ic, &c->reply) == -1)
		return ST_FAIL;
	if (n > 0 && !status_in(w[0].p, c->reply.status))
		return icapt_fail(r->ic, w[0].p, "%s", c->reply.head.p);
	return ST_OK;
}

static int
st_next(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);

	if (c == NULL)
		return ST_FAIL;
	if (announces_close(c))
		return conn_check_closed(c);
	return st_eany(r, w, n);
}

static int
st_options(struct run *r, const struct text *w, int n)
{
	struct conn	*c = answer(r, "200");

	(void)w;
	(void)n;
	return c == NULL ? ST_FAIL : reply_check_options(r->ic, &c->reply,
	    &c->msg);
}

static int
st_expect(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);
	char		 a[400], b[400];
	size_t		 k;

	(void)n;
	if (c == NULL)
		return ST_FAIL;
	icapt_escape(a, sizeof(a) / 2, w[0].p, w[0].n);
	for (k = 0; k < w[0].n; k++) {
		if (c->n == 0 && conn_fill(c) != 1)
			return icapt_fail(r->ic, a, "the end or the timeout "
			    "after %zu bytes", k);
		if (c->in[c->off] != w[0].p[k])
			return icapt_fail(r->ic, a, "after %zu bytes: %s", k,
			    icapt_escape(b, sizeof(b), c->in + c->off, c->n));
		c->off++;
		c->n--;
	}
	return ST_OK;
}

static int
st_answered(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);

	(void)w;
	(void)n;
	if (c == NULL || (!c->probed && conn_probe(c) == -1))
		return ST_FAIL;
	return expect_answered(r, c);
}

static int
st_alive(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);
	struct text	 word;
	struct msg	 m;

	(void)w;
	(void)n;
	word = icapt_text(r->ic, "OPTIONS", 7);
	if (request_parse(r, &m, &word, 1) != ST_OK)
		return ST_ERROR;
	if (c == NULL || conn_request(c, &m) == -1)
		return ST_FAIL;
	return expect_ok(r, c);
}

static int
st_quiet(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);
	char		 buf[256];

	(void)w;
	(void)n;
	if (c == NULL)
		return ST_FAIL;
	if (!conn_pending(c) || (c->n == 0 && conn_fill(c) != 1))
		return ST_OK;
	return icapt_fail(r->ic, "nothing", "%s",
	    icapt_escape(buf, sizeof(buf), c->in + c->off, c->n));
}

static int
st_closed(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);

	(void)w;
	(void)n;
	return c == NULL ? ST_FAIL : conn_check_closed(c);
}

static int
st_gone(struct run *r, const struct text *w, int n)
{
	struct conn	*c = conn_need(r);
	int		 k;

	(void)w;
	(void)n;
	if (c == NULL)
		return ST_FAIL;
	do
		c->off = c->n = 0;
	while ((k = conn_fill(c)) == 1);
	if (k == -1)
		return icapt_fail(r->ic, "the end of the connection",
		    "nothing within the timeout");
	return ST_OK;
}

static int
st_broken(struct run *r, const struct text *w, int n)
{
	struct conn		*c = conn_need(r);
	enum conn_result	 res;

	(void)w;
	(void)n;
	if (c == NULL)
		return ST_FAIL;
	if ((res = conn_read(c)) == CONN_BROKEN)
		return ST_OK;
	return conn_fail(c, res, "the end in the middle of an answer");
}

/* The body that comes is a beginning of the request's. */
static int
check_part(struct run *r, const struct conn *c)
{
	if (c->reply.status != 200)
		return icapt_fail(r->ic, "a 200", "%s", c->reply.head.p);
	if (c->reply.differ != -1)
		return icapt_fail(r->ic, "the body that was sent",
		    "another one from byte %lld on",
		    (long long)c->reply.differ);
	return ST_OK;
}

static int
st_part(struct run *r, const struct text *w, int n)
{
	struct conn		*c = conn_need(r);
	enum conn_result	 res;
	uint64_t		 v;

	(void)n;
	if (number_parse(w[0].p, &v) == -1)
		return error(r, "a bad number", w[0].p);
	if (c == NULL)
		return ST_FAIL;
	if ((res = conn_read_part(c, v)) != CONN_REPLY)
		return conn_fail(c, res, "more of an answer's body");
	return check_part(r, c);
}

static int
st_cut(struct run *r, const struct text *w, int n)
{
	struct conn		*c = conn_need(r);
	enum conn_result	 res;
	uint64_t		 v;

	(void)n;
	if (number_parse(w[0].p, &v) == -1)
		return error(r, "a bad number", w[0].p);
	if (c == NULL)
		return ST_FAIL;
	if ((res = conn_read(c)) != CONN_BROKEN)
		return conn_fail(c, res, "the end in the middle of an answer");
	if (!c->rst)
		return icapt_fail(r->ic, "a reset", "the end");
	if (c->reply.left == 0)
		return icapt_fail(r->ic, "the end in the middle of a chunk",
		    "it between two");
	if (c->reply.size != v)
		return icapt_fail(r->ic, w[0].p, "%llu bytes",
		    (unsigned long long)c->reply.size);
	return check_part(r, c);
}

/* About the answer read last. */

static struct reply *
last(struct run *r)
{
	struct conn	*c = conn_find(r);

	if (c == NULL || c->reply.head.p == NULL) {
		(void)icapt_fail(r->ic, "an answer", "none was read");
		return NULL;
	}
	return &c->reply;
}

static int
st_echo(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);

	(void)w;
	(void)n;
	return a == NULL ? ST_FAIL : reply_check_echo(r->ic, a,
	    &conn_find(r)->msg);
}

static int
same(struct run *r, struct text want, const char *p, size_t n)
{
	char	 a[200], b[600];

	if (want.n == n && (n == 0 || memcmp(want.p, p, n) == 0))
		return ST_OK;
	return icapt_fail(r->ic, icapt_escape(a, sizeof(a), want.p, want.n),
	    "%s", icapt_escape(b, sizeof(b), p, n));
}

static int
st_body(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);

	(void)n;
	return a == NULL ? ST_FAIL : same(r, w[0], a->keep, a->nkeep);
}

static int
st_size(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);
	uint64_t	 v;

	(void)n;
	if (number_parse(w[0].p, &v) == -1)
		return error(r, "a bad number", w[0].p);
	if (a == NULL)
		return ST_FAIL;
	if (a->size != v)
		return icapt_fail(r->ic, w[0].p, "%llu bytes",
		    (unsigned long long)a->size);
	return ST_OK;
}

static int
st_chunkend(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);

	(void)n;
	return a == NULL ? ST_FAIL : same(r, w[0], a->end, a->nend);
}

static int
match(struct run *r, const char *text, const char *re, int *yes)
{
	regex_t	 preg;
	char	*copy, *q;
	const char *p;

	if (regcomp(&preg, re, REG_EXTENDED | REG_NEWLINE | REG_NOSUB) != 0)
		return error(r, "a bad regular expression", re);
	copy = q = icapt_alloc(r->ic, strlen(text) + 1);
	for (p = text; *p != '\0'; p++)
		if (*p != '\r')
			*q++ = *p;
	*q = '\0';
	*yes = regexec(&preg, copy, 0, NULL, 0) == 0;
	regfree(&preg);
	return ST_OK;
}

static int
match_check(struct run *r, const char *text, const char *re, int want)
{
	int	 yes = 0;

	if (match(r, text, re, &yes) != ST_OK)
		return ST_ERROR;
	if (yes == want)
		return ST_OK;
	return icapt_fail(r->ic, icapt_textf(r->ic, "%s%s", want ? "" :
	    "not ", re).p, "%s", text);
}

static int
st_header(struct run *r, const struct text *w, int n)
{
	struct reply		*a = last(r);
	const struct field	*f;

	(void)n;
	if (a == NULL)
		return ST_FAIL;
	if ((f = reply_find(a, w[0].p)) == NULL)
		return icapt_fail(r->ic, w[0].p, "%s", a->head.p);
	return match_check(r, f->value, w[1].p, 1);
}

static int
st_noheader(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);

	(void)n;
	if (a == NULL)
		return ST_FAIL;
	if (reply_find(a, w[0].p) != NULL)
		return icapt_fail(r->ic, icapt_textf(r->ic, "no %s",
		    w[0].p).p, "%s", a->head.p);
	return ST_OK;
}

static int
st_value(struct run *r, const struct text *w, int n)
{
	struct reply		*a = last(r);
	const struct field	*f;

	(void)n;
	if (a == NULL)
		return ST_FAIL;
	if ((f = reply_find(a, w[0].p)) == NULL)
		return icapt_fail(r->ic, w[0].p, "%s", a->head.p);
	return same(r, w[1], f->value, strlen(f->value));
}

static int
st_head(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);

	(void)n;
	return a == NULL ? ST_FAIL : match_check(r, a->head.p, w[0].p, 1);
}

static int
st_nohead(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);

	(void)n;
	return a == NULL ? ST_FAIL : match_check(r, a->head.p, w[0].p, 0);
}

static int
st_http(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);

	(void)n;
	return a == NULL ? ST_FAIL : match_check(r, a->nsect > 0 ? a->sect :
	    "", w[0].p, 1);
}

static int
st_nohttp(struct run *r, const struct text *w, int n)
{
	struct reply	*a = last(r);

	(void)n;
	return a == NULL ? ST_FAIL : match_check(r, a->nsect > 0 ? a->sect :
	    "", w[0].p, 0);
}

static int
st_capture(struct run *r, const struct text *w, int n)
{
	struct reply		*a = last(r);
	const struct field	*f;

	(void)n;
	if (a == NULL)
		return ST_FAIL;
	if ((f = reply_find(a, w[1].p)) == NULL)
		return icapt_fail(r->ic, w[1].p, "%s", a->head.p);
	script_set(r->script, w[0].p, icapt_text(r->ic, f->value,
	    strlen(f->value)));
	return ST_OK;
}

static const struct statement statements[] = {
	{ "E-any",	0, 0, st_eany },
	{ "E100",	0, 0, st_e100 },
	{ "E200",	0, 0, st_e200 },
	{ "E204",	0, 0, st_e204 },
	{ "E206",	0, 0, st_e206 },
	{ "E4xx",	1, 0, st_e4xx },
	{ "accept",	1, 1, st_accept },
	{ "alive",	0, 0, st_alive },
	{ "answered",	0, 0, st_answered },
	{ "body",	1, 0, st_body },
	{ "broken",	0, 0, st_broken },
	{ "capture",	2, 0, st_capture },
	{ "case",	1, 1, st_case },
	{ "chunkend",	1, 0, st_chunkend },
	{ "close",	0, 0, st_close },
	{ "closed",	0, 0, st_closed },
	{ "conn",	1, 0, st_conn },
	{ "continue",	0, 0, st_continue },
	{ "cut",	1, 0, st_cut },
	{ "delay",	1, 0, st_delay },
	{ "each",	1, 2, st_each },
	{ "early",	1, 1, st_early },
	{ "echo",	0, 0, st_echo },
	{ "either",	2, 1, st_either },
	{ "end",	0, 2, st_end },
	{ "expect",	1, 0, st_expect },
	{ "gone",	0, 0, st_gone },
	{ "head",	1, 0, st_head },
	{ "header",	2, 0, st_header },
	{ "http",	1, 0, st_http },
	{ "mutate",	2, 1, st_mutate },
	{ "needs",	1, 2, st_needs },
	{ "next",	0, 0, st_next },
	{ "nohead",	1, 0, st_nohead },
	{ "noheader",	1, 0, st_noheader },
	{ "nohttp",	1, 0, st_nohttp },
	{ "ok",		0, 0, st_ok },
	{ "open",	0, 0, st_open },
	{ "options",	0, 0, st_options },
	{ "part",	1, 0, st_part },
	{ "quiet",	0, 0, st_quiet },
	{ "refuse",	2, 1, st_refuse },
	{ "reject",	2, 1, st_reject },
	{ "repeat",	1, 2, st_repeat },
	{ "request",	1, 0, st_request },
	{ "reset",	0, 0, st_reset },
	{ "send",	1, 0, st_send },
	{ "set",	2, 2, st_set },
	{ "shut",	0, 0, st_shut },
	{ "size",	1, 0, st_size },
	{ "strict",	0, 2, st_strict },
	{ "sweep",	1, 1, st_sweep },
	{ "truncate",	1, 1, st_truncate },
	{ "value",	2, 0, st_value },
};

static int	 statement_run(struct run *, const struct statement *);

static const struct statement *
statement_find(const char *name)
{
	size_t	 i;

	for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (strcmp(statements[i].name, name) == 0)
			return &statements[i];
	return NULL;
}

static int
statement_run(struct run *r, const struct statement *s)
{
	const struct line	*l = &r->line[r->pc];
	struct text		 w[SCRIPT_WORDS];
	int			 i;

	for (i = 1; i < l->nword; i++)
		if (script_expand(r->script, l->no, l->word[i], &w[i - 1]) ==
		    -1)
			return ST_ERROR;
	return s->run(r, w, l->nword - 1);
}

static void
report(struct run *r, int no)
{
	r->nfail++;
	r->report = icapt_join(r->ic, r->report, icapt_textf(r->ic,
	    "     line %d: %s%sexpected %s; got %s\n", no,
	    r->title == NULL ? "" : r->title, r->title == NULL ? "" : ": ",
	    r->ic->expected, r->ic->got));
}

/* One statement; skipping those that belong to a case that failed. */
static int
step(struct run *r)
{
	static int		 skipping;
	const struct statement	*s;
	const struct line	*l = &r->line[r->pc];
	int			 res;

	if (r->pc == 0)
		skipping = 0;
	s = statement_find(l->word[0].p);
	if (s == NULL)
		return error(r, "no such statement", l->word[0].p);
	if (l->nword - 1 < s->args)
		return error(r, "too few words", NULL);
	if (s->begins == 1) {
		skipping = 0;
		r->title = NULL;
	}
	if (skipping && s->begins == 0)
		return ST_OK;
	if (r->ic->verbose)
		printf("   line %d: %s\n", l->no, l->word[0].p);
	res = statement_run(r, s);
	if (res == ST_FAIL) {
		report(r, l->no);
		skipping = 1;
		res = ST_OK;
	}
	return res;
}

static void
predefine(struct run *r)
{
	struct icapt	*ic = r->ic;
	struct script	*s = r->script;
	struct text	 t;
	int		 i;
	static const char	*const name[] = { "Q", "P", "S", "S0" };
	static const char	*const vector[] = { "REQMOD-GET",
		"REQMOD-POST", "RESPMOD-S", "RESPMOD-304" };
	struct msg	 m;
	const char	*why;

	for (i = 0; i < 4; i++) {
		t = icapt_text(ic, vector[i], strlen(vector[i]));
		if (msg_parse(ic, &m, &t, 1, &why) == -1)
			abort();
		script_set(s, name[i], m.sect[m.nsect - 1].bytes);
	}
	script_set(s, "A", icapt_textf(ic, "%s:%s", ic->host, ic->port));
	script_set(s, "U", icapt_textf(ic, "icap://%s:%s/%s", ic->host,
	    ic->port, ic->service));
	script_set(s, "R", reading_uri(ic));
	script_set(s, "H", icapt_textf(ic, "Host: %s:%s\r\n", ic->host,
	    ic->port));
	script_set(s, "host", icapt_textf(ic, "%s", ic->host));
	script_set(s, "port", icapt_textf(ic, "%s", ic->port));
	script_set(s, "service", icapt_textf(ic, "%s", ic->service));
	script_set(s, "nonce", icapt_textf(ic, "n%p", (void *)r->script));
	for (i = 0; i < r->ndefine; i++)
		script_set(s, r->define[i].name, icapt_textf(ic, "%s",
		    r->define[i].value));
}

enum run_result
run_script(struct icapt *ic, struct script *s, const struct run_server *srv,
    const struct run_define *def, int ndef, struct text *out)
{
	struct run	 r;
	int		 res = ST_OK;

	memset(&r, 0, sizeof(r));
	r.ic = ic;
	r.script = s;
	r.server = srv;
	r.define = def;
	r.ndefine = ndef;
	r.current = "c";
	r.report = icapt_text(ic, "", 0);
	ic->form = !ic->relaxed;
	predefine(&r);
	r.nline = script_lines(s, &r.line);
	for (r.pc = 0; r.pc < r.nline && res == ST_OK; r.pc++)
		res = step(&r);
	if (res == ST_SKIP)
		*out = icapt_join(ic, r.line[r.pc - 1].word[1],
		    r.line[r.pc - 1].nword < 3 ? icapt_text(ic, "", 0) :
		    icapt_textf(ic, " %s", r.line[r.pc - 1].word[2].p));
	else
		*out = r.report;
	close_all(&r);
	if (res == ST_ERROR)
		return RUN_ERROR;
	if (res == ST_SKIP)
		return RUN_SKIP;
	return r.nfail > 0 ? RUN_FAIL : RUN_OK;
}

/* The service that reads whole bodies, if it is another one. */
static struct text
reading_uri(struct icapt *ic)
{
	return icapt_textf(ic, "icap://%s:%s/%s", ic->host, ic->port,
	    ic->reads != NULL ? ic->reads : ic->service);
}

/* Does the service ask for the rest of a preview? Some throw dice. */
static int
asks_for_rest(struct icapt *ic, struct conn *c)
{
	int		 i;
	struct text	 w[5];
	struct msg	 m;
	const char	*why;

	w[0] = icapt_text(ic, "RESPMOD-S", 9);
	w[1] = icapt_text(ic, "preview", 7);
	w[2] = icapt_text(ic, "4", 1);
	w[3] = icapt_text(ic, "uri", 3);
	w[4] = reading_uri(ic);
	if (msg_parse(ic, &m, w, 5, &why) == -1)
		abort();
	for (i = 0; i < 12; i++) {
		if (conn_request(c, &m) == -1 || conn_read(c) != CONN_REPLY ||
		    c->reply.status != 100 || conn_continue(c) == -1 ||
		    conn_read(c) != CONN_REPLY)
			return 0;
	}
	return 1;
}

int
run_discover(struct icapt *ic, struct run_server *s)
{
	struct conn		 c;
	struct msg		 m;
	const struct field	*f;
	struct text		 word;
	const char		*why;
	uint64_t		 v;

	memset(s, 0, sizeof(*s));
	s->preview = -1;
	memset(&c, 0, sizeof(c));
	memcpy(c.name, "c", 2);
	word = icapt_text(ic, "OPTIONS", 7);
	if (msg_parse(ic, &m, &word, 1, &why) == -1)
		abort();
	if (conn_open(ic, &c) == -1)
		return -1;
	if (conn_request(&c, &m) == 0 && conn_read(&c) == CONN_REPLY &&
	    c.reply.status == 200) {
		s->asked = 1;
		if ((f = reply_find(&c.reply, "Allow")) != NULL) {
			s->has204 = list_has(f->value, "204");
			s->has206 = list_has(f->value, "206");
		}
		if ((f = reply_find(&c.reply, "Methods")) != NULL) {
			s->reqmod = list_has(f->value, "REQMOD");
			s->respmod = list_has(f->value, "RESPMOD");
		}
		if ((f = reply_find(&c.reply, "Preview")) != NULL &&
		    number_parse(f->value, &v) == 0)
			s->preview = (int64_t)v;
		s->has100 = asks_for_rest(ic, &c);
	} else
		(void)icapt_fail(ic, "an answer to OPTIONS", "none");
	conn_close(&c, 0);
	return s->asked ? 0 : -1;
}
