/* SPDX-License-Identifier: ISC */
/*
 * The status listener: a process of its own that shows board and tally over
 * HTTP to people and to Prometheus.  Started by the master as an auxiliary
 * process where it is configured.  It only reads, answers nothing but GET and
 * HEAD, keeps no connection open for long, and sleeps while nobody asks.
 * HTTP is libmicrohttpd's business.
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/stream.h"
#include "health.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "status.h"

#ifdef HAVE_LIBMICROHTTPD
#include "httpd.h"

/* An idle connection is given up after so many seconds. */
#define IDLE_SECONDS	10

#define BACKLOG		64

/* To answer what was asked before the end, milliseconds. */
#define FINISH_MS	1000

/* By so many libmicrohttpd's limit is above ours, so that it never binds. */
#define SPARE		64

#define CSP	"default-src 'none'; style-src 'unsafe-inline'; " \
		"script-src 'unsafe-inline'; connect-src 'self'; " \
		"img-src data:; base-uri 'none'; form-action 'none'; " \
		"frame-ancestors 'none'"

struct status {
	const struct board	*board;
	struct tally		*tally;
	struct snapshot		 snapshot;
	unsigned int		 connections;	/* open now */
	unsigned int		 most;
};

static volatile sig_atomic_t	 status_end;
static const struct httpd	*httpd;

static void
status_on_signal(int signo)
{
	(void)signo;
	status_end = 1;
}

static void
status_handle(int signo, void (*handler)(int))
{
	struct sigaction	 sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = handler;
	sigfillset(&sa.sa_mask);
	if (sigaction(signo, &sa, NULL) == -1)
		fatal(EXIT_CONFIG, "sigaction");
}

static enum MHD_Result
status_answer(struct MHD_Connection *c, unsigned int code, const char *type,
    const char *text, size_t len)
{
	struct MHD_Response	*r;
	enum MHD_Result		 result;

	r = httpd->create_response_from_buffer(len, (void *)(uintptr_t)text,
	    MHD_RESPMEM_MUST_COPY);
	if (r == NULL)
		return MHD_NO;
	(void)httpd->add_response_header(r, "Content-Type", type);
	(void)httpd->add_response_header(r, "Cache-Control", "no-store");
	(void)httpd->add_response_header(r, "X-Content-Type-Options",
	    "nosniff");
	(void)httpd->add_response_header(r, "Content-Security-Policy", CSP);
	/* kept open, it would have others turned away */
	(void)httpd->add_response_header(r, "Connection", "close");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)httpd->add_response_header(r, "Allow", "GET, HEAD");
	result = httpd->queue_response(c, code, r);
	httpd->destroy_response(r);
	return result;
}

static enum MHD_Result
status_say(struct MHD_Connection *c, unsigned int code, const char *text)
{
	return status_answer(c, code, "text/plain; charset=utf-8", text,
	    strlen(text));
}

static enum MHD_Result
status_show(struct MHD_Connection *c, struct status *st,
    void (*format)(struct page *, const struct snapshot *), const char *type)
{
	struct page	 p;
	enum MHD_Result	 result;

	page_init(&p);
	format(&p, &st->snapshot);
	if (p.failed)
		result = status_say(c, MHD_HTTP_SERVICE_UNAVAILABLE,
		    "out of memory\n");
	else
		result = status_answer(c, MHD_HTTP_OK, type, p.p, p.len);
	free(p.p);
	return result;
}

static enum MHD_Result
status_readyz(struct MHD_Connection *c, struct status *st)
{
	struct page	 p;
	enum MHD_Result	 result;
	bool		 ready = snapshot_is_ready(&st->snapshot);

	page_init(&p);
	health_format(&p, &st->snapshot, httpd->lookup_connection_value(c,
	    MHD_GET_ARGUMENT_KIND, "verbose") != NULL ||
	    httpd->get_connection_values(c, MHD_GET_ARGUMENT_KIND, NULL,
	    NULL) > 0);
	result = status_answer(c, ready ? MHD_HTTP_OK :
	    MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8",
	    p.p != NULL ? p.p : "", p.len);
	free(p.p);
	return result;
}

static enum MHD_Result
status_request(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *body, size_t *len,
    void **state)
{
	static int	 seen;
	struct status	*st = arg;

	(void)version;
	(void)body;
	/* the first call is for the head alone */
	if (*state == NULL) {
		*state = &seen;
		return MHD_YES;
	}
	if (*len > 0) {
		*len = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return status_say(c, MHD_HTTP_METHOD_NOT_ALLOWED,
		    "only GET and HEAD\n");
	if (strcmp(url, "/healthz") == 0)
		return status_say(c, MHD_HTTP_OK, "ok\n");
	snapshot_take(&st->snapshot, st->board, st->tally);
	if (strcmp(url, "/readyz") == 0)
		return status_readyz(c, st);
	if (strcmp(url, "/metrics") == 0)
		return status_show(c, st, metrics_format,
		    "text/plain; version=0.0.4; charset=utf-8");
	if (strcmp(url, "/status.json") == 0)
		return status_show(c, st, metrics_format_json,
		    "application/json");
	if (strcmp(url, "/") == 0)
		return status_show(c, st, metrics_format_html,
		    "text/html; charset=utf-8");
	return status_say(c, MHD_HTTP_NOT_FOUND, "there is no such page\n");
}

static void
status_count(void *arg, struct MHD_Connection *c, void **state,
    enum MHD_ConnectionNotificationCode what)
{
	struct status	*st = arg;

	(void)c;
	(void)state;
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		st->connections++;
	else
		st->connections--;
}

/*
 * Who is over the limit is closed at once.  Left to libmicrohttpd they would
 * wait, and some for ever: at its limit it forgets that there is a listener.
 */
static enum MHD_Result
status_admit(void *arg, const struct sockaddr *from, socklen_t len)
{
	const struct status	*st = arg;

	(void)from;
	(void)len;
	return st->connections < st->most ? MHD_YES : MHD_NO;
}

/* Opened by the master; it outlives the process, which inherits it. */
static int	 status_fd = -1;

/*
 * As long as there is a listener, whatever a reload says: else it would be
 * open, and nobody would answer.
 */
bool
status_is_wanted(const struct conf *conf)
{
	bool	 is_configured = conf->view.status_host != NULL;

	if (is_configured && status_fd == -1)
		log_warnx("status: the listener takes a restart or an "
		    "upgrade");
	else if (!is_configured && status_fd != -1)
		log_warnx("status: the listener stays until a restart or an "
		    "upgrade");
	return status_fd != -1;
}

int
status_listener(void)
{
	return status_fd;
}

static void
status_address(const struct conf *conf, struct conf_listen *l)
{
	memset(l, 0, sizeof(*l));
	l->host = conf->view.status_host;
	l->port = conf->view.status_port;
	l->backlog = BACKLOG;
}

int
status_listen(const struct conf *conf, int fd, const char **why)
{
	struct conf_listen	 l;

	status_address(conf, &l);
	if (fd != -1 && l.host != NULL && listen_is_at(fd, &l)) {
		status_fd = fd;
		return 0;
	}
	if (fd != -1)
		(void)close(fd);
	if (l.host == NULL)
		return 0;
	status_fd = listen_open(&l, why);
	return status_fd == -1 ? -1 : 0;
}

/*
 * What was asked already is answered; others may be served by the process
 * that has the listener now.
 */
static void
status_finish(struct status *st, struct MHD_Daemon *mhd)
{
	struct pollfd	 pfd = { -1, 0, 0 };
	int64_t		 end = stream_now() + FINISH_MS;

	pfd.fd = httpd->get_daemon_info(mhd,
	    MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	pfd.events = POLLIN;
	(void)httpd->quiesce_daemon(mhd);
	while (st->connections > 0 && stream_now() < end) {
		(void)poll(&pfd, 1, FINISH_MS / 10);
		(void)httpd->run(mhd);
	}
}

/* Signals come only while it waits, so that none is missed. */
static void
status_serve(struct MHD_Daemon *mhd, pid_t master)
{
	const union MHD_DaemonInfo	*info;
	struct pollfd			 pfd;
	struct timespec			 ts;
	sigset_t			 none;
	MHD_UNSIGNED_LONG_LONG		 ms;
	bool				 has_end;

	info = httpd->get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		fatalx(EXIT_CONFIG, "status: libmicrohttpd has no epoll");
	pfd.fd = info->epoll_fd;
	pfd.events = POLLIN;
	sigemptyset(&none);
	while (!status_end && getppid() == master) {
		has_end = httpd->get_timeout(mhd, &ms) == MHD_YES;
		if (has_end) {
			ts.tv_sec = (time_t)(ms / 1000);
			ts.tv_nsec = (long)(ms % 1000) * 1000000;
		}
		if (ppoll(&pfd, 1, has_end ? &ts : NULL, &none) == -1 &&
		    errno != EINTR)
			fatal(EXIT_SICK, "ppoll");
		/*
		 * Twice: a connection that ends in the first may be what a
		 * client in the queue waits for, whom only the second sees.
		 */
		(void)httpd->run(mhd);
		(void)httpd->run(mhd);
	}
}

void
status_run(const struct conf *conf, struct board *board, struct view *view,
    pid_t master)
{
	static struct status	 st;
	struct MHD_Daemon	*mhd;
	const struct conf_view	*v = &conf->view;
	const char		*why;
	char			 name[128];

	st.board = board;
	st.most = v->status_connections;
	st.tally = view_tally(view);
	status_handle(SIGTERM, status_on_signal);
	status_handle(SIGINT, SIG_IGN);
	status_handle(SIGHUP, SIG_IGN);
	status_handle(SIGUSR1, SIG_IGN);
	status_handle(SIGUSR2, SIG_IGN);
	status_handle(SIGPIPE, SIG_IGN);
	if ((httpd = httpd_open(&why)) == NULL)
		fatalx(EXIT_CONFIG, "status: %s", why);
	mhd = httpd->start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0,
	    status_admit, &st, status_request, &st,
	    MHD_OPTION_LISTEN_SOCKET, status_fd,
	    MHD_OPTION_CONNECTION_LIMIT, v->status_connections + SPARE,
	    MHD_OPTION_NOTIFY_CONNECTION, status_count, &st,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS,
	    MHD_OPTION_END);
	if (mhd == NULL)
		fatalx(EXIT_SICK, "status: libmicrohttpd does not start");
	listen_name(status_fd, name, sizeof(name));
	log_info("status on %s", name);
	status_serve(mhd, master);
	status_finish(&st, mhd);
	exit(0);
}

#else

bool
status_is_wanted(const struct conf *conf)
{
	if (conf->view.status_host != NULL)
		log_warnx("there is no status listener: this icapd was built "
		    "without libmicrohttpd");
	return false;
}

int
status_listen(const struct conf *conf, int fd, const char **why)
{
	(void)conf;
	(void)why;
	if (fd != -1)
		(void)close(fd);
	return 0;
}

int
status_listener(void)
{
	return -1;
}

void
status_run(const struct conf *conf, struct board *board, struct view *view,
    pid_t master)
{
	(void)conf;
	(void)board;
	(void)view;
	(void)master;
	exit(0);
}

#endif
