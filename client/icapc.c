/* SPDX-License-Identifier: ISC */
/*
 * icapc: a client for people, and a load generator.  This file is its command
 * line: options to a wish, the wish to a message, the message to once.c or
 * load.c, the outcome to an exit status.  It uses proto/ and nothing else of
 * the server, so that what it checks is not what it shares with it.
 */
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/uri.h"
#include "load.h"

/* Largest body that is sent, bytes: it lies in memory twice. */
#define BODY_MAX	((long long)1 << 32)

/* Most connections of a load. */
#define CONNECTIONS_MAX	1000000

/* Longest host or port of a URI. */
#define HOST_MAX	1025
#define PORT_MAX	8

enum {
	OPT_206 = 256,
	OPT_CACERT,
	OPT_CHUNK,
	OPT_CLOSE,
	OPT_ECHO,
	OPT_EXPECT,
	OPT_INSECURE,
	OPT_NO_204,
	OPT_PREVIEW,
	OPT_SERVERNAME,
	OPT_TERSE,
	OPT_VERSION
};

static const char short_options[] = "c:d:E:f:H:hm:n:o:s:t:u:v";

static const struct option long_options[] = {
	{ "file", required_argument, NULL, 'f' },
	{ "header", required_argument, NULL, 'H' },
	{ "help", no_argument, NULL, 'h' },
	{ "http-header", required_argument, NULL, 'E' },
	{ "method", required_argument, NULL, 'm' },
	{ "output", required_argument, NULL, 'o' },
	{ "size", required_argument, NULL, 's' },
	{ "timeout", required_argument, NULL, 't' },
	{ "url", required_argument, NULL, 'u' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "206", no_argument, NULL, OPT_206 },
	{ "cacert", required_argument, NULL, OPT_CACERT },
	{ "chunk", required_argument, NULL, OPT_CHUNK },
	{ "close", no_argument, NULL, OPT_CLOSE },
	{ "echo", no_argument, NULL, OPT_ECHO },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "no-204", no_argument, NULL, OPT_NO_204 },
	{ "preview", required_argument, NULL, OPT_PREVIEW },
	{ "servername", required_argument, NULL, OPT_SERVERNAME },
	{ "terse", no_argument, NULL, OPT_TERSE },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

/* The command line, understood. */
struct task {
	struct wish	 wish;
	struct demand	 demand;
	struct plan	 plan;
	bool		 is_load;
	bool		 verbose;
	bool		 tls;
	bool		 insecure;
	const char	*cacert;
	const char	*servername;
	const char	*file;
	const char	*output;
	long long	 size;		/* of a made-up body; -1: none */
	char		 host[HOST_MAX];
	char		 port[PORT_MAX];
};

static void	 usage(int) __attribute__((__noreturn__));

static void
usage(int status)
{
	fprintf(status == 0 ? stdout : stderr,
"usage: icapc options|reqmod|respmod [option ...] "
"icap[s]://host[:port]/service\n"
"       icapc -h | --help | --version\n"
"  -v, --verbose             show the dialogue\n"
"  -f, --file FILE           send this body (- is standard input)\n"
"  -s, --size SIZE           send a made-up body of SIZE bytes\n"
"  -u, --url URL             of the HTTP request\n"
"  -m, --method METHOD       of the HTTP request\n"
"  -H, --header LINE         add to the ICAP head\n"
"  -E, --http-header LINE    add to the HTTP head\n"
"  -o, --output FILE         write the resulting body (- is standard output)\n"
"  -t, --timeout SECONDS     give up after so long without progress\n"
"      --preview SIZE        send a preview first\n"
"      --no-204              do not allow 204\n"
"      --206                 allow 206\n"
"      --chunk SIZE          send the body in such chunks\n"
"      --close               close the connection after the reply\n"
"      --echo                the message must come back as it was sent\n"
"      --expect STATUS       the reply must have this ICAP status\n"
"      --cacert FILE         believe the authorities in FILE\n"
"      --insecure            believe any certificate\n"
"      --servername NAME     the certificate is that of NAME\n"
"load, with any of:\n"
"  -c CONNECTIONS            so many at the same time\n"
"  -d SECONDS                for so long\n"
"  -n TRANSACTIONS           until so many are made\n"
"      --terse               results for a program\n");
	exit(status);
}

static void	 bad_usage(const char *, ...)
	    __attribute__((__noreturn__, format(printf, 1, 2)));

static void
bad_usage(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	vwarnx(fmt, ap);
	va_end(ap);
	usage(ICAPC_USAGE);
}

static long long
number(const char *what, const char *text, long long min, long long max)
{
	const char	*why;
	long long	 n;

	n = strtonum(text, min, max, &why);
	if (why != NULL)
		bad_usage("%s %s: %s", what, text, why);
	return n;
}

/* A number of bytes, maybe with K, M or G. */
static long long
size(const char *what, const char *text, long long max)
{
	char		 digits[32];
	size_t		 len = strlen(text);
	long long	 unit = 1;

	if (len > 0 && len < sizeof(digits)) {
		switch (text[len - 1]) {
		case 'k': case 'K':
			unit = 1024;
			break;
		case 'm': case 'M':
			unit = 1024 * 1024;
			break;
		case 'g': case 'G':
			unit = 1024 * 1024 * 1024;
			break;
		}
	}
	if (unit == 1)
		return number(what, text, 0, max);
	(void)strlcpy(digits, text, sizeof(digits));
	digits[len - 1] = '\0';
	return number(what, digits, 0, max / unit) * unit;
}

/* Seconds with up to three decimals. */
static int64_t
milliseconds(const char *what, const char *text)
{
	char		 digits[16];
	const char	*dot = strchr(text, '.');
	size_t		 whole, decimals = 0;
	int64_t		 ms;

	whole = dot != NULL ? (size_t)(dot - text) : strlen(text);
	if (dot != NULL)
		decimals = strlen(dot + 1);
	if (whole + 3 >= sizeof(digits) || decimals > 3)
		bad_usage("%s %s: invalid", what, text);
	memcpy(digits, text, whole);
	memset(digits + whole, '0', 3);
	if (dot != NULL)
		memcpy(digits + whole, dot + 1, decimals);
	digits[whole + 3] = '\0';
	if (strspn(digits, "0123456789") != whole + 3)
		bad_usage("%s %s: invalid", what, text);
	ms = number(what, digits, 0, (long long)1000 * 1000 * 1000);
	if (ms == 0)
		bad_usage("%s %s: too small", what, text);
	return ms;
}

static void
add_line(const char **line, unsigned int *n, const char *text)
{
	if (*n == MESSAGE_LINES)
		bad_usage("more than %d header lines", MESSAGE_LINES);
	if (strchr(text, ':') == NULL)
		bad_usage("header %s: no colon", text);
	line[(*n)++] = text;
}

static void
parse_option(struct task *task, int ch, const char *arg)
{
	struct wish	*w = &task->wish;

	switch (ch) {
	case 'c':
		task->plan.connections = (unsigned int)number("connections",
		    arg, 1, CONNECTIONS_MAX);
		task->is_load = true;
		break;
	case 'd':
		task->plan.duration = milliseconds("seconds", arg);
		task->is_load = true;
		break;
	case 'E':
		add_line(w->http_line, &w->http_lines, arg);
		break;
	case 'f':
		task->file = arg;
		break;
	case 'H':
		add_line(w->icap_line, &w->icap_lines, arg);
		break;
	case 'm':
		w->http_method = arg;
		break;
	case 'n':
		task->plan.transactions = (uint64_t)number("transactions",
		    arg, 1, INT64_MAX);
		task->is_load = true;
		break;
	case 'o':
		task->output = arg;
		break;
	case 's':
		task->size = size("size", arg, BODY_MAX);
		break;
	case 't':
		task->demand.timeout = milliseconds("timeout", arg);
		break;
	case 'u':
		w->url = arg;
		break;
	case 'v':
		task->verbose = true;
		break;
	case OPT_206:
		w->allow_206 = true;
		break;
	case OPT_CACERT:
		task->cacert = arg;
		break;
	case OPT_CHUNK:
		w->chunk = (size_t)size("chunk", arg, BODY_MAX);
		if (w->chunk == 0)
			bad_usage("chunk 0: too small");
		break;
	case OPT_CLOSE:
		w->close = task->plan.reconnect = true;
		break;
	case OPT_ECHO:
		task->demand.echo = true;
		break;
	case OPT_EXPECT:
		task->demand.status = (int)number("status", arg, 200, 599);
		break;
	case OPT_INSECURE:
		task->insecure = true;
		break;
	case OPT_NO_204:
		w->allow_204 = false;
		break;
	case OPT_PREVIEW:
		w->has_preview = true;
		w->preview = (size_t)size("preview", arg, BODY_MAX);
		break;
	case OPT_SERVERNAME:
		task->servername = arg;
		break;
	case OPT_TERSE:
		task->plan.terse = true;
		break;
	case OPT_VERSION:
		printf("icapc %s\n", PACKAGE_VERSION);
		exit(0);
	case 'h':
		usage(0);
	default:
		usage(ICAPC_USAGE);
	}
}

static void
copy(char *dst, size_t room, struct slice s, const char *what)
{
	if (s.len >= room)
		bad_usage("%s too long", what);
	memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
}

static void
parse_uri(struct task *task, const char *text)
{
	struct uri	 u;
	struct fault	 fault;
	struct slice	 s;

	s.p = text;
	s.len = strlen(text);
	if (chars_span(s.p, s.len, CHARS_VISIBLE) != s.len)
		bad_usage("%s: blanks in the URI", text);
	if (uri_parse(&u, s, &fault) == -1)
		bad_usage("%s: %s", text, fault.why);
	task->tls = u.tls;
	if (u.tls && !tls_is_built())
		bad_usage("%s: this icapc was built without TLS", text);
	if (!u.tls && (task->insecure || task->cacert != NULL ||
	    task->servername != NULL))
		bad_usage("%s: not icaps, there is no certificate", text);
	copy(task->host, sizeof(task->host), u.host, "host");
	copy(task->port, sizeof(task->port), u.port, "port");
	if (task->port[0] == '\0')
		(void)strlcpy(task->port, u.tls ? "11344" : "1344",
		    sizeof(task->port));
	task->wish.uri = text;
	task->wish.host = task->host;
}

static void
parse_command(struct task *task, const char *command)
{
	if (strcmp(command, "options") == 0)
		task->wish.method = ICAP_OPTIONS;
	else if (strcmp(command, "reqmod") == 0)
		task->wish.method = ICAP_REQMOD;
	else if (strcmp(command, "respmod") == 0)
		task->wish.method = ICAP_RESPMOD;
	else
		bad_usage("%s: not options, reqmod or respmod", command);
}

static void
parse(struct task *task, int argc, char *argv[])
{
	int	 ch;

	memset(task, 0, sizeof(*task));
	task->size = -1;
	task->wish.url = "http://www.example.com/";
	task->wish.chunk = 65536;
	task->wish.allow_204 = true;
	task->demand.timeout = 30000;
	task->plan.connections = 1;
	while ((ch = getopt_long(argc, argv, short_options, long_options,
	    NULL)) != -1)
		parse_option(task, ch, optarg);
	if (argc - optind != 2)
		usage(ICAPC_USAGE);
	parse_command(task, argv[optind]);
	parse_uri(task, argv[optind + 1]);
	if (task->file != NULL && task->size != -1)
		bad_usage("either -f or -s");
	if (task->is_load && (task->output != NULL || task->verbose))
		bad_usage("neither -o nor -v with a load");
	if (task->wish.has_preview && task->file == NULL && task->size == -1)
		bad_usage("a preview of no body");
	if (task->plan.duration == 0 && task->plan.transactions == 0)
		task->plan.duration = 10000;
	task->plan.progress = task->is_load && !task->plan.terse &&
	    isatty(STDERR_FILENO);
}

/* Bytes that look random and are always the same. */
static char *
body_make(size_t len)
{
	uint64_t	 x = 0x9e3779b97f4a7c15;
	char		*body;
	size_t		 i;

	if ((body = malloc(len + 1)) == NULL)
		err(ICAPC_FAILED, "body");
	for (i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		body[i] = (char)(x >> 32);
	}
	return body;
}

static char *
body_read(const char *name, size_t *len)
{
	size_t	 room = 65536;
	ssize_t	 n;
	char	*body = NULL;
	int	 fd = STDIN_FILENO;

	if (strcmp(name, "-") != 0 &&
	    (fd = open(name, O_RDONLY | O_CLOEXEC)) == -1)
		err(ICAPC_FAILED, "%s", name);
	*len = 0;
	do {
		if (body == NULL || *len == room) {
			room *= 2;
			if ((body = realloc(body, room)) == NULL)
				err(ICAPC_FAILED, "%s", name);
		}
		n = read(fd, body + *len, room - *len);
		if (n == -1)
			err(ICAPC_FAILED, "%s", name);
		*len += (size_t)n;
		if (*len > BODY_MAX)
			errx(ICAPC_FAILED, "%s: larger than 4 GiB", name);
	} while (n > 0);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	return body;
}

static struct addrinfo *
resolve(const struct task *task)
{
	struct addrinfo	 hints, *list;
	int		 error;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	error = getaddrinfo(task->host, task->port, &hints, &list);
	if (error != 0)
		errx(ICAPC_FAILED, "%s: %s", task->host,
		    gai_strerror(error));
	return list;
}

/* The daemon has no TLS: all of this is for a proxy in front of it. */
static struct tls *
prepare_tls(const struct task *task)
{
	struct tls	*tls;
	const char	*why;

	tls = tls_new(task->servername != NULL ? task->servername :
	    task->host, task->cacert, task->insecure, &why);
	if (tls == NULL)
		errx(ICAPC_FAILED, "%s: %s", task->cacert != NULL ?
		    task->cacert : "TLS", why);
	return tls;
}

static int
write_body(const struct task *task, const struct outcome *o,
    const struct message *m)
{
	FILE	*f = stdout;

	if (task->output == NULL || o->status >= 300)
		return 0;
	if (strcmp(task->output, "-") != 0 &&
	    (f = fopen(task->output, "we")) == NULL) {
		warn("%s", task->output);
		return -1;
	}
	if (once_write(o, m, f) == -1 || (f != stdout && fclose(f) == EOF)) {
		warn("%s", task->output);
		return -1;
	}
	return 0;
}

static int
run(const struct task *task, const struct message *m)
{
	struct addrinfo		*list = resolve(task);
	const struct addrinfo	*ai = list;
	struct outcome		 o;
	int			 status;

	status = once_run(&o, &ai, m, &task->demand,
	    task->verbose ? stderr : NULL);
	if (status == ICAPC_FAILED)
		warnx("%s port %s: %s", task->host, task->port, o.why);
	if (o.complete && (!task->is_load || status != ICAPC_OK) &&
	    (task->output == NULL || strcmp(task->output, "-") != 0))
		once_show(&o, m, task->is_load ? stderr : stdout);
	if (status == ICAPC_BAD)
		warnx("bad reply: %s", o.why);
	if (status == ICAPC_OK && task->is_load) {
		status = load_run(&task->plan, ai, m, &task->demand, &o);
	} else if (status == ICAPC_OK) {
		status = once_judge(&o, m);
		if (write_body(task, &o, m) == -1)
			status = ICAPC_FAILED;
	}
	once_free(&o);
	freeaddrinfo(list);
	return status;
}

int
main(int argc, char *argv[])
{
	static struct task	 task;
	struct message		 m;
	char			*body = NULL;
	int			 status;

	parse(&task, argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	if (task.file != NULL)
		body = body_read(task.file, &task.wish.body_len);
	else if (task.size != -1) {
		body = body_make((size_t)task.size);
		task.wish.body_len = (size_t)task.size;
	}
	task.wish.body = body;
	if (message_new(&m, &task.wish) == -1)
		err(ICAPC_FAILED, "message");
	if (task.tls)
		task.demand.tls = prepare_tls(&task);
	status = run(&task, &m);
	tls_free(task.demand.tls);
	message_free(&m);
	free(body);
	if (fflush(stdout) == EOF || ferror(stdout))
		status = ICAPC_FAILED;
	return status;
}
