/* SPDX-License-Identifier: ISC */
/*
 * The keys of icapd.conf(5): name, type, range, default, and the field of
 * struct conf each is for.  One table, from which everything else is made:
 * what libconfuse may accept (conf_parse.c), what a value may be, what -nn
 * prints, and what t/conf-lint.sh compares the manual with.  To add a key:
 * its field in conf.h, its line in the table, its default below, its entry
 * in the manual.  Keys of services are in their own tables, not here.
 */
#include <arpa/inet.h>
#include <sys/socket.h>

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/chars.h"
#include "conf_key.h"
#include "ring.h"

#ifndef RUN_DIR
#define RUN_DIR		"/run/icapd"
#endif

#define SECOND	INT64_C(1000)
#define MINUTE	(60 * SECOND)
#define HOUR	(60 * MINUTE)
#define DAY	(24 * HOUR)
#define KIB	INT64_C(1024)
#define MIB	(1024 * KIB)
#define GIB	(1024 * MIB)
#define TIB	(1024 * GIB)

#define KEY(section, name, type, min, max, words, reload, where, field)	\
	{ section, name, type, min, max, words,				\
	    offsetof(struct where, field),				\
	    sizeof(((struct where *)NULL)->field), reload }

static const struct conf_word	 yes_no[] = {
	/* the first of each value is the one that is printed */
	{ "no", 0 }, { "yes", 1 }, { "off", 0 }, { "on", 1 },
	{ "false", 0 }, { "true", 1 }, { NULL, 0 }
};
static const struct conf_word	 any[] = { { "any", 0 }, { NULL, 0 } };
static const struct conf_word	 off[] = { { "off", 0 }, { NULL, 0 } };
static const struct conf_word	 inherit[] = { { "inherit", 0 }, { NULL, 0 } };
static const struct conf_word	 preview[] = {
	{ "auto", CONF_PREVIEW_AUTO }, { "none", CONF_PREVIEW_NONE },
	{ NULL, 0 }
};
static const struct conf_word	 on_error[] = {
	{ "fail", ON_ERROR_FAIL }, { "pass", ON_ERROR_PASS },
	{ "block", ON_ERROR_BLOCK }, { NULL, 0 }
};

static const struct conf_word	 form[] = {
	{ "ecs", RECORD_ECS }, { "text", RECORD_TEXT },
	{ "custom", RECORD_CUSTOM }, { NULL, 0 }
};
static const struct conf_word	 only[] = {
	{ "errors", RECORD_ERRORS }, { "blocked", RECORD_BLOCKED },
	{ "unscanned", RECORD_UNSCANNED }, { NULL, 0 }
};

static const struct conf_key	 keys[] = {
	KEY("", "user", CONF_TEXT, 0, 0, NULL, true, conf, user),
	KEY("", "group", CONF_TEXT, 0, 0, NULL, true, conf, group),
	KEY("", "chroot", CONF_PATH, 0, 0, NULL, true, conf, priv.chroot),
	KEY("", "pidfile", CONF_PATH, 0, 0, NULL, false, conf, pid_file),
	KEY("", "run-dir", CONF_PATH, 0, 0, NULL, false, conf, run_dir),

	KEY("", "log-ring", CONF_SIZE, RING_SIZE_MIN, RING_SIZE_MAX, NULL,
	    false, conf, view.log_ring),
	KEY("", "log-cut", CONF_SIZE, RECORD_CUT_MIN,
	    RECORD_CUT_MAX, NULL, true, conf, view.log_cut),
	KEY("", "id-header", CONF_TEXT, 0, 0, NULL, true, conf,
	    view.id_header),

	KEY("log", "access", CONF_WORD, 0, 0, yes_no, true, conf_log_text,
	    log.access),
	KEY("log", "events", CONF_WORD, 0, 0, yes_no, true, conf_log_text,
	    log.events),
	KEY("log", "form", CONF_WORD, 0, 0, form, true, conf_log_text,
	    log.form),
	KEY("log", "format", CONF_TEXT, 0, 0, NULL, true, conf_log_text,
	    log.format),
	KEY("log", "only", CONF_LIST, 0, 0, NULL, true, conf_log_text,
	    only),

	KEY("status", "address", CONF_TEXT, 0, 0, NULL, false, conf,
	    view.status_address),
	KEY("status", "connections", CONF_NUMBER, 1, 1000, NULL, false, conf,
	    view.status_connections),

	KEY("process", "sandbox", CONF_WORD, 0, 0, yes_no, true, conf,
	    priv.sandbox),
	KEY("process", "core", CONF_WORD, 0, 0, yes_no, true, conf,
	    priv.core),
	KEY("process", "files", CONF_NUMBER, 16, 1 << 20, inherit, true, conf,
	    priv.files),
	KEY("process", "memory", CONF_SIZE, 16 * MIB, TIB, inherit, true,
	    conf, priv.memory),

	KEY("listen", "workers", CONF_NUMBER, 1, CONF_WORKERS_MAX, NULL,
	    true, conf_listen, workers),
	KEY("listen", "backlog", CONF_NUMBER, 1, 65535, NULL, false,
	    conf_listen, backlog),
	KEY("listen", "defer-accept", CONF_TIME, SECOND, HOUR, off, false,
	    conf_listen, defer_accept),
	KEY("listen", "allow", CONF_NETS, 0, 0, NULL, true, conf_listen,
	    allow),
	KEY("listen", "max-per-client", CONF_NUMBER, 1, 100000, any, true,
	    conf_listen, max_per_client),
	KEY("listen", "mode", CONF_MODE, 0, 0777, NULL, false, conf_listen,
	    mode),
	KEY("listen", "owner", CONF_TEXT, 0, 0, NULL, false, conf_listen,
	    owner),

	KEY("timeouts", "head", CONF_TIME, 1, HOUR, NULL, true, conf,
	    timeouts.head),
	KEY("timeouts", "body", CONF_TIME, 1, HOUR, NULL, true, conf,
	    timeouts.body),
	KEY("timeouts", "write", CONF_TIME, 1, HOUR, NULL, true, conf,
	    timeouts.write),
	KEY("timeouts", "keep-alive", CONF_TIME, 1, DAY, NULL, true, conf,
	    timeouts.keep_alive),
	KEY("timeouts", "transaction", CONF_TIME, 1, DAY, NULL, true, conf,
	    timeouts.transaction),
	KEY("timeouts", "stop", CONF_TIME, 0, HOUR, NULL, true, conf,
	    timeouts.stop),
	KEY("timeouts", "grace", CONF_TIME, 0, HOUR, NULL, true, conf,
	    timeouts.grace),
	KEY("timeouts", "queue", CONF_TIME, 1, HOUR, off, true, conf,
	    timeouts.queue),

	KEY("limits", "request-line", CONF_SIZE, 256, MIB, NULL, true, conf,
	    limits.request_line),
	KEY("limits", "head", CONF_SIZE, KIB, 16 * MIB, NULL, true, conf,
	    limits.head),
	KEY("limits", "http-heads", CONF_SIZE, KIB, 64 * MIB, NULL, true,
	    conf, limits.http_heads),
	KEY("limits", "fields", CONF_NUMBER, 8, 10000, NULL, true, conf,
	    limits.fields),
	KEY("limits", "chunk-line", CONF_SIZE, 16, 64 * KIB, NULL, true,
	    conf, limits.chunk_line),
	KEY("limits", "trailers", CONF_SIZE, 0, MIB, NULL, true, conf,
	    limits.trailers),

	KEY("spool", "directory", CONF_PATH, 0, 0, NULL, true, conf,
	    spool_dir),
	KEY("spool", "memory", CONF_SIZE, 4 * KIB, GIB, NULL, true, conf,
	    spool_memory),
	KEY("spool", "limit", CONF_SIZE, 4 * KIB, 16 * TIB, NULL, true, conf,
	    spool_limit),

	KEY("service", "run", CONF_LIST, 0, 0, NULL, true, conf_service,
	    run),
	KEY("service", "preview", CONF_SIZE, 0, MIB, preview, true,
	    conf_service, preview),
	KEY("service", "options-ttl", CONF_TIME, SECOND, 30 * DAY, NULL,
	    true, conf_service, options_ttl),
	KEY("service", "transfer-preview", CONF_LIST, 0, 0, NULL, true,
	    conf_service, transfer_preview),
	KEY("service", "transfer-ignore", CONF_LIST, 0, 0, NULL, true,
	    conf_service, transfer_ignore),
	KEY("service", "transfer-complete", CONF_LIST, 0, 0, NULL, true,
	    conf_service, transfer_complete),
	KEY("service", "x-include", CONF_LIST, 0, 0, NULL, true,
	    conf_service, x_include),
	KEY("service", "on-error", CONF_WORD, 0, 0, on_error, true,
	    conf_service, on_error),
	KEY("service", "shadow", CONF_WORD, 0, 0, yes_no, true,
	    conf_service, shadow),
	KEY("service", "template", CONF_PATH, 0, 0, NULL, true,
	    conf_service, template_file),

	{ .name = NULL }
};

const struct conf_key *
conf_keys(void)
{
	return keys;
}

const struct conf_key *
conf_key_find(const char *section, const char *name)
{
	const struct conf_key	*key;

	for (key = keys; key->name != NULL; key++)
		if (strcmp(key->section, section) == 0 &&
		    strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

bool
conf_section_is_known(const char *section)
{
	const struct conf_key	*key;

	for (key = keys; key->name != NULL; key++)
		if (strcmp(key->section, section) == 0)
			return true;
	return false;
}

bool
conf_section_has_title(const char *section)
{
	return strcmp(section, "listen") == 0 ||
	    strcmp(section, "log") == 0 ||
	    strcmp(section, "service") == 0;
}

void
conf_key_init(struct conf *conf)
{
	static const struct limits	 limits = LIMITS_DEFAULT;

	memset(conf, 0, sizeof(*conf));
	conf->timeouts.head = 10 * SECOND;
	conf->timeouts.body = 60 * SECOND;
	conf->timeouts.write = 60 * SECOND;
	conf->timeouts.keep_alive = 60 * SECOND;
	conf->timeouts.transaction = 300 * SECOND;
	conf->timeouts.stop = 30 * SECOND;
	conf->timeouts.grace = 10 * SECOND;
	conf->timeouts.queue = 10 * SECOND;
	conf->limits = limits;
	conf->spool_dir = getenv("TMPDIR");
	if (conf->spool_dir == NULL || conf->spool_dir[0] != '/')
		conf->spool_dir = "/tmp";
	conf->spool_memory = 256 * KIB;
	conf->spool_limit = 4 * GIB;
	conf->run_dir = RUN_DIR;
	priv_init(&conf->priv);
	conf->view.log_ring = RING_SIZE_MIN;
	conf->view.log_cut = RECORD_CUT_DEFAULT;
	conf->view.status_connections = 16;
}

bool
conf_key_is_run_dir(const char *path)
{
	return strcmp(path, RUN_DIR) == 0;
}

void
conf_key_init_listen(struct conf_listen *l)
{
	memset(l, 0, sizeof(*l));
	l->workers = 64;
	l->backlog = 1024;
	l->defer_accept = 30 * SECOND;
	l->mode = 0660;
	l->uid = (uid_t)-1;
	l->gid = (gid_t)-1;
}

void
conf_key_init_log(struct conf_log_text *t)
{
	memset(t, 0, sizeof(*t));
	t->log.access = true;
	t->log.form = RECORD_ECS;
}

const struct conf_word *
conf_key_only(void)
{
	return only;
}

void
conf_key_init_service(struct conf_service *s)
{
	static const char *const	 all[] = { "*" };

	memset(s, 0, sizeof(*s));
	s->preview = CONF_PREVIEW_AUTO;
	s->options_ttl = HOUR;
	s->transfer_preview.text = all;
	s->transfer_preview.n = 1;
}

/* Reads digits and a unit; *value is in the smallest one. */
static int
parse_scaled(const char *text, const struct conf_word *unit, int64_t *value)
{
	struct slice	 digits;
	uint64_t	 n;

	digits.p = text;
	digits.len = chars_span(text, strlen(text), CHARS_DIGIT);
	if (chars_parse_uint(digits, INT64_MAX, &n) == -1)
		return -1;
	for (; unit->word != NULL; unit++)
		if (strcmp(text + digits.len, unit->word) == 0)
			break;
	if (unit->word == NULL ||
	    n > (uint64_t)(INT64_MAX / unit->value))
		return -1;
	*value = (int64_t)n * unit->value;
	return 0;
}

/* Largest first, for writing; "" is what a number without unit means. */
static const struct conf_word	 units_time[] = {
	{ "d", DAY }, { "h", HOUR }, { "m", MINUTE }, { "s", SECOND },
	{ "ms", 1 }, { "", SECOND }, { NULL, 0 }
};
static const struct conf_word	 units_size[] = {
	{ "T", TIB }, { "G", GIB }, { "M", MIB }, { "k", KIB }, { "", 1 },
	{ "t", TIB }, { "g", GIB }, { "m", MIB }, { "K", KIB }, { NULL, 0 }
};
static const struct conf_word	 units_none[] = { { "", 1 }, { NULL, 0 } };

static const struct conf_word *
key_units(const struct conf_key *key)
{
	if (key->type == CONF_TIME)
		return units_time;
	if (key->type == CONF_SIZE)
		return units_size;
	return units_none;
}

static int
parse_mode(const char *text, int64_t *value)
{
	size_t	 len = strlen(text), i;

	if (len == 0 || len > 4)
		return -1;
	*value = 0;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '7')
			return -1;
		*value = *value * 8 + (text[i] - '0');
	}
	return 0;
}

/* The number a text stands for, in the key's range. */
static int
parse_number(const struct conf_key *key, const char *text, int64_t *value)
{
	const struct conf_word	*word;
	int			 error;

	for (word = key->words; word != NULL && word->word != NULL; word++)
		if (strcmp(word->word, text) == 0) {
			*value = word->value;
			return 0;
		}
	if (key->type == CONF_WORD)
		return -1;
	if (key->type == CONF_MODE)
		error = parse_mode(text, value);
	else
		error = parse_scaled(text, key_units(key), value);
	if (error == -1 || *value < key->min || *value > key->max)
		return -1;
	return 0;
}

/* Fields are bool, or integers and enums of 4 or 8 bytes. */
static void
store(void *field, size_t size, int64_t value)
{
	bool		 b = value != 0;
	uint32_t	 half = (uint32_t)value;

	if (size == sizeof(b))
		memcpy(field, &b, size);
	else if (size == sizeof(half))
		memcpy(field, &half, size);
	else
		memcpy(field, &value, size);
}

static int64_t
load(const void *field, size_t size)
{
	bool		 b;
	int32_t		 half;
	int64_t		 value;

	if (size == sizeof(b)) {
		memcpy(&b, field, size);
		return b;
	}
	if (size == sizeof(half)) {
		memcpy(&half, field, size);
		return half;
	}
	memcpy(&value, field, sizeof(value));
	return value;
}

static int
add_net(struct admit_list *nets, const char *text, struct arena *arena)
{
	struct admit_net	 net, *grown;
	const char		*why;

	if (admit_parse_net(text, &net, &why) == -1)
		return -1;
	grown = arena_grow(arena, nets->net, nets->n, sizeof(net));
	grown[nets->n++] = net;
	nets->net = grown;
	return 0;
}

static void
add_text(struct conf_texts *texts, const char *text, struct arena *arena)
{
	const char	**grown;

	grown = arena_grow(arena, texts->text, texts->n, sizeof(*grown));
	grown[texts->n++] = arena_copy(arena, text);
	texts->text = grown;
}

int
conf_key_set(const struct conf_key *key, void *base, const char *text,
    struct arena *arena)
{
	void		*field = (char *)base + key->offset;
	const char	*copy;
	int64_t		 value;

	switch (key->type) {
	case CONF_PATH:
		if (text[0] != '/' && text[0] != '\0')
			return -1;
		/* FALLTHROUGH */
	case CONF_TEXT:
		copy = text[0] != '\0' ? arena_copy(arena, text) : NULL;
		memcpy(field, &copy, sizeof(copy));
		return 0;
	case CONF_LIST:
		if (text[0] == '\0')
			return -1;
		add_text(field, text, arena);
		return 0;
	case CONF_NETS:
		return add_net(field, text, arena);
	default:
		if (parse_number(key, text, &value) == -1)
			return -1;
		store(field, key->size, value);
		return 0;
	}
}

void
conf_key_clear(const struct conf_key *key, void *base)
{
	memset((char *)base + key->offset, 0, key->size);
}

const char *
conf_key_type_name(const struct conf_key *key)
{
	static const char *const	 name[] = {
		[CONF_TEXT] = "text", [CONF_PATH] = "path",
		[CONF_NUMBER] = "number", [CONF_SIZE] = "size",
		[CONF_TIME] = "time", [CONF_WORD] = "word",
		[CONF_MODE] = "mode", [CONF_LIST] = "list",
		[CONF_NETS] = "networks",
	};

	return name[key->type];
}

static void
format_number(const struct conf_key *key, int64_t value, char *dst,
    size_t size)
{
	const struct conf_word	*unit = key_units(key);

	if (key->type == CONF_MODE) {
		(void)snprintf(dst, size, "%04" PRIo64, (uint64_t)value);
		return;
	}
	if (value == 0)
		unit = key->type == CONF_TIME ? &units_time[3] : units_none;
	while (value % unit->value != 0)
		unit++;
	(void)snprintf(dst, size, "%" PRId64 "%s", value / unit->value,
	    unit->word);
}

static void
append(char *dst, size_t size, const char *text)
{
	size_t	 len = strlen(dst);

	(void)snprintf(dst + len, size - len, "%s", text);
}

/* The words as "fail, pass or block"; `more` alternatives follow. */
static void
format_words(const struct conf_key *key, bool more, char *dst, size_t size)
{
	const struct conf_word	*word;

	/* other spellings of yes and no are not worth telling */
	if (key->words == yes_no) {
		(void)snprintf(dst, size, "yes or no");
		return;
	}
	dst[0] = '\0';
	for (word = key->words; word != NULL && word->word != NULL; word++) {
		if (word != key->words)
			append(dst, size, more || word[1].word != NULL ?
			    ", " : " or ");
		append(dst, size, word->word);
	}
	if (more && dst[0] != '\0')
		append(dst, size, " or ");
}

void
conf_key_format_range(const struct conf_key *key, char *dst, size_t size)
{
	char	 min[32], max[32];
	size_t	 len;

	dst[0] = '\0';
	switch (key->type) {
	case CONF_NUMBER:
	case CONF_SIZE:
	case CONF_TIME:
	case CONF_MODE:
		format_words(key, true, dst, size);
		len = strlen(dst);
		format_number(key, key->min, min, sizeof(min));
		format_number(key, key->max, max, sizeof(max));
		(void)snprintf(dst + len, size - len, "%s to %s", min, max);
		break;
	case CONF_WORD:
		format_words(key, false, dst, size);
		break;
	default:
		break;
	}
}

void
conf_key_expect(const struct conf_key *key, char *dst, size_t size)
{
	static const char *const	 what[] = {
		[CONF_TEXT] = "a text", [CONF_PATH] = "an absolute path",
		[CONF_NUMBER] = "a number from ",
		[CONF_SIZE] = "a size (bytes, or with k, M, G or T) from ",
		[CONF_TIME] = "a time (seconds, or with ms, s, m, h or d) "
		    "from ",
		[CONF_WORD] = "", [CONF_MODE] = "an octal mode from ",
		[CONF_LIST] = "a text that is not empty",
		[CONF_NETS] = "an address or a network, like 10.0.0.0/8 or "
		    "::1",
	};
	char				 min[32], max[32];
	size_t				 len;

	format_words(key, key->type != CONF_WORD, dst, size);
	append(dst, size, what[key->type]);
	if (key->type == CONF_NUMBER || key->type == CONF_SIZE ||
	    key->type == CONF_TIME || key->type == CONF_MODE) {
		format_number(key, key->min, min, sizeof(min));
		format_number(key, key->max, max, sizeof(max));
		len = strlen(dst);
		(void)snprintf(dst + len, size - len, "%s to %s", min, max);
	}
}

void
conf_write_text(const char *text, FILE *fp)
{
	(void)putc('"', fp);
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			(void)fputs("\\n", fp);
		else if (*text == '\r')
			(void)fputs("\\r", fp);
		else {
			if (strchr("\"\\$", *text) != NULL)
				(void)putc('\\', fp);
			(void)putc(*text, fp);
		}
	}
	(void)putc('"', fp);
}

static void
write_nets(const struct admit_list *nets, FILE *fp)
{
	const struct admit_net	*net;
	char			 address[INET6_ADDRSTRLEN];
	unsigned int		 i;

	for (i = 0; i < nets->n; i++) {
		net = &nets->net[i];
		if (inet_ntop(net->family, net->address, address,
		    sizeof(address)) == NULL)
			abort();	/* it came from inet_pton() */
		(void)fprintf(fp, "%s\"%s/%u\"", i > 0 ? ", " : "", address,
		    net->bits);
	}
}

static void
write_texts(const struct conf_texts *texts, FILE *fp)
{
	unsigned int	 i;

	for (i = 0; i < texts->n; i++) {
		if (i > 0)
			(void)fputs(", ", fp);
		conf_write_text(texts->text[i], fp);
	}
}

static void
write_number(const struct conf_key *key, int64_t value, FILE *fp)
{
	const struct conf_word	*word;
	char			 text[32];

	for (word = key->words; word != NULL && word->word != NULL; word++)
		if (word->value == value) {
			(void)fputs(word->word, fp);
			return;
		}
	format_number(key, value, text, sizeof(text));
	(void)fputs(text, fp);
}

void
conf_key_write(const struct conf_key *key, const void *base, FILE *fp)
{
	const void	*field = (const char *)base + key->offset;
	const char	*text;

	switch (key->type) {
	case CONF_TEXT:
	case CONF_PATH:
		memcpy(&text, field, sizeof(text));
		conf_write_text(text != NULL ? text : "", fp);
		break;
	case CONF_LIST:
		(void)putc('{', fp);
		write_texts(field, fp);
		(void)putc('}', fp);
		break;
	case CONF_NETS:
		(void)putc('{', fp);
		write_nets(field, fp);
		(void)putc('}', fp);
		break;
	default:
		write_number(key, load(field, key->size), fp);
		break;
	}
}
