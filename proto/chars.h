/* SPDX-License-Identifier: ISC */
#ifndef PROTO_CHARS_H
#define PROTO_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/*
 * A piece of somebody else's memory: pointer and length, never terminated.
 * It is as valid as the buffer it points into.
 */
struct slice {
	const char	*p;
	size_t		 len;
};

/* Classes of bytes, to be or-ed together. */
#define CHARS_TOKEN	0x01	/* tchar, RFC 9110 5.6.2 */
#define CHARS_TEXT	0x02	/* HTAB, SP, VCHAR, obs-text: a field value */
#define CHARS_VISIBLE	0x04	/* 0x21-0x7e: a request target */
#define CHARS_DIGIT	0x08
#define CHARS_HEX	0x10
#define CHARS_BLANK	0x20	/* SP and HTAB */

/* The classes of each byte. */
extern const unsigned char	 chars_classes[256];

/* Leading bytes of p, at least 8, that are plainly text, or plainly visible. */
size_t	 chars_span_text(const char *p, size_t len);
size_t	 chars_span_visible(const char *p, size_t len);

/*
 * Number of leading bytes of p (len bytes) that are in one of the classes.
 * Inline, for most are asked of a few bytes.
 */
static inline size_t
chars_span(const char *p, size_t len, unsigned int classes)
{
	size_t	 i = 0;

	if (len >= 8 && (classes & CHARS_TEXT) != 0)
		i = chars_span_text(p, len);
	else if (len >= 8 && (classes & CHARS_VISIBLE) != 0)
		i = chars_span_visible(p, len);
	while (i < len && (chars_classes[(unsigned char)p[i]] & classes) != 0)
		i++;
	return i;
}

/*
 * Length of the UTF-8 character (RFC 3629) that p, of len bytes, begins with;
 * 0 where it begins with none.
 */
size_t	 chars_utf8(const char *p, size_t len);

/* Value of a hexadecimal digit, or -1. */
int	 chars_hex(unsigned char c);

/*
 * Reads s as a decimal number: digits only, at least one, leading zeros
 * allowed.  Returns 0 and the number, or -1 when s is something else or is
 * larger than max.
 */
int	 chars_parse_uint(struct slice s, uint64_t max, uint64_t *number);

/* s without blanks (SP, HTAB) at both ends. */
static inline struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 &&
	    (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/*
 * Is s the string `is`, byte for byte, or whatever the case of ASCII letters?
 * Inline, so that the length of a literal is known and most calls end there,
 * or with the case that nearly all senders use.
 */
static inline bool
slice_is(struct slice s, const char *is)
{
	return s.len == strlen(is) && memcmp(s.p, is, s.len) == 0;
}

static inline bool
slice_is_nocase(struct slice s, const char *is)
{
	return s.len == strlen(is) && (memcmp(s.p, is, s.len) == 0 ||
	    strncasecmp(s.p, is, s.len) == 0);
}

/* Does s begin with `with`, whatever the case? */
static inline bool
slice_begins_nocase(struct slice s, const char *with)
{
	struct slice	 begin = { s.p, strlen(with) };

	return s.len >= begin.len && slice_is_nocase(begin, with);
}

/*
 * Cuts the next element off a comma-separated list (RFC 9110 5.6.1): blanks
 * around it are gone, empty elements are skipped, commas in a quoted-string
 * do not separate.  Returns false at the end of the list.
 */
bool	 slice_next(struct slice *list, struct slice *element);

/* Does the list hold the element `is`, whatever its case?  No substrings. */
bool	 slice_list_has(struct slice list, const char *is);

/*
 * Ends a text of at most size bytes, and leaves no C0 and no DEL in it but
 * `keep`, so that it can be shown wherever it came from.
 */
void	 chars_clean(char *text, size_t size, char keep);

#endif
