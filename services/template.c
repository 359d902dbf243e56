/* SPDX-License-Identifier: ISC */
/*
 * Pages with variables.  Called by respond.c, and by services when they are
 * opened.  Whatever a variable holds came from the outside: it is escaped for
 * the place it stands in, and there is no way to turn that off in HTML.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "template.h"

/* A page larger than this is a mistake, bytes. */
#define TEMPLATE_MAX	(256 * 1024)

enum template_kind { TEMPLATE_HTML, TEMPLATE_JSON, TEMPLATE_TXT };

struct service_template {
	enum template_kind	 kind;
	struct bytes		 text;
};

static const char page_start[] =
"<!DOCTYPE html>\n"
"<html lang=\"en\">\n"
"<head>\n"
"<meta charset=\"utf-8\">\n"
"<meta name=\"viewport\" content=\"width=device-width\">\n"
"<meta name=\"color-scheme\" content=\"light dark\">\n"
"<title>%{title}</title>\n"
"<style>\n"
"body{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}\n"
"th{text-align:left;padding-right:1em;vertical-align:top}\n"
"td{overflow-wrap:anywhere}\n"
"</style>\n"
"</head>\n"
"<body>\n"
"<h1>%{title}</h1>\n"
"<p>%{reason}</p>\n"
"<table>\n";

static const char page_end[] =
"</table>\n"
"</body>\n"
"</html>\n";

static int
put_html(struct bytes *out, unsigned char c)
{
	switch (c) {
	case '&':
		return bytes_adds(out, "&amp;");
	case '<':
		return bytes_adds(out, "&lt;");
	case '>':
		return bytes_adds(out, "&gt;");
	case '"':
		return bytes_adds(out, "&quot;");
	case '\'':
		return bytes_adds(out, "&#39;");
	default:
		/* controls may not stand in HTML at all */
		return bytes_add(out, c < 0x20 || c == 0x7f ? " " :
		    (char *)&c, 1);
	}
}

/* RFC 3986: unreserved characters stay. */
static int
put_url(struct bytes *out, unsigned char c)
{
	char	 hex[4];

	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || strchr("-._~", c) != NULL)
		return bytes_add(out, &c, 1);
	(void)snprintf(hex, sizeof(hex), "%%%02X", c);
	return bytes_add(out, hex, 3);
}

/*
 * RFC 8259.  Bytes beyond ASCII are escaped one by one, as if they were
 * Latin-1, where they are no UTF-8: put_value() knows.
 */
static int
put_json(struct bytes *out, unsigned char c)
{
	char	 esc[8];

	if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<')
		return bytes_add(out, &c, 1);
	(void)snprintf(esc, sizeof(esc), "\\u%04x", c);
	return bytes_add(out, esc, 6);
}

static int
put_txt(struct bytes *out, unsigned char c)
{
	return bytes_add(out, c < 0x20 || c == 0x7f ? " " : (char *)&c, 1);
}

static int
put_value(struct bytes *out, const char *value,
    int (*put)(struct bytes *, unsigned char))
{
	size_t	 n;

	for (; *value != '\0'; value += n) {
		n = put == put_json ? chars_utf8(value, strlen(value)) : 1;
		if (n > 1 ? bytes_add(out, value, n) == -1 :
		    put(out, (unsigned char)*value) == -1)
			return -1;
		if (n == 0)
			n = 1;
	}
	return 0;
}

static const char *
find_var(const struct service_var *vars, struct slice name)
{
	for (; vars->name != NULL; vars++)
		if (slice_is(name, vars->name))
			return vars->value != NULL ? vars->value : "";
	return "";
}

/* "%{name}" or "%{name:url}" or "%%" at p: its length, or 0. */
static size_t
parse_var(const char *p, size_t len, struct slice *name, bool *url)
{
	const char	*end;

	*url = false;
	if (len >= 2 && p[1] == '%') {
		name->len = 0;
		return 2;
	}
	if (len < 4 || p[1] != '{' || (end = memchr(p, '}', len)) == NULL)
		return 0;
	name->p = p + 2;
	name->len = (size_t)(end - name->p);
	if (name->len > 4 && memcmp(end - 4, ":url", 4) == 0) {
		name->len -= 4;
		*url = true;
	}
	if (name->len == 0 ||
	    chars_span(name->p, name->len, CHARS_TOKEN) != name->len)
		return 0;
	return (size_t)(end + 1 - p);
}

static int
expand(struct bytes *out, const char *p, size_t len, enum template_kind kind,
    const struct service_var *vars)
{
	static int (*const	 put[])(struct bytes *, unsigned char) = {
		[TEMPLATE_HTML] = put_html,
		[TEMPLATE_JSON] = put_json,
		[TEMPLATE_TXT] = put_txt,
	};
	const char		*percent, *end;
	struct slice		 name;
	size_t			 n;
	bool			 url;

	if (len == 0)
		return 0;
	end = p + len;
	while ((percent = memchr(p, '%', (size_t)(end - p))) != NULL) {
		if (bytes_add(out, p, (size_t)(percent - p)) == -1)
			return -1;
		n = parse_var(percent, (size_t)(end - percent), &name, &url);
		if (n == 0 || name.len == 0) {
			if (bytes_adds(out, "%") == -1)
				return -1;
		} else if (put_value(out, find_var(vars, name),
		    url ? put_url : put[kind]) == -1)
			return -1;
		p = percent + (n > 0 ? n : 1);
	}
	return bytes_add(out, p, (size_t)(end - p));
}

static int
format_json(struct bytes *out, const struct service_var *vars)
{
	const char	*between = "{\"";

	for (; vars->name != NULL; vars++) {
		if (bytes_adds(out, between) == -1 ||
		    put_value(out, vars->name, put_json) == -1 ||
		    bytes_adds(out, "\":\"") == -1 ||
		    put_value(out, vars->value != NULL ? vars->value : "",
		    put_json) == -1 ||
		    bytes_adds(out, "\"") == -1)
			return -1;
		between = ",\"";
	}
	return bytes_adds(out, "}\n");
}

static int
format_builtin(struct bytes *out, const struct service_var *vars)
{
	const struct service_var	*v;

	if (expand(out, page_start, sizeof(page_start) - 1, TEMPLATE_HTML,
	    vars) == -1)
		return -1;
	for (v = vars; v->name != NULL; v++) {
		if (v->value == NULL || v->value[0] == '\0' ||
		    strcmp(v->name, "title") == 0 ||
		    strcmp(v->name, "reason") == 0)
			continue;
		if (bytes_adds(out, "<tr><th>") == -1 ||
		    put_value(out, v->name, put_html) == -1 ||
		    bytes_adds(out, "</th><td>") == -1 ||
		    put_value(out, v->value, put_html) == -1 ||
		    bytes_adds(out, "</td></tr>\n") == -1)
			return -1;
	}
	return bytes_adds(out, page_end);
}

const char *
template_format(const struct service_template *page, int json,
    const struct service_var *vars, struct bytes *out)
{
	static const char *const	 types[] = {
		[TEMPLATE_HTML] = "text/html; charset=utf-8",
		[TEMPLATE_JSON] = "application/json",
		[TEMPLATE_TXT] = "text/plain; charset=utf-8",
	};
	enum template_kind		 kind = TEMPLATE_HTML;
	int				 n;

	if (json && (page == NULL || page->kind != TEMPLATE_JSON)) {
		kind = TEMPLATE_JSON;
		n = format_json(out, vars);
	} else if (page == NULL)
		n = format_builtin(out, vars);
	else {
		kind = page->kind;
		n = expand(out, page->text.p, page->text.len, kind, vars);
	}
	return n == -1 ? NULL : types[kind];
}

static enum template_kind
kind_of(const char *path)
{
	size_t	 len = strlen(path);

	if (len > 5 && strcmp(path + len - 5, ".json") == 0)
		return TEMPLATE_JSON;
	if (len > 4 && strcmp(path + len - 4, ".txt") == 0)
		return TEMPLATE_TXT;
	return TEMPLATE_HTML;
}

static int
read_file(struct bytes *text, int fd)
{
	char	 piece[8192];
	ssize_t	 n;

	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		if (text->len + (size_t)n > TEMPLATE_MAX) {
			errno = EFBIG;
			return -1;
		}
		if (bytes_add(text, piece, (size_t)n) == -1)
			return -1;
	}
	return n == -1 ? -1 : 0;
}

/* Line of the first malformed variable, or 0. */
static unsigned int
check(const struct bytes *text)
{
	struct slice	 name;
	unsigned int	 line = 1;
	size_t		 i, n;
	bool		 url;

	for (i = 0; i < text->len; i += n) {
		n = 1;
		if (text->p[i] == '\n')
			line++;
		if (text->p[i] != '%')
			continue;
		n = parse_var(text->p + i, text->len - i, &name, &url);
		if (n > 0)
			continue;
		if (i + 1 < text->len && text->p[i + 1] == '{')
			return line;
		n = 1;
	}
	return 0;
}

struct service_template *
service_template_open(const struct service_setup *setup, const char *path)
{
	struct service_template	*page;
	unsigned int		 line;
	int			 fd;

	if (path == NULL)
		return NULL;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1 ||
	    (page = calloc(1, sizeof(*page))) == NULL) {
		setup->error(setup, "template \"%s\": %s, expected a readable "
		    "file", path, strerror(errno));
		if (fd != -1)
			(void)close(fd);
		return NULL;
	}
	page->kind = kind_of(path);
	if (read_file(&page->text, fd) == -1) {
		setup->error(setup, "template \"%s\": %s, expected a file of "
		    "at most %d bytes", path, strerror(errno), TEMPLATE_MAX);
		service_template_close(page);
		page = NULL;
	} else if ((line = check(&page->text)) != 0) {
		setup->error(setup, "template \"%s\": malformed variable in "
		    "line %u, expected %%{name} or %%{name:url}", path, line);
		service_template_close(page);
		page = NULL;
	}
	(void)close(fd);
	return page;
}

void
service_template_close(struct service_template *page)
{
	if (page == NULL)
		return;
	bytes_free(&page->text);
	free(page);
}
