// Memory of a context that is not planned: late values, lists, strings. Charged to the context's budget before it is
// taken; blocks grow and are kept, so that a steady run takes none.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/budget.h"
#include "base/buffer.h"
#include "ops/reference.h"
#include "tensor/view.h"

namespace mote {

// A buffer that only grows. Gives its charge back when it goes.
class HeapBlock {
 public:
  HeapBlock() = default;
  HeapBlock(HeapBlock&& o) noexcept : buffer_(std::move(o.buffer_)), budget_(std::exchange(o.budget_, nullptr)) {}
  HeapBlock& operator=(HeapBlock&& o) noexcept {
    release();
    buffer_ = std::move(o.buffer_);
    budget_ = std::exchange(o.budget_, nullptr);
    return *this;
  }
  ~HeapBlock() { release(); }

  // At least `bytes`; the first `keep` bytes survive a move. `who` names the tensor in an error.
  Status reserve(Budget& budget, std::int64_t bytes, std::string_view who, std::int64_t keep = 0);
  std::byte* data() const { return buffer_.data(); }
  std::int64_t capacity() const { return buffer_.size(); }
  std::span<std::byte> bytes() const { return {data(), static_cast<std::size_t>(capacity())}; }

 private:
  void release() {
    if (budget_) budget_->release(buffer_.size());
    budget_ = nullptr;
    buffer_ = Buffer();
  }
  Buffer buffer_;
  Budget* budget_ = nullptr;
};

// Blocks of values that are dead, for those to come. Small ones stay where they are.
class SpareBlocks {
 public:
  static constexpr std::int64_t kLeast = 64 << 10;

  void give(HeapBlock block) { blocks_.push_back(std::move(block)); }
  // Exchanges `block` for the smallest spare one of `bytes`. Where all are smaller the largest is freed, since `block`
  // is about to grow in its stead.
  void swap(HeapBlock& block, std::int64_t bytes);
  std::int64_t bytes() const;

 private:
  std::vector<HeapBlock> blocks_;
};

// From the first byte that `view` can reach to behind the last.
std::int64_t reach_of(const TensorView& view);

// Whether what `view` reaches is bytes() bytes: not where it repeats elements or has gaps. Callers that copy a tensor
// as bytes ask, since a plan from a file may have such views anywhere.
bool gapless(const TensorView& view);

// A tensor with memory of its own.
struct OwnedTensor {
  HeapBlock memory;
  TensorView view;

  // Takes memory for a copy of `from` (dense).
  Status reserve_like(Budget& budget, const TensorView& from, std::string_view who);
  // Becomes a dense copy of `from` (dense).
  Status assign(Budget& budget, const TensorView& from, std::string_view who);
};

using OwnedList = std::vector<OwnedTensor>;

// The bytes of string elements. Constants' strings come first and stay; the rest goes with reset().
class StringHeap {
 public:
  std::string_view get(StringRef r) const {
    return r.offset <= text_.size() && r.length <= text_.size() - r.offset
               ? std::string_view(text_).substr(r.offset, r.length)
               : std::string_view();
  }
  Result<StringRef> add(Budget& budget, std::string_view s);
  void keep() { kept_ = text_.size(); }
  void reset() { text_.resize(kept_); }

 private:
  std::string text_;
  std::size_t kept_ = 0;
};

}  // namespace mote
