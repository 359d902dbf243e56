/* SPDX-License-Identifier: ISC */
/*
 * The rules of a block list: for whom and when, and what then.  Called by
 * blocklist.c.  A rule knows nothing of URLs: which lists they are in is found
 * before.  What a client of ours says of its own clients is believed.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist_rule.h"

/* Longest group or media type that is compared, bytes. */
#define TEXT_MAX	1024

static const char *const variables[] = {
	"category", "client", "host", "list", "rule", "url", "user"
};

/* ---- reading ------------------------------------------------------------- */

static int
read_lists(struct blocklist_rule *r, const struct service_setup *setup,
    cfg_t *cfg, const struct blocklist_sources *s)
{
	const char	*name;
	unsigned int	 i, k;
	int		 result = 0;

	if (cfg_size(cfg, "lists") == 0)
		for (k = 0; k < s->nlists; k++)
			if (!s->list[k].allow)
				r->lists |= UINT64_C(1) << k;
	for (i = 0; i < cfg_size(cfg, "lists"); i++) {
		name = cfg_getnstr(cfg, "lists", i);
		if (strcmp(name, "any") == 0) {
			r->any = true;
			continue;
		}
		for (k = 0; k < s->nlists; k++)
			if (strcmp(name, s->list[k].name) == 0 ||
			    (strcmp(name, "all") == 0 && !s->list[k].allow)) {
				r->lists |= UINT64_C(1) << k;
				if (strcmp(name, "all") != 0)
					break;
			}
		if (k == s->nlists && strcmp(name, "all") != 0) {
			setup->error_at(setup, cfg, "lists", i, "lists "
			    "\"%s\": expected the name of a list, all or any",
			    name);
			result = -1;
		} else if (k < s->nlists && s->list[k].allow) {
			setup->error_at(setup, cfg, "lists", i, "lists "
			    "\"%s\" is one that allows: expected one that "
			    "does not, as it needs no rule", name);
			result = -1;
		}
	}
	return result;
}

static int
read_networks(struct blocklist_rule *r, const struct service_setup *setup,
    cfg_t *cfg)
{
	unsigned int	 i, n = cfg_size(cfg, "clients");
	int		 result = 0;

	if (n > 0 && (r->client = calloc(n, sizeof(*r->client))) == NULL)
		return -1;
	for (i = 0; i < n; i++)
		if (network_parse(&r->client[i],
		    cfg_getnstr(cfg, "clients", i)) == -1) {
			setup->error_at(setup, cfg, "clients", i, "clients "
			    "\"%s\": expected an address or a network",
			    cfg_getnstr(cfg, "clients", i));
			result = -1;
		}
	r->nclients = n;
	return result;
}

static int
read_hours(struct blocklist_rule *r, const struct service_setup *setup,
    cfg_t *cfg)
{
	unsigned int	 i, n = cfg_size(cfg, "when");
	int		 result = 0;

	if (n > 0 && (r->when = calloc(n, sizeof(*r->when))) == NULL)
		return -1;
	for (i = 0; i < n; i++)
		if (hours_parse(&r->when[i], cfg_getnstr(cfg, "when", i)) ==
		    -1) {
			setup->error_at(setup, cfg, "when", i, "when \"%s\": "
			    "expected days and hours like \"mon-fri "
			    "08:00-17:00\"", cfg_getnstr(cfg, "when", i));
			result = -1;
		}
	r->nwhen = n;
	return result;
}

/* The texts of a list; they stay the section's. */
static int
read_texts(cfg_t *cfg, const char *key, char ***text, unsigned int *n)
{
	unsigned int	 i;

	*n = cfg_size(cfg, key);
	if (*n > 0 && (*text = calloc(*n, sizeof(**text))) == NULL)
		return -1;
	for (i = 0; i < *n; i++)
		(*text)[i] = cfg_getnstr(cfg, key, i);
	return 0;
}

bool
blocklist_rule_is_var(struct slice name)
{
	size_t	 i;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (slice_is(name, variables[i]))
			return true;
	return false;
}

/* "%{name}" at p: its length, 0 if it is none. */
static size_t
parse_var(const char *p, struct slice *name)
{
	const char	*end;

	if (p[1] != '{' || (end = strchr(p, '}')) == NULL)
		return 0;
	name->p = p + 2;
	name->len = (size_t)(end - name->p);
	return blocklist_rule_is_var(*name) ? name->len + 3 : 0;
}

static const char *
check_redirect(const char *url)
{
	const char	*p, *host;
	struct slice	 name;
	size_t		 n;

	if (chars_span(url, strlen(url), CHARS_VISIBLE) != strlen(url))
		return "a URL without blanks and control characters";
	if (strncmp(url, "http://", 7) != 0 &&
	    strncmp(url, "https://", 8) != 0)
		return "a URL that begins with http:// or https://";
	host = strstr(url, "//") + 2;
	n = strcspn(host, "/?%");
	if (n == 0 || host[n] == '%')
		return "a URL with a host and no variable in it";
	for (p = host; (p = strchr(p, '%')) != NULL; p += n)
		if (p[1] != '{')
			n = 1;		/* an escape */
		else if ((n = parse_var(p, &name)) == 0)
			return "the variables category, client, host, list, "
			    "rule, url or user, as in %{url}";
	return NULL;
}

static int
read_action(struct blocklist_rule *r, const struct service_setup *setup,
    cfg_t *cfg)
{
	static const char *const	 names[] = {
		"block", "redirect", "log", "allow"
	};
	const char			*action = cfg_getstr(cfg, "action");
	const char			*expected;
	unsigned int			 i = 0;
	long				 status = cfg_getint(cfg, "status");

	r->redirect = cfg_getstr(cfg, "redirect");
	if (action == NULL)
		i = r->redirect != NULL ? BLOCKLIST_REDIRECT : BLOCKLIST_BLOCK;
	else
		while (i < 4 && strcmp(action, names[i]) != 0)
			i++;
	if (i == 4) {
		setup->error_at(setup, cfg, "action", 0, "action \"%s\": "
		    "expected block, redirect, log or allow", action);
		return -1;
	}
	r->action = (enum blocklist_action)i;
	if ((r->action == BLOCKLIST_REDIRECT) != (r->redirect != NULL)) {
		setup->error_at(setup, cfg, "redirect", 0, "redirect: "
		    "expected with action = redirect, and only there");
		return -1;
	}
	if (r->redirect != NULL &&
	    (expected = check_redirect(r->redirect)) != NULL) {
		setup->error_at(setup, cfg, "redirect", 0, "redirect \"%s\": "
		    "expected %s", r->redirect, expected);
		return -1;
	}
	if (status != 0 && (r->redirect != NULL ?
	    status < 300 || status > 399 : status < 200 || status > 599)) {
		setup->error_at(setup, cfg, "status", 0, "status %ld: expected "
		    "%s", status, r->redirect != NULL ?
		    "300 to 399" : "200 to 599");
		return -1;
	}
	r->status = status != 0 ? (int)status :
	    r->redirect != NULL ? 302 : 403;
	return 0;
}

int
blocklist_rule_init(struct blocklist_rule *r,
    const struct service_setup *setup, cfg_t *cfg,
    const struct blocklist_sources *s)
{
	int	 result = 0;

	memset(r, 0, sizeof(*r));
	r->name = cfg_title(cfg);
	if (read_lists(r, setup, cfg, s) == -1)
		result = -1;
	if (read_networks(r, setup, cfg) == -1)
		result = -1;
	if (read_hours(r, setup, cfg) == -1)
		result = -1;
	if (read_action(r, setup, cfg) == -1)
		result = -1;
	if (read_texts(cfg, "users", &r->user, &r->nusers) == -1 ||
	    read_texts(cfg, "groups", &r->group, &r->ngroups) == -1 ||
	    read_texts(cfg, "types", &r->type, &r->ntypes) == -1)
		result = -1;
	return result;
}

void
blocklist_rule_fini(struct blocklist_rule *r)
{
	free(r->client);
	free(r->user);
	free(r->group);
	free(r->type);
	free(r->when);
}

/* ---- in a transaction ---------------------------------------------------- */

static bool
has_pattern(char *const *pattern, unsigned int n, const char *text)
{
	unsigned int	 i;

	for (i = 0; i < n; i++)
		if (fnmatch(pattern[i], text, FNM_CASEFOLD) == 0)
			return true;
	return false;
}

static bool
has_text(char *const *pattern, unsigned int n, struct slice text)
{
	char	 copy[TEXT_MAX];

	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	return has_pattern(pattern, n, copy);
}

/*
 * Commas separate groups, and stand in the names of some (LDAP's): a pattern
 * is compared with as many elements in a row as it has itself.  The list is
 * left as it was.
 */
static bool
is_in_groups(const char *pattern, char *list)
{
	char		*p = list, *end, c;
	const char	*comma;
	bool		 found;

	for (; *p != '\0'; p += strcspn(p, ","), p += *p == ',') {
		p += strspn(p, " \t");
		end = p + strcspn(p, ",");
		for (comma = pattern; *end != '\0' &&
		    (comma = strchr(comma, ',')) != NULL; comma++)
			end += 1 + strcspn(end + 1, ",");
		while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		c = *end;
		*end = '\0';
		found = p < end && fnmatch(pattern, p, FNM_CASEFOLD) == 0;
		*end = c;
		if (found)
			return true;
	}
	return false;
}

/* 1 or 0, or -1 without memory. */
static int
has_group(const struct blocklist_rule *r, const char *groups)
{
	char		*list;
	unsigned int	 i;
	bool		 found = false;

	if ((list = strdup(groups)) == NULL)
		return -1;
	for (i = 0; i < r->ngroups && !found; i++)
		found = is_in_groups(r->group[i], list);
	free(list);
	return found;
}

static bool
is_now(const struct blocklist_rule *r)
{
	struct tm	 tm;
	time_t		 now = time(NULL);

	return localtime_r(&now, &tm) != NULL &&
	    hours_has(r->when, r->nwhen, &tm);
}

int
blocklist_rule_applies(const struct blocklist_rule *r, struct txn *txn,
    struct slice type)
{
	const char	*user;
	int		 has;

	if (r->ntypes > 0 && !has_text(r->type, r->ntypes, type))
		return 0;
	if (r->nclients > 0 && !network_has(r->client, r->nclients,
	    txn_client_address(txn)))
		return 0;
	if (r->nusers > 0) {
		/* nobody is not any user */
		user = txn_user(txn);
		if (user[0] == '\0' ||
		    !has_pattern(r->user, r->nusers, user))
			return 0;
	}
	if (r->ngroups > 0 && (has = has_group(r, txn_groups(txn))) != 1)
		return has;
	return r->nwhen == 0 || is_now(r);
}

static const char *
find_var(const struct service_var *vars, struct slice name)
{
	for (; vars->name != NULL; vars++)
		if (slice_is(name, vars->name))
			return vars->value != NULL ? vars->value : "";
	return "";
}

/* RFC 3986 2.3: what is not unreserved is escaped. */
static size_t
put_escaped(char *dst, size_t size, const char *value)
{
	static const char	 hex[] = "0123456789ABCDEF";
	size_t			 n = 0;
	unsigned char		 c;

	for (; (c = (unsigned char)*value) != '\0' && n + 3 < size; value++)
		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL)
			dst[n++] = (char)c;
		else {
			dst[n++] = '%';
			dst[n++] = hex[c >> 4];
			dst[n++] = hex[c & 15];
		}
	return n;
}

int
blocklist_rule_format(const char *p, const struct service_var *vars,
    char *dst, size_t size)
{
	struct slice	 name;
	size_t		 n = 0, len;

	while (*p != '\0') {
		if (n + 4 >= size)
			return -1;
		if (*p == '%' && (len = parse_var(p, &name)) > 0) {
			n += put_escaped(dst + n, size - n,
			    find_var(vars, name));
			p += len;
		} else
			dst[n++] = *p++;
	}
	dst[n] = '\0';
	return 0;
}
