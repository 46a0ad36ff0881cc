// Running an op's reference, or a small graph of references, over plain vectors. For tests and tools; not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/text.h"
#include "ops/reference.h"

namespace mote::testing {

// The strings of a run: StringRef offsets point into it.
class StringHeap {
 public:
  std::string_view get(StringRef ref) const { return std::string_view(bytes_).substr(ref.offset, ref.length); }
  StringRef add(std::string_view s) {
    StringRef ref{bytes_.size(), s.size()};
    bytes_ += s;
    return ref;
  }

 private:
  std::string bytes_;
};

// A tensor that owns its bytes.
struct Tensor {
  DType dtype = DType::none;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  Tensor() = default;
  Tensor(DType t, std::vector<std::int64_t> extents);
  TensorView view() const;
};

// A tensor, a list or an optional (a list of at most one), or nothing.
struct Item {
  bool present = false, is_list = false, is_optional = false;
  std::vector<Tensor> tensors;

  static Item of(Tensor t) { return {true, false, false, {std::move(t)}}; }
  static Item list(std::vector<Tensor> items) { return {true, true, false, std::move(items)}; }
};

// How often a context is asked whether to go on, and how many elements at a time references then take.
struct Pace {
  std::int64_t between_polls = ReferenceContext::kWorkBetweenPolls, most_at_once = ReferenceContext::kMostAtOnce;
};

class VectorContext final : public ReferenceContext {
 public:
  // `inputs`, `strings` and `attrs` outlive the context.
  VectorContext(const Op& op, const Attrs& attrs, const std::vector<Item>& inputs, int outputs, StringHeap& strings,
                Pace pace = {});

  int inputs() const override { return static_cast<int>(inputs_->size()); }
  int outputs() const override { return static_cast<int>(results.size()); }
  bool has(int i) const override;
  const TensorView& in(int i) const override { return views_[static_cast<std::size_t>(i)]; }
  std::vector<TensorView> list(int i) const override;
  bool is_list(int i) const override { return (*inputs_)[static_cast<std::size_t>(i)].is_list; }
  bool wants(int i) const override { return i < outputs(); }
  bool gives_list(int i) const override { return i == 0 && has(0) && is_list(0) && !(*inputs_)[0].is_optional; }
  Result<TensorView> out(int i, DType dtype, std::span<const std::int64_t> shape) override;
  Status out_list(int i, std::span<const TensorView> items) override;
  Result<std::span<std::byte>> scratch(std::size_t bytes) override;
  std::string_view string(StringRef ref) const override { return strings_->get(ref); }
  Result<StringRef> add_string(std::string_view s) override { return strings_->add(s); }
  std::uint32_t random() override;

  std::vector<Item> results;
  // What polls were told, and which of them (from 1) fails as at a deadline; 0 for none.
  std::int64_t polls = 0, work = 0, most_work = 0, fail_at = 0;

 private:
  Status poll(std::int64_t spent) override;

  const std::vector<Item>* inputs_;
  std::vector<TensorView> views_;
  StringHeap* strings_;
  std::deque<std::vector<std::byte>> scratch_;
  std::uint64_t seed_ = 0x9e3779b97f4a7c15u;
};

// Runs the op's reference; where it has none, its decomposition.
Result<std::vector<Item>> run_op(const Op& op, const Attrs& attrs, const std::vector<Item>& inputs, int outputs,
                                 StringHeap& strings);

// Runs the op's decomposition, every node of it by run_op. Values are constants of `inputs` when `baked`, else graph
// inputs of static shape.
Result<std::vector<Item>> run_decomposed(const Op& op, const Attrs& attrs, const std::vector<Item>& inputs, int outputs,
                                         StringHeap& strings, bool baked);

// Copies of a view's elements, and a type for it.
Tensor copy_of(const TensorView& v);
Type type_of(const Item& item);

}  // namespace mote::testing
