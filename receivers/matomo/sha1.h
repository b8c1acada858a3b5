/* SHA-1, for one thing: Matomo makes the visitor id of a user id from it. Not for anything that must be
   secure. Our own few lines keep the receiver free of a cryptographic library. */
#ifndef MATOMO_SHA1_H
#define MATOMO_SHA1_H

#include "streamsteam/plugin.h"

#define SHA1_BYTES 20u

void sha1_portable(unsigned char out[SHA1_BYTES], ss_str text); /* on every processor */
void sha1(unsigned char out[SHA1_BYTES], ss_str text);

#endif
