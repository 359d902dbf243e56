/* SPDX-License-Identifier: ISC */
/*
 * What a worker says about its transactions: takes the times, fills in the
 * record for the access log, counts.  Called by session.c as a transaction
 * goes on.  Nothing here may change what happens to the transaction, and
 * nothing costs a system call.
 */
#include <sys/random.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../proto/http.h"
#include "info.h"
#include "line.h"
#include "report.h"

/* How long the offset of the wall clock is believed, microseconds. */
#define OFFSET_AGE	1000000

static int64_t
clock_us(clockid_t which)
{
	struct timespec	 ts;

	(void)clock_gettime(which, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
report_init_id(struct report *r)
{
	struct line	 l;

	/* not arc4random(), whose state is two pages of each worker's */
	if (getrandom(&r->last_id, sizeof(r->last_id), 0) == -1)
		fatal(EXIT_SICK, "getrandom");
	line_init(&l, r->id, sizeof(r->id) - 1);
	line_hex(&l, r->last_id);
	r->id[l.len] = '\0';
}

void
report_init(struct report *r, struct view *v, unsigned int i,
    const struct conf *conf)
{
	unsigned int	 k;

	memset(r, 0, sizeof(*r));
	r->view = v;
	r->conf = conf;
	r->ring = RING_WORKER + i;
	r->place = tally_place(view_tally(v), i);
	r->nlogs = view_logs(v, conf, r->log);
	for (k = 0; k < r->nlogs; k++)
		if (r->log[k].form == RECORD_CUSTOM &&
		    record_has_local(r->log[k].format))
			r->wants_local = true;
	for (k = 0; k < conf->nplans; k++)
		r->service_of[k] = (unsigned char)tally_find_service(
		    view_tally(v), conf->plan[k].path);
	report_init_id(r);
	view_use(v, r->ring, conf);
	view_use_place(v, i);
	if (ring_has_intent(view_rings(v), r->ring)) {
		record_bury(view_rings(v), r->ring, r->log, r->nlogs);
		r->place->died++;
	}
}

static uint16_t
report_address(char *dst, size_t size, const struct board_peer *peer)
{
	if ((peer->family != AF_INET && peer->family != AF_INET6) ||
	    inet_ntop(peer->family, peer->address, dst,
	    (socklen_t)size) == NULL)
		(void)strlcpy(dst, "0.0.0.0", size);
	return ntohs(peer->port);
}

void
report_connect(struct report *r, int fd, const struct board_peer *peer)
{
	struct sockaddr_storage	 ss;
	struct board_peer	 local;
	socklen_t		 len = sizeof(ss);

	memset(&r->record, 0, sizeof(r->record));
	r->record.peer_port = report_address(r->peer, sizeof(r->peer), peer);
	r->local[0] = '\0';
	if (r->wants_local) {
		memset(&ss, 0, sizeof(ss));
		(void)getsockname(fd, (struct sockaddr *)&ss, &len);
		admit_read_peer(&ss, &local);
		r->record.local_port = report_address(r->local,
		    sizeof(r->local), &local);
	}
	r->record.peer = r->peer;
	r->record.local = r->local;
	r->ordinal = 0;
	r->is_open = false;
	r->ready = clock_us(CLOCK_MONOTONIC);
}

/* One more; as text that is a digit, or with each sixteenth some. */
static void
report_next_id(struct report *r)
{
	char	*digit = r->id + sizeof(r->id) - 2;

	r->record.id = ++r->last_id;
	while (digit > r->id && *digit == 'f')
		*digit-- = '0';
	*digit = *digit == '9' ? 'a' : *digit == 'f' ? '0' :
	    (char)(*digit + 1);
}

int64_t
report_begin(struct report *r)
{
	struct record	*a = &r->record;

	r->began = r->heads = clock_us(CLOCK_MONOTONIC);
	if (r->began >= r->offset_until) {
		r->offset = clock_us(CLOCK_REALTIME) - r->began;
		r->offset_until = r->began + OFFSET_AGE;
	}
	r->replied = 0;
	r->is_open = true;
	r->has_heads = false;
	r->service = 0;
	memset(&a->client, 0, offsetof(struct record, id) -
	    offsetof(struct record, client));
	a->ordinal = ++r->ordinal;
	a->preview = -1;
	a->verdict = tally_verdict_name(TALLY_NONE);
	a->method = ICAP_UNKNOWN;
	a->start = r->began + r->offset;
	a->wait = r->began - r->ready;
	report_next_id(r);
	return r->began / 1000;
}

void
report_receive(struct report *r)
{
	r->heads = clock_us(CLOCK_MONOTONIC);
}

static struct slice
text_slice(const char *text)
{
	struct slice	 s = { text, strlen(text) };

	return s;
}

/* One look at the fields instead of three. */
static void
report_find_identity(struct record *a, const struct header *h)
{
	const struct header_field	*f;
	unsigned int			 i;

	for (i = 0; i < h->count; i++) {
		f = &h->field[i];
		if ((f->name.p[0] | 0x20) != 'x')
			continue;
		if (f->name.len == 11 &&
		    slice_is_nocase(f->name, "X-Client-IP"))
			a->client = f->value;
		else if ((f->name.len == 20 &&
		    slice_is_nocase(f->name, "X-Authenticated-User")) ||
		    (f->name.len == 17 && a->user.len == 0 &&
		    slice_is_nocase(f->name, "X-Client-Username")))
			a->user = f->value;
	}
}

void
report_heads(struct report *r, const struct request *request,
    const struct txn_plan *plan, struct slice req_head, struct slice res_head)
{
	struct record	*a = &r->record;

	r->has_heads = true;
	a->read = r->heads - r->began;
	a->method = request->method;
	a->service = plan->path;
	r->service = r->service_of[plan - r->conf->plan];
	a->path = request->uri.path;
	a->header = &request->header;
	a->req_head = req_head;
	a->res_head = res_head;
	if (request->has_preview)
		a->preview = (int64_t)request->preview;
	report_find_identity(a, &request->header);
	/* without a log, too: the one who dies in it is counted and shown */
	record_begin(view_rings(r->view), r->ring, a);
}

void
report_reply(struct report *r)
{
	if (r->replied == 0)
		r->replied = clock_us(CLOCK_MONOTONIC);
}

static enum tally_verdict
report_verdict(const struct txn *t)
{
	static const enum tally_verdict	 of[] = {
		[VERDICT_NONE] = TALLY_FAILED,
		[VERDICT_UNCHANGED] = TALLY_UNCHANGED,
		[VERDICT_EDITED] = TALLY_EDITED,
		[VERDICT_REWRITTEN] = TALLY_REWRITTEN,
		[VERDICT_REPLACED] = TALLY_REPLACED,
		[VERDICT_FAILED] = TALLY_FAILED,
	};

	return t == NULL ? TALLY_NONE : of[t->verdict];
}

static void
report_take_txn(struct report *r, struct txn *t,
    struct record_note note[TXN_NOTES_MAX])
{
	struct record	*a = &r->record;
	unsigned int	 i;

	a->decided = t->decided != NULL ? t->decided->name : NULL;
	/* of a page that was never sent: what the client saw is its own */
	a->http_status = t->cut ? 0 : t->http_status;
	a->cut = t->cut;
	a->released = t->released;
	a->unscanned = t->unscanned;
	a->shadowed = t->shadowed;
	a->close = t->close;
	a->body_in = t->body.received;
	a->body_out = t->body_out;
	if (t->is_response_out)
		a->res_head_out = t->http_out;
	else
		a->req_head_out = t->http_out;
	if (t->status != 0) {
		a->reply_head.p = t->reply.head;
		a->reply_head.len = t->reply.len;
	}
	a->preview_bytes.p = t->body.first;
	a->preview_bytes.len = t->body.nfirst;
	/* a page that says no, or one elsewhere */
	a->blocked = t->verdict == VERDICT_REPLACED && !t->shadowed &&
	    t->http_status >= 300 && t->decided != &svc_info;
	if (a->why == NULL && t->why[0] != '\0')
		a->why = t->why;
	/* what the header means, base64 decoded */
	if (a->user.len > 0)
		a->user = text_slice(txn_user(t));
	for (i = 0; i < t->nnotes; i++) {
		note[i].key = t->note[i].key;
		note[i].value = t->note[i].value;
	}
	a->note = note;
	a->nnotes = t->nnotes;
}

static void
report_count(struct report *r, const struct request *request, int status,
    enum tally_verdict verdict, int64_t now)
{
	const struct record	*a = &r->record;
	struct tally_event	 e;

	memset(&e, 0, sizeof(e));
	e.key.service = (uint8_t)r->service;
	e.key.method = (uint8_t)(request != NULL ? request->method :
	    ICAP_UNKNOWN);
	e.key.verdict = (uint8_t)verdict;
	e.key.status = (uint16_t)status;
	e.key.flags = (uint8_t)((a->unscanned ? TALLY_UNSCANNED : 0) |
	    (a->blocked ? TALLY_BLOCKED : 0) | (a->cut ? TALLY_CUT : 0));
	e.key.used = 1;
	e.duration = now - r->began;
	e.serve = a->serve;
	e.bytes_in = a->bytes_in;
	e.bytes_out = a->bytes_out;
	tally_add(r->place, &e);
}

void
report_end(struct report *r, int status, const char *why,
    const struct request *request, struct txn *t,
    const struct stream *s)
{
	struct record		*a = &r->record;
	struct record_note	 note[TXN_NOTES_MAX];
	enum tally_verdict	 verdict = report_verdict(t);
	int64_t			 now;

	if (!r->is_open)
		return;
	r->is_open = false;
	now = clock_us(CLOCK_MONOTONIC);
	if (!r->has_heads) {
		r->heads = r->replied != 0 ? r->replied : now;
		a->read = r->heads - r->began;
		if (request != NULL && request->has_line) {
			a->method = request->method;
			a->path = request->uri.path;
		}
	}
	if (r->replied == 0)
		r->replied = now;
	a->serve = r->replied - r->heads;
	a->write = now - r->replied;
	a->bytes_in = s->bytes_in;
	a->bytes_out = s->bytes_out;
	a->status = status;
	a->why = why;
	a->verdict = tally_verdict_name(verdict);
	if (t != NULL)
		report_take_txn(r, t, note);
	r->ready = now;
	report_count(r, request, status, verdict, now);
	if (status >= 400 || status == 0)
		tally_refuse(r->place, a->why != NULL ? a->why : "unknown");
	record_end(view_rings(r->view), r->ring, a, r->log, r->nlogs);
	a->note = NULL;
	a->nnotes = 0;
}
