/* SPDX-License-Identifier: ISC */
/*
 * icapt: test an ICAP server from scripts; see icapt(1) for the language.
 * This file reads the command line, asks the server what it can do, runs
 * the scripts one after the other and counts. It also has what all parts
 * share: the note of a failure, text, and the dialogue of -v.
 * Text lives in an arena until its script ends, so that no statement has
 * to give anything back.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "icapt_msg.h"
#include "icapt_run.h"

#define DEFINES		32
#define SHOW_MAX	2048	/* bytes of one piece that -v prints */

struct piece {
	struct piece	*next;
	char		 mem[];
};

static void	 usage(void) __attribute__((__noreturn__));
static void	 define(struct run_define *, int *, char *);
static enum run_result one(struct icapt *, const char *,
		    const struct run_server *, const struct run_define *,
		    int);
static int	 list(struct icapt *, int, char **);

static void
usage(void)
{
	fprintf(stderr, "usage: icapt [-lrv] [-D name[=value]] [-H host] "
	    "[-p port] [-s service]\n             [-t seconds] "
	    "script ...\n");
	exit(2);
}

static void
define(struct run_define *d, int *n, char *arg)
{
	char	*eq = strchr(arg, '=');

	if (*n == DEFINES)
		usage();
	if (eq != NULL)
		*eq++ = '\0';
	d[*n].name = arg;
	d[*n].value = eq != NULL ? eq : "";
	++*n;
}

int
main(int argc, char **argv)
{
	struct icapt		 ic;
	struct run_server	 server;
	struct run_define	 def[DEFINES];
	uint64_t		 seconds;
	int			 count[4] = { 0, 0, 0, 0 };
	int			 ch, i, ndef = 0, lflag = 0;
	enum run_result		 res;

	memset(&ic, 0, sizeof(ic));
	ic.host = "127.0.0.1";
	ic.port = "1344";
	ic.service = "echo";
	ic.timeout = 10000;
	while ((ch = getopt(argc, argv, "D:H:lp:rs:t:v")) != -1) {
		switch (ch) {
		case 'D':
			define(def, &ndef, optarg);
			break;
		case 'H':
			ic.host = optarg;
			break;
		case 'l':
			lflag = 1;
			break;
		case 'p':
			ic.port = optarg;
			break;
		case 'r':
			ic.relaxed = 1;
			break;
		case 's':
			ic.service = optarg;
			break;
		case 't':
			if (number_parse(optarg, &seconds) == -1 ||
			    seconds == 0 || seconds > 3600)
				usage();
			ic.timeout = (int)seconds * 1000;
			break;
		case 'v':
			ic.verbose = 1;
			(void)setvbuf(stdout, NULL, _IOLBF, 0);
			break;
		default:
			usage();
		}
	}
	for (i = 0; i < ndef; i++)
		if (strcmp(def[i].name, "reads") == 0)
			ic.reads = def[i].value;
	argc -= optind;
	argv += optind;
	if (argc == 0)
		usage();
	if (lflag)
		return list(&ic, argc, argv);
	if (run_discover(&ic, &server) == -1) {
		fprintf(stderr, "icapt: %s port %s: expected %s; got %s\n",
		    ic.host, ic.port, ic.expected, ic.got);
		return 2;
	}
	for (i = 0; i < argc; i++) {
		res = one(&ic, argv[i], &server, def, ndef);
		icapt_free(&ic);
		if (res == RUN_ERROR)
			return 2;
		count[res]++;
	}
	printf("%d passed, %d failed, %d skipped\n", count[RUN_OK],
	    count[RUN_FAIL], count[RUN_SKIP]);
	if (fflush(stdout) == EOF)
		return 2;
	return count[RUN_FAIL] > 0;
}

static enum run_result
one(struct icapt *ic, const char *path, const struct run_server *server,
    const struct run_define *def, int ndef)
{
	struct script	*s;
	struct text	 out;
	enum run_result	 res;

	if ((s = script_open(ic, path)) == NULL)
		return RUN_ERROR;
	if (ic->verbose)
		printf("-- %s\n", script_name(s));
	res = run_script(ic, s, server, def, ndef, &out);
	switch (res) {
	case RUN_OK:
		printf("ok   %-20s %s\n", script_name(s), script_numbers(s));
		break;
	case RUN_FAIL:
		printf("FAIL %-20s %s\n%s", script_name(s),
		    script_numbers(s), out.p);
		break;
	case RUN_SKIP:
		printf("skip %-20s %s (needs %s)\n", script_name(s),
		    script_numbers(s), out.p);
		break;
	case RUN_ERROR:
		break;
	}
	fflush(stdout);
	return res;
}

static int
list(struct icapt *ic, int argc, char **argv)
{
	struct script	*s;
	int		 i;

	for (i = 0; i < argc; i++) {
		if ((s = script_open(ic, argv[i])) == NULL)
			return 2;
		printf("%s %s\n", script_name(s), script_numbers(s));
		icapt_free(ic);
	}
	return 0;
}

int
icapt_fail(struct icapt *ic, const char *expected, const char *fmt, ...)
{
	va_list	 ap;
	char	 buf[4096];
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(buf))
		n = sizeof(buf) - 1;
	icapt_escape(ic->got, sizeof(ic->got), buf, (size_t)n);
	icapt_escape(ic->expected, sizeof(ic->expected), expected,
	    strlen(expected));
	if (ic->verbose)
		printf("   expected %s; got %s\n", ic->expected, ic->got);
	return -1;
}

void *
icapt_alloc(struct icapt *ic, size_t n)
{
	struct piece	*p;

	if ((p = malloc(sizeof(*p) + n)) == NULL)
		abort();
	p->next = ic->arena;
	ic->arena = p;
	return p->mem;
}

struct text
icapt_text(struct icapt *ic, const void *p, size_t n)
{
	struct text	 t;

	t.n = n;
	t.p = icapt_alloc(ic, n + 1);
	if (n > 0)
		memcpy(t.p, p, n);
	t.p[n] = '\0';
	return t;
}

struct text
icapt_join(struct icapt *ic, struct text a, struct text b)
{
	struct text	 t;

	t.n = a.n + b.n;
	t.p = icapt_alloc(ic, t.n + 1);
	if (a.n > 0)
		memcpy(t.p, a.p, a.n);
	if (b.n > 0)
		memcpy(t.p + a.n, b.p, b.n);
	t.p[t.n] = '\0';
	return t;
}

struct text
icapt_textf(struct icapt *ic, const char *fmt, ...)
{
	va_list	 ap;
	char	 buf[4096];
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	if ((size_t)n >= sizeof(buf))
		n = sizeof(buf) - 1;
	return icapt_text(ic, buf, (size_t)n);
}

void
icapt_free(struct icapt *ic)
{
	struct piece	*p;

	while ((p = ic->arena) != NULL) {
		ic->arena = p->next;
		free(p);
	}
}

const char *
icapt_escape(char *buf, size_t size, const void *mem, size_t n)
{
	const unsigned char	*p = mem;
	size_t			 i, k = 0;

	for (i = 0; i < n && k + 8 < size; i++) {
		if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n') {
			buf[k++] = '^';
			i++;
		} else if (p[i] == '\r' || p[i] == '\n') {
			buf[k++] = '\\';
			buf[k++] = p[i] == '\r' ? 'r' : 'n';
		} else if (p[i] < 0x20 || p[i] > 0x7e)
			k += (size_t)snprintf(buf + k, size - k, "\\x%02x",
			    p[i]);
		else
			buf[k++] = (char)p[i];
	}
	if (i < n) {
		memcpy(buf + k, "...", 3);
		k += 3;
	}
	buf[k] = '\0';
	return buf;
}

void
icapt_show(struct icapt *ic, const char *dir, const char *name,
    const void *mem, size_t n)
{
	char	 buf[4 * 100 + 16];
	size_t	 i, k;
	const char *p = mem, *lf;

	if (!ic->verbose)
		return;
	for (i = 0; i < n && i < SHOW_MAX; i += k) {
		lf = memchr(p + i, '\n', n - i);
		k = lf == NULL ? n - i : (size_t)(lf - p) + 1 - i;
		k = k > 100 ? 100 : k;
		printf(" %s %s: %s\n", dir, name, icapt_escape(buf,
		    sizeof(buf), p + i, k));
	}
	if (i < n)
		printf(" %s %s: and %zu bytes\n", dir, name, n - i);
}
