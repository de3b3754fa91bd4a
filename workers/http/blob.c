/* blob.c - bytes with a count of who needs them (contract in http.h). */
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "util.h"

struct blob *
blob_new(const void *bytes, size_t len)
{
	struct blob *b = xmalloc(sizeof(*b) + len);

	b->refs = 1;
	b->len = len;
	if (bytes != NULL)
		memcpy(b->data, bytes, len);
	return b;
}

struct blob *
blob_ref(struct blob *b)
{
	b->refs++;
	return b;
}

void
blob_drop(struct blob **b)
{
	if (*b != NULL && --(*b)->refs == 0)
		free(*b);
	*b = NULL;
}
