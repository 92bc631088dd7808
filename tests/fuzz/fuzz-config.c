/* fuzz-sources: src/config/yaml.c src/config/value.c src/config/load.c src/config/dirs.c src/config/nearest.c src/config/provider.c */
/* fuzz-libs: -lyaml */
/*
 * The configuration: any bytes give one, or an error that says where.
 */
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config_env env = {.home = "/home/ana"};
	struct config *c = NULL;
	struct err e = {0};

	if (config_parse(span_of((const char *)data, size), "f", &env, &c,
		&e) == 0) {
		if (!c || c->naccounts == 0 || !c->account[0].host ||
		    !c->account[0].maildir)
			abort();
	} else if (c || e.code != ERR_CONFIG ||
	    strncmp(e.text, "f:", 2) != 0) {
		abort();
	}
	config_free(&c);
	return 0;
}
