/* S3's answers: any bytes are XML or refused; paths and texts stay within their limits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "workers/jobs/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
element_cb(const char *path, const char *text, void *ctx)
{
	size_t depth = 1;

	for (const char *p = path; (p = strchr(p, '/')) != NULL; p++)
		depth++;
	if (path[0] == '\0' || strlen(path) >= S3_XML_PATH || strlen(text) >= S3_XML_TEXT || depth > S3_XML_DEPTH)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1);

	memcpy(exact, data, size);
	s3_xml_parse(exact, size, element_cb, NULL);
	free(exact);
	return 0;
}
