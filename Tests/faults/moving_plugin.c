/* moving_plugin.c - a plug-in of moving_host.c, and of case 72 and 73: nothing but a function, and one that fails in Latin-1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
int moving_square(int x);
int moving_square(int x) { return x * x; }
