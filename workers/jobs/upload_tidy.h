/* upload_tidy.h - data_dir/uploads holds what is needed, not a file for each upload there ever was. */
#ifndef MILLRACE_UPLOAD_TIDY_H
#define MILLRACE_UPLOAD_TIDY_H

#include <stdbool.h>

/* Locks that nobody has; marks: and marks of what is gone, each of which has to be read. On a thread. */
void upload_tidy(const char *data_dir, bool marks);
#endif
