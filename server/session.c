/* SPDX-License-Identifier: ISC */
/*
 * One connection: read a request, find its service, run it, answer, and the
 * same again.  Called by worker.c.  Here the layers meet: proto/ says what
 * the bytes mean, services/ what to do, and this file who is told when
 * something is wrong and whether the connection can go on.  It must not fork,
 * wait for processes or change the configuration.
 *
 * A kept-alive 204 is one recv(2) and one sendmsg(2); everything on that way
 * is memory.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../proto/body.h"
#include "../proto/http.h"
#include "../services/options.h"
#include "../services/txn.h"
#include "listen.h"
#include "log.h"
#include "session.h"

/*
 * A refused client may go on sending; closing at once would reset the
 * connection and take our answer with it.  So much is read and dropped:
 * bytes, and milliseconds in all.
 */
#define LINGER_BYTES	(64 * 1024 * 1024)
#define LINGER_MS	5000
#define LINGER_IDLE_MS	1000		/* and when nothing comes */

/* The same for a client that is refused because nobody has time. */
#define LINGER_BUSY_MS	200

/*
 * A worker that is to leave closes a connection that has been idle for so
 * long, milliseconds: a client that sends request after request gets to send
 * one more, and is told with its reply not to send another here.
 */
#define LEAVE_IDLE_MS	1000

/* Body window of the buffer behind the largest heads, bytes. */
#define BODY_WINDOW	(128 * 1024)

/* Kept of the buffer while a worker waits for its next connection, bytes. */
#define BUFFER_KEEP	(4 * 1024)

/* Longest path of a service. */
#define PATH_LENGTH_MAX	1024

static void
session_init_spool(const struct session *ss, struct spool *spool)
{
	spool_init(spool, ss->conf->spool_dir, ss->conf->spool_memory,
	    ss->conf->spool_limit);
}

int
session_init(struct session *ss)
{
	const struct limits	*limits = &ss->conf->limits;

	/* pages of its own: in the heap it would dirty those it was cut from */
	ss->fields = mmap(NULL, limits->fields * sizeof(*ss->fields),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ss->fields == MAP_FAILED || stream_init(&ss->stream, limits->head +
	    limits->http_heads + BODY_WINDOW + BODY_RESERVE) == -1)
		return -1;
	report_init(&ss->report, view_get(), ss->number, ss->conf);
	session_init_spool(ss, &ss->spools.body);
	session_init_spool(ss, &ss->spools.out[0]);
	session_init_spool(ss, &ss->spools.out[1]);
	return 0;
}

/* The next reply is the last: told to, or somebody else needs the worker. */
static bool
session_closing(void *arg)
{
	struct session	*ss = arg;
	struct pollfd	 pfd;

	report_reply(&ss->report);
	if (ss->signals->park)
		return true;
	if (!board_head(ss->board)->waiting[ss->pool])
		return false;
	/* the flag may be a moment old, the queue is not */
	pfd.fd = ss->listener;
	pfd.events = POLLIN;
	return poll(&pfd, 1, 0) == 1;
}

/* A transaction is over, well or not: status 0 if nothing could be said. */
static void
session_count(struct session *ss, int status, const char *why)
{
	report_end(&ss->report, status, why, &ss->request, ss->running,
	    &ss->stream);
	if (status == 0)
		return;
	ss->slot->transactions++;
	ss->slot->bytes_in += ss->stream.bytes_in;
	ss->slot->bytes_out += ss->stream.bytes_out;
	ss->stream.bytes_in = ss->stream.bytes_out = 0;
}

static void
session_log(struct session *ss, const struct fault *fault)
{
	char	 peer[128];

	listen_peer(ss->fd, peer, sizeof(peer));
	if (fault->status == 0)
		log_debug("client %s: %s", peer, fault->why);
	else
		log_info("client %s: refused with %d: %s", peer,
		    fault->status, fault->why);
}

/* Reads what the client still sends until it has seen our answer and closes. */
static void
session_drain(struct session *ss, int ms)
{
	struct stream	*s = &ss->stream;
	size_t		 total = 0;

	if (shutdown(ss->fd, SHUT_WR) == -1)
		return;
	s->deadline = stream_now() + ms;
	s->patience_in = ms < LINGER_IDLE_MS ? ms : LINGER_IDLE_MS;
	while (total < LINGER_BYTES) {
		s->in.rd = s->in.wr = 0;
		if (stream_fill(s, s->in.size) != 1)
			break;
		total += buf_len(&s->in);
	}
}

/*
 * The same as an idle connection, which is given up when somebody waits for a
 * worker or when the worker is to leave.
 */
static void
session_linger(struct session *ss)
{
	board_enter(ss->slot, BOARD_IDLE, stream_now());
	ss->sf.cancel = &ss->signals->park;
	ss->sf.hurry = false;
	ss->signals->idle = ss->fd;
	session_drain(ss, LINGER_MS);
	ss->signals->idle = -1;
	ss->sf.cancel = NULL;
}

/*
 * A request is refused: has it a part that was not received?  Where that is
 * not known it has.
 */
static bool
session_has_unread(struct session *ss)
{
	struct request	*r = &ss->request;
	struct fault	 fault;

	if (buf_len(&ss->stream.in) > 0)
		return true;
	if (ss->running != NULL)
		return !body_is_read(&ss->txn.body);
	return request_parse_body(r, &fault) == -1 ||
	    r->encap.req_hdr + r->encap.res_hdr > 0 ||
	    r->encap.body != ENCAP_NULL_BODY;
}

static int
session_send_refusal(struct session *ss, const struct fault *fault)
{
	return reply_refuse(&ss->stream, fault,
	    conf_get_istag(ss->conf, NULL), ss->conf->view.id_header,
	    ss->report.id);
}

/*
 * Ends the connection over a fault: tells the client, where there is one to
 * tell.  Returns false, for the session is over.
 */
static bool
session_refuse(struct session *ss, const struct fault *fault)
{
	bool	 sent;

	session_log(ss, fault);
	if (fault->status == 0) {
		session_count(ss, 0, fault->why);
		return false;
	}
	ss->stream.deadline = stream_now() + LINGER_MS;
	ss->stream.ahead = NULL;
	report_reply(&ss->report);
	sent = session_send_refusal(ss, fault) == 0;
	session_count(ss, sent ? fault->status : 0, fault->why);
	if (sent && session_has_unread(ss))
		session_linger(ss);
	return false;
}

/* Waits for a request to begin.  Returns false when none will. */
static bool
session_wait(struct session *ss)
{
	struct stream	*s = &ss->stream;
	int64_t		 left;
	int		 n;

	board_enter(ss->slot, BOARD_IDLE, report_idle_since(&ss->report));
	s->deadline = 0;
	s->patience_in = ss->conf->timeouts.keep_alive;
	ss->sf.cancel = &ss->signals->park;
	ss->sf.hurry = false;
	ss->signals->idle = ss->fd;
	n = stream_fill(s, s->in.size - BODY_RESERVE);
	ss->signals->idle = -1;
	ss->sf.cancel = NULL;
	if (ss->signals->park)
		ss->sf.armed = false;	/* the handler changed the tick */
	if (n == -1 && errno == ECANCELED && ss->signals->leave) {
		left = ss->slot->since + LEAVE_IDLE_MS - stream_now();
		if (left > 0) {
			s->patience_in = left;
			n = stream_fill(s, s->in.size - BODY_RESERVE);
		}
	}
	return n == 1;
}

/* Why could no more of a head be received? */
static void
session_head_fault(int n, struct fault *fault)
{
	fault->status = 0;
	if (n == 0)
		fault->why = "client closed in a head";
	else if (errno == ETIMEDOUT) {
		fault->status = 408;
		fault->why = "head not received in time";
	} else
		fault->why = "client went away in a head";
}

/*
 * Reads the head of the next request.  Returns false when there is none, or
 * when it was refused.
 */
static bool
session_read_head(struct session *ss)
{
	struct stream	*s = &ss->stream;
	struct request	*r = &ss->request;
	struct fault	 fault = { 0, NULL };
	int		 n;

	request_init(r, &ss->conf->limits, ss->fields);
	if (buf_len(&s->in) == 0 && !session_wait(ss))
		return false;
	s->deadline = report_begin(&ss->report);
	ss->slot->deadline = s->deadline + ss->conf->timeouts.transaction;
	board_enter(ss->slot, BOARD_READING, s->deadline);
	s->deadline += ss->conf->timeouts.head;
	s->patience_in = ss->conf->timeouts.head;
	s->patience_out = ss->conf->timeouts.write;
	ss->sf.hurry = true;
	for (;;) {
		switch (request_parse(r, buf_data(&s->in), buf_len(&s->in),
		    &fault)) {
		case PARSE_OK:
			return true;
		case PARSE_BAD:
			return session_refuse(ss, &fault);
		case PARSE_MORE:
			break;
		}
		n = stream_fill(s, buf_room(&s->in) - BODY_RESERVE);
		if (n == 1) {
			report_receive(&ss->report);
			continue;
		}
		session_head_fault(n, &fault);
		if (!request_has_begun(r, buf_len(&s->in)))
			return false;
		return session_refuse(ss, &fault);
	}
}

/* Finds what runs at the path and checks that it serves the method. */
static int
session_find_plan(struct session *ss, struct fault *fault)
{
	const struct request	*r = &ss->request;
	char			 path[PATH_LENGTH_MAX];
	unsigned int		 method;

	ss->plan = NULL;
	if (uri_decode_path(&r->uri, path, sizeof(path)) != -1)
		ss->plan = conf_find_plan(ss->conf, path);
	if (ss->plan == NULL) {
		fault->status = 404;
		fault->why = "no such service";
		return -1;
	}
	method = r->method == ICAP_REQMOD ? SERVICE_REQMOD : SERVICE_RESPMOD;
	if (r->method != ICAP_OPTIONS &&
	    (ss->plan->methods & method) == 0) {
		fault->status = 405;
		fault->why = "service does not serve this method";
		return -1;
	}
	return 0;
}

/* Reads the encapsulated heads and cuts them out of the buffer. */
static int
session_read_http(struct session *ss, struct slice *req, struct slice *res,
    struct fault *fault)
{
	const struct encap	*e = &ss->request.encap;
	struct buf		*in = &ss->stream.in;
	size_t			 len = e->req_hdr + e->res_hdr;
	int			 n;

	while (buf_len(in) < len) {
		n = stream_fill(&ss->stream, buf_room(in) - BODY_RESERVE);
		if (n != 1) {
			session_head_fault(n, fault);
			return -1;
		}
		report_receive(&ss->report);
	}
	req->p = buf_data(in);
	req->len = e->req_hdr;
	res->p = req->p + req->len;
	res->len = e->res_hdr;
	buf_consume(in, len);
	if ((req->len > 0 && http_check_head(*req, fault) == -1) ||
	    (res->len > 0 && http_check_head(*res, fault) == -1))
		return -1;
	return 0;
}

/* OPTIONS: an opt-body, where there is one, is read and ignored. */
static bool
session_options(struct session *ss)
{
	struct request	*r = &ss->request;
	struct options	 o;
	struct body	 body;
	struct reply	*reply = &ss->txn.reply;	/* nothing is running */
	bool		 drained;

	r->has_preview = false;			/* has no meaning here (C142) */
	body_init(&body, r, &ss->stream, &ss->spools.body);
	drained = body_drain(&body) == 0;
	body_fini(&body);
	if (!drained)
		return session_refuse(ss, &body.fault);
	memset(&o, 0, sizeof(o));
	o.plan = ss->plan;
	o.istag = conf_get_istag(ss->conf, ss->plan);
	o.id_header = ss->conf->view.id_header;
	o.id = ss->report.id;
	o.max_connections = ss->listen->workers;
	o.offers_trailers = (r->allow & ALLOW_TRAILERS) != 0;
	o.now = time(NULL);
	o.close = r->close || session_closing(ss);
	options_format(reply, &o);
	if (reply_send(reply, &ss->stream) == -1) {
		session_count(ss, 0, "client went away while we wrote");
		return false;
	}
	session_count(ss, 200, NULL);
	return !o.close;
}

/*
 * Tells the person in front of the terminal which request was handled.  One
 * write of at most PIPE_BUF bytes, so that lines of several workers do not
 * mix.
 */
static void
session_print(struct slice line)
{
	char	 text[PIPE_BUF];
	size_t	 n;

	if (line.len == 0)
		return;
	n = log_escape(text, sizeof(text), line.p, line.len);
	text[n++] = '\n';
	if (write(STDOUT_FILENO, text, n) == -1)
		log_debug("standard output: %s", strerror(errno));
}

/*
 * The verdict withholds what the client has a part of.  It has its reply, as
 * far as that goes.
 */
static bool
session_cut(struct session *ss)
{
	session_count(ss, ss->txn.status, NULL);
	return false;
}

/*
 * Has the close send a reset: there is a reply without its end, which no
 * client must take for a whole one.
 */
static void
session_reset(struct session *ss)
{
	static const struct linger	 none = { .l_onoff = 1 };

	(void)setsockopt(ss->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

/* REQMOD and RESPMOD. */
static bool
session_adapt(struct session *ss, struct slice req, struct slice res)
{
	struct txn	*t = &ss->txn;
	bool		 more;

	txn_init(t);
	t->request = &ss->request;
	t->stream = &ss->stream;
	t->req_head = req;
	t->res_head = res;
	t->istag = conf_get_istag(ss->conf, ss->plan);
	t->id = ss->report.id;
	t->spools = &ss->spools;
	t->closing = session_closing;
	t->closing_arg = ss;
	if (ss->conf->view.id_header != NULL)
		(void)txn_reply_header(t, ss->conf->view.id_header, t->id);
	ss->running = t;
	if (txn_run(t, ss->plan) == -1) {
		more = t->cut ? session_cut(ss) : session_refuse(ss, &t->fault);
		ss->reset = t->reset;
	} else {
		session_count(ss, t->status, NULL);
		if (ss->conf->print_requests && req.len > 0 &&
		    ss->request.method == ICAP_REQMOD)
			session_print(http_start_line(req));
		more = !t->close;
	}
	ss->running = NULL;
	txn_fini(t);
	return more;
}

/* One transaction.  Returns whether there may be another. */
static bool
session_transaction(struct session *ss)
{
	struct stream	*s = &ss->stream;
	struct request	*r = &ss->request;
	struct fault	 fault = { 0, NULL };
	struct slice	 req, res;
	bool		 more;

	if (!session_read_head(ss))
		return false;
	buf_consume(&s->in, r->len);
	if (session_find_plan(ss, &fault) == -1 ||
	    request_parse_body(r, &fault) == -1 ||
	    session_read_http(ss, &req, &res, &fault) == -1)
		return session_refuse(ss, &fault);

	s->deadline += ss->conf->timeouts.transaction -
	    ss->conf->timeouts.head;
	s->patience_in = ss->conf->timeouts.body;
	ss->slot->service = ss->plan - ss->conf->plan;
	board_enter(ss->slot, BOARD_SERVICE, ss->slot->since);
	report_heads(&ss->report, r, ss->plan, req, res);
	if (r->method == ICAP_OPTIONS)
		more = session_options(ss);
	else
		more = session_adapt(ss, req, res);
	/* bytes of the next request go to the front */
	buf_shift(&s->in, 0);
	return more;
}

void
session_run(struct session *ss, int fd)
{
	ss->fd = fd;
	report_connect(&ss->report, fd, &ss->slot->peer);
	ss->reset = false;
	stream_start_fd(&ss->stream, &ss->sf, fd);
	while (session_transaction(ss))
		;
	/* unread bytes would turn our close into a reset (C118) */
	if (ss->reset)
		session_reset(ss);
	else if (buf_len(&ss->stream.in) > 0)
		session_linger(ss);
	(void)close(fd);
	buf_trim(&ss->stream.in, BUFFER_KEEP);
}

void
session_refuse_busy(struct session *ss, int fd)
{
	static const struct fault	 busy = { 503, "no worker was free" };

	ss->fd = fd;
	stream_start_fd(&ss->stream, &ss->sf, fd);
	/* what has come of the request; an unread rest would reset the reply */
	ss->stream.patience_in = LINGER_BUSY_MS;
	(void)stream_fill(&ss->stream, ss->stream.in.size);
	ss->stream.deadline = stream_now() + LINGER_BUSY_MS;
	report_connect(&ss->report, fd, &ss->slot->peer);
	(void)report_begin(&ss->report);
	if (session_send_refusal(ss, &busy) == 0) {
		report_end(&ss->report, busy.status, busy.why, NULL, NULL,
		    &ss->stream);
		session_drain(ss, LINGER_BUSY_MS);
	}
	(void)close(fd);
	buf_trim(&ss->stream.in, BUFFER_KEEP);
}
