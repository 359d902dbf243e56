/* SPDX-License-Identifier: ISC */
/*
 * Unit test of blocklist.c: which rule decides, what the client gets then,
 * what is refused when it is opened, and that a list that changes is what the
 * next transaction is decided by.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../proto/http.h"
#include "../services/expr.h"
#include "../services/notice.h"
#include "opened.h"

extern const struct service svc_blocklist;

/* Then memory is not what it would be. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED	true
#elif defined(__has_feature)
#define IS_SANITIZED	__has_feature(address_sanitizer)
#else
#define IS_SANITIZED	false
#endif

static char		 folder[64];
static struct text	 notices;

static bool		 is_poor;	/* there is no memory for a copy */

/* Those of the C library but for that. */
char *
strndup(const char *s, size_t size)
{
	size_t	 len = strnlen(s, size);
	char	*copy = is_poor ? NULL : malloc(len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *
strdup(const char *s)
{
	return strndup(s, strlen(s));
}

static void
on_notice(bool warning, const char *message)
{
	if (warning)
		text_addf(&notices, "%s\n", message);
}

static void
put(const char *name, const char *text)
{
	char	 path[128];
	FILE	*fp;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	ck_assert_ptr_nonnull(fp = fopen(path, "w"));
	ck_assert_int_ge(fputs(text, fp), 0);
	ck_assert_int_eq(fclose(fp), 0);
}

static void
set_up(void)
{
	char	 path[128];

	(void)strlcpy(folder, "/tmp/icapd-policy.XXXXXX", sizeof(folder));
	ck_assert_ptr_nonnull(mkdtemp(folder));
	notices.len = 0;
	notices.s[0] = '\0';
	notice_set(on_notice);
	put("ads", "ads.example\nlong.example\n");
	put("bad", "bad.example\nsub.long.example\nshort.example\n"
	    "page.example\n10.0.0.1\nurl.example/bad\n2001:db8::1\n");
	put("good", "good.ads.example\nshort.example\n");
	(void)snprintf(path, sizeof(path), "%s/ut1", folder);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	put("ut1/domains", "ut1.example\n");
	(void)snprintf(path, sizeof(path), "%s/fine", folder);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	put("fine/domains", "allowed.example\n");
	if (!expr_is_built_in())
		return;
	put("ut1/expressions", "casino[0-9]\n^http://odd\\.\n"
	    "^https://tls\\.\n:8443/\n^tunnel\\.example$\n:8444$\n"
	    "/%73mall\n/secret$\n");
	put("fine/expressions", "^http://ads\\.example/ok/\n");
}

static void
tear_down(void)
{
	char	 command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

/* Opens with the four lists, and these keys and rules. */
static void
open_with(struct opened *o, const char *more)
{
	char	 text[2048];

	(void)snprintf(text, sizeof(text), "cache = '%s/cache'\n"
	    "list ads { path = {'%s/ads'} category = 'Ads & more' }\n"
	    "list bad { path = {'%s/bad'} }\n"
	    "list good { path = {'%s/good', '%s/fine'} allow = true }\n"
	    "list ut1 { path = {'%s/ut1'} }\n%s",
	    folder, folder, folder, folder, folder, folder, more);
	opened_init(o, &svc_blocklist, text);
}

/* "pass", "log LIST", "403 LIST", "302 URL" or "fail". */
static const char *
ask(struct opened *o, struct adapt *a)
{
	static char	 saw[2048];
	struct slice	 head, where = { "", 0 };
	const char	*list = "";
	unsigned int	 i;

	opened_run(o, a);
	for (i = 0; i < a->txn.nnotes; i++)
		if (strcmp(a->txn.note[i].key, "list") == 0)
			list = a->txn.note[i].value;
	head.p = a->txn.response.p;
	head.len = a->txn.response_head;
	switch (a->txn.verdict) {
	case VERDICT_UNCHANGED:
		(void)snprintf(saw, sizeof(saw), "%s%s",
		    a->txn.nnotes > 0 ? "log " : "pass", list);
		break;
	case VERDICT_REPLACED:
		if (http_find(head, "Location", &where))
			(void)snprintf(saw, sizeof(saw), "%d %.*s",
			    a->txn.http_status, (int)where.len, where.p);
		else
			(void)snprintf(saw, sizeof(saw), "%d %s",
			    a->txn.http_status, list);
		break;
	default:
		(void)snprintf(saw, sizeof(saw), "fail %s", a->txn.why);
		break;
	}
	adapt_fini(a);
	return saw;
}

static const char *
ask_for(struct opened *o, const char *request, const char *icap)
{
	static struct adapt	 a;
	static char		 head[1024];

	memset(&a, 0, sizeof(a));
	(void)snprintf(head, sizeof(head), "%s HTTP/1.1\r\n\r\n", request);
	a.ask.head = head;
	a.ask.icap = icap;
	return ask(o, &a);
}

#define PAGE	"rule r { redirect = " \
		"'http://page.example/b?u=%{url}&c=%{category}&l=%{list}' }"

/* What ask_for() puts behind it is one more line. */
#define GET_AT(hosts)	"GET /x HTTP/1.1\r\n" hosts "X-End:"
#define TWO_HOSTS	"fail more than one Host field"

static const struct {
	const char	*more;		/* rules */
	const char	*request;
	const char	*icap;
	const char	*expect;
} decisions[] = {
	{ "", "GET http://ads.example/x", NULL, "403 ads" },
	{ "", "GET http://fine.example/", NULL, "pass" },
	{ "", "CONNECT www.ads.example:443", NULL, "403 ads" },
	{ "", "GET http://good.ads.example/", NULL, "pass" },
	{ "", "GET http://short.example/", NULL, "pass" },
	{ "", "GET http://sub.long.example/", NULL, "403 bad" },
	{ "", "GET http://long.example/", NULL, "403 ads" },
	{ "", "GET /x", NULL, "fail no URL to look for" },
	{ "", "OPTIONS *", NULL, "fail no URL to look for" },
	{ "", "GET http://casino1.example/", NULL, "403 ut1" },
	{ "", "GET http://a.example/?q=CASINO2", NULL, "403 ut1" },
	{ "", "GET http://odd.example/", NULL, "403 ut1" },
	{ "", "GET http://x.example/http://odd.example", NULL, "pass" },
	/* what an expression sees: as it was sent, and the normal form */
	{ "", "GET https://tls.example/", NULL, "403 ut1" },
	{ "", "GET http://tls.example/", NULL, "pass" },
	{ "", "GET http://x.example:8443/", NULL, "403 ut1" },
	{ "", "GET https://x.example:443/", NULL, "pass" },
	{ "", "CONNECT tunnel.example:443", NULL, "403 ut1" },
	{ "", "CONNECT tunnel.example:8443", NULL, "403 ut1" },
	{ "", "CONNECT x.example:8444", NULL, "403 ut1" },
	{ "", "CONNECT x.example:443", NULL, "pass" },
	{ "", "GET http://x.example/%73mall", NULL, "403 ut1" },
	{ "", "GET http://x.example/small", NULL, "pass" },
	{ "", "GET http://x.example/a/../%73ecre%74", NULL, "403 ut1" },
	{ "", "GET http://x.example:81/secret", NULL, "403 ut1" },
	/* and one that allows both */
	{ "", "GET http://ads.example/ok/x", NULL, "pass" },
	{ "", "GET http://ads.example/ok/../x", NULL, "403 ads" },
	{ "", "GET http://ads.example/x/../ok/x", NULL, "403 ads" },
	/* spellings */
	{ "", "GET http://[64:ff9b::10.0.0.1]/", NULL, "403 bad" },
	{ "", "GET http://[2002:a00:1::1]/", NULL, "403 bad" },
	{ "", "CONNECT [::10.0.0.1]:443", NULL, "403 bad" },
	{ "", "CONNECT [2001:db8::1]:443", NULL, "403 bad" },
	{ "", "CONNECT 2001:db8::1:443", NULL,
	    "fail a URL with a port that cannot be" },
	{ "", "GET http://url.example/bad", NULL, "403 bad" },
	{ "", "GET http://url.example/bad;x=1", NULL, "403 bad" },
	{ "", "GET http://url.example/bad;x/y?z", NULL, "403 bad" },
	{ "", "GET http://url.example/bad?a;b", NULL, "403 bad" },
	{ "", "GET http://url.example/badx", NULL, "pass" },
	{ "", "GET http://fine.example\\@ads.example/", NULL,
	    "fail a URL with a backslash before an @" },
	{ "", "GET http:/ads.example/", NULL,
	    "fail a URL without // before its host" },
	/* Host */
	{ "", GET_AT("Host: ads.example\r\n"), NULL, "403 ads" },
	{ "", GET_AT("Host : ads.example\r\n"), NULL, "403 ads" },
	{ "", GET_AT("Host: fine.example\r\n"), NULL, "pass" },
	{ "", GET_AT("Host: fine.example\r\nHost: ads.example\r\n"), NULL,
	    TWO_HOSTS },
	{ "", GET_AT("Host : ads.example\r\nHost: fine.example\r\n"), NULL,
	    TWO_HOSTS },
	{ "", GET_AT("Host: fine.example\r\nhost: fine.example\r\n"), NULL,
	    TWO_HOSTS },
	{ "", GET_AT("Host: fine.example, ads.example\r\n"), NULL,
	    "fail a Host field that is no host" },
	/* rules */
	{ "rule a { lists = {bad} }", "GET http://ads.example/", NULL,
	    "pass" },
	{ "rule a { lists = {bad} }", "GET http://bad.example/", NULL,
	    "403 bad" },
	{ "rule a { lists = {ads} } rule b { lists = {bad} action = log }",
	    "GET http://sub.long.example/", NULL, "log bad" },
	{ "rule a { lists = {ads} }", "GET http://sub.long.example/", NULL,
	    "403 ads" },
	{ "rule a { users = {joe} action = allow } rule b { }",
	    "GET http://ads.example/", "X-Client-Username: JOE\r\n",
	    "log ads" },
	{ "rule a { users = {'j*'} action = allow } rule b { }",
	    "GET http://ads.example/", "X-Client-Username: ann\r\n",
	    "403 ads" },
	{ "rule a { users = {'*', ''} }", "GET http://ads.example/", NULL,
	    "pass" },
	{ "rule a { users = {'*'} }", "GET http://ads.example/",
	    "X-Client-Username: ann\r\n", "403 ads" },
	{ "rule a { groups = {'*', ''} }", "GET http://ads.example/", NULL,
	    "pass" },
	{ "rule a { groups = {staff} action = log } rule b { }",
	    "GET http://ads.example/",
	    "X-Authenticated-Groups: eCxzdGFmZg==\r\n", "log ads" },
	{ "rule a { groups = {staff} action = log } rule b { }",
	    "GET http://ads.example/", NULL, "403 ads" },
	{ "rule a { groups = {admin} }", "GET http://ads.example/",
	    "X-Authenticated-Groups: "
	    "TG9jYWw6Ly9zdGFmZixMb2NhbDovL2FkbWlu\r\n", "403 ads" },
	{ "rule a { groups = {admin} }", "GET http://ads.example/",
	    "X-Authenticated-Groups: c3RhZmY=, YWRtaW4=\r\n", "403 ads" },
	{ "rule a { groups = {admin} }", "GET http://ads.example/",
	    "X-Authenticated-Groups: staff\r\n"
	    "X-Authenticated-Groups: admin\r\n", "403 ads" },
	{ "rule a { groups = {'*/cn=b, c,ou=d'} }", "GET http://ads.example/",
	    "X-Authenticated-Groups: a, LDAP://h/cn=b, c,ou=d,x\r\n",
	    "403 ads" },
	{ "rule a { groups = {'*/cn=b,ou=*'} }", "GET http://ads.example/",
	    "X-Authenticated-Groups: LDAP://h/cn=b,ou=d,o=e\r\n",
	    "403 ads" },
	{ "rule a { groups = {'a,c', 'b,c,d', 'a,b,c,'} }",
	    "GET http://ads.example/", "X-Authenticated-Groups: a,b,c\r\n",
	    "pass" },
	{ "rule a { groups = {'b'} }", "GET http://ads.example/",
	    "X-Authenticated-Groups: \"a, b , c\r\n", "403 ads" },
	{ "rule a { clients = {'10.0.0.0/8', '::1'} }",
	    "GET http://ads.example/", "X-Client-IP: 10.1.1.1\r\n",
	    "403 ads" },
	{ "rule a { clients = {'10.0.0.0/8', '::1'} }",
	    "GET http://ads.example/", "X-Client-IP: 11.1.1.1\r\n", "pass" },
	{ "rule a { when = {'daily'} }", "GET http://ads.example/", NULL,
	    "403 ads" },
	{ "rule a { lists = {any} users = {joe} }",
	    "GET http://fine.example/", "X-Client-Username: joe\r\n",
	    "403 " },
	{ "rule a { lists = {any} users = {joe} }",
	    "GET http://short.example/", "X-Client-Username: joe\r\n",
	    "pass" },
	{ "rule a { status = 451 }", "GET http://ads.example/", NULL,
	    "451 ads" },
	{ "rule a { types = {'video/*'} }", "GET http://ads.example/", NULL,
	    "pass" },
	/* redirects */
	{ PAGE, "GET http://ads.example/?a=<b>&c", NULL,
	    "302 http://page.example/b?u=http%3A%2F%2Fads.example%2F"
	    "%3Fa%3D%3Cb%3E%26c&c=Ads%20%26%20more&l=ads" },
	{ PAGE, "CONNECT ads.example:443", NULL, "403 ads" },
	{ PAGE, "GET http://page.example/x", NULL, "pass" },
	{ PAGE, "GET http://PAGE.example:80/x", NULL, "pass" },
	{ PAGE, "GET http://sub.page.example/x", NULL,
	    "302 http://page.example/b?u=http%3A%2F%2Fsub.page.example%2Fx"
	    "&c=bad&l=bad" },
	{ "exempt = {ads.example}", "GET http://ads.example/", NULL, "pass" },
};

START_TEST(decision)
{
	static struct opened	 o;

	if (!expr_is_built_in() &&
	    strstr(decisions[_i].expect, "ut1") != NULL)
		return;
	open_with(&o, decisions[_i].more);
	ck_assert_str_eq(o.errors.s, "");
	ck_assert_uint_eq(o.kept, 2);
	ck_assert_str_eq(ask_for(&o, decisions[_i].request,
	    decisions[_i].icap), decisions[_i].expect);
	opened_fini(&o);
}
END_TEST

/*
 * An expression that gives up leaves the decision to on-error, unless it does
 * not depend on it; one that allows and gives up allows nothing.
 */
static const struct {
	const char	*rules;
	const char	*host;
	const char	*expect;
} limits[] = {
	{ "", "x", "fail an expression came to its limit" },
	{ "rule a { lists = {slow} }", "x",
	    "fail an expression came to its limit" },
	{ "rule a { lists = {slow} } rule b { lists = {any} action = log }",
	    "x", "fail an expression came to its limit" },
	{ "rule a { lists = {slow} } rule b { lists = {any} action = allow }",
	    "x", "fail an expression came to its limit" },
	{ "rule a { lists = {slow} } rule b { lists = {late} action = log }",
	    "late", "fail an expression came to its limit" },
	/* the same whether it matches or not */
	{ "rule b { lists = {any} action = log } rule a { lists = {slow} }",
	    "x", "log " },
	{ "", "late", "403 late" },
	{ "rule a { lists = {late} }", "x", "pass" },
	{ "rule a { lists = {late} }", "late", "403 late" },
	{ "rule a { lists = {slow} users = {joe} }", "x", "pass" },
	/* a domain comes before expressions */
	{ "", "ads", "403 ads" },
	{ "", "okay", "pass" },
	{ "", "good", "pass" },
};

START_TEST(limit)
{
	static struct opened	 o;
	static struct adapt	 a;
	char			 text[2048], head[5000], command[256];
	size_t			 n;

	if (!expr_is_built_in())
		return;
	(void)snprintf(command, sizeof(command), "mkdir %s/slow %s/late "
	    "%s/okay", folder, folder, folder);
	ck_assert_int_eq(system(command), 0);
	put("slow/expressions", "(a+)+b|(a|aa)+c\n");
	put("late/expressions", "^http://late\\.\n");
	put("okay/expressions", "^http://okay\\.\n");
	(void)snprintf(text, sizeof(text), "cache = '%s/cache'\n"
	    "list slow { path = {'%s/slow'} } list late { path = {'%s/late'} }"
	    "list okay { path = {'%s/okay', '%s/good'} allow = true }"
	    "list more { path = {'%s/slow'} allow = true }"
	    "list ads { path = {'%s/ads'} } %s", folder, folder, folder,
	    folder, folder, folder, folder, limits[_i].rules);
	opened_init(&o, &svc_blocklist, text);
	ck_assert_str_eq(o.errors.s, "");
	memset(&a, 0, sizeof(a));
	n = (size_t)snprintf(head, sizeof(head), "GET http://%s%s.example/",
	    limits[_i].host, strcmp(limits[_i].host, "good") == 0 ?
	    ".ads" : "");
	memset(head + n, 'a', 4000);
	(void)snprintf(head + n + 4000, sizeof(head) - n - 4000,
	    "!c HTTP/1.1\r\n\r\n");
	a.ask.head = head;
	ck_assert_str_eq(ask(&o, &a), limits[_i].expect);
	opened_fini(&o);
}
END_TEST

/*
 * Hours or days, counted from now; a rule that does not hold leaves it to the
 * next one.
 */
static const struct {
	bool		 is_days;
	int		 from;
	int		 to;
	const char	*more;
	bool		 holds;
} times[] = {
	{ false, -1, 2, "", true },
	{ false, 2, 23, "", false },
	{ true, -1, 1, "", true },
	{ true, 2, 5, "", false },
	{ true, 2, 5, ", 'daily 00:00-24:00'", true },
};

START_TEST(when)
{
	static const char *const	 day[] = {
		"sun", "mon", "tue", "wed", "thu", "fri", "sat"
	};
	static struct opened		 o;
	char				 rule[128];
	time_t				 now = time(NULL);
	struct tm			 tm;

	ck_assert_ptr_nonnull(localtime_r(&now, &tm));
	if (times[_i].is_days)
		(void)snprintf(rule, sizeof(rule),
		    "rule a { when = {'%s-%s'%s} } rule b { status = 451 }",
		    day[(tm.tm_wday + times[_i].from + 7) % 7],
		    day[(tm.tm_wday + times[_i].to) % 7], times[_i].more);
	else
		(void)snprintf(rule, sizeof(rule),
		    "rule a { when = {'daily %02d:00-%02d:00'%s} }"
		    "rule b { status = 451 }",
		    (tm.tm_hour + times[_i].from + 24) % 24,
		    (tm.tm_hour + times[_i].to) % 24, times[_i].more);
	open_with(&o, rule);
	ck_assert_str_eq(o.errors.s, "");
	ck_assert_str_eq(ask_for(&o, "GET http://ads.example/", NULL),
	    times[_i].holds ? "403 ads" : "451 ads");
	opened_fini(&o);
}
END_TEST

#define TWO_TYPES	"fail more than one Content-Type"

static const struct {
	const char	*field;
	const char	*expect;
} types[] = {
	{ "Content-Type: video/mp4\r\n", "403 " },
	{ "Content-Type: VIDEO/x; a=b\r\n", "403 " },
	{ "Content-Type : video/mp4; codecs=\"a, b\"\r\n", "403 " },
	{ "Content-Type: text/html\r\n", "pass" },
	{ "Content-Type: video\r\n", "pass" },
	{ "", "pass" },
	/* which one counts? */
	{ "Content-Type: text/html\r\nContent-Type: video/mp4\r\n",
	    TWO_TYPES },
	{ "Content-Type: video/mp4\r\nContent-Type: text/html\r\n",
	    TWO_TYPES },
	{ "Content-Type: text/html, video/mp4\r\n", TWO_TYPES },
	{ "Content-Type: text/html; a=\"\\\"\", video/mp4\r\n", TWO_TYPES },
	{ "Content-Type: text/html\r\nContent-Type: Text/HTML; a=b\r\n",
	    "pass" },
};

START_TEST(response_type)
{
	static struct opened	 o;
	static struct adapt	 a;
	int			 i;

	/* with nobody who asks for a type it may be anything */
	for (i = 0; i < 2; i++) {
		open_with(&o, i == 0 ? "" :
		    "rule a { lists = {any} types = {'video/*'} }");
		memset(&a, 0, sizeof(a));
		a.ask.respmod = true;
		a.ask.body = "x";
		a.ask.len = 1;
		a.ask.preview = "0";
		a.ask.http = types[_i].field;
		ck_assert_str_eq(ask(&o, &a),
		    i == 0 ? "pass" : types[_i].expect);
		opened_fini(&o);
	}
}
END_TEST

/* The page says why, and nothing of the URL gets into it unescaped. */
START_TEST(page)
{
	static struct opened	 o;
	static struct adapt	 a;
	char			*body;

	open_with(&o, "");
	memset(&a, 0, sizeof(a));
	a.ask.head = "GET http://ads.example/<script>\"'& HTTP/1.1\r\n\r\n";
	opened_run(&o, &a);
	body = strndup(a.txn.response.p, a.txn.response.len);
	ck_assert_ptr_null(strstr(body, "<script>"));
	ck_assert_ptr_nonnull(strstr(body, "&lt;script&gt;&quot;&#39;&amp;"));
	ck_assert_ptr_nonnull(strstr(body, "Ads &amp; more"));
	free(body);
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* What vendors' clients look for: kept back, in a redirect too. */
START_TEST(violation)
{
	static const char	 expect[] = "X-Violations-Found: 1 "
				    "http://ads.example/<a Ads_&_more 0 2\r\n";
	static struct opened	 o;
	static struct adapt	 a;

	open_with(&o, _i == 0 ? "" : PAGE);
	memset(&a, 0, sizeof(a));
	a.ask.head = "GET http://ads.example/<a HTTP/1.1\r\n\r\n";
	opened_run(&o, &a);
	ck_assert_int_eq(a.txn.http_status, _i == 0 ? 403 : 302);
	ck_assert_ptr_nonnull(memmem(a.txn.reply_headers,
	    a.txn.reply_headers_len, expect, sizeof(expect) - 1));
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

static const struct {
	const char	*more;
	const char	*error;
} faults[] = {
	{ "cache = relative", "cache \"relative\": expected" },
	{ "list none { }", "none [0]: there is no path" },
	{ "list x { path = {'/nonexistent/list'} }",
	    "x path[0]: path \"/nonexistent/list\": No such file" },
	{ "rule a { lists = {ads, nix} }",
	    "a lists[1]: lists \"nix\": expected" },
	{ "rule a { lists = {good} }", "a lists[0]: lists \"good\" is one" },
	{ "rule a { clients = {'10.0.0.0/8', x} }",
	    "a clients[1]: clients \"x\"" },
	{ "rule a { when = {'mon 25:00'} }", "a when[0]: when \"mon 25:00\"" },
	{ "rule a { action = deny }", "a action[0]: action \"deny\"" },
	{ "rule a { action = redirect }", "a redirect[0]: redirect: expected" },
	{ "rule a { action = log redirect = 'http://x/' }",
	    "a redirect[0]: redirect: expected" },
	{ "rule a { redirect = 'ftp://x/' }", "a redirect[0]: redirect \"ftp" },
	{ "rule a { redirect = \"http://x/\\n\" }", "a redirect[0]: redirect" },
	{ "rule a { redirect = 'http://%{host}/' }",
	    "a redirect[0]: redirect \"http://%{host}/\": expected a URL" },
	{ "rule a { redirect = 'http://x/%{x}' }",
	    "a redirect[0]: redirect \"http://x/%{x}\": expected the var" },
	{ "rule a { status = 99 }", "a status[0]: status 99" },
	{ "rule a { status = 200 redirect = 'http://x/' }",
	    "a status[0]: status 200" },
	{ "exempt = {x, ''}", " exempt[1]: exempt \"\"" },
	{ "template = '/nonexistent.html'", "template \"/nonexistent.html\"" },
};

START_TEST(fault)
{
	static struct opened	 o;
	const char		*expect = faults[_i].error;

	/* the section itself has no title */
	open_with(&o, faults[_i].more);
	ck_assert_ptr_null(o.instance);
	if (expect[0] == ' ')
		expect++;
	ck_assert_msg(strstr(o.errors.s, expect) != NULL, "%s", o.errors.s);
	opened_fini(&o);
}
END_TEST

#define TOO_LONG	"fail a URL that is too long"
#define NOT_UT1		"rule r { lists = {ads, bad} }"
#define ALLOW_BAD	"rule a { lists = {bad} action = allow } "

/* Of a URL that is too long expressions may decide, which are not tried. */
static const struct {
	const char	*more;
	const char	*host;		/* and how its path begins */
	size_t		 len;		/* of path and query */
	const char	*expect;
	bool		 needs_expressions;
} long_urls[] = {
	{ "", "ads.example/?", 8193, "403 ads", false },
	{ "", "www.ads.example/?", 8201, "403 ads", false },
	{ "", "good.ads.example/?", 8193, "pass", false },
	{ "exempt = {'ads.example'}", "ads.example/?", 8193, "pass", false },
	{ NOT_UT1, "fine.example/?", 8193, "pass", false },
	{ NOT_UT1, "url.example/?", 8192, "pass", false },
	{ NOT_UT1, "url.example/?", 8193, "pass", false },
	{ NOT_UT1, "url.example/bad?", 8193, "403 bad", false },
	{ NOT_UT1, "www.url.example/x/..//bad/", 11000, "403 bad", false },
	{ NOT_UT1, "url.example/badx", 8193, "pass", false },
	{ NOT_UT1, "ads.example/?", 8193, "403 ads", false },
	{ NOT_UT1, "url.example/fine/", 11000, "pass", false },
	{ "rule l { lists = {ads, bad} action = log }", "url.example/bad?",
	    8193, "log bad", false },
	{ ALLOW_BAD "rule r { lists = {any} }", "url.example/bad/", 8193,
	    "log bad", false },
	{ ALLOW_BAD "rule r { lists = {any} }", "url.example/", 8193,
	    "403 ", false },
	{ ALLOW_BAD "rule r { lists = {ads} }", "ads.example/bad?", 8193,
	    "log bad", false },
	{ ALLOW_BAD "rule r { lists = {ads} }", "ads.example/?", 8193,
	    "403 ads", false },
	{ "", "fine.example/?", 8192, "pass", true },
	{ "", "fine.example/?", 8193, TOO_LONG, true },
	{ "", "url.example/bad?", 8193, "403 bad", true },
	{ "rule l { action = log }", "fine.example/?", 8193, "pass", true },
};

START_TEST(long_url)
{
	static struct opened	 o;
	static struct adapt	 a;
	static char		 head[16384];
	const char		*path = strchr(long_urls[_i].host, '/');
	size_t			 n, left;

	if (long_urls[_i].needs_expressions && !expr_is_built_in())
		return;
	put("bad", "url.example/bad\nads.example/bad\n");
	open_with(&o, long_urls[_i].more);
	ck_assert_str_eq(o.errors.s, "");
	memset(&a, 0, sizeof(a));
	n = (size_t)snprintf(head, sizeof(head), "GET http://%s",
	    long_urls[_i].host);
	left = long_urls[_i].len - strlen(path);
	memset(head + n, 'a', left);
	n += left;
	(void)strlcpy(head + n, " HTTP/1.1\r\n\r\n", sizeof(head) - n);
	a.ask.head = head;
	ck_assert_str_eq(ask(&o, &a), long_urls[_i].expect);
	opened_fini(&o);
}
END_TEST

/* ---- lists that change --------------------------------------------------- */

static uint64_t
version_of(struct opened *o)
{
	char	 text[64];

	svc_blocklist.version(o->instance, text, sizeof(text));
	ck_assert_uint_eq(strlen(text), 16);
	return (uint64_t)strtoull(text, NULL, 16);
}

/* Polls until it has taken effect; the bound is for a failing test only. */
static void
poll_until(struct opened *o, uint64_t before)
{
	int	 i;

	for (i = 0; i < 500 && version_of(o) == before; i++) {
		svc_blocklist.poll(o->instance);
		(void)poll(NULL, 0, 20);
	}
}

/* Another process polls, this one is a worker, which finds out. */
START_TEST(changed)
{
	static struct opened	 o;
	uint64_t		 before;
	pid_t			 pid;
	int			 status, i;

	open_with(&o, "");
	ck_assert_str_eq(ask_for(&o, "GET http://ads.example/", NULL),
	    "403 ads");
	for (i = 0; i < 3; i++) {
		before = version_of(&o);
		put("ads", i % 2 == 0 ? "new.example\n" : "ads.example\n");
		if ((pid = fork()) == 0) {
			poll_until(&o, before);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		ck_assert_uint_ne(version_of(&o), before);
		ck_assert_str_eq(ask_for(&o, "GET http://ads.example/", NULL),
		    i % 2 == 0 ? "pass" : "403 ads");
		ck_assert_str_eq(ask_for(&o, "GET http://new.example/", NULL),
		    i % 2 == 0 ? "403 ads" : "pass");
		if (expr_is_built_in())
			ck_assert_str_eq(ask_for(&o,
			    "GET http://casino1.example/", NULL), "403 ut1");
	}
	ck_assert_str_eq(notices.s, "");
	opened_fini(&o);
}
END_TEST

/* Another process polls until the lists are others. */
static void
watch(struct opened *o)
{
	uint64_t	 before = version_of(o);
	int		 status;
	pid_t		 pid;

	if ((pid = fork()) == 0) {
		poll_until(o, before);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* By a worker that is started now: the master itself never learns. */
static bool
is_decided(struct opened *o, const char *request, const char *expect)
{
	int	 status;
	pid_t	 pid;

	if ((pid = fork()) == 0)
		_exit(strcmp(ask_for(o, request, NULL), expect) == 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status == 0;
}

/*
 * The one that watches dies, and another one, made by a master that has seen
 * nothing, takes its place: what was at the start is a change for workers.
 */
START_TEST(respawned)
{
	static struct opened	 o;
	uint64_t		 first;

	open_with(&o, "");
	first = version_of(&o);
	put("ads", "new.example\n");
	watch(&o);
	ck_assert(is_decided(&o, "GET http://new.example/", "403 ads"));
	put("ads", "ads.example\nlong.example\n");
	watch(&o);
	ck_assert_uint_eq(version_of(&o), first);
	ck_assert(is_decided(&o, "GET http://new.example/", "pass"));
	ck_assert(is_decided(&o, "GET http://ads.example/", "403 ads"));
	opened_fini(&o);
}
END_TEST

/*
 * New lists that workers cannot be given are told, and given to them as soon
 * as they can be.
 */
START_TEST(kept_back)
{
	static struct opened	 o;
	uint64_t		 before;
	char			 junk[8];
	int			 i;

	open_with(&o, "");
	ck_assert_uint_eq(o.kept, 2);
	before = version_of(&o);
	/* no room for any more */
	while (send(o.keep[0], "junk", 4, MSG_DONTWAIT) == 4)
		;
	put("ads", "new.example\n");
	for (i = 0; i < 500 && notices.len == 0; i++) {
		svc_blocklist.poll(o.instance);
		(void)poll(NULL, 0, 20);
	}
	ck_assert_ptr_nonnull(strstr(notices.s, "the workers cannot be given "
	    "the new lists: "));
	for (i = 0; i < 10; i++)
		svc_blocklist.poll(o.instance);
	ck_assert_uint_eq(version_of(&o), before);
	ck_assert_ptr_null(strstr(strstr(notices.s, "cannot be given") + 1,
	    "cannot be given"));
	ck_assert_str_eq(ask_for(&o, "GET http://ads.example/", NULL),
	    "403 ads");
	while (recv(o.keep[1], junk, sizeof(junk), MSG_DONTWAIT) != -1)
		;
	poll_until(&o, before);
	ck_assert_str_eq(ask_for(&o, "GET http://new.example/", NULL),
	    "403 ads");
	ck_assert_str_eq(ask_for(&o, "GET http://ads.example/", NULL),
	    "pass");
	opened_fini(&o);
}
END_TEST

static unsigned int
count_notices(const char *what)
{
	const char	*p = notices.s;
	unsigned int	 n = 0;

	for (; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* So are those that could not be compiled for a reason that is not theirs. */
START_TEST(not_written)
{
	static struct opened	 o;
	uint64_t		 before;
	char			 command[256];
	int			 i;

	open_with(&o, "");
	before = version_of(&o);
	/* no file can be put in its place */
	(void)snprintf(command, sizeof(command), "cd %s/cache && f=$(ls) && "
	    "rm \"$f\" && mkdir \"$f\"", folder);
	ck_assert_int_eq(system(command), 0);
	put("ads", "new.example\nthis is none\n");
	for (i = 0; i < 500 && notices.len == 0; i++) {
		svc_blocklist.poll(o.instance);
		(void)poll(NULL, 0, 20);
	}
	for (i = 0; i < 10; i++)
		svc_blocklist.poll(o.instance);
	ck_assert_uint_eq(count_notices("; the old one stays in use"), 1);
	ck_assert_uint_eq(count_notices("ads:2: "), 1);
	ck_assert_uint_eq(version_of(&o), before);
	(void)snprintf(command, sizeof(command), "rmdir %s/cache/*", folder);
	ck_assert_int_eq(system(command), 0);
	poll_until(&o, before);
	ck_assert_str_eq(ask_for(&o, "GET http://new.example/", NULL),
	    "403 ads");
	opened_fini(&o);
}
END_TEST

/* A reload is no way round: what was not empty before must not be. */
START_TEST(reloaded_empty)
{
	static struct opened	 o;

	open_with(&o, "");
	ck_assert_str_eq(o.errors.s, "");
	opened_fini(&o);
	put("ut1/domains", "");
	open_with(&o, "");
	ck_assert_msg(strstr(o.errors.s, "/ut1\": domains: it has become "
	    "empty, and had 1 entries") != NULL, "%s", o.errors.s);
	opened_fini(&o);
	/* nor is it forgotten by that */
	open_with(&o, "");
	ck_assert_ptr_null(o.instance);
	opened_fini(&o);
	put("ut1/domains", "ut1.example\n");
	put("ads", "");
	open_with(&o, "");
	ck_assert_ptr_nonnull(strstr(o.errors.s, "it has become empty"));
	opened_fini(&o);
	ck_assert_str_eq(notices.s, "");
}
END_TEST

/* Expressions that change one by one, and not at all. */
START_TEST(changed_expressions)
{
	static const char *const sets[] = { "a1\nb1\nc1\n", "b1\nc1\n",
				    "b1\nx1\nc1\n", "c1\nb1\n", "d1\n",
				    "a1\nb1\na1\n" };
	static struct opened	 o;
	char			 url[64], line[8];
	size_t			 i;
	int			 k, fresh;

	if (!expr_is_built_in())
		return;
	open_with(&o, "");
	for (i = 0; i < 2 * ROWS(sets); i++) {
		/* every second time it is a domain that changes */
		if (i % 2 == 0)
			put("ut1/expressions", sets[i / 2]);
		fresh = (int)i;
		(void)snprintf(url, sizeof(url), "fresh%d.example\n", fresh);
		put("ads", url);
		watch(&o);
		for (k = 'a'; k <= 'd'; k++) {
			(void)snprintf(url, sizeof(url),
			    "GET http://fine.example/%c1", k);
			(void)snprintf(line, sizeof(line), "%c1\n", k);
			ck_assert_str_eq(ask_for(&o, url, NULL),
			    strstr(sets[i / 2], line) != NULL ? "403 ut1" :
			    "pass");
		}
		(void)snprintf(url, sizeof(url),
		    "GET http://fresh%d.example/", fresh);
		ck_assert_str_eq(ask_for(&o, url, NULL), "403 ads");
	}
	opened_fini(&o);
}
END_TEST

/* KiB of memory that this process shares with nobody; 0: unknown. */
static unsigned long
get_private(void)
{
	const char	*preload = getenv("LD_PRELOAD");
	unsigned long	 all = 0;
	char		 line[128];
	FILE		*fp = fopen("/proc/self/smaps_rollup", "r");

	while (fp != NULL && fgets(line, sizeof(line), fp) != NULL)
		if (strncmp(line, "Private_Dirty:", 14) == 0)
			all = strtoul(line + 14, NULL, 10);
	if (fp != NULL)
		(void)fclose(fp);
	/* valgrind has much of its own */
	return preload != NULL && strstr(preload, "vgpreload") != NULL ? 0 :
	    all;
}

/*
 * What thousands of expressions need is compiled once, for all processes: a
 * worker that uses them has little of its own, also when a domain changes.
 */
START_TEST(memory)
{
	static struct opened	 o;
	char			 path[128];
	unsigned long		 before;
	FILE			*fp;
	int			 i, status;
	pid_t			 pid;

	if (!expr_is_built_in() || IS_SANITIZED || get_private() == 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/ut1/expressions", folder);
	ck_assert_ptr_nonnull(fp = fopen(path, "w"));
	for (i = 0; i < 2000; i++)
		(void)fprintf(fp, "(^|[./])casino%d(s|[0-9]+)?/\n", i);
	ck_assert_int_eq(fclose(fp), 0);
	open_with(&o, "");
	if ((pid = fork()) == 0) {
		before = get_private();
		if (strcmp(ask_for(&o, "GET http://x.example/", NULL),
		    "pass") != 0)
			_exit(1);
		put("ads", "new.example\n");
		watch(&o);
		if (strcmp(ask_for(&o, "GET http://new.example/", NULL),
		    "403 ads") != 0 || strcmp(ask_for(&o,
		    "GET http://casino7s/", NULL), "403 ut1") != 0)
			_exit(2);
		_exit(get_private() - before < 1024 ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	opened_fini(&o);
}
END_TEST

/*
 * The host of a redirect is not blocked by its address either, once the one
 * that polls has found it; localhost is in the hosts file.
 */
START_TEST(page_address)
{
	static struct opened	 o;
	int			 i;

	put("bad", "127.0.0.1\n127.0.0.2\nlocalhost\n");
	open_with(&o, "rule r { redirect = 'http://localhost:8080/%{url}' }");
	ck_assert_str_eq(o.errors.s, "");
	ck_assert_str_eq(ask_for(&o, "GET http://127.0.0.1/x", NULL),
	    "302 http://localhost:8080/http%3A%2F%2F127.0.0.1%2Fx");
	for (i = 0; i < 500 && strcmp(ask_for(&o, "GET http://127.0.0.1/x",
	    NULL), "pass") != 0; i++)
		svc_blocklist.poll(o.instance);
	ck_assert_str_eq(notices.s, "");
	ck_assert_str_eq(ask_for(&o, "GET http://127.0.0.1/x", NULL), "pass");
	ck_assert_str_eq(ask_for(&o, "CONNECT 127.0.0.1:443", NULL), "pass");
	ck_assert_str_eq(ask_for(&o, "GET http://localhost/", NULL), "pass");
	ck_assert_str_eq(ask_for(&o, "CONNECT 127.0.0.2:443", NULL),
	    "403 bad");
	opened_fini(&o);
	/* a literal one needs nobody */
	open_with(&o, "rule r { redirect = 'http://127.0.0.2/' }");
	ck_assert_str_eq(ask_for(&o, "GET http://127.0.0.2:8080/", NULL),
	    "pass");
	ck_assert_str_eq(ask_for(&o, "GET http://127.0.0.1/", NULL),
	    "302 http://127.0.0.2/");
	opened_fini(&o);
}
END_TEST

/* A list that goes away, or empties, leaves the old one in place. */
START_TEST(gone)
{
	static struct opened	 o;
	char			 path[128];
	uint64_t		 before;
	int			 i;

	open_with(&o, "");
	before = version_of(&o);
	(void)snprintf(path, sizeof(path), "%s/ads", folder);
	if (_i == 0)
		ck_assert_int_eq(unlink(path), 0);
	else
		put("ads", _i == 1 ? "" : "<html>\n");
	for (i = 0; i < 500 && notices.len == 0; i++) {
		svc_blocklist.poll(o.instance);
		(void)poll(NULL, 0, 20);
	}
	for (i = 0; i < 10; i++)
		svc_blocklist.poll(o.instance);
	ck_assert_uint_eq(version_of(&o), before);
	ck_assert_ptr_nonnull(strstr(notices.s, _i == 0 ?
	    "/ads: No such file or directory; the old one stays in use" :
	    _i == 1 ? "/ads: it has become empty" :
	    "/ads: none of its 1 lines"));
	/* said once */
	ck_assert_ptr_null(strstr(strstr(notices.s, "stays in use") + 1,
	    "stays in use"));
	ck_assert_str_eq(ask_for(&o, "GET http://ads.example/", NULL),
	    "403 ads");
	/* and comes back */
	put("ads", "back.example\n");
	poll_until(&o, before);
	ck_assert_str_eq(ask_for(&o, "GET http://back.example/", NULL),
	    "403 ads");
	opened_fini(&o);
}
END_TEST

/* Without memory nobody knows whether a rule is for somebody. */
START_TEST(poor)
{
	static const struct {
		const char	*rule;
		const char	*icap;
		const char	*expect;
	} rows[] = {
		{ "rule a { groups = {admin} }",
		    "X-Authenticated-Groups: admin\r\n",
		    "fail no memory for the groups" },
		{ "rule a { users = {joe} }", "X-Client-Username: joe\r\n",
		    "fail no memory for who has asked" },
		{ "rule a { }", "X-Client-Username: joe\r\n", "403 ads" },
	};
	struct opened	 o;
	size_t		 i;

	for (i = 0; i < ROWS(rows); i++) {
		open_with(&o, rows[i].rule);
		is_poor = true;
		ck_assert_str_eq(ask_for(&o, "GET http://ads.example/",
		    rows[i].icap), rows[i].expect);
		is_poor = false;
		ck_assert_str_eq(ask_for(&o, "GET http://ads.example/",
		    rows[i].icap), "403 ads");
		opened_fini(&o);
	}
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_checked_fixture(tc, set_up, tear_down);
	unit_add_rows(tc, decision, decisions);
	unit_add_rows(tc, limit, limits);
	unit_add_rows(tc, when, times);
	unit_add_rows(tc, response_type, types);
	tcase_add_test(tc, page);
	tcase_add_loop_test(tc, violation, 0, 2);
	unit_add_rows(tc, fault, faults);
	unit_add_rows(tc, long_url, long_urls);
	tcase_add_test(tc, page_address);
	tcase_add_test(tc, poor);
	tcase_add_test(tc, changed);
	tcase_add_test(tc, respawned);
	tcase_add_test(tc, kept_back);
	tcase_add_test(tc, not_written);
	tcase_add_test(tc, reloaded_empty);
	tcase_add_test(tc, changed_expressions);
	tcase_add_test(tc, memory);
	tcase_add_loop_test(tc, gone, 0, 3);
}

int
main(void)
{
	return unit_main("policy", add);
}
