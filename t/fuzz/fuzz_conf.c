/* The config: any text is a config or at least one error; what loads can be printed, loads the same again. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	json_t *errors = json_array(), *conf, *again;

	memcpy(text, data, size);
	text[size] = '\0';
	conf = conf_load_buffer("f.yaml", text, size, errors);
	if (conf == NULL && json_array_size(errors) == 0)
		abort();
	if (conf != NULL) {
		again = conf_load_buffer("f.yaml", text, size, errors);
		if (!json_equal(conf, again))
			abort();
		json_decref(again);
	}
	json_decref(conf);
	json_decref(errors);
	free(text);
	return 0;
}
