/* SPDX-License-Identifier: ISC */
#ifndef SERVER_FOLDER_H
#define SERVER_FOLDER_H

#include "priv.h"

/*
 * Makes the folder, and those above it, where it is not there, and gives it
 * to the user of priv; one that holds something already stays whose it is.
 * Returns 0, or -1: with *why, a static text, where it must not be used as
 * somebody else could put files there; with *why NULL and errno where it
 * cannot be made.
 */
int	 folder_open(const char *path, const struct priv *priv,
	    const char **why);

#endif
