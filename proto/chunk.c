/* SPDX-License-Identifier: ISC */
/*
 * The chunked-body reader and writer.  Called by body.c on whatever bytes
 * have come, split anywhere; also by clients on replies.  Framing rests on
 * it, so it is strict: what smuggles requests elsewhere (bare line feeds,
 * signs, blanks, bytes between the chunks) is refused here.
 *
 *	chunk          = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
 *	chunk-size     = 1*HEXDIG
 *	last-chunk     = 1*("0") [ chunk-ext ] CRLF
 *	chunk-ext      = *( BWS ";" BWS name [ BWS "=" BWS value ] )
 *
 * It must not buffer: extension names are kept only as far as needed to know
 * the two we understand.
 */
#include <string.h>
#include <strings.h>

#include "chunk.h"

/* BWS after a size: some stacks pad with a few blanks, nobody with many. */
#define BLANKS_MAX	16

void
chunk_init(struct chunk *c, const struct limits *limits)
{
	memset(c, 0, sizeof(*c));
	c->line_max = limits->chunk_line;
	c->trailers_max = limits->trailers;
}

static enum chunk_event
chunk_bad(struct chunk *c, const char *why)
{
	c->why = why;
	return CHUNK_BAD;
}

static bool
is_token(char ch)
{
	return chars_span(&ch, 1, CHARS_TOKEN) == 1;
}

/* An extension is complete: is it one of ours?  Only the last chunk's count. */
static int
chunk_use_extension(struct chunk *c)
{
	struct slice	 name, value;

	name.p = c->name;
	name.len = c->name_len;
	value.p = c->value;
	value.len = c->value_len;
	if (c->left == 0 && !c->has_value && slice_is_nocase(name, "ieof"))
		c->ieof = true;
	if (c->left == 0 && c->has_value &&
	    slice_is_nocase(name, "use-original-body")) {
		if (c->value_len > sizeof(c->value) ||
		    chars_parse_uint(value, CHUNK_SIZE_MAX,
		    &c->original) == -1) {
			c->why = "malformed use-original-body";
			return -1;
		}
		c->has_original = true;
	}
	c->name_len = c->value_len = 0;
	c->has_value = false;
	return 0;
}

static void
keep(char *dst, size_t size, size_t *len, char ch)
{
	if (*len < size)
		dst[*len] = ch;
	if (*len <= size)
		(*len)++;		/* size + 1: too long to be ours */
}

static enum chunk_event
chunk_size_digit(struct chunk *c, char ch)
{
	int	 digit = chars_hex((unsigned char)ch);

	if (c->left > (CHUNK_SIZE_MAX >> 4))
		return chunk_bad(c, "chunk size too large");
	c->left = c->left << 4 | (uint64_t)digit;
	if (c->left > CHUNK_SIZE_MAX)
		return chunk_bad(c, "chunk size too large");
	c->digits = true;
	return CHUNK_MORE;
}

/* A byte that may end an extension or the size: BWS, ";" or CR. */
static enum chunk_event
chunk_after(struct chunk *c, char ch, const char *why)
{
	if (ch == ';')
		c->state = CHUNK_S_EXT;
	else if (ch == '\r')
		c->state = CHUNK_S_SIZE_LF;
	else
		return chunk_bad(c, why);
	return CHUNK_MORE;
}

/* One byte of the chunk-size line. */
static enum chunk_event
chunk_size_byte(struct chunk *c, char ch)
{
	bool	 blank = ch == ' ' || ch == '\t';

	if (++c->line > c->line_max)
		return chunk_bad(c, "chunk-size line too long");
	switch (c->state) {
	case CHUNK_S_SIZE:
		if (chars_hex((unsigned char)ch) != -1)
			return chunk_size_digit(c, ch);
		if (!c->digits)
			return chunk_bad(c, "chunk without a size");
		if (blank) {
			c->blanks = 1;
			c->state = CHUNK_S_SIZE_BLANK;
			return CHUNK_MORE;
		}
		return chunk_after(c, ch, "malformed chunk size");
	case CHUNK_S_SIZE_BLANK:
		if (!blank)
			return chunk_after(c, ch, "malformed chunk size");
		if (++c->blanks > BLANKS_MAX)
			return chunk_bad(c,
			    "too many blanks after a chunk size");
		return CHUNK_MORE;
	case CHUNK_S_EXT:
		if (blank)
			return CHUNK_MORE;
		if (ch == '\r') {
			c->state = CHUNK_S_SIZE_LF;
			return CHUNK_MORE;
		}
		if (!is_token(ch))
			return chunk_bad(c, "malformed chunk extension");
		c->state = CHUNK_S_EXT_NAME;
		/* FALLTHROUGH */
	case CHUNK_S_EXT_NAME:
		if (is_token(ch)) {
			keep(c->name, sizeof(c->name), &c->name_len, ch);
			return CHUNK_MORE;
		}
		c->state = CHUNK_S_EXT_NAME_BLANK;
		/* FALLTHROUGH */
	case CHUNK_S_EXT_NAME_BLANK:
		if (blank)
			return CHUNK_MORE;
		if (ch == '=') {
			c->has_value = true;
			c->state = CHUNK_S_EXT_VALUE;
			return CHUNK_MORE;
		}
		break;
	case CHUNK_S_EXT_VALUE:
		if (blank)
			return CHUNK_MORE;
		if (ch == '"') {
			c->state = CHUNK_S_EXT_QUOTED;
			return CHUNK_MORE;
		}
		if (!is_token(ch))
			return chunk_bad(c, "chunk extension without a value");
		c->state = CHUNK_S_EXT_TOKEN;
		/* FALLTHROUGH */
	case CHUNK_S_EXT_TOKEN:
		if (is_token(ch)) {
			keep(c->value, sizeof(c->value), &c->value_len, ch);
			return CHUNK_MORE;
		}
		c->state = CHUNK_S_EXT_END;
		/* FALLTHROUGH */
	case CHUNK_S_EXT_END:
		if (blank)
			return CHUNK_MORE;
		break;
	case CHUNK_S_EXT_QUOTED:
		if (ch == '\\')
			c->state = CHUNK_S_EXT_ESCAPE;
		else if (ch == '"')
			c->state = CHUNK_S_EXT_END;
		else if (chars_span(&ch, 1, CHARS_TEXT) != 1)
			return chunk_bad(c,
			    "control character in a chunk extension");
		return CHUNK_MORE;
	case CHUNK_S_EXT_ESCAPE:
		if (chars_span(&ch, 1, CHARS_TEXT) != 1)
			return chunk_bad(c,
			    "control character in a chunk extension");
		c->state = CHUNK_S_EXT_QUOTED;
		return CHUNK_MORE;
	default:
		return chunk_bad(c, "chunk decoder out of step");
	}
	if (ch != ';' && ch != '\r')
		return chunk_bad(c, "malformed chunk extension");
	if (chunk_use_extension(c) == -1)
		return CHUNK_BAD;
	return chunk_after(c, ch, "malformed chunk extension");
}

/* One byte of the trailer section, up to and with its empty line. */
static enum chunk_event
chunk_trailer_byte(struct chunk *c, char ch)
{
	if (c->state == CHUNK_S_TRAILER && ch == '\r') {
		c->state = CHUNK_S_END_LF;
		return CHUNK_MORE;
	}
	/* the empty line is no trailer: a limit of 0 allows bodies */
	if (c->state != CHUNK_S_END_LF && ++c->trailers > c->trailers_max)
		return chunk_bad(c, "trailer section too large");
	switch (c->state) {
	case CHUNK_S_TRAILER:
		if (!is_token(ch))
			return chunk_bad(c, "malformed trailer field");
		c->state = CHUNK_S_TRAILER_NAME;
		return CHUNK_TRAILER;
	case CHUNK_S_TRAILER_NAME:
		if (ch == ':')
			c->state = CHUNK_S_TRAILER_VALUE;
		else if (!is_token(ch))
			return chunk_bad(c, "malformed trailer field");
		return CHUNK_TRAILER;
	case CHUNK_S_TRAILER_VALUE:
		if (ch == '\r')
			c->state = CHUNK_S_TRAILER_LF;
		else if (chars_span(&ch, 1, CHARS_TEXT) != 1)
			return chunk_bad(c,
			    "control character in a trailer field");
		return CHUNK_TRAILER;
	case CHUNK_S_TRAILER_LF:
		if (ch != '\n')
			return chunk_bad(c,
			    "bare carriage return in a trailer");
		c->state = CHUNK_S_TRAILER;
		return CHUNK_TRAILER;
	case CHUNK_S_END_LF:
		if (ch != '\n')
			return chunk_bad(c, "chunked body ends without CRLF");
		c->state = CHUNK_S_END;
		return CHUNK_END;
	default:
		return chunk_bad(c, "chunk decoder out of step");
	}
}

/* The trailer section, as large a piece of it as there is. */
static enum chunk_event
chunk_parse_trailer(struct chunk *c, const char *p, size_t len, size_t *used,
    struct slice *out)
{
	enum chunk_event	 event = CHUNK_MORE;
	size_t			 start = *used;
	bool			 any = false;

	while (*used < len) {
		event = chunk_trailer_byte(c, p[*used]);
		if (event == CHUNK_BAD)
			return event;
		if (event != CHUNK_TRAILER) {
			if (!any) {
				(*used)++;
				return event;
			}
			/* hand out the fields first, this byte next time */
			c->state = CHUNK_S_TRAILER;
			break;
		}
		any = true;
		(*used)++;
	}
	if (!any)
		return CHUNK_MORE;
	out->p = p + start;
	out->len = *used - start;
	return CHUNK_TRAILER;
}

static void
chunk_next(struct chunk *c)
{
	c->state = CHUNK_S_SIZE;
	c->digits = false;
	c->line = 0;
	c->blanks = 0;
}

enum chunk_event
chunk_parse(struct chunk *c, const char *p, size_t len, size_t *used,
    struct slice *out)
{
	char	 ch;

	*used = 0;
	while (*used < len) {
		ch = p[*used];
		switch (c->state) {
		case CHUNK_S_SIZE_LF:
			if (ch != '\n')
				return chunk_bad(c,
				    "bare carriage return in a chunk size");
			(*used)++;
			c->state = c->left > 0 ? CHUNK_S_DATA : CHUNK_S_TRAILER;
			break;
		case CHUNK_S_DATA:
			out->p = p + *used;
			out->len = len - *used;
			if (out->len > c->left)
				out->len = (size_t)c->left;
			*used += out->len;
			c->left -= out->len;
			if (c->left == 0)
				c->state = CHUNK_S_DATA_CR;
			return CHUNK_DATA;
		case CHUNK_S_DATA_CR:
			if (ch != '\r')
				return chunk_bad(c,
				    "chunk longer than its size");
			(*used)++;
			c->state = CHUNK_S_DATA_LF;
			break;
		case CHUNK_S_DATA_LF:
			if (ch != '\n')
				return chunk_bad(c,
				    "chunk longer than its size");
			(*used)++;
			chunk_next(c);
			break;
		case CHUNK_S_TRAILER:
		case CHUNK_S_TRAILER_NAME:
		case CHUNK_S_TRAILER_VALUE:
		case CHUNK_S_TRAILER_LF:
		case CHUNK_S_END_LF:
			switch (chunk_parse_trailer(c, p, len, used, out)) {
			case CHUNK_BAD:
				return CHUNK_BAD;
			case CHUNK_TRAILER:
				return CHUNK_TRAILER;
			case CHUNK_END:
				return CHUNK_END;
			default:
				break;
			}
			break;
		case CHUNK_S_END:
			return CHUNK_END;
		default:
			if (chunk_size_byte(c, ch) == CHUNK_BAD)
				return CHUNK_BAD;
			(*used)++;
			break;
		}
	}
	return c->state == CHUNK_S_END ? CHUNK_END : CHUNK_MORE;
}

size_t
chunk_format(char *dst, uint64_t size)
{
	char	 digits[16];
	size_t	 n = 0, len = 0;

	do {
		digits[n++] = "0123456789abcdef"[size & 0xf];
		size >>= 4;
	} while (size > 0);
	while (n > 0)
		dst[len++] = digits[--n];
	dst[len++] = '\r';
	dst[len++] = '\n';
	return len;
}
