/* The helper program that pools with MAPE_START_EXEC start: a process with one thread from which all workers are forked.
 *
 * It is a program of its own, and not the host started again, because hosts open windows, check licences and make threads
 * when they start. All that it does is in the library, which it finds beside itself (../lib by its run path); so library
 * and zygote are always of one version, and a host that brings a zygote of its own (`zygote_path`) has the same one line
 * to write. Started by hand it says what it is and exits with 64.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <mapengine.h>

int main(int argc, char **argv) { return mape_zygote_main(argc, argv); }
