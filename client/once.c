/* SPDX-License-Identifier: ISC */
/*
 * One transaction, for people, and as the pattern of a load: waits, collects
 * the whole reply, says what it means.  Called by icapc.c.
 *
 * What comes from the server is hostile to terminals: it is shown with its
 * control characters escaped, but for the body that was asked for.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../proto/http.h"
#include "once.h"

/* The collector of a talk's events; there is one talk at a time. */
static struct outcome	*once_outcome;
static FILE		*once_dialogue;

static int64_t
once_now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int
heap_add(struct heap *h, const char *p, size_t len)
{
	size_t	 room = h->room > 0 ? h->room : 4096;
	char	*grown;

	if (len == 0)
		return 0;
	while (room - h->len < len)
		room *= 2;
	if (room != h->room) {
		if ((grown = realloc(h->p, room)) == NULL)
			return -1;
		h->p = grown;
		h->room = room;
	}
	memcpy(h->p + h->len, p, len);
	h->len += len;
	return 0;
}

/* Text of the other side: nothing that a terminal would obey. */
static void
show_text(FILE *f, const char *p, size_t len)
{
	unsigned char	 c;
	size_t		 i;

	for (i = 0; i < len; i++) {
		c = (unsigned char)p[i];
		if (c == '\t' || (c >= 0x20 && c < 0x7f))
			putc(c, f);
		else
			fprintf(f, "\\%03o", c);
	}
}

/* The lines of a head, each after the mark. */
static void
show_lines(FILE *f, const char *mark, const char *p, size_t len)
{
	const char	*lf;
	size_t		 n;

	while (len > 0) {
		lf = memchr(p, '\n', len);
		n = lf != NULL ? (size_t)(lf - p) : len;
		fputs(mark, f);
		show_text(f, p, n > 0 && p[n - 1] == '\r' ? n - 1 : n);
		putc('\n', f);
		n += lf != NULL;
		p += n;
		len -= n;
	}
}

static void
dialogue_request(const struct message *m)
{
	size_t	 heads;

	if (once_dialogue == NULL)
		return;
	heads = m->icap_len;
	if (m->http.len > 0)
		heads = (size_t)(m->http.p + m->http.len - m->wire);
	show_lines(once_dialogue, "> ", m->wire, heads);
	if (m->pause < m->len)
		fprintf(once_dialogue, "> [preview in %zu bytes]\n",
		    m->pause - heads);
	else if (m->len > heads)
		fprintf(once_dialogue, "> [body of %zu bytes in %zu]\n",
		    m->body.len, m->len - heads);
}

static void
dialogue_event(const struct talk *t, enum answer_event event)
{
	const struct outcome	*o = once_outcome;

	if (once_dialogue == NULL)
		return;
	if (event == ANSWER_HEAD)
		show_lines(once_dialogue, "< ", o->icap.p, o->icap.len);
	if (event == ANSWER_HEAD && t->answer.status == 100)
		fprintf(once_dialogue, "> [the rest in %zu bytes]\n",
		    t->m->len - t->m->pause);
	if (event != ANSWER_END || t->answer.status == 100)
		return;
	show_lines(once_dialogue, "< ", o->http.p, o->http.len);
	if (t->answer.encap.body != ENCAP_NULL_BODY)
		fprintf(once_dialogue, "< [body of %zu bytes]\n",
		    o->body.len);
	show_lines(once_dialogue, "< ", o->trailers.p, o->trailers.len);
	if (t->answer.chunk.has_original)
		fprintf(once_dialogue, "< [use-original-body=%llu]\n",
		    (unsigned long long)t->answer.chunk.original);
}

/* The head as lines of its own, for it will be overwritten. */
static int
once_keep_head(struct outcome *o, const struct talk *t)
{
	const struct answer_fields	*f = &t->all->fields;
	const struct header_field	*field;
	char				 line[32];
	unsigned int			 i;

	o->icap.len = 0;
	snprintf(line, sizeof(line), "ICAP/1.0 %d ", t->answer.status);
	if (heap_add(&o->icap, line, strlen(line)) == -1 ||
	    heap_add(&o->icap, f->reason.p, f->reason.len) == -1 ||
	    heap_add(&o->icap, "\n", 1) == -1)
		return -1;
	for (i = 0; i < f->header.count; i++) {
		field = &f->header.field[i];
		if (heap_add(&o->icap, field->name.p, field->name.len) == -1 ||
		    heap_add(&o->icap, ": ", 2) == -1 ||
		    heap_add(&o->icap, field->value.p,
		    field->value.len) == -1 ||
		    heap_add(&o->icap, "\n", 1) == -1)
			return -1;
	}
	return 0;
}

static int
once_event(struct talk *t, enum answer_event event, struct slice s)
{
	struct outcome	*o = once_outcome;
	int		 result = 0;

	switch (event) {
	case ANSWER_HEAD:
		result = once_keep_head(o, t);
		break;
	case ANSWER_HTTP:
		result = heap_add(&o->http, s.p, s.len);
		break;
	case ANSWER_BODY:
		result = heap_add(&o->body, s.p, s.len);
		break;
	case ANSWER_TRAILER:
		result = heap_add(&o->trailers, s.p, s.len);
		break;
	default:
		break;
	}
	if (result == -1) {
		t->why = "out of memory";
		return -1;
	}
	dialogue_event(t, event);
	return 0;
}

/* Waits for the socket, then sends and receives. */
static enum talk_result
once_step(struct talk *t, int64_t timeout)
{
	enum talk_result	 result = TALK_MORE;
	struct pollfd		 pfd;
	int			 n;

	pfd.fd = t->fd;
	pfd.events = POLLIN;
	if (t->sent < t->end || (t->tls != NULL && tls_wants_out(t->tls)))
		pfd.events |= POLLOUT;
	do
		n = poll(&pfd, 1, (int)timeout);
	while (n == -1 && errno == EINTR);
	if (n < 1) {
		t->why = n == 0 ? "server is too slow" : "poll failed";
		return TALK_BAD;
	}
	if ((pfd.revents & POLLOUT) != 0)
		result = talk_send(t);
	if (result == TALK_MORE && (t->tls != NULL ||
	    (pfd.revents & (POLLIN | POLLHUP | POLLERR)) != 0))
		result = talk_recv(t, true);
	return result;
}

/* The handshake of TLS, which has so much time in all. */
static enum talk_result
once_shake(struct talk *t, int64_t timeout)
{
	enum talk_result	 result;
	struct pollfd		 pfd;
	int64_t			 left, end = once_now() / 1000 + timeout;

	while ((result = talk_shake(t)) == TALK_MORE) {
		pfd.fd = t->fd;
		pfd.events = tls_wants_out(t->tls) ? POLLOUT : POLLIN;
		left = end - once_now() / 1000;
		if (left <= 0 || poll(&pfd, 1, (int)left) == 0) {
			t->why = "server is too slow";
			return TALK_BAD;
		}
	}
	if (result == TALK_DONE && t->tls != NULL && once_dialogue != NULL)
		fprintf(once_dialogue, "> [%s]\n", tls_version(t->tls));
	return result;
}

/* Connects to the first address that takes us.  Returns 0, or -1. */
static int
once_connect(struct talk *t, const struct addrinfo **ai, int64_t timeout)
{
	struct pollfd	 pfd;
	socklen_t	 len;
	int		 error = 0;

	for (; *ai != NULL; *ai = (*ai)->ai_next) {
		if (talk_open(t, *ai) == -1) {
			error = errno;
			continue;
		}
		pfd.fd = t->fd;
		pfd.events = POLLOUT;
		len = sizeof(error);
		if (poll(&pfd, 1, (int)timeout) == 0)
			error = ETIMEDOUT;
		else if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error,
		    &len) == 0 && error == 0)
			return 0;
		talk_close(t);
	}
	errno = error;
	return -1;
}

/* Is the reply what was demanded? */
static int
once_check(struct outcome *o, const struct message *m,
    const struct demand *demand)
{
	if (demand->status != 0 && o->status != demand->status) {
		o->why = "another status than expected";
		return ICAPC_BAD;
	}
	if (!demand->echo || o->status == 204)
		return ICAPC_OK;
	if (o->status != 200 && o->status != 206)
		o->why = "not the message that was sent";
	else if (o->http.len != m->http.len || (m->http.len > 0 &&
	    memcmp(o->http.p, m->http.p, m->http.len) != 0))
		o->why = "the HTTP head came back changed";
	else if (o->has_original ? o->original != o->body.len :
	    o->body.len != m->body.len)
		o->why = "the body came back with another length";
	else if (o->body.len > 0 &&
	    memcmp(o->body.p, m->body.p, o->body.len) != 0)
		o->why = "the body came back changed";
	return o->why == NULL ? ICAPC_OK : ICAPC_BAD;
}

int
once_run(struct outcome *o, const struct addrinfo **ai,
    const struct message *m, const struct demand *demand, FILE *dialogue)
{
	enum talk_result	 result;
	struct talks		 all;
	struct talk		 t;
	int			 status = ICAPC_FAILED;

	memset(o, 0, sizeof(*o));
	once_outcome = o;
	once_dialogue = dialogue;
	if (talks_init(&all) == -1) {
		o->why = "out of memory";
		return ICAPC_FAILED;
	}
	all.event = once_event;
	all.tls = demand->tls;
	talk_init(&t, &all);
	if (once_connect(&t, ai, demand->timeout) == -1)
		o->why = strerror(errno);
	else if (once_shake(&t, demand->timeout) != TALK_DONE)
		o->why = t.why;
	else {
		dialogue_request(m);
		o->usec = once_now();
		talk_begin(&t, m, false);
		while ((result = once_step(&t, demand->timeout)) == TALK_MORE)
			;
		o->usec = once_now() - o->usec;
		o->why = t.why;
		o->status = t.answer.status;
		o->complete = result == TALK_DONE;
		o->continued = t.continued;
		o->close = t.answer.close;
		o->encap = t.answer.encap;
		o->has_original = t.answer.chunk.has_original;
		o->original = t.answer.chunk.original;
		if (result == TALK_DONE)
			status = once_check(o, m, demand);
		else if (t.is_bad)
			status = ICAPC_BAD;
	}
	talk_fini(&t);
	talks_fini(&all);
	return status;
}

void
once_free(struct outcome *o)
{
	free(o->icap.p);
	free(o->http.p);
	free(o->body.p);
	free(o->trailers.p);
	memset(o, 0, sizeof(*o));
}

/* A response in place of the request, or an error in place of a response. */
static bool
once_is_blocked(const struct outcome *o, const struct message *m)
{
	struct slice	 head;

	if (o->encap.res_hdr == 0)
		return o->encap.body == ENCAP_RES_BODY &&
		    m->method == ICAP_REQMOD;
	if (m->method == ICAP_REQMOD)
		return true;
	head.p = o->http.p;
	head.len = o->http.len;
	return http_status(http_start_line(head)) >= 400;
}

int
once_judge(const struct outcome *o, const struct message *m)
{
	if (o->status >= 300)
		return ICAPC_REFUSED;
	if (m->method != ICAP_OPTIONS && once_is_blocked(o, m))
		return ICAPC_BLOCKED;
	return ICAPC_OK;
}

static bool
once_is_same(const struct heap *h, struct slice s)
{
	return h->len == s.len &&
	    (s.len == 0 || memcmp(h->p, s.p, s.len) == 0);
}

static const char *
once_verdict(const struct outcome *o, const struct message *m)
{
	if (o->status >= 300)
		return "refused";
	if (m->method == ICAP_OPTIONS)
		return "options";
	if (o->status == 204)
		return "unchanged";
	if (once_is_blocked(o, m))
		return "blocked";
	if (!once_is_same(&o->http, m->http))
		return "changed";
	if (o->has_original)
		return o->original == o->body.len ? "unchanged" : "changed";
	return once_is_same(&o->body, m->body) ? "unchanged" : "changed";
}

static void
once_show_body(const struct outcome *o, const struct message *m, FILE *f)
{
	if (o->encap.body == ENCAP_NULL_BODY)
		return;
	fprintf(f, "\nbody of %zu bytes", o->body.len);
	if (o->has_original)
		fprintf(f, ", then %llu bytes of the original",
		    (unsigned long long)(m->body.len - o->original));
	else if (m->body.p != NULL)
		fprintf(f, ", %s the one sent",
		    once_is_same(&o->body, m->body) ? "the same as" :
		    "another than");
	putc('\n', f);
	show_lines(f, "", o->trailers.p, o->trailers.len);
}

void
once_show(const struct outcome *o, const struct message *m, FILE *f)
{
	fprintf(f, "%s after %lld.%03lld ms%s\n", once_verdict(o, m),
	    (long long)o->usec / 1000, (long long)o->usec % 1000,
	    o->continued ? ", with the whole body asked for" : "");
	show_lines(f, "", o->icap.p, o->icap.len);
	if (o->http.len > 0) {
		putc('\n', f);
		/* without its empty line */
		show_lines(f, "", o->http.p, o->http.len - 2);
	}
	once_show_body(o, m, f);
}

int
once_write(const struct outcome *o, const struct message *m, FILE *f)
{
	struct slice	 rest = { NULL, 0 };

	if (o->status == 204)
		rest = m->body;
	else if (o->has_original) {
		rest.p = m->body.p + o->original;
		rest.len = m->body.len - o->original;
	}
	if (o->body.len > 0 &&
	    fwrite(o->body.p, 1, o->body.len, f) != o->body.len)
		return -1;
	if (rest.len > 0 && fwrite(rest.p, 1, rest.len, f) != rest.len)
		return -1;
	return fflush(f) == EOF ? -1 : 0;
}
