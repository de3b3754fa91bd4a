/*
 * conf_env.c - ${NAME} and ${NAME:-default} in the config's values.
 *
 * A variable that is unset and has no default is an error that names it; one that is set but
 * empty counts as unset where there is a default, as in a shell. "$${" is a plain "${".
 * Called by conf_type.c for every scalar. What a variable holds is not looked at again.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/conf_table.h"
#include "util.h"

#define EXPANDED_MAX 65536

struct text {
	char *s;
	size_t len;
};

static void
append(struct text *t, const char *s, size_t n)
{
	t->s = xrealloc(t->s, t->len + n + 1);
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = '\0';
}

static bool
is_name(const char *s, size_t n)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	size_t i;

	if (n == 0 || strchr(letters, s[0]) == NULL)
		return false;
	for (i = 1; i < n; i++)
		if (strchr(letters, s[i]) == NULL && (s[i] < '0' || s[i] > '9'))
			return false;
	return true;
}

/* s is the inside of ${...}, n bytes. */
static int
append_variable(struct text *t, const char *s, size_t n, unsigned line, struct conf_errors *e)
{
	const char *minus = memmem(s, n, ":-", 2), *value;
	size_t name_len = minus != NULL ? (size_t)(minus - s) : n;
	char *name;

	if (!is_name(s, name_len)) {
		conf_error(e, line, "\"${%.*s}\": want ${NAME} or ${NAME:-default}", (int)(n < 60 ? n : 60), s);
		return -1;
	}
	name = xmalloc(name_len + 1);
	memcpy(name, s, name_len);
	name[name_len] = '\0';
	value = getenv(name);
	if (value == NULL && minus == NULL)
		conf_error(e, line, "environment variable %s is not set; set it, or write ${%s:-default}",
		    name, name);
	free(name);
	if (minus != NULL && (value == NULL || value[0] == '\0'))
		append(t, minus + 2, n - name_len - 2);
	else if (value != NULL)
		append(t, value, strlen(value));
	else
		return -1;
	return 0;
}

/* One step at *p: a plain run, "$${" or "${...}". */
static int
append_step(struct text *t, const char **p, unsigned line, struct conf_errors *e)
{
	const char *s = *p, *end;
	size_t run = strcspn(s, "$");

	if (run > 0) {
		append(t, s, run);
		*p = s + run;
	} else if (strncmp(s, "$${", 3) == 0) {
		append(t, "${", 2);
		*p = s + 3;
	} else if (s[1] != '{') {
		append(t, s, 1);
		*p = s + 1;
	} else {
		end = strchr(s, '}');
		if (end == NULL) {
			conf_error(e, line, "\"${\" without \"}\"");
			return -1;
		}
		*p = end + 1;
		return append_variable(t, s + 2, (size_t)(end - s) - 2, line, e);
	}
	return 0;
}

char *
conf_env_expand(const char *text, unsigned line, struct conf_errors *e)
{
	struct text t = { 0 };
	const char *p = text;

	append(&t, "", 0);
	while (*p != '\0') {
		if (append_step(&t, &p, line, e) == 0 && t.len <= EXPANDED_MAX)
			continue;
		if (t.len > EXPANDED_MAX)
			conf_error(e, line, "longer than %d bytes", EXPANDED_MAX);
		free(t.s);
		return NULL;
	}
	return t.s;
}
