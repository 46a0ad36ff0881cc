// Module: functions, constants, states and symbols; the one form that every importer produces and every pass rewrites.
//
// A Function is a graph: nodes in topological order over values. A value is a function input, a node's output, or a
// constant. Control-flow bodies are functions too; what they capture is passed explicitly as extra inputs. A Module is
// plain data, owned and changed by one thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/op.h"
#include "ir/type.h"
#include "mote/status.h"

namespace mote {

using ValueId = std::int32_t;
using NodeId = std::int32_t;
using ConstantId = std::int32_t;
using FunctionId = std::int32_t;
inline constexpr std::int32_t kNone = -1;  // an absent optional operand

// Bytes that constants point into: a mapped file, an external data file, or a buffer. Immutable, shared.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::span<const std::byte> bytes() const = 0;
  // Tells the system that these pages will not be read again.
  virtual void drop(std::size_t offset, std::size_t size) const {
    (void)offset;
    (void)size;
  }
  std::string name;  // file name, for messages and for text
};

class BufferSource final : public Source {
 public:
  explicit BufferSource(std::vector<std::byte> data) : data_(std::move(data)) {}
  std::span<const std::byte> bytes() const override { return data_; }

 private:
  std::vector<std::byte> data_;
};

// How a constant's stored bytes stand for its elements.
enum class Encoding : std::uint8_t {
  kPlain,    // row-major elements of the dtype, little-endian, packed for types below 8 bits
  kStrings,  // u32 count-free list: each element u32 length + bytes
  kFill,     // one element repeated over the whole shape
};

// Applied in order when the constant is materialised, once, straight into its packed form.
struct Transform {
  enum class Kind : std::uint8_t { kTranspose, kCast, kReshape, kScale };
  Kind kind;
  std::vector<std::int64_t> ints;  // kTranspose: permutation; kReshape: extents; kScale: the axis
  DType dtype = DType::none;       // kCast
  std::vector<double> scale;       // kScale: a factor for every position along the axis; floats only, rounded once

  friend bool operator==(const Transform&, const Transform&) = default;
};

struct Constant {
  std::string name;
  Type type;  // after the transforms; static
  std::shared_ptr<const Source> source;
  std::size_t offset = 0, size = 0;  // range of stored bytes in source
  Encoding encoding = Encoding::kPlain;
  DType stored_dtype = DType::none;  // before the transforms
  std::vector<std::int64_t> stored_shape;
  std::vector<Transform> transforms;

  std::span<const std::byte> stored() const { return source->bytes().subspan(offset, size); }
};

struct Value {
  std::string name;
  Type type;
  NodeId producer = kNone;      // the node whose output this is
  ConstantId constant = kNone;  // or the constant it stands for; both none: a function input
};

struct Node {
  const Op* op = nullptr;
  std::string name;
  std::vector<ValueId> inputs;   // kNone for an absent optional
  std::vector<ValueId> outputs;  // kNone for an output nobody asked for
  Attrs attrs;
  std::vector<FunctionId> bodies;  // control ops only
};

struct Function {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;

  ValueId add_value(std::string value_name, Type type);
  ValueId add_input(std::string value_name, Type type);
  // The value standing for `constant` in this function; made on first use.
  ValueId constant_value(ConstantId constant, const Constant& data);
  // Appends a node; its outputs are new values of unknown type named after the node.
  NodeId add_node(const Op& op, std::string node_name, std::vector<ValueId> node_inputs, Attrs attrs, int output_count);
  // After a pass removed or reordered nodes: sets every value's producer again.
  void reindex();
  // How many times each value is read by nodes and by the function's outputs.
  std::vector<std::int32_t> use_counts() const;
  // Makes every reader of `from` read `to`.
  void replace_uses(ValueId from, ValueId to);
};

// A named dimension and the extents it may take.
struct Symbol {
  std::string name;
  std::int64_t min = 0;
  std::int64_t max = std::int64_t{1} << 31;
};

// A tensor that outlives a run, one for all signatures that name it: read at `input`, replaced by `output` at the end.
struct State {
  std::string name;
  std::int32_t input;   // position in the function's inputs
  std::int32_t output;  // position in the function's outputs
};

// An entry point. Input and output names are those of the function's values.
struct Signature {
  std::string name;
  FunctionId function;
  std::vector<State> states;
};

struct Module {
  std::string name;
  std::vector<Function> functions;    // [0] is the main function
  std::vector<Signature> signatures;  // [0] is the default one
  std::vector<Constant> constants;
  std::vector<Symbol> symbols;
  std::vector<std::pair<std::string, std::string>> metadata;  // in the file's order; labels and normalisation as mote.*

  ConstantId add_constant(Constant constant);
  // A constant from values held here: `bytes` in kPlain encoding.
  ConstantId add_constant(std::string constant_name, DType dtype, std::vector<std::int64_t> shape,
                          std::vector<std::byte> bytes);
  const std::string* find_metadata(std::string_view key) const;
  const Symbol* find_symbol(std::string_view symbol_name) const;
  std::uint64_t constant_bytes() const;  // as stored, of all constants
};

// The elements of a small integer constant (bool, any int type, plain), or nothing when it is not one or has more than
// `limit`.
std::optional<std::vector<std::int64_t>> small_ints(const Constant& constant, std::size_t limit = 4096);
// The same for a small constant of f32, f64, f16 or bf16.
std::optional<std::vector<double>> small_floats(const Constant& constant, std::size_t limit = 4096);

// Convenience for building plain constants from values.
template <class T>
std::vector<std::byte> to_bytes(std::span<const T> values) {
  auto b = std::as_bytes(values);
  return std::vector<std::byte>(b.begin(), b.end());
}

}  // namespace mote
