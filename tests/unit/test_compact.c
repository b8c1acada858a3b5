/* Module compact from inside: which files become one, and whether what is copied is what manifests say. */
// with: modules/compact/manifest.c modules/compact/idmap.c modules/compact/index.c
// with: modules/compact/plan.c modules/compact/copy.c modules/compact/unpack.c
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "modules/compact/copy.h"
#include "modules/compact/plan.h"
#include "tests/unit/check.h"

#define MIB    (1 << 20)
#define HOUR   3600000000LL
#define DAY    (24 * HOUR)
#define SIZE   (128LL * MIB)
#define NOW    (20783 * DAY + 9 * HOUR) /* 2026-11-26T09:00 */
#define FOLDER "raw/day=25/"

/* ---- an index without a disk ---- */

typedef struct fixture {
    lake_index x;
    index_unit units[8];
    index_file files[64];
    plan_rules rules;
    char plan[1024];
} fixture;

static char names[64][40]; /* one test at a time, in a process of its own */

static void setup(fixture *f)
{
    memset(f, 0, sizeof *f);
    f->x.files = f->files;
    f->x.units = f->units;
    f->x.newest_us = NOW;
    f->x.arrived_us = NOW;
    f->rules = (plan_rules){.now_us = NOW, .unit_us = DAY, .grace_us = HOUR, .size = SIZE};
}

static index_file *put(fixture *f, const char *folder, int64_t min_us, int64_t bytes)
{
    size_t i = f->x.file_count++;
    (void)snprintf(names[i], sizeof names[i], "%02zu.ndjson.gz", i);
    f->files[i] = (index_file){.folder = folder,
                               .name = names[i],
                               .bytes = bytes,
                               .count = 1,
                               .min_us = min_us,
                               .max_us = min_us + 1000,
                               .seen_us = NOW - 3 * HOUR,
                               .unit = NO_UNIT};
    return &f->files[i];
}

static index_file *put_made(fixture *f, const char *folder, int64_t min_us, int64_t bytes,
                            enum unit_state state)
{
    index_file *made = put(f, folder, min_us, bytes);
    made->unit = f->x.unit_count;
    f->units[f->x.unit_count++] = (index_unit){.name = "u", .state = state};
    return made;
}

static bool note_unit(void *arg, const plan_unit *u)
{
    fixture *f = arg;
    size_t at = strlen(f->plan);
    for (size_t i = 0; i < u->count; i++)
        at += (size_t)snprintf(f->plan + at, sizeof f->plan - at, "%s%zu",
                               i    ? "+"
                               : at ? " "
                                    : "",
                               u->files[i]);
    return true;
}

static const char *plan(fixture *f)
{
    f->plan[0] = '\0';
    return plan_make(&f->x, &f->rules, note_unit, f) ? f->plan : "failed";
}

/* ---- which ---- */

static void closed_partitions_are_planned_oldest_first(void)
{
    fixture f;
    setup(&f);
    (void)put(&f, FOLDER, NOW - DAY, 10);
    (void)put(&f, "raw/day=24/", NOW - 2 * DAY, 10);
    (void)put(&f, FOLDER, NOW - DAY + 1, 10);
    (void)put(&f, "raw/day=24/", NOW - 2 * DAY - 1, 10);
    (void)put(&f, "raw/day=26/", NOW, 10); /* not over */
    (void)put(&f, "raw/day=26/", NOW, 10);
    (void)put(&f, "other/day=25/", NOW - DAY, 10); /* one alone is one already */
    CHECK_STR(plan(&f), "3+1 0+2");
    f.rules.partition = SS_LIT("raw/day=26");
    CHECK_STR(plan(&f), "4+5");
    f.rules.partition = SS_LIT("raw/day=2"); /* no folder's name */
    CHECK_STR(plan(&f), "");
    f.rules.partition = SS_LIT("raw/");
    CHECK_STR(plan(&f), "3+1 0+2 4+5");
}

static void a_partition_closes_by_the_stream_or_by_the_clock(void)
{
    fixture f;
    setup(&f);
    int64_t end = NOW / DAY * DAY;
    (void)put(&f, FOLDER, end - HOUR, 10);
    (void)put(&f, FOLDER, end - HOUR, 10);
    f.rules.now_us = f.x.newest_us = f.x.arrived_us = end + HOUR - 1;
    CHECK_STR(plan(&f), "");
    f.x.newest_us = end + 5 * HOUR; /* ahead of the clock: that is no proof */
    CHECK_STR(plan(&f), "");
    f.rules.now_us = f.x.newest_us = end + HOUR;
    CHECK_STR(plan(&f), "0+1");
    f.x.newest_us = end - HOUR; /* the stream stands still: the clock, when nothing came for as long */
    CHECK_STR(plan(&f), "");
    f.x.arrived_us = end;
    CHECK_STR(plan(&f), "0+1");
    f.files[1].max_us = end + HOUR; /* a file that reaches into the next day */
    CHECK_STR(plan(&f), "");
}

static void kinds_and_errors_stay_apart(void)
{
    fixture f;
    setup(&f);
    for (int i = 0; i < 8; i++)
        (void)put(&f, FOLDER, NOW - DAY + i, 10);
    f.files[1].errors = f.files[4].errors = true;
    f.files[2].name = "a.ndjson";
    f.files[5].name = "b.ndjson";
    f.files[6].name = "a.parquet";
    f.files[7].name = "b.parquet";
    CHECK_STR(plan(&f), "2+5 0+3 1+4");
}

static void lines_become_parquet_and_small_parquet_few(void)
{
    fixture f;
    setup(&f);
    f.rules.parquet = true;
    (void)put(&f, FOLDER, NOW - DAY, SIZE); /* large, but lines */
    (void)put(&f, FOLDER, NOW - DAY + 1, 10);
    f.files[1].errors = true; /* alone: they stay lines */
    CHECK_STR(plan(&f), "0");
    f.files[0].dead = true;
    for (int i = 0; i < 3; i++) /* of earlier compactions: no cut adds to them */
        put_made(&f, FOLDER, NOW - DAY + 2 + i, i == 2 ? SIZE : 10 + i, UNIT_DONE)->name = "a.parquet";
    CHECK_STR(plan(&f), "2+3");
    f.rules.parquet = false;
    CHECK_STR(plan(&f), "");
}

static void files_are_filled_up_to_size_and_large_ones_left_alone(void)
{
    fixture f;
    setup(&f);
    for (int i = 0; i < 7; i++)
        (void)put(&f, FOLDER, NOW - DAY + i, 50 * MIB);
    (void)put(&f, FOLDER, NOW - DAY + 3, SIZE / 2);
    CHECK_STR(plan(&f), "0+1+2 3+4+5"); /* 6 is left alone, and would be written twice */
    f.files[0].dead = true;
    CHECK_STR(plan(&f), "1+2+3 4+5+6");
}

static void late_files_are_gathered_and_do_not_rewrite_what_is_large(void)
{
    fixture f;
    setup(&f);
    index_file *made = put_made(&f, FOLDER, NOW - DAY, 40 * MIB, UNIT_DONE);
    index_file *late = put(&f, FOLDER, NOW - DAY, MIB);
    CHECK_STR(plan(&f), ""); /* one small file: not worth 40 MiB */
    (void)put(&f, FOLDER, NOW - DAY + 1, MIB);
    CHECK_STR(plan(&f), "1+2");
    late->seen_us = NOW - HOUR + 1; /* more may come */
    CHECK_STR(plan(&f), "");
    late->seen_us = NOW - HOUR;
    late->bytes = 9 * MIB;
    CHECK_STR(plan(&f), "0+1+2"); /* a quarter of it */
    f.units[made->unit].state = UNIT_PUBLISHED;
    CHECK_STR(plan(&f), "1+2"); /* its hidden name is in use */
}

static void what_late_files_write_anew_is_bounded(void)
{
    fixture f;
    setup(&f);
    int64_t written = 0, late = 0;
    (void)put_made(&f, FOLDER, NOW - DAY, 30 * MIB, UNIT_DONE);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 2; i++) {
            index_file *n = f.x.file_count < 60 ? put(&f, FOLDER, NOW - DAY + round, 64 << 10) : NULL;
            REQUIRE(n != NULL);
            late += n->bytes;
        }
        (void)plan(&f);
        bool joined[64] = {false};
        int64_t bytes = 0;
        for (char *p = f.plan; *p; p += *p != '\0')
            joined[strtoul(p, &p, 10)] = true;
        size_t kept = 0;
        for (size_t i = 0; i < f.x.file_count; i++) {
            bytes += joined[i] ? f.files[i].bytes : 0;
            if (!joined[i])
                f.files[kept++] = f.files[i];
        }
        f.x.file_count = kept;
        written += bytes;
        index_file *made = bytes ? put(&f, FOLDER, NOW - DAY, bytes) : NULL;
        if (made)
            made->unit = 0;
        for (size_t i = 0; i < f.x.file_count; i++) /* names are by place */
            f.files[i].name = names[i];
    }
    CHECK(written < 12 * late);
}

/* ---- manifests ---- */

static void a_unit_is_read_as_it_was_written(void)
{
    unit_head head = {.state = UNIT_PUBLISHED, .written_us = NOW, .published_us = NOW + 1000}, got;
    lake_object o = {.path = SS_LIT("a \"b\"/c.ndjson.gz"),
                     .bytes = 1,
                     .raw_bytes = 2,
                     .count = 3,
                     .min_us = -60000000LL * 60 * 24 * 365 * 1500 - 1000, /* the year 469: four digits */
                     .max_us = NOW,
                     .crc = 0xab,
                     .errors = true};
    grow text = {.limit = 1 << 16};
    (void)snprintf(head.final, sizeof head.final, "final/c.ndjson.gz");
    manifest_put_head(&text, "u", &head, &o);
    manifest_put_replaced(&text, SS_LIT("x/1"), true);
    manifest_put_replaced(&text, SS_LIT("x/2"), false);
    manifest_put_end(&text);
    CHECK(manifest_read(grow_str(&text), &got, &(manifest_visitor){.arg = NULL}));
    CHECK(got.state == head.state && got.written_us == head.written_us &&
          got.published_us == head.published_us);
    CHECK_STR(got.final, head.final);
    for (size_t cut = 0; cut + 1 < text.len; cut++) /* no part of it passes for one */
        CHECK(!manifest_read(ss_s(text.at, cut), &got, &(manifest_visitor){.arg = NULL}));
    grow_free(&text);
}

static void paths_out_of_the_lake_are_refused(void)
{
    static const char *const bad[] = {"/etc/x", "../x", "a/../../x", "", "a\\u0000b"};
    char text[512];
    unit_head head;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"state\":\"written\",\"final\":\"f\",\"objects\":[],\"replaces\":[\"%s\"]}",
                       bad[i]);
        CHECK(!manifest_read(ss_cstr(text), &head, &(manifest_visitor){.arg = NULL}));
    }
    CHECK(manifest_read(
        SS_LIT("{\"state\":\"written\",\"final\":\"f\",\"objects\":[],\"replaces\":[\"a..b/c\"]}"), &head,
        &(manifest_visitor){.arg = NULL}));
}

/* ---- copies ---- */

static bool never(void *arg)
{
    (void)arg;
    return false;
}

typedef struct disk {
    lake_index x;
    index_file files[3];
    char root[64];
    copier copier;
} disk;

static size_t pack(const char *text, size_t len, unsigned char *out, size_t size)
{
    z_stream s = {
        .next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)len, .next_out = out, .avail_out = (uInt)size};
    (void)deflateInit2(&s, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    (void)deflate(&s, Z_FINISH);
    size_t n = s.total_out;
    (void)deflateEnd(&s);
    return n;
}

static void put_disk(disk *d, size_t i, const char *text, size_t members)
{
    static char file_names[3][16];
    unsigned char bytes[4096];
    char path[128];
    size_t len = strlen(text), n = 0;
    index_file *f = &d->files[i];
    (void)snprintf(file_names[i], sizeof file_names[i], "%zu.ndjson.gz", i);
    *f = (index_file){.folder = "",
                      .name = file_names[i],
                      .unit = NO_UNIT,
                      .min_us = NOW + (int64_t)i,
                      .max_us = NOW + (int64_t)i};
    (void)snprintf(path, sizeof path, "%s/%s", d->root, f->name);
    FILE *out = fopen(path, "we");
    for (size_t m = 0; m < members; m++) {
        n = pack(text, len, bytes, sizeof bytes);
        (void)fwrite(bytes, 1, n, out);
        f->bytes += (int64_t)n;
        f->raw_bytes += (int64_t)len;
        f->crc = (uint32_t)crc32(f->crc, (const Bytef *)text, (uInt)len);
        for (size_t k = 0; k < len; k++)
            f->count += text[k] == '\n';
    }
    (void)fclose(out);
}

static void setup_disk(disk *d)
{
    memset(d, 0, sizeof *d);
    (void)snprintf(d->root, sizeof d->root, "/tmp/test_compact.XXXXXX");
    CHECK(mkdtemp(d->root) != NULL);
    (void)snprintf(d->x.root, sizeof d->x.root, "%s", d->root);
    d->x.files = d->files;
    CHECK(copier_init(&d->copier, never, NULL));
    put_disk(d, 0, "{\"a\":1}\n{\"a\":2}\n", 1);
    put_disk(d, 1, "{\"b\":1}\n", 3); /* as a compaction leaves it */
    put_disk(d, 2, "{\"c\":1}\n", 1);
}

static enum copy_result copy(disk *d, lake_object *sum, size_t *bad)
{
    static const size_t all[] = {0, 1, 2};
    ss_error err = {.struct_size = sizeof err};
    enum copy_result rc = copy_files(&d->copier, &d->x, all, 3, "out", sum, bad, &err);
    CHECK((rc == COPY_DONE) == (err.text[0] == '\0'));
    return rc;
}

static void drop_disk(disk *d)
{
    char path[128];
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", d->root, i < 3 ? d->files[i].name : "out");
        (void)unlink(path);
    }
    (void)rmdir(d->root);
    copier_free(&d->copier);
}

static void members_follow_each_other_and_sums_are_right(void)
{
    disk d;
    lake_object sum;
    size_t bad;
    char path[128], got[256];
    static const char want[] = "{\"a\":1}\n{\"a\":2}\n{\"b\":1}\n{\"b\":1}\n{\"b\":1}\n{\"c\":1}\n";
    setup_disk(&d);
    CHECK(copy(&d, &sum, &bad) == COPY_DONE);
    (void)snprintf(path, sizeof path, "%s/out", d.root);
    gzFile in = gzopen(path, "rb");
    int n = gzread(in, got, sizeof got);
    (void)gzclose(in);
    CHECK(n == (int)sizeof want - 1 && memcmp(got, want, (size_t)n) == 0);
    CHECK_INT(sum.count, 6);
    CHECK_INT(sum.raw_bytes, (long long)sizeof want - 1);
    CHECK_INT(sum.crc, crc32(0, (const Bytef *)want, sizeof want - 1));
    CHECK_INT(sum.bytes, d.files[0].bytes + d.files[1].bytes + d.files[2].bytes);
    CHECK(sum.min_us == NOW && sum.max_us == NOW + 2);
    drop_disk(&d);
}

static void each_kind_of_damage_is_found(void)
{
    disk d;
    lake_object sum;
    size_t bad = 0;
    char path[128];
    setup_disk(&d);
    int64_t *numbers[] = {&d.files[1].count, &d.files[1].raw_bytes};
    for (size_t i = 0; i < 2; i++) {
        *numbers[i] += 1;
        CHECK(copy(&d, &sum, &bad) == COPY_DAMAGED && bad == 1);
        *numbers[i] -= 1;
    }
    d.files[1].crc ^= 1;
    CHECK(copy(&d, &sum, &bad) == COPY_DAMAGED && bad == 1);
    d.files[1].crc ^= 1;
    (void)snprintf(path, sizeof path, "%s/%s", d.root, d.files[2].name);
    CHECK(truncate(path, d.files[2].bytes - 1) == 0);
    CHECK(copy(&d, &sum, &bad) == COPY_DAMAGED && bad == 2);
    put_disk(&d, 2, "{\"c\":1}", 1); /* its last line would become one with the next file's first */
    CHECK(copy(&d, &sum, &bad) == COPY_DAMAGED && bad == 2);
    CHECK(unlink(path) == 0);
    CHECK(copy(&d, &sum, &bad) == COPY_DAMAGED && bad == 2);
    (void)snprintf(path, sizeof path, "%s/out", d.root);
    CHECK(access(path, F_OK) != 0); /* nothing half is left */
    put_disk(&d, 2, "{\"c\":1}\n", 1);
    CHECK(copy(&d, &sum, &bad) == COPY_DONE);
    drop_disk(&d);
}

static const check_test tests[] = {TEST(closed_partitions_are_planned_oldest_first),
                                   TEST(a_partition_closes_by_the_stream_or_by_the_clock),
                                   TEST(kinds_and_errors_stay_apart),
                                   TEST(lines_become_parquet_and_small_parquet_few),
                                   TEST(files_are_filled_up_to_size_and_large_ones_left_alone),
                                   TEST(late_files_are_gathered_and_do_not_rewrite_what_is_large),
                                   TEST(what_late_files_write_anew_is_bounded),
                                   TEST(a_unit_is_read_as_it_was_written),
                                   TEST(paths_out_of_the_lake_are_refused),
                                   TEST(members_follow_each_other_and_sums_are_right),
                                   TEST(each_kind_of_damage_is_found)};
CHECK_MAIN(tests)
