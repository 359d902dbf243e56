/* SPDX-License-Identifier: ISC */
/*
 * What a reload changes, for whoever reads the log afterwards.  Called by
 * icapd.c when a new configuration has been loaded, while the old one is
 * still there.  It compares what `icapd -nn` would write, so that only what
 * has an effect counts: not comments, not the order of keys, and not how a
 * value is written.  Errors are no reason not to reload: then it is silent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "conf.h"
#include "conf_diff.h"

#define LINES_MAX	30	/* that are said; more are counted */
#define DEPTH_MAX	8	/* of sections */

/* A key in its section; or, without a key, that there is such a section. */
struct entry {
	const char	*section;	/* as in the file, "" outside of all */
	const char	*key;
	const char	*value;
	bool		 found;		/* in the other one */
};

struct entries {
	struct arena	*arena;
	struct entry	*e;
	size_t		 n;
};

static char *
trim(char *line)
{
	line += strspn(line, " \t");
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void
entries_add(struct entries *es, const char *section, char *line)
{
	struct entry	*e = &es->e[es->n++];
	char		*equals = strstr(line, " = ");

	memset(e, 0, sizeof(*e));
	e->section = section;
	e->key = line;
	e->value = "";
	if (equals != NULL) {
		*equals = '\0';
		e->value = equals + 3;
	}
}

/* Every line that is not empty and ends no section is an entry. */
static int
entries_parse(struct entries *es, char *text)
{
	static char	 nothing[] = "";
	const char	*section[DEPTH_MAX] = { "" };
	char		*line, *end;
	size_t		 lines = 1;
	unsigned int	 depth = 0;

	for (line = text; (line = strchr(line, '\n')) != NULL; line++)
		lines++;
	es->n = 0;
	if ((es->arena = arena_new()) == NULL ||
	    (es->e = calloc(lines, sizeof(*es->e))) == NULL)
		return -1;
	while ((line = strsep(&text, "\n")) != NULL) {
		line = trim(line);
		end = line + strlen(line);
		if (end - line > 2 && strcmp(end - 2, " {") == 0) {
			if (depth + 1 == DEPTH_MAX)
				return -1;
			end[-2] = '\0';
			section[depth + 1] = depth == 0 ? line :
			    arena_printf(es->arena, "%s %s", section[depth],
			    line);
			entries_add(es, section[++depth], nothing);
		} else if (strcmp(line, "}") == 0) {
			if (depth-- == 0)
				return -1;
		} else if (line[0] != '\0')
			entries_add(es, section[depth], line);
	}
	return 0;
}

static void
entries_free(struct entries *es)
{
	if (es->arena != NULL)
		arena_free(es->arena);
	free(es->e);
}

/* The same key of the same section that nobody else has found. */
static struct entry *
entries_find(struct entries *es, const struct entry *e)
{
	size_t	 i;

	for (i = 0; i < es->n; i++)
		if (!es->e[i].found && strcmp(es->e[i].key, e->key) == 0 &&
		    strcmp(es->e[i].section, e->section) == 0)
			return &es->e[i];
	return NULL;
}

struct teller {
	void		(*say)(const char *line);
	unsigned int	 n;
	const char	*skip;		/* section that is said in whole */
};

/* Is it in a section that was said to be new or gone as one? */
static bool
is_said(const struct teller *t, const struct entry *e)
{
	return t->skip != NULL &&
	    strncmp(e->section, t->skip, strlen(t->skip)) == 0;
}

static void
tell(struct teller *t, const struct entry *e, const char *what,
    const char *was)
{
	char	 line[400];

	if (is_said(t, e))
		return;
	if (t->n++ >= LINES_MAX)
		return;
	if (e->key[0] == '\0') {
		(void)snprintf(line, sizeof(line), "%s is %s", e->section,
		    what);
		t->skip = e->section;
	} else
		(void)snprintf(line, sizeof(line), "%s%s%s = %.120s%s%.120s",
		    e->section, e->section[0] != '\0' ? ": " : "", e->key,
		    e->value, what, was);
	t->say(line);
}

void
conf_diff_texts(char *from, char *to, void (*say)(const char *line))
{
	struct entries	 a = { NULL, NULL, 0 }, b = { NULL, NULL, 0 };
	struct teller	 t = { say, 0, NULL };
	struct entry	*old;
	char		 more[64];
	size_t		 i;

	if (entries_parse(&a, from) == 0 && entries_parse(&b, to) == 0) {
		for (i = 0; i < b.n; i++) {
			if ((old = entries_find(&a, &b.e[i])) == NULL)
				tell(&t, &b.e[i], b.e[i].key[0] != '\0' ?
				    ", is new" : "new", "");
			else {
				old->found = true;
				if (strcmp(old->value, b.e[i].value) != 0)
					tell(&t, &b.e[i], ", was ",
					    old->value);
			}
		}
		t.skip = NULL;
		for (i = 0; i < a.n; i++)
			if (!a.e[i].found)
				tell(&t, &a.e[i], a.e[i].key[0] != '\0' ?
				    ", is gone" : "gone", "");
		if (t.n == 0)
			say("nothing in the configuration has changed");
		else if (t.n > LINES_MAX) {
			(void)snprintf(more, sizeof(more), "and %u more",
			    t.n - LINES_MAX);
			say(more);
		}
	}
	entries_free(&a);
	entries_free(&b);
}

static char *
print(const struct conf *conf)
{
	char	*text = NULL;
	size_t	 len;
	FILE	*fp = open_memstream(&text, &len);

	if (fp == NULL)
		return NULL;
	conf_print(conf, fp);
	if (fclose(fp) == EOF) {
		free(text);
		return NULL;
	}
	return text;
}

void
conf_diff(const struct conf *from, const struct conf *to,
    void (*say)(const char *line))
{
	char	*a = print(from), *b = print(to);

	if (a != NULL && b != NULL)
		conf_diff_texts(a, b, say);
	free(a);
	free(b);
}
