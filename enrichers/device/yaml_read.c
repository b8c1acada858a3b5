#include "enrichers/device/yaml_read.h"

#include <errno.h>
#include <sys/stat.h>

bool yaml_fail(yaml_read *y, uint32_t line, const char *why)
{
    if (!y->failed)
        (void)ss_fail(y->err, SS_REJECT, "%.200s:%u: %.260s", y->path, line, why);
    y->failed = true;
    return false;
}

uint32_t yaml_line(const yaml_read *y)
{
    return (uint32_t)y->event.start_mark.line + 1;
}

static bool next(yaml_read *y)
{
    yaml_event_delete(&y->event);
    if (y->failed)
        return false;
    if (!yaml_parser_parse(&y->parser, &y->event)) {
        const char *why = y->parser.problem ? y->parser.problem : "this is no YAML";
        memset(&y->event, 0, sizeof y->event);
        return yaml_fail(y, (uint32_t)y->parser.problem_mark.line + 1, why);
    }
    return true;
}

/* Regular files of a sane size only: the directory is data, a pipe in it would block. */
static FILE *open_file(const char *path, bool *missing, ss_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (missing && (errno == ENOENT || errno == ENOTDIR))
            *missing = true;
        else
            (void)ss_fail(err, SS_REJECT, "%.300s: %s", path, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)YAML_FILE_BYTES_MAX) {
        (void)ss_fail(err, SS_REJECT, "%.300s: not a file of up to %u MiB", path, YAML_FILE_BYTES_MAX >> 20);
        return NULL;
    }
    FILE *file = fopen(path, "rbe");
    if (!file)
        (void)ss_fail(err, SS_REJECT, "%.300s: %s", path, strerror(errno));
    return file;
}

bool yaml_open(yaml_read *y, const char *path, bool *missing, ss_error *err)
{
    *y = (yaml_read){.path = path, .err = err};
    if (missing)
        *missing = false;
    y->file = open_file(path, missing, err);
    if (!y->file)
        return false;
    if (!yaml_parser_initialize(&y->parser)) {
        (void)fclose(y->file);
        (void)ss_fail(err, SS_FATAL, "out of memory");
        return false;
    }
    yaml_parser_set_input_file(&y->parser, y->file);
    yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
    if (next(y) && next(y) && y->event.type == YAML_DOCUMENT_START_EVENT && next(y))
        return true;
    (void)yaml_fail(y, 1, "the file is empty");
    yaml_close(y);
    return false;
}

void yaml_close(yaml_read *y)
{
    yaml_event_delete(&y->event);
    yaml_event_delete(&y->kept);
    yaml_parser_delete(&y->parser);
    (void)fclose(y->file);
}

static bool is_empty(const yaml_read *y)
{
    return y->event.type == YAML_SCALAR_EVENT && y->event.data.scalar.length == 0;
}

bool yaml_map(yaml_read *y, yaml_member member, void *arg)
{
    if (is_empty(y))
        return next(y);
    if (y->failed || y->event.type != YAML_MAPPING_START_EVENT)
        return yaml_fail(y, yaml_line(y), "a mapping (key: value) belongs here");
    if (!next(y))
        return false;
    while (y->event.type != YAML_MAPPING_END_EVENT) {
        ss_str key;
        char name[256];
        if (!yaml_text(y, &key))
            return false;
        key.len = key.len < sizeof name ? key.len : sizeof name; /* yaml_text() lent it until the next call */
        memcpy(name, key.ptr, key.len);
        if (!member(y, ss_s(name, key.len), arg) || y->failed)
            return false;
    }
    return next(y);
}

bool yaml_list(yaml_read *y, yaml_item item, void *arg)
{
    if (is_empty(y))
        return next(y);
    if (y->failed || y->event.type != YAML_SEQUENCE_START_EVENT)
        return yaml_fail(y, yaml_line(y), "a list (- value) belongs here");
    if (!next(y))
        return false;
    while (y->event.type != YAML_SEQUENCE_END_EVENT)
        if (!item(y, arg) || y->failed)
            return false;
    return next(y);
}

/* The event's text has to live on after the next event was read: it is kept as the last but one. */
bool yaml_text(yaml_read *y, ss_str *text)
{
    if (y->failed || y->event.type != YAML_SCALAR_EVENT)
        return yaml_fail(y, yaml_line(y), "a text belongs here");
    yaml_event_delete(&y->kept);
    y->kept = y->event;
    memset(&y->event, 0, sizeof y->event);
    *text = ss_s((const char *)y->kept.data.scalar.value, y->kept.data.scalar.length);
    return next(y);
}

bool yaml_skip(yaml_read *y)
{
    uint32_t open = 0;
    do {
        yaml_event_type_t type = y->event.type;
        open += type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
        open -= type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
        if (!next(y))
            return false;
    } while (open > 0);
    return true;
}
