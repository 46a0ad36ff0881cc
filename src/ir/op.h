// Op: what an operation is. One constinit object per op, defined once in src/ops/<folder>/<op>.cc; in memory a node's
// op is a pointer to it, on disk its name and version.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ir/attr.h"
#include "mote/status.h"

namespace mote {

class InferContext;

enum class Arity : std::uint8_t { kOne, kOptional, kVariadic };

struct Slot {
  std::string_view name;
  std::string_view doc;
  Arity arity = Arity::kOne;
};

struct AttrSpec {
  std::string_view name;
  AttrKind kind;
  std::string_view default_text;  // in the form of parse_attr; empty: no default
  std::string_view doc;
  bool required = false;
};

enum OpFlags : std::uint32_t {
  kPure = 0,
  kRandom = 1u << 0,   // draws from the context's generator: never folded, never merged
  kControl = 1u << 1,  // has bodies: if, loop, call
  kDataDependent =
      1u << 2,      // output extents depend on data, not only on shapes and shape operands (nonzero, unique, nms)
  kView = 1u << 3,  // output 0 is input 0's bytes in the same order (reshape, squeeze, identity)
  kElementwise = 1u << 4,  // output i depends on inputs at i only, after broadcasting
  kState = 1u << 5,        // reads or writes a state
};

struct Op {
  std::string_view name;
  std::int32_t version = 1;
  std::string_view doc;
  std::span<const Slot> inputs;
  std::span<const Slot> outputs;
  std::span<const AttrSpec> attrs;
  // Fills the types of all outputs, and the values of small integer outputs where they are known. Runs at prepare with
  // symbolic shapes, and again at run time with constant ones when a shape operand was not known before: so it reads
  // shapes and values only through the context.
  Status (*infer)(InferContext&) = nullptr;
  std::uint32_t flags = kPure;
  // Bit i: output shapes depend on the *value* of input i.
  std::uint32_t shape_operands = 0;
  // Bit i: input i may be a list or an optional. All others are tensors.
  std::uint32_t list_operands = 0;

  bool is(OpFlags f) const { return (flags & f) != 0; }
  const AttrSpec* attr(std::string_view attr_name) const {
    for (const AttrSpec& a : attrs) {
      if (a.name == attr_name) return &a;
    }
    return nullptr;
  }
};

// Finds ops by name. Custom ops are added to one, built-in ones are found in all.
class OpLookup {
 public:
  virtual const Op* find(std::string_view name) const = 0;

 protected:
  ~OpLookup() = default;
};

// Attribute of a node: what is set there, else the op's default. Requires that the op declares it with that kind.
std::int64_t attr_int(const Op& op, const Attrs& attrs, std::string_view name);
double attr_float(const Op& op, const Attrs& attrs, std::string_view name);
std::string attr_string(const Op& op, const Attrs& attrs, std::string_view name);
std::vector<std::int64_t> attr_ints(const Op& op, const Attrs& attrs, std::string_view name);
std::vector<double> attr_floats(const Op& op, const Attrs& attrs, std::string_view name);
std::vector<std::string> attr_strings(const Op& op, const Attrs& attrs, std::string_view name);
DType attr_dtype(const Op& op, const Attrs& attrs, std::string_view name);

}  // namespace mote
