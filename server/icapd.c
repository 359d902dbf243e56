/* SPDX-License-Identifier: ISC */
/*
 * The main() of icapd and of every server that is built on the library: reads
 * the command line, loads the configuration and hands over to the master.
 * Called by main.c with the services we ship, by others with their own.  It
 * reads as a checklist; whatever takes more than a few lines belongs
 * elsewhere.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "../services/notice.h"
#include "../services/registry.h"
#include "conf.h"
#include "conf_diff.h"
#include "log.h"
#include "rehearse.h"
#include "start.h"
#include "watch.h"

#ifndef CONF_FILE
#define CONF_FILE	"/etc/icapd/icapd.conf"
#endif

#define EXIT_USAGE	2

enum { OPT_HOST = 256, OPT_LIST_KEYS, OPT_LOG_FORMAT, OPT_VERSION };

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "list-keys", no_argument, NULL, OPT_LIST_KEYS },
	{ "log-format", required_argument, NULL, OPT_LOG_FORMAT },
	{ "port", required_argument, NULL, 'p' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "workers", required_argument, NULL, 'w' },
	{ NULL, 0, NULL, 0 }
};

static const char synopsis[] =
    "usage: icapd [-dnv] [-f file] [--log-format ecs | text]\n"
    "       icapd [-nv] [--host host] [-p | --port port]\n"
    "             [-w | --workers number] [--log-format ecs | text] name\n"
    "       icapd -h | --help | -l | --list-keys | --version\n";

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

	for (svc = registry_list(); *svc != NULL; svc++)
		(void)printf("%s\t%s\n", (*svc)->name, (*svc)->summary);
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
	int		 check;		/* -n: check only; twice: and show */
	bool		 daemonise;
	struct conf_args conf;
};

static void
parse_arguments(int argc, char *argv[], struct arguments *args)
{
	struct conf_args	*conf = &args->conf;
	bool			 stay = false;
	int			 ch;

	while ((ch = getopt_long(argc, argv, "df:hlnp:vw:", long_options,
	    NULL)) != -1) {
		switch (ch) {
		case 'd':
			stay = true;
			break;
		case 'f':
			conf->file = optarg;
			break;
		case 'h':
			(void)fputs(synopsis, stdout);
			exit(0);
		case 'l':
			list_services();
			exit(0);
		case 'n':
			args->check++;
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
		case OPT_LIST_KEYS:
			conf_print_keys(stdout);
			exit(0);
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
	conf->name = argv[0];
	if (conf->name != NULL && !conf_is_path(conf->name))
		bad_usage("name", conf->name,
		    "letters, digits and any of \"-._~/\"");
	if (conf->name != NULL && conf->file != NULL)
		bad_usage("name", conf->name, "either a name or -f");
	if (conf->name == NULL && (conf->host != NULL ||
	    conf->port != NULL || conf->workers != 0)) {
		(void)fprintf(stderr, "icapd: --host, --port and --workers go "
		    "with a name; a file has listen sections\n");
		usage();
	}
	if (conf->name == NULL && conf->file == NULL)
		conf->file = CONF_FILE;
	/* with a name it never leaves the foreground */
	args->daemonise = conf->name == NULL && !stay;
}

/* Errors of the configuration at the start go to who has started us. */
static void
report(const char *message)
{
	(void)fprintf(stderr, "%s\n", message);
}

/* Those of a reload go to the log; the first is remembered for the board. */
static char	 reload_why[256];

static void
report_reload(const char *message)
{
	log_errorx("%s", message);
	if (reload_why[0] == '\0')
		(void)strlcpy(reload_why, message, sizeof(reload_why));
}

/* -n: the configuration is loaded, so it is right. */
static int
show(const struct conf *conf, const struct arguments *args)
{
	if (args->check > 1)
		conf_print(conf, stdout);
	else {
		(void)printf("configuration OK\n");
		/* what it needs may be elsewhere, and come later */
		if (args->log_level == LOG_LEVEL_DEBUG)
			watch_probe(conf, stdout);
	}
	if (fflush(stdout) == EOF) {
		(void)fprintf(stderr, "icapd: standard output: %s\n",
		    strerror(errno));
		return 1;
	}
	return 0;
}

/* SIGHUP: the same configuration, read again. */
static int
reload(void *arg, enum start_turn turn, struct conf **next, char *why,
    size_t size)
{
	struct arguments	*args = arg;

	args->conf.check_listeners = false;
	args->conf.drop = turn == START_REHEARSAL ? rehearse_drop : NULL;
	args->conf.is_rehearsed = turn == START_REHEARSED;
	reload_why[0] = '\0';
	args->conf.report = report_reload;
	if ((*next = conf_load(&args->conf)) != NULL) {
		(*next)->daemonise = args->daemonise;
		return 0;
	}
	(void)strlcpy(why, reload_why, size);
	return -1;
}

static struct {
	char	*p;
	size_t	 size;
} changes;

/* To the log; and for the board, where the last ones may have no room. */
static void
say_change(const char *line)
{
	log_info("reload: %s", line);
	if (strlen(changes.p) + strlen(line) + 2 > changes.size)
		return;
	if (changes.p[0] != '\0')
		(void)strlcat(changes.p, "\n", changes.size);
	(void)strlcat(changes.p, line, changes.size);
}

static void
compare(const struct conf *old, const struct conf *next, char *text,
    size_t size)
{
	changes.p = text;
	changes.size = size;
	conf_diff(old, next, say_change);
}

static void
release(void *arg, struct conf *conf)
{
	(void)arg;
	conf_free(conf);
}

/* What services have to say. */
static void
notice(bool warning, const char *message)
{
	if (warning)
		log_warnx("%s", message);
	else
		log_info("%s", message);
}

int
icapd_main(int argc, char *argv[], const struct service *const services[])
{
	struct arguments	 args;
	struct start		 start;
	struct conf		*conf;
	int			 status;

	registry_use(services);
	start_init(argc, argv);
	memset(&args, 0, sizeof(args));
	args.log_level = LOG_LEVEL_INFO;
	args.conf.report = report;
	parse_arguments(argc, argv, &args);
	log_init(args.log_format, args.log_level);
	log_role("master");
	notice_set(notice);
	args.conf.check_listeners = args.check > 0;
	if ((conf = conf_load(&args.conf)) == NULL)
		return 1;
	if (args.check > 0) {
		status = show(conf, &args);
		conf_free(conf);
		return status;
	}

	conf->daemonise = args.daemonise;
	memset(&start, 0, sizeof(start));
	start.argv = argv;
	start.conf = conf;
	start.reload = reload;
	start.compare = compare;
	start.release = release;
	start.arg = &args;
	return start_run(&start);
}
