/* What a hostile plugin does, by name; C++, so that it can throw as well. */
#ifndef CONTRACT_HOSTILE_H
#define CONTRACT_HOSTILE_H

#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <stdexcept>
#include <unistd.h>

#include "streamsteam/plugin.h"

static inline void hostile_block_signals()
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

static inline void hostile_close_all()
{
    for (int fd = 0; fd < 4096; fd++)
        (void)close(fd);
}

/* As much as there is to be had; then it writes to what it did not get. */
static inline void hostile_leak()
{
    for (;;) {
        volatile char *piece = static_cast<volatile char *>(malloc(16u << 20)); // volatile: or it is left out
        piece[0] = 1;
    }
}

static inline void hostile_act(ss_str what)
{
    volatile int *volatile nowhere = nullptr;
    if (ss_eq(what, ss_cstr("null")))
        *nowhere = 1;
    if (ss_eq(what, ss_cstr("abort")))
        abort();
    if (ss_eq(what, ss_cstr("exit")))
        exit(0);
    if (ss_eq(what, ss_cstr("quick")))
        _exit(0);
    if (ss_eq(what, ss_cstr("loop")))
        for (volatile unsigned turns = 0;; turns = turns + 1)
            ;
    if (ss_eq(what, ss_cstr("leak")))
        hostile_leak();
    if (ss_eq(what, ss_cstr("close")))
        hostile_close_all();
    if (ss_eq(what, ss_cstr("blocked"))) {
        hostile_block_signals();
        *nowhere = 1;
    }
    if (ss_eq(what, ss_cstr("blockedloop"))) {
        hostile_block_signals();
        for (volatile unsigned turns = 0;; turns = turns + 1)
            ;
    }
    if (ss_eq(what, ss_cstr("throw")))
        throw std::runtime_error("nobody catches this");
}

static inline ss_plugin hostile_plugin(uint32_t kind, const char *name)
{
    ss_plugin p = {};
    p.struct_size = sizeof p;
    p.abi_major = SS_ABI_MAJOR;
    p.abi_minor = SS_ABI_MINOR;
    p.option_size = sizeof(ss_option);
    p.field_size = sizeof(ss_field);
    p.kind = kind;
    p.name = name;
    p.version = "1.0";
    p.summary = "Hurts the process that it runs in.";
    p.license = "MIT";
    p.destroy = [](void *) {};
    return p;
}

#endif
