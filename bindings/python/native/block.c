/* block.c - elements of a map, one call of the function for each
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker.h"

#include <string.h>

/* The elements of the chunk that was unpickled last. */
static struct {
    uint64_t block, index;
    PyObject *items; /* A list; NULL: none. */
} kept;

void forget_chunk(void) { drop(&kept.items); }

static PyObject *call_element(PyObject *function, PyObject *element, uint32_t flags) {
    if (!(flags & CALL_STAR)) return call_one(function, element);
    if (type_of(element) == type_tuple) return PyObject_Call(function, element, NULL);
    PyObject *arguments = PySequence_Tuple(element);
    PyObject *value = arguments ? PyObject_Call(function, arguments, NULL) : NULL;
    drop(&arguments);
    return value;
}

enum { PICKLE = 0x80 }; /* The first byte of one. */

/* The elements of a chunk, as a borrowed list. NULL with an exception. */
static PyObject *chunk_of(const struct block_head *head, const uint8_t *data, uint64_t index) {
    if (kept.items && kept.block == head->number && kept.index == index) return kept.items;
    drop(&kept.items);
    uint64_t bounds[2];
    memcpy(bounds, data + head->table + index * 8, sizeof bounds);
    const uint8_t *bytes = data + bounds[0];
    PyObject *view = NULL, *items = NULL;
    if (*bytes != PICKLE)
        items = PyMarshal_ReadObjectFromString((const char *)bytes, (Py_ssize_t)(bounds[1] - bounds[0]));
    else if ((view = view_of(bytes, bounds[1] - bounds[0]))) items = call_one(helpers.loads, view);
    drop(&view);
    if (items && type_of(items) != type_list) {
        PyObject *list = PySequence_List(items);
        Py_DecRef(items);
        items = list;
    }
    kept.block = head->number;
    kept.index = index;
    return kept.items = items;
}

/* An element of a chunk, for which a new reference is returned. NULL with an exception. */
static PyObject *element_at(const struct block_head *head, const uint8_t *data, uint64_t at) {
    uint64_t index = at / head->chunk_items;
    PyObject *items = chunk_of(head, data, index);
    PyObject *element = items ? PyList_GetItem(items, (Py_ssize_t)(at - index * head->chunk_items)) : NULL;
    if (element) Py_IncRef(element);
    return element;
}

/* The function is loaded within the first element, so that one is to blame if that ends the worker. */
static void run_elements(mape_task *task, const mape_range *range, const struct block *block) {
    const struct block_head *head = &block->head;
    const uint32_t flags = head->spec.flags;
    PyObject *function = NULL;
    size_t size;
    const void *input;
    for (size_t i = 0; i < range->count && (input = mape_task_begin(&size, task, i)); i++) {
        struct result out = {NULL, 0};
        PyObject *element = NULL, *value = NULL;
        size_t pieces = flags & CALL_OWN ? mape_task_pieces(task) : 1;
        if (!function && (function = function_of(task, &head->spec, block->spec))) Py_IncRef(function);
        if (!function) {
        } else if (flags & CALL_OWN) {
            element = unpickle(task, input, size, pieces);
        } else {
            element = element_at(head, block->data, range->first + i);
        }
        if (element) value = call_element(function, element, flags);
        drop(&element);
        finish(task, &out, value, flags, block);
        finish_buffers(task, &out, pieces);
    }
    if (head->chunk_items && (range->first + range->count) % head->chunk_items == 0) forget_chunk();
    drop(&function);
}

void run_block(mape_task *task, const mape_range *range, const uint8_t *data) {
    struct block block = {.data = data, .spec = data + sizeof block.head};
    memcpy(&block.head, data, sizeof block.head);
    block.layout = block.spec + block.head.spec.size;
    if (block.head.spec.flags & CALL_VECTOR) run_vector(task, range, &block);
    else run_elements(task, range, &block);
}
