/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: what the rules of block lists are made of.  A line of the
 * input is a time of the week, a network, an address, or the URL of a
 * redirect.  What is refused must be told; times and networks that are
 * accepted are within their limits and hold what they name; the URL that a
 * redirect makes goes to the host that was configured, whatever the client
 * asked for, and can stand in a header.
 */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <string.h>

#include "../services/blocklist_rule.h"
#include "fuzz_setup.h"

#define LINES_MAX	32
#define INPUT_MAX	4096		/* bytes of all */

/* Does it hold at its first and at its last minute, and not beside them? */
static void
check_hours(const char *text)
{
	struct hours	 h;
	struct tm	 tm;
	unsigned int	 day, held = 0;
	int		 length;

	if (hours_parse(&h, text) == -1)
		return;
	must(h.days > 0 && h.days < 0x80);
	must(h.from >= 0 && h.from < 24 * 60);
	must(h.to >= 0 && h.to <= 24 * 60 && h.from != h.to);
	memset(&tm, 0, sizeof(tm));
	length = h.to - h.from + (h.to > h.from ? 0 : 24 * 60);
	for (day = 0; day < 7; day++) {
		tm.tm_wday = (int)day;
		tm.tm_hour = h.from / 60;
		tm.tm_min = h.from % 60;
		/* the day before may last until then */
		if ((h.days >> day & 1) != 0) {
			must(hours_has(&h, 1, &tm));
			held++;
			tm.tm_wday = (int)(day + (unsigned int)
			    (h.from + length - 1) / (24 * 60)) % 7;
			tm.tm_hour = (h.from + length - 1) / 60 % 24;
			tm.tm_min = (h.from + length - 1) % 60;
			must(hours_has(&h, 1, &tm));
		} else
			must(!hours_has(&h, 1, &tm));
	}
	must(held > 0);
}

static void
check_network(const char *text)
{
	struct network	 n;
	char		 address[INET6_ADDRSTRLEN];

	(void)network_has(NULL, 0, text);
	if (network_parse(&n, text) == -1)
		return;
	must(n.bits <= 128);
	must(inet_ntop(AF_INET6, n.address, address, sizeof(address)) !=
	    NULL);
	must(network_has(&n, 1, address));
	(void)network_has(&n, 1, text);
}

static void
check_redirect(const char *redirect, const char *from)
{
	const struct service_var	 vars[] = {
		{ "category", from }, { "client", from }, { "host", from },
		{ "list", from }, { "rule", NULL }, { "url", from },
		{ "user", from }, { NULL, NULL }
	};
	char				 out[3 * INPUT_MAX];
	size_t				 size, i, n;

	size = fuzz_choose((const uint8_t *)redirect, strlen(redirect),
	    sizeof(out)) + 1;
	if (blocklist_rule_format(redirect, vars, out, size) == -1)
		return;
	must(strlen(out) < size);
	for (i = 0; out[i] != '\0'; i++)
		must(out[i] > ' ' && out[i] < 0x7f);
	/* scheme and host */
	n = 8 + strcspn(redirect + 8, "/?%");
	must(strncmp(out, redirect, n) == 0);
	must(redirect[n] != '%');
}

static void
check_rule(char *line[], unsigned int n, const char *from)
{
	static cfg_opt_t	 options[] = {
		CFG_STR_LIST("lists", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("clients", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("users", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("groups", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("types", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("when", NULL, CFGF_NODEFAULT),
		CFG_STR("action", NULL, CFGF_NONE),
		CFG_STR("redirect", NULL, CFGF_NONE),
		CFG_INT("status", 0, CFGF_NONE),
		CFG_STR("template", NULL, CFGF_NONE),
		CFG_END()
	};
	static struct blocklist_list	 list[2];
	struct blocklist_sources	 s = { "fuzz", list, 2, false, false };
	struct service_setup		 setup;
	struct blocklist_rule		 rule;
	cfg_t				*cfg;
	int				 result;

	list[0].name = "a";
	list[1].name = "good";
	list[1].allow = true;
	memset(&setup, 0, sizeof(setup));
	setup.error = on_error;
	setup.error_at = on_error_at;
	must((cfg = cfg_init(options, CFGF_NONE)) != NULL);
	must(cfg_setlist(cfg, "when", 1, line[0]) == 0);
	if (n > 1)
		must(cfg_setlist(cfg, "clients", 1, line[1]) == 0);
	if (n > 2 && line[2][0] != '\0')
		must(cfg_setstr(cfg, "redirect", line[2]) == 0);
	if (n > 3)
		must(cfg_setlist(cfg, "lists", 1, line[3]) == 0);
	if (n > 4)
		must(cfg_setstr(cfg, "action", line[4]) == 0);
	complaints = 0;
	result = blocklist_rule_init(&rule, &setup, cfg, &s);
	must((result == -1) == (complaints > 0));
	if (result == 0) {
		must(rule.nwhen == 1 && rule.any + rule.lists > 0);
		must((rule.lists & 2) == 0);
		must(rule.status >= 200 && rule.status <= 599);
		must((rule.redirect != NULL) ==
		    (rule.action == BLOCKLIST_REDIRECT));
		if (rule.redirect != NULL)
			check_redirect(rule.redirect, from);
	}
	blocklist_rule_fini(&rule);
	(void)cfg_free(cfg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char	 text[INPUT_MAX];
	char		*line[LINES_MAX], *p, *next;
	unsigned int	 n = 0, i;

	if (len >= INPUT_MAX)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	for (p = text; p != NULL && n < LINES_MAX; p = next) {
		if ((next = strchr(p, '\n')) != NULL)
			*next++ = '\0';
		line[n++] = p;
		check_hours(p);
		check_network(p);
	}
	for (i = 0; i < n; i += 5)
		check_rule(line + i, n - i, line[n - 1]);
	return 0;
}
