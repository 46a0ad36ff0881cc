// src/plan: the Plan, Mote's second data structure: everything `prepare` decided, as data without pointers. Running it,
// saving it, emitting C from it and shipping it are readers of this one structure.
//
// A Plan holds functions (the entry points and the bodies of control flow). A PlanFunction is a list of steps over
// values. Extents, strides, offsets and sizes are Extents: integers, or expressions over the function's symbols, which
// are bound from the extents of its inputs when it is entered. A late value has extents that are known only when its
// step runs: from its inputs' extents and the values of its shape operands, or from the data. Immutable once made;
// shared by any number of contexts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ir/attr.h"
#include "ir/module.h"
#include "kernels/kernel.h"
#include "mote/dtype.h"

namespace mote {

using kernels::Numerics;

// A non-negative integer, or ~i for expression i of the function.
using Extent = std::int64_t;

// Postfix code over int64: each instruction is {op, value}. Depth of the stack is at most kExprStack.
struct ExprOp {
  enum Code : std::uint8_t { kConst, kSymbol, kAdd, kMul, kFloorDiv, kMod, kMin, kMax };
  Code code;
  std::int64_t value = 0;  // kConst: the constant; kSymbol: index into PlanFunction::symbols
  friend bool operator==(const ExprOp&, const ExprOp&) = default;
};
inline constexpr int kExprStack = 64;

struct Expr {
  std::vector<ExprOp> code;
  std::string text;  // for people: the Dim as printed
};

// Where the bytes of a value lie.
enum class Place : std::uint8_t {
  kArena,     // the function's arena, at `offset`
  kConstant,  // Plan::constants[index]
  kInput,     // the caller's memory for input `index`
  kOutput,    // the caller's memory for output `index`, or where PlanFunction::results says
  kState,     // the context's memory of state `index`
  kHeap,      // taken by the context when the step runs: late shapes, lists
  kAlias,     // the bytes of value `index`, known when the step runs
};

struct PlanValue {
  std::string name;
  Type::Kind kind = Type::Kind::kTensor;
  DType dtype = DType::none;
  std::int8_t rank = -1;  // -1: known only when its step has run
  bool late = false;      // its extents are known only when its step has run
  Place place = Place::kHeap;
  std::int32_t index = kNone;      // per place
  Extent offset = 0;               // bytes from the start of the place
  std::vector<Extent> dims;        // logical order
  std::vector<std::uint8_t> perm;  // axes from outermost to innermost in memory; empty: row-major
  std::vector<Extent> strides;     // elements, per logical axis; empty: dense in the order of perm
};

// What a packed operand was before packing, for steps whose result's shape is inferred when they run.
struct PackedType {
  std::int32_t operand = 0;
  DType dtype = DType::none;
  std::vector<std::int64_t> dims;
};

struct Step {
  enum class Kind : std::uint8_t { kKernel, kIf, kLoop, kCall };
  Kind kind = Kind::kKernel;
  std::int32_t kernel = kNone;  // index into Plan::kernels
  std::int32_t op = kNone;  // index into Plan::ops: what infers the output shapes of a late step, and runs a reference
  std::vector<std::int32_t> inputs, outputs;  // values; kNone for absent
  std::vector<std::int32_t> bodies;           // functions
  std::vector<std::byte> params;              // the kernel's own data for this step
  std::vector<PackedType> packed;             // late steps only
  Attrs attrs;
  bool late = false;       // set up just before it runs: an operand's shape is late
  std::uint64_t macs = 0;  // multiply-adds by the definition of its op, where static
  Numerics numerics = Numerics::kExact;
  std::string name;  // the node's
  std::string why;   // for mote plan --explain
};

struct PlanFunction {
  std::string name;
  std::vector<std::string> symbols;
  std::vector<Expr> exprs;
  std::vector<PlanValue> values;
  std::vector<Step> steps;
  std::vector<std::int32_t> inputs, outputs;  // values
  Extent arena_bytes = 0;
  std::vector<Extent> results;  // per output: bytes into the arena, where the caller gives no memory; empty in bodies
};

struct PlanConstant {
  std::string name;
  DType dtype = DType::none;
  std::vector<std::int64_t> dims;
  std::int32_t source = 0;  // Plan::sources
  std::uint64_t offset = 0, size = 0;
  std::string packing;  // the packed form's name, empty for plain row-major elements
};

struct PlanState {
  std::string name;
  std::int32_t input = kNone, output = kNone;  // positions in the function's inputs and outputs
  // A state that grows in place: its memory holds `capacity` positions of `axis`, with strides as if all were used; the
  // output lies in it, behind what was there before. kNone: the output is copied when the run ends.
  std::int32_t axis = kNone;
  std::int32_t capacity = kNone;  // the function's symbol that stands for it; kNone where no stride depends on it
};

struct PlanSignature {
  std::string name;
  std::int32_t function = 0;
  std::vector<PlanState> states;
};

struct NamedVersion {
  std::string name;
  std::int32_t version = 1;
  friend bool operator==(const NamedVersion&, const NamedVersion&) = default;
};

struct Plan {
  std::string target;  // e.g. "x86_64 avx512"
  bool reproducible = false;
  bool foreign = false;  // read from a file: what prepare guarantees is checked again as it runs
  std::vector<NamedVersion> kernels;
  std::vector<NamedVersion> ops;
  std::vector<PlanFunction> functions;
  std::vector<PlanSignature> signatures;
  std::vector<PlanConstant> constants;
  std::vector<std::shared_ptr<const Source>> sources;
  std::vector<Symbol> symbols;  // ranges of the named ones
  std::vector<std::pair<std::string, std::string>> metadata;
  std::uint64_t macs = 0;  // multiply-adds of the main function where static, else 0

  std::span<const std::byte> bytes(const PlanConstant& c) const {
    return sources[static_cast<std::size_t>(c.source)]->bytes().subspan(c.offset, c.size);
  }
  // Bytes of all constants, as packed.
  std::uint64_t weight_bytes() const;
};

// The value of an Extent, given the function's symbols.
std::int64_t evaluate(const PlanFunction& f, Extent e, std::span<const std::int64_t> symbols);
// The Extent as text: "12" or "2*N+1".
std::string to_text(const PlanFunction& f, Extent e);
// Adds `d` to the function's expressions when it is not constant. Unknown symbols are appended to f.symbols.
Extent add_extent(PlanFunction& f, const Dim& d);

}  // namespace mote
