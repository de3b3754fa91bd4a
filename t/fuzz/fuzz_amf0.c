/* AMF0: any bytes become JSON that can be printed, or are called torn; nothing is nested deeper than the limit. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/amf0.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned
depth(const json_t *v)
{
	unsigned deepest = 0, d;
	const char *key;
	json_t *child;
	size_t i;

	if (json_is_object(v))
		json_object_foreach((json_t *)v, key, child)
			deepest = (d = depth(child)) > deepest ? d : deepest;
	else
		json_array_foreach(v, i, child)
			deepest = (d = depth(child)) > deepest ? d : deepest;
	return deepest + 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	json_t *values;
	char *text;
	int whole;

	memcpy(exact, data, size);
	values = amf0_read(exact, size, &whole);
	free(exact);
	text = json_dumps(values, 0);
	if (text == NULL || !json_is_array(values) || depth(values) > AMF0_DEPTH_MAX + 2 ||
	    json_array_size(values) > AMF0_VALUES_MAX)
		abort();
	free(text);
	json_decref(values);
	return 0;
}
