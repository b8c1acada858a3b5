/* streamsteam new: a folder to write a plugin in, from the installed templates. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/prefix.h"
#include "core/cli/common.h"
#include "core/cli/verbs.h"
#include "core/config/suggest.h"
#include "plugins/loader/remove_tree.h"

#define NEW_NAME_MAX  32u /* an instance may have 40 */
#define NEW_BYTES_MAX (1u << 20)

static const char help[] =
    "usage: streamsteam new receiver|enricher|module NAME [--lang c|c++] [--dir DIR]\n"
    "\n"
    "Writes the folder NAME: a plugin that works, with its test, Makefile, configuration, README and CI. "
    "Then\n"
    "\n"
    "  cd NAME && make check   # its tests, without a server\n"
    "  make run                # a server with the plugin; sends a sample and shows where it landed\n"
    "\n"
    "  NAME        a to z, 0 to 9 and _, beginning with a letter, at most 32\n"
    "  --lang      c (the default) or c++\n"
    "  --dir DIR   write DIR/NAME (default: here)\n"
    "\n"
    "Exit code: 0 = written, 1 = failed, 2 = wrong use.\n";

static const char *const kinds[] = {"receiver", "enricher", "module"};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

typedef struct project {
    const char *kind, *name, *extension;
    char folder[PATH_MAX], templates[PATH_MAX], prefix[PATH_MAX];
} project;

/* Template -> file, with the same @WORDS@ in both. */
static const struct {
    const char *from, *to;
} files[] = {
    {"@KIND@/source.@EXT@", "@NAME@.@EXT@"},
    {"@KIND@/test.c", "test_@NAME@.@EXT@"}, /* both languages read it */
    {"@KIND@/example.yaml", "example.yaml"},
    {"@KIND@/sample", "sample"},
    {"all/Makefile", "Makefile"},
    {"all/README.md", "README.md"},
    {"all/gitignore", ".gitignore"},
    {"all/check.yml", ".github/workflows/check.yml"},
};

static void fill_in(const project *p, const char *text, size_t len, buf *out)
{
    const struct {
        const char *word, *value;
    } words[] = {{"@NAME@", p->name}, {"@KIND@", p->kind}, {"@EXT@", p->extension}, {"@PREFIX@", p->prefix}};
    for (size_t at = 0; at < len;) {
        size_t step = 0;
        for (size_t i = 0; i < sizeof words / sizeof words[0] && step == 0; i++) {
            size_t word = strlen(words[i].word);
            if (len - at < word || memcmp(text + at, words[i].word, word) != 0)
                continue;
            buf_adds(out, words[i].value);
            step = word;
        }
        if (step == 0)
            buf_add(out, text + at, step = 1);
        at += step;
    }
}

static int write_file(const char *path, const buf *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    int rc = file_write_all(fd, text->ptr, text->len);
    return close(fd) == 0 ? rc : -1;
}

/* Its folders, within the new one. */
static int make_folders(char *path, size_t from)
{
    for (char *p = path + from; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

static int write_one(const project *p, const char *from, const char *to)
{
    char path[PATH_MAX];
    buf name, text, out;
    buf_init(&name, PATH_MAX);
    buf_init(&text, NEW_BYTES_MAX);
    buf_init(&out, NEW_BYTES_MAX);
    fill_in(p, from, strlen(from), &name);
    (void)snprintf(path, sizeof path, "%.3000s/%.1000s", p->templates, buf_text(&name));
    int rc = file_read(path, &text);
    if (rc == 0) {
        fill_in(p, text.ptr, text.len, &out);
        buf_reset(&name);
        fill_in(p, to, strlen(to), &name);
        (void)snprintf(path, sizeof path, "%.3000s/%.1000s", p->folder, buf_text(&name));
        rc = out.failed || make_folders(path, strlen(p->folder) + 1) != 0 ? -1 : write_file(path, &out);
    }
    if (rc != 0)
        (void)cli_fail(CLI_FAILED, "new", "%s: %s", path, strerror(errno));
    buf_fini(&name);
    buf_fini(&text);
    buf_fini(&out);
    return rc == 0 ? CLI_OK : CLI_FAILED;
}

static int write_all(const project *p)
{
    if (access(p->templates, R_OK) != 0)
        return cli_fail(
            CLI_FAILED, "new",
            "%s: %s; from a source tree, run `make install PREFIX=DIR` and then DIR/bin/streamsteam",
            p->templates, strerror(errno));
    if (mkdir(p->folder, 0777) != 0)
        return cli_fail(CLI_FAILED, "new", "%s: %s; %s", p->folder, strerror(errno),
                        errno == EEXIST ? "nothing was written: choose another name, or another --dir"
                                        : "name a folder that you may write to with --dir");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (write_one(p, files[i].from, files[i].to) == CLI_OK)
            continue;
        remove_tree(p->folder);
        return CLI_FAILED;
    }
    (void)printf("%s: %s %s. Next:\n\n  cd %s\n  make check\n  make run\n", p->folder, p->kind, p->name,
                 p->folder);
    return CLI_OK;
}

static const char *find_kind(const char *wanted)
{
    suggest near;
    char text[96];
    suggest_init(&near, ss_cstr(wanted));
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(wanted, kinds[i]) == 0)
            return kinds[i];
        suggest_offer(&near, ss_cstr(kinds[i]));
    }
    (void)cli_fail(CLI_USAGE, "new", "no kind of plugin '%s'%s%s", wanted,
                   suggest_text(&near, text, sizeof text),
                   near.best.len ? "" : "; there are receiver, enricher and module");
    return NULL;
}

/* "Acme-Clicks" -> "acme_clicks": what a refused name could be instead; "" where nothing is left of it. */
static void mend_name(const char *name, char out[NEW_NAME_MAX + 1])
{
    size_t len = 0;
    for (; *name && len < NEW_NAME_MAX; name++) {
        char c = (char)tolower((unsigned char)*name);
        bool letter = c >= 'a' && c <= 'z', other = (c >= '0' && c <= '9') || c == '_';
        if (letter || (other && len > 0))
            out[len++] = c;
        else if (len > 0 && out[len - 1] != '_')
            out[len++] = '_';
    }
    while (len > 0 && out[len - 1] == '_')
        len--;
    out[len] = '\0';
}

static bool good_name(const char *kind, const char *name)
{
    char mended[NEW_NAME_MAX + 1], below[NEW_NAME_MAX + 64], path[PATH_MAX];
    mend_name(name, mended);
    if (strcmp(name, mended) != 0 || !*name) {
        (void)cli_fail(CLI_USAGE, "new",
                       "'%.64s' is no name for a plugin: a to z, 0 to 9 and _, beginning with a letter, at "
                       "most %u%s%s%s",
                       name, NEW_NAME_MAX, *mended ? "; try '" : "", mended, *mended ? "'" : "");
        return false;
    }
    (void)snprintf(below, sizeof below, "lib/streamsteam/plugins/%s-%s.so", kind, name);
    if (access(prefix_path(below, path), F_OK) != 0)
        return true;
    (void)cli_fail(CLI_USAGE, "new", "there is already a %s '%s', %s: choose another name", kind, name, path);
    return false;
}

int verb_new(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *language = cli_take_option(&argc, argv, NULL, "lang", &bad);
    const char *dir = cli_take_option(&argc, argv, NULL, "dir", &bad);
    if (bad || argc != 3)
        return cli_fail(CLI_USAGE, argv[0], "%s; see streamsteam new --help",
                        bad ? "--lang wants c or c++, --dir a folder"
                            : "say receiver, enricher or module, and one name");
    bool cxx = language && strcmp(language, "c++") == 0;
    if (language && !cxx && strcmp(language, "c") != 0)
        return cli_fail(CLI_USAGE, argv[0], "--lang %s: there are templates for c and c++", language);
    project p = {.kind = find_kind(argv[1]), .name = argv[2], .extension = cxx ? "cpp" : "c"};
    if (!p.kind || !good_name(p.kind, p.name))
        return CLI_USAGE;
    int len = snprintf(p.folder, sizeof p.folder, "%s%s%s", dir ? dir : "", dir ? "/" : "", p.name);
    if (len < 0 || (size_t)len > sizeof p.folder / 2)
        return cli_fail(CLI_USAGE, argv[0], "--dir: the path is too long");
    (void)prefix_path("share/streamsteam/templates", p.templates);
    char *cut = strrchr(prefix_path(".", p.prefix), '/');
    *cut = '\0';
    return write_all(&p);
}
