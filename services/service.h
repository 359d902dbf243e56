/* SPDX-License-Identifier: ISC */
#ifndef ICAPD_SERVICE_H
#define ICAPD_SERVICE_H

/*
 * The contract between icapd and a service: what looks at the messages.  A
 * service is a filter over one message at a time; it is straight-line code
 * that reads, decides, edits, writes and returns.  The server knows what the
 * decision means on the wire.  See icapd_service(3), which has an example.
 *
 * Texts are pointer and length, not terminated, and valid until serve()
 * returns unless said otherwise.
 */

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include <confuse.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Methods a service serves, to be or-ed together. */
#define SERVICE_REQMOD	0x01u
#define SERVICE_RESPMOD	0x02u

/* One transaction; opaque to services. */
struct txn;

enum verdict {
	VERDICT_NONE,		/* forgotten: an error of the service */
	VERDICT_UNCHANGED,	/* the message may pass as it is */
	VERDICT_EDITED,		/* its head was edited, its body was not */
	VERDICT_REWRITTEN,	/* the body is what txn_write() was given */
	VERDICT_REPLACED,	/* the client gets what txn_respond() made */
	VERDICT_FAILED		/* not examined; returned by txn_fail() */
};

/*
 * What a service cannot work without, or a list it works with: an engine, a
 * database.  And what it counts: how often (a counter, which only grows), and
 * how many there are (a gauge).  Made in open(), shown to administrators
 * under the title of the section; good until close().
 */
struct service_backend;
struct service_counter;
struct service_gauge;

enum backend_state {
	BACKEND_UNKNOWN,	/* nobody has looked yet; not up */
	BACKEND_DOWN,
	BACKEND_STALE,		/* goes on with what it had before */
	BACKEND_UP
};

/*
 * A service's own section of the configuration while it is opened.  Errors
 * are collected, so that an administrator sees all of them at once.
 */
struct service_setup {
	cfg_t		*section;	/* `blocklist ads { ... }`, parsed */
	const char	*name;		/* its title, "ads" */
	const char	*root;		/* of workers, or NULL; see poll */
	int64_t		 patience;	/* ms that a transaction may take */
	int		 rehearsed;	/* a child has just done the same */

	/*
	 * Reports an error in the section: what is wrong, and what was
	 * expected.  The configuration is then refused.
	 */
	void		 (*error)(const struct service_setup *setup,
			    const char *fmt, ...)
			    __attribute__((format(printf, 2, 3)));

	/*
	 * The same for a key of a section within the section, as in
	 * `list "x" { ... }`: its value number `index` from 0, or where key
	 * is NULL or was not set, where the inner section begins.
	 */
	void		 (*error_at)(const struct service_setup *setup,
			    cfg_t *inner, const char *key, unsigned int index,
			    const char *fmt, ...)
			    __attribute__((format(printf, 5, 6)));

	/*
	 * Processes have all descriptors closed that they do not need:
	 * this one stays open in each.  It is the service's, until
	 * close().  Returns 0, or -1 after error() when there are too many.
	 */
	int		 (*keep)(const struct service_setup *setup, int fd);

	/*
	 * Makes a folder, if it is not there, for files that load() and
	 * poll() write and load() believes: it is given to the user that
	 * processes run as.  Returns 0; or -1 with errno when it cannot be
	 * had; or 1 after error() when others could change what is in it.
	 */
	int		 (*folder)(const struct service_setup *setup,
			    const char *path);

	/*
	 * A back-end; those of one section stand in for each other.  While
	 * none that is `needed` is up, or stale, the daemon is not ready.
	 */
	struct service_backend *(*backend)(const struct service_setup *setup,
			    const char *name, int needed);

	/*
	 * A counter, or a gauge: its name is of a-z, 0-9 and _ and has its
	 * unit last ("fetch_seconds"), help is a sentence.  All three return
	 * what the section had under that name already, or NULL where it
	 * cannot be shown, which is no error: what takes them takes NULL.
	 */
	struct service_counter *(*counter)(const struct service_setup *setup,
			    const char *name, const char *help);
	struct service_gauge *(*gauge)(const struct service_setup *setup,
			    const char *name, const char *help);
	void		*arg;		/* the server's own */
};

/* Who asked for an update; opaque to services. */
struct service_report;

/*
 * What became of sources that were looked at: of one list, or (name "") of
 * the whole section.
 */
struct service_outcome {
	const char	*name;
	int		 failed;	/* what was in use stays so */
	int		 changed;
	uint64_t	 entries;
	uint64_t	 refused;	/* lines that are no entries */
	const char	*why;		/* it failed, or the first such line */
};

struct service {
	const char	*name;		/* one word, its section's */
	const char	*summary;	/* one line for people */
	unsigned int	 methods;	/* SERVICE_* */
	long		 preview;	/* bytes wanted; -1: none */
	const cfg_opt_t	*options;	/* keys of its section, or NULL */

	/*
	 * All but serve may be NULL.
	 *
	 * open: in the master, before any worker exists and again for each
	 * reload: checks and compiles the configuration into *instance, whose
	 * memory all workers share until they write to it.  Privileges are
	 * still there.  Returns 0, or -1 after setup->error().
	 *
	 * A reload is rehearsed: a child opens everything before the master
	 * does, and ends.
	 */
	int		 (*open)(const struct service_setup *setup,
			    void **instance);

	/*
	 * load: after open(), with the same setup, once everything is open:
	 * reads what others write and the configuration only names, such as
	 * lists.  In the child that rehearses privileges are gone, and what
	 * takes long or may fail had better leave its result in a folder
	 * (setup->folder), from which the master takes it as it is where
	 * setup->rehearsed.  If version() is another then than it was in the
	 * child, all is opened and loaded once more without that.  Returns 0,
	 * or -1 after setup->error().
	 */
	int		 (*load)(const struct service_setup *setup,
			    void *instance);

	/*
	 * start: in each worker, privileges gone: opens what a process must
	 * have of its own.  Returns 0, or -1 with errno: the worker exits and
	 * is tried again later.
	 */
	int		 (*start)(void *instance);

	/* serve: handles one message and says what is to become of it. */
	enum verdict	 (*serve)(struct txn *txn, void *instance);

	/*
	 * wants: the preview that an instance wants in place of `preview`,
	 * which depends on its configuration.
	 */
	long		 (*wants)(const void *instance);

	/* stop: the worker leaves.  close: the master forgets the instance. */
	void		 (*stop)(void *instance);
	void		 (*close)(void *instance);

	/*
	 * poll: every few seconds, in one process of its own for the whole
	 * daemon: looks whether lists or engines have changed.  May block.
	 * What it finds goes to shared memory that open() has mapped, and to
	 * service_backend_set().  Like open() it sees all files, and workers
	 * those below setup->root where that is not NULL.
	 */
	void		 (*poll)(void *instance);

	/*
	 * update: beside poll(), for `icapctl update`: who asks says that the
	 * sources are complete, so what they hold is in use when it returns.
	 * Tells the outcome of each by service_tell().  NULL: poll() does it.
	 */
	void		 (*update)(void *instance,
			    struct service_report *report);

	/*
	 * version: what its verdicts depend on beside its configuration, as a
	 * short text: list digests, signature dates.  Part of the ISTag.
	 * Called now and then, after poll(); must not block.
	 */
	void		 (*version)(void *instance, char *dst, size_t size);
};

/* ---- beside transactions ----------------------------------------------- */

/*
 * A line in the log, from open(), start() or poll(): lower case, the object
 * first, no dot at the end.  A warning is what an administrator should see to.
 */
void	 service_log(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));
void	 service_warn(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));

/* Tells the outcome of an update; texts are copied. */
void	 service_tell(struct service_report *report,
	    const struct service_outcome *outcome);

/*
 * The state of a back-end, as seen from anywhere: open(), poll(), or a worker
 * that finds out first.  The text is its version, or what is wrong with it,
 * in lower case and without a dot; without one (fmt NULL) a state that is not
 * new costs next to nothing, and leaves the text.
 */
void	 service_backend_set(struct service_backend *backend,
	    enum backend_state state, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

/*
 * Adds n to a counter; from start(), serve() and poll().  No other process
 * writes to the same memory, so it costs next to nothing.
 */
void	 service_count(struct service_counter *counter, uint64_t n);

/* Sets a gauge, for all processes. */
void	 service_gauge_set(struct service_gauge *gauge, int64_t value);

/* ---- what was asked -------------------------------------------------- */

/* Is it a response that is looked at (RESPMOD), or a request (REQMOD)? */
int	 txn_is_response(const struct txn *txn);

/*
 * The HTTP heads, from the start line to the empty line, with the edits made
 * so far.  *len is 0 where the client sent none.  Valid until the next edit.
 */
const char *txn_request_head(const struct txn *txn, size_t *len);
const char *txn_response_head(const struct txn *txn, size_t *len);

/* Start line of a head without its CRLF; *len is 0 where there is none. */
const char *txn_request_line(const struct txn *txn, size_t *len);
const char *txn_status_line(const struct txn *txn, size_t *len);

/*
 * Method and URI of the HTTP request; for a URI in origin form the host is
 * not part of it, use txn_request_header("Host").  *len 0: unknown.
 */
const char *txn_method(const struct txn *txn, size_t *len);
const char *txn_uri(const struct txn *txn, size_t *len);

/* Status code of the HTTP response, 0 where there is none. */
int	 txn_response_status(const struct txn *txn);

/*
 * Value of the first field of that name, whatever its case and the blanks
 * around it, trimmed; NULL if absent.
 */
const char *txn_request_header(const struct txn *txn, const char *name,
	    size_t *len);
const char *txn_response_header(const struct txn *txn, const char *name,
	    size_t *len);

/*
 * One after the other: *pos is 0 at first, and good until the next edit.  A
 * service that decides something by a field looks at all of that name, for
 * others may take another one than the first.
 */
const char *txn_next_request_header(const struct txn *txn, const char *name,
	    size_t *pos, size_t *len);
const char *txn_next_response_header(const struct txn *txn, const char *name,
	    size_t *pos, size_t *len);

/* The first of the ICAP request itself. */
const char *txn_icap_header(const struct txn *txn, const char *name,
	    size_t *len);

/* The query part of the ICAP URI; *len is 0 where there is none. */
const char *txn_arguments(const struct txn *txn, size_t *len);

/* Path of the ICAP URI that was asked for. */
const char *txn_service_path(const struct txn *txn);

/*
 * Who caused the message, as the client of ours says: the address in
 * X-Client-IP ("" if there is none), the user in X-Authenticated-User or
 * X-Client-Username, the groups in X-Authenticated-Groups, which may be there
 * several times.  Base64 is decoded and a leading "scheme://" dropped.  Groups
 * are separated by commas; the name of one, like LDAP's, may have some too.
 * Terminated, never NULL.  Without memory they are "", and the service has
 * failed unless it returns VERDICT_REPLACED.
 */
const char *txn_client_address(struct txn *txn);
const char *txn_user(struct txn *txn);
const char *txn_groups(struct txn *txn);

/*
 * Milliseconds that are left of the transaction, 0 when its time is over: the
 * reply, too, has to be sent within them.  INT64_MAX where there is no limit.
 */
int64_t	 txn_time_left(const struct txn *txn);

/* ---- its body -------------------------------------------------------- */

/* Has the message a body at all? */
int	 txn_has_body(const struct txn *txn);

/*
 * The first bytes at the reading position, at most `want` and at most 64 KiB,
 * without taking them and without asking for more than the preview.  Returns
 * their number (fewer than wanted: preview or body end there), or -1 when the
 * body cannot be had: then return VERDICT_FAILED.  *bytes is valid until the
 * next call that reads.
 */
ssize_t	 txn_peek(struct txn *txn, size_t want, const char **bytes);

/*
 * Is all that is left of the body within what txn_peek() can see?  It is
 * known for sure after a txn_peek() that returned fewer bytes than wanted.
 */
int	 txn_peek_is_all(const struct txn *txn);

/*
 * Reads up to size bytes; blocks until there are some.  Reading past the
 * preview asks the client for the rest.  Returns their number, 0 at the end,
 * or -1 like txn_peek().
 */
ssize_t	 txn_read(struct txn *txn, void *dst, size_t size);

/*
 * The same without a copy: points *bytes at what was received next, up to
 * 128 KiB, where it lies; it is valid until the next call that reads.
 */
ssize_t	 txn_next(struct txn *txn, const char **bytes);

/*
 * txn_body_fd() will be called, so the body had better be in a file at once;
 * size is what it is expected to have, or 0.  Before anything is read.
 */
void	 txn_want_fd(struct txn *txn, uint64_t size);

/*
 * Receives the whole body and returns a descriptor of a file with all of it,
 * at offset 0, to be read with pread() or passed on, for nobody can write
 * through it; it belongs to the transaction.  *size is its length.  Only
 * before txn_write().  Returns -1 like txn_peek().
 */
int	 txn_body_fd(struct txn *txn, uint64_t *size);

/*
 * After txn_body_fd(): a descriptor of a file that holds len bytes of the
 * body from offset on and nothing else.  It belongs to the service, which has
 * to close it.  Returns -1 with errno.
 */
int	 txn_part_fd(struct txn *txn, uint64_t offset, uint64_t len);

/*
 * The same for bytes that a service makes: a descriptor of a file with all
 * that make() gives, piece by piece, until it returns 0 (or -1 with errno);
 * `expected` is about how many.  *size is their number.
 */
int	 txn_made_fd(struct txn *txn, uint64_t expected,
	    ssize_t (*make)(void *arg, const char **bytes), void *arg,
	    uint64_t *size);

/*
 * The end of a body, so many bytes, is never released before the verdict.
 */
#define SERVICE_HOLD_BACK	16384

/*
 * Sends up to size bytes of the original before the verdict, as far as it
 * was read, lest the client gives up waiting.  With the first of them the
 * reply begins, with the head as it is now but for one field: like any edit,
 * that ends what points into the head.  Afterwards VERDICT_UNCHANGED
 * sends the rest and ends it well; with any other verdict it ends in the
 * middle of a chunk, and the connection by a reset.  Who has bytes of it can
 * keep and use them: this is for services whose user has asked for it.
 * Returns their number, 0 when there are none to release yet, or -1 with
 * errno EPERM when there will be none in this transaction (icapd_service(3)
 * says when), EPIPE when the client is gone.
 */
ssize_t	 txn_release(struct txn *txn, size_t size);

/*
 * Has that done with size bytes every ms milliseconds and `most` bytes in
 * all, while txn_read(), txn_next() and txn_body_fd() wait.  Nothing happens
 * where it is not permitted.  A size of 0 ends it.
 */
void	 txn_release_every(struct txn *txn, size_t size, unsigned int ms,
	    uint64_t most);

/*
 * For a service that waits for something else: releases what is due.
 * Returns the milliseconds until it is to be called again, -1 for never.
 */
int	 txn_release_due(struct txn *txn);

/* ---- the answer ------------------------------------------------------ */

/*
 * Edit the head of the message that is adapted (the request in REQMOD, the
 * response in RESPMOD); then return VERDICT_EDITED or VERDICT_REWRITTEN.
 * set replaces the first field of that name in its place, drops others and
 * appends where there is none; add appends; remove drops all.  Untouched lines
 * stay as they are, byte for byte.  Return 0, or -1 with errno: EINVAL for a
 * name that is no token or a value with a control character, EPERM for a
 * framing field (Content-Length, Transfer-Encoding, Connection ...), E2BIG
 * when the head would exceed its limit, ENOENT when there is no head,
 * EALREADY when the reply has begun.
 */
int	 txn_set_header(struct txn *txn, const char *name, const char *value);
int	 txn_add_header(struct txn *txn, const char *name, const char *value);
int	 txn_remove_header(struct txn *txn, const char *name);

/* Replaces the start line; EINVAL for a control character in it. */
int	 txn_set_start_line(struct txn *txn, const char *line, size_t len);

/*
 * Replaces the whole head, from its start line to the empty line; the framing
 * fields must be those it had.  Errors as above.
 */
int	 txn_set_head(struct txn *txn, const char *head, size_t len);

/*
 * Appends to the new body; then return VERDICT_REWRITTEN.  Content-Length is
 * corrected by the server.  Returns 0, or -1 when the client is gone or the
 * spool is full: then return VERDICT_FAILED.
 */
int	 txn_write(struct txn *txn, const void *src, size_t size);

/*
 * The new body ends with the original from the reading position on.  A client
 * that allows it is told so and keeps its own copy (206).
 */
void	 txn_write_rest(struct txn *txn);

/*
 * Makes the response that replaces the message; then return VERDICT_REPLACED.
 * status is HTTP's, for instance 403.  type is the Content-Type, or NULL for
 * a response without a body.  The body is copied.  Returns 0, or -1 with errno
 * EINVAL or ENOMEM.  A second call starts over.
 */
int	 txn_respond(struct txn *txn, int status, const char *type,
	    const void *body, size_t size);

/* Adds a field to that response.  Errors as for txn_set_header(). */
int	 txn_respond_header(struct txn *txn, const char *name,
	    const char *value);

/* A variable of a template; the value need not be escaped. */
struct service_var {
	const char	*name;
	const char	*value;
};

/*
 * A page with variables: %{name} stands for its value, escaped for HTML (or
 * for JSON in a file that ends in ".json", not at all in ".txt"), and
 * %{name:url} for the value as it may stand in a URL; %% is a per cent sign.
 * Opened in open(), so that a file that is missing or malformed is an error
 * of the configuration; path NULL gives NULL, which is the built-in page.
 * Returns NULL after setup->error() as well: check path.
 */
struct service_template;
struct service_template *service_template_open(
	    const struct service_setup *setup, const char *path);
void	 service_template_close(struct service_template *page);

/*
 * txn_respond() with a page.  vars ends with a NULL name; the built-in page
 * shows `title` and `reason` and the others as a table.  `url`, `client`,
 * `user`, `service`, `time` and `id` are added by the server.  Clients that
 * prefer JSON (Accept) get the variables as one object.
 */
int	 txn_respond_template(struct txn *txn, int status,
	    const struct service_template *page,
	    const struct service_var *vars);

/*
 * Adds a header to the ICAP reply, whatever the verdict: X-Infection-Found
 * and its like.  Bytes beyond ASCII become question marks.  Errors as for
 * txn_set_header(); EPERM also for Allow, Encapsulated, ISTag and Preview,
 * EINVAL for an empty value, EALREADY when the reply has begun and did not
 * promise it.
 */
int	 txn_reply_header(struct txn *txn, const char *name,
	    const char *value);

/*
 * A header whose value is known only when the body has been written: where
 * the reply begins before txn_reply_header() has set it, its value follows
 * behind the body ("-" if it never was).  Before the first txn_write().
 * Returns 0, or -1 with errno: EOPNOTSUPP when the client did not offer
 * `Allow: trailers`, EINVAL, EPERM and EALREADY as above, E2BIG for more than
 * four of them.
 */
int	 txn_announce_trailer(struct txn *txn, const char *name);

/*
 * Adds a note to the line of the access log: key is a word of the service's
 * own ("threat"), the value is copied and cut at 255 bytes.
 */
void	 txn_note(struct txn *txn, const char *key, const char *value);

/*
 * Marks the transaction as not examined, in the log and in the metrics, while
 * the service itself decides what becomes of it: for a policy finer than
 * `on-error`.  `why` as in txn_fail().
 */
void	 txn_unscanned(struct txn *txn, const char *why);

/*
 * Says why the message could not be examined, in lower case and without a
 * dot; the text is copied.  Returns VERDICT_FAILED, to be returned.  What
 * becomes of the message is `on-error` of the configuration.
 */
enum verdict txn_fail(struct txn *txn, const char *why);

/* ---- a server of one's own -------------------------------------------- */

/*
 * The main() of an ICAP server with these services (ended by NULL) beside
 * nothing else.  Takes the command line of icapd(8).  Returns its exit status.
 */
int	 icapd_main(int argc, char *argv[],
	    const struct service *const services[]);

#ifdef __cplusplus
}
#endif

#endif
