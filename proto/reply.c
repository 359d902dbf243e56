/* SPDX-License-Identifier: ISC */
/*
 * ICAP replies, in the one format that every surveyed client understands
 * (conformance.md 0a): Encapsulated last, one blank after each colon, nothing
 * folded, ICAP head, HTTP head and first chunk in one write.  Called by
 * txn.c, options.c and session.c.  It must not decide what to answer.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chunk.h"
#include "reply.h"

/* Room kept for the Encapsulated header, which must always fit. */
#define ENCAPSULATED_MAX	96

/* Clients take chunk sizes as signed 32-bit numbers (C187). */
#define CHUNK_SEND_MAX		(UINT64_C(1) << 30)

static const struct {
	int		 status;
	const char	*reason;
} reasons[] = {
	{ 100, "Continue" },
	{ 200, "OK" },
	{ 204, "No modifications needed" },
	{ 206, "Partial Content" },
	{ 400, "Bad request" },
	{ 403, "Forbidden" },
	{ 404, "ICAP Service not found" },
	{ 405, "Method not allowed for service" },
	{ 407, "Proxy authentication required" },
	{ 408, "Request timeout" },
	{ 413, "Request entity too large" },
	{ 414, "Request URI too long" },
	{ 418, "Bad composition" },
	{ 500, "Server error" },
	{ 501, "Method not implemented" },
	{ 503, "Service overloaded" },
	{ 505, "ICAP version not supported" },
};

const char *
reply_reason(int status)
{
	size_t	 i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static inline void
reply_put(struct reply *r, const char *p, size_t len)
{
	assert(len <= sizeof(r->head) - r->len);
	memcpy(r->head + r->len, p, len);
	r->len += len;
}

static inline void
reply_puts(struct reply *r, const char *s)
{
	reply_put(r, s, strlen(s));
}

void
reply_start(struct reply *r, int status, const char *istag, bool close)
{
	char	 code[4];

	assert(status >= 100 && status <= 599);
	r->status = status;
	r->len = 0;
	r->overflow = false;
	code[0] = (char)('0' + status / 100);
	code[1] = (char)('0' + status / 10 % 10);
	code[2] = (char)('0' + status % 10);
	code[3] = ' ';
	reply_puts(r, "ICAP/1.0 ");
	reply_put(r, code, sizeof(code));
	reply_puts(r, reply_reason(status));
	reply_puts(r, "\r\nISTag: \"");
	assert(strlen(istag) <= REPLY_ISTAG_MAX);
	reply_puts(r, istag);
	reply_puts(r, "\"\r\n");
	if (close)
		reply_puts(r, "Connection: close\r\n");
}

int
reply_add(struct reply *r, const char *name, struct slice value)
{
	size_t	 len = strlen(name) + 2 + value.len + 2;

	value = slice_trim(value);
	if (value.len == 0 ||
	    chars_span(value.p, value.len, CHARS_TEXT) != value.len)
		return -1;
	if (len > sizeof(r->head) - ENCAPSULATED_MAX - r->len) {
		r->overflow = true;
		return -1;
	}
	reply_puts(r, name);
	reply_puts(r, ": ");
	reply_put(r, value.p, value.len);
	reply_puts(r, "\r\n");
	return 0;
}

int
reply_add_text(struct reply *r, const char *name, const char *text)
{
	struct slice	 value = { text, strlen(text) };

	return reply_add(r, name, value);
}

#define DIGITS_MAX	20	/* of a number of 64 bits */

/* A decimal number; printf would take a thousand instructions for it. */
static struct slice
reply_format_uint(char digits[DIGITS_MAX], uint64_t n)
{
	struct slice	 s = { digits + DIGITS_MAX, 0 };

	do {
		digits[DIGITS_MAX - ++s.len] = (char)('0' + n % 10);
		s.p--;
	} while ((n /= 10) > 0);
	return s;
}

int
reply_add_uint(struct reply *r, const char *name, uint64_t n)
{
	char	 digits[DIGITS_MAX];

	return reply_add(r, name, reply_format_uint(digits, n));
}

int
reply_addf(struct reply *r, const char *name, const char *fmt, ...)
{
	char		 text[1024];
	struct slice	 value;
	va_list		 ap;
	int		 n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		r->overflow = true;
		return -1;
	}
	value.p = text;
	value.len = (size_t)n;
	return reply_add(r, name, value);
}

void
reply_add_lines(struct reply *r, const char *lines, size_t len)
{
	if (len > sizeof(r->head) - ENCAPSULATED_MAX - r->len)
		r->overflow = true;
	else if (len > 0)
		reply_put(r, lines, len);
}

void
reply_end(struct reply *r, enum encap_entity hdr, size_t hdr_len,
    enum encap_entity body)
{
	char		 digits[DIGITS_MAX];
	struct slice	 offset;

	reply_puts(r, "Encapsulated: ");
	if (hdr_len == 0) {
		reply_puts(r, encap_name(body));
		reply_puts(r, "=0\r\n\r\n");
		return;
	}
	reply_puts(r, encap_name(hdr));
	reply_puts(r, "=0, ");
	reply_puts(r, encap_name(body));
	reply_puts(r, "=");
	offset = reply_format_uint(digits, hdr_len);
	reply_put(r, offset.p, offset.len);
	reply_puts(r, "\r\n\r\n");
}

int
reply_send(const struct reply *r, struct stream *s)
{
	return stream_write(s, r->head, r->len);
}

int
reply_refuse(struct stream *s, const struct fault *fault, const char *istag,
    const char *name, const char *value)
{
	struct reply	 r;

	reply_start(&r, fault->status, istag, true);
	/* what is wrong here is for our log, not for the client (C229) */
	if (fault->status != 500)
		(void)reply_addf(&r, "X-Error-Reason", "%s", fault->why);
	if (name != NULL)
		(void)reply_add_text(&r, name, value);
	reply_end(&r, ENCAP_RES_HDR, 0, ENCAP_NULL_BODY);
	return reply_send(&r, s);
}

static void
iov_add(struct iovec *iov, int *n, const char *p, size_t len)
{
	if (len == 0)
		return;
	assert(*n < STREAM_IOV_MAX);
	iov[*n].iov_base = (void *)(uintptr_t)p;
	iov[*n].iov_len = len;
	(*n)++;
}

/* What has been waiting for the first bytes of the body. */
static void
iov_lead(struct iovec *iov, int *n, struct reply_body *rb)
{
	int	 i;

	for (i = 0; i < rb->nlead; i++)
		iov_add(iov, n, rb->lead[i].iov_base, rb->lead[i].iov_len);
	rb->nlead = 0;
}

/* The first byte of `bytes` completes an open chunk. */
static void
iov_close(struct iovec *iov, int *n, struct reply_body *rb,
    struct slice *bytes)
{
	if (!rb->open)
		return;
	assert(bytes->len > 0);
	iov_add(iov, n, bytes->p, 1);
	iov_add(iov, n, "\r\n", 2);
	bytes->p++;
	bytes->len--;
	rb->open = false;
}

int
reply_send_open(struct reply_body *rb, struct slice bytes)
{
	struct iovec	 iov[STREAM_IOV_MAX];
	char		 head[CHUNK_HEAD_MAX];
	int		 n = 0;

	if (bytes.len == 0)
		return 0;
	iov_lead(iov, &n, rb);
	iov_close(iov, &n, rb, &bytes);
	iov_add(iov, &n, head, chunk_format(head, bytes.len + 1));
	iov_add(iov, &n, bytes.p, bytes.len);
	rb->open = true;
	return stream_writev(rb->s, iov, n);
}

int
reply_send_chunk(struct reply_body *rb, struct slice bytes, bool last,
    struct slice trailers)
{
	struct iovec	 iov[STREAM_IOV_MAX];
	char		 head[CHUNK_HEAD_MAX];
	int		 n = 0;

	if (bytes.len == 0 && !last)
		return 0;
	iov_lead(iov, &n, rb);
	iov_close(iov, &n, rb, &bytes);
	if (bytes.len > 0) {
		iov_add(iov, &n, head, chunk_format(head, bytes.len));
		iov_add(iov, &n, bytes.p, bytes.len);
		iov_add(iov, &n, "\r\n", 2);
	}
	if (last) {
		iov_add(iov, &n, "0\r\n", 3);
		iov_add(iov, &n, trailers.p, trailers.len);
		iov_add(iov, &n, "\r\n", 2);
	}
	return stream_writev(rb->s, iov, n);
}

int
reply_send_file(struct reply_body *rb, int fd, uint64_t offset, uint64_t len)
{
	struct iovec	 iov[STREAM_IOV_MAX];
	char		 head[CHUNK_HEAD_MAX];
	uint64_t	 piece;
	int		 n;

	assert(!rb->open);
	while (len > 0) {
		piece = len < CHUNK_SEND_MAX ? len : CHUNK_SEND_MAX;
		n = 0;
		iov_lead(iov, &n, rb);
		iov_add(iov, &n, head, chunk_format(head, piece));
		if (stream_writev(rb->s, iov, n) == -1 ||
		    stream_sendfile(rb->s, fd, (off_t)offset, piece) == -1 ||
		    stream_write(rb->s, "\r\n", 2) == -1)
			return -1;
		offset += piece;
		len -= piece;
	}
	return 0;
}

int
reply_send_original(struct reply_body *rb, uint64_t offset)
{
	struct iovec	 iov[STREAM_IOV_MAX];
	char		 last[64];
	int		 n = 0, len;

	len = snprintf(last, sizeof(last),
	    "0; use-original-body=%llu\r\n\r\n", (unsigned long long)offset);
	iov_lead(iov, &n, rb);
	iov_add(iov, &n, last, (size_t)len);
	return stream_writev(rb->s, iov, n);
}
