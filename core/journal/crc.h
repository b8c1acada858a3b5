/* CRC32C (Castagnoli), the checksum of everything in a journal. ISA-L where it is there, else the CPU's own
   instruction, else a table. */
#ifndef JOURNAL_CRC_H
#define JOURNAL_CRC_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0 for the first part, the last result for the next one. */
uint32_t journal_crc32c(uint32_t crc, const void *bytes, size_t len);
/* The same without ISA-L, so that a test can hold both against each other. */
uint32_t journal_crc32c_plain(uint32_t crc, const void *bytes, size_t len);
uint32_t journal_crc32c_table(uint32_t crc, const void *bytes, size_t len);

#endif
