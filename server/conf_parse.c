/* SPDX-License-Identifier: ISC */
/*
 * From files to sections and values with their places; the parsing itself is
 * libconfuse's.  Called by conf.c.  What a value means is not known here,
 * and nothing but the files is looked at.
 *
 * libconfuse stops at its first error and remembers no places.  So:
 * - every value is a text whose parse callback notes where it is;
 * - a hidden list with a default, ".open", notes where a section begins;
 * - an unknown name is added to the tables as one to be ignored, and all is
 *   read once more, until there is none left; then the errors are complete;
 * - each file is read on its own, with ".end = ." behind it: if that is found
 *   inside of a section, that section was not closed;
 * - what it passes over without a word is looked for before it sees the text.
 * Its callbacks have no argument for us, hence the one static pointer.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "conf_key.h"
#include "conf_parse.h"
#include "conf_table.h"
#include "log.h"

#define FILE_SIZE_MAX	(16 * 1024 * 1024)	/* of one file, bytes */
#define DEPTH_MAX	16	/* files that include each other */
#define PASSES_MAX	300	/* an unknown name costs up to three */

#define OWN_OPEN	".open"
#define OWN_END		".end"
#define END_TEXT	"\n" OWN_END " = .\n"	/* behind each file */

struct file {
	const char	*name;
	cfg_t		*cfg;		/* what it is read into */
	dev_t		 dev;
	ino_t		 ino;
	int		 lines;
	bool		 ended;		/* seen to its end */
};

struct parser {
	struct conf_text	*text;
	struct arena		*arena;
	struct conf_errors	*errors;
	struct conf_errors	 pass;		/* those of this pass */
	struct conf_ignore	*ignore;
	struct file		 file[DEPTH_MAX];
	unsigned int		 depth;
	bool			 again;		/* the tables have changed */
	bool			 is_mute;	/* errors are not meant */
};

static struct parser	*parse;		/* while conf_parse() runs */

static struct conf_where
where_is(const cfg_t *cfg)
{
	struct conf_where	 where;
	int			 lines;

	where.file = arena_copy(parse->arena,
	    cfg->filename != NULL ? cfg->filename : "");
	where.line = cfg->line;
	/* what is behind the text is not the administrator's */
	if (parse->depth > 0) {
		lines = parse->file[parse->depth - 1].lines;
		if (where.line > lines)
			where.line = lines;
	}
	return where;
}

/* Pointers are used again by libconfuse: the last one is meant. */
const struct conf_section *
conf_text_find(const struct conf_text *text, const cfg_t *cfg)
{
	unsigned int	 i;

	for (i = text->nsections; i > 0; i--)
		if (text->section[i - 1].cfg == cfg)
			return &text->section[i - 1];
	return NULL;
}

static struct conf_section *
find_section(const cfg_t *cfg)
{
	const struct conf_section	*s = conf_text_find(parse->text, cfg);

	return s != NULL ? &parse->text->section[s - parse->text->section] :
	    NULL;
}

static struct conf_section *
add_section(struct conf_text *text, struct arena *arena, const char *type,
    const char *title)
{
	struct conf_section	*s;

	text->section = arena_grow(arena, text->section, text->nsections,
	    sizeof(*s));
	s = &text->section[text->nsections++];
	memset(s, 0, sizeof(*s));
	s->type = arena_copy(arena, type);
	s->title = arena_copy(arena, title);
	return s;
}

/* ---- callbacks of libconfuse ------------------------------------------ */

/* The default of ".open": a section begins. */
static int
on_open(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const char		*title = cfg->title != NULL ? cfg->title : "";
	struct conf_section	*s = NULL, *same;
	unsigned int		 i;

	(void)opt;
	*(const char **)result = value;
	for (i = 1; i < parse->text->nsections; i++) {
		same = &parse->text->section[i];
		if (same->outer != 0 || strcmp(same->type, cfg->name) != 0 ||
		    strcmp(same->title, title) != 0)
			continue;
		same->cfg = NULL;	/* libconfuse has freed it */
		if (cfg->title == NULL)
			s = same;	/* goes on here */
		else
			conf_error(&parse->pass, where_is(cfg),
			    "%s \"%s\" is there twice: expected once, and it "
			    "is at %s:%d", same->type, title,
			    same->where.file, same->where.line);
	}
	if (s == NULL) {
		s = add_section(parse->text, parse->arena, cfg->name, title);
		s->where = where_is(cfg);
	}
	s->cfg = cfg;
	return 0;
}

/* ".end = ." behind the text of a file. */
static int
on_end(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct file		*file = &parse->file[parse->depth - 1];
	struct conf_section	*s;

	(void)opt;
	*(const char **)result = value;
	file->ended = true;
	if (cfg == file->cfg)
		return 0;
	if ((s = find_section(cfg)) != NULL)
		conf_error(&parse->pass, s->where, "%s%s%s%s is not closed: "
		    "expected } before the end of the file", s->type,
		    s->title[0] != '\0' ? " \"" : "", s->title,
		    s->title[0] != '\0' ? "\"" : "");
	else
		conf_error(&parse->pass, where_is(cfg), "%s is not closed: "
		    "expected } before the end of the file", cfg->name);
	parse->text->is_broken = true;
	return 0;
}

static void
add_value(struct conf_section *s, const cfg_t *cfg, const cfg_opt_t *opt,
    const char *text)
{
	const struct conf_value	*before;
	struct conf_value	*v;
	bool			 is_list = (opt->flags & CFGF_LIST) != 0;

	before = conf_section_find(s, opt->name);
	if (before != NULL && (!is_list || opt->nvalues <= 1))
		conf_error(&parse->pass, where_is(cfg), "%s is set twice: "
		    "expected once, and it is at %s:%d", opt->name,
		    before->where.file, before->where.line);
	s->value = arena_grow(parse->arena, s->value, s->nvalues,
	    sizeof(*v));
	v = &s->value[s->nvalues++];
	v->name = arena_copy(parse->arena, opt->name);
	v->text = arena_copy(parse->arena, text);
	v->where = where_is(cfg);
	v->is_list = is_list;
}

/* Is it set in a file, and is there something on its right side? */
static bool
note_value(cfg_t *cfg, cfg_opt_t *opt, const char *value)
{
	struct conf_section	*s;

	if ((opt->flags & CFGF_MODIFIED) == 0)
		return true;			/* a default */
	if (strcmp(value, OWN_END) == 0) {
		conf_error(&parse->pass, where_is(cfg),
		    "%s has no value: expected one before the end of the "
		    "file", opt->name);
		return false;
	}
	if ((s = find_section(cfg)) != NULL)
		add_value(s, cfg, opt, value);
	return true;
}

static int
on_text(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	*(const char **)result = value;
	return note_value(cfg, opt, value) ? 0 : -1;
}

/* Numbers and booleans of services: an error must not end the reading. */
static int
on_number(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	if (!note_value(cfg, opt, value))
		return -1;
	if (conf_table_number(opt, value, result) == -1)
		conf_error(&parse->pass, where_is(cfg),
		    "%s \"%s\": expected %s", opt->name, value,
		    conf_table_expect(opt));
	return 0;
}

static const char *scope_of(const cfg_t *cfg);

static int
on_ignored(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	*(const char **)result = value;
	conf_ignore_report(parse->ignore, scope_of(cfg), opt->name,
	    where_is(cfg), &parse->pass);
	return 0;
}

/* A section of a service has begun in one: the last that is not in another. */
static int
on_inner_open(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct conf_text	*text = parse->text;
	const char		*title = cfg->title != NULL ? cfg->title : "";
	struct conf_section	*s, *same;
	unsigned int		 outer = text->nsections - 1, i;

	(void)opt;
	*(const char **)result = value;
	while (outer > 0 && text->section[outer].outer != 0)
		outer--;
	for (i = outer + 1; i < text->nsections; i++) {
		same = &text->section[i];
		if (strcmp(same->type, cfg->name) != 0 ||
		    strcmp(same->title, title) != 0)
			continue;
		same->cfg = NULL;
		conf_error(&parse->pass, where_is(cfg), "%s \"%s\" is there "
		    "twice: expected once, and it is at %s:%d", same->type,
		    title, same->where.file, same->where.line);
	}
	s = add_section(text, parse->arena, cfg->name, title);
	s->where = where_is(cfg);
	s->cfg = cfg;
	s->outer = outer;
	return 0;
}

static int
on_ignored_open(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const cfg_t	*outer = parse->file[parse->depth - 1].cfg;

	(void)opt;
	*(const char **)result = value;
	/* an unknown section in a section is found by conf_ignore_rest() */
	conf_ignore_report(parse->ignore, scope_of(outer), cfg->name,
	    where_is(cfg), &parse->pass);
	return 0;
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc,
    const char **argv);

static const struct conf_table_callbacks	 callbacks = {
	.own_open = OWN_OPEN,
	.own_end = OWN_END,
	.open = on_open,
	.inner_open = on_inner_open,
	.ignored_open = on_ignored_open,
	.end = on_end,
	.text = on_text,
	.number = on_number,
	.ignored = on_ignored,
	.include = on_include
};

static const char *
scope_of(const cfg_t *cfg)
{
	return conf_table_scope(cfg, &callbacks, parse->arena);
}

static void
unknown(cfg_t *cfg, const char *name)
{
	conf_ignore_add(&parse->ignore, scope_of(cfg), name, cfg,
	    where_is(cfg), parse->arena);
	parse->again = true;
}

/* An unknown name was taken for a key, and is a section? */
static bool
unknown_kind(const cfg_t *cfg, const char *name)
{
	if (!conf_ignore_retry(parse->ignore, scope_of(cfg), name))
		return false;
	parse->again = true;
	return true;
}

/* An unknown name with a syntax that fits none of the kinds. */
static bool
is_unknown(const cfg_t *cfg, const char *name)
{
	return conf_ignore_report(parse->ignore, scope_of(cfg), name,
	    where_is(cfg), &parse->pass);
}

/* What a title looks like. */
static const char *
title_of(const char *section)
{
	if (strcmp(section, "listen") == 0)
		return "127.0.0.1:1344";
	if (strcmp(section, "service") == 0)
		return "/path";
	if (strcmp(section, "log") == 0)
		return "/path/to/file";
	return "name";
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct conf_where	 where = where_is(cfg);
	const char		*name = NULL;
	char			 text[512];
	va_list			 copy;

	if (parse->again || parse->is_mute)
		return;
	if (strstr(fmt, "'%s'") != NULL) {
		va_copy(copy, ap);
		name = va_arg(copy, const char *);
		va_end(copy);
	}
	if (name == NULL)
		name = "";
	if (strncmp(fmt, "no such option", 14) == 0) {
		unknown(cfg, name);
		return;
	}
	parse->text->is_broken = true;
	if (strncmp(fmt, "missing equal sign", 18) == 0) {
		if (!unknown_kind(cfg, name))
			conf_error(&parse->pass, where,
			    "no value for %s: expected %s = VALUE", name,
			    name);
	} else if (strncmp(fmt, "missing opening brace", 21) == 0) {
		if (!unknown_kind(cfg, name) && !is_unknown(cfg, name))
			conf_error(&parse->pass, where, "%s is a section%s: "
			    "expected { behind it", name,
			    conf_section_has_title(name) ?
			    " with one title" : "");
	} else if (strncmp(fmt, "missing title", 13) == 0) {
		if (!is_unknown(cfg, name))
			conf_error(&parse->pass, where,
			    "%s has no title: expected %s \"%s\" {", name,
			    name, title_of(name));
	} else if (strncmp(fmt, "missing parenthesis", 19) == 0 ||
	    strncmp(fmt, "syntax error in call", 20) == 0)
		conf_error(&parse->pass, where,
		    "%s without a file: expected %s(\"file\")", name, name);
	else if (strncmp(fmt, "premature end of file", 21) == 0)
		conf_error(&parse->pass, where, "end of the file inside of "
		    "a text or a list: expected its closing quote or }");
	else if (strncmp(fmt, "unexpected token", 16) == 0 &&
	    (strcmp(name, OWN_END) == 0 ||
	    (strcmp(name, "=") == 0 && conf_error_is_at(&parse->pass,
	    where))))
		conf_error(&parse->pass, where, "end of the file inside of "
		    "a list: expected }");
	else if (strncmp(fmt, "unexpected token", 16) == 0)
		conf_error(&parse->pass, where, "unexpected '%s': expected "
		    "KEY = VALUE, or a section in { }", name);
	else if (strncmp(fmt, "unexpected closing brace", 24) == 0)
		conf_error(&parse->pass, where, "unexpected }: expected no "
		    "more of them than {");
	else if (strncmp(fmt, "attempt to append", 17) == 0)
		conf_error(&parse->pass, where, "%s is no list: expected = "
		    "in place of +=", name);
	else {
		(void)vsnprintf(text, sizeof(text), fmt, ap);
		conf_error(&parse->pass, where, "%s", text);
	}
}

/* ---- files ------------------------------------------------------------- */

/* Reads a file whole, and what ends it; *why says why it cannot. */
static char *
read_text(const char *name, struct stat *st, size_t *len, const char **why)
{
	static const char	 end[] = END_TEXT;
	char			*p = NULL, *grown;
	size_t			 size = 0;
	ssize_t			 n = -1;
	int			 fd;

	*len = 0;
	if ((fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1 ||
	    fstat(fd, st) == -1) {
		*why = strerror(errno);
		if (fd != -1)
			(void)close(fd);
		return NULL;
	}
	do {
		if (*len + 4096 + sizeof(end) > size) {
			size = 2 * size + 4096 + sizeof(end);
			if ((grown = realloc(p, size)) == NULL)
				fatal(EXIT_SICK, "memory for %s", name);
			p = grown;
		}
		n = read(fd, p + *len, 4096);
		if (n > 0)
			*len += (size_t)n;
	} while (n > 0 && *len <= FILE_SIZE_MAX);
	*why = n == -1 ? strerror(errno) :
	    *len > FILE_SIZE_MAX ? "it is larger than 16M" :
	    memchr(p, '\0', *len) != NULL ? "it holds a NUL byte" : NULL;
	(void)close(fd);
	if (*why != NULL) {
		free(p);
		return NULL;
	}
	memcpy(p + *len, end, sizeof(end));
	*len += sizeof(end) - 1;
	return p;
}

/* Of the text without what read_text() has added. */
static int
count_lines(const char *text, size_t len)
{
	int	 n = 1;
	size_t	 i;

	len -= sizeof(END_TEXT) - 1;
	for (i = 0; i + 1 < len; i++)
		if (text[i] == '\n')
			n++;
	return n;
}

/*
 * After an error libconfuse's scanner may still be inside of a text, and would
 * take the rest of the file that includes this one for a part of it.  This
 * ends either kind, and is nothing but comments elsewhere.
 */
static void
reset_lexer(cfg_t *cfg)
{
	static char	 text[] = "#\"#\n#'#\n";
	FILE		*fp;

	if ((fp = fmemopen(text, sizeof(text) - 1, "r")) == NULL)
		fatal(EXIT_SICK, "memory for the configuration");
	parse->is_mute = true;
	(void)cfg_parse_fp(cfg, fp);
	parse->is_mute = false;
	(void)fclose(fp);
}

/* "${NAME}" in double quotes at p, whatever is in it: its last byte, or p. */
static char *
skip_variable(char *p, const char *end)
{
	char	*brace;

	if (p[0] == '$' && p + 1 < end && p[1] == '{' &&
	    (brace = memchr(p, '}', (size_t)(end - p))) != NULL)
		return brace;
	return p;
}

/* Where a comment or a text in quotes that begins at p ends: its last byte. */
static char *
skip(char *p, const char *end)
{
	char	 quote = *p;

	if (quote == '#' || (quote == '/' && p[1] == '/')) {
		while (p < end && *p != '\n')
			p++;
	} else if (quote == '/') {
		for (p += 3; p < end && !(p[-1] == '*' && p[0] == '/'); )
			p++;
	} else
		for (p++; p < end && *p != quote; p++)
			if (*p == '\\')
				p++;
			else if (quote == '"')
				p = skip_variable(p, end);
	return p;
}

/* "\0", "\x0" and longer ones, at p: its length, or 0 for anything else. */
static int
nul_escape(const char *p)
{
	size_t	 n;

	if (p[1] == 'x') {
		n = p[2] != '0' ? 0 : p[3] != '0' ? 1 : 2;
		return n == 2 || (n == 1 &&
		    chars_hex((unsigned char)p[3]) == -1) ? (int)n + 2 : 0;
	}
	n = strspn(p + 1, "0");
	return n >= 1 && n <= 3 && (p[n + 1] < '0' || p[n + 1] > '9') ?
	    (int)n + 1 : 0;
}

/*
 * Texts are C strings from here on: an escape that makes a NUL in double
 * quotes, from p to end, would cut one short, whatever is behind it.
 */
static void
check_nul(struct conf_where where, char *p, const char *end)
{
	int	 n;

	for (; p < end; p++) {
		if (*p == '\\') {
			if ((n = nul_escape(p)) > 0)
				conf_error(&parse->pass, where, "%.*s is a "
				    "NUL: expected none in a text", n, p);
			p++;
		} else
			p = skip_variable(p, end);
		where.line += *p == '\n';
	}
}

static void
clear_comment(struct conf_where where, char *p, char *last, const char *end)
{
	if (last >= end && *p == '/' && p[1] == '*') {
		parse->text->is_broken = true;
		conf_error(&parse->pass, where, "end of the file inside of a "
		    "comment: expected */");
	}
	for (; p <= last && p < end; p++)
		if (*p != '\n')
			*p = ' ';
}

/*
 * What libconfuse does without a word: it takes a comment for two or three
 * lines, so that no place behind one would be right; it drops a "*" or "+"
 * without quotes, so that the list {*} would be empty; and it ends a text at
 * a NUL.  Blanks the first and looks for the others.  What comments and
 * quotes are is the same here as there.
 */
static void
check_silent(const char *name, char *text, const char *end)
{
	struct conf_where	 where = { name, 1 };
	char			*p = text, *next;
	bool			 begins = true;	/* a word could, here */

	for (; p < end; p = next + 1) {
		next = p;
		if (*p == '#' || (begins && *p == '/' &&
		    (p[1] == '/' || p[1] == '*'))) {
			next = skip(p, end);
			clear_comment(where, p, next, end);
		} else if (*p == '"' || *p == '\'') {
			next = skip(p, end);
			if (*p == '"')
				check_nul(where, p + 1, next < end ? next :
				    end);
		} else if (*p == '*' || (*p == '+' && p[1] != '='))
			conf_error(&parse->pass, where, "'%c' without "
			    "quotes: expected it in a text in quotes", *p);
		begins = strchr(" \t\r\n{}=,()\"'*+", *p) != NULL;
		for (; p <= next && p < end; p++)
			where.line += *p == '\n';
	}
}

/* Reads text into cfg, which is the top level or an open section. */
static void
parse_text(cfg_t *cfg, const char *name, char *text, size_t len)
{
	struct file	*file = &parse->file[parse->depth - 1];
	char		*name_before = cfg->filename;
	int		 line_before = cfg->line, error;
	FILE		*fp;

	file->name = name;
	file->cfg = cfg;
	file->lines = count_lines(text, len);
	file->ended = false;
	check_silent(name, text, text + len - (sizeof(END_TEXT) - 1));
	if ((fp = fmemopen(text, len, "r")) == NULL ||
	    (cfg->filename = strdup(name)) == NULL)
		fatal(EXIT_SICK, "memory for %s", name);
	error = cfg_parse_fp(cfg, fp);
	(void)fclose(fp);
	if (!file->ended || error != CFG_SUCCESS)
		reset_lexer(cfg);
	if (error == CFG_SUCCESS && !file->ended && !parse->again) {
		parse->text->is_broken = true;
		conf_error(&parse->pass, where_is(cfg),
		    "end of the file inside of a comment: expected */");
	}
	free(cfg->filename);
	cfg->filename = name_before;
	cfg->line = line_before;
}

/* "dir/file" as seen from the file that names it. */
static const char *
resolve(const char *from, const char *name)
{
	const char	*slash = strrchr(from, '/');

	if (name[0] == '/' || slash == NULL)
		return arena_copy(parse->arena, name);
	return arena_printf(parse->arena, "%.*s/%s", (int)(slash - from),
	    from, name);
}

static bool
is_being_read(const struct stat *st)
{
	unsigned int	 i;

	for (i = 0; i < parse->depth; i++)
		if (parse->file[i].dev == st->st_dev &&
		    parse->file[i].ino == st->st_ino)
			return true;
	return false;
}

/* Reads one file that was named at `where`. */
static void
parse_file(cfg_t *cfg, const char *name, struct conf_where where)
{
	struct stat	 st;
	const char	*why;
	char		*text;
	size_t		 len;

	if ((text = read_text(name, &st, &len, &why)) == NULL) {
		conf_error(&parse->pass, where, "cannot read %s: %s: "
		    "expected a readable file", name, why);
		parse->text->is_broken = true;
		return;
	}
	if (is_being_read(&st)) {
		conf_error(&parse->pass, where, "%s includes itself: "
		    "expected no cycle", name);
	} else if (parse->depth == DEPTH_MAX) {
		conf_error(&parse->pass, where, "%s is included too deep: "
		    "expected at most %d files within each other", name,
		    DEPTH_MAX);
	} else {
		parse->file[parse->depth].dev = st.st_dev;
		parse->file[parse->depth].ino = st.st_ino;
		parse->depth++;
		parse_text(cfg, name, text, len);
		parse->depth--;
	}
	free(text);
}

static void
include_pattern(cfg_t *cfg, const char *pattern, struct conf_where where)
{
	glob_t	 found;
	size_t	 i;

	memset(&found, 0, sizeof(found));
	switch (glob(pattern, 0, NULL, &found)) {
	case 0:
		for (i = 0; i < found.gl_pathc && !parse->again; i++)
			parse_file(cfg, arena_copy(parse->arena,
			    found.gl_pathv[i]), where);
		break;
	case GLOB_NOMATCH:
		break;
	default:
		conf_error(&parse->pass, where, "cannot read %s: %s: "
		    "expected a readable folder", pattern, strerror(errno));
		break;
	}
	globfree(&found);
}

/* include("file"), include("folder"), include("folder/[pattern]") */
static int
on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct conf_where	 where = where_is(cfg);
	const char		*name;
	struct stat		 st;

	(void)opt;
	if (argc != 1 || argv[0][0] == '\0') {
		conf_error(&parse->pass, where, "include with %d names: "
		    "expected include(\"file\")", argc);
		return 0;
	}
	name = resolve(where.file, argv[0]);
	if (stat(name, &st) == 0 && S_ISDIR(st.st_mode))
		include_pattern(cfg, arena_printf(parse->arena, "%s/*.conf",
		    name), where);
	else if (strpbrk(name, "*?[") != NULL)
		include_pattern(cfg, name, where);
	else
		parse_file(cfg, name, where);
	return parse->again ? -1 : 0;
}

/* ---- what others call --------------------------------------------------- */

static void
parse_begin(void)
{
	struct conf_text	*text = parse->text;

	memset(text, 0, sizeof(*text));
	memset(&parse->pass, 0, sizeof(parse->pass));
	parse->pass.arena = parse->arena;
	parse->again = false;
	text->cfg = cfg_init(conf_table_build(&callbacks, parse->ignore,
	    parse->arena), CFGF_NONE);
	if (text->cfg == NULL)
		fatal(EXIT_SICK, "memory for the configuration");
	(void)cfg_set_error_function(text->cfg, on_error);
	add_section(text, parse->arena, "", "")->cfg = text->cfg;
}

static void
parse_merge_errors(void)
{
	conf_ignore_rest(parse->ignore, &parse->pass);
	*parse->errors = parse->pass;
}

void
conf_parse(struct conf_text *text, const char *file, struct arena *arena,
    struct conf_errors *errors)
{
	struct parser		 p;
	struct conf_where	 nowhere = { NULL, 0 };
	unsigned int		 passes;

	memset(&p, 0, sizeof(p));
	p.text = text;
	p.arena = arena;
	p.errors = errors;
	parse = &p;
	for (passes = 1; ; passes++) {
		parse_begin();
		text->section[0].where.file = file;
		parse_file(text->cfg, file, nowhere);
		if (!p.again || passes == PASSES_MAX)
			break;
		(void)cfg_free(text->cfg);
	}
	if (p.again)
		text->is_broken = true;
	parse_merge_errors();
	parse = NULL;
}

void
conf_parse_nothing(struct conf_text *text, struct arena *arena,
    struct conf_errors *errors)
{
	struct parser	 p;

	memset(&p, 0, sizeof(p));
	p.text = text;
	p.arena = arena;
	p.errors = errors;
	parse = &p;
	parse_begin();
	parse_merge_errors();
	parse = NULL;
}

struct conf_section *
conf_parse_add_section(struct conf_text *text, const char *type,
    const char *title, struct conf_where where, struct arena *arena,
    struct conf_errors *errors)
{
	struct parser	 p;
	cfg_t		*cfg;

	memset(&p, 0, sizeof(p));
	p.text = text;
	p.arena = arena;
	p.errors = errors;
	p.pass = *errors;
	parse = &p;
	if ((cfg = cfg_addtsec(text->cfg, type, title)) == NULL)
		fatal(EXIT_SICK, "memory for the configuration");
	parse_merge_errors();
	parse = NULL;
	text->section[text->nsections - 1].where = where;
	return &text->section[text->nsections - 1];
}

const struct conf_value *
conf_section_find(const struct conf_section *s, const char *name)
{
	unsigned int	 i;

	for (i = s->nvalues; i > 0; i--)
		if (strcmp(s->value[i - 1].name, name) == 0)
			return &s->value[i - 1];
	return NULL;
}

bool
conf_section_is_cleared(const struct conf_section *s, const char *name)
{
	const cfg_opt_t	*opt;

	if (s->cfg == NULL || s->cfg->opts == NULL)
		return false;
	for (opt = s->cfg->opts; opt->name != NULL; opt++)
		if (strcmp(opt->name, name) == 0)
			return (opt->flags & CFGF_MODIFIED) != 0 &&
			    opt->nvalues == 0;
	return false;
}
