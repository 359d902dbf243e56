/* SPDX-License-Identifier: ISC */
/*
 * Runs services on one request, from its bytes to those of the reply, over
 * the client in memory.  Used by the tests of services/.  What is expected
 * stands in the tests, but for the form of a reply, which is strict.c's.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt.h"
#include "script.h"

/* Small heads keep the buffer small, so that bodies outgrow it. */
static const struct limits limits = {
	.request_line = 512, .head = 4096,
	.http_heads = ADAPT_HTTP_HEADS, .fields = 32,
	.chunk_line = 64, .trailers = 256
};

#define BUFFER		(8192 + BODY_RESERVE + 20 * 1024)

/* Kept in memory of a spool; the rest goes to its file. */
#define SPOOL_MEMORY	4096

struct out {
	char	*p;
	size_t	 len;
	size_t	 size;
};

static void
out_add(struct out *o, const char *p, size_t len)
{
	if (len > o->size - o->len) {
		o->size = 2 * o->size + len + 1024;
		unit_must((o->p = realloc(o->p, o->size)) != NULL);
	}
	if (len > 0)
		memcpy(o->p + o->len, p, len);
	o->len += len;
}

static void
out_adds(struct out *o, const char *s)
{
	if (s != NULL)
		out_add(o, s, strlen(s));
}

static void
out_chunks(struct out *o, const char *p, size_t len, size_t chunk)
{
	char	 head[32];
	size_t	 n;

	for (; len > 0; p += n, len -= n) {
		n = chunk != 0 && chunk < len ? chunk : len;
		(void)snprintf(head, sizeof(head), "%zx\r\n", n);
		out_adds(o, head);
		out_add(o, p, n);
		out_adds(o, "\r\n");
	}
}

/* What a response that is looked at was asked for with. */
static const char *
request_head(const struct ask *ask)
{
	return ask->request != NULL ? ask->request :
	    "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n";
}

static void
make_adapted_head(const struct ask *ask, struct out *o)
{
	char	 length[64];

	if (ask->head != NULL) {
		out_adds(o, ask->head);
		return;
	}
	out_adds(o, ask->respmod ? "HTTP/1.1 200 OK\r\nServer: s\r\n" :
	    "POST http://h/a HTTP/1.1\r\nHost: h\r\n");
	out_adds(o, ask->http);
	if (ask->length != NULL && ask->length[0] != '\0') {
		out_adds(o, "Content-Length: ");
		out_adds(o, ask->length);
		out_adds(o, "\r\n");
	} else if (ask->length == NULL && ask->body != NULL) {
		(void)snprintf(length, sizeof(length),
		    "Content-Length: %zu\r\n", ask->len);
		out_adds(o, length);
	}
	out_adds(o, "\r\n");
}

static void
make_icap_head(const struct ask *ask, size_t head_len, struct out *o)
{
	const char	*part = ask->respmod ? "res" : "req";
	char		 line[256];
	size_t		 at = 0;

	out_adds(o, ask->respmod ? "RESPMOD" : "REQMOD");
	out_adds(o, " icap://i/test?arg=1 ICAP/1.0\r\nHost: i\r\n");
	if (ask->allow != NULL) {
		out_adds(o, "Allow: ");
		out_adds(o, ask->allow);
		out_adds(o, "\r\n");
	}
	if (ask->preview != NULL) {
		out_adds(o, "Preview: ");
		out_adds(o, ask->preview);
		out_adds(o, "\r\n");
	}
	out_adds(o, ask->icap);
	out_adds(o, "Encapsulated: ");
	if (!ask->headless && ask->respmod) {
		out_adds(o, "req-hdr=0, ");
		at = strlen(request_head(ask));
	}
	if (!ask->headless) {
		(void)snprintf(line, sizeof(line), "%s-hdr=%zu, ", part, at);
		out_adds(o, line);
		at += head_len;
	}
	(void)snprintf(line, sizeof(line), "%s-body=%zu\r\n\r\n",
	    ask->body != NULL ? part : "null", at);
	out_adds(o, line);
}

static void
make_body(const struct ask *ask, struct out *o, size_t *gate)
{
	size_t	 preview = ask->len, half = ask->len / 2;

	if (ask->preview != NULL && !ask->eager)
		preview = (size_t)strtoul(ask->preview, NULL, 10);
	if (ask->broken != NULL) {
		out_chunks(o, ask->body, half, ask->chunk);
		out_adds(o, ask->broken);
		return;
	}
	if (preview >= ask->len) {
		out_chunks(o, ask->body, ask->len, ask->chunk);
		if (ask->preview == NULL || ask->eager) {
			out_adds(o, "0\r\n");
			out_adds(o, ask->trailers);
			out_adds(o, "\r\n");
			return;
		}
		if (!ask->polite) {
			out_adds(o, "0; ieof\r\n\r\n");
			return;
		}
		preview = ask->len;
	} else
		out_chunks(o, ask->body, preview, ask->chunk);
	out_adds(o, "0\r\n\r\n");
	*gate = o->len;
	out_chunks(o, ask->body + preview, ask->len - preview, ask->chunk);
	out_adds(o, "0\r\n");
	out_adds(o, ask->trailers);
	out_adds(o, "\r\n");
}

static void
make_request(struct adapt *a)
{
	struct out	 head = { NULL, 0, 0 }, all = { NULL, 0, 0 };

	make_adapted_head(&a->ask, &head);
	make_icap_head(&a->ask, head.len, &all);
	if (!a->ask.headless && a->ask.respmod)
		out_adds(&all, request_head(&a->ask));
	if (!a->ask.headless)
		out_add(&all, head.p, head.len);
	if (a->ask.body != NULL)
		make_body(&a->ask, &all, &a->wire.gate);
	free(head.p);
	a->request = all.p;
	a->wire.in = all.p;
	a->wire.in_len = all.len;
}

static enum verdict
serve_script(struct txn *t, void *instance)
{
	return script_serve(t, instance);
}

static struct text	*watched;

static void
watch(const char *line)
{
	text_addf(watched, "%s%s", watched->len > 0 ? ", " : "", line);
}

static bool
is_closing(void *arg)
{
	const struct adapt	*a = arg;

	return a->closing;
}

static void
make_plan(struct adapt *a)
{
	unsigned int	 i;

	a->plan.path = "test";
	a->plan.step = a->step;
	a->plan.on_error = a->on_error;
	a->plan.shadow = a->shadow;
	for (i = 0; i < ADAPT_STEPS; i++) {
		if (a->serve == NULL ? a->script[i] == NULL : i > 0)
			break;
		a->service[i].name = i == 0 ? "one" : i == 1 ? "two" : "three";
		a->service[i].summary = "a test";
		a->service[i].methods = a->methods[i] != 0 ? a->methods[i] :
		    SERVICE_REQMOD | SERVICE_RESPMOD;
		a->service[i].preview = -1;
		a->service[i].serve = a->serve != NULL ? a->serve :
		    serve_script;
		a->step[i].service = &a->service[i];
		a->step[i].instance = a->serve != NULL ? a :
		    (void *)(uintptr_t)a->script[i];
	}
	a->plan.nsteps = i;
	plan_finish(&a->plan);
}

static void
init_spool(const struct adapt *a, struct spool *spool)
{
	const char	*dir = getenv("TMPDIR");

	spool_init(spool, dir != NULL ? dir : "/tmp", SPOOL_MEMORY,
	    a->spool_max != 0 ? a->spool_max : UINT64_C(1) << 30);
}

void
adapt_run(struct adapt *a)
{
	struct txn	*t = &a->txn;

	make_request(a);
	make_plan(a);
	unit_must(stream_init(&a->stream, BUFFER) == 0);
	a->wire.deaf = a->deaf ? SIZE_MAX : 0;
	wire_start(&a->wire, &a->stream);
	unit_must(message_receive(&a->message, &a->stream, &limits) ==
	    PARSE_OK);
	init_spool(a, &a->spools.body);
	init_spool(a, &a->spools.out[0]);
	init_spool(a, &a->spools.out[1]);
	txn_init(t);
	t->request = &a->message.request;
	t->stream = &a->stream;
	t->req_head = a->message.req_hdr;
	t->res_head = a->message.res_hdr;
	t->istag = "tag-1";
	t->id = "id-1";
	t->spools = &a->spools;
	t->closing = is_closing;
	t->closing_arg = a;
	a->saw.s[0] = '\0';
	watched = &a->saw;
	script_watch(watch);
	a->result = txn_run(t, &a->plan);
	if (a->result == 0) {
		strict_read(&a->reply, a->wire.out, a->wire.out_len,
		    a->ask.respmod ? ICAP_RESPMOD : ICAP_REQMOD);
		a->answered = true;
		unit_must(a->reply.status == t->status);
		unit_must(t->fault.status == 0);
		/* the next request is where it should be: nothing was left */
		unit_must(a->wire.in_pos == a->wire.in_len ||
		    (a->reply.continues == 0 &&
		    a->wire.in_pos == a->wire.gate));
		unit_must(buf_len(&a->stream.in) == 0);
	}
}

void
adapt_fini(struct adapt *a)
{
	if (a->answered)
		strict_fini(&a->reply);
	txn_fini(&a->txn);
	message_fini(&a->message);
	stream_fini(&a->stream);
	wire_fini(&a->wire);
	free(a->request);
}

static void
show_body(const struct strict *r, struct text *out)
{
	if (r->body_len <= 64) {
		text_addf(out, " [");
		text_add(out, r->body, r->body_len);
		text_addf(out, "]");
	} else
		text_addf(out, " [%zu]", r->body_len);
	if (r->original != -1)
		text_addf(out, "+%lld", (long long)r->original);
}

void
adapt_show(const struct adapt *a, struct text *out)
{
	const struct strict	*r = &a->reply;

	out->s[0] = '\0';
	if (a->result == -1) {
		text_addf(out, "fault %d: %s", a->txn.fault.status,
		    a->txn.fault.why);
		return;
	}
	text_addf(out, "%s%d", r->continues > 0 ? "100 " : "", r->status);
	if (r->hdr[0] != '\0')
		text_addf(out, " %s", r->hdr);
	if (r->status == 204)
		return;
	text_addf(out, " %s", r->entity);
	if (strcmp(r->entity, "null-body") != 0)
		show_body(r, out);
	if (r->http_trailers.len > 0) {
		text_addf(out, " ");
		text_add(out, r->http_trailers.p, r->http_trailers.len);
	}
	if (r->trailers.len > 0) {
		text_addf(out, " then ");
		text_add(out, r->trailers.p, r->trailers.len);
	}
}

char *
adapt_body(const struct adapt *a, size_t *len)
{
	const struct strict	*r = &a->reply;
	struct out		 o = { NULL, 0, 0 };

	if (r->status == 204)
		out_add(&o, a->ask.body, a->ask.body != NULL ? a->ask.len : 0);
	else
		out_add(&o, r->body, r->body_len);
	if (r->original != -1) {
		unit_must((size_t)r->original <= a->ask.len);
		out_add(&o, a->ask.body + r->original,
		    a->ask.len - (size_t)r->original);
	}
	out_add(&o, "", 1);
	*len = o.len - 1;
	return o.p;
}
