#include "core/journal/crc.h"

#include <pthread.h>
#include <string.h>

#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#endif

#define CRC32C_POLYNOMIAL 0x82f63b78u /* reflected */
#define CRC_SLICES        8

static uint32_t table[CRC_SLICES][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_make(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1u) ? CRC32C_POLYNOMIAL : 0u);
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int s = 1; s < CRC_SLICES; s++)
            table[s][i] = (table[s - 1][i] >> 8) ^ table[0][table[s - 1][i] & 0xffu];
}

uint32_t journal_crc32c_table(uint32_t crc, const void *bytes, size_t len)
{
    (void)pthread_once(&table_once, table_make);
    const unsigned char *p = bytes;
    crc = ~crc;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        word ^= crc;
        crc = 0;
        for (int s = 0; s < CRC_SLICES; s++)
            crc ^= table[CRC_SLICES - 1 - s][(word >> (8 * s)) & 0xffu];
    }
    for (; len > 0; p++, len--)
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xffu];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_cpu(uint32_t crc, const unsigned char *p, size_t len)
{
    uint64_t sum = ~crc & 0xffffffffu;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    uint32_t rest = (uint32_t)sum;
    for (; len > 0; p++, len--)
        rest = __builtin_ia32_crc32qi(rest, *p);
    return ~rest;
}
#endif

uint32_t journal_crc32c_plain(uint32_t crc, const void *bytes, size_t len)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc_cpu(crc, bytes, len);
#endif
    return journal_crc32c_table(crc, bytes, len);
}

uint32_t journal_crc32c(uint32_t crc, const void *bytes, size_t len)
{
#ifdef HAVE_ISAL
    if (len <= INT32_MAX) /* ISA-L's own prototype: bytes not const, length an int */
        return ~crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)len, ~crc);
#endif
    return journal_crc32c_plain(crc, bytes, len);
}
