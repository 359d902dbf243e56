/* SPDX-License-Identifier: ISC */
/*
 * Reads lists as people have them.  Called by blocklist_make.c.  What a line
 * is shows by its form, so a file may mix them:
 *
 *	ads.example			a domain with all below it
 *	http://ads.example/banner	a URL with all below it
 *	0.0.0.0 ads.example b.example	a line of a hosts file
 *	||ads.example^			an Adblock rule for a domain; @@ excepts
 *	address=/ads.example/		a line for dnsmasq
 *	local-zone: "ads.example" deny	one for Unbound
 *	ads.example CNAME .		a record of a response policy zone
 *
 * A line that is none of them is counted and told, and the rest is used.  It
 * must not decide what too many of them mean.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocklist_read.h"

#define BUFFER_SIZE	(256 * 1024)	/* bytes read at once */

/* The files of a folder, as squidGuard and UT1 have them. */
static const char *const folder_files[] = { "domains", "urls", "expressions" };
#define NFILES		3
#define EXPRESSIONS	2		/* in folder_files */

static bool
has_prefix(struct slice s, const char *prefix)
{
	size_t	 len = strlen(prefix);

	return s.len >= len && memcmp(s.p, prefix, len) == 0;
}

static int
bad(struct blocklist_reader *r, const char *why)
{
	r->bad++;
	if (r->complain != NULL)
		r->complain(r->arg, r->file, r->line, why);
	return 0;
}

/* ---- lines --------------------------------------------------------------- */

/* "192.0.2.0/24" looks like a URL, but nobody means that. */
static bool
is_network(const struct weburl *u, struct slice text)
{
	size_t	 digits = u->len - u->host_len;

	return u->is_address && digits > 1 && digits <= 4 &&
	    chars_span(text.p + text.len - (digits - 1), digits - 1,
	    CHARS_DIGIT) == digits - 1 && memchr(text.p, '/', text.len) ==
	    text.p + text.len - digits;
}

/*
 * Browsers take "12345" for an address, but in a list it is no more than a
 * number that got there.
 */
static bool
is_odd_address(const struct weburl *u, struct slice text)
{
	return u->is_address && u->text[0] != '[' &&
	    memmem(text.p, text.len, u->text, u->host_len) == NULL;
}

/* An address of IPv6 as lists have it; a URL has it in brackets. */
static bool
put_brackets(struct slice *text, char *copy, size_t size)
{
	struct in6_addr	 ignored;
	int		 n;

	if (text->len >= INET6_ADDRSTRLEN || text->p[0] == '[' ||
	    memchr(text->p, ':', text->len) == NULL)
		return false;
	n = snprintf(copy, size, "[%.*s", (int)text->len, text->p);
	if (inet_pton(AF_INET6, copy + 1, &ignored) != 1)
		return false;
	copy[n++] = ']';
	text->p = copy;
	text->len = (size_t)n;
	return true;
}

/* Is what stands behind the first colon a port, or is there none? */
static bool
has_port(struct slice text)
{
	const char	*colon = memchr(text.p, ':', text.len), *slash;
	size_t		 n;

	if (colon == NULL || memchr(text.p, '[', text.len) != NULL ||
	    memchr(text.p, '@', text.len) != NULL)
		return true;
	n = (size_t)(text.p + text.len - colon) - 1;
	if (n >= 2 && memcmp(colon + 1, "//", 2) == 0)
		return true;
	if ((slash = memchr(colon, '/', n + 1)) != NULL)
		n = (size_t)(slash - colon) - 1;
	return n > 0 && chars_span(colon + 1, n, CHARS_DIGIT) == n;
}

/* A domain or URL. */
static int
add(struct blocklist_reader *r, struct slice text, enum blocklist_kind kind)
{
	static const struct slice	 nowhere = { "", 0 };
	char				 copy[INET6_ADDRSTRLEN + 4];

	if (text.len > 2 && text.p[0] == '*' && text.p[1] == '.') {
		text.p += 2;
		text.len -= 2;
	}
	if (text.len == 0 || text.p[0] == '/' ||
	    (!put_brackets(&text, copy, sizeof(copy)) && !has_port(text)) ||
	    weburl_parse(&r->url, text, nowhere) == -1 ||
	    !weburl_is_strict(&r->url))
		return bad(r, "invalid host name");
	if (is_network(&r->url, text))
		return bad(r, "a network, not an address");
	if (is_odd_address(&r->url, text))
		return bad(r, "an address in another form than usual");
	if (kind != BLOCKLIST_ENTRY && r->url.len > r->url.host_len)
		return bad(r, "an exception for more than a domain");
	/* "/path/" and "/path" are one */
	while (r->url.len > r->url.host_len &&
	    r->url.text[r->url.len - 1] == '/')
		r->url.len--;
	r->entries++;
	return r->entry(r->arg, kind, r->url.text, r->url.len);
}

/* Options after "$" that do not narrow a rule down. */
static bool
is_whole(struct slice options, bool *is_important)
{
	static const char *const	 harmless[] = {
		"all", "doc", "document", "important"
	};
	struct slice			 option;
	size_t				 i;

	*is_important = false;
	while (slice_next(&options, &option)) {
		if (slice_is(option, "important"))
			*is_important = true;
		for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
			if (slice_is(option, harmless[i]))
				break;
		if (i == sizeof(harmless) / sizeof(harmless[0]))
			return false;
	}
	return true;
}

/* Is there anything behind the host? */
static bool
has_path(struct slice s)
{
	size_t	 i;

	for (i = 0; i < s.len; i++)
		if (strchr("/?#\\", s.p[i]) != NULL)
			return true;
	return false;
}

/* "host^" or "host^$options", behind the bars. */
static int
parse_adblock(struct blocklist_reader *r, struct slice s,
    enum blocklist_kind kind)
{
	const char	*caret = memchr(s.p, '^', s.len);
	struct slice	 options = { "", 0 };
	bool		 is_important;

	if (caret != NULL) {
		options.p = caret + 1;
		options.len = (size_t)(s.p + s.len - options.p);
		s.len = (size_t)(caret - s.p);
	}
	if (options.len > 0 && options.p[0] == '|') {
		options.p++;
		options.len--;
	}
	if (caret == NULL || has_path(s) ||
	    (options.len > 0 && (options.p[0] != '$' || options.len == 1)))
		return bad(r, "not a simple rule for a domain");
	if (options.len > 0) {
		options.p++;
		options.len--;
	}
	if (!is_whole(options, &is_important))
		return bad(r, "a rule for some requests only");
	if (is_important)
		kind = kind == BLOCKLIST_EXCEPTION ? BLOCKLIST_FINAL :
		    BLOCKLIST_IMPORTANT;
	return add(r, s, kind);
}

/* "address=/a.example/b.example/0.0.0.0"; true when it was such a line. */
static bool
is_dnsmasq(struct slice s, struct slice *rest, bool *is_server)
{
	static const char *const	 name[] = {
		"address=/", "local=/", "server=/"
	};
	size_t				 i, len;

	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		len = strlen(name[i]);
		if (s.len < len || memcmp(s.p, name[i], len) != 0)
			continue;
		rest->p = s.p + len;
		rest->len = s.len - len;
		*is_server = i == 2;
		return true;
	}
	return false;
}

static int
parse_dnsmasq(struct blocklist_reader *r, struct slice s, bool is_server)
{
	const char	*last = memrchr(s.p, '/', s.len), *slash;
	struct slice	 name;

	if (last == NULL)
		return bad(r, "no slash behind the domain");
	if (is_server && last + 1 < s.p + s.len)
		return bad(r, "a name server, not a block");
	while (s.p <= last) {
		slash = memchr(s.p, '/', (size_t)(last + 1 - s.p));
		name.p = s.p;
		name.len = (size_t)(slash - s.p);
		if (add(r, name, BLOCKLIST_ENTRY) == -1)
			return -1;
		s.p = slash + 1;
	}
	return 0;
}

/* Cuts the next word off. */
static struct slice
cut_word(struct slice *s)
{
	struct slice	 word;
	size_t		 blanks = chars_span(s->p, s->len, CHARS_BLANK);

	word.p = s->p + blanks;
	word.len = 0;
	while (blanks + word.len < s->len &&
	    chars_span(word.p + word.len, 1, CHARS_BLANK) == 0)
		word.len++;
	s->p = word.p + word.len;
	s->len -= blanks + word.len;
	return word;
}

/* Addresses that hosts files send names to, to block them. */
static bool
is_sink(struct slice s)
{
	return slice_is(s, "0.0.0.0") || slice_is(s, "::") ||
	    slice_is(s, "::1") || slice_is(s, "0") ||
	    (s.len >= 7 && memcmp(s.p, "127.", 4) == 0);
}

/* What every hosts file has, and nobody wants to block. */
static bool
is_standard(struct slice s)
{
	static const char *const	 names[] = {
		"localhost", "localhost.localdomain", "local",
		"broadcasthost", "ip6-localhost", "ip6-loopback",
		"ip6-localnet", "ip6-mcastprefix", "ip6-allnodes",
		"ip6-allrouters", "ip6-allhosts", "0.0.0.0", "127.0.0.1"
	};
	size_t				 i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_is_nocase(s, names[i]))
			return true;
	return false;
}

static int
parse_hosts(struct blocklist_reader *r, struct slice address,
    struct slice rest)
{
	struct slice	 name, others = rest;

	if (!is_sink(address)) {
		while ((name = cut_word(&others)).len > 0)
			if (!is_standard(name))
				return bad(r, "more than a domain or URL");
		return 0;
	}
	for (;;) {
		name = cut_word(&rest);
		if (name.len == 0)
			return 0;
		if (!is_standard(name) &&
		    add(r, name, BLOCKLIST_ENTRY) == -1)
			return -1;
	}
}

/* What it is cut off from is a text between quotes, or a word. */
static struct slice
cut_quoted(struct slice *s)
{
	struct slice	 text;
	const char	*end;

	*s = slice_trim(*s);
	if (s->len == 0 || s->p[0] != '"' ||
	    (end = memchr(s->p + 1, '"', s->len - 1)) == NULL)
		return cut_word(s);
	text.p = s->p + 1;
	text.len = (size_t)(end - text.p);
	s->len -= text.len + 2;
	s->p = end + 1;
	return text;
}

/* "local-zone: "ads.example." static", behind the colon. */
static int
parse_zone(struct blocklist_reader *r, struct slice s)
{
	static const char *const	 blocking[] = {
		"always_deny", "always_null", "always_nxdomain",
		"always_refuse", "deny", "inform_deny", "redirect",
		"refuse", "static"
	};
	struct slice			 name = cut_quoted(&s);
	struct slice			 type = cut_quoted(&s);
	size_t				 i;

	for (i = 0; i < sizeof(blocking) / sizeof(blocking[0]); i++)
		if (slice_is(type, blocking[i]))
			return add(r, name, BLOCKLIST_ENTRY);
	return bad(r, "a zone that does not block");
}

/* "local-data: "ads.example A 0.0.0.0"", behind the colon. */
static int
parse_data(struct blocklist_reader *r, struct slice s)
{
	struct slice	 text = cut_quoted(&s), name = cut_word(&text), word;

	do
		word = cut_word(&text);
	while (chars_span(word.p, word.len, CHARS_DIGIT) == word.len ?
	    word.len > 0 : slice_is_nocase(word, "IN"));
	if ((!slice_is_nocase(word, "A") && !slice_is_nocase(word, "AAAA")) ||
	    !is_sink(cut_word(&text)))
		return bad(r, "an address, not a block");
	return add(r, name, BLOCKLIST_ENTRY);
}

/* Names of these stand for addresses and name servers. */
static bool
is_trigger(struct slice owner)
{
	static const char *const	 names[] = {
		".rpz-client-ip", ".rpz-ip", ".rpz-nsip", ".rpz-nsdname"
	};
	size_t				 i, len;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		len = strlen(names[i]);
		if (owner.len >= len && memcmp(owner.p + owner.len - len,
		    names[i], len) == 0)
			return true;
	}
	return false;
}

/*
 * "ads.example 300 IN CNAME ." of a response policy zone, the first word cut
 * off; true when it was a record.  SOA and NS are those of the zone itself.
 */
static bool
parse_record(struct blocklist_reader *r, struct slice owner,
    struct slice rest, int *result)
{
	struct slice	 type = owner, target;

	*result = 0;
	/* the owner is that of the line before */
	if (!slice_is(owner, "NS") && !slice_is(owner, "IN"))
		do
			type = cut_word(&rest);
		while (type.len > 0 && (slice_is(type, "IN") ||
		    chars_span(type.p, type.len, CHARS_DIGIT) == type.len));
	if (slice_is(type, "SOA") || slice_is(type, "NS") ||
	    slice_is(type, "IN"))
		return true;
	if (!slice_is(type, "CNAME"))
		return false;
	target = cut_word(&rest);
	if (is_trigger(owner))
		*result = bad(r, "a rule for addresses or name servers");
	else if (slice_is(target, "rpz-passthru."))
		*result = add(r, owner, BLOCKLIST_EXCEPTION);
	else if (slice_is(target, ".") || slice_is(target, "*.") ||
	    slice_is(target, "rpz-drop."))
		*result = add(r, owner, BLOCKLIST_ENTRY);
	else
		*result = bad(r, "another name, not a block");
	return true;
}

/* Behind " #" there is a comment. */
static struct slice
drop_comment(struct slice s)
{
	size_t	 i;

	for (i = 1; i < s.len; i++)
		if (s.p[i] == '#' &&
		    chars_span(s.p + i - 1, 1, CHARS_BLANK) == 1) {
			s.len = i;
			break;
		}
	return slice_trim(s);
}

/* "example.org##.banner": hides something there, and no more. */
static bool
is_cosmetic(struct slice s)
{
	size_t	 i;

	for (i = 0; i + 1 < s.len; i++)
		if (s.p[i] == '#' && strchr("#@?$%", s.p[i + 1]) != NULL)
			return true;
	return false;
}

static int
parse_line(struct blocklist_reader *r, struct slice s)
{
	struct slice	 word, rest;
	bool		 is_server;
	int		 result;
	size_t		 i;

	s = slice_trim(s);
	if (s.len == 0 || strchr("#!;", s.p[0]) != NULL ||
	    has_prefix(s, "[Adblock") || has_prefix(s, "$TTL") ||
	    has_prefix(s, "$ORIGIN"))
		return 0;
	for (i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') {
			r->binary++;
			return bad(r, "a control character in it");
		}
	s = drop_comment(s);
	if (is_cosmetic(s))
		return bad(r, "a rule for parts of pages");
	if (has_prefix(s, "@@||")) {
		s.p += 4;
		s.len -= 4;
		return parse_adblock(r, s, BLOCKLIST_EXCEPTION);
	}
	if (has_prefix(s, "||")) {
		s.p += 2;
		s.len -= 2;
		return parse_adblock(r, s, BLOCKLIST_ENTRY);
	}
	if (has_prefix(s, "@@") || s.p[0] == '|' || s.p[0] == '/')
		return bad(r, "not a simple rule for a domain");
	if (is_dnsmasq(s, &rest, &is_server))
		return parse_dnsmasq(r, rest, is_server);
	rest = s;
	word = cut_word(&rest);
	if (slice_is(word, "local-zone:"))
		return parse_zone(r, rest);
	if (slice_is(word, "local-data:"))
		return parse_data(r, rest);
	if (slice_is(s, "server:"))
		return 0;
	if (slice_trim(rest).len == 0)
		return add(r, word, BLOCKLIST_ENTRY);
	if (!is_sink(word) && parse_record(r, word, rest, &result))
		return result;
	return parse_hosts(r, word, rest);
}

static int
parse_expression(struct blocklist_reader *r, struct slice s)
{
	s = slice_trim(s);
	if (s.len == 0 || s.p[0] == '#')
		return 0;
	r->entries++;
	return r->entry(r->arg, BLOCKLIST_EXPRESSION, s.p, s.len);
}

/* ---- files --------------------------------------------------------------- */

struct lines {
	char	*p;		/* the buffer */
	size_t	 start;		/* of what was not used yet */
	size_t	 end;
	bool	 skip;		/* the rest of a line that is too long */
	bool	 is_expressions;
};

static int
one_line(struct blocklist_reader *r, const struct lines *l, const char *p,
    size_t len)
{
	struct slice	 s = { p, len };

	if (s.len > 0 && s.p[s.len - 1] == '\r')
		s.len--;
	if (r->line == 1 && has_prefix(s, "\xef\xbb\xbf")) {
		s.p += 3;
		s.len -= 3;
	}
	if (s.len > BLOCKLIST_LINE_MAX)
		return bad(r, "longer than 8 KiB");
	if (memchr(s.p, '\0', s.len) != NULL) {
		r->binary++;
		return bad(r, "a NUL byte in it");
	}
	return l->is_expressions ? parse_expression(r, s) : parse_line(r, s);
}

/* All complete lines of the buffer; the last one too at the end. */
static int
use_lines(struct blocklist_reader *r, struct lines *l, bool is_end)
{
	const char	*p, *newline;
	size_t		 left;

	for (;;) {
		p = l->p + l->start;
		left = l->end - l->start;
		newline = memchr(p, '\n', left);
		if (newline == NULL && (!is_end || left == 0))
			break;
		if (newline != NULL)
			left = (size_t)(newline - p);
		l->start += left + (newline != NULL);
		if (l->skip) {
			l->skip = false;
			continue;
		}
		r->line++;
		if (one_line(r, l, p, left) == -1)
			return -1;
	}
	if (left > BLOCKLIST_LINE_MAX + 1) {
		if (!l->skip) {
			r->line++;
			(void)bad(r, "longer than 8 KiB");
		}
		l->skip = true;
		l->start = l->end;
	}
	memmove(l->p, l->p + l->start, l->end - l->start);
	l->end -= l->start;
	l->start = 0;
	return 0;
}

static int
read_lines(struct blocklist_reader *r, int fd, enum blocklist_file kind)
{
	struct lines	 l;
	uint64_t	 size = 0;
	ssize_t		 n;
	int		 result = 0;

	memset(&l, 0, sizeof(l));
	l.is_expressions = kind == BLOCKLIST_EXPRESSIONS;
	if ((l.p = malloc(BUFFER_SIZE)) == NULL)
		return -1;
	do {
		n = read(fd, l.p + l.end, BUFFER_SIZE - l.end);
		if (n == -1) {
			result = errno == EINTR ? 0 : -1;
			continue;
		}
		SHA256Update(r->digest, (unsigned char *)l.p + l.end,
		    (size_t)n);
		l.end += (size_t)n;
		size += (uint64_t)n;
		if (r->entry == NULL)
			l.end = 0;
		else
			result = use_lines(r, &l, n == 0);
	} while (n != 0 && result == 0);
	free(l.p);
	/* so that no two files together look like two others */
	SHA256Update(r->digest, (const unsigned char *)&size, sizeof(size));
	return result;
}

/* The digest is also of what the bytes are taken for. */
static void
begin_file(struct blocklist_reader *r, const char *path,
    enum blocklist_file kind)
{
	static const unsigned char	 sign[] = {
		[BLOCKLIST_LINES] = 'l',
		[BLOCKLIST_EXPRESSIONS] = 'e',
		[BLOCKLIST_MISSING] = '-',
	};

	r->file = path;
	r->line = 0;
	r->entries = r->bad = r->binary = 0;
	SHA256Update(r->digest, (const unsigned char *)path,
	    strlen(path) + 1);
	SHA256Update(r->digest, &sign[kind], 1);
}

static int
end_file(struct blocklist_reader *r, enum blocklist_file kind)
{
	return r->end != NULL ? r->end(r->arg, kind) : 0;
}

static int
read_file(struct blocklist_reader *r, const char *path,
    enum blocklist_file kind)
{
	struct stat	 st;
	int		 fd, result = -1, saved;

	/* a pipe must not make us wait */
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1)
		return -1;
	begin_file(r, path, kind);
	if (fstat(fd, &st) == -1)
		;
	else if (!S_ISREG(st.st_mode))
		errno = EINVAL;
	else
		result = read_lines(r, fd, kind);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return result == 0 ? end_file(r, kind) : -1;
}

int
blocklist_read(struct blocklist_reader *r, const char *path)
{
	struct stat	 st;
	char		 file[PATH_MAX];
	unsigned int	 i, found = 0;

	if (stat(path, &st) == -1)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return read_file(r, path, BLOCKLIST_LINES);
	for (i = 0; i < NFILES; i++) {
		if (snprintf(file, sizeof(file), "%s/%s", path,
		    folder_files[i]) >= (int)sizeof(file)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		errno = 0;
		if (read_file(r, file, i == EXPRESSIONS ?
		    BLOCKLIST_EXPRESSIONS : BLOCKLIST_LINES) == 0) {
			found++;
			continue;
		}
		if (errno != ENOENT)
			return -1;
		begin_file(r, file, BLOCKLIST_MISSING);
		if (end_file(r, BLOCKLIST_MISSING) == -1)
			return -1;
	}
	if (found == 0)
		errno = ENOENT;
	return found > 0 ? 0 : -1;
}

/* ---- without reading ----------------------------------------------------- */

static int
stamp_one(SHA2_CTX *stamp, const char *path, struct stat *st, int64_t *last)
{
	uint64_t	 told[7];
	int64_t		 changed;

	memset(told, 0, sizeof(told));
	if (stat(path, st) == -1) {
		told[0] = (uint64_t)errno;
		SHA256Update(stamp, (const unsigned char *)told,
		    sizeof(told));
		return -1;
	}
	told[1] = st->st_dev;
	told[2] = st->st_ino;
	told[3] = (uint64_t)st->st_size;
	told[4] = (uint64_t)st->st_mtim.tv_sec * 1000000000 +
	    (uint64_t)st->st_mtim.tv_nsec;
	changed = (int64_t)st->st_ctim.tv_sec * 1000000000 +
	    st->st_ctim.tv_nsec;
	told[5] = (uint64_t)changed;
	told[6] = st->st_mode;
	/* a folder changes for reasons that do not concern us */
	if (S_ISDIR(st->st_mode))
		memset(told + 3, 0, 3 * sizeof(told[0]));
	else if (changed > *last)
		*last = changed;
	SHA256Update(stamp, (const unsigned char *)told, sizeof(told));
	return 0;
}

int
blocklist_stamp(SHA2_CTX *stamp, const char *path, int64_t *last)
{
	struct stat	 st;
	char		 file[PATH_MAX];
	unsigned int	 i;

	if (stamp_one(stamp, path, &st, last) == -1)
		return -1;
	for (i = 0; i < NFILES && S_ISDIR(st.st_mode); i++)
		if (snprintf(file, sizeof(file), "%s/%s", path,
		    folder_files[i]) < (int)sizeof(file)) {
			struct stat	 one;

			(void)stamp_one(stamp, file, &one, last);
		}
	return 0;
}
