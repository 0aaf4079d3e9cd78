// all.cpp - all tests as one translation unit: six compilers and standards read the library's headers once each
//
// SPDX-License-Identifier: Apache-2.0
#include "support.cpp"
#include "test_await.cpp"
#include "test_callbacks.cpp"
#include "test_maps.cpp"
#include "test_native.cpp"
#include "test_ownership.cpp"
#include "workers.cpp"
