/* mapengine/native.h - C functions of any type: prototypes, columns, proxies
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MAPENGINE_NATIVE_H
#define MAPENGINE_NATIVE_H

#include "core.h"

/** @file native.h
 *  @brief Calls to C functions of any type, by their prototypes. */

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup native C functions of any type
 *
 *  A function with a prototype needs no code of its own for workers: they call it through libffi (https://sourceware.org/libffi/). The
 *  prototype is C, with lengths where C has none; docs/prototypes.md has the grammar and docs/types.md the types.
 *
 *      double pow(double x, double y)                                  numbers: every integer, _Bool, float, double, long double
 *      int sum(const double *v [n], size_t n, double *out [1])         const T * is read, T * is written; the length is a
 *                                                                      constant or a parameter; also as C has it: double out[1]
 *      void sort(inout int v[8])                                       read and written
 *      int atoi(const char *text)                                      a text, ended with NUL
 *      const char *[64] strerror(int code)                             a returned text, copied, of at most 63 bytes
 *      uint32_t crc(const void *data [size], size_t size)              bytes
 *      {int quot, rem;} div(int numer, int denom)                      structures by value, nested and with arrays
 *      struct v {double x, y;}; double dot(struct v a, struct v b)     declared before (typedef as well)
 *      int snprintf(char *out [64], size_t n, const char *format, ..., double x, int i)
 *                                                                      variadic: what is passed stands behind the dots
 *
 *  Memory that a function writes to is zero before the call. The library refuses other pointers: an address of the host means nothing in a
 *  worker.
 *
 *  The *inputs* of a call are the parameters that are read, in their order. Its *outputs* are what the function returns, the
 *  parameters that are written, in their order, and errno if #MAPE_NATIVE_ERRNO asks for it. The host makes calls over columns
 *  (#mape_map_columns), by a function pointer (#mape_proxy_create), or by #mape_apply, #mape_map and streams. For the last three an item is the
 *  inputs and a result the outputs, each laid out as a C structure that has them as members; a #mape_native_span replaces a
 *  text or an array whose length is a parameter.
 *
 *  An item fails with #MAPE_CAUSE_FUNCTION and the code #MAPE_E_ARGUMENT or #MAPE_E_OVERFLOW when the call cannot be made (a length
 *  beyond what is there) or a returned text is too long. Whatever the function returns, its item has ended well.
 *  @{ */

/** The type of a parameter: a number, a structure, a text, bytes. `char` is INT8 or UINT8, `long` INT64, `size_t` UINT64, as the machine
 *  has them. */
enum mape_type {
    MAPE_TYPE_NONE = 0,                 /**< In columns: not checked. */
    MAPE_TYPE_BOOL = 1,                 /**< `_Bool`. */
    MAPE_TYPE_INT8 = 2,                 /**< 8 bits, signed. */
    MAPE_TYPE_UINT8 = 3,                /**< 8 bits, unsigned. */
    MAPE_TYPE_INT16 = 4,                /**< 16 bits, signed. */
    MAPE_TYPE_UINT16 = 5,               /**< 16 bits, unsigned. */
    MAPE_TYPE_INT32 = 6,                /**< 32 bits, signed. */
    MAPE_TYPE_UINT32 = 7,               /**< 32 bits, unsigned. */
    MAPE_TYPE_INT64 = 8,                /**< 64 bits, signed. */
    MAPE_TYPE_UINT64 = 9,               /**< 64 bits, unsigned. */
    MAPE_TYPE_FLOAT = 10,               /**< `float`. */
    MAPE_TYPE_DOUBLE = 11,              /**< `double`. */
    MAPE_TYPE_LONG_DOUBLE = 12,         /**< `long double`. */
    MAPE_TYPE_COMPLEX_FLOAT = 13,       /**< `float _Complex`. */
    MAPE_TYPE_COMPLEX_DOUBLE = 14,      /**< `double _Complex`. */
    MAPE_TYPE_COMPLEX_LONG_DOUBLE = 15, /**< `long double _Complex`. */
    MAPE_TYPE_STRUCT = 16,              /**< A structure. */
    MAPE_TYPE_STRING = 17,              /**< A text, ended with NUL: in columns a `const char *`; a returned one a `char[]`. */
    MAPE_TYPE_BYTE = 18                 /**< What `void` is in `void *data [size]`. */
};

/** Whether a parameter is read or written, as bits. */
enum mape_direction {
    MAPE_DIRECTION_IN = 1,  /**< Read: an input. */
    MAPE_DIRECTION_OUT = 2, /**< Written: an output. */
    MAPE_DIRECTION_INOUT = 3 /**< Both. */
};

/** In packed items and results: a text, or an array whose length is a parameter. */
typedef struct mape_native_span {
    uint64_t offset; /**< Where it begins, in bytes from the start of the item or result; in an item 0 passes NULL. */
    uint64_t size;   /**< Its bytes, the NUL of a text included. */
} mape_native_span;

/** The inputs and outputs of a typed function. */
typedef struct mape_prototype_info {
    size_t struct_size;   /**< Set to sizeof(mape_prototype_info), as #MAPE_PROTOTYPE_INFO_INIT does. */
    const char *name;     /**< The name in the prototype; valid until the function is unregistered or the pool released. */
    uint32_t parameters;  /**< How many parameters, those behind the dots included. */
    uint32_t fixed;       /**< How many stand before the dots; `parameters` when the function is not variadic. */
    uint32_t is_variadic; /**< 1 with dots. */
    uint32_t inputs;      /**< How many columns #mape_map_columns takes. */
    uint32_t outputs;     /**< How many columns #mape_job_gather_columns fills. */
    uint32_t reserved;    /**< 0. */
    size_t item_size;     /**< Bytes of a packed item, without what spans refer to. */
    size_t result_size;   /**< Bytes of a result, without what spans refer to. */
} mape_prototype_info;
/** Initialiser of #mape_prototype_info. */
#define MAPE_PROTOTYPE_INFO_INIT { sizeof(mape_prototype_info), NULL, 0, 0, 0, 0, 0, 0, 0, 0 }

#define MAPE_PARAMETER_RETURN UINT32_MAX       /**< For #mape_function_parameter: what the function returns. */
#define MAPE_PARAMETER_ERRNO  (UINT32_MAX - 1) /**< For #mape_function_parameter: errno. */

/** One parameter of a typed function. */
typedef struct mape_parameter_info {
    size_t struct_size;       /**< Set to sizeof(mape_parameter_info), as #MAPE_PARAMETER_INFO_INIT does. */
    const char *name;         /**< Its name, "" when the prototype gives none; "return" and "errno" for these. Like type_name
                                   valid until the function is unregistered or the pool released. */
    const char *type_name;    /**< Its type as C has it, without length: "const double *", "{double x; double y;}". */
    uint32_t type;            /**< An enum #mape_type: its own, or that of an array's elements; NONE: nothing is returned. */
    uint32_t direction;       /**< An enum #mape_direction. */
    uint32_t is_array;        /**< 1: an array; its elements have this type. */
    int32_t length_parameter; /**< The parameter that has an array's length; -1: none. */
    uint64_t length;          /**< Elements of an array; with length_parameter, so many for each that it counts. Of a returned text,
                                   its place's bytes. Else 1. */
    size_t element_size;      /**< Bytes of the value, or of an array's element; 1 for a text. */
    int32_t input;            /**< Which column of #mape_map_columns it is; -1: none. */
    int32_t output;           /**< Which column of #mape_job_gather_columns it is; -1: none. */
    size_t input_offset;      /**< Where it lies in a packed item, in bytes. */
    size_t output_offset;     /**< Where it lies in a result, in bytes. */
} mape_parameter_info;
/** Initialiser of #mape_parameter_info. */
#define MAPE_PARAMETER_INFO_INIT { sizeof(mape_parameter_info), NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/** @brief Describes the inputs and outputs of a typed function.
 *  @param out receives the description. @param pool the pool. @param function a typed function.
 *  @return #MAPE_OK; #MAPE_E_FUNCTION for an id that is none; #MAPE_E_STATE when it has no prototype; #MAPE_E_ARGUMENT;
 *          #MAPE_E_SIZE; #MAPE_E_HANDLE. */
int mape_function_prototype(mape_prototype_info *out, mape_pool *pool, mape_function_id function);

/** @brief Describes one parameter of a typed function.
 *  @param out receives the description. @param pool the pool. @param function a typed function. @param index 0 to parameters - 1,
 *         #MAPE_PARAMETER_RETURN or #MAPE_PARAMETER_ERRNO.
 *  @return as #mape_function_prototype, and #MAPE_E_INDEX when there is no such parameter (or errno was not asked for). */
int mape_function_parameter(mape_parameter_info *out, mape_pool *pool, mape_function_id function, uint32_t index);

/** The values of one input, or the places for one output, of all calls. */
typedef struct mape_column {
    size_t struct_size; /**< Set to sizeof(mape_column), as #MAPE_COLUMN_INIT does. */
    void *base;         /**< The first call's value or place. The library only reads inputs. Outputs: NULL when you do not want it. */
    ptrdiff_t stride;   /**< Bytes from one call's to the next's; may be negative. Inputs: with 0 all calls get the first value. */
    size_t size;        /**< Bytes per call that may be used there; 0: as many as the prototype says. Needed for an array
                             whose length is a parameter and whose elements lie here themselves. */
    uint32_t type;      /**< An enum #mape_type, compared with the prototype; NONE: not checked. */
    uint32_t pointers;  /**< 1: for inputs that are arrays: base has pointers to them; NULL is passed as NULL. Texts always have
                             pointers, returned ones never. */
} mape_column;
/** Initialiser of #mape_column. */
#define MAPE_COLUMN_INIT { sizeof(mape_column), NULL, 0, 0, 0, 0 }

/** @brief Submits a call per row of some columns, as a NumPy ufunc works on arrays.
 *
 *  Call i gets from each column what lies at base + i * stride. The library copies columns, unless they lie in a #mape_buffer and hold
 *  no pointers. The host reads results as those of any job, a record of all outputs per item, or all at once by
 *  #mape_job_gather_columns.
 *  @param out_job as for #mape_apply. @param pool the pool. @param function a typed function. @param count how many calls; 0 is
 *         allowed: the job is done at once. @param columns one per input. @param column_count how many: as many as the function
 *         has inputs. @param config settings; NULL: defaults.
 *  @return as #mape_map; #MAPE_E_ARGUMENT names the parameter whose column is missing, NULL or of another type or size;
 *          #MAPE_E_STATE when the function has no prototype. */
int mape_map_columns(mape_job **out_job, mape_pool *pool, mape_function_id function, uint64_t count, const mape_column *columns,
                     size_t column_count, const mape_job_config *config);

/** @brief Copies the outputs of a typed function's job that is done into columns of the host.
 *
 *  The outputs of call i go to base + i * stride of each column. The places of calls that did not end well stay as they are, and so
 *  does what lies behind the last element of an array whose length is a parameter. The rest of a text's place is filled with NULs.
 *  The library writes nothing when an output does not fit.
 *  @param columns one per output. @param column_count how many: as many as the function has outputs. @param out_missing receives how
 *         many calls did not end well; may be NULL. @param job the job: of #mape_map_columns, #mape_map or #mape_apply.
 *  @return #MAPE_OK; #MAPE_E_AGAIN when the job is not done; #MAPE_E_OVERFLOW when an output is larger than its place, or places pass
 *          the end of the address space;
 *          #MAPE_E_ARGUMENT as #mape_map_columns; #MAPE_E_STATE when the job drops its results or its function has no prototype;
 *          #MAPE_E_HANDLE. */
int mape_job_gather_columns(const mape_column *columns, size_t column_count, uint64_t *out_missing, mape_job *job);

/** @brief Called when a proxied call fails, on the thread that called the proxy, before the call returns zero.
 *  @param context the context of #mape_proxy_create. @param result how the call ended, valid during the call; for one that reached no worker the
 *         state is #MAPE_ITEM_ABANDONED, the cause #MAPE_CAUSE_POOL and the code a status: #MAPE_E_CLOSED, #MAPE_E_FORKED and so on.
 *
 *  What it may do, and how it may end: see #mape_event_fn. It must not release its own proxy (#MAPE_E_BUSY). */
typedef void (*mape_proxy_error_fn)(void *context, const mape_result *result);

/** @brief Makes a function pointer whose calls run in a worker: a function that may crash keeps its signature and leaves the
 *         process.
 *
 *  Cast the pointer to the function's type. A call waits for its result; it may be made from any thread, also from several at once
 *  and inside callbacks. When the call ends well, the library copies the outputs to the caller's memory, and sets errno if
 *  #MAPE_NATIVE_ERRNO asks for it. When the call fails, or the pool is shut down or released, the library calls `on_error`, outputs
 *  stay as they are, and the call returns zero. The library makes no memory executable for proxies. A process can have 1024 proxies at a time.
 *  @param out receives the pointer, valid until #mape_proxy_release; NULL on failure. @param pool the pool. @param function a typed
 *         function that returns no text. @param config time limits, priority and attempts of each call; its callbacks and
 *         `deliver` are ignored; NULL: defaults. @param on_error the function to call when a call fails; NULL: none.
 *         @param context the first argument of on_error.
 *  @return #MAPE_OK; #MAPE_E_STATE when the function has no prototype; #MAPE_E_UNSUPPORTED when it returns a text;
 *          #MAPE_E_MEMORY when there are too many; #MAPE_E_FUNCTION; #MAPE_E_ARGUMENT; #MAPE_E_SIZE; #MAPE_E_CLOSED. */
int mape_proxy_create(mape_native_fn *out, mape_pool *pool, mape_function_id function, const mape_job_config *config,
                      mape_proxy_error_fn on_error, void *context);

/** @brief Releases a proxy. Calls that are running end as cancelled, and this function waits until they have returned; inside the
 *         proxy's `on_error` it returns #MAPE_E_BUSY instead. It does not wait for an `on_error` that was left by a jump, or with its
 *         thread. Calling the pointer afterwards is an error of the caller that the library cannot notice. Release proxies also after
 *         their pool was released.
 *  @param proxy the pointer that #mape_proxy_create made; NULL is ignored. @return #MAPE_OK; #MAPE_E_HANDLE when it is no proxy;
 *  #MAPE_E_BUSY. */
int mape_proxy_release(mape_native_fn proxy);

/** @} */

#ifdef __cplusplus
}
#endif

#endif /* MAPENGINE_NATIVE_H */
