/* SPDX-License-Identifier: ISC */
/*
 * Back-ends and numbers of services: what processes write comes together,
 * what a reload keeps and what it hides, when the daemon is ready, and texts
 * that nobody has checked.
 */
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/tally.h"
#include "unit.h"

#define PLACES	8
#define TIMES	20000

static struct tally	*tally;
static struct vitals	*vitals;

static void
begin(void)
{
	ck_assert_ptr_nonnull(tally = tally_open(PLACES, NULL));
	vitals = &tally_head(tally)->vitals;
}

static void
end(void)
{
	static uint64_t	 nowhere[VITAL_CELLS];

	vital_use(nowhere);
	tally_close(tally);
}

/* What a configuration wants, made by the tests below. */
struct want {
	struct service_backend	 backend[VITALS_BACKENDS + 4];
	struct service_counter	 counter[VITALS_NUMBERS + 4];
	struct service_gauge	 gauge[4];
	struct service_backend	*backends[VITALS_BACKENDS + 4];
	struct service_counter	*counters[VITALS_NUMBERS + 4];
	struct service_gauge	*gauges[4];
	struct vitals_wanted	 all;
};

static struct want *
want_new(void)
{
	struct want	*w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	w->all.backend = w->backends;
	w->all.counter = w->counters;
	w->all.gauge = w->gauges;
	return w;
}

static struct service_backend *
want_backend(struct want *w, const char *service, const char *name,
    bool needed)
{
	struct service_backend	*b = &w->backend[w->all.nbackends];

	b->is = (struct vital_name){ service, "kind", name, NULL };
	b->needed = needed;
	return w->backends[w->all.nbackends++] = b;
}

static struct service_counter *
want_counter(struct want *w, const char *service, const char *name)
{
	struct service_counter	*c = &w->counter[w->all.ncounters];

	c->is = (struct vital_name){ service, "kind", name, "A test." };
	return w->counters[w->all.ncounters++] = c;
}

static struct service_gauge *
want_gauge(struct want *w, const char *service, const char *name)
{
	struct service_gauge	*g = &w->gauge[w->all.ngauges];

	g->is = (struct vital_name){ service, "kind", name, "A test." };
	return w->gauges[w->all.ngauges++] = g;
}

static uint64_t
sum_of(const struct service_counter *c)
{
	static struct tally_sum	 sum;

	tally_sum(tally, &sum);
	return sum.own[c->cell];
}

/* "service name state why" of all that is shown. */
static void
show(struct text *t)
{
	struct vital_state	 s;
	unsigned int		 i;
	bool			 needed;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < vitals_backends(vitals); i++) {
		if (!vitals_is_shown(vitals, &vitals->backend[i].is,
		    &needed))
			continue;
		vital_read(&vitals->backend[i].state, &s);
		text_addf(t, "%s %s %s%s%s%s;", vitals->backend[i].is.service,
		    vitals->backend[i].is.name, vital_state_name(
		    (enum backend_state)s.state), needed ? "" : " free",
		    s.why[0] != '\0' ? " " : "", s.why);
	}
	for (i = 1; i < vitals_numbers(vitals); i++)
		if (vitals_is_shown(vitals, &vitals->number[i].is, NULL))
			text_addf(t, "%s %s;", vitals->number[i].is.service,
			    vitals->number[i].is.name);
}

static void
shown_is(const char *expect)
{
	struct text	 t;

	show(&t);
	ck_assert_str_eq(t.s, expect);
}

START_TEST(processes_count_together)
{
	struct want		*w = want_new();
	struct service_counter	*one, *two;
	struct service_gauge	*gauge;
	pid_t			 pid[PLACES];
	unsigned int		 i, k;

	begin();
	one = want_counter(w, "a", "one");
	two = want_counter(w, "b", "one");
	gauge = want_gauge(w, "a", "level");
	/* nobody has a place yet: it goes nowhere */
	service_count(one, 1000);
	ck_assert_int_eq(vitals_add(vitals, &w->all), 0);
	ck_assert_uint_ne(one->cell, 0);
	ck_assert_uint_ne(one->cell, two->cell);
	for (i = 0; i < PLACES; i++) {
		ck_assert_int_ne(pid[i] = fork(), -1);
		if (pid[i] != 0)
			continue;
		vital_use(tally_place(tally, i)->own);
		for (k = 0; k < TIMES; k++) {
			service_count(one, 1);
			service_count(two, i);
		}
		service_gauge_set(gauge, -17);
		_exit(0);
	}
	for (i = 0; i < PLACES; i++)
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	ck_assert_uint_eq(sum_of(one), PLACES * TIMES);
	ck_assert_uint_eq(sum_of(two), PLACES * (PLACES - 1) / 2 * TIMES);
	ck_assert_int_eq(*gauge->shared, -17);
	/* a successor goes on in the place of one that has died */
	vital_use(tally_place(tally, 3)->own);
	service_count(one, 5);
	ck_assert_uint_eq(sum_of(one), PLACES * TIMES + 5);
	end();
	free(w);
}
END_TEST

START_TEST(nobody_has_to_ask_for_a_handle)
{
	service_count(NULL, 1);
	service_gauge_set(NULL, 1);
	service_backend_set(NULL, BACKEND_UP, "%s", "version");
}
END_TEST

START_TEST(reload_keeps_and_hides)
{
	struct want		*old = want_new(), *bad = want_new();
	struct want		*new = want_new(), *last = want_new();
	struct service_backend	*b;
	struct service_counter	*c;

	begin();
	b = want_backend(old, "a", "stays", true);
	(void)want_backend(old, "a", "goes", true);
	c = want_counter(old, "a", "n");
	service_backend_set(b, BACKEND_UP, "version %d", 1);
	ck_assert_int_eq(vitals_add(vitals, &old->all), 0);
	/* nothing is shown of what does not serve yet */
	shown_is("");
	vitals_show(vitals, &old->all);
	shown_is("a stays up version 1;a goes unknown;a n;");
	vital_use(tally_place(tally, 0)->own);
	service_count(c, 7);

	/* a reload that comes to nothing */
	(void)want_backend(bad, "a", "never", true);
	(void)want_backend(bad, "a", "stays", false);
	ck_assert_int_eq(vitals_add(vitals, &bad->all), 0);
	shown_is("a stays up version 1;a goes unknown;a n;");

	/* and one that succeeds */
	b = want_backend(new, "a", "stays", false);
	(void)want_backend(new, "b", "stays", true);
	ck_assert_int_eq(vitals_add(vitals, &new->all), 0);
	shown_is("a stays up version 1;a goes unknown;a n;");
	vitals_show(vitals, &new->all);
	shown_is("a stays up free version 1;b stays unknown;");
	service_backend_set(b, BACKEND_DOWN, "gone");
	shown_is("a stays down free gone;b stays unknown;");

	/* what comes back has not been forgotten */
	c = want_counter(last, "a", "n");
	(void)want_backend(last, "a", "stays", true);
	ck_assert_int_eq(vitals_add(vitals, &last->all), 0);
	vitals_show(vitals, &last->all);
	shown_is("a stays down gone;a n;");
	service_count(c, 1);
	ck_assert_uint_eq(sum_of(c), 8);
	end();
	free(old);
	free(bad);
	free(new);
	free(last);
}
END_TEST

START_TEST(places_of_a_service_are_together)
{
	struct want	*old = want_new(), *new = want_new();
	unsigned short	 place[VITALS_BACKENDS];

	begin();
	(void)want_backend(old, "a", "1", true);
	(void)want_backend(old, "gone", "1", true);
	(void)want_backend(old, "b", "1", true);
	ck_assert_int_eq(vitals_add(vitals, &old->all), 0);
	ck_assert_uint_eq(vitals_list_backends(vitals, place), 0);
	(void)want_backend(new, "a", "1", true);
	(void)want_backend(new, "b", "1", true);
	(void)want_backend(new, "a", "2", true);
	(void)want_counter(new, "a", "n");
	(void)want_gauge(new, "b", "g");
	ck_assert_int_eq(vitals_add(vitals, &new->all), 0);
	vitals_show(vitals, &new->all);
	ck_assert_uint_eq(vitals_list_backends(vitals, place), 3);
	ck_assert_uint_eq(place[0], 0);
	ck_assert_uint_eq(place[1], 3);
	ck_assert_uint_eq(place[2], 2);
	ck_assert_uint_eq(vitals_list_numbers(vitals, place), 2);
	ck_assert_uint_eq(place[0], 1);
	ck_assert_uint_eq(place[1], 2);
	end();
	free(old);
	free(new);
}
END_TEST

START_TEST(ready_is_who_has_what_it_needs)
{
	struct want		*w = want_new();
	struct service_backend	*one, *two, *other, *lax;
	const char		*who = NULL;

	begin();
	ck_assert(vitals_is_ready(vitals, NULL));
	one = want_backend(w, "av", "one", true);
	two = want_backend(w, "av", "two", true);
	other = want_backend(w, "other", "one", true);
	lax = want_backend(w, "lax", "one", false);
	ck_assert_int_eq(vitals_add(vitals, &w->all), 0);
	vitals_show(vitals, &w->all);
	/* nobody has looked */
	ck_assert(!vitals_is_ready(vitals, &who));
	ck_assert_str_eq(who, "av");
	/* that of another service is of no use */
	service_backend_set(other, BACKEND_UP, NULL);
	ck_assert(!vitals_is_ready(vitals, NULL));
	/* one of two is enough, as it was before as well */
	service_backend_set(two, BACKEND_STALE, "as of yesterday");
	ck_assert(vitals_is_ready(vitals, NULL));
	service_backend_set(one, BACKEND_DOWN, "away");
	service_backend_set(lax, BACKEND_DOWN, "away");
	ck_assert(vitals_is_ready(vitals, NULL));
	service_backend_set(two, BACKEND_DOWN, "away");
	ck_assert(!vitals_is_ready(vitals, NULL));
	service_backend_set(one, BACKEND_UP, NULL);
	ck_assert(vitals_is_ready(vitals, NULL));
	service_backend_set(other, BACKEND_DOWN, NULL);
	ck_assert(!vitals_is_ready(vitals, &who));
	ck_assert_str_eq(who, "other");
	end();
	free(w);
}
END_TEST

START_TEST(time_is_that_of_the_state)
{
	struct service_backend	 b;
	struct vital_state	 first, s, shared;

	memset(&b, 0, sizeof(b));
	memset(&shared, 0, sizeof(shared));
	vital_get(&b, &s);
	ck_assert_int_eq(s.since, 0);
	service_backend_set(&b, BACKEND_UP, "one");
	vital_get(&b, &first);
	ck_assert_int_gt(first.since, 0);
	/* so that a change would show */
	b.own.since = first.since -= 1000;
	service_backend_set(&b, BACKEND_UP, "two");
	vital_get(&b, &s);
	ck_assert_int_eq(s.since, first.since);
	ck_assert_str_eq(s.why, "two");
	/* the text stays, until the state is another one */
	service_backend_set(&b, BACKEND_UP, NULL);
	vital_get(&b, &s);
	ck_assert_str_eq(s.why, "two");
	service_backend_set(&b, BACKEND_DOWN, NULL);
	vital_get(&b, &s);
	ck_assert_int_gt(s.since, first.since);
	ck_assert_str_eq(s.why, "");
	/* what was said in open() is no news where it is known */
	shared.state = BACKEND_DOWN;
	shared.since = 42;
	vital_share_backend(&b, &shared);
	ck_assert_int_eq(shared.since, 42);
	service_backend_set(&b, BACKEND_UP, NULL);
	ck_assert_int_gt(shared.since, 42);
	vital_get(&b, &s);
	ck_assert_uint_eq(s.state, BACKEND_UP);
}
END_TEST

START_TEST(writer_that_was_killed_is_passed_over)
{
	struct service_backend	 b;
	struct vital_state	 s;

	memset(&b, 0, sizeof(b));
	service_backend_set(&b, BACKEND_UP, "before");
	b.own.turn++;
	memset(b.own.why, 'x', sizeof(b.own.why));
	vital_get(&b, &s);
	ck_assert_uint_eq(strlen(s.why), sizeof(s.why) - 1);
	service_backend_set(&b, BACKEND_DOWN, "behind");
	vital_get(&b, &s);
	ck_assert_str_eq(s.why, "behind");
	ck_assert_uint_eq(s.state, BACKEND_DOWN);
	ck_assert_uint_eq(b.own.turn % 2, 0);
}
END_TEST

START_TEST(texts_are_made_fit_to_be_shown)
{
	static const struct {
		const char	*in, *out;
	}		 texts[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "two\nlines\r\n\033m\177", "two?lines???m?" },
		{ "caf\303\251", "caf\303\251" },
		{ "caf\351", "caf?" },
		{ "0123456789abcdefghi", "0123456789abcde" },
		/* not half of a character */
		{ "0123456789abcd\303\251", "0123456789abcd" },
	};
	char		 dst[16];
	size_t		 i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		vital_copy(dst, sizeof(dst), texts[i].in);
		ck_assert_str_eq(dst, texts[i].out);
	}
	ck_assert(vital_is_name("cache_hits2"));
	ck_assert(!vital_is_name(""));
	ck_assert(!vital_is_name("Hits"));
	ck_assert(!vital_is_name("hits-1"));
	ck_assert(!vital_is_name("hits_total"));
}
END_TEST

START_TEST(more_than_there_is_room_for)
{
	struct want	*w = want_new();
	static char	 name[VITALS_NUMBERS + 4][8];
	unsigned int	 i;

	begin();
	for (i = 0; i < VITALS_NUMBERS + 4; i++)
		(void)snprintf(name[i], sizeof(name[i]), "n%u", i);
	for (i = 0; i < VITALS_BACKENDS; i++)
		(void)want_backend(w, "a", name[i], false);
	for (i = 0; i < VITALS_NUMBERS - 1; i++)
		(void)want_counter(w, "a", name[i]);
	ck_assert_int_eq(vitals_add(vitals, &w->all), 0);
	(void)want_backend(w, "a", name[i + 1], true);
	(void)want_counter(w, "a", name[i + 1]);
	ck_assert_int_eq(vitals_add(vitals, &w->all), -1);
	/* it works all the same, for itself */
	ck_assert_ptr_null(w->backend[VITALS_BACKENDS].shared);
	ck_assert_uint_eq(w->counter[VITALS_NUMBERS - 1].cell, 0);
	ck_assert_uint_eq(w->counter[VITALS_NUMBERS - 2].cell,
	    VITALS_NUMBERS - 1);
	service_backend_set(w->backends[VITALS_BACKENDS], BACKEND_UP, "x");
	vital_use(tally_place(tally, 0)->own);
	service_count(w->counters[VITALS_NUMBERS - 1], 1);
	service_count(w->counters[VITALS_NUMBERS - 2], 1);
	ck_assert_uint_eq(sum_of(w->counters[VITALS_NUMBERS - 2]), 1);
	ck_assert_uint_eq(vitals_backends(vitals), VITALS_BACKENDS);
	/* a damaged file has its limits, too */
	vitals->nbackends = vitals->nnumbers = UINT32_MAX;
	ck_assert_uint_eq(vitals_backends(vitals), VITALS_BACKENDS);
	ck_assert_uint_eq(vitals_numbers(vitals), VITALS_NUMBERS);
	end();
	free(w);
}
END_TEST

static void
add(TCase *tc)
{
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, processes_count_together);
	tcase_add_test(tc, nobody_has_to_ask_for_a_handle);
	tcase_add_test(tc, reload_keeps_and_hides);
	tcase_add_test(tc, places_of_a_service_are_together);
	tcase_add_test(tc, ready_is_who_has_what_it_needs);
	tcase_add_test(tc, time_is_that_of_the_state);
	tcase_add_test(tc, writer_that_was_killed_is_passed_over);
	tcase_add_test(tc, texts_are_made_fit_to_be_shown);
	tcase_add_test(tc, more_than_there_is_room_for);
}

int
main(void)
{
	return unit_main("vitals", add);
}
