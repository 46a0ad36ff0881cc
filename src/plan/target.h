// Target: what a backend answers when a plan is prepared. It claims nodes (by itself, before decompositions are
// applied), says which layouts it wants, packs weights and states a cost. `prepare` asks the targets in order; the
// first claim wins.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "ir/module.h"
#include "plan/kernel.h"
#include "plan/plan.h"

namespace mote {

// How a claimed kernel wants an operand to lie in memory.
enum class Layout : std::uint8_t {
  kPlain,         // row-major, dense
  kChannelsLast,  // axis 1 innermost, the others in order; dense except for the pitch of the innermost but one if
                  // kPitch
  kStrided,       // any strides
  kRows,          // the last logical axis contiguous; any strides on the others
  kSame,          // outputs: dense, in the axis order of input 0 (kernels that work elementwise or per axis)
  kLike,          // outputs only: as kSame, also where the extents differ from input 0's
  kPacked,        // a constant in a form of the kernel's own
  kIgnored,       // not read by the kernel: what it says is in the shapes or params
};

struct OperandWant {
  Layout layout = Layout::kPlain;
  bool pitch = false;  // kChannelsLast, kSame: rows may be further apart than their length (views into wider tensors)
};

// How to bring a constant operand into the kernel's form.
struct Packing {
  std::int32_t operand = 0;  // position in the node's inputs
  std::string name;          // e.g. "oi16": part of the plan, for people and for the cache of shared forms
  std::size_t bytes = 0;
  // Writes the packed form of `plain` (dense row-major) to `out`, zeroed before, 64-byte aligned. Runs once.
  std::function<void(const TensorView& plain, std::span<std::byte> out)> pack;
  // Where set, packs a part: positions from `begin` on, a multiple of 16, along `axis`, which is 0, or 1 of a matrix. A
  // matrix may have any strides and be of f32, f16 or bf16 whatever its type; of other ranks `part` is dense. Large
  // constants come this way, so that they are not in memory twice.
  std::function<void(const TensorView& part, int axis, std::int64_t begin, std::span<std::byte> out)> pack_part;
};

struct Claim {
  std::string kernel;
  std::int32_t version = 1;
  std::vector<std::byte> params;
  Numerics numerics = Numerics::kExact;
  std::vector<OperandWant> inputs, outputs;  // the last one stands for all that follow; empty: plain
  std::vector<Packing> packings;
  std::int32_t in_place = kNone;  // input whose memory output 0 may take when it is read here last
  std::string why;
};

// What a plan is made for. The CPU is data, so that a plan can be made for another machine.
struct TargetOptions {
  CpuFeatures cpu = active_cpu();
  bool reproducible = false;
  DType precision = DType::f32;  // that products and convolutions may round their operands to
};

// A node with what is known of its operands.
struct NodeView {
  const Module& module;
  const Function& function;
  const Node& node;

  bool has(int i) const {
    return i < static_cast<int>(node.inputs.size()) && node.inputs[static_cast<std::size_t>(i)] != kNone;
  }
  ValueId input(int i) const { return node.inputs[static_cast<std::size_t>(i)]; }
  const Type& type(int i) const { return function.values[static_cast<std::size_t>(input(i))].type; }
  const Type& out_type(int i) const {
    return function.values[static_cast<std::size_t>(node.outputs[static_cast<std::size_t>(i)])].type;
  }
  // The constant behind input i, or null.
  const Constant* constant(int i) const {
    if (!has(i)) return nullptr;
    ConstantId c = function.values[static_cast<std::size_t>(input(i))].constant;
    return c == kNone ? nullptr : &module.constants[static_cast<std::size_t>(c)];
  }
  std::int64_t attr_int(std::string_view n) const { return mote::attr_int(*node.op, node.attrs, n); }
  double attr_float(std::string_view n) const { return mote::attr_float(*node.op, node.attrs, n); }
  std::string attr_string(std::string_view n) const { return mote::attr_string(*node.op, node.attrs, n); }
  std::vector<std::int64_t> attr_ints(std::string_view n) const { return mote::attr_ints(*node.op, node.attrs, n); }
  std::vector<std::string> attr_strings(std::string_view n) const {
    return mote::attr_strings(*node.op, node.attrs, n);
  }
};

class Target {
 public:
  virtual std::string_view name() const = 0;
  virtual std::optional<Claim> claim(const NodeView& node, const TargetOptions& options) const = 0;
  // True for a target that runs what no other takes, slowly: a decomposition that others take whole is better.
  virtual bool is_fallback() const { return false; }

 protected:
  ~Target() = default;
};

}  // namespace mote
