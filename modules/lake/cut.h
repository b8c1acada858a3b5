/* A cut: the journal range (a,b] over all partitions, first as temporary files, then sealed: plan stored,
   files published (disk.h, upload.h), manifest written, b committed. Every step can be done again. One
   thread. */
#ifndef LAKE_CUT_H
#define LAKE_CUT_H

#include <limits.h>

#include "modules/lake/gz.h"
#include "plugins/common/layout.h"
#include "plugins/common/parquet.h"
#include "plugins/common/sha256.h"

#define CUT_CHUNK_BYTES     (256u * 1024) /* raw lines that are compressed at once                          */
#define CUT_FIRST_BYTES     (16u * 1024)
#define CUT_OPEN_MAX        64u    /* partitions with a buffer and an open file; more of them spill  */
#define CUT_PARTITIONS_MAX  10000u /* then the cut ends                                              */
#define CUT_ROUTES          256u   /* cache: key -> partition                                        */
#define CUT_SYNCED_DIRS     64u    /* directories known to be on disk                                */
#define CUT_RECEIVERS_MAX   16u    /* of one Parquet file that give it columns                       */
#define CUT_COLUMNS_KEY_MAX 1024u
#define CUT_NAME_MAX        200u
#define CUT_FIELD_MAX       128u               /* bytes of the name of the field that holds the time */
#define CUT_PACE_STEP_BYTES (512u * 1024)      /* of one file: then its write-back is begun                */
#define CUT_PACE_BYTES      (4u * 1024 * 1024) /* begun and not yet waited for                              */

struct s3;
struct upload;

typedef struct cut_settings { /* what a plan keeps, so that a redo gives the same files */
    char path[PATH_MAX];      /* a directory, or s3://bucket/prefix */
    char partition[LAYOUT_TEMPLATE_MAX];
    char errors[LAYOUT_TEMPLATE_MAX]; /* where failed records go; empty: they are left out */
    char time_field[CUT_FIELD_MAX];
    bool gzip;
    bool by_receive; /* partitions by arrival */
    bool bad_time;   /* events whose time_field is no time count as failed */
    int level;
    bool parquet; /* files of events are Parquet; those of failed records are lines */
    parquet_settings columnar;
} cut_settings;

typedef struct cut_part {
    char *dir; /* owned; relative, ends in '/' or is empty */
    uint32_t number;
    int fd; /* -1: not open now */
    char *lines;
    size_t lines_len, lines_size;
    uint64_t out_bytes, raw_bytes, count, used;
    uint64_t started_at, waited_at; /* offsets: write-back begun, finished */
    uint32_t crc;
    int64_t event_min_us, event_max_us;
    sha256 *hash;                 /* S3: of the bytes so far */
    char sha_hex[SHA256_HEX + 1]; /* when it is closed */
    uint32_t spoiled;             /* S3: the store said so often that the bytes are not what they should be */
    bool created, trailed, closed, published;
    bool flying, overwrite; /* S3: its call is under way; the object there is known to be ours */
    bool errors;            /* holds failed records alone */
    bool parquet;           /* its lines are a file beside, until they have become a Parquet file */
    bool written, cautious; /* Parquet: the lines are whole; memory was short: small row groups   */
    ss_str receivers[CUT_RECEIVERS_MAX]; /* Parquet: whose records it has; texts are owned */
    size_t receiver_count;
} cut_part;

typedef struct cut_route {
    char *key; /* owned */
    size_t key_len;
    uint64_t hash;
    cut_part *part;
} cut_route;

typedef struct cut {
    const ss_host *host;
    cut_settings settings;
    layout layout, errors;
    uint64_t journal_id;
    char module[64];
    char work_dir[PATH_MAX]; /* S3: where temporary files are made        */
    char tmp_dir[PATH_MAX];  /* <path or work_dir>/_tmp/<journal>-<module>/ */
    struct s3 *s3;           /* borrowed; NULL: the lake is on disk       */
    struct upload *uploads;  /* S3_UPLOADS_MAX, while it is published     */
    gz *gz;                  /* with spare_lines: kept from cut to cut */
    char *spare_lines;       /* CUT_CHUNK_BYTES, or NULL */
    uint64_t a, b;           /* b: the last record taken */
    uint64_t raw_bytes, count, ticks;
    uint64_t failed;           /* of count: below errors */
    cut_part **parts, **slots; /* slots: by directory, open addressing */
    size_t part_count, part_size, slot_count;
    cut_part *open[CUT_OPEN_MAX];
    size_t open_count;
    cut_route routes[CUT_ROUTES];
    char *synced_dirs[CUT_SYNCED_DIRS]; /* owned */
    uint64_t objects, object_bytes;     /* of the last seal */
    char library[PATH_MAX];             /* of DuckDB */
    struct columnar *columnar;          /* while Parquet is written, and until cut_rest() */
    bool manifest_done;
} cut;

/* Results: SS_OK; SS_RETRY: nothing is lost, the same call may come again; SS_FATAL: the temporary files are
   not to be trusted any more (a failed sync): begin anew from the committed position. */
void cut_init(cut *c, const ss_host *host, uint64_t journal_id);
void cut_fini(cut *c);
/* Takes settings for the next cut (none may be open), makes the directories, deletes temporaries. */
int32_t cut_settle(cut *c, const cut_settings *settings, ss_error *err);
/* A record that settings leave out: it has no line in any cut. */
bool cut_leaves_out(const cut *c, const ss_record *r);
int32_t cut_add(cut *c, const ss_record *r, ss_error *err);
bool cut_is_full(const cut *c); /* as many partitions as there may be */
/* Objects in place, manifest written: all but plan and commit. S3: returns SS_RETRY in time before
   deadline_us with what is under way still flying, and SS_PAUSE, SS_THROTTLE as the store says. Parquet: the
   same while files are made. */
int32_t cut_publish(cut *c, int64_t deadline_us, ss_error *err);
void cut_clear(cut *c); /* forgets the cut; temporaries that were not renamed are deleted */
void cut_rest(cut *c);  /* gives back what is kept for the next cut: an idle module holds no workspace */
/* One record out of quarantine: an object of its own, named after its number. */
int32_t cut_single(cut *c, const ss_record *r, int64_t deadline_us, ss_error *err);

/* ---- for the files of the cut ---- */

const char *cut_extension(const cut *c, const cut_part *p);
const char *cut_content_type(const cut *c, const cut_part *p);
/* "journal=... module=... from=..." and a file's own numbers. */
size_t cut_comment(const cut *c, uint64_t a, uint64_t b, uint64_t count, uint32_t crc,
                   char out[CUT_NAME_MAX]);
uint64_t cut_hash(const char *bytes, size_t len);

#endif
