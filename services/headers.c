/* SPDX-License-Identifier: ISC */
/*
 * headers: sets, adds, removes, renames and rewrites fields of the heads that
 * pass, by rules.  All rules whose conditions hold are applied, in order, each
 * to what the one before has left.  Lines that no rule is about stay as they
 * came.  The body is never read, so a large response costs its preview only.
 *
 * Framing is the server's: a rule for it is an error of the configuration.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/http.h"
#include "bytes.h"
#include "expr.h"
#include "network.h"
#include "txn.h"
#include "weburl.h"

/* Where a rule applies. */
#define ON_REQUEST	0x01u
#define ON_RESPONSE	0x02u

enum headers_action {
	HEADERS_SET,
	HEADERS_ADD,
	HEADERS_APPEND,
	HEADERS_REMOVE,
	HEADERS_RENAME,
	HEADERS_REPLACE,
	HEADERS_NACTIONS
};

static const char *const actions[HEADERS_NACTIONS] = {
	"set", "add", "append", "remove", "rename", "replace"
};

enum headers_var {
	VAR_CLIENT,
	VAR_GROUPS,
	VAR_HOST,
	VAR_METHOD,
	VAR_SERVICE,
	VAR_STATUS,
	VAR_URL,
	VAR_USER,
	NVARS
};

static const char *const variables[NVARS] = {
	"client-ip", "groups", "host", "method", "service", "status", "url",
	"user"
};

/* Texts are those of the section. */
struct headers_rule {
	unsigned int		 on;
	enum headers_action	 action;
	const char		*name;
	const char		*to;
	const char		*value;
	struct expr		*match;
	cfg_t			*cfg;		/* lists of texts */
	char			**host;		/* normal form */
	unsigned int		 nhosts;
	struct network		*client;
	unsigned int		 nclients;
	bool			 has_methods, has_paths, has_status;
	bool			 has_types, has_users;
};

struct headers {
	struct headers_rule	*rule;
	unsigned int		 n;
};

static const cfg_opt_t rule_options[] = {
	CFG_STR_LIST("on", NULL, CFGF_NODEFAULT),
	CFG_STR("action", NULL, CFGF_NONE),
	CFG_STR("name", NULL, CFGF_NONE),
	CFG_STR("value", NULL, CFGF_NONE),
	CFG_STR("to", NULL, CFGF_NONE),
	CFG_STR("match", NULL, CFGF_NONE),
	CFG_STR_LIST("methods", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("hosts", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("paths", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("status", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("types", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("clients", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("users", NULL, CFGF_NODEFAULT),
	CFG_END()
};

static const cfg_opt_t options[] = {
	CFG_SEC("rule", (cfg_opt_t *)(uintptr_t)rule_options,
	    CFGF_MULTI | CFGF_TITLE),
	CFG_END()
};

static struct slice
get(const char *p, size_t len)
{
	struct slice	 s = { p, len };

	return s;
}

/* ---- opening ------------------------------------------------------------- */

/* "%{name}" at p: its length and which it is; 0 for anything else. */
static size_t
parse_var(const char *p, enum headers_var *var)
{
	const char	*end;
	struct slice	 name;
	unsigned int	 i;

	if (p[0] != '%' || p[1] != '{' || (end = strchr(p, '}')) == NULL)
		return 0;
	name = get(p + 2, (size_t)(end - p - 2));
	for (i = 0; i < NVARS; i++)
		if (slice_is(name, variables[i])) {
			*var = (enum headers_var)i;
			return name.len + 3;
		}
	return 0;
}

static int
check_name(const struct service_setup *setup, cfg_t *cfg, const char *key)
{
	const char	*name = cfg_getstr(cfg, key);

	if (name == NULL)
		setup->error_at(setup, cfg, key, 0, "there is no %s: "
		    "expected the name of a header field", key);
	else if (txn_check_field(name, NULL) == 0)
		return 0;
	else if (errno == EPERM)
		setup->error_at(setup, cfg, key, 0, "%s \"%s\": expected "
		    "another field, as the framing is the server's", key,
		    name);
	else
		setup->error_at(setup, cfg, key, 0, "%s \"%s\": expected the "
		    "name of a header field", key, name);
	return -1;
}

static int
check_value(const struct service_setup *setup, cfg_t *cfg)
{
	const char		*value = cfg_getstr(cfg, "value"), *p;
	enum headers_var	 var;

	if (value == NULL) {
		setup->error_at(setup, cfg, NULL, 0, "there is no value: "
		    "expected one");
		return -1;
	}
	if (chars_span(value, strlen(value), CHARS_TEXT) != strlen(value)) {
		setup->error_at(setup, cfg, "value", 0, "value with a control "
		    "character: expected a text of one line");
		return -1;
	}
	for (p = value; (p = strstr(p, "%{")) != NULL; p++)
		if (parse_var(p, &var) == 0) {
			setup->error_at(setup, cfg, "value", 0, "value "
			    "\"%s\": expected the variables client-ip, "
			    "groups, host, method, service, status, url or "
			    "user, as in %%{client-ip}", value);
			return -1;
		}
	return 0;
}

static int
open_match(struct headers_rule *r, const struct service_setup *setup,
    cfg_t *cfg)
{
	const char	*pattern = cfg_getstr(cfg, "match");
	char		 why[EXPR_WHY_MAX];

	if (pattern == NULL) {
		setup->error_at(setup, cfg, NULL, 0, "there is no match: "
		    "expected a regular expression with action = replace");
		return -1;
	}
	r->match = expr_new(pattern, strlen(pattern), EXPR_JIT, why);
	if (r->match == NULL) {
		setup->error_at(setup, cfg, "match", 0, "match \"%s\": %s: "
		    "expected a regular expression of PCRE2", pattern, why);
		return -1;
	}
	if (expr_check_replacement(r->match, r->value, why) == -1) {
		setup->error_at(setup, cfg, "value", 0, "value \"%s\": %s",
		    r->value, why);
		return -1;
	}
	return 0;
}

static int
open_action(struct headers_rule *r, const struct service_setup *setup,
    cfg_t *cfg)
{
	const char	*action = cfg_getstr(cfg, "action");
	unsigned int	 i;
	int		 result = check_name(setup, cfg, "name");

	for (i = 0; action != NULL && i < HEADERS_NACTIONS; i++)
		if (strcmp(action, actions[i]) == 0)
			break;
	if (action == NULL || i == HEADERS_NACTIONS) {
		setup->error_at(setup, cfg, "action", 0, "action \"%s\": "
		    "expected set, add, append, remove, rename or replace",
		    action != NULL ? action : "");
		return -1;
	}
	r->action = (enum headers_action)i;
	r->name = cfg_getstr(cfg, "name");
	r->to = cfg_getstr(cfg, "to");
	r->value = cfg_getstr(cfg, "value");
	if (r->action == HEADERS_RENAME ?
	    check_name(setup, cfg, "to") == -1 :
	    r->action != HEADERS_REMOVE && check_value(setup, cfg) == -1)
		return -1;
	if (r->action == HEADERS_REPLACE &&
	    open_match(r, setup, cfg) == -1)
		return -1;
	return result;
}

static int
open_on(struct headers_rule *r, const struct service_setup *setup, cfg_t *cfg)
{
	const char	*on;
	unsigned int	 i;
	int		 result = 0;

	for (i = 0; i < cfg_size(cfg, "on"); i++) {
		on = cfg_getnstr(cfg, "on", i);
		if (strcmp(on, "request") == 0)
			r->on |= ON_REQUEST;
		else if (strcmp(on, "response") == 0)
			r->on |= ON_RESPONSE;
		else {
			setup->error_at(setup, cfg, "on", i, "on \"%s\": "
			    "expected request or response", on);
			result = -1;
		}
	}
	if (r->on == 0)
		r->on = ON_REQUEST | ON_RESPONSE;
	return result;
}

/* "404", "5xx" */
static bool
is_status(const char *text)
{
	return strlen(text) == 3 && text[0] >= '1' && text[0] <= '9' &&
	    (strcmp(text + 1, "xx") == 0 ||
	    chars_span(text + 1, 2, CHARS_DIGIT) == 2);
}

static int
open_hosts(struct headers_rule *r, const struct service_setup *setup,
    cfg_t *cfg)
{
	struct weburl	 u;
	const char	*text;
	unsigned int	 i, n = cfg_size(cfg, "hosts");
	int		 result = 0;

	if (n > 0 && (r->host = calloc(n, sizeof(*r->host))) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		text = cfg_getnstr(cfg, "hosts", i);
		if (weburl_parse(&u, get(text, strlen(text)),
		    get("", 0)) == -1 || !weburl_is_strict(&u)) {
			setup->error_at(setup, cfg, "hosts", i, "hosts "
			    "\"%s\": expected a domain or an address", text);
			result = -1;
			continue;
		}
		r->host[r->nhosts] = strndup(u.text, u.host_len);
		if (r->host[r->nhosts++] == NULL)
			return -1;
	}
	return result;
}

static int
open_conditions(struct headers_rule *r, const struct service_setup *setup,
    cfg_t *cfg)
{
	const char	*text;
	unsigned int	 i;
	int		 result = open_hosts(r, setup, cfg);

	r->has_methods = cfg_size(cfg, "methods") > 0;
	r->has_paths = cfg_size(cfg, "paths") > 0;
	r->has_status = cfg_size(cfg, "status") > 0;
	r->has_types = cfg_size(cfg, "types") > 0;
	r->has_users = cfg_size(cfg, "users") > 0;
	for (i = 0; i < cfg_size(cfg, "status"); i++) {
		text = cfg_getnstr(cfg, "status", i);
		if (is_status(text))
			continue;
		setup->error_at(setup, cfg, "status", i, "status \"%s\": "
		    "expected one like 404 or 5xx", text);
		result = -1;
	}
	r->nclients = cfg_size(cfg, "clients");
	if (r->nclients > 0 && (r->client = calloc(r->nclients,
	    sizeof(*r->client))) == NULL)
		return -1;
	for (i = 0; i < r->nclients; i++) {
		text = cfg_getnstr(cfg, "clients", i);
		if (network_parse(&r->client[i], text) == 0)
			continue;
		setup->error_at(setup, cfg, "clients", i, "clients \"%s\": "
		    "expected an address or a network", text);
		result = -1;
	}
	return result;
}

static void
headers_close(void *instance)
{
	struct headers	*h = instance;
	unsigned int	 i, k;

	for (i = 0; i < h->n; i++) {
		expr_free(h->rule[i].match);
		for (k = 0; k < h->rule[i].nhosts; k++)
			free(h->rule[i].host[k]);
		free(h->rule[i].host);
		free(h->rule[i].client);
	}
	free(h->rule);
	free(h);
}

static int
headers_open(const struct service_setup *setup, void **instance)
{
	struct headers	*h;
	cfg_t		*cfg;
	int		 result = 0;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return -1;
	h->n = cfg_size(setup->section, "rule");
	if ((h->rule = calloc(h->n + 1, sizeof(*h->rule))) == NULL) {
		free(h);
		return -1;
	}
	for (unsigned int i = 0; i < h->n; i++) {
		cfg = h->rule[i].cfg = cfg_getnsec(setup->section, "rule", i);
		if (open_on(&h->rule[i], setup, cfg) == -1)
			result = -1;
		if (open_action(&h->rule[i], setup, cfg) == -1)
			result = -1;
		if (open_conditions(&h->rule[i], setup, cfg) == -1)
			result = -1;
	}
	if (h->n == 0) {
		setup->error(setup, "there is no rule: expected at least one "
		    "section rule \"name\" { action = ... }");
		result = -1;
	}
	if (result == -1) {
		headers_close(h);
		return -1;
	}
	*instance = h;
	return 0;
}

/* ---- conditions ---------------------------------------------------------- */

struct message {
	struct txn	*txn;
	bool		 is_response;
	bool		 has_url;	/* url is made */
	int		 url_result;
	struct weburl	 url;
	const char	*value;		/* the rule's, made */
	bool		 changed;
};

static struct slice
head_of(const struct message *m)
{
	const char	*p;
	size_t		 len;

	p = m->is_response ? txn_response_head(m->txn, &len) :
	    txn_request_head(m->txn, &len);
	return get(p, len);
}

static int
find_url(struct message *m)
{
	const char	*p;
	size_t		 len;
	struct slice	 target, host;

	if (!m->has_url) {
		p = txn_uri(m->txn, &len);
		target = get(p, len);
		p = txn_request_header(m->txn, "Host", &len);
		host = get(p, len);
		m->url_result = weburl_parse(&m->url, target, host);
		m->has_url = true;
	}
	return m->url_result;
}

/* Is it one of the hosts, or below one of the domains? */
static bool
is_host(const struct headers_rule *r, const struct weburl *u)
{
	unsigned int	 i;
	size_t		 len;

	for (i = 0; i < r->nhosts; i++) {
		len = strlen(r->host[i]);
		if (len > u->host_len || memcmp(u->text + u->host_len - len,
		    r->host[i], len) != 0)
			continue;
		if (len == u->host_len || (!u->is_address &&
		    u->text[u->host_len - len - 1] == '.'))
			return true;
	}
	return false;
}

/* Of several Host fields it is whichever the recipient will take. */
static bool
has_host(const struct headers_rule *r, struct message *m)
{
	struct weburl	 u;
	const char	*p;
	size_t		 len, pos = 0;

	/* one that is too long has its host all the same */
	if ((find_url(m) == 0 || m->url.host_len > 0) && is_host(r, &m->url))
		return true;
	p = txn_uri(m->txn, &len);
	if (len == 0 || (p[0] != '/' && p[0] != '*'))
		return false;		/* it says where it goes */
	(void)txn_next_request_header(m->txn, "Host", &pos, &len);
	while ((p = txn_next_request_header(m->txn, "Host", &pos, &len)) !=
	    NULL)
		if (weburl_parse(&u, get("/", 1), get(p, len)) == 0 &&
		    is_host(r, &u))
			return true;
	return false;
}

static bool
has_pattern(cfg_t *cfg, const char *key, const char *text, int flags)
{
	unsigned int	 i;

	for (i = 0; i < cfg_size(cfg, key); i++)
		if (fnmatch(cfg_getnstr(cfg, key, i), text, flags) == 0)
			return true;
	return false;
}

/* What is too long to be right is cut: it must not slip through for that. */
static bool
has_slice(cfg_t *cfg, const char *key, struct slice s, int flags)
{
	char	 text[256];

	if (s.len == 0)
		return false;
	if (s.len >= sizeof(text))
		s.len = sizeof(text) - 1;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return has_pattern(cfg, key, text, flags);
}

static bool
has_status(const struct headers_rule *r, const struct message *m)
{
	char		 digits[16];
	const char	*text;
	unsigned int	 i;

	(void)snprintf(digits, sizeof(digits), "%03d",
	    txn_response_status(m->txn));
	for (i = 0; i < cfg_size(r->cfg, "status"); i++) {
		text = cfg_getnstr(r->cfg, "status", i);
		if (text[0] == digits[0] && (text[1] == 'x' ||
		    strcmp(text, digits) == 0))
			return true;
	}
	return false;
}

/* Whichever of several the recipient will take. */
static bool
has_type(const struct headers_rule *r, const struct message *m)
{
	struct slice		 head = head_of(m), type;
	struct http_field	 f;
	const char		*end;
	size_t			 pos = 0;

	while (http_find_next(head, "Content-Type", &pos, &f)) {
		type = f.value;
		if (type.len > 0 &&
		    (end = memchr(type.p, ';', type.len)) != NULL)
			type.len = (size_t)(end - type.p);
		if (has_slice(r->cfg, "types", slice_trim(type), FNM_CASEFOLD))
			return true;
	}
	return false;
}

/* In its normal form, or as it was sent where it is too long for one. */
static bool
has_path(const struct headers_rule *r, struct message *m)
{
	char	*sent;
	bool	 has;

	if (find_url(m) == 0)
		return has_pattern(r->cfg, "paths",
		    m->url.len > m->url.host_len ?
		    m->url.text + m->url.host_len : "/", FNM_CASEFOLD);
	if (m->url.host_len == 0 ||
	    (sent = strndup(m->url.path.p, m->url.path.len)) == NULL)
		return false;
	has = has_pattern(r->cfg, "paths", sent, FNM_CASEFOLD);
	free(sent);
	return has;
}

static bool
applies(const struct headers_rule *r, struct message *m)
{
	const char	*p;
	size_t		 len;

	if ((r->on & (m->is_response ? ON_RESPONSE : ON_REQUEST)) == 0)
		return false;
	if (r->has_methods) {
		p = txn_method(m->txn, &len);
		if (!has_slice(r->cfg, "methods", get(p, len), 0))
			return false;
	}
	if (r->nhosts > 0 && !has_host(r, m))
		return false;
	if (r->has_paths && !has_path(r, m))
		return false;
	if (r->has_status && !has_status(r, m))
		return false;
	if (r->has_types && !has_type(r, m))
		return false;
	if (r->nclients > 0 && !network_has(r->client, r->nclients,
	    txn_client_address(m->txn)))
		return false;
	/* nobody is not any user */
	return !r->has_users || (txn_user(m->txn)[0] != '\0' &&
	    has_pattern(r->cfg, "users", txn_user(m->txn), FNM_CASEFOLD));
}

/* ---- actions ------------------------------------------------------------- */

static struct slice
value_of(struct message *m, enum headers_var var, char *number, size_t size)
{
	const char	*p = "";
	size_t		 len;

	switch (var) {
	case VAR_CLIENT:
		p = txn_client_address(m->txn);
		break;
	case VAR_GROUPS:
		p = txn_groups(m->txn);
		break;
	case VAR_HOST:
		if (find_url(m) == 0 || m->url.host_len > 0)
			return get(m->url.text, m->url.host_len);
		break;
	case VAR_METHOD:
		p = txn_method(m->txn, &len);
		return get(p, len);
	case VAR_SERVICE:
		p = txn_service_path(m->txn);
		break;
	case VAR_STATUS:
		if (m->is_response) {
			(void)snprintf(number, size, "%d",
			    txn_response_status(m->txn));
			p = number;
		}
		break;
	case VAR_URL:
		p = txn_uri(m->txn, &len);
		return get(p, len);
	case VAR_USER:
		p = txn_user(m->txn);
		break;
	case NVARS:
		break;
	}
	return get(p, strlen(p));
}

/*
 * Appends the value of a variable: control characters become "?", and what is
 * to be a replacement has no groups in it.
 */
static int
add_var(struct bytes *out, struct slice v, bool replacement)
{
	size_t	 i;
	int	 result = 0;

	for (i = 0; i < v.len && result == 0; i++)
		if (chars_span(v.p + i, 1, CHARS_TEXT) == 0)
			result = bytes_adds(out, "?");
		else if (replacement && v.p[i] == '$')
			result = bytes_adds(out, "$$");
		else
			result = bytes_add(out, v.p + i, 1);
	return result;
}

/* The value with its variables, terminated. */
static int
format_value(const struct headers_rule *r, struct message *m,
    struct bytes *out)
{
	char			 number[16];
	const char		*p = r->value;
	enum headers_var	 var;
	size_t			 len;
	int			 result = 0;

	while (*p != '\0' && result == 0) {
		if ((len = parse_var(p, &var)) > 0)
			result = add_var(out, value_of(m, var, number,
			    sizeof(number)), r->action == HEADERS_REPLACE);
		else
			result = bytes_add(out, p, len = 1);
		/* it will not fit, and must not grow without end */
		if (result == 0 && out->len > txn_head_max(m->txn)) {
			errno = E2BIG;
			return -1;
		}
		p += len;
	}
	return result == 0 ? bytes_add(out, "", 1) : -1;
}

/*
 * Behind the value of the last field of that name, which is what a recipient
 * reads last; all others stay.
 */
static int
append(const struct headers_rule *r, struct message *m)
{
	struct slice		 head = head_of(m);
	struct http_field	 f, last;
	struct bytes		 new;
	size_t			 pos = 0, at;
	int			 result = -1;

	last.line.len = 0;
	while (http_find_next(head, r->name, &pos, &f))
		last = f;
	if (last.line.len == 0)
		return txn_add_header(m->txn, r->name, m->value);
	at = (size_t)(last.value.p + last.value.len - head.p);
	memset(&new, 0, sizeof(new));
	if (bytes_add(&new, head.p, at) == 0 &&
	    bytes_adds(&new, last.value.len > 0 ? ", " :
	    head.p[at - 1] == ':' ? " " : "") == 0 &&
	    bytes_adds(&new, m->value) == 0 &&
	    bytes_add(&new, head.p + at, head.len - at) == 0)
		result = txn_swap_head(m->txn, &new);
	bytes_free(&new);
	return result;
}

/* The new value of a field.  1 when it is another, 0 when not, or -1. */
static int
replace_value(const struct headers_rule *r, const struct message *m,
    struct slice value, struct bytes *out)
{
	struct bytes	 plain;
	size_t		 i;
	int		 n = -1;

	memset(&plain, 0, sizeof(plain));
	if (bytes_add(&plain, value.p, value.len) == 0) {
		for (i = 0; i < plain.len; i++)
			if (chars_span(plain.p + i, 1, CHARS_TEXT) == 0)
				plain.p[i] = ' ';
		n = expr_replace(r->match, plain.p != NULL ? plain.p : "",
		    plain.len, m->value, txn_head_max(m->txn), out);
	}
	bytes_free(&plain);
	return n > 0 ? 1 : n;
}

/* Copies a field, with another name or another value. */
static int
copy_field(const struct headers_rule *r, const struct message *m,
    const struct http_field *f, struct bytes *head, bool *changed)
{
	const char	*end = f->line.p + f->line.len, *behind;
	struct bytes	 value;
	int		 n, result = -1;

	if (r->action == HEADERS_RENAME) {
		*changed = true;
		behind = f->name.p + f->name.len;
		return bytes_adds(head, r->to) == 0 ?
		    bytes_add(head, behind, (size_t)(end - behind)) : -1;
	}
	memset(&value, 0, sizeof(value));
	if ((n = replace_value(r, m, f->value, &value)) == 0)
		result = bytes_add(head, f->line.p, f->line.len);
	else if (n == 1) {
		*changed = true;
		behind = f->value.p + f->value.len;
		if (bytes_add(head, f->line.p,
		    (size_t)(f->value.p - f->line.p)) == 0 &&
		    bytes_add(head, value.p, value.len) == 0)
			result = bytes_add(head, behind,
			    (size_t)(end - behind));
	}
	bytes_free(&value);
	return result;
}

/* Rename and replace: the head is copied, all other lines as they are. */
static int
rewrite(const struct headers_rule *r, struct message *m)
{
	struct slice		 head = head_of(m);
	struct http_field	 f;
	struct bytes		 new;
	size_t			 pos = 0, copied = 0;
	bool			 changed = false;
	int			 result = 0;

	memset(&new, 0, sizeof(new));
	while (result == 0 && http_find_next(head, r->name, &pos, &f)) {
		result = bytes_add(&new, head.p + copied,
		    (size_t)(f.line.p - head.p) - copied);
		copied = pos;
		if (result == 0)
			result = copy_field(r, m, &f, &new, &changed);
	}
	if (result == 0 && changed &&
	    (result = bytes_add(&new, head.p + copied,
	    head.len - copied)) == 0) {
		result = txn_swap_head(m->txn, &new);
		m->changed = true;
	}
	bytes_free(&new);
	return result;
}

static int
apply_value(const struct headers_rule *r, struct message *m)
{
	if (r->action == HEADERS_REPLACE)
		return rewrite(r, m);
	m->changed = true;
	if (r->action == HEADERS_SET)
		return txn_set_header(m->txn, r->name, m->value);
	if (r->action == HEADERS_ADD)
		return txn_add_header(m->txn, r->name, m->value);
	return append(r, m);
}

static int
apply(const struct headers_rule *r, struct message *m)
{
	struct bytes	 value;
	struct slice	 old;
	int		 result = -1;

	if (r->action == HEADERS_RENAME)
		return rewrite(r, m);
	if (r->action == HEADERS_REMOVE) {
		if (!http_find(head_of(m), r->name, &old))
			return 0;
		m->changed = true;
		return txn_remove_header(m->txn, r->name);
	}
	memset(&value, 0, sizeof(value));
	if (format_value(r, m, &value) == 0) {
		m->value = value.p;
		result = apply_value(r, m);
	}
	bytes_free(&value);
	return result;
}

static enum verdict
fail(const struct headers_rule *r, struct txn *txn)
{
	char	 why[256];

	(void)snprintf(why, sizeof(why), "rule \"%s\": %s", cfg_title(r->cfg),
	    errno == E2BIG ? "the head becomes too large" :
	    errno == ELOOP ? "the expression gave up" : strerror(errno));
	return txn_fail(txn, why);
}

static enum verdict
headers_serve(struct txn *txn, void *instance)
{
	const struct headers	*h = instance;
	struct message		 m;
	unsigned int		 i;

	m.txn = txn;
	m.is_response = txn_is_response(txn);
	m.has_url = m.changed = false;
	if (head_of(&m).len == 0)
		return VERDICT_UNCHANGED;	/* there is no head at all */
	for (i = 0; i < h->n; i++) {
		if (!applies(&h->rule[i], &m))
			continue;
		if (apply(&h->rule[i], &m) == -1)
			return fail(&h->rule[i], txn);
		if (!m.is_response)
			m.has_url = false;	/* Host may be another */
	}
	return m.changed ? VERDICT_EDITED : VERDICT_UNCHANGED;
}

extern const struct service svc_headers;

const struct service svc_headers = {
	.name = "headers",
	.summary = "edits the heads of messages by rules",
	.methods = SERVICE_REQMOD | SERVICE_RESPMOD,
	.preview = 0,
	.options = options,
	.open = headers_open,
	.serve = headers_serve,
	.close = headers_close,
};
