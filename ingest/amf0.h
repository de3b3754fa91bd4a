/*
 * amf0.h - AMF0 values (Adobe AMF 0, 2007) as JSON and back. Pure and bounded: depth,
 * number of values and string bytes. AMF3 values inside (marker 0x11) are read for the
 * simple types only.
 */
#ifndef MILLRACE_AMF0_H
#define MILLRACE_AMF0_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;

#define AMF0_DEPTH_MAX 16
#define AMF0_VALUES_MAX 2048

/*
 * Reads all values of a message into a JSON array (new reference), at most AMF0_VALUES_MAX
 * values in all. Torn or unknown input: what was read up to there, *whole false.
 * Objects and ECMA arrays become objects, dates numbers, undefined and unsupported null.
 */
json_t *amf0_read(const uint8_t *in, size_t len, int *whole);

void amf0_number(struct evbuffer *out, double v);
void amf0_string(struct evbuffer *out, const char *s);	/* at most 65535 bytes */
void amf0_null(struct evbuffer *out);
/* An object: begin, then key + value for each, then end. */
void amf0_object(struct evbuffer *out);
void amf0_key(struct evbuffer *out, const char *key);
void amf0_end(struct evbuffer *out);
#endif
