/* SPDX-License-Identifier: ISC */
/*
 * The daemon's own messages.  Called by all of server/; proto/ and services/
 * never log.  One message is one line and one write(2).  What comes from the
 * wire is escaped here, whatever the format.
 */
#include <sys/types.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIBBSD_OPENBSD_VIS	/* vis() only, which all systems agree on */
#include <vis.h>

#include "log.h"
#include "ring.h"

/* One message, without what the format adds, bytes. */
#define MESSAGE_MAX	1024

/* The whole of it. */
#define LINE_MAX_EVENT	(4 * MESSAGE_MAX)

/*
 * For whoever reads standard error, milliseconds: then it goes without lines,
 * until it takes some again.  The daemon must not stand still for a full pipe.
 */
#define STDERR_PATIENCE	100

/* Most logs of events. */
#define LOG_TARGETS	8

static enum log_format	 log_format = LOG_FORMAT_ECS;
static enum log_level	 log_level = LOG_LEVEL_INFO;
static char		 log_who[32] = "master";

/* Set once there are rings. */
static struct rings	*log_rings;
static unsigned int	 log_ring;
static const struct log_target *log_target;
static unsigned int	 log_ntargets;
static bool		 log_waits;

static const char *const level_name[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_ERROR] = "error",
};

void
log_init(enum log_format format, enum log_level level)
{
	log_format = format;
	log_level = level;
}

void
log_role(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(log_who, sizeof(log_who), fmt, ap);
	va_end(ap);
}

size_t
log_escape(char *dst, size_t size, const char *src, size_t len)
{
	char	 c[5], *end;
	size_t	 n = 0, i, w;
	int	 next;

	for (i = 0; i < len; i++) {
		next = i + 1 < len ? (unsigned char)src[i + 1] : 0;
		end = vis(c, (unsigned char)src[i],
		    VIS_CSTYLE | VIS_OCTAL | VIS_TAB | VIS_NL, next);
		w = (size_t)(end - c);
		if (n + w >= size)
			break;
		memcpy(dst + n, c, w);
		n += w;
	}
	dst[n] = '\0';
	return n;
}

/* Appends text as the inside of a JSON string; messages are ASCII. */
static size_t
json_text(char *dst, size_t size, size_t n, const char *text)
{
	const unsigned char	*p;
	char			 c[8];
	size_t			 w;

	for (p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			w = (size_t)snprintf(c, sizeof(c), "\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			w = (size_t)snprintf(c, sizeof(c), "\\u%04x", *p);
		else {
			c[0] = (char)*p;
			w = 1;
		}
		if (n + w >= size)
			break;
		memcpy(dst + n, c, w);
		n += w;
	}
	return n;
}

static size_t
append(char *dst, size_t size, size_t n, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static size_t
append(char *dst, size_t size, size_t n, const char *fmt, ...)
{
	va_list	 ap;
	int	 w;

	va_start(ap, fmt);
	w = vsnprintf(dst + n, size - n, fmt, ap);
	va_end(ap);
	if (w < 0)
		return n;
	return n + (size_t)w < size ? n + (size_t)w : size - 1;
}

/* UTC with milliseconds, as ECS and ISO 8601 have it. */
static void
log_time(char *dst, size_t size)
{
	struct timespec	 ts;
	struct tm	 tm;
	size_t		 n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(dst, size, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(dst + n, size - n, ".%03ldZ", ts.tv_nsec / 1000000);
}

/* Formats one event with its newline.  Returns its length. */
static size_t
log_format_line(char *line, size_t size, enum log_format format,
    enum log_level level, const char *message, const char *error)
{
	char	 when[40];
	size_t	 n = 0, max = size - 2;		/* for "}\n" */

	log_time(when, sizeof(when));
	if (format == LOG_FORMAT_TEXT) {
		n = append(line, max, n, "%s icapd[%ld] %s: %s: %s%s%s", when,
		    (long)getpid(), log_who, level_name[level], message,
		    error != NULL ? ": " : "", error != NULL ? error : "");
	} else {
		n = append(line, max, n, "{\"@timestamp\":\"%s\","
		    "\"log.level\":\"%s\",\"message\":\"", when,
		    level_name[level]);
		n = json_text(line, max, n, message);
		n = append(line, max, n, "\",\"ecs.version\":\"8.11.0\","
		    "\"service.name\":\"icapd\",\"log.logger\":\"%s\","
		    "\"process.pid\":%ld", log_who, (long)getpid());
		if (error != NULL) {
			n = append(line, max, n, ",\"error.message\":\"");
			n = json_text(line, max, n, error);
			n = append(line, max, n, "\"");
		}
		line[n++] = '}';
	}
	line[n++] = '\n';
	return n;
}

/* Puts an event into the logs of events, and where the last errors are. */
static void
log_put(enum log_level level, const char *message, const char *error)
{
	static char		 text[LOG_TARGETS][LINE_MAX_EVENT];
	char			 recent[256];
	struct ring_line	 line[LOG_TARGETS + 1];
	unsigned int		 i, n;

	for (n = 0; n < log_ntargets; n++) {
		line[n].log = log_target[n].log;
		line[n].p = text[n];
		line[n].len = (uint32_t)log_format_line(text[n],
		    sizeof(text[n]), log_target[n].format, level, message,
		    error);
	}
	if (level >= LOG_LEVEL_WARN) {
		(void)snprintf(recent, sizeof(recent), "%s: %.180s%s%.40s",
		    log_who, message, error != NULL ? ": " : "",
		    error != NULL ? error : "");
		line[n].log = RING_RECENT;
		line[n].p = recent;
		line[n++].len = (uint32_t)strlen(recent);
	}
	for (i = 0; i < n; i++) {
		line[i].level = (uint8_t)level;
		line[i].kind = RING_EVENT;
	}
	if (n > 0 && ring_put(log_rings, log_ring, line, n, log_waits,
	    false) == -1)
		rings_count_dropped(log_rings);
}

static void
log_write(const char *line, size_t n)
{
	static int	 patience = STDERR_PATIENCE;
	struct pollfd	 pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	int		 n_ready = poll(&pfd, 1, patience);

	/* a signal came: as it is now, so that no number of them holds us */
	if (n_ready == -1)
		n_ready = poll(&pfd, 1, 0);
	if (n_ready != 1) {
		patience = 0;
		return;
	}
	patience = STDERR_PATIENCE;
	/* there is nobody to tell that this failed */
	(void)!write(STDERR_FILENO, line, n);
}

static void log_line(enum log_level level, const char *error,
    const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));

static void
log_line(enum log_level level, const char *error, const char *fmt, va_list ap)
{
	char	 message[MESSAGE_MAX], line[LINE_MAX_EVENT];
	size_t	 n;
	int	 saved = errno;

	(void)vsnprintf(message, sizeof(message), fmt, ap);
	n = log_format_line(line, sizeof(line), log_format, level, message,
	    error);
	log_write(line, n);
	if (log_rings != NULL)
		log_put(level, message, error);
	errno = saved;
}

void
log_use_ring(struct rings *rs, unsigned int i,
    const struct log_target *target, unsigned int n, bool wait)
{
	log_rings = rs;
	log_ring = i;
	log_target = target;
	log_ntargets = n < LOG_TARGETS ? n : LOG_TARGETS;
	log_waits = wait;
}

const char *
log_level_name(enum log_level level)
{
	return level <= LOG_LEVEL_ERROR ? level_name[level] : "error";
}

#define LOG_FUNCTION(name, level, error)				\
void									\
name(const char *fmt, ...)						\
{									\
	va_list	 ap;							\
									\
	if ((level) < log_level)					\
		return;							\
	va_start(ap, fmt);						\
	log_line((level), (error), fmt, ap);				\
	va_end(ap);							\
}

LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, NULL)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, NULL)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN, strerror(errno))
LOG_FUNCTION(log_warnx, LOG_LEVEL_WARN, NULL)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, strerror(errno))
LOG_FUNCTION(log_errorx, LOG_LEVEL_ERROR, NULL)

void
fatal(int status, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, strerror(errno), fmt, ap);
	va_end(ap);
	exit(status);
}

void
fatalx(int status, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, NULL, fmt, ap);
	va_end(ap);
	exit(status);
}
