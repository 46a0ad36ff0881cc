// The C interface: errors, hooks, options, models.
#include <algorithm>

#include "api/c_api.h"
#include "base/text.h"
#include "mote/hooks.h"
#include "mote/version.h"

namespace mote::api {
namespace {

struct LastError {
  std::string message, where, hint;
};

LastError& last_error() {
  static thread_local LastError error;
  return error;
}

static_assert(static_cast<int>(Code::kInternal) == MOTE_INTERNAL && static_cast<int>(Code::kInvalid) == MOTE_INVALID);
static_assert(static_cast<int>(DType::c128) == MOTE_C128 && static_cast<int>(DType::f32) == MOTE_F32 &&
              static_cast<int>(DType::boolean) == MOTE_BOOL && static_cast<int>(DType::i4) == MOTE_I4);

struct Hooks {
  mote_log_fn log = nullptr;
  void* log_user = nullptr;
  mote_allocate_fn allocate = nullptr;
  mote_release_fn release = nullptr;
  void* memory_user = nullptr;
};

Hooks& hooks() {
  static Hooks h;
  return h;
}

void forward_log(void*, LogLevel level, std::string_view message) {
  const Hooks& h = hooks();
  h.log(h.log_user, static_cast<mote_log_level>(level), std::string(message).c_str());
}

mote_code fill_port(const std::vector<Port>& ports, std::int32_t index, mote_port* out) {
  if (!out) return missing_argument("port");
  if (index < 0 || index >= static_cast<std::int32_t>(ports.size()))
    return report(invalid(concat("there is no port ", index)));
  if (out->struct_size < sizeof(mote_port)) return report(invalid("port->struct_size is not set"));
  const Port& p = ports[static_cast<std::size_t>(index)];
  *out = mote_port{};
  out->struct_size = sizeof(mote_port);
  out->name = p.name.c_str();
  out->kind = static_cast<mote_port_kind>(p.kind);
  out->dtype = static_cast<mote_dtype>(p.dtype);
  out->rank = p.known_rank ? static_cast<std::int32_t>(p.shape.size()) : -1;
  for (std::size_t i = 0; i < std::min<std::size_t>(p.shape.size(), MOTE_MAX_RANK); ++i) {
    out->dims[i] = parse_int(p.shape[i]).value_or(-1);
    out->dim_names[i] = p.shape[i].c_str();
  }
  out->is_state = p.state;
  out->scale = p.scale;
  out->zero_point = p.zero_point;
  return MOTE_OK;
}

}  // namespace

mote_code report(const Status& status) {
  if (status.ok()) return MOTE_OK;
  last_error() = {std::string(status.message()), std::string(status.where()), std::string(status.hint())};
  return static_cast<mote_code>(status.code());
}

Code code_of(mote_code code) {
  return code > MOTE_OK && code <= MOTE_INTERNAL ? static_cast<Code>(code) : Code::kInternal;
}

Result<TensorView> view_of(const mote_tensor* t) {
  if (!t) return invalid("tensor is NULL");
  if (t->rank < 0 || t->rank > MOTE_MAX_RANK) return invalid(concat("tensor rank ", t->rank, " is not 0 to 8"));
  if (t->dtype <= MOTE_NONE || t->dtype > MOTE_C128) return invalid("tensor dtype is not set");
  for (std::int32_t i = 0; i < t->rank; ++i) {
    if (t->dims[i] < 0) return invalid(concat("tensor extent ", i, " is negative"));
  }
  return TensorView::of(static_cast<std::byte*>(t->data), static_cast<DType>(t->dtype),
                        {t->dims, static_cast<std::size_t>(t->rank)});
}

void fill(const TensorView& v, mote_tensor* t) {
  *t = mote_tensor{v.data, static_cast<mote_dtype>(v.dtype), v.rank, {}};
  std::copy(v.dims, v.dims + v.rank, t->dims);
}

}  // namespace mote::api

using mote::api::report;

const char* mote_error_message(void) { return mote::api::last_error().message.c_str(); }
const char* mote_error_where(void) { return mote::api::last_error().where.c_str(); }
const char* mote_error_hint(void) { return mote::api::last_error().hint.c_str(); }
const char* mote_version(void) { return mote::kVersion; }

const char* mote_code_name(mote_code code) {
  constexpr const char* kNames[] = {
      "ok",        "invalid",           "unsupported", "not found", "out of range", "resource exhausted",
      "cancelled", "deadline exceeded", "io",          "internal"};
  return code >= MOTE_OK && code <= MOTE_INTERNAL ? kNames[code] : "unknown";
}

const char* mote_dtype_name(mote_dtype dtype) {
  return dtype >= MOTE_NONE && dtype <= MOTE_C128 ? mote::name_of(static_cast<mote::DType>(dtype)).data() : "unknown";
}

int64_t mote_dtype_bytes(mote_dtype dtype, int64_t count) {
  return dtype > MOTE_NONE && dtype <= MOTE_C128 ? mote::bytes_of(static_cast<mote::DType>(dtype), count) : 0;
}

void mote_log_set(mote_log_fn hook, void* user, mote_log_level most) {
  mote::api::hooks().log = hook;
  mote::api::hooks().log_user = user;
  mote::set_log_hook(hook ? mote::api::forward_log : nullptr, nullptr, static_cast<mote::LogLevel>(most));
}

void mote_allocator_set(mote_allocate_fn allocate, mote_release_fn release, void* user) {
  mote::AllocatorHook hook{allocate, release, user};
  mote::set_allocator(allocate && release ? &hook : nullptr);
}

mote_code mote_options_create(mote_options** options) {
  if (!options) return mote::api::missing_argument("options");
  *options = new mote_options;
  return MOTE_OK;
}

void mote_options_free(mote_options* options) { delete options; }

// Checks the handle and the text of a setter.
#define MOTE_NEED(pointer) \
  if (!(pointer)) return mote::api::missing_argument(#pointer)

mote_code mote_options_set_shape(mote_options* options, const char* input, const int64_t* dims, int32_t rank) {
  MOTE_NEED(options);
  MOTE_NEED(input);
  if (rank < 0 || rank > MOTE_MAX_RANK) return report(mote::invalid("rank is not 0 to 8"));
  if (rank > 0) MOTE_NEED(dims);
  options->load.shapes[input] = rank > 0 ? std::vector<std::int64_t>(dims, dims + rank) : std::vector<std::int64_t>();
  return MOTE_OK;
}

mote_code mote_options_set_dim(mote_options* options, const char* symbol, int64_t extent) {
  MOTE_NEED(options);
  MOTE_NEED(symbol);
  options->load.dims[symbol] = extent;
  return MOTE_OK;
}

mote_code mote_options_set_state(mote_options* options, const char* input, const char* output) {
  MOTE_NEED(options);
  MOTE_NEED(input);
  MOTE_NEED(output);
  options->load.states[input] = output;
  return MOTE_OK;
}

mote_code mote_options_set_precision(mote_options* options, mote_dtype precision) {
  MOTE_NEED(options);
  if (precision == MOTE_F32) {
    options->load.precision = mote::Precision::kF32;
  } else if (precision == MOTE_BF16) {
    options->load.precision = mote::Precision::kBf16;
  } else if (precision == MOTE_F16) {
    options->load.precision = mote::Precision::kF16;
  } else {
    return report(mote::invalid("the precision is none of MOTE_F32, MOTE_BF16, MOTE_F16"));
  }
  return MOTE_OK;
}

mote_code mote_options_set_fastest(mote_options* options) {
  MOTE_NEED(options);
  options->load.precision = mote::Precision::kFastest;
  return MOTE_OK;
}

mote_code mote_options_set_reproducible(mote_options* options, int reproducible) {
  MOTE_NEED(options);
  options->load.reproducible = reproducible != 0;
  return MOTE_OK;
}

mote_code mote_options_set_target(mote_options* options, const char* target) {
  MOTE_NEED(options);
  options->load.target = target ? target : "";
  return MOTE_OK;
}

mote_code mote_options_set_max_bytes(mote_options* options, int64_t bytes) {
  MOTE_NEED(options);
  if (bytes < 0) return report(mote::invalid("the memory limit is negative"));
  options->load.max_bytes = options->session.max_bytes = bytes;
  return MOTE_OK;
}

mote_code mote_options_set_threads(mote_options* options, int32_t threads) {
  MOTE_NEED(options);
  if (threads < 0) return report(mote::invalid("the number of threads is negative"));
  options->session.threads = threads;
  return MOTE_OK;
}

mote_code mote_options_set_seed(mote_options* options, uint64_t seed) {
  MOTE_NEED(options);
  options->session.seed = seed;
  return MOTE_OK;
}

mote_code mote_options_set_state_capacity(mote_options* options, int64_t positions) {
  MOTE_NEED(options);
  if (positions < 0) return report(mote::invalid("a capacity cannot be negative"));
  options->session.state_capacity = positions;
  return MOTE_OK;
}

mote_code mote_options_set_signature(mote_options* options, const char* signature) {
  MOTE_NEED(options);
  options->load.signature = options->session.signature = signature ? signature : "";
  return MOTE_OK;
}

mote_code mote_options_add_output(mote_options* options, const char* name) {
  MOTE_NEED(options);
  MOTE_NEED(name);
  options->load.extra_outputs.emplace_back(name);
  return MOTE_OK;
}

mote_code mote_options_add_override(mote_options* options, const char* input) {
  MOTE_NEED(options);
  MOTE_NEED(input);
  options->load.overrides.emplace_back(input);
  return MOTE_OK;
}

mote_code mote_options_set_registry(mote_options* options, const mote_registry* registry) {
  MOTE_NEED(options);
  options->load.ops = registry ? registry->ops : nullptr;
  return MOTE_OK;
}

namespace {

mote_code give(mote::Result<mote::Model> loaded, mote_model** model) {
  if (!loaded.ok()) return report(loaded.status());
  *model = new mote_model{*std::move(loaded)};
  return MOTE_OK;
}

}  // namespace

mote_code mote_model_load(const char* path, const mote_options* options, mote_model** model) {
  MOTE_NEED(model);
  *model = nullptr;
  MOTE_NEED(path);
  return give(mote::Model::load(std::string(path), options ? options->load : mote::LoadOptions()), model);
}

mote_code mote_model_load_memory(const void* bytes, size_t size, const char* name, const mote_options* options,
                                 mote_model** model) {
  MOTE_NEED(model);
  *model = nullptr;
  MOTE_NEED(bytes);
  std::span<const std::byte> span(static_cast<const std::byte*>(bytes), size);
  return give(mote::Model::load(span, name ? name : "model", options ? options->load : mote::LoadOptions()), model);
}

void mote_model_free(mote_model* model) { delete model; }

int32_t mote_model_input_count(const mote_model* model) {
  return model ? static_cast<int32_t>(model->model.inputs().size()) : 0;
}
int32_t mote_model_output_count(const mote_model* model) {
  return model ? static_cast<int32_t>(model->model.outputs().size()) : 0;
}

mote_code mote_model_input(const mote_model* model, int32_t index, mote_port* port) {
  MOTE_NEED(model);
  return mote::api::fill_port(model->model.inputs(), index, port);
}

mote_code mote_model_output(const mote_model* model, int32_t index, mote_port* port) {
  MOTE_NEED(model);
  return mote::api::fill_port(model->model.outputs(), index, port);
}

const char* mote_model_metadata(const mote_model* model, const char* key) {
  if (!model || !key) return nullptr;
  for (const auto& [k, v] : model->model.metadata()) {
    if (k == key) return v.c_str();
  }
  return nullptr;
}

int32_t mote_model_signature_count(const mote_model* model) {
  return model ? static_cast<int32_t>(model->model.signatures().size()) : 0;
}

const char* mote_model_signature_name(const mote_model* model, int32_t index) {
  if (!model || index < 0 || index >= mote_model_signature_count(model)) return nullptr;
  return model->model.signatures()[static_cast<std::size_t>(index)].c_str();
}

int64_t mote_model_weight_bytes(const mote_model* model) {
  return model ? static_cast<int64_t>(model->model.weight_bytes()) : 0;
}

int32_t mote_session_input_count(const mote_session* session) {
  return session ? static_cast<int32_t>(session->session.inputs().size()) : 0;
}
int32_t mote_session_output_count(const mote_session* session) {
  return session ? static_cast<int32_t>(session->session.outputs().size()) : 0;
}

mote_code mote_session_input(const mote_session* session, int32_t index, mote_port* port) {
  MOTE_NEED(session);
  return mote::api::fill_port(session->session.inputs(), index, port);
}

mote_code mote_session_output(const mote_session* session, int32_t index, mote_port* port) {
  MOTE_NEED(session);
  return mote::api::fill_port(session->session.outputs(), index, port);
}
