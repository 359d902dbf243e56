/* SPDX-License-Identifier: ISC */
/*
 * What is in a multipart body, at all depths: each part as it is, what it was
 * before base64 or quoted-printable, its own parts, and what is behind the
 * head of a message in it.  Called by clamav.c, which has all of these
 * scanned.  It must not leave out what some reader might see without giving a
 * reason, nor undo what readers undo in different ways.  Only mail is left to
 * the engine, which takes it apart for itself as it does an archive: what is
 * clear in it is handed on all the same, what is not gives no reason.
 *
 * The work has a bound.  A level hands on each byte of its body once, and
 * where it is open what its delimiters are, once more; a part that is decoded
 * becomes at most two files, that of quoted-printable with either end of
 * lines, none larger than twice the part, of base64 three quarters of it.
 * That a body may be open in this way at each level would double the work
 * with every one of them, so all that is handed on may be no more than
 * 2 * CLAMAV_DEPTH_MAX times its size: what is not open at every level stays
 * below that.  What is searched was handed on before.  Files are so many for
 * each part as there are levels, and parts are counted.
 */
#include "clamav.h"

static bool	 walk_parts(struct clamav_walk *w, struct slice boundary,
		    size_t offset, size_t len, unsigned int depth);
static bool	 walk_file(struct clamav_walk *w, const struct clamav_head *h,
		    size_t offset, size_t len, unsigned int depth);

/* What is not clear; in mail that is the engine's. */
static void
tell(const struct clamav_walk *w, enum clamd_result result, const char *text)
{
	if (w->nmails == 0)
		w->reason(w->arg, result, text);
}

static bool
take_part(struct clamav_walk *w)
{
	if (++w->nparts <= w->max_parts)
		return true;
	w->reason(w->arg, CLAMD_LIMIT, "too many parts");
	return false;
}

/* Another file of so many bytes.  Returns whether that is still possible. */
static bool
take_work(struct clamav_walk *w, size_t len)
{
	if (w->work + len > 2 * CLAMAV_DEPTH_MAX * (uint64_t)w->len) {
		w->reason(w->arg, CLAMD_LIMIT, "too much in parts");
		return false;
	}
	w->work += len;
	return true;
}

/* One way to decode it. */
static bool
decode(struct clamav_walk *w, struct clamav_decoder *d, size_t offset,
    size_t len)
{
	if (!take_work(w, len))
		return false;
	return w->decode(w->arg, d, offset, len);
}

/*
 * The ends of lines in quoted-printable are for some readers those of their
 * system.
 */
static bool
walk_coded(struct clamav_walk *w, enum clamav_coding coding, bool is_lf,
    size_t offset, size_t len)
{
	struct clamav_decoder	 d;

	clamav_decode_init(&d, coding, is_lf, is_lf);
	if (!decode(w, &d, offset, len))
		return false;
	if (d.is_odd) {
		tell(w, CLAMD_ENCODED, coding == CLAMAV_BASE64 ?
		    "odd base64" : "odd quoted-printable");
		return true;
	}
	if (!d.has_lines)
		return true;
	clamav_decode_init(&d, coding, is_lf, !is_lf);
	return decode(w, &d, offset, len);
}

/* An HTTP message ends after its length, for those who go by that. */
static bool
walk_length(struct clamav_walk *w, const struct clamav_head *h,
    struct slice rest, unsigned int depth)
{
	size_t	 len, offset = (size_t)(rest.p - w->p);

	if (!h->has_length || rest.len == 0)
		return true;
	if (h->is_length_odd) {
		tell(w, CLAMD_FORM, "the length of a message");
		return true;
	}
	if (h->length >= rest.len)
		return true;
	for (len = (size_t)h->length; len < rest.len; len++)
		if (rest.p[len] != '\r' && rest.p[len] != '\n') {
			tell(w, CLAMD_FORM, "several messages");
			break;
		}
	return take_part(w) &&
	    walk_file(w, h, offset, (size_t)h->length, depth);
}

/* What is behind the start line and the head of a message of HTTP. */
static bool
walk_http(struct clamav_walk *w, size_t offset, size_t len,
    unsigned int depth)
{
	struct slice		 message = { w->p + offset, len }, head, rest;
	struct clamav_head	 h;

	if (!clamav_head_split(message, true, &head, &rest)) {
		tell(w, CLAMD_FORM, "the head of a message");
		return true;
	}
	clamav_head_parse(&h, head);
	return walk_file(w, &h, (size_t)(rest.p - w->p), rest.len, depth) &&
	    walk_length(w, &h, rest, depth);
}

/* The same of mail. */
static bool
walk_mail(struct clamav_walk *w, size_t offset, size_t len,
    unsigned int depth)
{
	struct slice		 message = { w->p + offset, len }, head, rest;
	struct clamav_head	 h;
	bool			 go_on;

	if (!clamav_head_split(message, false, &head, &rest))
		return true;
	clamav_head_parse(&h, head);
	w->nmails++;
	go_on = walk_file(w, &h, (size_t)(rest.p - w->p), rest.len, depth);
	w->nmails--;
	return go_on;
}

/* What more is in it than its bytes, if these are in no coding. */
static bool
walk_inside(struct clamav_walk *w, const struct clamav_head *h, size_t offset,
    size_t len, unsigned int depth)
{
	if (h->kind == CLAMAV_FILE || h->kind == CLAMAV_KIND_ODD)
		return true;
	if (depth == CLAMAV_DEPTH_MAX) {
		tell(w, CLAMD_FORM, "parts too deep");
		return true;
	}
	if (h->kind == CLAMAV_MULTIPART)
		return walk_parts(w, h->boundary, offset, len, depth + 1);
	return h->kind == CLAMAV_HTTP ?
	    walk_http(w, offset, len, depth + 1) :
	    walk_mail(w, offset, len, depth + 1);
}

/* The bytes behind a head, whatever it says, and what it says. */
static bool
walk_file(struct clamav_walk *w, const struct clamav_head *h, size_t offset,
    size_t len, unsigned int depth)
{
	if (len == 0)
		return true;
	if (!take_work(w, len) || !w->scan(w->arg, offset, len))
		return false;
	if (h->kind == CLAMAV_KIND_ODD)
		tell(w, CLAMD_FORM, "the type of a part");
	if (h->is_packed) {
		tell(w, CLAMD_ENCODED, "Content-Encoding of a part");
		return true;
	}
	if (h->coding == CLAMAV_CODING_NONE)
		return walk_inside(w, h, offset, len, depth);
	/* what has parts may not be in one (RFC 2045 6.4) */
	if (h->coding == CLAMAV_CODING_ODD || h->kind != CLAMAV_FILE) {
		tell(w, CLAMD_ENCODED, "Content-Transfer-Encoding");
		return true;
	}
	return walk_coded(w, h->coding, h->is_lf, offset, len);
}

static bool
walk_parts(struct clamav_walk *w, struct slice boundary, size_t offset,
    size_t len, unsigned int depth)
{
	struct clamav_form	 f;
	struct clamav_part	 part;
	struct clamav_head	 h;
	const char		*doubt;

	clamav_form_init(&f, boundary, w->p + offset, len);
	while (clamav_form_next(&f, &part)) {
		clamav_head_parse(&h, part.head);
		if (!take_part(w) || !walk_file(w, &h, offset + part.offset,
		    part.len, depth))
			return false;
	}
	if ((doubt = clamav_form_doubt(&f)) != NULL)
		tell(w, CLAMD_FORM, doubt);
	if (f.is_coded)
		tell(w, CLAMD_ENCODED, "Content-Transfer-Encoding");
	return true;
}

bool
clamav_walk_form(struct clamav_walk *w, struct slice boundary)
{
	return walk_parts(w, boundary, 0, w->len, 1);
}

bool
clamav_walk_coded(struct clamav_walk *w, enum clamav_coding coding)
{
	return walk_coded(w, coding, false, 0, w->len);
}
