/* SPDX-License-Identifier: ISC */
/*
 * icapd with services for tests, built as anybody's server would be: one for
 * each verdict, some that misbehave, and one that does what the query of the
 * URI says.  Used by wire scripts and by the tests with processes; takes the
 * command line of icapd.  The services stand at the end, each with a line on
 * what it does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../services/service.h"
#include "script.h"

#define BOTH	(SERVICE_REQMOD | SERVICE_RESPMOD)

static enum verdict
serve_echo(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	return VERDICT_UNCHANGED;
}

static enum verdict
serve_read(struct txn *txn, void *instance)
{
	(void)instance;
	return script_serve(txn, "read unchanged");
}

static enum verdict
serve_upper(struct txn *txn, void *instance)
{
	(void)instance;
	return script_serve(txn, "upper rewritten");
}

static enum verdict
serve_prefix(struct txn *txn, void *instance)
{
	(void)instance;
	return script_serve(txn, "read:3 write:HEY rest rewritten");
}

static enum verdict
serve_header(struct txn *txn, void *instance)
{
	(void)instance;
	return script_serve(txn, "set:X-Test=seen edited");
}

static enum verdict
serve_block(struct txn *txn, void *instance)
{
	const struct service_var	 vars[] = {
		{ "title", "Blocked" },
		{ "reason", "A test wants this blocked." },
		{ NULL, NULL }
	};

	(void)instance;
	(void)txn_reply_header(txn, "X-Response-Info", "Blocked");
	if (txn_respond_template(txn, 403, NULL, vars) == -1)
		return txn_fail(txn, "no page");
	return VERDICT_REPLACED;
}

/* A verdict that is known when the body has gone by. */
static enum verdict
serve_late(struct txn *txn, void *instance)
{
	(void)instance;
	return script_serve(txn, "trailer:X-Scan-Result copy "
	    "reply:X-Scan-Result=clean rewritten");
}

static enum verdict
serve_fail(struct txn *txn, void *instance)
{
	(void)instance;
	return txn_fail(txn, "a test wants it to fail");
}

static enum verdict
serve_none(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	return VERDICT_NONE;
}

/* Until it is told to go on or is killed: nothing here waits for a time. */
static enum verdict
serve_slow(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	for (;;)
		(void)pause();
	return VERDICT_NONE;
}

static enum verdict
serve_spin(struct txn *txn, void *instance)
{
	volatile unsigned int	 n = 0;

	(void)txn;
	(void)instance;
	while (n < 2)
		n ^= 1;
	return VERDICT_NONE;
}

static enum verdict
serve_crash(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	abort();
}

/* What a sandbox is to forbid; the reply says how it ended. */
static enum verdict
serve_exec(struct txn *txn, void *instance)
{
	char	*argv[] = { (char *)(uintptr_t)"true", NULL };

	(void)instance;
	(void)execv("/bin/true", argv);
	(void)txn_reply_header(txn, "X-Errno", strerror(errno));
	return VERDICT_UNCHANGED;
}

static enum verdict
serve_create(struct txn *txn, void *instance)
{
	char	 path[] = "/tmp/icapd-testd.XXXXXXXX";
	int	 fd;

	(void)instance;
	if ((fd = mkstemp(path)) == -1) {
		(void)txn_reply_header(txn, "X-Errno", strerror(errno));
		return VERDICT_UNCHANGED;
	}
	(void)close(fd);
	(void)unlink(path);
	(void)txn_reply_header(txn, "X-Errno", "none");
	return VERDICT_UNCHANGED;
}

/* icap://host/script?upper;rewritten - see script.h. */
static enum verdict
serve_script(struct txn *txn, void *instance)
{
	char		 words[1024];
	const char	*query;
	size_t		 len;

	(void)instance;
	query = txn_arguments(txn, &len);
	if (len >= sizeof(words))
		return txn_fail(txn, "script is too long");
	if (len > 0)
		memcpy(words, query, len);
	words[len] = '\0';
	return script_serve(txn, words);
}

#define TEST_SERVICE(what, about, offers)				\
static const struct service	 svc_##what = {				\
	.name = #what,							\
	.summary = about,						\
	.methods = BOTH,						\
	.preview = offers,						\
	.serve = serve_##what,						\
}

TEST_SERVICE(echo, "returns every message unchanged", 4096);
TEST_SERVICE(read, "reads every body to its end", 4);
TEST_SERVICE(upper, "writes bodies in capitals", 0);
TEST_SERVICE(prefix, "replaces the first three bytes", 4);
TEST_SERVICE(header, "adds X-Test to the head", 0);
TEST_SERVICE(block, "replaces everything by a page", 0);
TEST_SERVICE(late, "says what it found behind the body", 4096);
TEST_SERVICE(fail, "examines nothing", 4096);
TEST_SERVICE(none, "forgets its verdict", -1);
TEST_SERVICE(slow, "never returns", -1);
TEST_SERVICE(spin, "never returns, and works at it", -1);
TEST_SERVICE(crash, "aborts", -1);
TEST_SERVICE(exec, "tries to run a program", -1);
TEST_SERVICE(create, "tries to make a file", -1);
TEST_SERVICE(script, "does what the query says", 4);

static const struct service	 svc_reqmod = {
	.name = "reqmod",
	.summary = "serves requests only",
	.methods = SERVICE_REQMOD,
	.preview = -1,
	.serve = serve_echo,
};

static const struct service *const	 services[] = {
	&svc_echo, &svc_read, &svc_reqmod, &svc_upper, &svc_prefix,
	&svc_header, &svc_block, &svc_late, &svc_fail, &svc_none, &svc_slow,
	&svc_spin, &svc_crash, &svc_exec, &svc_create, &svc_script, NULL
};

int
main(int argc, char *argv[])
{
	return icapd_main(argc, argv, services);
}
