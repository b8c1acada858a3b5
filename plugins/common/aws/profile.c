/* ~/.aws/config and ~/.aws/credentials: sections, keys, one level of members below a key. */
#include <errno.h>
#include <stdlib.h>

#include "plugins/common/aws/inside.h"

#define FILE_MAX    (1u << 20)
#define ENTRIES_MAX 8192u
#define PATH_SIZE   1024u

enum section { SECTION_OTHER = 0, SECTION_PROFILE = 1, SECTION_SERVICES = 2 };

typedef struct entry {
    enum section section;
    const char *name, *key, *member,
        *value; /* member "" = the key's own value; key "" = the section is there */
} entry;

struct aws_profiles {
    char *texts[2];
    size_t lens[2];
    entry *entries;
    size_t count;
};

const char *aws_env(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static char *trim(char *text)
{
    size_t len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

/* A comment takes a line of its own, or begins after white space. */
static void cut_comment(char *line)
{
    for (char *at = line; *at; at++)
        if ((*at == '#' || *at == ';') && (at == line || at[-1] == ' ' || at[-1] == '\t')) {
            *at = '\0';
            return;
        }
}

static bool add(aws_profiles *p, entry e)
{
    if (p->count == ENTRIES_MAX)
        return false;
    p->entries[p->count++] = e;
    return true;
}

/* "[profile x]", "[default]", "[services y]"; in the credentials file the name stands alone. */
static entry section_of(char *line, bool credentials)
{
    entry e = {SECTION_OTHER, "", "", "", ""};
    char *end = strchr(line, ']');
    if (!end)
        return e;
    *end = '\0';
    char *inside = trim(line + 1), *space = inside + strcspn(inside, " \t");
    e.name = *space ? trim(space) : inside;
    char kind[16];
    (void)snprintf(kind, sizeof kind, "%.*s", (int)(space - inside), inside);
    if (credentials || (!*space && strcmp(inside, "default") == 0)) {
        e.section = SECTION_PROFILE;
        e.name = inside;
    } else if (strcmp(kind, "profile") == 0 && *space) {
        e.section = SECTION_PROFILE;
    } else if (strcmp(kind, "services") == 0 && *space) {
        e.section = SECTION_SERVICES;
    }
    return e;
}

static bool parse(aws_profiles *p, char *text, bool credentials)
{
    entry now = {SECTION_OTHER, "", "", "", ""};
    char *next;
    for (char *line = text; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        cut_comment(line);
        bool indented = *line == ' ' || *line == '\t';
        line = trim(line);
        if (*line == '[' && !indented) {
            now = section_of(line, credentials);
            if (!add(p, now))
                return false;
            continue;
        }
        char *equals = strchr(line, '=');
        if (!equals || now.section == SECTION_OTHER)
            continue;
        *equals = '\0';
        const char *key = trim(line), *value = trim(equals + 1);
        bool member = indented && *now.key && !*now.value;
        if (!member) {
            now.key = key;
            now.value = value;
        }
        if (!add(p, (entry){now.section, now.name, now.key, member ? key : "", value}))
            return false;
    }
    return true;
}

/* 1 = read, 0 = there is none, -1 = err. */
static int read_file(const char *path, char **out, size_t *out_len, ss_error *err)
{
    FILE *f = fopen(path, "rbe");
    if (!f && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    char *text = f ? malloc(FILE_MAX + 1) : NULL;
    size_t len = text ? fread(text, 1, FILE_MAX + 1, f) : 0;
    bool good = text && !ferror(f) && len <= FILE_MAX && !memchr(text, '\0', len);
    if (f)
        (void)fclose(f);
    if (!good) {
        free(text);
        (void)ss_fail(err, SS_PAUSE, "%s: %s", path,
                      f ? "not a text file of at most 1 MiB" : strerror(errno));
        return -1;
    }
    text[len] = '\0';
    *out = text;
    *out_len = len;
    return 1;
}

static bool read_one(aws_profiles *p, bool credentials, ss_error *err)
{
    const char *named = aws_env(credentials ? "AWS_SHARED_CREDENTIALS_FILE" : "AWS_CONFIG_FILE"),
               *home = aws_env("HOME");
    char path[PATH_SIZE], *text = NULL;
    if (named && named[0] == '~' && named[1] == '/' && home)
        (void)snprintf(path, sizeof path, "%s%s", home, named + 1);
    else if (named)
        (void)snprintf(path, sizeof path, "%s", named);
    else if (home)
        (void)snprintf(path, sizeof path, "%s/.aws/%s", home, credentials ? "credentials" : "config");
    else
        return true;
    int there = read_file(path, &text, &p->lens[credentials], err);
    p->texts[credentials] = text;
    if (there > 0 && !parse(p, text, credentials)) {
        (void)ss_fail(err, SS_PAUSE, "%s: more than %u lines with values", path, ENTRIES_MAX);
        return false;
    }
    return there >= 0;
}

aws_profiles *aws_profiles_read(ss_error *err)
{
    aws_profiles *p = calloc(1, sizeof *p);
    if (p)
        p->entries = malloc(ENTRIES_MAX * sizeof *p->entries);
    if (!p || !p->entries) {
        (void)ss_fail(err, SS_RETRY, "no memory for the AWS profiles");
    } else if (read_one(p, true, err) && read_one(p, false, err)) {
        return p;
    }
    aws_profiles_free(p);
    return NULL;
}

void aws_profiles_free(aws_profiles *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < 2; i++) {
        aws_wipe(p->texts[i], p->lens[i]);
        free(p->texts[i]);
    }
    free(p->entries);
    free(p);
}

static const char *find(const aws_profiles *p, enum section section, const char *name, const char *key,
                        const char *member)
{
    for (size_t i = 0; i < p->count; i++) {
        const entry *e = &p->entries[i];
        if (e->section == section && strcmp(e->name, name) == 0 && strcmp(e->key, key) == 0 &&
            strcmp(e->member, member) == 0 && (*e->value || !*key))
            return e->value;
    }
    return NULL;
}

bool aws_profile_known(const aws_profiles *p, const char *profile)
{
    return find(p, SECTION_PROFILE, profile, "", "") != NULL;
}

const char *aws_profile_get(const aws_profiles *p, const char *profile, const char *key)
{
    return find(p, SECTION_PROFILE, profile, key, "");
}

const char *aws_services_get(const aws_profiles *p, const char *name, const char *service, const char *key)
{
    return find(p, SECTION_SERVICES, name, service, key);
}
