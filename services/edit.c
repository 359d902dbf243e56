/* SPDX-License-Identifier: ISC */
/*
 * Reading and editing the heads of a transaction.  Called by services through
 * the contract, and by txn.c for Content-Length.  A head is copied when it is
 * first edited; lines that are not touched stay as they came, byte for byte.
 * Framing is the server's: no service can set a field it rests on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../proto/http.h"
#include "txn.h"

/* An edited head may be larger than what is received, but not without end. */
#define HEAD_SLACK	(64 * 1024)

static const char *const framing[] = {
	"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "TE",
	"Trailer", "Transfer-Encoding", "Upgrade",
};

static bool
is_adapted(const struct txn *t, bool response)
{
	return (txn_is_response(t) != 0) == response;
}

static struct slice
head_of(const struct txn *t, bool response)
{
	struct slice	 edited = { t->head.p, t->head.len };

	if (is_adapted(t, response) && t->head.len > 0)
		return edited;
	return response ? t->res_head : t->req_head;
}

struct slice
txn_head(const struct txn *t)
{
	return head_of(t, txn_is_response(t));
}

static const char *
slice_out(struct slice s, size_t *len)
{
	*len = s.len;
	return s.p;
}

int
txn_is_response(const struct txn *t)
{
	return t->request->method == ICAP_RESPMOD;
}

const char *
txn_request_head(const struct txn *t, size_t *len)
{
	return slice_out(head_of(t, false), len);
}

const char *
txn_response_head(const struct txn *t, size_t *len)
{
	return slice_out(head_of(t, true), len);
}

const char *
txn_request_line(const struct txn *t, size_t *len)
{
	return slice_out(http_start_line(head_of(t, false)), len);
}

const char *
txn_status_line(const struct txn *t, size_t *len)
{
	return slice_out(http_start_line(head_of(t, true)), len);
}

const char *
txn_method(const struct txn *t, size_t *len)
{
	struct slice	 method, target, version;

	http_split_request(http_start_line(head_of(t, false)), &method,
	    &target, &version);
	return slice_out(method, len);
}

const char *
txn_uri(const struct txn *t, size_t *len)
{
	struct slice	 method, target, version;

	http_split_request(http_start_line(head_of(t, false)), &method,
	    &target, &version);
	return slice_out(target, len);
}

int
txn_response_status(const struct txn *t)
{
	return http_status(http_start_line(head_of(t, true)));
}

static const char *
find_header(struct slice head, const char *name, size_t *len)
{
	struct slice	 value;

	*len = 0;
	if (!http_find(head, name, &value))
		return NULL;
	return slice_out(value, len);
}

const char *
txn_request_header(const struct txn *t, const char *name, size_t *len)
{
	return find_header(head_of(t, false), name, len);
}

const char *
txn_response_header(const struct txn *t, const char *name, size_t *len)
{
	return find_header(head_of(t, true), name, len);
}

static const char *
find_next_header(struct slice head, const char *name, size_t *pos,
    size_t *len)
{
	struct http_field	 f;

	*len = 0;
	if (!http_find_next(head, name, pos, &f))
		return NULL;
	return slice_out(f.value, len);
}

const char *
txn_next_request_header(const struct txn *t, const char *name, size_t *pos,
    size_t *len)
{
	return find_next_header(head_of(t, false), name, pos, len);
}

const char *
txn_next_response_header(const struct txn *t, const char *name, size_t *pos,
    size_t *len)
{
	return find_next_header(head_of(t, true), name, pos, len);
}

const char *
txn_icap_header(const struct txn *t, const char *name, size_t *len)
{
	const struct header_field	*f;

	*len = 0;
	if ((f = header_find(&t->request->header, name)) == NULL)
		return NULL;
	return slice_out(f->value, len);
}

const char *
txn_arguments(const struct txn *t, size_t *len)
{
	return slice_out(t->request->uri.query, len);
}

const char *
txn_service_path(const struct txn *t)
{
	return t->plan->path;
}

static bool
is_framing(struct slice name)
{
	size_t	 i;

	for (i = 0; i < sizeof(framing) / sizeof(framing[0]); i++)
		if (slice_is_nocase(name, framing[i]))
			return true;
	return false;
}

int
txn_check_field(const char *name, const char *value)
{
	struct slice	 s = { name, strlen(name) };

	if (s.len == 0 || chars_span(name, s.len, CHARS_TOKEN) != s.len ||
	    (value != NULL &&
	    chars_span(value, strlen(value), CHARS_TEXT) != strlen(value))) {
		errno = EINVAL;
		return -1;
	}
	if (is_framing(s)) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* The copy that is edited. */
static int
edit_begin(struct txn *t)
{
	struct slice	 head = txn_head(t);

	if (t->started) {
		errno = EALREADY;
		return -1;
	}
	if (t->head.len > 0)
		return 0;
	if (head.len == 0) {
		errno = ENOENT;
		return -1;
	}
	return bytes_add(&t->head, head.p, head.len);
}

size_t
txn_head_max(const struct txn *t)
{
	return t->request->limits->http_heads + HEAD_SLACK;
}

static int
edit_check_room(const struct txn *t, size_t more)
{
	if (more > txn_head_max(t) || t->head.len > txn_head_max(t) - more) {
		errno = E2BIG;
		return -1;
	}
	return 0;
}

/* Puts "name: value" CRLF in the place of old_len bytes at offset at. */
static int
edit_put(struct txn *t, size_t at, size_t old_len, const char *name,
    const char *value)
{
	size_t	 nlen = strlen(name), vlen = strlen(value);

	if (edit_check_room(t, nlen + vlen + 4) == -1)
		return -1;
	/* whole or not at all: half a line would be another head */
	if (bytes_reserve(&t->head, t->head.len + nlen + vlen + 4) == -1)
		return -1;
	/* from the back, so that each piece goes to the same place */
	if (bytes_splice(&t->head, at, old_len, "\r\n", 2) == -1 ||
	    bytes_splice(&t->head, at, 0, value, vlen) == -1 ||
	    bytes_splice(&t->head, at, 0, ": ", 2) == -1 ||
	    bytes_splice(&t->head, at, 0, name, nlen) == -1)
		return -1;
	return 0;
}

/* Drops the fields of that name from offset pos on, however many. */
static void
edit_drop(struct txn *t, const char *name, size_t pos)
{
	struct slice		 head = { t->head.p, t->head.len };
	struct http_field	 f;
	size_t			 kept = pos, from = pos, n;

	while (http_find_next(head, name, &pos, &f)) {
		n = pos - f.line.len - from;
		memmove(t->head.p + kept, t->head.p + from, n);
		kept += n;
		from = pos;
	}
	memmove(t->head.p + kept, t->head.p + from, t->head.len - from);
	t->head.len -= from - kept;
}

/*
 * Replaces the first field of that name (value NULL: not even that one),
 * drops the others, and appends where there is none and append says so.
 */
static int
edit_field(struct txn *t, const char *name, const char *value, bool append)
{
	struct http_field	 f;
	size_t			 pos = 0, at;

	if (edit_begin(t) == -1)
		return -1;
	if (value == NULL)
		edit_drop(t, name, 0);
	else if (http_find_next(txn_head(t), name, &pos, &f)) {
		at = pos - f.line.len;
		if (edit_put(t, at, f.line.len, name, value) == -1)
			return -1;
		edit_drop(t, name, at + strlen(name) + strlen(value) + 4);
	} else if (append)
		return edit_put(t, pos, 0, name, value);
	return 0;
}

int
txn_set_header(struct txn *t, const char *name, const char *value)
{
	if (value == NULL) {
		errno = EINVAL;
		return -1;
	}
	if (txn_check_field(name, value) == -1)
		return -1;
	return edit_field(t, name, value, true);
}

int
txn_add_header(struct txn *t, const char *name, const char *value)
{
	struct slice		 head;
	struct http_field	 f;
	size_t			 pos = 0;

	if (value == NULL) {
		errno = EINVAL;
		return -1;
	}
	if (txn_check_field(name, value) == -1 || edit_begin(t) == -1)
		return -1;
	head = txn_head(t);
	while (http_next_field(head, &pos, &f))
		;
	return edit_put(t, pos, 0, name, value);
}

int
txn_remove_header(struct txn *t, const char *name)
{
	if (txn_check_field(name, NULL) == -1)
		return -1;
	return edit_field(t, name, NULL, false);
}

int
txn_set_start_line(struct txn *t, const char *line, size_t len)
{
	struct slice	 old;

	if (len == 0 || chars_span(line, len, CHARS_TEXT) != len) {
		errno = EINVAL;
		return -1;
	}
	if (edit_begin(t) == -1 || edit_check_room(t, len) == -1)
		return -1;
	old = http_start_line(txn_head(t));
	return bytes_splice(&t->head, 0, old.len, line, len);
}

/* The framing fields of a head, one after the other. */
static bool
next_framing(struct slice head, size_t *pos, struct http_field *f)
{
	while (http_next_field(head, pos, f))
		if (is_framing(f->name))
			return true;
	return false;
}

/*
 * Is it one head, with nothing behind an empty line, no NUL, and no CR that
 * others may take for the end of a line?
 */
static bool
is_one_head(struct slice head)
{
	struct http_field	 f;
	struct fault		 fault;
	const char		*p, *end = head.p + head.len;
	size_t			 pos = 0;

	if (http_check_head(head, &fault) == -1 ||
	    memchr(head.p, '\0', head.len) != NULL)
		return false;
	for (p = head.p; (p = memchr(p, '\r', (size_t)(end - p))) != NULL; p++)
		if (p + 1 == end || p[1] != '\n')
			return false;
	while (http_next_field(head, &pos, &f))
		;
	return pos + 2 == head.len ||
	    (pos == 0 && http_start_line(head).len + 4 == head.len);
}

int
txn_set_head(struct txn *t, const char *head, size_t len)
{
	struct slice		 new = { head, len }, old = txn_head(t);
	struct http_field	 f, g;
	size_t			 i = 0, k = 0;
	bool			 more;

	if (t->started) {
		errno = EALREADY;
		return -1;
	}
	if (old.len == 0) {
		errno = ENOENT;
		return -1;
	}
	if (len > txn_head_max(t)) {
		errno = E2BIG;
		return -1;
	}
	if (!is_one_head(new)) {
		errno = EINVAL;
		return -1;
	}
	do {
		more = next_framing(old, &i, &f);
		if (next_framing(new, &k, &g) != more || (more &&
		    (f.line.len != g.line.len ||
		    memcmp(f.line.p, g.line.p, f.line.len) != 0))) {
			errno = EPERM;
			return -1;
		}
	} while (more);
	return bytes_splice(&t->head, 0, t->head.len, head, len);
}

int
txn_swap_head(struct txn *t, struct bytes *head)
{
	struct bytes	 old = t->head;

	if (t->started) {
		errno = EALREADY;
		return -1;
	}
	if (head->len > txn_head_max(t)) {
		errno = E2BIG;
		return -1;
	}
	t->head = *head;
	*head = old;
	return 0;
}

int
txn_set_length(struct txn *t, int64_t len)
{
	struct slice	 value;
	char		 digits[24];

	if (!http_find(txn_head(t), "Content-Length", &value))
		return 0;
	(void)snprintf(digits, sizeof(digits), "%lld", (long long)len);
	return edit_field(t, "Content-Length", len < 0 ? NULL : digits, false);
}

void
txn_forget_edits(struct txn *t)
{
	bytes_free(&t->head);
}
