/* The stable C interface of Mote.
 *
 * Functions return a mote_code; when it is not MOTE_OK, mote_error_message(), mote_error_where() and mote_error_hint()
 * tell this thread what went wrong. Objects are made by mote_<noun>_create or _load and given back by mote_<noun>_free,
 * which takes NULL. Strings and arrays that a function gives out belong to the object and live as long as it, unless a
 * comment says otherwise; those given to a function are copied, tensors excepted. A model may be used from any number
 * of threads, a session from one thread at a time. Structs begin with their size where they may grow. */
#ifndef MOTE_C_MOTE_H
#define MOTE_C_MOTE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MOTE_API __attribute__((visibility("default")))
#else
#define MOTE_API
#endif

#define MOTE_ABI_VERSION 1
#define MOTE_MAX_RANK 8

typedef enum mote_code {
  MOTE_OK = 0,
  MOTE_INVALID = 1,            /* malformed file, wrong argument */
  MOTE_UNSUPPORTED = 2,        /* understood, but Mote cannot do it */
  MOTE_NOT_FOUND = 3,          /* a file, a name */
  MOTE_OUT_OF_RANGE = 4,       /* a value that the model itself makes illegal, such as an index */
  MOTE_RESOURCE_EXHAUSTED = 5, /* a memory limit */
  MOTE_CANCELLED = 6,
  MOTE_DEADLINE_EXCEEDED = 7,
  MOTE_IO = 8,      /* the system refused: permission, disk full */
  MOTE_INTERNAL = 9 /* a bug of Mote */
} mote_code;

/* Packed types hold two or four elements per byte, low bits first. */
typedef enum mote_dtype {
  MOTE_NONE = 0,
  MOTE_F32 = 1,
  MOTE_F64 = 2,
  MOTE_F16 = 3,
  MOTE_BF16 = 4,
  MOTE_I8 = 5,
  MOTE_I16 = 6,
  MOTE_I32 = 7,
  MOTE_I64 = 8,
  MOTE_U8 = 9,
  MOTE_U16 = 10,
  MOTE_U32 = 11,
  MOTE_U64 = 12,
  MOTE_BOOL = 13,
  MOTE_STRING = 14,
  MOTE_I4 = 15,
  MOTE_U4 = 16,
  MOTE_I2 = 17,
  MOTE_U2 = 18,
  MOTE_F4E2M1 = 19,
  MOTE_F8E4M3FN = 20,
  MOTE_F8E4M3FNUZ = 21,
  MOTE_F8E5M2 = 22,
  MOTE_F8E5M2FNUZ = 23,
  MOTE_F8E8M0 = 24,
  MOTE_C64 = 25,
  MOTE_C128 = 26
} mote_dtype;

/* A dense row-major tensor in somebody's memory. */
typedef struct mote_tensor {
  void* data;
  mote_dtype dtype;
  int32_t rank;
  int64_t dims[MOTE_MAX_RANK];
} mote_tensor;

typedef struct mote_options mote_options;
typedef struct mote_model mote_model;
typedef struct mote_session mote_session;
typedef struct mote_registry mote_registry;

/* ---- errors and the process ---- */

/* Of the last failed call on this thread; "" where there is nothing to say. Valid until the next failure on it. */
MOTE_API const char* mote_error_message(void);
MOTE_API const char* mote_error_where(void);
MOTE_API const char* mote_error_hint(void);
MOTE_API const char* mote_code_name(mote_code code);
MOTE_API const char* mote_version(void);
MOTE_API const char* mote_dtype_name(mote_dtype dtype);
/* Bytes of `count` elements. */
MOTE_API int64_t mote_dtype_bytes(mote_dtype dtype, int64_t count);

typedef enum mote_log_level { MOTE_LOG_ERROR, MOTE_LOG_WARNING, MOTE_LOG_INFO, MOTE_LOG_DEBUG } mote_log_level;
typedef void (*mote_log_fn)(void* user, mote_log_level level, const char* message);
/* Mote never prints. NULL turns the log off. The hook is called from any thread. Not while other threads are inside
 * Mote. */
MOTE_API void mote_log_set(mote_log_fn hook, void* user, mote_log_level most);

typedef void* (*mote_allocate_fn)(void* user, size_t bytes, size_t alignment);
typedef void (*mote_release_fn)(void* user, void* memory, size_t bytes);
/* Where large memory comes from; NULL, NULL restores the default. While no model or session is alive. */
MOTE_API void mote_allocator_set(mote_allocate_fn allocate, mote_release_fn release, void* user);

/* ---- options: for loading models and for making sessions. NULL stands for the defaults. ---- */

MOTE_API mote_code mote_options_create(mote_options** options);
MOTE_API void mote_options_free(mote_options* options);
/* The shape of an input, where the file leaves it open; the extent of a named dimension. */
MOTE_API mote_code mote_options_set_shape(mote_options* options, const char* input, const int64_t* dims, int32_t rank);
MOTE_API mote_code mote_options_set_dim(mote_options* options, const char* symbol, int64_t extent);
/* `output` of one run is `input` of the next; neither is bound by the caller any more. */
MOTE_API mote_code mote_options_set_state(mote_options* options, const char* input, const char* output);
/* How far states that grow with every run may grow before a run takes memory for them. 0: room doubles when needed. */
MOTE_API mote_code mote_options_set_state_capacity(mote_options* options, int64_t positions);
MOTE_API mote_code mote_options_set_precision(mote_options* options, mote_dtype precision); /* MOTE_F32, _BF16, _F16 */
/* In place of a precision: layers of a quantized model that the CPU is slower at in integers compute in f32. */
MOTE_API mote_code mote_options_set_fastest(mote_options* options);
MOTE_API mote_code mote_options_set_reproducible(mote_options* options, int reproducible);
MOTE_API mote_code mote_options_set_target(mote_options* options, const char* target);
MOTE_API mote_code mote_options_set_max_bytes(mote_options* options,
                                              int64_t bytes); /* of a model and a session; 0: none */
MOTE_API mote_code mote_options_set_threads(mote_options* options,
                                            int32_t threads); /* 0: all that the process may use */
MOTE_API mote_code mote_options_set_seed(mote_options* options, uint64_t seed);
MOTE_API mote_code mote_options_set_signature(mote_options* options, const char* signature);
/* A node or value to give out as well. */
MOTE_API mote_code mote_options_add_output(mote_options* options, const char* name);
/* An input with a default value in the file that is given at every run instead; without this it is a constant. */
MOTE_API mote_code mote_options_add_override(mote_options* options, const char* input);
/* The options and every model loaded with them keep the registry alive. */
MOTE_API mote_code mote_options_set_registry(mote_options* options, const mote_registry* registry);

/* ---- models ---- */

typedef enum mote_port_kind { MOTE_PORT_TENSOR, MOTE_PORT_LIST, MOTE_PORT_OPTIONAL } mote_port_kind;

typedef struct mote_port {
  size_t struct_size; /* sizeof(mote_port), set by the caller */
  const char* name;
  mote_port_kind kind;
  mote_dtype dtype;
  int32_t rank;                         /* -1: not known */
  int64_t dims[MOTE_MAX_RANK];          /* -1: not known before the run */
  const char* dim_names[MOTE_MAX_RANK]; /* the extent as text: "3", "N", "2*N+1" */
  int32_t is_state;                     /* carried by the session, not bound by the caller */
  float scale;                          /* value = (stored - zero_point) * scale; 0: not quantized */
  int32_t zero_point;
} mote_port;

MOTE_API mote_code mote_model_load(const char* path, const mote_options* options, mote_model** model);
/* `bytes` must outlive the model. `name` stands for the file in messages. */
MOTE_API mote_code mote_model_load_memory(const void* bytes, size_t size, const char* name, const mote_options* options,
                                          mote_model** model);
MOTE_API void mote_model_free(mote_model* model); /* its sessions live on */
MOTE_API int32_t mote_model_input_count(const mote_model* model);
MOTE_API int32_t mote_model_output_count(const mote_model* model);
MOTE_API mote_code mote_model_input(const mote_model* model, int32_t index, mote_port* port);
MOTE_API mote_code mote_model_output(const mote_model* model, int32_t index, mote_port* port);
/* NULL when the model has no such entry. */
MOTE_API const char* mote_model_metadata(const mote_model* model, const char* key);
MOTE_API int32_t mote_model_signature_count(const mote_model* model);
MOTE_API const char* mote_model_signature_name(const mote_model* model, int32_t index);
MOTE_API int64_t mote_model_weight_bytes(const mote_model* model);

/* ---- sessions ---- */

MOTE_API mote_code mote_session_create(const mote_model* model, const mote_options* options, mote_session** session);
MOTE_API void mote_session_free(mote_session* session);
MOTE_API int32_t mote_session_input_count(const mote_session* session);
MOTE_API int32_t mote_session_output_count(const mote_session* session);
MOTE_API mote_code mote_session_input(const mote_session* session, int32_t index, mote_port* port);
MOTE_API mote_code mote_session_output(const mote_session* session, int32_t index, mote_port* port);
/* -1 when there is none of that name. */
MOTE_API int32_t mote_session_input_index(const mote_session* session, const char* name);
MOTE_API int32_t mote_session_output_index(const mote_session* session, const char* name);

/* Binds the caller's memory, which must stay alive and unchanged during mote_session_run. Nothing is copied. */
MOTE_API mote_code mote_session_set_input(mote_session* session, int32_t index, const mote_tensor* tensor);
MOTE_API mote_code mote_session_set_input_list(mote_session* session, int32_t index, const mote_tensor* items,
                                               int32_t count);
MOTE_API mote_code mote_session_set_input_absent(mote_session* session, int32_t index);
/* Copies NUL-terminated UTF-8 strings, as many as the shape has elements. */
MOTE_API mote_code mote_session_set_input_strings(mote_session* session, int32_t index, const char* const* elements,
                                                  const int64_t* dims, int32_t rank);
/* The result is written straight to this memory; data NULL undoes it. */
MOTE_API mote_code mote_session_set_output(mote_session* session, int32_t index, const mote_tensor* tensor);

/* `deadline_ns` counts from the call on; 0: none. */
MOTE_API mote_code mote_session_run(mote_session* session, int64_t deadline_ns);
/* From any thread: ends the run in progress, if there is one, with MOTE_CANCELLED. */
MOTE_API void mote_session_cancel(mote_session* session);

/* Results, valid until the next run. */
MOTE_API mote_code mote_session_get_output(const mote_session* session, int32_t index, mote_tensor* tensor);
MOTE_API int32_t mote_session_output_is_present(const mote_session* session, int32_t index);
MOTE_API int32_t mote_session_output_item_count(const mote_session* session, int32_t index);
MOTE_API mote_code mote_session_get_output_item(const mote_session* session, int32_t index, int32_t item,
                                                mote_tensor* tensor);
/* Element `element` of a string output; valid until the next call of this function on the session. */
MOTE_API mote_code mote_session_get_output_string(mote_session* session, int32_t index, int64_t element,
                                                  const char** text, size_t* length);

/* A session of another signature with the states of this one: what either changes, both see. They share threads and
 * memory limit too, and are used by one thread at a time; results are valid until any of them runs again. */
MOTE_API mote_code mote_session_create_sibling(const mote_session* session, const char* signature,
                                               mote_session** sibling);
/* States, those of siblings too, back to how they began. */
MOTE_API mote_code mote_session_reset_states(mote_session* session);
/* What values take: the planned arena, with the results that the session keeps, and values whose size a run decided. */
MOTE_API int64_t mote_session_arena_bytes(const mote_session* session);

/* ---- custom ops ----
 * An op is described once and registered by a program (mote_registry_add_op) or by a plugin: a shared library with the
 * entry point MOTE_PLUGIN_ENTRY. The callbacks reach Mote through the function pointers of the call, so that a plugin
 * links against nothing. */

/* Extents in mote_types: decided at run time; the same as that of an input's axis. */
#define MOTE_EXTENT_UNKNOWN ((int64_t)-1)
#define MOTE_EXTENT_OF(input, axis) ((int64_t)-2 - ((int64_t)(input)*MOTE_MAX_RANK + (axis)))

/* Attributes of the node, by the names of the file. */
typedef struct mote_attributes mote_attributes;
struct mote_attributes {
  size_t struct_size;
  const void* context;
  int (*has)(const mote_attributes* a, const char* name);
  int64_t (*as_int)(const mote_attributes* a, const char* name, int64_t otherwise);
  double (*as_float)(const mote_attributes* a, const char* name, double otherwise);
  /* Valid until the callback returns. */
  const char* (*as_string)(const mote_attributes* a, const char* name, const char* otherwise);
  /* Writes at most `capacity` values; gives how many there are. */
  int32_t (*as_ints)(const mote_attributes* a, const char* name, int64_t* values, int32_t capacity);
  int32_t (*as_floats)(const mote_attributes* a, const char* name, double* values, int32_t capacity);
};

/* What `infer` sees: the inputs' types, without data, and how to state the outputs'. */
typedef struct mote_types mote_types;
struct mote_types {
  size_t struct_size;
  void* context;
  const mote_attributes* attributes;
  int32_t input_count, output_count; /* of this node */
  /* 0 for an absent input. Otherwise fills dtype (MOTE_NONE: not known), rank (-1: not known) and dims
   * (MOTE_EXTENT_UNKNOWN). */
  int (*input)(const mote_types* types, int32_t index, mote_tensor* type);
  mote_code (*set_output)(mote_types* types, int32_t index, mote_dtype dtype, const int64_t* extents, int32_t rank);
  mote_code (*set_output_of_unknown_rank)(mote_types* types, int32_t index, mote_dtype dtype);
  mote_code (*set_output_like)(mote_types* types, int32_t index, int32_t input);
  /* For `return types->fail(types, "...")`. */
  mote_code (*fail)(mote_types* types, const char* message);
};

/* What `run` sees. */
typedef struct mote_call mote_call;
struct mote_call {
  size_t struct_size;
  void* context;
  const mote_attributes* attributes;
  int32_t input_count, output_count;
  const mote_tensor* inputs; /* data NULL, dtype MOTE_NONE: absent. Not to be written. */
  /* Memory for an output, once for each. A dtype or shape other than what was inferred is an error. */
  mote_code (*output)(mote_call* call, int32_t index, mote_dtype dtype, const int64_t* dims, int32_t rank,
                      mote_tensor* tensor);
  /* Zeroed, 64-byte aligned, until the callback returns; NULL beyond the session's memory limit. */
  void* (*scratch)(mote_call* call, size_t bytes);
  mote_code (*fail)(mote_call* call, const char* message);
};

typedef struct mote_op {
  size_t struct_size; /* sizeof(mote_op) */
  const char* domain;
  const char* name;
  int32_t version; /* part of saved plans */
  const char* doc; /* may be NULL */
  int32_t min_inputs, max_inputs, outputs;
  /* While a model is prepared, and whenever its shapes are asked for; must state every output of the node. */
  mote_code (*infer)(void* user, mote_types* types);
  /* Once per run, on one thread; by several sessions at the same time. */
  mote_code (*run)(void* user, mote_call* call);
  void* user;
} mote_op;

MOTE_API mote_code mote_registry_create(mote_registry** registry);
MOTE_API void mote_registry_free(mote_registry* registry);
MOTE_API mote_code mote_registry_add_op(mote_registry* registry, const mote_op* op);
/* Loads a shared library and calls its entry point. */
MOTE_API mote_code mote_registry_load_plugin(mote_registry* registry, const char* path);

/* The entry point of a plugin: mote_code mote_plugin_register(const mote_plugin_host* host) */
typedef struct mote_plugin_host mote_plugin_host;
struct mote_plugin_host {
  size_t struct_size;
  uint32_t abi_version; /* MOTE_ABI_VERSION of the host */
  void* context;
  mote_code (*add_op)(const mote_plugin_host* host, const mote_op* op);
};
typedef mote_code (*mote_plugin_register_fn)(const mote_plugin_host* host);
#define MOTE_PLUGIN_ENTRY "mote_plugin_register"

#ifdef __cplusplus
}
#endif

#endif
