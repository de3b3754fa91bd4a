/* form.h - text of name=value&.. (application/x-www-form-urlencoded, WHATWG URL section 5.2). Pure. */
#ifndef MILLRACE_HOOKS_FORM_H
#define MILLRACE_HOOKS_FORM_H

/* *form grows by NAME=VALUE, VALUE escaped; *form NULL begins one. free(). */
void form_add(char **form, const char *name, const char *value);
/* URL with the form as, or behind, its query; free(). */
char *form_url(const char *url, const char *form);
#endif
