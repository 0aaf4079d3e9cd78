/* own_zygote.c - a program that a test gives as `zygote_path`, as a host with an interpreter of its own would.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    setenv("OWN_ZYGOTE", argc > 1 ? argv[1] : "no argument", 1);
    return mape_zygote_main(argc, argv);
}
