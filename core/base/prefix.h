/* Where this server is installed: found from the running binary, so that an installed tree may be moved or
   unpacked anywhere. No state; any thread. */
#ifndef BASE_PREFIX_H
#define BASE_PREFIX_H

#include <limits.h>

/* PREFIX/below, where the binary is PREFIX/bin/streamsteam beside a PREFIX/lib/streamsteam; else below the
   prefix that it was built for. out always holds a path; cut where it would be longer than PATH_MAX. */
const char *prefix_path(const char *below, char out[PATH_MAX]);

#endif
