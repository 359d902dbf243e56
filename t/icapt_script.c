/* SPDX-License-Identifier: ISC */
/*
 * Scripts as text: lines into words, words into bytes, variables, and the
 * numbers a script claims. What the words mean is icapt_run.c's business.
 * A mistake in a script is told with file and line on stderr and ends the
 * run with status 2, since a script that says nothing would pass for ever.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icapt_msg.h"
#include "icapt_script.h"

#define FILE_MAX	(1 << 20)
#define EXPAND_MAX	(64 << 20)	/* an expanded word, as of n*"x" */
#define VARS		64

struct var {
	const char	*name;
	struct text	 value;
};

struct script {
	struct icapt	*ic;
	const char	*path;
	char		 name[64];
	char		 numbers[SCRIPT_NUMBERS * 5 + 1];
	struct line	*line;
	int		 nline;
	struct var	 var[VARS];
	int		 nvar;
};

static char	*file_read(const char *);
static char	*line_end(char *, int *);
static void	 read_numbers(struct script *, const char *);
static int	 split_line(struct script *, int, char *);
static int	 word_end(const char *);
static int	 match_loops(struct script *);
static int	 var_expand(struct script *, int, const char **,
		    struct text *);
static int	 quoted(struct script *, int, const char **, struct text *);

static char *
file_read(const char *path)
{
	FILE	*f;
	char	*p;
	size_t	 n;

	if ((f = fopen(path, "r")) == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	if ((p = malloc(FILE_MAX + 1)) == NULL)
		abort();
	n = fread(p, 1, FILE_MAX, f);
	if (ferror(f) || n == FILE_MAX || memchr(p, '\0', n) != NULL) {
		fprintf(stderr, "%s: cannot read it\n", path);
		free(p);
		p = NULL;
	} else
		p[n] = '\0';
	fclose(f);
	return p;
}

struct script *
script_open(struct icapt *ic, const char *path)
{
	struct script	*s;
	const char	*base = strrchr(path, '/');
	char		*buf, *p, *eol;
	int		 no = 0, first, top = 1;
	size_t		 n;

	if ((buf = file_read(path)) == NULL)
		return NULL;
	s = icapt_alloc(ic, sizeof(*s));
	memset(s, 0, sizeof(*s));
	s->ic = ic;
	s->path = path;
	snprintf(s->name, sizeof(s->name), "%s", base == NULL ? path :
	    base + 1);
	n = strlen(s->name);
	if (n > 3 && strcmp(s->name + n - 3, ".it") == 0)
		s->name[n - 3] = '\0';
	for (n = 1, p = buf; *p != '\0'; p++)
		n += *p == '\n';
	s->line = icapt_alloc(ic, (n + 1) * sizeof(*s->line));
	for (p = buf; *p != '\0'; p = eol) {
		first = ++no;
		eol = line_end(p, &no);
		if (*eol == '\n')
			*eol++ = '\0';
		if (top && p[0] == '#')
			read_numbers(s, p + 1);
		if (split_line(s, first, p) == -1) {
			free(buf);
			return NULL;
		}
		top &= s->nline == 0;
	}
	free(buf);
	return match_loops(s) == -1 ? NULL : s;
}

/* The end of a line, after joining it with those it is continued on. */
static char *
line_end(char *p, int *no)
{
	char	*to = p;

	for (; *p != '\0' && *p != '\n'; p++) {
		if (p[0] == '\\' && p[1] == '\n') {
			p++;
			++*no;
		} else
			*to++ = *p;
	}
	/* What is left over becomes blanks before the line's end. */
	memset(to, ' ', (size_t)(p - to));
	return p;
}

/* "# C052 C053": a comment that holds nothing else. */
static void
read_numbers(struct script *s, const char *p)
{
	const char	*q;
	size_t		 n = strlen(s->numbers);

	for (q = p + strspn(p, " "); *q != '\0'; q += strspn(q, " ")) {
		if (*q != 'C' || strspn(q + 1, "0123456789") != 3 ||
		    (q[4] != ' ' && q[4] != '\0'))
			return;
		q += 4;
	}
	for (q = p + strspn(p, " "); *q != '\0'; q += strspn(q, " ")) {
		if (n + 5 >= sizeof(s->numbers))
			return;
		if (n > 0)
			s->numbers[n++] = ' ';
		memcpy(s->numbers + n, q, 4);
		n += 4;
		s->numbers[n] = '\0';
		q += 4;
	}
}

/* The length of the word, quotes not undone; -1 if a quote is open. */
static int
word_end(const char *p)
{
	const char	*q = p;
	char		 c;

	while (*q != '\0' && *q != ' ' && *q != '\t') {
		c = *q++;
		if (c != '"' && c != '\'')
			continue;
		for (; *q != c; q++) {
			if (c == '"' && *q == '\\' && q[1] != '\0')
				q++;
			if (*q == '\0')
				return -1;
		}
		q++;
	}
	return (int)(q - p);
}

static int
split_line(struct script *s, int no, char *p)
{
	struct text	 word[SCRIPT_WORDS];
	struct line	*l;
	int		 n = 0, len;

	for (p += strspn(p, " \t"); *p != '\0' && *p != '#';
	    p += strspn(p, " \t")) {
		if ((len = word_end(p)) == -1)
			return script_error(s, no, "a quote is not closed");
		if (n == SCRIPT_WORDS)
			return script_error(s, no, "too many words");
		word[n++] = icapt_text(s->ic, p, (size_t)len);
		p += len;
	}
	if (n == 0)
		return 0;
	l = &s->line[s->nline++];
	l->no = no;
	l->nword = n;
	l->match = -1;
	l->word = icapt_alloc(s->ic, (size_t)n * sizeof(word[0]));
	memcpy(l->word, word, (size_t)n * sizeof(word[0]));
	return 0;
}

static int
match_loops(struct script *s)
{
	int	 stack[16], n = 0, i;

	for (i = 0; i < s->nline; i++) {
		const char	*w = s->line[i].word[0].p;

		if (strcmp(w, "each") == 0 || strcmp(w, "repeat") == 0) {
			if (n == 16)
				return script_error(s, s->line[i].no,
				    "loops too deep");
			stack[n++] = i;
		} else if (strcmp(w, "end") == 0) {
			if (n == 0)
				return script_error(s, s->line[i].no,
				    "end without a loop");
			s->line[stack[--n]].match = i;
		}
	}
	if (n > 0)
		return script_error(s, s->line[stack[n - 1]].no,
		    "a loop without end");
	return 0;
}

const char *
script_name(const struct script *s)
{
	return s->name;
}

const char *
script_numbers(const struct script *s)
{
	return s->numbers;
}

int
script_lines(const struct script *s, struct line **l)
{
	*l = s->line;
	return s->nline;
}

int
script_error(const struct script *s, int no, const char *fmt, ...)
{
	va_list	 ap;

	fflush(stdout);
	fprintf(stderr, "%s:%d: ", s->path, no);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

void
script_set(struct script *s, const char *name, struct text value)
{
	int	 i;

	for (i = 0; i < s->nvar; i++)
		if (strcmp(s->var[i].name, name) == 0)
			break;
	if (i == VARS)
		abort();
	if (i == s->nvar)
		s->var[s->nvar++].name = name;
	s->var[i].value = value;
}

static int
name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

/* $name or ${name}; p is at the dollar. */
static int
var_expand(struct script *s, int no, const char **p, struct text *t)
{
	const char	*q = *p + 1, *end;
	int		 brace = *q == '{', i;
	size_t		 n;

	q += brace;
	for (end = q; name_char(*end); end++)
		;
	n = (size_t)(end - q);
	if (n == 0 || (brace && *end != '}'))
		return script_error(s, no, "a bad variable name");
	*p = end + brace;
	for (i = 0; i < s->nvar; i++)
		if (strlen(s->var[i].name) == n &&
		    memcmp(s->var[i].name, q, n) == 0) {
			*t = s->var[i].value;
			return 0;
		}
	return script_error(s, no, "no variable %.*s", (int)n, q);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The text between double quotes; p is at the first. */
static int
quoted(struct script *s, int no, const char **p, struct text *t)
{
	struct text	 v;
	const char	*q;
	char		 c;
	int		 hi, lo;

	*t = icapt_text(s->ic, "", 0);
	for (q = *p + 1; *q != '"';) {
		if (*q == '$') {
			if (var_expand(s, no, &q, &v) == -1)
				return -1;
			*t = icapt_join(s->ic, *t, v);
			continue;
		}
		if (*q == '^') {
			q++;
			*t = icapt_join(s->ic, *t,
			    icapt_text(s->ic, "\r\n", 2));
			continue;
		}
		c = *q++;
		if (c == '\\') {
			switch (c = *q++) {
			case 'r': c = '\r'; break;
			case 'n': c = '\n'; break;
			case 't': c = '\t'; break;
			case '0': c = '\0'; break;
			case 'x':
				if ((hi = hex_value(q[0])) == -1 ||
				    (lo = hex_value(q[1])) == -1)
					return script_error(s, no,
					    "a bad \\x");
				c = (char)(hi * 16 + lo);
				q += 2;
				break;
			case '"': case '\\': case '^': case '$':
				break;
			default:
				return script_error(s, no, "a bad \\%c", c);
			}
		}
		*t = icapt_join(s->ic, *t, icapt_text(s->ic, &c, 1));
	}
	*p = q + 1;
	return 0;
}

int
script_expand(struct script *s, int no, struct text w, struct text *out)
{
	struct text	 t, piece;
	const char	*p = w.p, *q;
	uint64_t	 n, i, bare = 0;	/* where the bare text begins */

	t = icapt_text(s->ic, "", 0);
	while (*p != '\0') {
		if (*p == '"' || *p == '\'')
			bare = UINT64_MAX;
		if (*p == '"') {
			if (quoted(s, no, &p, &piece) == -1)
				return -1;
		} else if (*p == '\'') {
			q = strchr(p + 1, '\'');
			piece = icapt_text(s->ic, p + 1,
			    (size_t)(q - p - 1));
			p = q + 1;
		} else if (*p == '$') {
			if (var_expand(s, no, &p, &piece) == -1)
				return -1;
		} else {
			q = p;
			p += strcspn(p, "\"'$");
			piece = icapt_text(s->ic, q, (size_t)(p - q));
		}
		t = icapt_join(s->ic, t, piece);
		if (bare == UINT64_MAX)
			bare = t.n;
		/* Digits and a star count the quoted piece after them. */
		if (*p != '"' || t.n < 2 || t.p[t.n - 1] != '*')
			continue;
		for (i = t.n - 1; i > bare && t.p[i - 1] >= '0' &&
		    t.p[i - 1] <= '9'; i--)
			;
		t.p[t.n - 1] = '\0';
		if (number_parse(t.p + i, &n) == -1)
			return script_error(s, no, "a bad number before \"");
		t = icapt_text(s->ic, t.p, (size_t)i);
		if (quoted(s, no, &p, &piece) == -1)
			return -1;
		if (piece.n > 0 && n > EXPAND_MAX / piece.n)
			return script_error(s, no, "too long");
		w.n = (size_t)n * piece.n;
		w.p = icapt_alloc(s->ic, w.n + 1);
		for (i = 0; i < n; i++)
			memcpy(w.p + i * piece.n, piece.p, piece.n);
		w.p[w.n] = '\0';
		t = icapt_join(s->ic, t, w);
		bare = t.n;
	}
	*out = t;
	return 0;
}
