/* Records that the Kinesis Producer Library packed several of its users' records into: F3 89 9A C2, a
   protobuf message, its MD5. Source: "KPL Aggregated Record Format" of the amazon-kinesis-producer. No
   allocation. */
#ifndef COMMON_KPL_H
#define COMMON_KPL_H

#include "streamsteam/plugin.h"

#define KPL_KEYS_MAX 4096u /* partition keys of one record; KPL puts a few hundred into its 51,200 bytes */

typedef struct kpl_scan {
    const unsigned char *at, *end;
    uint32_t keys;
    ss_str key_table[KPL_KEYS_MAX];
} kpl_scan;

typedef struct kpl_record { /* slices of the packed record */
    ss_str key, data;
} kpl_record;

/* True: packed, whole and well-formed to its last byte. False: take it as a record like any other. */
bool kpl_start(kpl_scan *s, ss_str record);
bool kpl_next(kpl_scan *s, kpl_record *out);

#endif
