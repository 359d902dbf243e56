/* SPDX-License-Identifier: ISC */
/*
 * icapd: reads the command line, completes the configuration, opens the
 * listener and hands over to the master.  It reads as a checklist; whatever
 * takes more than a few lines belongs elsewhere.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "../services/list.h"
#include "conf.h"
#include "listen.h"
#include "log.h"
#include "master.h"

#define EXIT_USAGE	2

enum { OPT_HOST = 256, OPT_LOG_FORMAT, OPT_VERSION };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "log-format", required_argument, NULL, OPT_LOG_FORMAT },
	{ "port", required_argument, NULL, 'p' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "workers", required_argument, NULL, 'w' },
	{ NULL, 0, NULL, 0 }
};

static const char synopsis[] =
    "usage: icapd [-dhlnv] [-f file] [--host host] [-p | --port port]\n"
    "             [-w | --workers number] [--log-format ecs | text]\n"
    "             [--help] [--version] [name]\n";

static void usage(void) __attribute__((noreturn));

static void
usage(void)
{
	(void)fputs(synopsis, stderr);
	exit(EXIT_USAGE);
}

static void bad_usage(const char *what, const char *value,
    const char *expected) __attribute__((noreturn));

static void
bad_usage(const char *what, const char *value, const char *expected)
{
	(void)fprintf(stderr, "icapd: %s \"%s\": expected %s\n", what, value,
	    expected);
	usage();
}

static void
list_services(void)
{
	const struct service *const	*svc;

	for (svc = service_list(); *svc != NULL; svc++)
		(void)printf("%s\t%s\n", (*svc)->name, (*svc)->summary);
}

/* NAME is a path of unreserved characters (RFC 3986 2.3), so never escaped. */
static int
is_service_path(const char *name)
{
	static const char	 allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/";
	size_t			 len = strlen(name);

	return len > 0 && len < 256 && strspn(name, allowed) == len &&
	    name[0] != '/' && name[len - 1] != '/';
}

static const char *
parse_port(const char *arg)
{
	struct slice	 s = { arg, strlen(arg) };
	uint64_t	 n;

	if (chars_parse_uint(s, 65535, &n) == -1)
		bad_usage("port", arg, "a number from 0 to 65535");
	return arg;
}

static unsigned int
parse_workers(const char *arg)
{
	struct slice	 s = { arg, strlen(arg) };
	uint64_t	 n;

	if (chars_parse_uint(s, CONF_WORKERS_MAX, &n) == -1 || n == 0)
		bad_usage("workers", arg, "a number from 1 to 4096");
	return (unsigned int)n;
}

static enum log_format
parse_log_format(const char *arg)
{
	if (strcmp(arg, "text") == 0)
		return LOG_FORMAT_TEXT;
	if (strcmp(arg, "ecs") != 0)
		bad_usage("log format", arg, "ecs or text");
	return LOG_FORMAT_ECS;
}

struct arguments {
	enum log_format	 log_format;
	enum log_level	 log_level;
	int		 check_only;
	const char	*file;
	const char	*name;
};

static void
parse_arguments(int argc, char *argv[], struct conf *conf,
    struct arguments *args)
{
	int	 ch;

	while ((ch = getopt_long(argc, argv, "df:hlnp:vw:", long_options,
	    NULL)) != -1) {
		switch (ch) {
		case 'd':	/* with a name it never leaves the foreground */
			break;
		case 'f':
			args->file = optarg;
			break;
		case 'h':
			(void)fputs(synopsis, stdout);
			exit(0);
		case 'l':
			list_services();
			exit(0);
		case 'n':
			args->check_only = 1;
			break;
		case 'p':
			conf->port = parse_port(optarg);
			break;
		case 'v':
			args->log_level = LOG_LEVEL_DEBUG;
			break;
		case 'w':
			conf->workers = parse_workers(optarg);
			break;
		case OPT_HOST:
			conf->host = optarg;
			break;
		case OPT_LOG_FORMAT:
			args->log_format = parse_log_format(optarg);
			break;
		case OPT_VERSION:
			(void)printf("icapd %s\n", PACKAGE_VERSION);
			exit(0);
		default:
			usage();
		}
	}
	argc -= optind;
	argv += optind;
	if (argc > 1)
		usage();
	args->name = argv[0];
}

/* The embedded default: echo at that path, requests on standard output. */
static void
serve_name(struct conf *conf, const char *name)
{
	if (!is_service_path(name))
		bad_usage("name", name,
		    "letters, digits and any of \"-._~/\"");
	conf->service[0].path = name;
	conf->service[0].service = service_find("echo");
	conf->nservices = 1;
	conf->print_requests = true;
}

int
main(int argc, char *argv[])
{
	struct arguments	 args;
	struct conf		 conf;
	const char		*why;
	int			 listener;

	memset(&args, 0, sizeof(args));
	args.log_level = LOG_LEVEL_INFO;
	conf_init(&conf);
	parse_arguments(argc, argv, &conf, &args);
	if (args.file != NULL || args.name == NULL) {
		(void)fprintf(stderr, "icapd: configuration files are not "
		    "supported yet, give a name to serve echo at\n");
		usage();
	}
	serve_name(&conf, args.name);
	conf_make_istag(&conf);
	if (args.check_only) {
		(void)printf("configuration OK\n");
		return 0;
	}

	log_init(args.log_format, args.log_level);
	log_role("master");
	listener = listen_open(conf.host, conf.port, conf.backlog, &why);
	if (listener == -1) {
		if (errno == 0)
			fatalx(1, "cannot listen on %s port %s: %s", conf.host,
			    conf.port, why);
		fatal(1, "cannot listen on %s port %s: %s", conf.host,
		    conf.port, why);
	}
	return master_run(&conf, listener);
}
