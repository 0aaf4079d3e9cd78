/* dying_module.c - a shared library that ends the process that loads it. For mape_pool_config.modules: workers never get ready.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <unistd.h>

__attribute__((constructor)) static void die(void) { _exit(78); }
