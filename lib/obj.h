/*
 * obj.h - what a JSON object from elsewhere says under a key, when anything else than the
 * expected is as good as nothing.
 */
#ifndef MILLRACE_OBJ_H
#define MILLRACE_OBJ_H

#include <jansson.h>

/* "" if it is no string; borrowed. */
static inline const char *
obj_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* 0 if it is no whole number. */
static inline json_int_t
obj_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}
#endif
