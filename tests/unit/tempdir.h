/*
 * tempdir: a directory of one test, and looking at files without the code
 * under test.
 */
#ifndef TESTS_TEMPDIR_H
#define TESTS_TEMPDIR_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int
tempdir_rm(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

/* PATH: at least 64 bytes; a $TMPDIR that does not fit is not used. */
static inline void
tempdir_make(char *path)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || tmp[0] != '/' || strlen(tmp) > 40)
		tmp = "/tmp";
	snprintf(path, 64, "%s/mochila-unit-XXXXXX", tmp);
	if (!mkdtemp(path)) {
		perror(path);
		exit(1);
	}
}

static inline void
tempdir_remove(const char *path)
{
	(void)nftw(path, tempdir_rm, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *
tempdir_join(char *out, const char *dir, const char *name)
{
	snprintf(out, 512, "%s/%s", dir, name);
	return out;
}

static inline void
tempdir_mkdir(const char *dir, const char *name)
{
	char path[512];

	tempdir_join(path, dir, name);
	for (char *p = path + strlen(dir) + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			(void)mkdir(path, 0700);
			*p = '/';
		}
	(void)mkdir(path, 0700);
}

static inline void
tempdir_write(const char *dir, const char *name, const void *p, size_t n)
{
	char path[512];
	int fd = open(tempdir_join(path, dir, name),
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n) {
		perror(path);
		exit(1);
	}
	close(fd);
}

/* The whole file, NUL behind it; -1 when it is not there.  Freed by caller. */
static inline ssize_t
tempdir_read(const char *dir, const char *name, char **out)
{
	char path[512];
	struct stat st;
	int fd = open(tempdir_join(path, dir, name), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	*out = NULL;
	if (fd < 0)
		return -1;
	(void)fstat(fd, &st);
	*out = calloc(1, (size_t)st.st_size + 1);
	n = read(fd, *out, (size_t)st.st_size);
	close(fd);
	return n;
}

static inline int
tempdir_exists(const char *dir, const char *name)
{
	char path[512];
	struct stat st;

	return lstat(tempdir_join(path, dir, name), &st) == 0;
}

static inline int
tempdir_not_dots(const struct dirent *x)
{
	return strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0;
}

/* How many entries; 0 when there is no such directory. */
static inline int
tempdir_count(const char *dir, const char *name)
{
	char path[512];
	DIR *d = opendir(tempdir_join(path, dir, name));
	struct dirent *x;
	int n = 0;

	if (!d)
		return 0;
	while ((x = readdir(d)))
		n += tempdir_not_dots(x);
	closedir(d);
	return n;
}

/* The names in a directory, in the order of their bytes: "a b c". */
static inline const char *
tempdir_list(char *out, const char *dir, const char *name)
{
	char path[512];
	struct dirent **v;
	size_t at = 0;
	int n = scandir(tempdir_join(path, dir, name), &v, tempdir_not_dots,
	    alphasort);

	if (n < 0) {
		perror(path);
		exit(1);
	}
	out[0] = '\0';
	for (int i = 0; i < n; i++) {
		at += (size_t)snprintf(out + at, 512 - at, "%s%s",
		    i ? " " : "", v[i]->d_name);
		if (at >= 512)
			exit(1);
		free(v[i]);
	}
	free(v);
	return out;
}

#endif
