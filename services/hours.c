/* SPDX-License-Identifier: ISC */
/*
 * Times of the week at which a rule holds.  Called by the policies of
 * services, with the local time.  It must not ask for the time itself.
 */
#include <string.h>

#include "../proto/chars.h"
#include "hours.h"

#define MINUTES_DAY	(24 * 60)

static int
parse_day(struct slice s)
{
	static const char *const	 name[] = {
		"sun", "mon", "tue", "wed", "thu", "fri", "sat"
	};
	int				 i;

	for (i = 0; i < 7; i++)
		if (slice_is_nocase(s, name[i]))
			return i;
	return -1;
}

/* "mon-fri" or "sun" */
static int
parse_days(struct slice s, unsigned char *days)
{
	const char	*dash = memchr(s.p, '-', s.len);
	struct slice	 a = s, b;
	int		 from, to;

	if (slice_is_nocase(s, "daily")) {
		*days = 0x7f;
		return 0;
	}
	if (dash != NULL)
		a.len = (size_t)(dash - s.p);
	if ((from = to = parse_day(a)) == -1)
		return -1;
	if (dash != NULL) {
		b.p = dash + 1;
		b.len = s.len - a.len - 1;
		if ((to = parse_day(b)) == -1)
			return -1;
	}
	for (; from != to; from = (from + 1) % 7)
		*days |= (unsigned char)(1 << from);
	*days |= (unsigned char)(1 << to);
	return 0;
}

/* "08:00" */
static int
parse_time(struct slice s, int *minute)
{
	const char	*colon = memchr(s.p, ':', s.len);
	struct slice	 h, m;
	uint64_t	 hour, min;

	if (colon == NULL)
		return -1;
	h.p = s.p;
	h.len = (size_t)(colon - s.p);
	m.p = colon + 1;
	m.len = s.len - h.len - 1;
	if (h.len > 2 || m.len != 2 || chars_parse_uint(h, 24, &hour) == -1 ||
	    chars_parse_uint(m, 59, &min) == -1 || (hour == 24 && min != 0))
		return -1;
	*minute = (int)(hour * 60 + min);
	return 0;
}

static int
parse_range(struct hours *h, struct slice s)
{
	const char	*dash = memchr(s.p, '-', s.len);
	struct slice	 a, b;

	if (dash == NULL)
		return -1;
	a.p = s.p;
	a.len = (size_t)(dash - s.p);
	b.p = dash + 1;
	b.len = s.len - a.len - 1;
	if (parse_time(a, &h->from) == -1 || parse_time(b, &h->to) == -1)
		return -1;
	return h->from != h->to && h->from < MINUTES_DAY ? 0 : -1;
}

int
hours_parse(struct hours *h, const char *text)
{
	struct slice	 rest = { text, strlen(text) }, word, list;
	bool		 has_range = false;

	h->days = 0;
	h->from = 0;
	h->to = MINUTES_DAY;
	for (;;) {
		rest = slice_trim(rest);
		if (rest.len == 0)
			break;
		if (has_range)
			return -1;
		word.p = rest.p;
		word.len = strcspn(rest.p, " \t");
		rest.p += word.len;
		rest.len -= word.len;
		if (chars_span(word.p, 1, CHARS_DIGIT) == 1) {
			if (parse_range(h, word) == -1)
				return -1;
			has_range = true;
			continue;
		}
		for (list = word; slice_next(&list, &word);)
			if (parse_days(word, &h->days) == -1)
				return -1;
	}
	if (h->days == 0 && has_range)
		h->days = 0x7f;
	return h->days != 0 ? 0 : -1;
}

bool
hours_has(const struct hours *h, unsigned int count, const struct tm *tm)
{
	int		 now = tm->tm_hour * 60 + tm->tm_min;
	int		 today = 1 << tm->tm_wday;
	int		 yesterday = 1 << ((tm->tm_wday + 6) % 7);
	unsigned int	 i;

	for (i = 0; i < count; i++) {
		if (h[i].from < h[i].to) {
			if ((h[i].days & today) != 0 && now >= h[i].from &&
			    now < h[i].to)
				return true;
		} else if (((h[i].days & today) != 0 && now >= h[i].from) ||
		    ((h[i].days & yesterday) != 0 && now < h[i].to))
			return true;
	}
	return false;
}
