#include "receivers/matomo/names.h"

#define SEED_TRIES 100000u /* about one in ten fits */

static bool seed_fits(names *n, size_t count)
{
    memset(n->slots, (int)NAMES_NONE, sizeof n->slots);
    for (size_t i = 0; i < count; i++) {
        uint8_t *slot = &n->slots[names_slot(n->seed, n->keys[i])];
        if (*slot != NAMES_NONE)
            return false;
        *slot = (uint8_t)i;
    }
    return true;
}

bool names_make(names *n, const char *const *list, size_t count, bool fold)
{
    memset(n, 0, sizeof *n);
    if (count > NAMES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(list[i]);
        if (len == 0 || len > NAMES_LEN_MAX)
            return false;
        n->keys[i] = names_load(list[i], len, list[i] + len);
        if (fold)
            n->keys[i] = names_fold(n->keys[i]);
    }
    uint64_t state = 0x2545F4914F6CDD1Du;
    for (uint32_t i = 0; i < SEED_TRIES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        n->seed = (state ^ state >> 29) | 1;
        if (seed_fits(n, count))
            return true;
    }
    return false;
}
