/* SPDX-License-Identifier: ISC */
/*
 * A service for tests that does what a text tells it to.  Used by check_txn
 * (the text is in its table) and by testd (it stands in the URI).  Uses the
 * public contract alone: what it can do, any service can.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "script.h"

#define WORD_MAX	512

static void	(*watcher)(const char *);

void
script_watch(void (*saw)(const char *line))
{
	watcher = saw;
}

static void saw(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
saw(const char *fmt, ...)
{
	char	 line[256];
	va_list	 ap;

	if (watcher == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	watcher(line);
}

/* Bytes as a line may show them: the first few, and a sum of all. */
struct digest {
	char		 first[17];
	size_t		 n;
	unsigned long	 sum;
};

static void
digest_add(struct digest *d, const char *p, size_t len)
{
	size_t	 i;

	for (i = 0; i < len; i++, d->n++) {
		if (d->n < sizeof(d->first) - 1)
			d->first[d->n] = p[i] >= ' ' && p[i] <= '~' ? p[i] :
			    '.';
		d->sum = d->sum * 31 + (unsigned char)p[i];
	}
}

static int
script_peek(struct txn *t, size_t want)
{
	struct digest	 d = { .n = 0 };
	const char	*p;
	ssize_t		 n;

	if ((n = txn_peek(t, want, &p)) == -1) {
		saw("peek -1");
		return -1;
	}
	digest_add(&d, p, (size_t)n);
	saw("peek %zu %s%s", d.n, d.first, txn_peek_is_all(t) ? " all" : "");
	return 0;
}

/* Reads up to `most` bytes; with `put` it writes them as well. */
static int
script_read(struct txn *t, size_t most, int (*put)(int))
{
	struct digest	 d = { .n = 0 };
	char		 bytes[1500];
	ssize_t		 n = 0, i;

	while (d.n < most) {
		n = most - d.n < sizeof(bytes) ? (ssize_t)(most - d.n) :
		    (ssize_t)sizeof(bytes);
		if ((n = txn_read(t, bytes, (size_t)n)) <= 0)
			break;
		digest_add(&d, bytes, (size_t)n);
		if (put == NULL)
			continue;
		for (i = 0; i < n; i++)
			bytes[i] = (char)put((unsigned char)bytes[i]);
		if (txn_write(t, bytes, (size_t)n) == -1) {
			saw("write -1");
			return -1;
		}
	}
	saw("read %zu %s%s", d.n, d.first, n == -1 ? " -1" : "");
	return n == -1 ? -1 : 0;
}

static int
script_next(struct txn *t, bool write)
{
	struct digest	 d = { .n = 0 };
	const char	*p;
	ssize_t		 n;

	while ((n = txn_next(t, &p)) > 0) {
		digest_add(&d, p, (size_t)n);
		if (write && txn_write(t, p, (size_t)n) == -1) {
			saw("write -1");
			return -1;
		}
	}
	saw("next %zu %s%s", d.n, d.first, n == -1 ? " -1" : "");
	return n == -1 ? -1 : 0;
}

static int
as_it_is(int c)
{
	return c;
}

static int
script_fill(struct txn *t, size_t n)
{
	char	 bytes[1000];
	size_t	 len;

	memset(bytes, 'x', sizeof(bytes));
	for (; n > 0; n -= len) {
		len = n < sizeof(bytes) ? n : sizeof(bytes);
		if (txn_write(t, bytes, len) == -1) {
			saw("write -1");
			return -1;
		}
	}
	return 0;
}

static int
script_fd(struct txn *t)
{
	struct digest	 d = { .n = 0 };
	uint64_t	 size;
	char		 bytes[4096];
	ssize_t		 n;
	int		 fd;

	if ((fd = txn_body_fd(t, &size)) == -1) {
		saw("fd -1");
		return -1;
	}
	while ((n = pread(fd, bytes, sizeof(bytes), (off_t)d.n)) > 0)
		digest_add(&d, bytes, (size_t)n);
	saw("fd %llu %zu %s", (unsigned long long)size, d.n, d.first);
	return 0;
}

static int
script_respond(struct txn *t, size_t status, const char *body)
{
	return txn_respond(t, (int)status, body != NULL ? "text/plain" : NULL,
	    body, body != NULL ? strlen(body) : 0);
}

/* "name=value": the name is terminated, the value returned, or NULL. */
static char *
split(char *arg)
{
	char	*equals = strchr(arg, '=');

	if (equals != NULL)
		*equals++ = '\0';
	return equals;
}

static size_t
number(const char *arg)
{
	size_t	 n = 0;

	for (; *arg >= '0' && *arg <= '9'; arg++)
		n = n * 10 + (size_t)(*arg - '0');
	return n;
}

/* An edit, whose failure a script looks at but does not die of. */
static int
edited(const char *what, int result)
{
	if (result == -1)
		saw("%s: %s", what, strerror(errno));
	return 0;
}

static int
script_edit(struct txn *t, const char *word, char *arg)
{
	char	*value = arg;

	if (strcmp(word, "line") == 0)
		return edited(word, txn_set_start_line(t, arg, strlen(arg)));
	if (strcmp(word, "remove") == 0)
		return edited(word, txn_remove_header(t, arg));
	if (strcmp(word, "trailer") == 0)
		return edited(word, txn_announce_trailer(t, arg));
	if ((value = split(arg)) == NULL)
		value = (char *)(uintptr_t)"";
	if (strcmp(word, "set") == 0)
		return edited(word, txn_set_header(t, arg, value));
	if (strcmp(word, "add") == 0)
		return edited(word, txn_add_header(t, arg, value));
	if (strcmp(word, "reply") == 0)
		return edited(word, txn_reply_header(t, arg, value));
	if (strcmp(word, "note") == 0) {
		txn_note(t, "script", value);
		return 0;
	}
	(void)fprintf(stderr, "script: unknown word \"%s\"\n", word);
	abort();
}

/* What is released now, or every so often while it waits; until all is. */
static int
script_release(struct txn *t, const char *word, char *arg)
{
	char	*ms, *most;
	ssize_t	 n;
	int	 wait, rounds = 0;

	if (strcmp(word, "release") == 0) {
		n = txn_release(t, number(arg));
		saw("release %zd%s%s", n, n == -1 ? ": " : "",
		    n == -1 ? strerror(errno) : "");
		return 0;
	}
	if (strcmp(word, "every") == 0) {
		assert((ms = split(arg)) != NULL);
		assert((most = split(ms)) != NULL);
		txn_release_every(t, number(arg), (unsigned int)number(ms),
		    number(most));
		return 0;
	}
	while ((wait = txn_release_due(t)) >= 0 && rounds++ < 1000)
		(void)poll(NULL, 0, wait);
	saw("due %d", wait);
	return 0;
}

static int
script_word(struct txn *t, const char *word, char *arg)
{
	char	*value;

	if (strcmp(word, "peek") == 0)
		return script_peek(t, number(arg));
	if (strcmp(word, "read") == 0)
		return script_read(t, arg[0] != '\0' ? number(arg) : SIZE_MAX,
		    NULL);
	if (strcmp(word, "upper") == 0)
		return script_read(t, SIZE_MAX, toupper);
	if (strcmp(word, "copy") == 0)
		return script_read(t, SIZE_MAX, as_it_is);
	if (strcmp(word, "write") == 0)
		return txn_write(t, arg, strlen(arg));
	if (strcmp(word, "fill") == 0)
		return script_fill(t, number(arg));
	if (strcmp(word, "next") == 0)
		return script_next(t, false);
	if (strcmp(word, "pass") == 0)
		return script_next(t, true);
	if (strcmp(word, "want") == 0) {
		txn_want_fd(t, number(arg));
		return 0;
	}
	if (strcmp(word, "fd") == 0)
		return script_fd(t);
	if (strcmp(word, "release") == 0 || strcmp(word, "every") == 0 ||
	    strcmp(word, "due") == 0)
		return script_release(t, word, arg);
	if (strcmp(word, "respond") == 0) {
		value = split(arg);
		return script_respond(t, number(arg), value);
	}
	if (strcmp(word, "rest") == 0) {
		txn_write_rest(t);
		return 0;
	}
	return script_edit(t, word, arg);
}

static int
verdict_of(const char *word, enum verdict *verdict)
{
	static const struct {
		const char	*word;
		enum verdict	 verdict;
	} verdicts[] = {
		{ "unchanged", VERDICT_UNCHANGED },
		{ "edited", VERDICT_EDITED },
		{ "rewritten", VERDICT_REWRITTEN },
		{ "replaced", VERDICT_REPLACED },
		{ "none", VERDICT_NONE },
	};
	size_t	 i;

	for (i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (strcmp(word, verdicts[i].word) == 0) {
			*verdict = verdicts[i].verdict;
			return 1;
		}
	return 0;
}

enum verdict
script_serve(struct txn *t, const char *words)
{
	char		 word[WORD_MAX], *arg;
	enum verdict	 verdict;
	size_t		 len;
	int		 careless = 0;

	for (; words[len = strcspn(words, " ;")] != '\0' || len > 0;
	    words += len + (words[len] != '\0')) {
		assert(len < sizeof(word));
		memcpy(word, words, len);
		word[len] = '\0';
		if (len == 0)
			continue;
		if ((arg = strchr(word, ':')) != NULL)
			*arg++ = '\0';
		else
			arg = word + len;
		if (strcmp(word, "fail") == 0)
			return txn_fail(t, arg);
		if (strcmp(word, "careless") == 0)
			careless = 1;
		else if (verdict_of(word, &verdict))
			return verdict;
		else if (script_word(t, word, arg) == -1 && !careless)
			return VERDICT_FAILED;
	}
	return VERDICT_NONE;
}
