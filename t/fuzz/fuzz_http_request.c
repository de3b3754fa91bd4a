/*
 * HTTP requests: a connection's bytes, whole and in pieces, give the same requests and the
 * same verdict (taken or refused); every string asked for is there and bounded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_HEADER 2048
#define MAX_BODY 512

static uint64_t
mix(uint64_t hash, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ b[i]) * 0x100000001b3;
	return hash;
}

static uint64_t
mix_request(uint64_t hash, const struct request *r)
{
	unsigned facts[] = { request_method(r), request_http10(r), r->keep_alive };
	char value[64], path[256];
	const char *text;

	hash = mix(hash, facts, sizeof(facts));
	hash = mix(hash, request_path(r), strlen(request_path(r)) + 1);
	hash = mix(hash, request_query(r), strlen(request_query(r)) + 1);
	for (enum request_field f = FIELD_NONE + 1; f < FIELD_COUNT; f++)
		if ((text = request_field(r, f)) != NULL)
			hash = mix(hash, text, strlen(text) + 1);
	if (request_param(r, "a", value, sizeof(value)) == 0)
		hash = mix(hash, value, strlen(value));
	text = request_path(r);
	if (request_decode(text, strlen(text), path, sizeof(path)) == 0)
		hash = mix(hash, path, strlen(path));
	return hash;
}

static uint64_t
run(const uint8_t *data, size_t size, size_t piece)
{
	uint64_t hash = 0xcbf29ce484222325;
	struct request r;
	size_t used, n, have = 0;

	request_init(&r, MAX_HEADER, MAX_BODY);
	for (size_t at = 0; at < size && r.state != REQUEST_BAD; at += used) {
		n = size - at < piece ? size - at : piece;
		used = request_feed(&r, data + at, n);
		if (used > n || (used == 0 && r.state == REQUEST_MORE))
			abort();
		if (r.state == REQUEST_DONE) {
			hash = mix_request(hash, &r);
			request_reset(&r);
			have++;
		}
	}
	/* with two faults in one head the pieces decide which is named: only that it is refused */
	if (r.state == REQUEST_BAD && (r.status < 400 || r.why == NULL))
		abort();
	hash = mix(hash, &(bool){ r.state == REQUEST_BAD }, sizeof(bool));
	hash = mix(hash, &have, sizeof(have));
	request_free(&r);
	return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 1 << 15)
		return 0;
	if (run(data + 1, size - 1, size) != run(data + 1, size - 1, 1 + data[0] % 16))
		abort();
	return 0;
}
