/*
 * amf0.c - AMF0 to JSON and back (contract in amf0.h). Called by rtmp_session.c and
 * rtmp_cmd.c. Never allocates by an announced length: every length is held against
 * the bytes that are there.
 */
#include "amf0.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <math.h>
#include <string.h>

#include "be.h"
#include "msg.h"

enum marker {
	AMF_NUMBER, AMF_BOOL, AMF_STRING, AMF_OBJECT, AMF_MOVIECLIP, AMF_NULL, AMF_UNDEFINED,
	AMF_REFERENCE, AMF_ECMA_ARRAY, AMF_OBJECT_END, AMF_STRICT_ARRAY, AMF_DATE, AMF_LONG_STRING,
	AMF_UNSUPPORTED, AMF_RECORDSET, AMF_XML, AMF_TYPED_OBJECT, AMF_AVMPLUS
};

struct reader { const uint8_t *p; size_t len; unsigned values; bool torn; };

static json_t *value(struct reader *r, unsigned depth);

static const uint8_t *
take(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->len < n) {
		r->torn = true;
		return NULL;
	}
	r->p += n;
	r->len -= n;
	return p;
}

static uint32_t
number_be(struct reader *r, size_t n)
{
	const uint8_t *p = take(r, n);

	return p != NULL ? be_get(p, (unsigned)n) : 0;
}

static json_t *
number(struct reader *r)
{
	const uint8_t *p = take(r, 8);
	uint64_t bits;
	double d;

	if (p == NULL)
		return NULL;
	bits = be_get64(p, 8);
	memcpy(&d, &bits, sizeof(d));
	return isfinite(d) ? json_real(d) : json_null();
}

static json_t *
string(struct reader *r, size_t length_bytes)
{
	size_t n = number_be(r, length_bytes);
	const uint8_t *p = take(r, n);

	return p != NULL ? msg_text(p, n) : NULL;
}

/* key, value ... until an empty key and the end marker. A torn one keeps what came before. */
static json_t *
object(struct reader *r, unsigned depth)
{
	json_t *o = json_object(), *key, *v;

	while (!r->torn) {
		key = string(r, 2);
		if (key == NULL)
			break;
		if (json_string_length(key) == 0 && r->len > 0 && r->p[0] == AMF_OBJECT_END) {
			take(r, 1);
			json_decref(key);
			break;
		}
		v = value(r, depth + 1);
		if (v != NULL)
			json_object_set_new(o, json_string_value(key), v);
		json_decref(key);
	}
	return o;
}

static json_t *
strict_array(struct reader *r, unsigned depth)
{
	uint32_t n = number_be(r, 4);
	json_t *a = json_array(), *v;

	for (uint32_t i = 0; i < n && !r->torn; i++) {
		v = value(r, depth + 1);
		if (v != NULL)
			json_array_append_new(a, v);
	}
	return a;
}

/* The AMF3 values that clients really put behind 0x11: undefined to string. */
static json_t *
amf3(struct reader *r)
{
	const uint8_t *marker = take(r, 1), *b;
	uint32_t u29 = 0;

	if (marker == NULL)
		return NULL;
	if (*marker <= 1)
		return json_null();
	if (*marker <= 3)
		return json_boolean(*marker == 3);
	if (*marker == 5)
		return number(r);
	if (*marker != 4 && *marker != 6) {
		r->torn = true;
		return NULL;
	}
	for (int i = 0; i < 4 && (b = take(r, 1)) != NULL; i++) {
		u29 = i == 3 ? u29 << 8 | *b : u29 << 7 | (*b & 0x7f);
		if (!(*b & 0x80))
			break;
	}
	if (*marker == 4)
		return r->torn ? NULL : json_real(u29);
	if (!(u29 & 1))			/* a reference to an earlier string: nothing follows */
		return json_null();
	b = take(r, u29 >> 1);
	return b != NULL ? msg_text(b, u29 >> 1) : NULL;
}

static json_t *
value(struct reader *r, unsigned depth)
{
	const uint8_t *marker = take(r, 1), *p;
	json_t *v;

	if (marker == NULL || depth >= AMF0_DEPTH_MAX || ++r->values > AMF0_VALUES_MAX) {
		r->torn = true;
		return NULL;
	}
	switch (*marker) {
	case AMF_NUMBER:
		return number(r);
	case AMF_BOOL:
		p = take(r, 1);
		return p != NULL ? json_boolean(*p) : NULL;
	case AMF_STRING:
		return string(r, 2);
	case AMF_LONG_STRING:
	case AMF_XML:
		return string(r, 4);
	case AMF_TYPED_OBJECT:
		json_decref(string(r, 2));
		return object(r, depth);
	case AMF_ECMA_ARRAY:
		number_be(r, 4);
		return object(r, depth);
	case AMF_OBJECT:
		return object(r, depth);
	case AMF_STRICT_ARRAY:
		return strict_array(r, depth);
	case AMF_DATE:
		v = number(r);
		number_be(r, 2);
		return v;
	case AMF_NULL:
	case AMF_UNDEFINED:
	case AMF_UNSUPPORTED:
		return json_null();
	case AMF_REFERENCE:
		number_be(r, 2);
		return json_null();
	case AMF_AVMPLUS:
		return amf3(r);
	default:
		r->torn = true;
		return NULL;
	}
}

json_t *
amf0_read(const uint8_t *in, size_t len, int *whole)
{
	struct reader r = { .p = in, .len = len };
	json_t *all = json_array(), *v;

	while (r.len > 0 && !r.torn) {
		v = value(&r, 0);
		if (v != NULL)
			json_array_append_new(all, v);
	}
	*whole = !r.torn;
	return all;
}

static void
put(struct evbuffer *out, uint8_t marker, const void *p, size_t n)
{
	evbuffer_add(out, &marker, 1);
	if (n > 0)
		evbuffer_add(out, p, n);
}

void
amf0_number(struct evbuffer *out, double d)
{
	uint64_t bits;
	uint8_t b[8];

	memcpy(&bits, &d, sizeof(bits));
	be_put(b, 8, bits);
	put(out, AMF_NUMBER, b, 8);
}

void
amf0_key(struct evbuffer *out, const char *key)
{
	size_t n = strlen(key) & 0xffff;
	uint8_t len[2] = { (uint8_t)(n >> 8), (uint8_t)n };

	evbuffer_add(out, len, 2);
	evbuffer_add(out, key, n);
}

void
amf0_string(struct evbuffer *out, const char *s)
{
	put(out, AMF_STRING, NULL, 0);
	amf0_key(out, s);
}

void
amf0_null(struct evbuffer *out)
{
	put(out, AMF_NULL, NULL, 0);
}

void
amf0_object(struct evbuffer *out)
{
	put(out, AMF_OBJECT, NULL, 0);
}

void
amf0_end(struct evbuffer *out)
{
	amf0_key(out, "");
	put(out, AMF_OBJECT_END, NULL, 0);
}
