// The C interface: custom ops. The callbacks of a mote_op become the functions of a CustomOp.
#include <algorithm>
#include <deque>

#include "api/c_api.h"
#include "base/text.h"

namespace mote::api {
namespace {

// Of one callback: what its attribute functions read, and strings they gave out.
struct AttributeCall {
  explicit AttributeCall(const CustomAttributes& a) : attributes(a) {
    table = {sizeof(mote_attributes), this, has, as_int, as_float, as_string, as_ints, as_floats};
  }
  static const AttributeCall& of(const mote_attributes* a) { return *static_cast<const AttributeCall*>(a->context); }
  static int has(const mote_attributes* a, const char* name) { return of(a).attributes.has(name); }
  static int64_t as_int(const mote_attributes* a, const char* name, int64_t otherwise) {
    return of(a).attributes.as_int(name, otherwise);
  }
  static double as_float(const mote_attributes* a, const char* name, double otherwise) {
    return of(a).attributes.as_float(name, otherwise);
  }
  static const char* as_string(const mote_attributes* a, const char* name, const char* otherwise) {
    if (!of(a).attributes.has(name)) return otherwise;
    of(a).strings.push_back(of(a).attributes.as_string(name, otherwise ? otherwise : ""));
    return of(a).strings.back().c_str();
  }
  template <class T>
  static int32_t copy(const std::vector<T>& from, T* to, int32_t capacity) {
    std::copy_n(from.begin(), std::min<std::size_t>(from.size(), static_cast<std::size_t>(std::max(capacity, 0))), to);
    return static_cast<int32_t>(from.size());
  }
  static int32_t as_ints(const mote_attributes* a, const char* name, int64_t* values, int32_t capacity) {
    return copy(of(a).attributes.as_ints(name), values, capacity);
  }
  static int32_t as_floats(const mote_attributes* a, const char* name, double* values, int32_t capacity) {
    return copy(of(a).attributes.as_floats(name), values, capacity);
  }

  const CustomAttributes& attributes;
  mutable std::deque<std::string> strings;
  mote_attributes table;
};

// What both kinds of callback do with failures: the first one is what the op's node reports.
struct CallbackStatus {
  mote_code keep(Status s) {
    mote_code code = report(s);
    if (status.ok() && !s.ok()) status = std::move(s);
    return code;
  }
  Status result(mote_code code) {
    if (!status.ok()) return std::move(status);
    return code == MOTE_OK ? Status() : Status(code_of(code), concat("the custom op failed: ", mote_code_name(code)));
  }
  Status status;
};

struct TypesCall : CallbackStatus {
  explicit TypesCall(CustomTypes& t) : types(t), attributes(t.attributes()) {
    table = {sizeof(mote_types), this,        &attributes.table, t.inputs(), t.outputs(), input,
             set_output,         set_unknown, set_like,          fail};
  }
  static TypesCall& of(const mote_types* t) { return *static_cast<TypesCall*>(t->context); }
  static int input(const mote_types* t, int32_t index, mote_tensor* type) {
    const CustomTypes& types = of(t).types;
    if (index < 0 || index >= types.inputs() || !types.has(index)) return 0;
    *type = mote_tensor{nullptr, static_cast<mote_dtype>(types.dtype(index)), types.rank(index), {}};
    for (int32_t i = 0; i < std::min<int32_t>(type->rank, MOTE_MAX_RANK); ++i) type->dims[i] = types.extent(index, i);
    return 1;
  }
  static mote_code set_output(mote_types* t, int32_t index, mote_dtype dtype, const int64_t* extents, int32_t rank) {
    if (rank < 0 || rank > MOTE_MAX_RANK) return of(t).keep(unsupported("rank above 8"));
    return of(t).keep(of(t).types.output(index, static_cast<DType>(dtype), {extents, static_cast<std::size_t>(rank)}));
  }
  static mote_code set_unknown(mote_types* t, int32_t index, mote_dtype dtype) {
    return of(t).keep(of(t).types.output_of_unknown_rank(index, static_cast<DType>(dtype)));
  }
  static mote_code set_like(mote_types* t, int32_t index, int32_t from) {
    return of(t).keep(of(t).types.output_like(index, from));
  }
  static mote_code fail(mote_types* t, const char* message) {
    return of(t).keep(invalid(message ? message : "refused"));
  }

  CustomTypes& types;
  AttributeCall attributes;
  mote_types table;
};

struct RunCall : CallbackStatus {
  explicit RunCall(CustomCall& c) : call(c), attributes(c.attributes()) {
    for (int i = 0; i < c.inputs(); ++i) {
      inputs.emplace_back();
      if (c.has(i)) fill(c.input(i), &inputs.back());
    }
    table = {sizeof(mote_call), this, &attributes.table, c.inputs(), c.outputs(), inputs.data(), output, scratch, fail};
  }
  static RunCall& of(const mote_call* c) { return *static_cast<RunCall*>(c->context); }
  static mote_code output(mote_call* c, int32_t index, mote_dtype dtype, const int64_t* dims, int32_t rank,
                          mote_tensor* tensor) {
    if (rank < 0 || rank > MOTE_MAX_RANK) return of(c).keep(unsupported("rank above 8"));
    for (int32_t i = 0; i < rank; ++i) {
      if (dims[i] < 0) return of(c).keep(invalid("an extent is negative"));
    }
    Result<TensorView> view =
        of(c).call.output(index, static_cast<DType>(dtype), {dims, static_cast<std::size_t>(rank)});
    if (!view.ok()) return of(c).keep(view.status());
    fill(*view, tensor);
    return MOTE_OK;
  }
  static void* scratch(mote_call* c, size_t bytes) {
    Result<std::span<std::byte>> memory = of(c).call.scratch(bytes);
    if (memory.ok()) return memory->data();
    of(c).keep(memory.status());
    return nullptr;
  }
  static mote_code fail(mote_call* c, const char* message) { return of(c).keep(invalid(message ? message : "failed")); }

  CustomCall& call;
  AttributeCall attributes;
  std::vector<mote_tensor> inputs;
  mote_call table;
};

mote_code add_from_plugin(const mote_plugin_host* host, const mote_op* op) {
  PluginHost& self = *static_cast<PluginHost*>(host->context);
  Result<CustomOp> made = custom_op(op);
  Status s = made.ok() ? self.registry.add(*std::move(made)) : made.status();
  mote_code code = report(s);
  if (self.status.ok() && !s.ok()) self.status = std::move(s);
  return code;
}

}  // namespace

Result<CustomOp> custom_op(const mote_op* op) {
  if (!op) return invalid("op is NULL");
  if (op->struct_size < sizeof(mote_op)) return invalid("op->struct_size is not set");
  if (!op->domain || !op->name || !op->infer || !op->run) return invalid("an op needs a domain, a name, infer and run");
  CustomOp out;
  out.domain = op->domain;
  out.name = op->name;
  out.version = op->version;
  out.doc = op->doc ? op->doc : "";
  out.min_inputs = op->min_inputs;
  out.max_inputs = op->max_inputs;
  out.outputs = op->outputs;
  out.infer = [infer = op->infer, user = op->user](CustomTypes& types) {
    TypesCall call(types);
    return call.result(infer(user, &call.table));
  };
  out.run = [run = op->run, user = op->user](CustomCall& c) {
    RunCall call(c);
    return call.result(run(user, &call.table));
  };
  return out;
}

PluginHost::PluginHost(OpRegistry& r)
    : registry(r), host{sizeof(mote_plugin_host), MOTE_ABI_VERSION, this, add_from_plugin} {}

}  // namespace mote::api

mote_code mote_registry_create(mote_registry** registry) {
  if (!registry) return mote::api::missing_argument("registry");
  *registry = new mote_registry{mote::OpRegistry::create()};
  return MOTE_OK;
}

void mote_registry_free(mote_registry* registry) { delete registry; }

mote_code mote_registry_add_op(mote_registry* registry, const mote_op* op) {
  if (!registry) return mote::api::missing_argument("registry");
  mote::Result<mote::CustomOp> made = mote::api::custom_op(op);
  if (!made.ok()) return mote::api::report(made.status());
  return mote::api::report(registry->ops->add(*std::move(made)));
}

mote_code mote_registry_load_plugin(mote_registry* registry, const char* path) {
  if (!registry) return mote::api::missing_argument("registry");
  if (!path) return mote::api::missing_argument("path");
  return mote::api::report(registry->ops->load_plugin(path));
}
