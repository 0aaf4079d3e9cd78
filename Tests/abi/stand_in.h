/* stand_in.h - what a test tells own_remote, the helper that stands in for mapengine-remote: a page in a file whose path is the cluster's URL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <stdatomic.h>
#include <stdint.h>

struct stand_in {
    /* What it does. It looks a few hundred times a second. */
    _Atomic uint32_t lanes;    /**< How many lanes its machines have room for. */
    _Atomic uint32_t delay_ms; /**< Answers come so much later. */
    _Atomic uint32_t hold;     /**< 1: answers do not come. What is taken back is given back all the same. */
    _Atomic uint32_t refuse;   /**< 1: no machine has any function. */
    _Atomic uint32_t lose;     /**< So many lanes die with what they hold. */
    _Atomic uint32_t die;      /**< 1: it exits, once. */
    _Atomic uint32_t garble;   /**< 1: a reply makes no sense, once. 2: an item has ended in a way that there is none of, once. */
    _Atomic uint32_t dies_early; /**< 1: it exits before it says HELLO. */
    _Atomic uint32_t stops;    /**< 1: it does nothing at all. */
    /* What it has done. */
    _Atomic uint32_t helpers; /**< Processes. */
    _Atomic uint32_t begun;   /**< Ranges begun, */
    _Atomic uint32_t answered; /**< answered, */
    _Atomic uint32_t given_back; /**< and given back because they were to end early. */
    _Atomic uint32_t items;   /**< Items in ranges that were begun. */
    _Atomic uint32_t largest; /**< Items of the largest range. */
    _Atomic uint32_t wakeups; /**< How often the lanes' bell rang. */
    _Atomic int32_t pid;
};

#endif
