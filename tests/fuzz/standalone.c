/*
 * Runs a fuzz target over files, without libFuzzer: make check does so with
 * the seed corpus and with every input that once was a finding.
 *
 *	fuzz-NAME FILE|DIRECTORY...
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
run_file(const char *path, unsigned *n)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *data = malloc(INPUT_MAX);
	uint8_t *exact;
	size_t size;

	if (!f || !data) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	size = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* A block of just that size, so that one byte too far is seen. */
	exact = malloc(size ? size : 1);
	if (!exact)
		exit(1);
	memcpy(exact, data, size);
	free(data);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	++*n;
	return 0;
}

static int
run_path(const char *path, unsigned *n)
{
	struct stat st;
	struct dirent *d;
	char sub[4096];
	DIR *dir;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return run_file(path, n);
	dir = opendir(path);
	if (!dir) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(sub, sizeof sub, "%s/%s", path, d->d_name);
		run_file(sub, n);
	}
	closedir(dir);
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned n = 0;

	for (int i = 1; i < argc; i++)
		if (run_path(argv[i], &n) != 0)
			return 1;
	if (n == 0) {
		fprintf(stderr, "%s: no input\n", argv[0]);
		return 1;
	}
	printf("%s: %u inputs\n", argv[0], n);
	return 0;
}
