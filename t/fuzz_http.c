/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: the head of an encapsulated HTTP message.  Whatever the bytes
 * are, all that is found lies in them, the fields cover them without a gap,
 * and a look-up finds the first field of its name.
 */
#include <string.h>

#include "../proto/http.h"
#include "fuzz.h"

static void
must_lie_in(struct slice head, struct slice s)
{
	if (s.len > 0)
		must(s.p >= head.p && s.p + s.len <= head.p + head.len);
}

static void
check_start_line(struct slice head)
{
	struct slice	 line = http_start_line(head), m, t, v;
	int		 status;

	must_lie_in(head, line);
	must(line.len == 0 || memchr(line.p, '\n', line.len) == NULL);
	http_split_request(line, &m, &t, &v);
	must_lie_in(line, m);
	must_lie_in(line, t);
	must_lie_in(line, v);
	must(m.len + t.len + v.len <= line.len);
	status = http_status(line);
	must(status >= 0 && status <= 999);
}

/* The name as a C string, where it is one. */
static bool
copy_name(char *dst, size_t size, struct slice name)
{
	if (name.len == 0 || name.len >= size ||
	    memchr(name.p, '\0', name.len) != NULL)
		return false;
	memcpy(dst, name.p, name.len);
	dst[name.len] = '\0';
	return true;
}

static void
check_fields(struct slice head)
{
	struct http_field	 f;
	struct slice		 value;
	char			 name[128];
	size_t			 pos = 0, end = 0;
	unsigned int		 n = 0;

	while (http_next_field(head, &pos, &f)) {
		must_lie_in(head, f.line);
		must_lie_in(f.line, f.name);
		must_lie_in(f.line, f.value);
		must(f.line.len > 0);
		must(end == 0 || f.line.p == head.p + end);
		end = (size_t)(f.line.p + f.line.len - head.p);
		must(end == pos && end <= head.len);
		if (n++ < 50 && copy_name(name, sizeof(name), f.name)) {
			must(http_find(head, name, &value));
			must_lie_in(head, value);
			must(value.len == 0 || value.p <= f.value.p ||
			    f.value.len == 0);
		}
	}
	must(pos <= head.len);
	if (http_find(head, "Content-Length", &value))
		must_lie_in(head, value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 head = { (const char *)data, len };
	struct fault	 fault = { 0, NULL };
	size_t		 pos = 0;
	struct http_field f;

	check_start_line(head);
	check_fields(head);
	if (http_check_head(head, &fault) == -1) {
		must(fault.status == 400 && fault.why != NULL);
		return 0;
	}
	/* a good head's fields end at an empty line */
	while (http_next_field(head, &pos, &f))
		;
	must(pos < head.len);
	return 0;
}
