/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: a whole transaction of headers.  The input is a byte (1: of a
 * response), rules, an empty line, groups of the user, and the head they are
 * for; a rule is a line of action, name, value, to, match, and a condition
 * with its key, with tabs between.  Whatever they are, what is no rule's field
 * stays byte for byte, and so do the start line and all behind the fields; no
 * line ends where none did; and the last rule has done what it says.
 */
#include <stdio.h>
#include <string.h>

#include "../proto/http.h"
#include "../services/txn.h"
#include "fuzz_setup.h"
#include "wire.h"

#define RULES_MAX	4
#define PARTS		7
#define INPUT_MAX	4096	/* bytes */
#define BUFFER		(64 * 1024)

extern const struct service svc_headers;

struct rule {
	char	*part[PARTS];	/* action name value to match key condition */
};

struct input {
	bool		 is_response;
	struct rule	 rule[RULES_MAX];
	unsigned int	 nrules;
	const char	*groups;
	struct slice	 head;
};

static const struct limits	 limits = {
	.request_line = 512, .head = 4096, .http_heads = 4096, .fields = 32,
	.chunk_line = 64, .trailers = 256
};

/* ---- the input ----------------------------------------------------------- */

/* Takes a line, or what is in front of a tab; the end is a NUL then. */
static char *
next_part(char **p, char end)
{
	char	*part = *p, *at = strchr(part, end);

	if (at == NULL)
		*p += strlen(part);
	else {
		*at = '\0';
		*p = at + 1;
	}
	return part;
}

/* Returns false for what is not one. */
static bool
read_input(struct input *in, char *text, size_t len)
{
	struct fault	 fault;
	struct rule	*r;
	char		*p = text + 1, *line;
	unsigned int	 i;

	memset(in, 0, sizeof(*in));
	if (len < 2)
		return false;
	in->is_response = text[0] == '1';
	while (*(line = next_part(&p, '\n')) != '\0') {
		if (in->nrules == RULES_MAX)
			return false;
		r = &in->rule[in->nrules++];
		for (i = 0; i < PARTS; i++)
			r->part[i] = next_part(&line, '\t');
	}
	in->groups = next_part(&p, '\n');
	in->head.p = p;
	in->head.len = len - (size_t)(p - text);
	return in->nrules > 0 && in->head.len <= limits.http_heads &&
	    chars_span(in->groups, strlen(in->groups), CHARS_TEXT) ==
	    strlen(in->groups) && http_check_head(in->head, &fault) == 0;
}

static cfg_t *
configure(const struct input *in)
{
	static const char *const	 keys[] = { "action", "name", "value",
					    "to", "match" };
	static const char *const	 conditions[] = { "on", "methods",
					    "hosts", "paths", "status",
					    "types", "clients", "users" };
	cfg_t				*cfg, *rule;
	char				 title[16];
	unsigned int			 i, k;

	cfg = cfg_init((cfg_opt_t *)(uintptr_t)svc_headers.options,
	    CFGF_NONE);
	must(cfg != NULL);
	for (i = 0; i < in->nrules; i++) {
		(void)snprintf(title, sizeof(title), "r%u", i);
		must((rule = cfg_addtsec(cfg, "rule", title)) != NULL);
		for (k = 0; k < 5; k++)
			if (in->rule[i].part[k][0] != '\0')
				must(cfg_setstr(rule, keys[k],
				    in->rule[i].part[k]) == 0);
		for (k = 0; k < sizeof(conditions) / sizeof(char *); k++)
			if (strcmp(in->rule[i].part[5], conditions[k]) == 0)
				must(cfg_setlist(rule, conditions[k], 1,
				    in->rule[i].part[6]) == 0);
	}
	return cfg;
}

/* ---- what must hold ------------------------------------------------------ */

/* Is the field one that a rule is about? */
static bool
is_meant(const struct input *in, struct slice name)
{
	unsigned int	 i;

	for (i = 0; i < in->nrules; i++)
		if (slice_is_nocase(name, in->rule[i].part[1]) ||
		    slice_is_nocase(name, in->rule[i].part[3]))
			return true;
	return false;
}

static bool
next_other(const struct input *in, struct slice head, size_t *pos,
    struct http_field *f)
{
	while (http_next_field(head, pos, f))
		if (!is_meant(in, f->name))
			return true;
	return false;
}

static unsigned int
count_ends(struct slice head)
{
	unsigned int	 n = 0;
	size_t		 i;

	/* NULs, and LFs without a CR */
	for (i = 0; i < head.len; i++)
		n += head.p[i] == '\0' || (head.p[i] == '\n' &&
		    (i == 0 || head.p[i - 1] != '\r'));
	return n;
}

static void
check_rest(const struct input *in, struct slice old, struct slice new)
{
	struct http_field	 f, g;
	struct slice		 a = http_start_line(old);
	struct slice		 b = http_start_line(new);
	size_t			 i = 0, k = 0;
	bool			 more;

	must(a.len == b.len && memcmp(a.p, b.p, a.len) == 0);
	do {
		more = next_other(in, old, &i, &f);
		must(next_other(in, new, &k, &g) == more);
		must(!more || (f.line.len == g.line.len &&
		    memcmp(f.line.p, g.line.p, f.line.len) == 0));
	} while (more);
	must(old.len - i == new.len - k);
	must(memcmp(old.p + i, new.p + k, old.len - i) == 0);
	must(count_ends(new) <= count_ends(old));
}

/* How many there are of that name, and the last one. */
static unsigned int
count(struct slice head, const char *name, struct slice *value)
{
	struct http_field	 f;
	size_t			 pos = 0;
	unsigned int		 n = 0;

	for (; http_find_next(head, name, &pos, &f); n++)
		*value = f.value;
	return n;
}

/* The last rule, where it has no condition. */
static void
check_last(const struct rule *r, struct slice head)
{
	const char	*action = r->part[0], *name = r->part[1];
	struct slice	 is = { "", 0 }, made = { r->part[2], 0 };
	unsigned int	 n = count(head, name, &is);

	made.len = strlen(made.p);
	made = slice_trim(made);
	if (strcmp(action, "remove") == 0)
		must(n == 0);
	else if (strcmp(action, "rename") == 0)
		must(n == 0 || strcasecmp(name, r->part[3]) == 0);
	else if (strcmp(action, "replace") != 0) {
		must(strcmp(action, "set") == 0 ? n == 1 : n > 0);
		if (strstr(made.p, "%{") != NULL)
			return;
		must(is.len >= made.len);
		must(memcmp(is.p + is.len - made.len, made.p, made.len) == 0);
		must(strcmp(action, "append") == 0 || is.len == made.len);
	}
}

/* The only rule, without a condition: no field is lost. */
static void
check_only(const struct rule *r, struct slice old, struct slice new)
{
	const char	*action = r->part[0];
	struct slice	 value;
	unsigned int	 before = count(old, r->part[1], &value);
	unsigned int	 after = count(new, r->part[1], &value);

	if (strcmp(action, "add") == 0)
		must(after == before + 1);
	else if (strcmp(action, "append") == 0)
		must(after == before + (before == 0));
	else if (strcmp(action, "replace") == 0)
		must(after == before);
	else if (strcmp(action, "rename") == 0 && after == 0)
		must(count(new, r->part[3], &value) == before +
		    count(old, r->part[3], &value));
}

static void
check(const struct input *in, const struct txn *t, const struct wire *w)
{
	const struct rule	*last = &in->rule[in->nrules - 1];
	struct slice		 head = in->head;

	if (t->verdict == VERDICT_EDITED) {
		head.p = t->head.p;
		head.len = t->head.len;
		must(t->status == 200);
		must(w->out_len > head.len && memcmp(w->out + w->out_len -
		    head.len, head.p, head.len) == 0);
	} else
		must(t->verdict == VERDICT_UNCHANGED && t->status == 204);
	must(head.len <= limits.http_heads + 64 * 1024);
	check_rest(in, in->head, head);
	if (last->part[5][0] == '\0') {
		check_last(last, head);
		if (in->nrules == 1)
			check_only(last, in->head, head);
	}
}

/* ---- the transaction ----------------------------------------------------- */

static bool
is_closing(void *arg)
{
	(void)arg;
	return false;
}

static size_t
make_request(const struct input *in, char *dst, size_t size)
{
	static const char	 request[] = "GET http://h.example/ HTTP/1.1"
				    "\r\n\r\n";
	size_t			 before = in->is_response ?
				    sizeof(request) - 1 : 0;
	int			 n;

	n = snprintf(dst, size, "%s icap://h/s ICAP/1.0\r\nHost: h\r\n"
	    "Allow: 204\r\nX-Client-IP: 192.0.2.1\r\n"
	    "X-Client-Username: j$1\r\nX-Authenticated-Groups: %s\r\n"
	    "Encapsulated: req-hdr=0, ", in->is_response ? "RESPMOD" :
	    "REQMOD", in->groups);
	must(n > 0 && (size_t)n < size);
	if (in->is_response)
		n += snprintf(dst + n, size - (size_t)n, "res-hdr=%zu, ",
		    before);
	n += snprintf(dst + n, size - (size_t)n, "null-body=%zu\r\n\r\n%s",
	    before + in->head.len, in->is_response ? request : "");
	must((size_t)n + in->head.len <= size);
	memcpy(dst + n, in->head.p, in->head.len);
	return (size_t)n + in->head.len;
}

static void
run(const struct input *in, void *instance)
{
	static struct txn	 t;
	static struct txn_spools spools;
	static struct message	 m;
	static char		 request[INPUT_MAX * 3];
	struct txn_step		 step = { &svc_headers, instance };
	struct txn_plan		 plan;
	struct stream		 s;
	struct wire		 w;
	unsigned int		 i;

	memset(&plan, 0, sizeof(plan));
	plan.path = "s";
	plan.step = &step;
	plan.nsteps = 1;
	plan_finish(&plan);
	memset(&w, 0, sizeof(w));
	w.in = request;
	w.in_len = make_request(in, request, sizeof(request));
	must(stream_init(&s, BUFFER) == 0);
	wire_start(&w, &s);
	if (message_receive(&m, &s, &limits) == PARSE_OK) {
		spool_init(&spools.body, "/tmp", 4096, 4096);
		for (i = 0; i < 2; i++)
			spool_init(&spools.out[i], "/tmp", 4096, 4096);
		txn_init(&t);
		t.request = &m.request;
		t.stream = &s;
		t.req_head = m.req_hdr;
		t.res_head = m.res_hdr;
		t.istag = "tag";
		t.id = "id";
		t.spools = &spools;
		t.closing = is_closing;
		if (txn_run(&t, &plan) == 0)
			check(in, &t, &w);
		else
			must(t.fault.status == 500 && t.unscanned);
		txn_fini(&t);
	}
	message_fini(&m);
	stream_fini(&s);
	wire_fini(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char		 text[INPUT_MAX];
	struct service_setup	 setup;
	struct input		 in;
	void			*instance;
	int			 result;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	if (!read_input(&in, text, len))
		return 0;
	memset(&setup, 0, sizeof(setup));
	setup.section = configure(&in);
	setup.name = "fuzz";
	setup.error = on_error;
	setup.error_at = on_error_at;
	complaints = 0;
	result = svc_headers.open(&setup, &instance);
	must((result == -1) == (complaints > 0));
	if (result == 0) {
		run(&in, instance);
		svc_headers.close(instance);
	}
	(void)cfg_free(setup.section);
	return 0;
}
