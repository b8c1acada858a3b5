#include "core/admin/keyring.h"

#include <pthread.h>
#include <stdlib.h>

#define FIRST_KEYS 16u

typedef struct key_list {
    iam_key *keys;
    size_t count, size;
    bool failed;
} key_list;

struct keyring {
    pthread_rwlock_t lock;
    key_list list; /* sorted by id */
    bool loaded;
};

static void list_fini(key_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        iam_forget(&l->keys[i]);
    free(l->keys);
    *l = (key_list){.keys = NULL};
}

keyring *keyring_new(void)
{
    keyring *k = calloc(1, sizeof *k);
    if (k)
        (void)pthread_rwlock_init(&k->lock, NULL);
    return k;
}

void keyring_free(keyring *k)
{
    if (!k)
        return;
    list_fini(&k->list);
    (void)pthread_rwlock_destroy(&k->lock);
    free(k);
}

/* By hand instead of realloc(), so that no copy of a secret is left behind. */
static bool grow(key_list *l)
{
    size_t size = l->size ? l->size * 2 : FIRST_KEYS, count = l->count;
    iam_key *old = l->keys;
    l->keys = malloc(size * sizeof *l->keys);
    if (!l->keys) {
        l->keys = old;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        l->keys[i] = old[i];
        iam_forget(&old[i]);
    }
    free(old);
    l->size = size;
    return true;
}

static void add(void *arg, const iam_key *key)
{
    key_list *l = arg;
    if (l->failed || l->count >= IAM_KEYS_MAX)
        return;
    if (l->count == l->size && !grow(l))
        l->failed = true;
    else
        l->keys[l->count++] = *key;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const iam_key *)a)->id, ((const iam_key *)b)->id);
}

enum store_status keyring_load(keyring *k, database *db, ss_error *err)
{
    key_list next = {.keys = NULL};
    enum store_status status = iam_each(db, add, &next, err);
    if (status == STORE_OK && next.failed) {
        (void)ss_fail(err, 0, "out of memory for the access keys");
        status = STORE_FAILED;
    }
    if (status != STORE_OK) {
        list_fini(&next);
        return status;
    }
    if (next.count)
        qsort(next.keys, next.count, sizeof *next.keys, compare);
    (void)pthread_rwlock_wrlock(&k->lock);
    key_list old = k->list;
    k->list = next;
    k->loaded = true;
    (void)pthread_rwlock_unlock(&k->lock);
    list_fini(&old);
    return STORE_OK;
}

bool keyring_find(keyring *k, ss_str id, iam_key *out, bool *known)
{
    iam_key wanted = {.enabled = false};
    if (id.len < IAM_ID_SIZE && id.len)
        memcpy(wanted.id, id.ptr, id.len);
    (void)pthread_rwlock_rdlock(&k->lock);
    *known = k->loaded;
    const iam_key *found =
        k->list.count ? bsearch(&wanted, k->list.keys, k->list.count, sizeof wanted, compare) : NULL;
    if (found)
        *out = *found;
    (void)pthread_rwlock_unlock(&k->lock);
    return found != NULL;
}
