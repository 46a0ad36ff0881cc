// References: the naive, clear implementation of an op, the oracle of every fast kernel. One thread, dense row-major
// operands.
//
// A reference checks what the model's values can make illegal (an index out of range) and says so; extents have been
// checked by the op's inference. It asks for each output with `out`, giving the shape it found: where the plan already
// knows the shape, a different one is an error; otherwise the context takes memory for it, within its budget.
#pragma once

#include <cmath>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"
#include "tensor/view.h"

namespace mote {

// An element of a string tensor: a range of the context's string heap.
struct StringRef {
  std::uint64_t offset, length;
};

// A list or optional at run time: its tensors, in order. An optional holds zero or one.
struct ListView {
  std::vector<TensorView> items;
};

class ReferenceContext {
 public:
  virtual int inputs() const = 0;
  virtual int outputs() const = 0;
  virtual bool has(int input) const = 0;
  // Dense tensor input. Requires has(input).
  virtual const TensorView& in(int input) const = 0;
  // Items of a list or optional input.
  virtual std::vector<TensorView> list(int input) const = 0;
  virtual bool is_list(int input) const = 0;

  virtual bool wants(int output) const = 0;
  // Whether output `output` is a list or an optional.
  virtual bool gives_list(int output) const {
    (void)output;
    return false;
  }
  // Memory for output `output`, dense. Fails when the plan expects another shape, or beyond the memory budget.
  virtual Result<TensorView> out(int output, DType dtype, std::span<const std::int64_t> shape) = 0;
  // Sets a list or optional output to copies of `items`.
  virtual Status out_list(int output, std::span<const TensorView> items) = 0;

  // Scratch that lives until the step ends, zeroed. Fails beyond the budget.
  virtual Result<std::span<std::byte>> scratch(std::size_t bytes) = 0;

  virtual std::string_view string(StringRef ref) const = 0;
  virtual Result<StringRef> add_string(std::string_view s) = 0;

  // The next 32 random bits of this node's Philox stream.
  virtual std::uint32_t random() = 0;

  const Op& op() const { return *op_; }
  const Attrs& attrs() const { return *attrs_; }
  bool has_attr(std::string_view n) const { return attrs_->has(n); }
  std::int64_t attr_int(std::string_view n) const { return mote::attr_int(*op_, *attrs_, n); }
  double attr_float(std::string_view n) const { return mote::attr_float(*op_, *attrs_, n); }
  std::string attr_string(std::string_view n) const { return mote::attr_string(*op_, *attrs_, n); }
  std::vector<std::int64_t> attr_ints(std::string_view n) const { return mote::attr_ints(*op_, *attrs_, n); }
  std::vector<double> attr_floats(std::string_view n) const { return mote::attr_floats(*op_, *attrs_, n); }
  std::vector<std::string> attr_strings(std::string_view n) const { return mote::attr_strings(*op_, *attrs_, n); }
  DType attr_dtype(std::string_view n) const { return mote::attr_dtype(*op_, *attrs_, n); }

 protected:
  ReferenceContext(const Op& op, const Attrs& attrs) : op_(&op), attrs_(&attrs) {}
  ~ReferenceContext() = default;

 private:
  const Op* op_;
  const Attrs* attrs_;
};

using ReferenceFn = Status (*)(ReferenceContext&);

// Null for an op without one.
ReferenceFn find_reference(const Op& op);

// MOTE_DEFINE_REFERENCE(softmax) = run;  in the op's file.
#define MOTE_DEFINE_REFERENCE(name)          \
  extern const ReferenceFn reference_##name; \
  constinit const ReferenceFn reference_##name

}  // namespace mote
