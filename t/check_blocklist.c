/* SPDX-License-Identifier: ISC */
/*
 * Unit test of the block lists: what is read from lists of every form, what
 * is found then, and what becomes of databases that are old, damaged or
 * replaced while somebody looks.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../services/blocklist_hosts.h"
#include "../services/blocklist_read.h"
#include "../services/blocklist_share.h"
#include "../services/blocklist_store.h"
#include "../services/expr.h"
#include "../services/idn.h"
#include "../services/notice.h"
#include "../services/service.h"
#include "unit.h"

#define MANY	1000000		/* entries of the large list */

static char		 folder[64];
static struct text	 notices;

static void
on_notice(bool warning, const char *message)
{
	if (warning)
		text_addf(&notices, "%s\n", message);
}

static void
set_up(void)
{
	(void)strlcpy(folder, "/tmp/icapd-blocklist.XXXXXX", sizeof(folder));
	ck_assert_ptr_nonnull(mkdtemp(folder));
	notices.len = 0;
	notices.s[0] = '\0';
	notice_set(on_notice);
}

static void
tear_down(void)
{
	char	 command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static char *
path_of(const char *name)
{
	static char	 path[16][128];
	static int	 next;

	next = (next + 1) % 16;
	(void)snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static void
put_bytes(const char *name, const void *p, size_t len)
{
	FILE	*fp = fopen(path_of(name), "w");

	ck_assert_ptr_nonnull(fp);
	ck_assert_uint_eq(fwrite(p, 1, len, fp), len);
	ck_assert_int_eq(fclose(fp), 0);
}

static void
put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

/* ---- reading ------------------------------------------------------------- */

static struct text	 saw;

static int
on_entry(void *arg, enum blocklist_kind kind, const char *text, size_t len)
{
	static const char *const	 sign[] = {
		[BLOCKLIST_ENTRY] = "",
		[BLOCKLIST_IMPORTANT] = "+",
		[BLOCKLIST_EXCEPTION] = "!",
		[BLOCKLIST_FINAL] = "!!",
		[BLOCKLIST_EXPRESSION] = "~",
	};

	(void)arg;
	text_addf(&saw, "%s%.*s ", sign[kind], len > 80 ? 80 : (int)len,
	    text);
	return 0;
}

static void
on_bad(void *arg, const char *file, unsigned long line, const char *why)
{
	(void)arg;
	(void)file;
	(void)why;
	text_addf(&saw, "?%lu ", line);
}

static int
read_list(const char *name, struct blocklist_reader *r)
{
	SHA2_CTX	 ctx;

	memset(r, 0, sizeof(*r));
	saw.len = 0;
	saw.s[0] = '\0';
	SHA256Init(&ctx);
	r->entry = on_entry;
	r->complain = on_bad;
	r->digest = &ctx;
	return blocklist_read(r, path_of(name));
}

/* What lists hold, and what is read: entries, !exceptions, ?bad lines. */
static const struct {
	const char	*text;
	const char	*expect;
} lists[] = {
	{ "", "" }, { "\n\n# x\n! y\n; z\n[Adblock Plus 2.0]\n", "" },
	{ "ads.example", "ads.example " },
	{ "ads.example\r\n.b.example\n*.c.example\n",
	    "ads.example b.example c.example " },
	{ "\xef\xbb\xbf" "ADS.example.\n", "ads.example " },
	{ "  ads.example\t # why\n", "ads.example " },
	{ "http://ads.example/a/\nhttps://b.example/\nc.example/x?y=1\n",
	    "ads.example/a b.example c.example/x?y=1 " },
	{ "ads.example:8080\n192.0.2.1\n[2001:DB8::1]\n",
	    "ads.example 192.0.2.1 [2001:db8::1] " },
	{ "0.0.0.0 ads.example b.example # c\n127.0.0.1\td.example\n"
	    ":: e.example\n127.0.0.1 localhost\n0.0.0.0 0.0.0.0\n"
	    "::1 ip6-localhost ip6-loopback\n",
	    "ads.example b.example d.example e.example " },
	{ "10.0.0.1 intranet\nfe80::1 x\ntwo words\n", "?1 ?2 ?3 " },
	{ "||ads.example^\n||b.example^$important\n||c.example^|\n"
	    "@@||d.example^\n@@||e.example^$important\n", "ads.example "
	    "+b.example c.example !d.example !!e.example " },
	{ "||ads.example^$third-party\n||b.example/x^\n||c.example\n"
	    "example.org##.ad\n/banner/\n@@|http://x\n||a*.example^\n",
	    "?1 ?2 ?3 ?4 ?5 ?6 ?7 " },
	{ "address=/ads.example/b.example/0.0.0.0\naddress=/c.example/\n"
	    "local=/d.example/\nserver=/e.example/\n",
	    "ads.example b.example c.example d.example e.example " },
	{ "server=/e.example/10.0.0.1\naddress=/x\naddress=//\n",
	    "?1 ?2 ?3 " },
	{ "ads..example\n-a.example\na b\n<html>\nads.example\n300.1.1.1\n",
	    "?1 ?2 ?3 ?4 ads.example ?6 " },
	{ "a\001b\nads.example\n", "?1 ads.example " },
	/* lists as they are published */
	{ "127.0.0.1 localhost\n127.0.0.1 local\n255.255.255.255 "
	    "broadcasthost\nfe80::1%lo0 localhost\nff02::1 ip6-allnodes\n"
	    "0.0.0.0 0.0.0.0\n0.0.0.0 ads.example\n", "ads.example " },
	{ "||actor^\n||192.0.2.1^\n||2001:db8::1^\n", "actor 192.0.2.1 "
	    "[2001:db8::1] " },
	{ "$TTL 300\n@ SOA localhost. root.localhost. 1 43200 3600 1 300\n"
	    "  NS  localhost.\n;\nads.example CNAME .\n*.ads.example CNAME .\n"
	    "b.example 300 IN CNAME *. ; c\n*.c.example CNAME rpz-drop.\n"
	    "good.ads.example CNAME rpz-passthru.\n",
	    "ads.example ads.example b.example c.example !good.ads.example " },
	{ "a.example CNAME b.example.\na.example A 192.0.2.1\n"
	    "32.1.2.0.192.rpz-ip CNAME .\n", "?1 ?2 ?3 " },
	{ "server:\nlocal-zone: \"ads.example.\" always_null\n"
	    "local-zone: b.example redirect # c\n"
	    "local-data: \"b.example 300 IN A 0.0.0.0\"\n",
	    "ads.example b.example b.example " },
	{ "local-zone: \"a.example\" transparent\n"
	    "local-data: \"a.example A 192.0.2.1\"\nlocal-zone: \"\n"
	    "local-data: \"a.example TXT x\"\n", "?1 ?2 ?3 ?4 " },
	{ "+.a.example\n=a.example\n*ads*\nads.*\n(^|\\.)ads\\.\n/ads[0-9]/\n"
	    "|a.example^\n@@/x/\nads*.example\n", "?1 ?2 ?3 ?4 ?5 ?6 ?7 ?8 "
	    "?9 " },
	{ "192.0.2.0/24\n2001:db8::/32\n[2001:db8::]/32\npayload:\n"
	    "a.example:x\nhttp://192.0.2.1/24\n192.0.2.1:80/24x\n",
	    "?1 ?2 ?3 ?4 ?5 192.0.2.1/24 192.0.2.1/24x " },
	{ "@@||a.example?x^\n||a.example?x^\n@@||a.example#x^\n"
	    "a.example/x CNAME rpz-passthru.\n", "?1 ?2 ?3 ?4 " },
	/* no more than numbers */
	{ "12345\n0x7f.1\n010.0.0.1\n192.0.2.1.\n0.0.0.0 7\n",
	    "?1 ?2 ?3 192.0.2.1 ?5 " },
	{ "http://user:pass@ads.example./x\nuser@b.example:80\n"
	    "%63.example\n", "ads.example/x b.example c.example " },
};

START_TEST(reading)
{
	struct blocklist_reader	*r = malloc(sizeof(*r));

	put("list", lists[_i].text);
	ck_assert_int_eq(read_list("list", r), 0);
	ck_assert_str_eq(saw.s, lists[_i].expect);
	free(r);
}
END_TEST

/* Lines around the limit; what is too long costs that line only. */
START_TEST(reading_long)
{
	struct blocklist_reader	*r = malloc(sizeof(*r));
	static char		 text[400000];
	size_t			 len[] = { BLOCKLIST_LINE_MAX,
				    BLOCKLIST_LINE_MAX + 1, 300000 };

	memset(text, 'a', sizeof(text));
	memcpy(text, "a.example/", 10);
	(void)strlcpy(text + len[_i], "\nb.example\n",
	    sizeof(text) - len[_i]);
	put("list", text);
	ck_assert_int_eq(read_list("list", r), 0);
	ck_assert_uint_eq(r->bad, _i == 0 ? 0 : 1);
	ck_assert_uint_eq(r->entries, _i == 0 ? 2 : 1);
	if (_i > 0)
		ck_assert_str_eq(saw.s, "?1 b.example ");
	ck_assert_uint_eq(r->line, 2);
	free(r);
}
END_TEST

START_TEST(reading_nul)
{
	struct blocklist_reader	*r = malloc(sizeof(*r));

	put_bytes("list", "a\0b\nads.example\n", 16);
	ck_assert_int_eq(read_list("list", r), 0);
	ck_assert_str_eq(saw.s, "?1 ads.example ");
	free(r);
}
END_TEST

START_TEST(reading_folder)
{
	struct blocklist_reader	*r = malloc(sizeof(*r));

	ck_assert_int_eq(mkdir(path_of("ut1"), 0755), 0);
	ck_assert_int_eq(read_list("ut1", r), -1);
	ck_assert_int_eq(errno, ENOENT);
	put("ut1/domains", "ads.example\n");
	put("ut1/usage", "black\n");
	ck_assert_int_eq(read_list("ut1", r), 0);
	ck_assert_str_eq(saw.s, "ads.example ");
	put("ut1/urls", "b.example/x\n");
	put("ut1/expressions", "# x\n(a|b) c\n");
	ck_assert_int_eq(read_list("ut1", r), 0);
	ck_assert_str_eq(saw.s, "ads.example b.example/x ~(a|b) c ");
	ck_assert_int_eq(read_list("none", r), -1);
	free(r);
}
END_TEST

/* ---- looking up ---------------------------------------------------------- */

static struct blocklist_list	 three[3];
static char			*paths[3][1];
static struct blocklist_sources	 sources = { "test", three, 0, false,
					    false };

static void
use_lists(unsigned int n)
{
	static const char *const	 names[] = { "a", "b", "c" };
	unsigned int			 i;

	for (i = 0; i < n; i++) {
		free(paths[i][0]);
		paths[i][0] = strdup(path_of(names[i]));
		three[i].name = three[i].category = names[i];
		three[i].path = paths[i];
		three[i].npaths = 1;
	}
	sources.nlists = n;
}

static int
open_db(struct blocklist_db *db, struct blocklist_db *before,
    struct blocklist_fault *fault)
{
	unsigned char	 stamp[BLOCKLIST_DIGEST_LEN];

	return blocklist_store_open(&sources, path_of("cache"), before, db,
	    stamp, fault);
}

/* "a:x.example bc:example", longest first. */
static const char *
find(struct blocklist_db *db, const char *url)
{
	static struct text		 found;
	static struct weburl		 u;
	struct blocklist_match		 m[BLOCKLIST_MATCHES_MAX];
	unsigned int			 i, k, n;

	found.len = 0;
	found.s[0] = '\0';
	ck_assert_int_eq(weburl_parse(&u, unit_slice(url), unit_slice("")),
	    0);
	n = blocklist_db_find(db, &u, m);
	for (i = 0; i < n; i++) {
		for (k = 0; k < 3; k++)
			if ((m[i].lists >> k & 1) != 0)
				text_addf(&found, "%c", (char)('a' + k));
		text_addf(&found, ":%.*s ", (int)m[i].len, u.text + m[i].at);
	}
	return found.s;
}

static const struct {
	const char	*url;
	const char	*expect;
} finds[] = {
	{ "http://ads.example/", "a:ads.example " },
	{ "http://x.y.ads.example/z", "a:ads.example " },
	{ "http://xads.example/", "" },
	{ "http://ads.example.org/", "" },
	{ "http://example/", "" },
	{ "http://both.example/", "ab:both.example " },
	{ "http://deep.both.example/", "b:deep.both.example "
	    "ab:both.example " },
	{ "http://url.example/", "" },
	{ "http://url.example/bad", "a:url.example/bad " },
	{ "http://url.example/bad/", "a:url.example/bad " },
	{ "http://url.example/bad/x?y", "a:url.example/bad " },
	{ "http://url.example/bad?y", "a:url.example/bad " },
	{ "http://url.example/BAD", "a:url.example/bad " },
	{ "http://url.example/%62ad", "a:url.example/bad " },
	{ "http://url.example/x/../bad", "a:url.example/bad " },
	{ "http://url.example/badly", "" },
	{ "http://www.url.example/bad", "a:url.example/bad " },
	{ "http://url.example/q?x=1", "a:url.example/q?x=1 " },
	{ "http://url.example/q?x=1&z", "a:url.example/q?x=1 " },
	{ "http://url.example/q?x=12", "" },
	{ "http://url.example/q", "" },
	{ "192.0.2.1:443", "b:192.0.2.1 " },
	{ "http://3221225985/", "b:192.0.2.1 " },
	{ "http://1.192.0.2.1/", "" },
	{ "http://2.1/", "" },
	{ "http://[2001:db8::1]/", "b:[2001:db8::1] " },
	{ "http://excepted.ads.example/", "c:excepted.ads.example " },
	{ "http://sub.excepted.ads.example/", "c:excepted.ads.example " },
	{ "http://x.vip.example/", "a:vip.example " },
	{ "http://most.example/", "" },
	{ "http://tld/", "b:tld " }, { "http://a.b.tld/", "b:tld " },
};

static void
put_lists(void)
{
	put("a", "ads.example\nboth.example\nurl.example/bad/\n"
	    "url.example/q?x=1\n@@||excepted.ads.example^\n"
	    "||vip.example^$important\n@@||vip.example^\n"
	    "||most.example^$important\n@@||most.example^$important\n");
	put("b", "both.example\ndeep.both.example\n192.0.2.1\n"
	    "[2001:db8:0::1]\ntld\n");
	put("c", "excepted.ads.example\n");
	use_lists(3);
}

START_TEST(finding)
{
	struct blocklist_fault	 fault;
	struct blocklist_db	 db;
	int			 fd;

	put_lists();
	ck_assert_int_ne(fd = open_db(&db, NULL, &fault), -1);
	ck_assert_str_eq(find(&db, finds[_i].url), finds[_i].expect);
	ck_assert_uint_eq(blocklist_db_get_count(&db, 0), 9);
	ck_assert_uint_eq(blocklist_db_get_count(&db, 2), 1);
	blocklist_db_close(&db);
	(void)close(fd);
}
END_TEST

/*
 * A million entries in every form there is, some of them twice: each is found,
 * what is next to it is not.  ~ stands for its number, \1 and \2 for its upper
 * and lower half in hexadecimal, \3 to \5 for its lower bytes.
 */
static const struct {
	const char	*line;
	const char	*url;
	const char	*expect;	/* NULL: there is something */
} forms[] = {
	{ "d~.example", "http://www.D~.Example./", "a:d~.example " },
	{ "0.0.0.0 x.d~.example d~.example", "d~.example:443",
	    "a:d~.example " },
	{ "||d~.example^$important", "d~.example", "a:d~.example " },
	{ "address=/d~.example/0.0.0.0", "d~.example", "a:d~.example " },
	{ "*.d~.example", "http://user@d~.example:8080/",
	    "a:d~.example " },
	{ "http://user@d~.example:8080/\r", "d~.example", "a:d~.example " },
	{ "local-zone: \"d~.example.\" always_nxdomain", "d~.example",
	    "a:d~.example " },
	{ "d~.example. 300 IN CNAME .", "d~.example", "a:d~.example " },
	{ "\t.D~.EXAMPLE  # why", "d~.example", "a:d~.example " },
	{ "::\tlocalhost d~.example", "d~.example", "a:d~.example " },
	{ "d~.example.:443", "d~.example", "a:d~.example " },
	{ "%44~%2Eexample", "d~.exampl%65", "a:d~.example " },
	{ "xn--bcher-kva~.example", "xn--bcher-kva~.example",
	    "a:xn--bcher-kva~.example " },
	{ "d~.example/x/%2DY/", "http://d~.example/x/-y/z?q",
	    "a:d~.example/x/-y " },
	{ "d~.example/x?q=1", "http://d~.example/x?q=1&r",
	    "a:d~.example/x?q=1 " },
	{ "d~.example/x", "http://d~.example/xx", "" },
	{ "10.\3.\4.\5", "http://10.\3.\4.\5/", NULL },
	{ "2001:db8::\1:\2", "http://[2001:DB8:0::\1:\2]:80/", NULL },
	{ "||d~.example^\n@@||d~.example^", "d~.example", "" },
	{ "two words~\nd~.example", "d~.example", "a:d~.example " },
	{ "!d~.example", "d~.example", "" },
};

static const char *
fill(const char *pattern, unsigned int i)
{
	static char	 text[4][256];
	static int	 next;
	char		*p;
	size_t		 n, size = sizeof(text[0]);

	next = (next + 1) % 4;
	p = text[next];
	for (n = 0; *pattern != '\0'; pattern++)
		if (*pattern == '~')
			n += (size_t)snprintf(p + n, size - n, "%u", i);
		else if (*pattern == 1 || *pattern == 2)
			n += (size_t)snprintf(p + n, size - n, "%x",
			    *pattern == 1 ? i >> 16 : i & 0xffff);
		else if (*pattern >= 3 && *pattern <= 5)
			n += (size_t)snprintf(p + n, size - n, "%u",
			    i >> (8 * (5 - *pattern)) & 0xff);
		else
			p[n++] = *pattern;
	p[n] = '\0';
	return p;
}

START_TEST(finding_many)
{
	const char		*many = getenv("ENTRIES"), *found, *expect;
	struct blocklist_fault	 fault;
	struct blocklist_db	 db;
	unsigned int		 n = MANY, i, f;
	FILE			*fp;
	int			 fd;

	if (many != NULL)
		n = (unsigned int)strtonum(many, 1, 10 * MANY, NULL);
	ck_assert_ptr_nonnull(fp = fopen(path_of("a"), "w"));
	for (i = 0; i < n; i++) {
		f = i % ROWS(forms);
		(void)fprintf(fp, "%s\n", fill(forms[f].line, i));
		if (i % 5 == 0)
			(void)fprintf(fp, "%s\n", fill(forms[f].line, i));
	}
	ck_assert_int_eq(fclose(fp), 0);
	use_lists(1);
	ck_assert_int_ne(fd = open_db(&db, NULL, &fault), -1);
	for (i = 0; i < n; i++) {
		f = i % ROWS(forms);
		found = find(&db, fill(forms[f].url, i));
		expect = forms[f].expect;
		if (expect != NULL ? strcmp(found, fill(expect, i)) != 0 :
		    strncmp(found, "a:", 2) != 0)
			ck_abort_msg("%s: %s", fill(forms[f].url, i), found);
		/* which is of another form */
		found = find(&db, fill(forms[f].url, i + n));
		unit_must(found[0] == '\0');
	}
	blocklist_db_close(&db);
	(void)close(fd);
}
END_TEST

/* ---- what is stored ------------------------------------------------------ */

static ino_t
inode(void)
{
	struct stat	 st;

	return stat(path_of("cache/blocklist-test.cdb"), &st) == 0 ?
	    st.st_ino : 0;
}

/* Opens, looks for a URL, closes. */
static void
check(const char *url, const char *expect)
{
	struct blocklist_fault	 fault;
	struct blocklist_db	 db;
	int			 fd;

	fd = open_db(&db, NULL, &fault);
	ck_assert_msg(fd != -1, "%s", fault.why);
	ck_assert_str_eq(find(&db, url), expect);
	blocklist_db_close(&db);
	(void)close(fd);
}

static void
age(const char *name)
{
	struct timespec	 then[2] = { { 1000000, 0 }, { 1000000, 0 } };

	ck_assert_int_eq(utimensat(AT_FDCWD, path_of(name), then, 0), 0);
}

START_TEST(stored)
{
	ino_t	 first;

	put("a", "ads.example\n");
	use_lists(1);
	check("ads.example", "a:ads.example ");
	first = inode();
	ck_assert_uint_ne(first, 0);
	check("ads.example", "a:ads.example ");
	ck_assert_uint_eq(inode(), first);
	/* the same bytes at another time are the same list */
	age("a");
	check("ads.example", "a:ads.example ");
	ck_assert_uint_eq(inode(), first);
	put("a", "new.example\n");
	check("new.example", "a:new.example ");
	check("ads.example", "");
	ck_assert_str_eq(notices.s, "");
}
END_TEST

/* What a child has left is taken as it is, where it is of the same paths. */
START_TEST(stored_rehearsed)
{
	put("a", "ads.example\n");
	use_lists(1);
	check("ads.example", "a:ads.example ");
	put("a", "new.example\n");
	put("b", "b.example\n");
	sources.is_rehearsed = true;
	check("ads.example", "a:ads.example ");
	check("new.example", "");
	ck_assert_int_eq(unlink(path_of("a")), 0);
	check("ads.example", "a:ads.example ");
	put("a", "new.example\n");
	use_lists(2);
	check("new.example", "a:new.example ");
	check("b.example", "b:b.example ");
	sources.is_rehearsed = false;
}
END_TEST

/* A database with a byte changed, or cut off anywhere, is made anew. */
START_TEST(stored_damaged)
{
	char	*all, *bad;
	size_t	 len, at;
	FILE	*fp;
	long	 end;

	put("a", "ads.example\nb.example\n");
	use_lists(1);
	check("ads.example", "a:ads.example ");
	ck_assert_ptr_nonnull(fp = fopen(path_of("cache/blocklist-test.cdb"),
	    "r"));
	ck_assert_int_eq(fseek(fp, 0, SEEK_END), 0);
	ck_assert_int_gt(end = ftell(fp), 2048);
	len = (size_t)end;
	rewind(fp);
	all = malloc(len);
	bad = malloc(len);
	ck_assert_uint_eq(fread(all, 1, len, fp), len);
	(void)fclose(fp);
	for (at = 0; at < len; at += at < 2040 ? 97 : 1) {
		notices.len = 0;
		notices.s[0] = '\0';
		memcpy(bad, all, len);
		bad[at] ^= 0x20;
		put_bytes("cache/blocklist-test.cdb", bad,
		    _i == 0 ? len : at);
		check("ads.example", "a:ads.example ");
		/* numbers that only inform, and the stamp, may be anything */
		if (_i == 1 || at < len - sizeof(struct blocklist_trailer))
			ck_assert_ptr_nonnull(strstr(notices.s, "damaged"));
	}
	free(all);
	free(bad);
}
END_TEST

START_TEST(stored_nowhere)
{
	put("a", "ads.example\n");
	put("cache", "in the way");
	use_lists(1);
	check("ads.example", "a:ads.example ");
	ck_assert_ptr_nonnull(strstr(notices.s, "cannot write to"));
}
END_TEST

static void
run(const char *command)
{
	char	 text[512];

	(void)snprintf(text, sizeof(text), "cd '%s' && { %s; }", folder,
	    command);
	ck_assert_int_eq(system(text), 0);
}

/* What makes a list a fault; the path is named. */
START_TEST(faults)
{
	struct blocklist_fault	 fault;
	struct blocklist_db	 db, before;
	int			 fd;

	put("a", "ads.example\n");
	use_lists(2);
	ck_assert_int_eq(open_db(&db, NULL, &fault), -1);
	ck_assert_uint_eq(fault.list, 1);
	ck_assert_str_eq(fault.why, "No such file or directory");
	put_bytes("b", "\x7f" "ELF\0\1\2\n\0\0\n", 11);
	ck_assert_int_eq(open_db(&db, NULL, &fault), -1);
	ck_assert_uint_eq(fault.list, 1);
	ck_assert_ptr_nonnull(strstr(fault.why, "none of its 2 lines"));
	ck_assert_ptr_nonnull(strstr(notices.s, "/b:1: "));
	/* an entry by chance makes no list of it */
	put_bytes("b", "\x1f\x8b\0\n\1\n\2\nb\n", 10);
	ck_assert_int_eq(open_db(&db, NULL, &fault), -1);
	ck_assert_ptr_nonnull(strstr(fault.why, "it is no text: 3 lines"));
	/* an empty one is told, and refused where it was not before */
	put("b", "");
	ck_assert_int_ne(fd = open_db(&db, NULL, &fault), -1);
	ck_assert_ptr_nonnull(strstr(notices.s, "/b is empty"));
	blocklist_db_close(&db);
	(void)close(fd);
	put("b", "b.example\n");
	ck_assert_int_ne(fd = open_db(&before, NULL, &fault), -1);
	(void)close(fd);
	put("b", "# nothing\n");
	ck_assert_int_eq(open_db(&db, &before, &fault), -1);
	ck_assert_ptr_nonnull(strstr(fault.why, "has become empty"));
	blocklist_db_close(&before);
	/* nothing half made stays */
	ck_assert_int_eq(access(path_of("cache/blocklist-test.cdb"), F_OK),
	    0);
	run("! ls cache | grep 'cdb[.]'");
}
END_TEST

/*
 * What becomes of one file is not hidden by the others of its list: all these
 * hold some entries in other files.
 */
static const struct {
	const char	*command;	/* in the folder of the test */
	int		 path;		/* at fault, or -1 */
	const char	*why;
	bool		 is_loss;	/* it had entries before */
} parts[] = {
	{ ": >b", 1, "it has become empty, and had 1 entries: expected some, "
	    "or empty = yes in list \"a\"", true },
	{ "echo '# nothing' >b", 1, "it has become empty, and", true },
	{ "rm ut1/domains", 2, "domains: it has gone, and had 1", true },
	{ ": >ut1/urls", 2, "urls: it has become empty, and had 2", true },
	{ ": >ut1/domains; : >ut1/urls", 2, "domains: it has become empty",
	    true },
	{ "rm -r ut1; : >ut1", 2, "it has become empty, and had 3", true },
	{ "rm -r ut1; mkdir ut1; : >ut1/expressions", 2, "domains: it has "
	    "gone", true },
	{ "printf '\\037\\213\\n\\001\\n\\002\\nb\\n' >b", 1,
	    "it is no text: 3 ", false },
	{ "printf '\\037\\n\\001\\nx\\n' >ut1/domains", 2, "domains: it is no "
	    "text: 2 ", false },
	{ "echo '<html>' >b", 1, "none of its 1 lines is an entry", false },
	{ "rm b", 1, "No such file or directory", false },
	{ ": >ut1/expressions", -1, "", false },
	{ "echo b.example >>b", -1, "", false },
};

/* List "a" of the files a and b and the folder ut1. */
static void
use_parts(void)
{
	static char	*path[3];
	int		 i;

	saw.len = 0;
	for (i = 0; i < 100; i++)
		text_addf(&saw, "a%d.example\n", i);
	put("a", saw.s);
	put("b", "b.example\n");
	ck_assert_int_eq(mkdir(path_of("ut1"), 0755), 0);
	put("ut1/domains", "ut1.example\n");
	put("ut1/urls", "url.example/x\nurl.example/y\n");
	path[0] = path_of("a");
	path[1] = path_of("b");
	path[2] = path_of("ut1");
	use_lists(1);
	three[0].path = path;
	three[0].npaths = 3;
}

START_TEST(faults_of_parts)
{
	struct blocklist_fault	 fault;
	struct blocklist_db	 db, before;
	int			 fd, k, expect = parts[_i].path;

	use_parts();
	ck_assert_int_ne(fd = open_db(&before, NULL, &fault), -1);
	(void)close(fd);
	run(parts[_i].command);
	/* while it runs, at its next start, and where there is no list yet */
	for (k = 0; k < 3; k++) {
		if (k == 2) {
			run("rm cache/*");
			if (parts[_i].is_loss)
				expect = -1;
		}
		fd = open_db(&db, k == 0 ? &before : NULL, &fault);
		ck_assert_msg((fd == -1) == (expect != -1), "%s", fault.why);
		if (fd == -1) {
			ck_assert_uint_eq(fault.list, 0);
			ck_assert_int_eq((int)fault.path, expect);
			ck_assert_msg(strncmp(fault.why, parts[_i].why,
			    strlen(parts[_i].why)) == 0, "%s", fault.why);
			continue;
		}
		ck_assert_str_eq(find(&db, "a7.example"), "a:a7.example ");
		blocklist_db_close(&db);
		(void)close(fd);
	}
	blocklist_db_close(&before);
}
END_TEST

/* One that may be empty may be, but no binary data. */
START_TEST(parts_empty)
{
	struct blocklist_fault	 fault;
	struct blocklist_db	 db;
	int			 fd;

	use_parts();
	three[0].may_be_empty = true;
	ck_assert_int_ne(fd = open_db(&db, NULL, &fault), -1);
	blocklist_db_close(&db);
	(void)close(fd);
	run(parts[_i].command);
	fd = open_db(&db, NULL, &fault);
	ck_assert_msg((fd == -1) == (parts[_i].path != -1 &&
	    !parts[_i].is_loss), "%s", fault.why);
	ck_assert_ptr_null(strstr(notices.s, "is empty"));
	three[0].may_be_empty = false;
	if (fd == -1)
		return;
	blocklist_db_close(&db);
	(void)close(fd);
}
END_TEST

/* What is compiled is right only for bytes that are read in the same way. */
START_TEST(stored_kinds)
{
	char			*folder_only[1], *files[3];
	struct blocklist_fault	 fault;
	struct blocklist_db	 db;
	int			 fd, k;

	if (!expr_is_built_in())
		return;
	use_parts();
	put("ut1/expressions", "casino[0-9]\nplain\n");
	folder_only[0] = path_of("ut1");
	files[0] = path_of("ut1/domains");
	files[1] = path_of("ut1/urls");
	files[2] = path_of("ut1/expressions");
	for (k = 0; k < 3; k++) {
		three[0].path = k == 1 ? files : folder_only;
		three[0].npaths = k == 1 ? 3 : 1;
		ck_assert_int_ne(fd = open_db(&db, NULL, &fault), -1);
		ck_assert_uint_eq(db.trailer.expressions, k == 1 ? 0 : 2);
		ck_assert_str_eq(find(&db, "http://plain/"),
		    k == 1 ? "a:plain " : "");
		blocklist_db_close(&db);
		(void)close(fd);
	}
}
END_TEST

START_TEST(bad_lines)
{
	struct blocklist_fault	 fault;
	struct blocklist_db	 db;
	int			 fd;

	put("a", "ads.example\n1 x\n2 x\n3 x\n4 x\n5 x\n6 x\n7 x\n");
	use_lists(1);
	ck_assert_int_ne(fd = open_db(&db, NULL, &fault), -1);
	ck_assert_ptr_nonnull(strstr(notices.s, "/a:2: more than a domain"));
	ck_assert_ptr_nonnull(strstr(notices.s, "/a:6: "));
	ck_assert_ptr_null(strstr(notices.s, "/a:7: "));
	ck_assert_ptr_nonnull(strstr(notices.s, "7 lines in all"));
	ck_assert_str_eq(find(&db, "ads.example"), "a:ads.example ");
	blocklist_db_close(&db);
	(void)close(fd);
}
END_TEST

START_TEST(expressions)
{
	struct blocklist_fault	 fault;
	struct blocklist_db	 db;
	const char		*text;
	unsigned int		 list;
	size_t			 len;
	int			 fd;

	ck_assert_int_eq(mkdir(path_of("a"), 0755), 0);
	put("a/domains", "ads.example\n");
	put("a/expressions", "(bad\n^good$\n");
	use_lists(1);
	fd = open_db(&db, NULL, &fault);
	if (!expr_is_built_in()) {
		ck_assert_int_eq(fd, -1);
		ck_assert_ptr_nonnull(strstr(fault.why, "without PCRE2"));
		return;
	}
	ck_assert_int_ne(fd, -1);
	ck_assert_ptr_nonnull(strstr(notices.s, "/expressions:1: "));
	ck_assert_uint_eq(db.trailer.expressions, 1);
	text = blocklist_db_get_expression(&db, 0, &len, &list);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(text, "^good$", 6);
	ck_assert_ptr_null(blocklist_db_get_expression(&db, 1, &len, &list));
	blocklist_db_close(&db);
	(void)close(fd);
}
END_TEST

/* ---- handing over -------------------------------------------------------- */

/* Each of several processes finds the latest file, also one started later. */
START_TEST(shared)
{
	struct blocklist_share	*s = blocklist_share_new(7);
	uint32_t		 number = 0;
	char			 text[2] = "";
	int			 fd, i, status;
	pid_t			 pid;

	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(blocklist_share_get_number(s), 0);
	ck_assert_uint_eq(blocklist_share_get_version(s), 7);
	ck_assert_int_eq(blocklist_share_take(s, &number), -1);
	for (i = 1; i <= 3; i++) {
		text[0] = (char)('0' + i);
		put("file", text);
		/* another process puts, and dies */
		if ((pid = fork()) == 0) {
			fd = open(path_of("file"), O_RDONLY);
			_exit(blocklist_share_put(s, fd,
			    (uint64_t)i) == 0 ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		ck_assert_int_eq(unlink(path_of("file")), 0);
		if ((pid = fork()) == 0) {
			fd = blocklist_share_take(s, &number);
			_exit(fd != -1 && read(fd, text + 1, 1) == 1 &&
			    text[0] == text[1] ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		ck_assert_uint_eq(blocklist_share_get_number(s),
		    (uint32_t)i);
		ck_assert_uint_eq(blocklist_share_get_version(s),
		    (uint64_t)i);
		ck_assert_int_ne(fd = blocklist_share_take(s, &number), -1);
		ck_assert_uint_eq(number, (uint32_t)i);
		(void)close(fd);
	}
	blocklist_share_free(s);
}
END_TEST

/* A file that cannot be handed over leaves the one before to all. */
START_TEST(shared_refused)
{
	struct blocklist_share	*s = blocklist_share_new(7);
	uint32_t		 number = 0;
	char			 text[2] = "";
	int			 fd, ends[2];

	put("file", "1");
	ck_assert_int_ne(fd = open(path_of("file"), O_RDONLY), -1);
	ck_assert_int_eq(blocklist_share_put(s, fd, 1), 0);
	(void)close(fd);
	put("next", "2");
	ck_assert_int_ne(fd = open(path_of("next"), O_RDONLY), -1);
	blocklist_share_get_fds(s, ends);
	ck_assert_int_eq(shutdown(ends[0], SHUT_WR), 0);
	ck_assert_int_eq(blocklist_share_put(s, fd, 2), -1);
	(void)close(fd);
	ck_assert_uint_eq(blocklist_share_get_number(s), 1);
	ck_assert_uint_eq(blocklist_share_get_version(s), 1);
	ck_assert_int_ne(fd = blocklist_share_take(s, &number), -1);
	ck_assert_uint_eq(number, 1);
	ck_assert_int_eq((int)read(fd, text, 1), 1);
	ck_assert_str_eq(text, "1");
	(void)close(fd);
	blocklist_share_free(s);
}
END_TEST

/* ---- hosts of redirects -------------------------------------------------- */

/* What the name has now; NULL: it cannot be found. */
static const char	*answer[3];

/* A byte in it for each look-up of slow.example that may end. */
static int		 slow[2];

static int
on_look_up(const char *name, unsigned char (*address)[16], unsigned int max,
    const char **why)
{
	unsigned int	 n;
	char		 byte;

	*why = "try again";
	if (strcmp(name, "slow.example") == 0 && read(slow[0], &byte, 1) != 1)
		return -1;
	if (answer[0] == NULL || strstr(name, ".example") == NULL)
		return -1;
	for (n = 0; n < max && answer[n] != NULL; n++)
		if (inet_pton(AF_INET6, answer[n], address[n]) != 1)
			return -1;
	return (int)n;
}

/* All of them, however long it takes. */
static void
look_up(struct blocklist_hosts *h)
{
	while (!blocklist_hosts_look_up(h))
		;
}

static bool
has_host(const struct blocklist_hosts *h, const char *url)
{
	static struct weburl	 u;

	ck_assert_int_eq(weburl_parse(&u, unit_slice(url), unit_slice("")),
	    0);
	return blocklist_hosts_has(h, &u);
}

START_TEST(hosts)
{
	struct blocklist_hosts	*h = blocklist_hosts_new("x", on_look_up);
	static struct weburl	 u;
	int			 i;

	ck_assert_ptr_nonnull(h);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(weburl_parse(&u,
		    unit_slice("http://page.example/x"), unit_slice("")), 0);
		ck_assert_int_eq(blocklist_hosts_add(h, &u), 0);
		/* which needs no look-up */
		ck_assert_int_eq(weburl_parse(&u,
		    unit_slice("http://192.0.2.9/x"), unit_slice("")), 0);
		ck_assert_int_eq(blocklist_hosts_add(h, &u), 0);
	}
	ck_assert(!has_host(h, "http://192.0.2.1/"));
	answer[0] = "::ffff:192.0.2.1";
	answer[1] = "2001:db8::1";
	look_up(h);
	ck_assert(has_host(h, "http://192.0.2.1/"));
	ck_assert(has_host(h, "192.0.2.1:443"));
	ck_assert(has_host(h, "http://3221225985/x"));
	ck_assert(has_host(h, "http://[2001:DB8:0::1]:80/"));
	ck_assert(has_host(h, "http://[::ffff:192.0.2.1]/"));
	ck_assert(!has_host(h, "http://192.0.2.2/"));
	ck_assert(!has_host(h, "http://[2001:db8::2]/"));
	ck_assert(!has_host(h, "http://300.1.1.1/"));
	ck_assert(!has_host(h, "http://page.example/"));
	ck_assert_str_eq(notices.s, "");
	/* what is known stays, and is lamented once */
	answer[0] = NULL;
	look_up(h);
	look_up(h);
	ck_assert(has_host(h, "http://192.0.2.1/"));
	ck_assert_str_eq(notices.s, "blocklist \"x\": page.example, the host "
	    "of a redirect: try again; the addresses known of it are 2\n");
	/* another one replaces it, and the next failure is told again */
	answer[0] = "::ffff:192.0.2.2";
	answer[1] = NULL;
	look_up(h);
	ck_assert(has_host(h, "http://192.0.2.2/"));
	ck_assert(!has_host(h, "http://192.0.2.1/"));
	ck_assert(!has_host(h, "http://[2001:db8::1]/"));
	answer[0] = NULL;
	look_up(h);
	ck_assert_ptr_nonnull(strstr(notices.s, "known of it are 1\n"));
	blocklist_hosts_free(h);
}
END_TEST

/*
 * A name server that does not answer holds up nobody: the call returns, what
 * was known stays, and the answer is taken when it is there.
 */
START_TEST(hosts_slow)
{
	struct blocklist_hosts	*h = blocklist_hosts_new("x", on_look_up);
	static const char *const urls[] = { "page.example", "slow.example",
				    "other.example" };
	static struct weburl	 u;
	size_t			 i;

	ck_assert_int_eq(pipe(slow), 0);
	for (i = 0; i < ROWS(urls); i++) {
		ck_assert_int_eq(weburl_parse(&u, unit_slice(urls[i]),
		    unit_slice("")), 0);
		ck_assert_int_eq(blocklist_hosts_add(h, &u), 0);
	}
	answer[0] = "::ffff:192.0.2.1";
	for (i = 0; i < 3; i++)
		ck_assert(!blocklist_hosts_look_up(h));
	ck_assert(has_host(h, "http://192.0.2.1/"));
	answer[0] = "::ffff:192.0.2.2";
	ck_assert_int_eq((int)write(slow[1], "x", 1), 1);
	look_up(h);
	ck_assert(has_host(h, "http://192.0.2.1/"));
	ck_assert(has_host(h, "http://192.0.2.2/"));
	ck_assert_str_eq(notices.s, "");
	/* in the next round, too; the end waits for it */
	ck_assert(!blocklist_hosts_look_up(h));
	ck_assert(!has_host(h, "http://192.0.2.1/"));
	ck_assert_int_eq(close(slow[1]), 0);
	blocklist_hosts_free(h);
	(void)close(slow[0]);
}
END_TEST

/* A worker sees what the one that watches has found. */
START_TEST(hosts_shared)
{
	struct blocklist_hosts	*h = blocklist_hosts_new("x", on_look_up);
	static struct weburl	 u;
	int			 status;
	pid_t			 pid;

	ck_assert_int_eq(weburl_parse(&u, unit_slice("page.example"),
	    unit_slice("")), 0);
	ck_assert_int_eq(blocklist_hosts_add(h, &u), 0);
	if ((pid = fork()) == 0) {
		answer[0] = "::ffff:192.0.2.1";
		look_up(h);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(has_host(h, "http://192.0.2.1/"));
	blocklist_hosts_free(h);
}
END_TEST

/* One that takes its place knows what that one has found. */
START_TEST(hosts_respawned)
{
	struct blocklist_hosts	*h = blocklist_hosts_new("x", on_look_up);
	static const char *const urls[] = { "page.example", "slow.example" };
	static struct weburl	 u;
	int			 status, i;
	pid_t			 pid;

	ck_assert_int_eq(pipe(slow), 0);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(weburl_parse(&u, unit_slice(urls[i]),
		    unit_slice("")), 0);
		ck_assert_int_eq(blocklist_hosts_add(h, &u), 0);
	}
	for (i = 0; i < 2; i++) {
		if ((pid = fork()) == 0) {
			answer[0] = i == 0 ? "::ffff:192.0.2.1" :
			    "::ffff:192.0.2.3";
			while (i == 0 && !has_host(h, "http://192.0.2.1/"))
				(void)blocklist_hosts_look_up(h);
			if (i == 0) {
				answer[0] = "::ffff:192.0.2.2";
				(void)!write(slow[1], "x", 1);
			}
			look_up(h);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
		/* slow.example is not found from now on */
		if (i == 0)
			ck_assert_int_eq(close(slow[1]), 0);
		ck_assert(has_host(h, "http://192.0.2.1/") == (i == 0));
		ck_assert(has_host(h, "http://192.0.2.2/"));
	}
	ck_assert(has_host(h, "http://192.0.2.3/"));
	blocklist_hosts_free(h);
	(void)close(slow[0]);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_add_test(tc, hosts_respawned);
	tcase_add_test(tc, hosts);
	tcase_add_test(tc, hosts_slow);
	tcase_add_test(tc, hosts_shared);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 240);
	unit_add_rows(tc, reading, lists);
	tcase_add_loop_test(tc, reading_long, 0, 3);
	tcase_add_test(tc, reading_nul);
	tcase_add_test(tc, reading_folder);
	unit_add_rows(tc, finding, finds);
	tcase_add_test(tc, finding_many);
	tcase_add_test(tc, stored);
	tcase_add_test(tc, stored_rehearsed);
	tcase_add_loop_test(tc, stored_damaged, 0, 2);
	tcase_add_test(tc, stored_nowhere);
	tcase_add_test(tc, faults);
	unit_add_rows(tc, faults_of_parts, parts);
	unit_add_rows(tc, parts_empty, parts);
	tcase_add_test(tc, stored_kinds);
	tcase_add_test(tc, bad_lines);
	tcase_add_test(tc, expressions);
	tcase_add_test(tc, shared);
	tcase_add_test(tc, shared_refused);
}

int
main(void)
{
	return unit_main("blocklist", add);
}
