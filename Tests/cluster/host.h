/* host.h - what the parts of the tests' host have in common
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HOST_H
#define HOST_H

#include <mapengine.h>

/** Says what could not be done, and why, and ends. */
void fail(const char *what, const mape_pool *pool);
/** url NULL: this machine alone. workers 0: none here. */
mape_pool *open_pool(const char *url, uint32_t workers);
mape_function_id registered(mape_pool *pool, mape_function function);
mape_function function_of(const char *library, const char *symbol);

/** host_same.c: 0: all kinds of jobs end over the cluster as here. */
int same(const char *url, const char *library);

#endif
