/* All applications and the hashes of all keys, in memory: about 26 bytes a key and 70 bytes and the name an
   application. One writer; readers within the gate, beside it. */
#ifndef ADMIN_DIRECTORY_H
#define ADMIN_DIRECTORY_H

#include "core/admin/gate.h"
#include "core/admin/key_hash.h"

#define DIRECTORY_APPS_MAX (4096u * 1024u)

typedef struct directory directory;

/* g: the gate that readers pass; borrowed. Room for so many; it grows. NULL: out of memory. */
directory *directory_new(gate *g, size_t apps, size_t keys);
void directory_free(directory *d);
size_t directory_apps(const directory *d);
size_t directory_keys(const directory *d);
size_t directory_bytes(const directory *d);
/* So much of it is of deleted applications that it should be read anew. */
bool directory_is_stale(const directory *d);

/* false: out of memory, or too many. */
bool directory_put_app(directory *d, key16 id, ss_str name, uint32_t flags, const store_limits *limits);
void directory_drop_app(directory *d, key16 id); /* and what its keys were good for */
/* app: unknown ones are ignored (they were deleted meanwhile). */
bool directory_put_key(directory *d, key16 hash, key16 app, bool enabled, const store_limits *limits);
void directory_drop_key(directory *d, key16 hash, key16 app);

typedef struct directory_app {
    uint32_t slot;
    uint32_t flags;
    key16 id;
    ss_str name; /* lives as long as the directory */
    store_limits limits;
} directory_app;
bool directory_find_app(const directory *d, key16 id, directory_app *out);
/* The next live one behind slot `after` (0 = from the start). */
bool directory_next_app(const directory *d, uint32_t after, directory_app *out);

enum directory_answer { DIRECTORY_UNKNOWN, DIRECTORY_OTHER, DIRECTORY_DISABLED, DIRECTORY_ALLOWED };
/* slot: of the application that is asked for. limits: of the key, where it is allowed; may be NULL. */
enum directory_answer directory_find_key(const directory *d, key16 hash, uint32_t slot, store_limits *limits);
bool directory_has_key_limits(const directory *d); /* some key has limits of its own */

#endif
