/* The dynamic symbols of a shared object: what it exports, what it wants from others. */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/sdk/verify/inside.h"

typedef struct object {
    const unsigned char *bytes;
    size_t size;
    const Elf64_Sym *symbols;
    size_t count;
    const char *names;
    size_t names_size;
} object;

static const void *part(const object *o, uint64_t at, uint64_t size)
{
    return at <= o->size && size <= o->size - at ? o->bytes + at : NULL;
}

static bool find_symbols(object *o)
{
    const Elf64_Ehdr *head = part(o, 0, sizeof *head);
    if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_ident[EI_CLASS] != ELFCLASS64 ||
        head->e_shentsize != sizeof(Elf64_Shdr))
        return false;
    const Elf64_Shdr *sections = part(o, head->e_shoff, (uint64_t)head->e_shnum * sizeof *sections);
    for (size_t i = 0; sections && i < head->e_shnum; i++) {
        const Elf64_Shdr *s = &sections[i];
        if (s->sh_type != SHT_DYNSYM || s->sh_link >= head->e_shnum || s->sh_entsize != sizeof(Elf64_Sym))
            continue;
        o->symbols = part(o, s->sh_offset, s->sh_size);
        o->count = s->sh_size / sizeof(Elf64_Sym);
        o->names = part(o, sections[s->sh_link].sh_offset, sections[s->sh_link].sh_size);
        o->names_size = sections[s->sh_link].sh_size;
        return o->symbols && o->names && o->names_size > 0 && o->names[o->names_size - 1] == '\0';
    }
    return false;
}

static bool object_open(object *o, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *o = (object){0};
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0) {
        verify_fail("cannot read %s", path);
        return false;
    }
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    o->bytes = map;
    o->size = (size_t)st.st_size;
    if (map != MAP_FAILED && find_symbols(o))
        return true;
    verify_fail("%s has no readable table of dynamic symbols", path);
    return false;
}

static const char *name_of(const object *o, size_t i)
{
    return o->symbols[i].st_name < o->names_size ? o->names + o->symbols[i].st_name : "";
}

static bool is_sanitizer(const char *name)
{
    return strncmp(name, "__asan", 6) == 0 || strncmp(name, "__odr_asan", 10) == 0 ||
           strncmp(name, "__ubsan", 7) == 0 || strncmp(name, "__tsan", 6) == 0 ||
           strncmp(name, "___asan", 7) == 0;
}

/* Templates of the C++ library that the compiler made for this plugin: weak, and exported whatever one says.
 */
static bool is_of_cxx(const object *o, size_t i)
{
    const char *name = name_of(o, i);
    bool weak = ELF64_ST_BIND(o->symbols[i].st_info) == STB_WEAK ||
                ELF64_ST_BIND(o->symbols[i].st_info) == STB_GNU_UNIQUE;
    const char *at = strncmp(name, "_Z", 2) == 0 ? name + 2 : NULL;
    at = at ? at + strspn(at, "NTVISK") : NULL; /* _ZNKSt..., _ZTVSt... */
    return weak && at && ((at[-1] == 'S' && *at == 't') || strncmp(at, "9__gnu_cxx", 10) == 0);
}

void check_exports(const verify_subject *s)
{
    object o;
    if (!object_open(&o, s->path))
        return;
    for (size_t i = 0; i < o.count; i++) {
        const char *name = name_of(&o, i);
        bool defined = o.symbols[i].st_shndx != SHN_UNDEF;
        unsigned bind = ELF64_ST_BIND(o.symbols[i].st_info);
        if (!*name || is_sanitizer(name) || is_of_cxx(&o, i))
            continue;
        if (defined && bind != STB_LOCAL && strcmp(name, SS_PLUGIN_ENTRY) != 0 &&
            ELF64_ST_VISIBILITY(o.symbols[i].st_other) == STV_DEFAULT)
            verify_fail("it exports %s: build with -fvisibility=hidden; only " SS_PLUGIN_ENTRY
                        "() is for others",
                        name);
    }
}

/* Each of these changes the process for everybody in it, or ends it. */
static const struct {
    const char *name, *instead;
} banned[] = {
    {"exit", "return an error; the host decides what ends"},
    {"_exit", "return an error; the host decides what ends"},
    {"quick_exit", "return an error; the host decides what ends"},
    {"fork", "a copy of a process with threads may only call exec; start helpers outside the server"},
    {"vfork", "start helpers outside the server"},
    {"daemon", "the host runs the process"},
    {"system", "it forks and changes signals; speak to the other program over a socket"},
    {"popen", "it forks; speak to the other program over a socket"},
    {"signal", "signals belong to the host"},
    {"sigaction", "signals belong to the host"},
    {"setenv", "the environment is read by other threads; use options"},
    {"putenv", "the environment is read by other threads; use options"},
    {"unsetenv", "the environment is read by other threads; use options"},
    {"clearenv", "the environment is read by other threads; use options"},
    {"setlocale", "it changes how every thread formats numbers; use uselocale() on your own thread"},
    {"chdir", "the working directory is everybody's; use absolute paths, data_dir() gives one"},
    {"fchdir", "the working directory is everybody's; use absolute paths"},
    {"chroot", "the root directory is everybody's"},
    {"umask", "it is everybody's; give modes to open() and fchmod()"},
    {"setuid", "privileges belong to the host"},
    {"setgid", "privileges belong to the host"},
    {"alarm", "SIGALRM belongs to the host; use timers: every(), once()"},
    {"setitimer", "signals belong to the host; use timers: every(), once()"},
    {"sleep", "it holds up the event loop or the module; use timers, or return SS_RETRY"},
    {"usleep", "it holds up the event loop or the module; use timers, or return SS_RETRY"},
    {"closefrom", "descriptors that are not yours are the host's"},
    {"close_range", "descriptors that are not yours are the host's"},
    {"srand", "the generator is everybody's; use the random() of the host"},
    {"strtok", "it keeps its place for all threads; use strtok_r()"},
    {"localtime", "its result is everybody's; use localtime_r()"},
    {"gmtime", "its result is everybody's; use gmtime_r()"},
    {"getservbyname", "its result is everybody's; use getaddrinfo()"},
    {"gethostbyname", "its result is everybody's; use getaddrinfo()"},
};

void check_calls(const verify_subject *s)
{
    object o;
    if (!object_open(&o, s->path))
        return;
    for (size_t i = 0; i < o.count; i++) {
        if (o.symbols[i].st_shndx != SHN_UNDEF)
            continue;
        for (size_t b = 0; b < sizeof banned / sizeof banned[0]; b++)
            if (strcmp(name_of(&o, i), banned[b].name) == 0)
                verify_fail("it calls %s(): %s", banned[b].name, banned[b].instead);
    }
}
