// The plan while it is being made: extents are still Dims, and bytes belong to buffers that have no address yet.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/infer.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace mote::draft {

using Perm = std::vector<std::uint8_t>;  // axes from outermost to innermost; empty: row-major

// A piece of memory with one lifetime.
struct Buf {
  Place place = Place::kArena;
  std::int32_t index = kNone;  // per place
  Dim bytes;
  std::int32_t first = -1, last = -1;  // steps, after memory planning has looked
  Dim offset;
  std::int32_t merged_into = kNone;  // in place of another
};

struct Val {
  std::string name;
  Type::Kind kind = Type::Kind::kTensor;
  DType dtype = DType::none;
  std::optional<Shape> dims;
  Perm perm;
  std::optional<std::vector<Dim>> strides;  // a view that is not dense
  std::int32_t buf = kNone;
  Dim offset;  // bytes into buf
  bool late = false;
  std::int32_t alias = kNone;           // late views: the value whose bytes these are
  bool needs_dense = false;             // some reader counts on it being dense
  std::int32_t producer = kNone;        // step
  bool producer_takes_strides = false;  // its kernel can write to a view of a wider tensor

  int rank() const { return static_cast<int>(dims->size()); }
};

struct DraftStep {
  Step step;                      // operands are indices of Vals
  std::int32_t in_place = kNone;  // input whose memory output 0 may take
  bool dead = false;
};

struct DraftFunction {
  std::string name;
  std::vector<Val> vals;
  std::vector<Buf> bufs;
  std::vector<DraftStep> steps;
  std::vector<std::int32_t> inputs, outputs;
  std::vector<std::string> bound;  // symbols that the inputs bind
  Dim arena;
  std::vector<Dim> results;  // of an entry point: where outputs lie in the arena, unless the caller gives memory
};

// Axis 1 innermost, the others in order.
Perm channels_last(int rank);
// `perm` with the empty form spelt out.
Perm spelt(const Perm& perm, int rank);
// Whether both orders put the same elements at the same places, given that axes of extent 1 do not matter.
bool same_order(const Shape& dims, const Perm& a, const Perm& b);
// Strides, in elements, of a dense tensor in the order of `perm`.
std::vector<Dim> dense_strides(const Shape& dims, const Perm& perm);
std::vector<Dim> strides_of(const Val& v);
// A reshape of v to `dims` without moving bytes: strides of the view, or nothing.
std::optional<std::vector<Dim>> view_strides(const Val& v, const Shape& dims);
// The order in which `strides` is dense, if it is.
std::optional<Perm> dense_order(const Shape& dims, const std::vector<Dim>& strides);

// Drops steps that nobody reads, shares memory between buffers, fills Buf::offset, `arena` and `results`.
void plan_memory(DraftFunction& f);

}  // namespace mote::draft
