// Custom ops: operators outside ONNX's domains, run by code of the program or of a plugin.
//
//   auto ops = mote::OpRegistry::create();
//   ops->add({.domain = "com.example", .name = "Scale", .infer = ..., .run = ...});
//   mote::LoadOptions options;
//   options.ops = ops;
//
// `infer` runs while a model is prepared and says what every output is. `run` runs once per inference, on one thread,
// with dense row-major operands; sessions of one model may call it at the same time from several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mote/status.h"
#include "mote/tensor.h"

namespace mote {

// Extents in CustomTypes::output: a number, kUnknownExtent (decided at run time), or the extent of an input's axis.
inline constexpr std::int64_t kUnknownExtent = -1;
constexpr std::int64_t extent_of(int input, int axis) {
  return -2 - (static_cast<std::int64_t>(input) * kMaxRank + axis);
}

// Attributes of the node, by the names of the file.
class CustomAttributes {
 public:
  virtual bool has(std::string_view name) const = 0;
  virtual std::int64_t as_int(std::string_view name, std::int64_t otherwise) const = 0;
  virtual double as_float(std::string_view name, double otherwise) const = 0;
  virtual std::string as_string(std::string_view name, std::string_view otherwise) const = 0;
  virtual std::vector<std::int64_t> as_ints(std::string_view name) const = 0;
  virtual std::vector<double> as_floats(std::string_view name) const = 0;

 protected:
  ~CustomAttributes() = default;
};

class CustomTypes {
 public:
  virtual const CustomAttributes& attributes() const = 0;
  virtual int inputs() const = 0;
  virtual int outputs() const = 0;  // that the node has
  virtual bool has(int input) const = 0;
  virtual DType dtype(int input) const = 0;                    // none: not known
  virtual int rank(int input) const = 0;                       // -1: not known
  virtual std::int64_t extent(int input, int axis) const = 0;  // kUnknownExtent: a symbol, or not known
  virtual Status output(int i, DType dtype, std::span<const std::int64_t> extents) = 0;
  virtual Status output_of_unknown_rank(int i, DType dtype) = 0;
  // Output i has the dtype and the shape of the input.
  virtual Status output_like(int i, int input) = 0;

 protected:
  ~CustomTypes() = default;
};

class CustomCall {
 public:
  virtual const CustomAttributes& attributes() const = 0;
  virtual int inputs() const = 0;
  virtual int outputs() const = 0;
  virtual bool has(int input) const = 0;
  virtual const TensorView& input(int i) const = 0;  // requires has(i)
  // Memory for output i, to be asked for once. A dtype or shape other than what was inferred is an error.
  virtual Result<TensorView> output(int i, DType dtype, std::span<const std::int64_t> shape) = 0;
  // Zeroed, 64-byte aligned, until the call ends; counted in the session's memory limit.
  virtual Result<std::span<std::byte>> scratch(std::size_t bytes) = 0;

 protected:
  ~CustomCall() = default;
};

struct CustomOp {
  std::string domain, name;
  int version = 1;
  std::string doc;
  int min_inputs = 1, max_inputs = 1, outputs = 1;
  std::function<Status(CustomTypes&)> infer;
  std::function<Status(CustomCall&)> run;
};

// A set of custom ops. Not to be changed once a model was loaded with it; models keep it alive.
class OpRegistry {
 public:
  static std::shared_ptr<OpRegistry> create();
  ~OpRegistry();
  OpRegistry(const OpRegistry&) = delete;
  OpRegistry& operator=(const OpRegistry&) = delete;

  Status add(CustomOp op);
  // A shared library with the entry point of mote/c/mote.h, MOTE_PLUGIN_ENTRY. It stays loaded as long as the registry.
  Status load_plugin(const std::string& path);
  std::vector<std::string> names() const;  // "domain.name"

  struct Impl;
  Impl& impl() const { return *impl_; }

 private:
  OpRegistry();
  std::unique_ptr<Impl> impl_;
};

}  // namespace mote
