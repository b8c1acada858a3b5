/* The buffer is shared with plugins. */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include "plugins/common/buf.h"
#endif
