/* What an answer of the authorizer costs, and what 100,000 applications with 1,000,000 keys take: fills a
   store, reads it as a start does, asks. usage: authorizer [APPS KEYS] */
#include <stdlib.h>
#include <unistd.h>

#include "core/admin/authorizer_inside.h"
#include "core/base/clock.h"

#define ASKED  4096u /* different keys that are asked for in turn */
#define ROUNDS 500u

static char apps[ASKED][STORE_ID_SIZE], values[ASKED][STORE_VALUE_LEN + 1];

static void die(const char *what, const ss_error *err)
{
    (void)fprintf(stderr, "%s: %s\n", what, err ? err->text : "");
    exit(1);
}

static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        (void)sscanf(line, "VmRSS: %ld", &kib);
    if (f)
        (void)fclose(f);
    return kib;
}

/* As the store writes them, in one transaction. */
static void fill(database *db, long app_count, long key_count)
{
    ss_error err = error_init();
    keyed_hash salt;
    if (key_hash_salt(db, &salt, &err) != STORE_OK || database_begin(db, &err) != STORE_OK)
        die("fill", &err);
    char id[STORE_ID_SIZE], key[STORE_ID_SIZE], value[STORE_VALUE_LEN + 1], hash[KEY_HASH_TEXT + 1];
    for (long i = 0; i < app_count; i++) {
        key16_put_uuid((key16){(uint64_t)i * 0x9E3779B97F4A7C15ULL, (uint64_t)i}, id);
        database_value v[] = {database_text(ss_cstr(id)), database_text(SS_LIT("Some game's name"))};
        if (database_run(db, "INSERT INTO applications VALUES($1,$2,NULL,0,-1,-1,-1,1,1)", v, 2, NULL, NULL,
                         NULL, &err) != STORE_OK)
            die("application", &err);
    }
    for (long i = 0; i < key_count; i++) {
        long app = i % app_count;
        key16_put_uuid((key16){(uint64_t)app * 0x9E3779B97F4A7C15ULL, (uint64_t)app}, id);
        key16_put_uuid((key16){(uint64_t)i, ~(uint64_t)i}, key);
        (void)snprintf(value, sizeof value, "%086ld==", i);
        keyed_hash_put(&salt, ss_cstr(value), hash, KEY_HASH_TEXT);
        database_value v[] = {database_text(ss_cstr(id)), database_text(ss_cstr(key)),
                              database_text(ss_s(hash, KEY_HASH_TEXT)), database_text(ss_cstr(value))};
        if (database_run(db, "INSERT INTO authorizations VALUES($1,$2,$3,$4,1,'k',NULL,1,-1,-1,-1,1,1)", v, 4,
                         NULL, NULL, NULL, &err) != STORE_OK)
            die("key", &err);
        if (i < (long)ASKED) {
            memcpy(apps[i], id, sizeof id);
            memcpy(values[i], value, sizeof value);
        }
    }
    if (database_end(db, true, &err) != STORE_OK)
        die("fill", &err);
}

static ss_str no_header(const ss_request *request, const char *name)
{
    (void)request, (void)name;
    return ss_s("", 0);
}

static double ask(authorizer *a, size_t different, size_t shift, int32_t wanted)
{
    ss_request request = {.struct_size = sizeof request};
    ss_app out = {.struct_size = sizeof out};
    ss_error err = error_init();
    char text[AUTHORIZER_TEXT_SIZE];
    size_t wrong = 0;
    int64_t best_us = INT64_MAX;
    for (unsigned round = 0; round < ROUNDS; round++) {
        int64_t began = clock_us(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < ASKED; i++)
            wrong +=
                authorizer_check(a, &request, ss_s(values[(i % different + shift) % ASKED], STORE_VALUE_LEN),
                                 no_header, ss_s(apps[i % different], STORE_ID_SIZE - 1), SS_PROOF_KEY, 100,
                                 &out, text, &err) != wanted;
        int64_t took = clock_us(CLOCK_THREAD_CPUTIME_ID) - began;
        best_us = round > 2 && took < best_us ? took : best_us;
    }
    if (wrong)
        (void)printf("%zu wrong answers\n", wrong);
    return (double)best_us * 1000 / ASKED;
}

static authorizer *read_store(database *db, int64_t ttl_ms, double *seconds)
{
    ss_error err = error_init();
    int64_t began = clock_mono_us();
    authorizer *a = authorizer_new(db, &(authorizer_options){.ttl_ms = ttl_ms, .poll_ms = 1000}, &err);
    if (!a || !authorizer_wait(a, 600000))
        die("authorizer", &err);
    *seconds = (double)(clock_mono_us() - began) / 1e6;
    return a;
}

int main(int argc, char **argv)
{
    long app_count = argc > 1 ? atol(argv[1]) : 100000, key_count = argc > 2 ? atol(argv[2]) : 1000000;
    char dir[] = "/tmp/bench-authorizer-XXXXXX", path[128];
    if (!mkdtemp(dir) || key_count < (long)ASKED || app_count < 2)
        die("needs a directory and at least 4096 keys", NULL);
    (void)snprintf(path, sizeof path, "%s/applications.db", dir);
    database_options o = {.kind = DATABASE_SQLITE, .path = path};
    database *db = database_new(&o);
    fill(db, app_count, key_count);
    database_free(db);
    long before = resident_kib();
    double seconds;
    db = database_new(&o);
    authorizer *a = read_store(db, 300000, &seconds);
    authorizer_stats stats;
    authorizer_read_stats(a, &stats);
    double one = ask(a, 1, 0, SS_OK), many = ask(a, ASKED, 0, SS_OK), deny = ask(a, ASKED, 1, SS_REJECT);
    (void)printf("%llu applications, %llu keys: read in %.2f s, %.1f MB held, %.1f MB resident\n",
                 (unsigned long long)stats.apps, (unsigned long long)stats.keys, seconds,
                 (double)stats.bytes / 1e6, (double)(resident_kib() - before) * 1024 / 1e6);
    (void)printf("hit: %.0f ns (one key), %.0f ns (%u keys in turn), refused: %.0f ns\n", one, many, ASKED,
                 deny);
    authorizer_free(a);
    a = read_store(db, 0, &seconds);
    (void)printf("without a cache: %.0f ns (one key), %.0f ns (%u keys in turn)\n", ask(a, 1, 0, SS_OK),
                 ask(a, ASKED, 0, SS_OK), ASKED);
    authorizer_free(a);
    database_free(db);
    for (size_t i = 0; i < 3; i++) {
        static const char *const ends[] = {"", "-wal", "-shm"};
        char file[160];
        (void)snprintf(file, sizeof file, "%s%s", path, ends[i]);
        (void)unlink(file);
    }
    return rmdir(dir);
}
