#include "core/base/prefix.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cut_last(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

static bool is_installed(const char *prefix)
{
    char path[PATH_MAX];
    struct stat st;
    return (size_t)snprintf(path, sizeof path, "%s/lib/streamsteam", prefix) < sizeof path &&
           stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *prefix_path(const char *below, char out[PATH_MAX])
{
    char prefix[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", prefix, sizeof prefix - 1);
    prefix[n > 0 ? n : 0] = '\0';
    bool found = cut_last(prefix) && cut_last(prefix) && is_installed(prefix);
    (void)snprintf(out, PATH_MAX, "%.2000s/%.2000s", found ? prefix : SS_PREFIX, below);
    return out;
}
