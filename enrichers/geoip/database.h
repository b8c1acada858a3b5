/* One database file, checked whole and held in memory of its own: what happens to the file afterwards
   (another copy written over it, cut short) hurts nobody. Immutable: any thread. */
#ifndef GEOIP_DATABASE_H
#define GEOIP_DATABASE_H

#include <sys/stat.h>

#include "enrichers/geoip/location.h"

#define DATABASE_BYTES_MAX ((int64_t)2 << 30)

typedef struct database {
    MMDB_s mmdb; /* over a memfd */
    struct stat file;
    uint64_t records; /* that were checked */
} database;

/* NULL with the file's name and the reason. ways: what its records are read with. */
database *database_open(const char *path, const location_ways *ways, ss_error *err);
/* Any write changes st_ctime, also one that keeps size and st_mtime. */
bool database_same_file(const struct stat *a, const struct stat *b);
void database_close(database *d);

#endif
