/* fault_zygote.c - a zygote program whose forks fail when a plan says so (fault_fork.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>

int main(int argc, char **argv) { return mape_zygote_main(argc, argv); }
