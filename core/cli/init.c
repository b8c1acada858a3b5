/* streamsteam init: a configuration to start with. */
#include "core/cli/init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/cli/common.h"
#include "core/cli/verbs.h"

static const char help[] =
    "usage: streamsteam init [-o FILE] [--from-guidance FILE | --from-streamsteam FILE]\n"
    "\n"
    "Writes a configuration to start with: the default one, or one made from the file of the system that\n"
    "StreamSteam takes the place of. Of each key in that file one line says what became of it: mapped, "
    "warned\n"
    "(something else does its work) or refused. When something is refused, nothing is written.\n"
    "\n"
    "  -o, --output FILE         write FILE, which must not be there yet (default: to standard output)\n"
    "  --from-guidance FILE      config.yaml of the Guidance for Game Analytics Pipeline on AWS, old or new\n"
    "  --from-streamsteam FILE   stream-steam.cfg of StreamSteam on AWS\n"
    "\n"
    "docs/migration.md has the tables. Then: streamsteam check -c FILE\n"
    "\n"
    "Exit code: 0 = written, 1 = refused or failed, 2 = wrong use.\n";

/* config/streamsteam.yaml as it was when this was built: the installed one may have been edited. */
__asm__(".pushsection .rodata\n"
        "init_default_begin: .incbin \"config/streamsteam.yaml\"\n"
        "init_default_end: .byte 0\n"
        ".popsection\n");
extern const char init_default_begin[] __attribute__((visibility("hidden")));
extern const char init_default_end[] __attribute__((visibility("hidden")));

static const char *const fates[INIT_FATES] = {"mapped", "warned", "refused"};

void init_notes_init(init_notes *n)
{
    *n = (init_notes){.counts = {0}};
    buf_init(&n->text, INIT_NOTES_BYTES_MAX);
}

void init_notes_fini(init_notes *n)
{
    buf_fini(&n->text);
}

void init_note(init_notes *n, place at, enum init_fate fate, const char *key, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    n->counts[fate]++;
    buf_adds(&n->text, at.file);
    if (at.line > 0)
        buf_addf(&n->text, ":%u", at.line);
    buf_addf(&n->text, ": %s ", fates[fate]);
    if (key)
        buf_addf(&n->text, "%.128s: ", key);
    buf_addf(&n->text, "%s\n", text);
}

void init_put_head(buf *out, const char *title, const char *data_dir)
{
    buf_addf(
        out,
        "# %s\n"
        "# docs/migration.md says what became of each key. `streamsteam check` finds mistakes, `streamsteam "
        "explain PLUGIN`\n"
        "# prints every option. Fragments in conf.d/*.yaml beside this file are merged with it.\n"
        "\n"
        "server:\n"
        "  # Where clients send events to. Behind a reverse proxy leave it on the loopback and set "
        "trusted_proxies.\n"
        "  listen: ${env:STREAMSTEAM_LISTEN:-127.0.0.1:8080}\n"
        "  # Metrics and health. Keep it away from the internet.\n"
        "  admin: ${env:STREAMSTEAM_ADMIN:-127.0.0.1:8081}\n"
        "  # All state: the journal, what each module remembers, the lake.\n"
        "  data_dir: ${env:STREAMSTEAM_DATA:-%s}\n",
        title, data_dir);
}

/* ---- the verb ----------------------------------------------------------------------------------------- */

typedef void (*translator)(const char *file, ss_str text, init_notes *n, buf *out);

static int translate(const char *path, translator from, buf *out)
{
    buf text;
    init_notes notes;
    buf_init(&text, INIT_SOURCE_BYTES_MAX);
    init_notes_init(&notes);
    int rc = CLI_OK;
    if (file_read(path, &text) != 0) {
        rc = cli_fail(CLI_FAILED, "init", "%s: %s", path,
                      text.failed ? "larger than 1 MiB: this is no configuration" : strerror(errno));
    } else {
        from(path, buf_str(&text), &notes, out);
        (void)fputs(buf_text(&notes.text), stderr);
        if (notes.counts[INIT_REFUSED] > 0)
            rc = cli_fail(CLI_FAILED, "init", "%zu refused, see above: nothing was written",
                          notes.counts[INIT_REFUSED]);
        else if (out->failed || notes.text.failed)
            rc = cli_fail(CLI_FAILED, "init", "%s: too large, or out of memory", path);
    }
    init_notes_fini(&notes);
    buf_fini(&text);
    return rc;
}

static int write_new(const char *path, const buf *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return cli_fail(CLI_FAILED, "init", "%s: %s%s", path, strerror(errno),
                        errno == EEXIST ? "; nothing was written: name another file" : "");
    bool good = file_write_all(fd, text->ptr, text->len) == 0 && fsync(fd) == 0;
    int why = errno;
    good = close(fd) == 0 && good;
    if (!good) {
        (void)unlink(path);
        return cli_fail(CLI_FAILED, "init", "%s: cannot be written: %s", path, strerror(why));
    }
    (void)fprintf(stderr, "written: %s. Next: streamsteam check -c %s\n", path, path);
    return CLI_OK;
}

static int print_text(const buf *text)
{
    bool good = fwrite(text->ptr, 1, text->len, stdout) == text->len && fflush(stdout) == 0;
    return good ? CLI_OK : cli_fail(CLI_FAILED, "init", "standard output: %s", strerror(errno));
}

int verb_init(int argc, char **argv)
{
    bool bad = false;
    if (cli_help(argc, argv, help))
        return CLI_OK;
    const char *output = cli_take_option(&argc, argv, "o", "output", &bad);
    const char *guidance = cli_take_option(&argc, argv, NULL, "from-guidance", &bad);
    const char *streamsteam = cli_take_option(&argc, argv, NULL, "from-streamsteam", &bad);
    if (bad || argc > 1 || (guidance && streamsteam))
        return cli_fail(CLI_USAGE, argv[0], "%s; see streamsteam init --help",
                        bad        ? "an option without its file"
                        : argc > 1 ? "an argument that it does not know"
                                   : "one source at a time");
    buf out;
    buf_init(&out, INIT_YAML_BYTES_MAX);
    int rc = CLI_OK;
    if (guidance)
        rc = translate(guidance, init_from_guidance, &out);
    else if (streamsteam)
        rc = translate(streamsteam, init_from_streamsteam, &out);
    else /* two labels of the assembler around one file */
        // cppcheck-suppress comparePointers
        buf_add(&out, init_default_begin, (size_t)(init_default_end - init_default_begin));
    if (rc == CLI_OK)
        rc = output ? write_new(output, &out) : print_text(&out);
    buf_fini(&out);
    return rc;
}
