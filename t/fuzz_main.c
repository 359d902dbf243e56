/* SPDX-License-Identifier: ISC */
/*
 * main() of the fuzz targets where there is no libFuzzer: plays the files and
 * folders given as arguments, each file once.  Linked into every fuzz_* that
 * is built without FUZZ_ENGINE; make check replays the corpora with it.
 */
#include "fuzz.h"

#ifndef FUZZ_ENGINE
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static unsigned int
play_file(const char *path, size_t size)
{
	uint8_t	*data;
	FILE	*f;

	if ((f = fopen(path, "rb")) == NULL)
		err(1, "%s", path);
	/* exactly as large as the input, so that ASan sees a step too far */
	if ((data = malloc(size > 0 ? size : 1)) == NULL)
		err(1, "malloc");
	if (fread(data, 1, size, f) != size)
		err(1, "%s", path);
	fclose(f);
	/* an abort leaves this as the last line */
	printf("%s\n", path);
	fflush(stdout);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static unsigned int
play(const char *path)
{
	char		 name[PATH_MAX];
	struct dirent	*entry;
	struct stat	 st;
	unsigned int	 played = 0;
	DIR		*dir;

	if (stat(path, &st) == -1)
		err(1, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return play_file(path, (size_t)st.st_size);
	if ((dir = opendir(path)) == NULL)
		err(1, "%s", path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path,
		    entry->d_name) >= (int)sizeof(name))
			errx(1, "%s/%s: name too long", path, entry->d_name);
		played += play(name);
	}
	closedir(dir);
	return played;
}

int
main(int argc, char *argv[])
{
	unsigned int	 played = 0;
	int		 i;

	for (i = 1; i < argc; i++)
		played += play(argv[i]);
	printf("%u inputs played\n", played);
	return played == 0;
}
#endif
