/* SPDX-License-Identifier: ISC */
/*
 * Verdicts on the wire (conformance.md A8-A13): what each one becomes for
 * each client, alone and in chains.  The services are scripts (t/script.h);
 * adapt.c reads each reply strictly.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt.h"
#include "script.h"

#define HELLO		.body = "hello", .len = 5
#define RESPMOD		.respmod = true
#define PREVIEW(n)	.preview = n

/* A request, services, and what is to come of it. */
struct scene {
	struct ask	 ask;
	const char	*script[ADAPT_STEPS];
	unsigned int	 methods[ADAPT_STEPS];
	const char	*expect;
	const char	*saw;		/* NULL: whatever */
	enum on_error	 on_error;
	bool		 shadow;
	uint64_t	 spool_max;
};

/* Plays it in several segmentations, and to a client that is deaf first. */
static void
play_scene(const struct scene *scene)
{
	static const struct {
		size_t	 at;
		size_t	 step;
		bool	 deaf;
		size_t	 send_max;
	} ways[] = {
		{ 0, 0, false, 0 }, { 0, 0, true, 0 }, { 0, 1, false, 0 },
		{ 0, 7, true, 3 }, { 300, 0, false, 1 }, { 0, 3, false, 0 },
	};
	struct text	 got;
	struct adapt	*a;
	size_t		 i, k;

	for (i = 0; i < ROWS(ways); i++) {
		unit_must((a = calloc(1, sizeof(*a))) != NULL);
		a->ask = scene->ask;
		for (k = 0; k < ADAPT_STEPS; k++) {
			a->script[k] = scene->script[k];
			a->methods[k] = scene->methods[k];
		}
		a->on_error = scene->on_error;
		a->shadow = scene->shadow;
		a->spool_max = scene->spool_max;
		a->wire.at = ways[i].at;
		a->wire.step = ways[i].step;
		a->deaf = ways[i].deaf;
		a->wire.again = ways[i].deaf;
		a->wire.send_max = ways[i].send_max;
		adapt_run(a);
		got.len = 0;
		adapt_show(a, &got);
		if (strcmp(got.s, scene->expect) != 0)
			ck_abort_msg("way %zu, %s:\n  expected: %s\n"
			    "  got:      %s", i, scene->script[0],
			    scene->expect, got.s);
		if (scene->saw != NULL && strcmp(a->saw.s, scene->saw) != 0)
			ck_abort_msg("way %zu, %s:\n  expected: %s\n"
			    "  saw:      %s", i, scene->script[0], scene->saw,
			    a->saw.s);
		adapt_fini(a);
		free(a);
	}
}

static const struct scene scenes[] = {
	/* ---- unchanged: 204 where it is allowed, C147-C152 */
	{ { HELLO }, { "unchanged" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { RESPMOD, HELLO }, { "unchanged" },
	    .expect = "200 res-hdr res-body [hello]" },
	{ { HELLO, .allow = "204" }, { "unchanged" }, .expect = "204" },
	{ { HELLO, .allow = "206" }, { "unchanged" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { .allow = "204" }, { "unchanged" }, .expect = "204" },
	{ { .allow = NULL }, { "unchanged" },
	    .expect = "200 req-hdr null-body" },
	{ { RESPMOD }, { "unchanged" }, .expect = "200 res-hdr null-body" },
	/* HEAD: the length of a body that is not there stays (C201) */
	{ { RESPMOD, .length = "77" }, { "unchanged" },
	    .expect = "200 res-hdr null-body" },
	/* an empty body: none (C196, C202) */
	{ { RESPMOD, .body = "" }, { "unchanged" },
	    .expect = "200 res-hdr null-body" },
	{ { .body = "", .length = "" }, { "unchanged" },
	    .expect = "200 req-hdr null-body" },
	/* no HTTP head at all (C054, C060) */
	{ { RESPMOD, HELLO, .headless = true }, { "unchanged" },
	    .expect = "200 res-body [hello]" },
	{ { HELLO, .headless = true }, { "unchanged" },
	    .expect = "200 req-body [hello]" },
	{ { RESPMOD, .body = "", .headless = true }, { "unchanged" },
	    .expect = "200 res-body []" },
	{ { HELLO, .headless = true, .allow = "204" }, { "unchanged" },
	    .expect = "204" },
	/* a preview allows 204, a 100 takes that back (C148, C150) */
	{ { HELLO, PREVIEW("2") }, { "unchanged" }, .expect = "204" },
	{ { HELLO, PREVIEW("0") }, { "unchanged" }, .expect = "204" },
	{ { HELLO, PREVIEW("5") }, { "unchanged" }, .expect = "204" },
	{ { HELLO, PREVIEW("9") }, { "unchanged" }, .expect = "204" },
	{ { HELLO, PREVIEW("2") }, { "read unchanged" },
	    .expect = "100 200 req-hdr req-body [hello]",
	    .saw = "read 5 hello" },
	{ { HELLO, PREVIEW("2"), .allow = "204" }, { "read unchanged" },
	    .expect = "100 204", .saw = "read 5 hello" },
	{ { HELLO, PREVIEW("9") }, { "read unchanged" }, .expect = "204",
	    .saw = "read 5 hello" },
	{ { HELLO, PREVIEW("5"), .polite = true }, { "read unchanged" },
	    .expect = "100 200 req-hdr req-body [hello]" },
	{ { HELLO, PREVIEW("5"), .polite = true }, { "read:5 unchanged" },
	    .expect = "204" },
	/* one that sends more than it announced (C143) */
	{ { HELLO, PREVIEW("2"), .eager = true }, { "read unchanged" },
	    .expect = "204", .saw = "read 5 hello" },
	/* a look does not continue; a read as far as the preview neither */
	{ { HELLO, PREVIEW("2") }, { "peek:4 unchanged" }, .expect = "204",
	    .saw = "peek 2 he" },
	{ { HELLO, PREVIEW("2") }, { "read:2 peek:9 unchanged" },
	    .expect = "204", .saw = "read 2 he, peek 0 " },
	{ { HELLO, PREVIEW("0") }, { "peek:9 unchanged" }, .expect = "204",
	    .saw = "peek 0 " },
	{ { HELLO, PREVIEW("9") }, { "peek:9 unchanged" }, .expect = "204",
	    .saw = "peek 5 hello all" },
	{ { HELLO }, { "peek:9 read:3 peek:9 read peek:9 unchanged" },
	    .expect = "200 req-hdr req-body [hello]",
	    .saw = "peek 5 hello all, read 3 hel, peek 2 lo all, "
	    "read 2 lo, peek 0  all" },
	{ { .body = NULL }, { "peek:9 read unchanged" },
	    .expect = "200 req-hdr null-body",
	    .saw = "peek 0  all, read 0 " },
	/* the body as a file */
	{ { HELLO }, { "fd unchanged" },
	    .expect = "200 req-hdr req-body [hello]", .saw = "fd 5 5 hello" },
	{ { HELLO, PREVIEW("2"), .allow = "204" },
	    { "peek:2 read:1 fd read unchanged" }, .expect = "100 204",
	    .saw = "peek 2 he, read 1 h, fd 5 5 hello, read 4 ello" },
	{ { .body = "" }, { "fd unchanged" },
	    .expect = "200 req-hdr null-body", .saw = "fd 0 0 " },
	{ { .body = NULL }, { "fd unchanged" },
	    .expect = "200 req-hdr null-body", .saw = "fd 0 0 " },
	{ { HELLO }, { "read:2 write:a careless fd unchanged" },
	    .expect = "200 req-hdr req-body [hello]",
	    .saw = "read 2 he, fd -1" },
	/* which is wanted before anything is read, and read without copies */
	{ { HELLO }, { "want:5 next fd unchanged" },
	    .expect = "200 req-hdr req-body [hello]",
	    .saw = "next 5 hello, fd 5 5 hello" },
	{ { HELLO, PREVIEW("2"), .allow = "204" },
	    { "peek:2 want:5 next next fd unchanged" },
	    .expect = "100 204",
	    .saw = "peek 2 he, next 5 hello, next 0 , "
	    "fd 5 5 hello" },
	{ { HELLO }, { "want:1 read:2 want:9 next fd set:A=b edited" },
	    .expect = "200 req-hdr req-body [hello]",
	    .saw = "read 2 he, next 3 llo, fd 5 5 hello" },
	{ { HELLO }, { "want:1000000000 read:2 upper rewritten" },
	    .expect = "200 req-hdr req-body [LLO]",
	    .saw = "read 2 he, read 3 llo" },
	{ { HELLO }, { "want:5 next write:J rewritten" },
	    .expect = "200 req-hdr req-body [J]" },
	{ { .body = "" }, { "want:0 next fd unchanged" },
	    .expect = "200 req-hdr null-body", .saw = "next 0 , fd 0 0 " },
	{ { .body = NULL }, { "want:0 next fd unchanged" },
	    .expect = "200 req-hdr null-body", .saw = "next 0 , fd 0 0 " },
	{ { HELLO }, { "next want:5 next unchanged", "next unchanged" },
	    .expect = "200 req-hdr req-body [hello]",
	    .saw = "next 5 hello, next 0 , next 5 hello" },
	{ { HELLO }, { "upper rewritten", "want:5 next fd unchanged" },
	    .expect = "200 req-hdr req-body [HELLO]",
	    .saw = "read 5 hello, next 5 HELLO, fd 5 5 HELLO" },
	/* trailers of the body go back with it (C169) */
	{ { HELLO, .trailers = "X-Sum: 1\r\n" }, { "unchanged" },
	    .expect = "200 req-hdr req-body [hello] X-Sum: 1\\r\\n" },
	{ { .body = "", .trailers = "X-Sum: 1\r\n", .length = "" },
	    { "unchanged" },
	    .expect = "200 req-hdr req-body [] X-Sum: 1\\r\\n" },
	{ { HELLO, .trailers = "X-Sum: 1\r\n" }, { "copy rewritten" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO, .trailers = "X-Sum: 1\r\n" }, { "rest rewritten" },
	    .expect = "200 req-hdr req-body [hello]" },

	/* ---- edited: 206 where it is allowed, C158-C160, C164 */
	{ { HELLO }, { "set:A=b edited" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO, .allow = "204" }, { "set:A=b edited" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO, .allow = "204, 206" }, { "set:A=b edited" },
	    .expect = "206 req-hdr req-body []+0" },
	{ { RESPMOD, HELLO, .allow = "204, 206" }, { "read set:A=b edited" },
	    .expect = "206 res-hdr res-body []+0" },
	{ { HELLO, .allow = "206" }, { "set:A=b edited" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO, .allow = "206", PREVIEW("2") }, { "set:A=b edited" },
	    .expect = "206 req-hdr req-body []+0" },
	{ { HELLO, .allow = "206", PREVIEW("2") }, { "read set:A=b edited" },
	    .expect = "100 200 req-hdr req-body [hello]" },
	{ { HELLO, .allow = "204, 206", PREVIEW("2") },
	    { "read set:A=b edited" },
	    .expect = "100 206 req-hdr req-body []+0" },
	{ { HELLO, PREVIEW("2") }, { "set:A=b edited" },
	    .expect = "100 200 req-hdr req-body [hello]" },
	{ { HELLO, PREVIEW("9") }, { "set:A=b edited" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { .allow = "204, 206" }, { "set:A=b edited" },
	    .expect = "200 req-hdr null-body" },
	{ { RESPMOD, .length = "77", .allow = "204, 206" },
	    { "set:A=b edited" }, .expect = "200 res-hdr null-body" },
	{ { HELLO, .allow = "204, 206, trailers" },
	    { "trailer:X-Late set:A=b edited" },
	    .expect = "206 req-hdr req-body []+0" },
	{ { HELLO, .headless = true, .allow = "204, 206" },
	    { "set:A=b edited" }, .expect = "204",
	    .saw = "set: No such file or directory" },
	{ { HELLO, .allow = "204, 206" }, { "edited" }, .expect = "204" },
	/* what it wrote does not count */
	{ { HELLO, .allow = "204, 206" },
	    { "set:A=b read:3 write:HEY rest edited" },
	    .expect = "206 req-hdr req-body []+0" },
	{ { HELLO }, { "read:3 write:HEY rest unchanged" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO, .allow = "204" }, { "read write:HEY set:A=b unchanged" },
	    .expect = "204" },

	/* ---- rewritten, C161, C163, C193 */
	{ { HELLO }, { "upper rewritten" },
	    .expect = "200 req-hdr req-body [HELLO]" },
	{ { RESPMOD, HELLO, .length = "" }, { "upper rewritten" },
	    .expect = "200 res-hdr res-body [HELLO]" },
	{ { HELLO, .allow = "204, 206" }, { "upper rewritten" },
	    .expect = "200 req-hdr req-body [HELLO]" },
	{ { HELLO, PREVIEW("2") }, { "upper rewritten" },
	    .expect = "100 200 req-hdr req-body [HELLO]" },
	{ { HELLO }, { "write:goodbye rewritten" },
	    .expect = "200 req-hdr req-body [goodbye]" },
	/* the rest is not asked for when nobody wants it */
	{ { HELLO, PREVIEW("2") }, { "write:goodbye rewritten" },
	    .expect = "200 req-hdr req-body [goodbye]" },
	{ { HELLO, PREVIEW("2") }, { "rewritten" },
	    .expect = "200 req-hdr null-body" },
	{ { HELLO }, { "rewritten" }, .expect = "200 req-hdr null-body" },
	{ { HELLO, .headless = true }, { "rewritten" },
	    .expect = "200 req-body []" },
	{ { HELLO, .headless = true }, { "upper rewritten" },
	    .expect = "200 req-body [HELLO]" },
	/* a body where there was none */
	{ { .body = NULL }, { "write:new rewritten" },
	    .expect = "200 req-hdr req-body [new]" },
	{ { RESPMOD, .allow = "204, 206" }, { "write:new rest rewritten" },
	    .expect = "200 res-hdr res-body [new]" },
	/* none where there was none: Content-Length of HEAD stays */
	{ { RESPMOD, .length = "77" }, { "upper rewritten" },
	    .expect = "200 res-hdr null-body" },
	{ { RESPMOD, .length = "77" }, { "rest rewritten" },
	    .expect = "200 res-hdr null-body" },
	/* a new beginning */
	{ { HELLO, .allow = "204, 206" }, { "read:3 write:HEY rest rewritten" },
	    .expect = "206 req-hdr req-body [HEY]+3" },
	{ { HELLO, .allow = "206", PREVIEW("4") },
	    { "read:3 write:HEY rest rewritten" },
	    .expect = "206 req-hdr req-body [HEY]+3" },
	{ { HELLO, .allow = "204, 206", PREVIEW("4") },
	    { "read:5 write:HEY rest rewritten" },
	    .expect = "100 206 req-hdr req-body [HEY]+5" },
	/* Squid: a preview that is everything is not waited behind (ieof) */
	{ { HELLO, .allow = "206", PREVIEW("1024") }, { "set:X=y edited" },
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO, .allow = "206", PREVIEW("1024") },
	    { "read:3 write:HEY rest rewritten" },
	    .expect = "200 req-hdr req-body [HEYlo]" },
	{ { HELLO, .allow = "206", PREVIEW("5"), .polite = true },
	    { "set:X=y edited" }, .expect = "206 req-hdr req-body []+0" },
	{ { HELLO, .allow = "204, 206", PREVIEW("1024") },
	    { "set:X=y edited" }, .expect = "206 req-hdr req-body []+0" },
	{ { HELLO, PREVIEW("4") }, { "read:3 write:HEY rest rewritten" },
	    .expect = "100 200 req-hdr req-body [HEYlo]" },
	{ { HELLO }, { "read:3 write:HEYDAY rest rewritten" },
	    .expect = "200 req-hdr req-body [HEYDAYlo]" },
	{ { HELLO }, { "write:oh+ rest rewritten" },
	    .expect = "200 req-hdr req-body [oh+hello]" },
	{ { HELLO, .length = "" }, { "read:3 rest rewritten" },
	    .expect = "200 req-hdr req-body [lo]" },
	{ { HELLO }, { "read rest rewritten" },
	    .expect = "200 req-hdr null-body" },
	{ { HELLO }, { "read write:x rest rewritten" },
	    .expect = "200 req-hdr req-body [x]" },
	/* its length was a lie: ours is none */
	{ { HELLO, .length = "3" }, { "read:3 rest rewritten" },
	    .expect = "200 req-hdr req-body [lo]" },
	{ { HELLO, .length = "3" }, { "upper rewritten" },
	    .expect = "200 req-hdr req-body [HELLO]" },
	{ { HELLO, .length = "99" }, { "upper rewritten" },
	    .expect = "200 req-hdr req-body [HELLO]" },
	{ { HELLO, .length = "x" }, { "upper rewritten" },
	    .expect = "200 req-hdr req-body [HELLO]" },

	/* ---- replaced, C194-C196, C203 */
	{ { HELLO }, { "respond:403=no replaced" },
	    .expect = "200 res-hdr res-body [no]" },
	{ { RESPMOD, HELLO, .allow = "204, 206" },
	    { "set:A=b respond:403=no replaced" },
	    .expect = "200 res-hdr res-body [no]" },
	{ { HELLO, PREVIEW("2") }, { "respond:403=no replaced" },
	    .expect = "200 res-hdr res-body [no]" },
	{ { HELLO, PREVIEW("2") }, { "read respond:403=no replaced" },
	    .expect = "100 200 res-hdr res-body [no]" },
	{ { HELLO }, { "respond:302 replaced" },
	    .expect = "200 res-hdr null-body" },
	{ { HELLO }, { "respond:403= replaced" },
	    .expect = "200 res-hdr null-body" },
	{ { HELLO, .headless = true }, { "respond:403=no replaced" },
	    .expect = "200 res-hdr res-body [no]" },
	{ { HELLO }, { "respond:403=no respond:200=yes replaced" },
	    .expect = "200 res-hdr res-body [yes]" },
	{ { HELLO, .allow = "204" }, { "respond:403=no unchanged" },
	    .expect = "204" },
	{ { HELLO }, { "respond:99=no replaced" },
	    .expect = "fault 500: service failed" },
	{ { HELLO }, { "replaced" },
	    .expect = "fault 500: service replaced a message by nothing" },

	/* ---- failed, and no verdict */
	{ { HELLO }, { "fail:it-broke" }, .expect = "fault 500: it-broke" },
	{ { HELLO, .allow = "204" }, { "read fail:it-broke" },
	    .on_error = ON_ERROR_PASS, .expect = "204" },
	{ { HELLO, PREVIEW("2") }, { "read set:A=b write:x fail:it-broke" },
	    .on_error = ON_ERROR_PASS,
	    .expect = "100 200 req-hdr req-body [hello]" },
	{ { HELLO }, { "none" },
	    .expect = "fault 500: service returned no verdict" },
	{ { HELLO, .allow = "204" }, { "none" }, .on_error = ON_ERROR_PASS,
	    .expect = "fault 500: service returned no verdict" },
	/* the body broke: who is asked to go on does not matter */
	{ { HELLO, .broken = "zz\r\n" }, { "read unchanged" },
	    .expect = "fault 400: chunk without a size" },
	{ { HELLO, .broken = "zz\r\n" }, { "read unchanged" },
	    .on_error = ON_ERROR_PASS,
	    .expect = "fault 400: chunk without a size" },
	{ { HELLO, .broken = "zz\r\n", .allow = "204" },
	    { "careless read unchanged" },
	    .expect = "fault 400: chunk without a size" },
	{ { HELLO, .broken = "zz\r\n" }, { "careless upper rewritten" },
	    .expect = "fault 400: chunk without a size" },
	{ { HELLO, .broken = "zz\r\n" },
	    { "careless read respond:403=no replaced" },
	    .expect = "fault 400: chunk without a size" },
	{ { HELLO, .broken = "zz\r\n", .allow = "204" }, { "unchanged" },
	    .expect = "fault 400: chunk without a size" },
	{ { HELLO, .broken = "" }, { "unchanged" },
	    .expect = "fault 0: client closed in the body" },
};

START_TEST(verdicts)
{
	play_scene(&scenes[_i]);
}
END_TEST

static const struct scene chains[] = {
	/* edits meet */
	{ { HELLO, .allow = "204, 206" },
	    { "set:A=b edited", "set:C=d edited" },
	    .expect = "206 req-hdr req-body []+0" },
	{ { HELLO, .allow = "204" }, { "unchanged", "read unchanged" },
	    .expect = "204", .saw = "read 5 hello" },
	/* each reads from the beginning, and preview looks stay free */
	{ { HELLO, PREVIEW("2") },
	    { "peek:9 unchanged", "read:2 unchanged", "peek:9 unchanged" },
	    .expect = "204", .saw = "peek 2 he, read 2 he, peek 2 he" },
	{ { HELLO, PREVIEW("2"), .allow = "204" },
	    { "read:3 unchanged", "peek:9 read unchanged" },
	    .expect = "100 204",
	    .saw = "read 3 hel, peek 5 hello all, read 5 hello" },
	{ { HELLO }, { "read unchanged", "fd unchanged" },
	    .expect = "200 req-hdr req-body [hello]",
	    .saw = "read 5 hello, fd 5 5 hello" },
	/* what one writes is what the next reads */
	{ { HELLO }, { "upper rewritten", "peek:9 read unchanged" },
	    .expect = "200 req-hdr req-body [HELLO]",
	    .saw = "read 5 hello, peek 5 HELLO all, read 5 HELLO" },
	{ { HELLO }, { "upper rewritten", "fd unchanged" },
	    .expect = "200 req-hdr req-body [HELLO]",
	    .saw = "read 5 hello, fd 5 5 HELLO" },
	{ { HELLO, .allow = "204, 206" },
	    { "read:3 write:HEY rest rewritten", "read unchanged" },
	    .expect = "200 req-hdr req-body [HEYlo]",
	    .saw = "read 3 hel, read 5 HEYlo" },
	{ { HELLO }, { "upper rewritten", "write:oh+ copy rewritten" },
	    .expect = "200 req-hdr req-body [oh+HELLO]" },
	{ { HELLO },
	    { "upper rewritten", "write:a copy rewritten",
	    "copy write:z rewritten" },
	    .expect = "200 req-hdr req-body [aHELLOz]" },
	{ { HELLO, .allow = "204, 206" },
	    { "upper rewritten", "read:1 write:J rest rewritten" },
	    .expect = "200 req-hdr req-body [JELLO]" },
	{ { HELLO }, { "upper rewritten", "read rest rewritten" },
	    .expect = "200 req-hdr null-body" },
	{ { HELLO }, { "rewritten", "peek:9 read write:x rest rewritten" },
	    .expect = "200 req-hdr req-body [x]",
	    .saw = "peek 0  all, read 0 " },
	{ { HELLO }, { "rewritten", "read unchanged" },
	    .expect = "200 req-hdr null-body" },
	{ { RESPMOD, .length = "77" }, { "upper rewritten", "read unchanged" },
	    .expect = "200 res-hdr null-body" },
	{ { .body = NULL }, { "write:new rewritten", "upper rewritten" },
	    .expect = "200 req-hdr req-body [NEW]" },
	{ { HELLO }, { "upper rewritten", "read set:A=b edited" },
	    .expect = "200 req-hdr req-body [HELLO]" },
	{ { HELLO }, { "upper rewritten", "read write:no unchanged" },
	    .expect = "200 req-hdr req-body [HELLO]" },
	{ { HELLO, PREVIEW("2") },
	    { "write:new rewritten", "read unchanged" },
	    .expect = "200 req-hdr req-body [new]",
	    .saw = "read 3 new" },
	/* what the middle one wrote is gone with its verdict */
	{ { HELLO },
	    { "upper rewritten", "read write:no edited", "read unchanged" },
	    .expect = "200 req-hdr req-body [HELLO]",
	    .saw = "read 5 hello, read 5 HELLO, read 5 HELLO" },
	/* replaced ends it */
	{ { HELLO }, { "respond:403=no replaced", "read unchanged" },
	    .expect = "200 res-hdr res-body [no]", .saw = "" },
	{ { HELLO }, { "upper rewritten", "respond:403=no replaced" },
	    .expect = "200 res-hdr res-body [no]" },
	/* failures */
	{ { HELLO, .allow = "204" }, { "read fail:a", "read unchanged" },
	    .on_error = ON_ERROR_PASS, .expect = "204",
	    .saw = "read 5 hello, read 5 hello" },
	{ { HELLO }, { "set:A=b edited", "set:C=d fail:a", "read unchanged" },
	    .on_error = ON_ERROR_PASS,
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO }, { "upper rewritten", "read write:x fail:a",
	    "read unchanged" }, .on_error = ON_ERROR_PASS,
	    .expect = "200 req-hdr req-body [HELLO]",
	    .saw = "read 5 hello, read 5 HELLO, read 5 HELLO" },
	{ { HELLO }, { "upper rewritten", "read write:x fail:a" },
	    .on_error = ON_ERROR_PASS,
	    .expect = "200 req-hdr req-body [HELLO]" },
	{ { HELLO }, { "unchanged", "fail:a", "read unchanged" },
	    .expect = "fault 500: a", .saw = "" },
	{ { HELLO }, { "unchanged", "none", "read unchanged" },
	    .expect = "fault 500: service returned no verdict", .saw = "" },
	/* members that do not serve the method */
	{ { HELLO }, { "upper rewritten", "write:x rewritten" },
	    .methods = { SERVICE_REQMOD, SERVICE_RESPMOD },
	    .expect = "200 req-hdr req-body [HELLO]" },
	{ { RESPMOD, HELLO }, { "upper rewritten", "write:x rewritten" },
	    .methods = { SERVICE_REQMOD, SERVICE_RESPMOD },
	    .expect = "200 res-hdr res-body [x]" },
	{ { HELLO, .allow = "204, 206" },
	    { "fail:a", "read:3 write:HEY rest rewritten", "fail:b" },
	    .methods = { SERVICE_RESPMOD, SERVICE_REQMOD, SERVICE_RESPMOD },
	    .expect = "206 req-hdr req-body [HEY]+3" },
	/* the spool is full, in a step's output: that is its failure */
	{ { HELLO }, { "fill:9000 rewritten", "read unchanged" },
	    .spool_max = 8000, .expect = "fault 500: service failed" },
	{ { HELLO }, { "careless fill:9000 rewritten", "read unchanged" },
	    .spool_max = 8000,
	    .expect = "fault 500: body could not be written" },
	{ { HELLO }, { "fill:7998 rest rewritten", "read unchanged" },
	    .spool_max = 8000,
	    .expect = "fault 500: body could not be read or kept" },
	{ { HELLO }, { "set:A=b fill:7998 rest rewritten", "read unchanged" },
	    .spool_max = 8000, .on_error = ON_ERROR_PASS,
	    .expect = "200 req-hdr req-body [hello]",
	    .saw = "read 5 hello" },
	{ { HELLO }, { "fill:9000 respond:403=no replaced", "unchanged" },
	    .spool_max = 8000, .expect = "fault 500: service failed" },
	{ { HELLO }, { "careless fill:9000 respond:403=no replaced",
	    "unchanged" }, .spool_max = 8000,
	    .expect = "200 res-hdr res-body [no]" },
	/* and in the original */
	{ { HELLO }, { "read unchanged" }, .spool_max = 4,
	    .expect = "fault 413: body exceeds the spool limit" },
	{ { HELLO }, { "read unchanged" }, .spool_max = 5,
	    .expect = "200 req-hdr req-body [hello]" },
	/* shadows see everything and change nothing */
	{ { HELLO, .allow = "204" }, { "upper rewritten" }, .shadow = true,
	    .expect = "204" },
	{ { HELLO }, { "upper rewritten", "read respond:403=no replaced" },
	    .shadow = true, .expect = "200 req-hdr req-body [hello]",
	    .saw = "read 5 hello, read 5 HELLO" },
	{ { HELLO, PREVIEW("2") }, { "respond:403=no replaced" },
	    .shadow = true, .expect = "204" },
	{ { HELLO }, { "fail:a" }, .shadow = true,
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO }, { "fail:a" }, .shadow = true,
	    .on_error = ON_ERROR_BLOCK,
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO }, { "none" }, .shadow = true,
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO }, { "fill:200000 rewritten" }, .shadow = true,
	    .expect = "200 req-hdr req-body [hello]" },
	{ { HELLO, .broken = "zz\r\n" }, { "read unchanged" }, .shadow = true,
	    .expect = "fault 400: chunk without a size" },
};

START_TEST(chained)
{
	play_scene(&chains[_i]);
}
END_TEST

/*
 * Everything that matters of a client, against scripts of which it is known
 * what they make of a body: the reply is the cheapest legal one, and what the
 * client has in the end is right.
 */
struct client {
	const char	*allow;
	const char	*preview;
	bool		 polite;
	bool		 eager;
	bool		 deaf;
	size_t		 step;
	size_t		 chunk;
};

static const struct client clients[] = {
	{ .allow = NULL },
	{ .allow = "204" },
	{ .allow = "204, 206" },
	{ .allow = "206", .chunk = 1000 },
	{ .preview = "0" },
	{ .preview = "1024" },
	{ .preview = "1024", .allow = "204", .chunk = 100 },
	{ .preview = "1024", .allow = "204, 206" },
	{ .preview = "1024", .allow = "206", .step = 1000 },
	{ .preview = "3000", .polite = true },
	{ .preview = "3000", .allow = "204, 206, trailers" },
	{ .preview = "1000", .eager = true },
	{ .deaf = true },
	{ .deaf = true, .step = 4000, .chunk = 7000 },
	{ .deaf = true, .allow = "204, 206", .chunk = 33 },
	{ .deaf = true, .preview = "1024" },
};

static const size_t lengths[] = { 0, 1, 1024, 3000, 20000, 150000, 400000 };

enum outcome { SAME, EDIT, UPPER, PREFIX, ALL };

static const struct {
	const char	*script[ADAPT_STEPS];
	enum outcome	 outcome;
	size_t		 wants;		/* bytes it reads; more: all */
} works[] = {
	{ { "unchanged" }, SAME, 0 },
	{ { "peek:500 unchanged" }, SAME, 0 },
	{ { "peek:70000 unchanged" }, SAME, 0 },
	{ { "read:100 peek:9000 unchanged" }, SAME, 100 },
	{ { "read unchanged" }, SAME, SIZE_MAX },
	{ { "fd unchanged" }, SAME, SIZE_MAX },
	{ { "set:A=b edited" }, EDIT, 0 },
	{ { "read:5000 set:A=b edited" }, EDIT, 5000 },
	{ { "upper rewritten" }, UPPER, SIZE_MAX },
	{ { "fd upper rewritten" }, UPPER, SIZE_MAX },
	{ { "read:1 write:+ rest rewritten" }, PREFIX, 1 },
	{ { "peek:5000 read:1 peek:5000 write:+ rest rewritten" }, PREFIX, 1 },
	{ { "read:1 write:+ pass rewritten" }, ALL, SIZE_MAX },
	{ { "read unchanged", "upper rewritten" }, UPPER, SIZE_MAX },
	{ { "upper rewritten", "read unchanged" }, UPPER, SIZE_MAX },
	{ { "upper rewritten", "copy rewritten", "fd unchanged" }, UPPER,
	    SIZE_MAX },
	{ { "read:9 unchanged", "fd unchanged", "set:A=b edited" }, EDIT,
	    SIZE_MAX },
	{ { "upper rewritten", "peek:60000 rest rewritten" }, UPPER,
	    SIZE_MAX },
};

/* A body that is printable, so that capitals mean something. */
static char *
make_text(size_t len)
{
	char	*p;
	size_t	 i;

	unit_must((p = malloc(len + 1)) != NULL);
	for (i = 0; i < len; i++)
		p[i] = (char)('a' + (i * 7 + i / 26 + i / 1000) % 26);
	p[len] = '\0';
	return p;
}

static char *
expected_body(enum outcome outcome, const char *body, size_t len,
    size_t *want)
{
	char	*p;
	size_t	 i;

	unit_must((p = malloc(len + 2)) != NULL);
	memcpy(p, body, len);
	*want = len;
	if (outcome == UPPER)
		for (i = 0; i < len; i++)
			p[i] = (char)(p[i] - 'a' + 'A');
	if (outcome == PREFIX || outcome == ALL) {
		if (len == 0)
			*want = 1;
		p[0] = '+';
	}
	return p;
}

/* The cheapest legal reply (RFC 3507 4.6; draft 206). */
static int
expected_status(const struct client *c, enum outcome outcome, bool asks,
    bool continued)
{
	bool	 in_preview = c->preview != NULL && !continued;
	bool	 ok204 = c->allow != NULL && strstr(c->allow, "204") != NULL;
	bool	 ok206 = c->allow != NULL && strstr(c->allow, "206") != NULL;

	if (outcome == SAME)
		return ok204 || in_preview ? 204 : 200;
	if (outcome == UPPER || outcome == ALL)
		return 200;
	return ok206 && (ok204 || (in_preview && asks)) ? 206 : 200;
}

static void
play_work(const struct client *c, size_t work, const char *body, size_t len,
    bool respmod)
{
	struct adapt	*a;
	char		*want, *got;
	size_t		 k, want_len, got_len, preview;
	bool		 reads, asks, eager;
	int		 status;

	preview = c->preview != NULL ? strtoul(c->preview, NULL, 10) : 0;
	eager = c->eager && len > preview;

	unit_must((a = calloc(1, sizeof(*a))) != NULL);
	a->ask.respmod = respmod;
	a->ask.allow = c->allow;
	a->ask.preview = c->preview;
	a->ask.polite = c->polite;
	a->ask.eager = eager;
	a->ask.chunk = c->chunk;
	a->ask.body = body;
	a->ask.len = len;
	a->deaf = c->deaf;
	a->wire.step = c->step;
	for (k = 0; k < ADAPT_STEPS; k++)
		a->script[k] = works[work].script[k];
	adapt_run(a);

	/* is there a part that has to be asked for, and does it ask? */
	asks = c->preview != NULL && !eager && (len > preview || c->polite);
	reads = asks && works[work].wants > (len < preview ? len : preview);
	status = expected_status(c, works[work].outcome, asks, reads);
	if (status == 200 && asks)
		reads = true;
	if (a->result != 0 || a->reply.status != status ||
	    a->reply.continues != (reads ? 1 : 0))
		ck_abort_msg("%s, client %zu, %zu bytes: %d, %u of 100, "
		    "expected %d and %d; %s", works[work].script[0],
		    (size_t)(c - clients), len, a->reply.status,
		    a->reply.continues, status, reads ? 1 : 0,
		    a->result != 0 ? a->txn.fault.why : "");
	want = expected_body(works[work].outcome, body, len, &want_len);
	got = adapt_body(a, &got_len);
	if (got_len != want_len || memcmp(got, want, got_len) != 0)
		ck_abort_msg("%s, client %zu, %zu bytes: wrong body of %zu",
		    works[work].script[0], (size_t)(c - clients), len,
		    got_len);
	free(got);
	free(want);
	adapt_fini(a);
	free(a);
}

START_TEST(every_client)
{
	char	*body;
	size_t	 i, k;

	for (k = 0; k < ROWS(lengths); k++) {
		body = make_text(lengths[k]);
		for (i = 0; i < ROWS(works); i++) {
			play_work(&clients[_i], i, body, lengths[k], false);
			play_work(&clients[_i], i, body, lengths[k], true);
		}
		free(body);
	}
}
END_TEST

/* ---- one by one --------------------------------------------------------- */

static struct adapt	*a;

static void
setup(void)
{
	ck_assert_ptr_nonnull(a = calloc(1, sizeof(*a)));
	a->ask.body = "hello";
	a->ask.len = 5;
}

static void
teardown(void)
{
	adapt_fini(a);
	free(a);
}

static void
check_shows(const char *expect)
{
	struct text	 got = { .len = 0 };

	adapt_show(a, &got);
	ck_assert_str_eq(got.s, expect);
}

static void
check_http(const char *expect)
{
	struct text	 got = { .len = 0 };

	got.s[0] = '\0';
	text_add(&got, a->reply.http.p, a->reply.http.len);
	ck_assert_str_eq(got.s, expect);
}

static void
check_icap(const char *name, const char *expect)
{
	struct slice	 value = strict_header(&a->reply, name);
	char		 text[512];

	ck_assert_uint_lt(value.len, sizeof(text));
	memcpy(text, value.p, value.len);
	text[value.len] = '\0';
	ck_assert_str_eq(text, expect);
}

/* C167, C197: how long the new message is. */
START_TEST(length_of_partial)
{
	a->ask.allow = "204, 206";
	a->script[0] = "read:3 write:HEYDAY rest rewritten";
	adapt_run(a);
	check_shows("206 req-hdr req-body [HEYDAY]+3");
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n"
	    "Content-Length: 8\\r\\n\\r\\n");
}
END_TEST

START_TEST(length_of_partial_unknown)
{
	a->ask.allow = "204, 206";
	a->ask.length = "2";
	a->script[0] = "read:3 write:HEYDAY rest rewritten";
	adapt_run(a);
	check_shows("206 req-hdr req-body [HEYDAY]+3");
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n");
}
END_TEST

START_TEST(length_of_rest)
{
	a->script[0] = "read:3 write:HEYDAY rest rewritten";
	adapt_run(a);
	check_shows("200 req-hdr req-body [HEYDAYlo]");
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n"
	    "Content-Length: 8\\r\\n\\r\\n");
}
END_TEST

START_TEST(length_of_chain_rest)
{
	a->script[0] = "upper rewritten";
	a->script[1] = "read:3 write:HEYDAY rest rewritten";
	adapt_run(a);
	check_shows("200 req-hdr req-body [HEYDAYLO]");
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n"
	    "Content-Length: 8\\r\\n\\r\\n");
}
END_TEST

START_TEST(length_of_empty)
{
	a->script[0] = "rewritten";
	adapt_run(a);
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n"
	    "Content-Length: 0\\r\\n\\r\\n");
}
END_TEST

/* The length that HEAD tells is that of a body we do not see. */
START_TEST(length_of_head)
{
	a->ask.respmod = true;
	a->ask.body = NULL;
	a->ask.length = "77";
	a->script[0] = "upper set:A=b rewritten";
	adapt_run(a);
	check_http("HTTP/1.1 200 OK\\r\\nServer: s\\r\\n"
	    "Content-Length: 77\\r\\nA: b\\r\\n\\r\\n");
}
END_TEST

/* Too long to be kept until it is known: no length. */
START_TEST(length_of_stream)
{
	a->script[0] = "fill:65537 rewritten";
	adapt_run(a);
	check_shows("200 req-hdr req-body [65537]");
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n");
}
END_TEST

START_TEST(length_kept)
{
	a->script[0] = "fill:65536 rewritten";
	adapt_run(a);
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n"
	    "Content-Length: 65536\\r\\n\\r\\n");
}
END_TEST

/* on-error = block is a page, and says so in the log. */
START_TEST(failed_block)
{
	a->ask.respmod = true;
	a->on_error = ON_ERROR_BLOCK;
	a->script[0] = "read write:x set:A=b fail:virus<engine>";
	adapt_run(a);
	ck_assert_str_eq(a->reply.hdr, "res-hdr");
	ck_assert_int_eq(a->txn.verdict, VERDICT_REPLACED);
	ck_assert_int_eq(a->txn.http_status, 403);
	ck_assert(a->txn.unscanned);
	ck_assert_ptr_eq(a->txn.decided, &a->service[0]);
	ck_assert_ptr_nonnull(memmem(a->reply.body, a->reply.body_len,
	    "virus&lt;engine&gt;", 19));
	ck_assert_ptr_null(memmem(a->reply.http.p, a->reply.http.len, "A: b",
	    4));
}
END_TEST

START_TEST(failed_pass)
{
	a->ask.allow = "204";
	a->on_error = ON_ERROR_PASS;
	a->script[0] = "fail:engine-is-down";
	adapt_run(a);
	check_shows("204");
	ck_assert(a->txn.unscanned);
	ck_assert_str_eq(a->txn.why, "engine-is-down");
	ck_assert_int_eq(a->txn.verdict, VERDICT_UNCHANGED);
	ck_assert_ptr_eq(a->txn.decided, &a->service[0]);
}
END_TEST

/* The engine failed, another edited: the failure stays on record. */
START_TEST(failed_then_edited)
{
	a->on_error = ON_ERROR_PASS;
	a->script[0] = "set:A=b fail:engine";
	a->script[1] = "set:C=d edited";
	adapt_run(a);
	ck_assert(a->txn.unscanned);
	ck_assert_int_eq(a->txn.verdict, VERDICT_EDITED);
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n"
	    "Content-Length: 5\\r\\nC: d\\r\\n\\r\\n");
}
END_TEST

START_TEST(no_verdict_is_unscanned)
{
	a->script[0] = "none";
	adapt_run(a);
	ck_assert(a->txn.unscanned);
	ck_assert_int_eq(a->txn.verdict, VERDICT_FAILED);
}
END_TEST

START_TEST(shadow_is_remembered)
{
	a->shadow = true;
	a->script[0] = "set:A=b reply:X-Virus-ID=eicar respond:403=no "
	    "replaced";
	adapt_run(a);
	check_shows("200 req-hdr req-body [hello]");
	check_icap("X-Virus-ID", "");
	ck_assert(a->txn.shadowed);
	ck_assert_int_eq(a->txn.verdict, VERDICT_REPLACED);
	check_http("POST http://h/a HTTP/1.1\\r\\nHost: h\\r\\n"
	    "Content-Length: 5\\r\\n\\r\\n");
}
END_TEST

/* A shadow that found nothing says nothing either. */
START_TEST(shadow_says_nothing)
{
	a->shadow = true;
	a->script[0] = "reply:X-Virus-ID=eicar unchanged";
	adapt_run(a);
	check_icap("X-Virus-ID", "");
	ck_assert(!a->txn.shadowed);
}
END_TEST

/* ---- headers of the reply ----------------------------------------------- */

START_TEST(reply_headers)
{
	a->ask.allow = "204";
	a->script[0] = "reply:X-Infection-Found=Type=0; "
	    "reply:X-Virus-ID=eicar unchanged";
	adapt_run(a);
	check_shows("204");
	check_icap("X-Infection-Found", "Type=0");
	check_icap("X-Virus-ID", "eicar");
}
END_TEST

static int	 errors[32];

static int
errno_of(int result)
{
	return result == -1 ? errno : 0;
}

static enum verdict
serve_reply_headers(struct txn *t, void *instance)
{
	char	 long_value[4100];
	int	 i = 0;

	(void)instance;
	memset(long_value, 'v', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = '\0';
	errors[i++] = errno_of(txn_reply_header(t, "X-A", "a\r\nX-B: b"));
	errors[i++] = errno_of(txn_reply_header(t, "X-A", "a\nb"));
	errors[i++] = errno_of(txn_reply_header(t, "X-A", "a\rb"));
	errors[i++] = errno_of(txn_reply_header(t, "X-A\r\nX-B", "a"));
	errors[i++] = errno_of(txn_reply_header(t, "X A", "a"));
	errors[i++] = errno_of(txn_reply_header(t, "", "a"));
	errors[i++] = errno_of(txn_reply_header(t, "X-A:", "a"));
	errors[i++] = errno_of(txn_reply_header(t, "X-A", ""));
	errors[i++] = errno_of(txn_reply_header(t, "X-A", " \t "));
	errors[i++] = errno_of(txn_reply_header(t, "X-A", NULL));
	errors[i++] = errno_of(txn_reply_header(t, "X-A", "\x01"));
	ck_assert_int_eq(i, 11);
	errors[i++] = errno_of(txn_reply_header(t, "encapsulated", "x"));
	errors[i++] = errno_of(txn_reply_header(t, "ISTAG", "x"));
	errors[i++] = errno_of(txn_reply_header(t, "Allow", "x"));
	errors[i++] = errno_of(txn_reply_header(t, "Connection", "x"));
	errors[i++] = errno_of(txn_reply_header(t, "Content-Length", "1"));
	errors[i++] = errno_of(txn_reply_header(t, "Trailer", "X-A"));
	errors[i++] = errno_of(txn_reply_header(t, "Transfer-Encoding", "x"));
	ck_assert_int_eq(i, 18);
	errors[i++] = errno_of(txn_reply_header(t, "X-Long", long_value));
	ck_assert_int_eq(i, 19);
	errors[i++] = errno_of(txn_reply_header(t, "X-Odd",
	    "  v\xc3\xa4\tx \xff "));
	/* as much as there is room for: not a byte more */
	long_value[4096 - 2 * 4 - 5 - 7 - strlen("vxx x x")] = '\0';
	errors[i++] = errno_of(txn_reply_header(t, "X-Max", long_value));
	errors[i++] = errno_of(txn_reply_header(t, "X", "y"));
	return VERDICT_UNCHANGED;
}

START_TEST(reply_header_injection)
{
	int	 i;

	a->serve = serve_reply_headers;
	adapt_run(a);
	for (i = 0; i < 11; i++)
		ck_assert_int_eq(errors[i], EINVAL);
	for (; i < 18; i++)
		ck_assert_int_eq(errors[i], EPERM);
	ck_assert_int_eq(errors[18], E2BIG);
	ck_assert_int_eq(errors[19], 0);
	check_icap("X-Odd", "v?? x ?");
	ck_assert_ptr_null(memmem(a->reply.icap.p, a->reply.icap.len, "X-B",
	    3));
}
END_TEST

/* ---- ICAP trailers (C170-C174) ------------------------------------------ */

START_TEST(trailer)
{
	a->ask.allow = "204, trailers";
	a->script[0] = "trailer:X-Scan-Result trailer:X-Other fill:70000 "
	    "reply:X-Scan-Result=clean rewritten";
	adapt_run(a);
	check_shows("200 req-hdr req-body [70000] then "
	    "X-Scan-Result: clean\\r\\nX-Other: -\\r\\n");
	check_icap("Allow", "trailers");
	check_icap("Trailer", "X-Scan-Result, X-Other");
	ck_assert_str_eq(a->saw.s, "");
}
END_TEST

/* The verdict was there before the reply: in its head, as always. */
START_TEST(trailer_in_time)
{
	a->ask.allow = "204, trailers";
	a->script[0] = "trailer:X-Scan-Result upper "
	    "reply:X-Scan-Result=clean rewritten";
	adapt_run(a);
	check_shows("200 req-hdr req-body [HELLO]");
	check_icap("X-Scan-Result", "clean");
	check_icap("Trailer", "");
}
END_TEST

START_TEST(trailer_half_in_time)
{
	a->ask.allow = "204, trailers";
	a->script[0] = "trailer:X-A trailer:X-B trailer:X-B reply:x-a=1 "
	    "fill:70000 reply:X-A=2 reply:X-B=3 reply:X-B=4 rewritten";
	adapt_run(a);
	check_shows("200 req-hdr req-body [70000] then X-B: 4\\r\\n");
	check_icap("x-a", "1");
	check_icap("Trailer", "X-B");
	ck_assert_str_eq(a->saw.s, "reply: Operation already in progress");
}
END_TEST

/* C172: never unless it was offered. */
START_TEST(trailer_not_offered)
{
	a->ask.allow = "204";
	a->script[0] = "trailer:X-A fill:70000 reply:X-A=1 rewritten";
	adapt_run(a);
	check_shows("200 req-hdr req-body [70000]");
	ck_assert_str_eq(a->saw.s, "trailer: Operation not supported, "
	    "reply: Operation already in progress");
}
END_TEST

START_TEST(trailer_errors)
{
	a->ask.allow = "trailers";
	a->script[0] = "trailer:Encapsulated trailer:Trailer trailer:X{A "
	    "trailer:1 trailer:2 trailer:3 trailer:4 trailer:5 "
	    "fill:70000 trailer:6 rewritten";
	adapt_run(a);
	check_icap("Trailer", "1, 2, 3, 4");
	ck_assert_str_eq(a->saw.s, "trailer: Operation not permitted, "
	    "trailer: Operation not permitted, trailer: Invalid argument, "
	    "trailer: Argument list too long, "
	    "trailer: Operation already in progress");
}
END_TEST

/* Only the last of a chain can be late; the others' promises are void. */
START_TEST(trailer_in_chain)
{
	a->ask.allow = "trailers";
	a->script[0] = "trailer:X-A fill:70000 reply:X-A=1 rewritten";
	a->script[1] = "trailer:X-B trailer:X-C copy reply:X-C=2 rewritten";
	adapt_run(a);
	check_shows("200 req-hdr req-body [70000] then "
	    "X-B: -\\r\\nX-C: 2\\r\\n");
	check_icap("X-A", "1");
}
END_TEST

/* C174: nothing behind a reply without a body, nor a 206. */
START_TEST(trailer_without_body)
{
	a->ask.allow = "204, 206, trailers";
	a->script[0] = "trailer:X-A respond:302 replaced";
	adapt_run(a);
	check_shows("200 res-hdr null-body");
	check_icap("Trailer", "");
}
END_TEST

/* ---- what goes wrong in the middle -------------------------------------- */

/* Part of a reply is sent: the connection ends, and it does not look whole. */
START_TEST(fails_while_writing)
{
	a->on_error = ON_ERROR_PASS;
	a->script[0] = "fill:70000 fail:late";
	adapt_run(a);
	check_shows("fault 0: late");
	ck_assert(a->txn.unscanned);
	ck_assert_uint_gt(a->wire.out_len, 60000);
	ck_assert_int_ne(memcmp(a->wire.out + a->wire.out_len - 5,
	    "0\r\n\r\n", 5), 0);
}
END_TEST

START_TEST(gives_up_while_writing)
{
	a->ask.allow = "204";
	a->script[0] = "fill:70000 unchanged";
	adapt_run(a);
	check_shows("fault 0: service gave up while it wrote");
}
END_TEST

/* One that takes an error for the end does not end the reply by it. */
START_TEST(breaks_while_writing)
{
	char	*body = make_text(300000);

	a->ask.body = body;
	a->ask.len = 300000;
	a->ask.broken = "zz\r\n";
	a->script[0] = "careless copy rewritten";
	adapt_run(a);
	check_shows("fault 0: chunk without a size");
	ck_assert_uint_gt(a->wire.out_len, 60000);
	ck_assert_int_ne(memcmp(a->wire.out + a->wire.out_len - 5,
	    "0\r\n\r\n", 5), 0);
	free(body);
}
END_TEST

START_TEST(client_goes_while_we_write)
{
	a->wire.send_error = EPIPE;
	a->wire.send_limit = 1000;
	a->script[0] = "fill:700000 rewritten";
	adapt_run(a);
	check_shows("fault 0: client went away while we wrote");
}
END_TEST

/* Overlooked by the service; it is still no success. */
START_TEST(client_goes_and_nobody_cares)
{
	a->wire.send_error = EPIPE;
	a->wire.send_limit = 1000;
	a->script[0] = "careless fill:700000 rewritten";
	adapt_run(a);
	check_shows("fault 0: client went away while we wrote");
}
END_TEST

/* A large page for a client that first wants to be rid of its own body. */
static enum verdict
serve_large_page(struct txn *t, void *instance)
{
	char	*page = make_text(300000);

	(void)instance;
	ck_assert_int_eq(txn_respond(t, 403, "text/plain", page, 300000), 0);
	free(page);
	return VERDICT_REPLACED;
}

START_TEST(early_page_to_the_deaf)
{
	char	*body = make_text(500000);

	a->ask.body = body;
	a->ask.len = 500000;
	a->ask.chunk = 777;
	a->deaf = true;
	a->serve = serve_large_page;
	adapt_run(a);
	check_shows("200 res-hdr res-body [300000]");
	ck_assert_ptr_null(a->spools.body.mem);
	free(body);
}
END_TEST

/* A page in answer to the preview: the rest is not asked for. */
START_TEST(early_page)
{
	a->ask.preview = "2";
	a->serve = serve_large_page;
	adapt_run(a);
	check_shows("200 res-hdr res-body [300000]");
}
END_TEST

START_TEST(closing)
{
	a->closing = true;
	a->ask.allow = "204";
	a->script[0] = "unchanged";
	adapt_run(a);
	check_icap("Connection", "close");
	ck_assert(a->txn.close);
}
END_TEST

/* A spool limit below the body: only for those who need it kept. */
START_TEST(spool_not_needed)
{
	char	*body = make_text(100000);

	a->spool_max = 10;
	a->ask.body = body;
	a->ask.len = 100000;
	a->script[0] = "unchanged";
	adapt_run(a);
	check_shows("200 req-hdr req-body [100000]");
	free(body);
}
END_TEST

START_TEST(spool_exceeded_by_the_deaf)
{
	char	*body = make_text(100000);

	a->spool_max = 10000;
	a->deaf = true;
	a->ask.body = body;
	a->ask.len = 100000;
	a->script[0] = "unchanged";
	adapt_run(a);
	ck_assert_int_eq(a->result, -1);
	ck_assert_int_eq(a->txn.fault.status, 0);
	free(body);
}
END_TEST

START_TEST(notes)
{
	unsigned int	 i;

	a->script[0] = "note:k=1 note:k=2 note:k=3 note:k=4 note:k=5 note:k=6 "
	    "note:k=7 note:k=8 note:k=9 unchanged";
	adapt_run(a);
	ck_assert_uint_eq(a->txn.nnotes, TXN_NOTES_MAX);
	for (i = 0; i < a->txn.nnotes; i++) {
		ck_assert_str_eq(a->txn.note[i].key, "script");
		ck_assert_int_eq(a->txn.note[i].value[0], '1' + (int)i);
	}
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, length_of_partial);
	tcase_add_test(tc, length_of_partial_unknown);
	tcase_add_test(tc, length_of_rest);
	tcase_add_test(tc, length_of_chain_rest);
	tcase_add_test(tc, length_of_empty);
	tcase_add_test(tc, length_of_head);
	tcase_add_test(tc, length_of_stream);
	tcase_add_test(tc, length_kept);
	tcase_add_test(tc, failed_block);
	tcase_add_test(tc, failed_pass);
	tcase_add_test(tc, failed_then_edited);
	tcase_add_test(tc, no_verdict_is_unscanned);
	tcase_add_test(tc, shadow_is_remembered);
	tcase_add_test(tc, shadow_says_nothing);
	tcase_add_test(tc, reply_headers);
	tcase_add_test(tc, reply_header_injection);
	tcase_add_test(tc, trailer);
	tcase_add_test(tc, trailer_in_time);
	tcase_add_test(tc, trailer_half_in_time);
	tcase_add_test(tc, trailer_not_offered);
	tcase_add_test(tc, trailer_errors);
	tcase_add_test(tc, trailer_in_chain);
	tcase_add_test(tc, trailer_without_body);
	tcase_add_test(tc, fails_while_writing);
	tcase_add_test(tc, gives_up_while_writing);
	tcase_add_test(tc, breaks_while_writing);
	tcase_add_test(tc, client_goes_while_we_write);
	tcase_add_test(tc, client_goes_and_nobody_cares);
	tcase_add_test(tc, early_page_to_the_deaf);
	tcase_add_test(tc, early_page);
	tcase_add_test(tc, closing);
	tcase_add_test(tc, spool_not_needed);
	tcase_add_test(tc, spool_exceeded_by_the_deaf);
	tcase_add_test(tc, notes);
}

static void
add_tables(TCase *tc)
{
	unit_add_rows(tc, verdicts, scenes);
	unit_add_rows(tc, chained, chains);
	unit_add_rows(tc, every_client, clients);
}

int
main(void)
{
	int	 tables = unit_main("txn: tables", add_tables);
	int	 tests = unit_main("txn", add_tests);

	return tables != EXIT_SUCCESS ? tables : tests;
}
