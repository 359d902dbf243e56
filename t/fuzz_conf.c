/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: the configuration file, with the services of icapd.  What is
 * refused must be told why; what is accepted must be written by -nn as a file
 * that is accepted too and that -nn writes the same way.  Files that an input
 * includes are those of the folder it runs in and of the system; nothing is
 * bound and no service is started.
 */
#include <sys/mman.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../server/conf.h"
#include "../services/list.h"
#include "../services/registry.h"
#include "fuzz.h"

static unsigned int	 complaints;

/*
 * libconfuse 3.3 loses the names of an include() that is broken off.  That is
 * not ours to mend, and an administrator's mistakes are few.
 */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfuse";
}

static void
report(const char *message)
{
	must(message[0] != '\0');
	complaints++;
}

/* Loads a text as if it were a file. */
static struct conf *
load(const void *text, size_t len)
{
	struct conf_args	 args;
	struct conf		*conf;
	char			 path[40];
	int			 fd;

	if ((fd = memfd_create("conf", MFD_CLOEXEC)) == -1 ||
	    (len > 0 && pwrite(fd, text, len, 0) != (ssize_t)len))
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(&args, 0, sizeof(args));
	args.file = path;
	args.report = report;
	complaints = 0;
	conf = conf_load(&args);
	must((conf == NULL) == (complaints > 0));
	(void)close(fd);
	return conf;
}

/* As -nn writes it; its memory is the caller's. */
static char *
print(const struct conf *conf, size_t *len)
{
	char	*text = NULL;
	FILE	*fp;

	if ((fp = open_memstream(&text, len)) == NULL)
		abort();
	conf_print(conf, fp);
	if (fclose(fp) != 0)
		abort();
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf	*conf;
	char		*once, *twice;
	size_t		 once_len, twice_len;

	registry_use(service_list());
	if ((conf = load(data, len)) == NULL)
		return 0;
	once = print(conf, &once_len);
	conf_free(conf);
	conf = load(once, once_len);
	must(conf != NULL);
	twice = print(conf, &twice_len);
	conf_free(conf);
	must(once_len == twice_len && memcmp(once, twice, once_len) == 0);
	free(once);
	free(twice);
	return 0;
}
