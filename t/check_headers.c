/* SPDX-License-Identifier: ISC */
/*
 * Unit test of headers.c: what each action makes of a head, byte by byte;
 * each condition with what it lets through and what not; and which sections
 * are refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../services/expr.h"
#include "opened.h"

extern const struct service svc_headers;

/* The head all rules are tried on. */
#define LINES	"Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n" \
		"Accept: text/html,\r\n text/plain\r\n\r\n"
#define GET	"GET http://www.a.example/dir/Page?q HTTP/1.1\r\n"
#define TEN	"0123456789012345678901234567890123456789" \
		"0123456789"

static const struct {
	const char	*rule;		/* inside of rule "r" { } */
	const char	*expect;	/* the lines; NULL: unchanged */
} edits[] = {
	{ "action=set name=X-New value=v",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n"
	    "Accept: text/html,\r\n text/plain\r\nX-New: v\r\n\r\n" },
	{ "action=set name=X-One value=v",
	    "Host: www.a.example\r\nX-One: v\r\n"
	    "Accept: text/html,\r\n text/plain\r\n\r\n" },
	{ "action=add name=x-one value=v",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n"
	    "Accept: text/html,\r\n text/plain\r\nx-one: v\r\n\r\n" },
	{ "action=append name=Host value=v",
	    "Host: www.a.example, v\r\nX-One:  1 \r\nx-ONE:\t2\r\n"
	    "Accept: text/html,\r\n text/plain\r\n\r\n" },
	{ "action=append name=Accept value=v",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n"
	    "Accept: text/html,\r\n text/plain, v\r\n\r\n" },
	{ "action=append name=X-One value=v",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2, v\r\n"
	    "Accept: text/html,\r\n text/plain\r\n\r\n" },
	{ "action=append name=X-New value=v",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n"
	    "Accept: text/html,\r\n text/plain\r\nX-New: v\r\n\r\n" },
	{ "action=remove name=X-one",
	    "Host: www.a.example\r\n"
	    "Accept: text/html,\r\n text/plain\r\n\r\n" },
	{ "action=remove name=X-None", NULL },
	{ "action=rename name=x-one to=Y",
	    "Host: www.a.example\r\nY:  1 \r\nY:\t2\r\n"
	    "Accept: text/html,\r\n text/plain\r\n\r\n" },
	{ "action=rename name=X-None to=Y", NULL },
	{ "action=replace name=X-One match='[2-9]' value='<$0>'",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t<2>\r\n"
	    "Accept: text/html,\r\n text/plain\r\n\r\n" },
	{ "action=replace name=X-One match=3 value=4", NULL },
	{ "action=replace name=Accept match='text/(\\\\w+)' value='$1'",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n"
	    "Accept: html,   plain\r\n\r\n" },
	{ "action=set name=X value='%{client-ip} %{user} %{host} %{service}'",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n"
	    "Accept: text/html,\r\n text/plain\r\n"
	    "X: 10.1.1.1 joe www.a.example test\r\n\r\n" },
	{ "action=set name=X value='%{method} %{url} 100%%'",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n"
	    "Accept: text/html,\r\n text/plain\r\n"
	    "X: GET http://www.a.example/dir/Page?q 100%%\r\n\r\n" },
	/* conditions */
	{ "action=remove name=Accept on={request}",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n\r\n" },
	{ "action=remove name=Accept on={response}", NULL },
	{ "action=remove name=Accept methods={POST,GET}",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n\r\n" },
	{ "action=remove name=Accept methods={POST}", NULL },
	{ "action=remove name=Accept hosts={b.example,A.example.}",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n\r\n" },
	{ "action=remove name=Accept hosts={aa.example,w.a.example}", NULL },
	{ "action=remove name=Accept paths={'/dir/*'}",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n\r\n" },
	{ "action=remove name=Accept paths={'/dir'}", NULL },
	{ "action=remove name=Accept clients={'10.0.0.0/8'}",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n\r\n" },
	{ "action=remove name=Accept clients={'11.0.0.0/8'}", NULL },
	{ "action=remove name=Accept users={JOE}",
	    "Host: www.a.example\r\nX-One:  1 \r\nx-ONE:\t2\r\n\r\n" },
	{ "action=remove name=Accept users={jim}", NULL },
	{ "action=remove name=Accept status={200}", NULL },
	{ "action=remove name=Accept types={'*'}", NULL },
};

static const char	*user = "joe";

static void
run_rule(struct opened *o, struct adapt *a, const char *rule)
{
	static char	 icap[128];
	char		 text[512];

	(void)snprintf(text, sizeof(text), "rule \"r\" { %s }", rule);
	opened_init(o, &svc_headers, text);
	ck_assert_str_eq(o->errors.s, "");
	(void)snprintf(icap, sizeof(icap), "X-Client-IP: 10.1.1.1\r\n"
	    "X-Client-Username: %s\r\n", user);
	a->ask.icap = icap;
	opened_run(o, a);
	ck_assert_int_eq(a->result, 0);
}

START_TEST(edit)
{
	static struct opened	 o;
	static struct adapt	 a;
	char			 expect[1024];

	if (!expr_is_built_in() && strstr(edits[_i].rule, "match") != NULL)
		return;
	memset(&a, 0, sizeof(a));
	a.ask.head = GET LINES;
	run_rule(&o, &a, edits[_i].rule);
	if (edits[_i].expect == NULL)
		ck_assert_int_eq(a.txn.verdict, VERDICT_UNCHANGED);
	else {
		(void)snprintf(expect, sizeof(expect), "%s%s", GET,
		    edits[_i].expect);
		ck_assert_int_eq(a.txn.verdict, VERDICT_EDITED);
		ck_assert_uint_eq(a.txn.head.len, strlen(expect));
		ck_assert_mem_eq(a.txn.head.p, expect, strlen(expect));
	}
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* A value that was there may be longer than any that rules make. */
static const struct {
	const char	*rule;
	const char	*behind;	/* of the long value */
} lengths[] = {
	{ "action=replace name=X match='b$' value='<$0>'", "<b>" },
	{ "action=replace name=X match='^a+' value='$0$0'", NULL },
	{ "action=append name=X value=v", "b, v" },
	{ "action=set name=X value='%{url}'", "b" },
};

START_TEST(long_value)
{
	static struct opened	 o;
	static struct adapt	 a;
	static char		 head[32 * 1024], value[10001], expect[20100];
	size_t			 len;

	if (!expr_is_built_in() && strstr(lengths[_i].rule, "match") != NULL)
		return;
	memset(value, 'a', sizeof(value) - 1);
	(void)snprintf(head, sizeof(head), strstr(lengths[_i].rule, "url") !=
	    NULL ? "GET %sb HTTP/1.1\r\n\r\n" :
	    "GET / HTTP/1.1\r\nX: %sb\r\n\r\n", value);
	memset(&a, 0, sizeof(a));
	a.ask.head = head;
	run_rule(&o, &a, lengths[_i].rule);
	len = (size_t)snprintf(expect, sizeof(expect), "\r\nX: %s%s\r\n\r\n",
	    value, lengths[_i].behind != NULL ? lengths[_i].behind : "ab");
	if (lengths[_i].behind == NULL)
		len = (size_t)snprintf(expect, sizeof(expect),
		    "\r\nX: %s%sb\r\n\r\n", value, value);
	ck_assert_int_eq(a.txn.verdict, VERDICT_EDITED);
	ck_assert_uint_ge(a.txn.head.len, len);
	ck_assert_mem_eq(a.txn.head.p + a.txn.head.len - len, expect, len);
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* What cannot be done is said, with the rule that it was. */
static const struct {
	const char	*rule;
	const char	*why;
} failures[] = {
	{ "action=replace name=X match='a' value='$0$0$0$0$0$0$0$0$0$0'",
	    "rule \"r\": the head becomes too large" },
	{ "action=set name=X value='%{url}%{url}%{url}%{url}%{url}%{url}%{url}"
	    "%{url}%{url}'", "rule \"r\": the head becomes too large" },
	{ "action=replace name=X match='(a|aa)+[cd]' value=x",
	    "rule \"r\": the expression gave up" },
};

START_TEST(failure)
{
	static struct opened	 o;
	static struct adapt	 a;
	static char		 head[32 * 1024], value[10001];

	if (!expr_is_built_in() && strstr(failures[_i].rule, "match") != NULL)
		return;
	memset(value, 'a', sizeof(value) - 1);
	(void)snprintf(head, sizeof(head), strstr(failures[_i].rule, "url") !=
	    NULL ? "GET %sb HTTP/1.1\r\n\r\n" :
	    "GET / HTTP/1.1\r\nX: %sb\r\n\r\n", value);
	memset(&a, 0, sizeof(a));
	a.ask.head = head;
	a.on_error = ON_ERROR_PASS;
	run_rule(&o, &a, failures[_i].rule);
	ck_assert(a.txn.unscanned);
	ck_assert_str_eq(a.txn.why, failures[_i].why);
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* Fields that come several times, or are not written as they should be. */
static const struct {
	const char	*rule;
	const char	*lines;
	const char	*expect;
} odd[] = {
	{ "action=append name=Via value=v",
	    "Via: a\r\nX: x\r\nvia : b\r\nVIA:c \r\nY: y\r\n",
	    "Via: a\r\nX: x\r\nvia : b\r\nVIA:c, v \r\nY: y\r\n" },
	{ "action=append name=X value=v", "X:\r\n", "X: v\r\n" },
	{ "action=append name=X value=v", "X: \r\n", "X: v\r\n" },
	{ "action=append name=X value=v", "X:\r\n \r\n\t\r\n",
	    "X: v\r\n \r\n\t\r\n" },
	{ "action=append name=X value=v", "X: a\r\n \r\nY: b\r\n",
	    "X: a, v\r\n \r\nY: b\r\n" },
	{ "action=append name=X value=v", "X: 1\001\r\n", "X: 1\001, v\r\n" },
	{ "action=set name=X value=v", "X : 1\r\nY: y\r\nx\t: 2\r\n",
	    "X: v\r\nY: y\r\n" },
	{ "action=remove name=X", "X : 1\r\nY: y\r\nx\t: 2\r\n",
	    "Y: y\r\n" },
	{ "action=remove name=X", " X: 1\r\nY: y\r\n", "Y: y\r\n" },
	{ "action=rename name=X to=Z", "X : 1\r\nY: y\r\nx: 2\r\n",
	    "Z : 1\r\nY: y\r\nZ: 2\r\n" },
	{ "action=rename name=X to=Z", "X: 1\r\n",
	    "Z: 1\r\n" },
	{ "action=replace name=X match='\\d' value='<$0>'",
	    "X : 1\r\nY: 3\r\nx: 2\r\nX: z\r\n",
	    "X : <1>\r\nY: 3\r\nx: <2>\r\nX: z\r\n" },
	{ "action=replace name=X match=a value='%{user}-%{method}$$$0'",
	    "X: ab\r\n", "X: j$0e-GET$ab\r\n" },
	/* a lone CR is not for us to mend */
	{ "action=rename name=X to=Z", "X: 1\r\nY: a\rb\r\n",
	    "Z: 1\r\nY: a\rb\r\n" },
};

START_TEST(odd_fields)
{
	static struct opened	 o;
	static struct adapt	 a;
	char			 head[1024], expect[1024];

	if (!expr_is_built_in() && strstr(odd[_i].rule, "match") != NULL)
		return;
	memset(&a, 0, sizeof(a));
	(void)snprintf(head, sizeof(head), "%s%s\r\n", GET, odd[_i].lines);
	a.ask.head = head;
	user = "j$0e";
	run_rule(&o, &a, odd[_i].rule);
	(void)snprintf(expect, sizeof(expect), "%s%s\r\n", GET,
	    odd[_i].expect);
	ck_assert_int_eq(a.txn.verdict, VERDICT_EDITED);
	ck_assert_msg(a.txn.head.len == strlen(expect) &&
	    memcmp(a.txn.head.p, expect, a.txn.head.len) == 0, "%.*s",
	    (int)a.txn.head.len, a.txn.head.p);
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

static const struct {
	const char	*rule;
	bool		 is_edited;
} responses[] = {
	{ "action=remove name=Server", true },
	{ "action=remove name=Server on={response}", true },
	{ "action=remove name=Server on={request}", false },
	{ "action=remove name=Server status={404,2xx}", true },
	{ "action=remove name=Server status={200}", true },
	{ "action=remove name=Server status={204,3xx}", false },
	{ "action=remove name=Server types={'TEXT/*'}", true },
	{ "action=remove name=Server types={'text/plain'}", false },
	{ "action=set name=X value='%{status}'", true },
};

/* The types of a response: each of its fields counts. */
static const struct {
	const char	*lines;
	bool		 is_edited;
} types[] = {
	{ "Content-Type: video/mp4\r\n", true },
	{ "Content-Type: text/html\r\nContent-Type: video/mp4\r\n", true },
	{ "Content-Type: video/mp4;a=b\r\nContent-Type: text/x\r\n", true },
	{ "content-type : VIDEO/mp4 ; a\r\n", true },
	{ "Content-Type:\r\n video/mp4\r\n", true },
	{ "Content-Type: video/" TEN TEN TEN TEN TEN TEN "\r\n", true },
	{ "Content-Type: text/html\r\n", false },
	{ "Content-Type: ;video/mp4\r\nContent-Type:\r\n", false },
	{ "X: video/mp4\r\n", false },
};

START_TEST(type)
{
	static struct opened	 o;
	static struct adapt	 a;

	memset(&a, 0, sizeof(a));
	a.ask.respmod = true;
	a.ask.http = types[_i].lines;
	run_rule(&o, &a, "action=set name=X value=v types={'video/*'}");
	ck_assert_int_eq(a.txn.verdict, types[_i].is_edited ?
	    VERDICT_EDITED : VERDICT_UNCHANGED);
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* In a response, with a body of which nothing but the preview is read. */
START_TEST(response)
{
	static struct opened	 o;
	static struct adapt	 a;
	struct text		 saw;

	memset(&a, 0, sizeof(a));
	memset(&saw, 0, sizeof(saw));
	a.ask.respmod = true;
	a.ask.allow = "204, 206";
	a.ask.preview = "0";
	a.ask.body = "0123456789";
	a.ask.len = 10;
	a.ask.http = "Server: x\r\nContent-Type: text/html; charset=utf-8\r\n";
	run_rule(&o, &a, responses[_i].rule);
	adapt_show(&a, &saw);
	if (responses[_i].is_edited)
		ck_assert_msg(strncmp(saw.s, "206 ", 4) == 0, "%s", saw.s);
	else
		ck_assert_str_eq(saw.s, "204");
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* Each rule sees what the one before has made. */
START_TEST(order)
{
	static struct opened	 o;
	static struct adapt	 a;
	static const char	 expect[] = GET "Z: 1b\r\n\r\n";

	memset(&a, 0, sizeof(a));
	opened_init(&o, &svc_headers,
	    "rule a { action=set name=X value=1 }\n"
	    "rule b { action=rename name=X to=Y }\n"
	    "rule c { action=rename name=y to=Z }\n"
	    "rule d { action=set name=Z value=1b }\n");
	a.ask.head = GET "\r\n";
	opened_run(&o, &a);
	ck_assert_uint_eq(a.txn.head.len, strlen(expect));
	ck_assert_mem_eq(a.txn.head.p, expect, strlen(expect));
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* So does a condition on the host, and a variable. */
START_TEST(order_of_hosts)
{
	static struct opened	 o;
	static struct adapt	 a;
	static const char	 expect[] = "GET / HTTP/1.1\r\n"
				    "Z: b.example\r\nX: a.example\r\n"
				    "Y: b.example\r\n\r\n";

	memset(&a, 0, sizeof(a));
	opened_init(&o, &svc_headers,
	    "rule a { action=set name=X value='%{host}' hosts={a.example} }\n"
	    "rule b { action=set name=Host value=b.example }\n"
	    "rule c { action=set name=Y value='%{host}' hosts={b.example} }\n"
	    "rule d { action=rename name=Host to=Z }\n"
	    "rule e { action=rename name=Z to=Host hosts={b.example} }\n");
	a.ask.head = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
	opened_run(&o, &a);
	ck_assert_str_eq(o.errors.s, "");
	ck_assert_msg(a.txn.head.len == strlen(expect) &&
	    memcmp(a.txn.head.p, expect, a.txn.head.len) == 0, "%.*s",
	    (int)a.txn.head.len, a.txn.head.p);
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* Nobody is not any user; a URL that is too long has a host and a path. */
static const struct {
	const char	*rule;
	size_t		 len;		/* of the path */
	bool		 edits;
} strange[] = {
	{ "action=set name=X value='%{host}' hosts={a.example}", 9000, true },
	{ "action=set name=X value='%{host}'", 9000, true },
	{ "action=set name=X value='%{host}' hosts={a}", 9000, false },
	{ "action=set name=X value='%{host}' paths={'*x'}", 9000, true },
	{ "action=set name=X value='%{host}' paths={'*'}", 8192, true },
	{ "action=set name=X value='%{host}' users={'*'}", 9, false },
};

START_TEST(stranger)
{
	static const char	 end[] = " HTTP/1.1\r\n\r\n";
	static const char	 expect[] = "\r\nX: a.example\r\n\r\n";
	static struct opened	 o;
	static struct adapt	 a;
	static char		 head[10000];
	size_t			 n;

	n = (size_t)snprintf(head, sizeof(head), "GET http://a.example/");
	memset(head + n, 'x', strange[_i].len - 1);
	(void)strlcpy(head + n + strange[_i].len - 1, end, sizeof(end));
	memset(&a, 0, sizeof(a));
	a.ask.head = head;
	user = "";
	run_rule(&o, &a, strange[_i].rule);
	user = "joe";
	ck_assert_int_eq(a.txn.verdict, strange[_i].edits ?
	    VERDICT_EDITED : VERDICT_UNCHANGED);
	n = sizeof(expect) - 1;
	if (strange[_i].edits) {
		ck_assert_uint_ge(a.txn.head.len, n);
		ck_assert_mem_eq(a.txn.head.p + a.txn.head.len - n, expect,
		    n);
	}
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* Conditions on what recipients may take for another URL, or do not cut. */
static const struct {
	const char	*rule;
	const char	*head;
	bool		 is_long;	/* the path goes on */
	bool		 is_edited;
} urls[] = {
	{ "hosts={b.example}", "GET /x HTTP/1.1\r\nHost: a.example\r\n"
	    "Host: B.example:80\r\n\r\n", false, true },
	{ "hosts={b.example}", "GET /x HTTP/1.1\r\nHost: b.example\r\n"
	    "Host: a.example\r\n\r\n", false, true },
	{ "hosts={b.example}", "GET /x HTTP/1.1\r\nHost : b.example\r\n"
	    "\r\n", false, true },
	{ "hosts={b.example}", "GET http://a.example/ HTTP/1.1\r\n"
	    "Host: a.example\r\nHost: b.example\r\n\r\n", false, false },
	{ "hosts={b.example}", "GET /x HTTP/1.1\r\n\r\n", false, false },
	{ "hosts={b.example}", "GET http://b.example/x", true, true },
	{ "paths={'/x*z'}", "GET http://b.example/x", true, true },
	{ "paths={'/x*y'}", "GET http://b.example/x", true, false },
};

START_TEST(url)
{
	static struct opened	 o;
	static struct adapt	 a;
	static char		 head[16 * 1024], path[10001];
	char			 rule[256];

	memset(path, 'y', sizeof(path) - 1);
	(void)snprintf(head, sizeof(head), "%s", urls[_i].head);
	if (urls[_i].is_long)
		(void)snprintf(head, sizeof(head), "%s%sz HTTP/1.1\r\n\r\n",
		    urls[_i].head, path);
	(void)snprintf(rule, sizeof(rule), "action=add name=Y value=v %s",
	    urls[_i].rule);
	memset(&a, 0, sizeof(a));
	a.ask.head = head;
	run_rule(&o, &a, rule);
	ck_assert_int_eq(a.txn.verdict, urls[_i].is_edited ?
	    VERDICT_EDITED : VERDICT_UNCHANGED);
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

/* A control character that the wire brings does not get into a head. */
START_TEST(smuggling)
{
	static struct opened	 o;
	static struct adapt	 a;
	struct slice		 head;

	memset(&a, 0, sizeof(a));
	a.ask.head = "GET /\001\033[m HTTP/1.1\r\nX: a\r\n b\r\n\r\n";
	run_rule(&o, &a, "action=set name=Y value='%{url}'");
	head.p = a.txn.head.p;
	head.len = a.txn.head.len;
	ck_assert_ptr_nonnull(memmem(head.p, head.len, "Y: /??[m\r\n", 10));
	adapt_fini(&a);
	opened_fini(&o);
}
END_TEST

static const struct {
	const char	*rule;
	const char	*error;		/* how it begins */
} faults[] = {
	{ "name=X value=v", "r action[0]: action \"\": expected set" },
	{ "action=sett name=X value=v", "r action[0]: action \"sett\"" },
	{ "action=set value=v", "r name[0]: there is no name" },
	{ "action=set name=X", "r [0]: there is no value" },
	{ "action=set name='X Y' value=v", "r name[0]: name \"X Y\"" },
	{ "action=set name='X:' value=v", "r name[0]: name \"X:\"" },
	{ "action=set name=Content-Length value=1",
	    "r name[0]: name \"Content-Length\": expected another" },
	{ "action=remove name=transfer-encoding",
	    "r name[0]: name \"transfer-encoding\": expected another" },
	{ "action=rename name=X to=Connection",
	    "r to[0]: to \"Connection\": expected another" },
	{ "action=rename name=X", "r to[0]: there is no to" },
	{ "action=set name=X value=\"a\\nb\"",
	    "r value[0]: value with a control" },
	{ "action=set name=X value=\"a\\x0db\"",
	    "r value[0]: value with a control" },
	{ "action=set name=X value='%{nothing}'",
	    "r value[0]: value \"%{nothing}\": expected the variables" },
	{ "action=set name=X value='%{url'",
	    "r value[0]: value \"%{url\": expected the variables" },
	{ "action=replace name=X value=v", "r [0]: there is no match" },
	{ "action=replace name=X match='(' value=v",
	    "r match[0]: match \"(\": " },
	{ "action=replace name=X match='a' value='$1'",
	    "r value[0]: value \"$1\": there is no group 1" },
	{ "action=set name=X value=v on={both}", "r on[0]: on \"both\"" },
	{ "action=set name=X value=v status={200,20}",
	    "r status[1]: status \"20\"" },
	{ "action=set name=X value=v clients={'10.0.0.0/40'}",
	    "r clients[0]: clients \"10.0.0.0/40\"" },
	{ "action=set name=X value=v hosts={'a b'}",
	    "r hosts[0]: hosts \"a b\"" },
};

START_TEST(fault)
{
	static struct opened	 o;
	char			 text[512];

	if (!expr_is_built_in() && strstr(faults[_i].rule, "match") != NULL)
		return;
	(void)snprintf(text, sizeof(text), "rule \"r\" { %s }",
	    faults[_i].rule);
	opened_init(&o, &svc_headers, text);
	ck_assert_msg(strncmp(o.errors.s, faults[_i].error,
	    strlen(faults[_i].error)) == 0, "%s", o.errors.s);
	ck_assert_ptr_eq(strchr(o.errors.s, '\n'),
	    o.errors.s + o.errors.len - 1);
	opened_fini(&o);
}
END_TEST

START_TEST(nothing)
{
	static struct opened	 o;

	opened_init(&o, &svc_headers, "");
	ck_assert_ptr_null(o.instance);
	opened_fini(&o);
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, edit, edits);
	unit_add_rows(tc, long_value, lengths);
	unit_add_rows(tc, failure, failures);
	unit_add_rows(tc, odd_fields, odd);
	unit_add_rows(tc, type, types);
	unit_add_rows(tc, response, responses);
	tcase_add_test(tc, order);
	tcase_add_test(tc, order_of_hosts);
	unit_add_rows(tc, url, urls);
	unit_add_rows(tc, stranger, strange);
	tcase_add_test(tc, smuggling);
	unit_add_rows(tc, fault, faults);
	tcase_add_test(tc, nothing);
}

int
main(void)
{
	return unit_main("headers", add);
}
